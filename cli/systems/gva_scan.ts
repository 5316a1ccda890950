/** gva-scan (US20190026232A1, US10642751): a guest's address space listed by AT from EL2. */
import type { SystemScenario } from "./scenario.ts";
import { checkLinux } from "./gva_scan/live_linux.ts";

const EXPLAIN =
  `On a PE that holds the guest's EL1&0 registers, the monitor at EL2 asks AT S1E1R, ISB, MRS PAR_EL1
for one guest virtual address after the other.
`;

/** The system for `hindsight system`. */
export const scenario: SystemScenario = {
  slug: "gva-scan",
  explain: EXPLAIN,
  checks: [
    {
      name:
        "five instants of a live Debian: runs as in the tables and in /proc/self/pagemap, AT within the bound",
      needs: ["linux-cloud"],
      run: (context) => checkLinux(context),
    },
  ],
};
