/** dcc-hypercall (US11169838B2, US20210224089A1): hypercalls by reads of a debug channel's status. */
import { asQemu, asTheArmArm } from "./dcc_hypercall/priority.ts";
import { debuggers, debuggersByEl2, toolsAtEl0, toolsWithoutShadow } from "./dcc_hypercall/linux.ts";
import { registerFiles } from "./dcc_hypercall/register_files.ts";
import { restoring } from "./dcc_hypercall/restoring.ts";
import { debugsItself, debugsItselfOnQemu } from "./dcc_hypercall/transparency.ts";
import type { SystemScenario } from "./scenario.ts";

const EXPLAIN = "See below.";

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
    {
      name: "an interrupt that calls at any boundary while debug registers are restored: nothing is lost",
      run: restoring,
    },
    {
      name:
        "random register files at accesses that are no calls: what a guest sees is as without the monitor",
      run: registerFiles,
    },
    {
      name: "Debian's vmware-checkvm at EL0 finds its host, with one trap for each call",
      needs: ["linux-cloud", "linux-tools"],
      run: toolsAtEl0,
    },
    {
      name: "without the shadow it takes SIGILL and says that it must be run inside a virtual machine",
      needs: ["linux-cloud", "linux-tools"],
      isLong: true,
      run: toolsWithoutShadow,
    },
    {
      name: "gdb in the guest breaks, watches and steps by hardware, and the kernel breaks on itself",
      needs: ["linux-cloud", "linux-gdb"],
      isLong: true,
      run: debuggers,
    },
    {
      name: "the same with MDCR_EL2.TDE: debug exceptions come to EL2 and go on to the guest",
      needs: ["linux-cloud", "linux-gdb"],
      isLong: true,
      run: debuggersByEl2,
    },
  ],
};
