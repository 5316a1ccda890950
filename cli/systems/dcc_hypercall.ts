/** dcc-hypercall (US11169838B2, US20210224089A1): hypercalls by reads of a debug channel's status. */
import { asQemu, asTheArmArm } from "./dcc_hypercall/priority.ts";
import { debugsItself, debugsItselfOnQemu } from "./dcc_hypercall/transparency.ts";
import type { SystemScenario } from "./scenario.ts";

const EXPLAIN = ``;

/** The system for `hindsight system`. */
export const scenario: SystemScenario = {
  slug: "dcc-hypercall",
  explain: EXPLAIN,
  checks: [
    {
      name: "every combination of controls: an access is taken by the first in the Arm ARM's order",
      run: asTheArmArm,
    },
    { name: "the same bytes on QEMU, but for MDSCR_EL1.TDCC: the same exceptions", run: asQemu },
    {
      name: "breakpoints, watchpoints, steps and BRK of a guest are as without the monitor, on every engine",
      run: debugsItself,
    },
    { name: "the same bytes print the same on QEMU", run: debugsItselfOnQemu },
  ],
};
