/** gva-scan (US20190026232A1, US10642751): a guest's address space listed by AT from EL2. */
import type { SystemScenario } from "./scenario.ts";
import { checkLinux } from "./gva_scan/live_linux.ts";
import { checkTwin, checkTwinOnQemu } from "./gva_scan/twin.ts";
import { checkGranules, checkMappedBy } from "./gva_scan/small_guests.ts";

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
      name: "4, 16 and 64 KiB granules: runs as in the tables, on every engine with equal roots",
      run: checkGranules,
    },
    {
      name:
        "a scan by A64 code at EL2 writes what the monitor's scanner finds, stage 2 on and off, every granule",
      run: checkTwin,
    },
    {
      name: "the same bytes write the same PAR_EL1 on QEMU",
      run: checkTwinOnQemu,
    },
    {
      name: "the difference of two scans is what the guest did, each change traced to its own store",
      run: checkMappedBy,
    },
    {
      name:
        "five instants of a live Debian: runs as in the tables and in /proc/self/pagemap, AT within the bound",
      needs: ["linux-cloud"],
      run: (context) => checkLinux(context),
    },
  ],
};
