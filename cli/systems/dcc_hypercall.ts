/** dcc-hypercall (US11169838B2, US20210224089A1): hypercalls by reads of a debug channel's status. */
import { asQemu, asTheArmArm } from "./dcc_hypercall/priority.ts";
import { debugConsole } from "./dcc_hypercall/debug_console.ts";
import { debuggers, debuggersByEl2, toolsAtEl0, toolsWithoutShadow } from "./dcc_hypercall/linux.ts";
import { registerFiles } from "./dcc_hypercall/register_files.ts";
import { restoring } from "./dcc_hypercall/restoring.ts";
import { debugsItself, debugsItselfOnQemu } from "./dcc_hypercall/transparency.ts";
import type { SystemScenario } from "./scenario.ts";

const EXPLAIN =
  `MDCR_EL2.TDA = 1 sends EL0's and EL1's accesses to debug registers to the monitor at EL2. One of them is a call:

    mrs  xzr, mdccsr_el0        0xD533011F, at EL0 or EL1: exception class 0x18, ESR_EL2 = 0x6220C3E3

The monitor offers X0 to X7 to its systems (unified-backdoor takes what has 0x86 in X7[63:32]); ELR_EL2 += 4, and a
register other than XZR gets the status. Nobody's call is a read of the debug communications channel.

At EL0 MDSCR_EL1.TDCC comes before all of MDCR_EL2: it sends the read to EL1 (to EL2 with HCR_EL2.TGE). Linux sets it. TDA
traps MDSCR_EL1 as well, so the monitor keeps TDCC beside the register: the kernel reads what it wrote, calls of EL0 come
to EL2, and what calls nobody is injected at EL1, class 0x18 with its own ISS, as if TDCC had done it; Linux makes it
SIGILL. All other bits and registers are the guest's own, so its breakpoints, watchpoints and steps act.

The order of traps: TDCC to EL1 · MDCR_EL2.TDCC (FEAT_FGT) · TGE, MDCR_EL2.TDE, TDA to EL2 · MDCR_EL3.TDCC · TDA to EL3.
QEMU 7.2 does not know MDSCR_EL1.TDCC; the rest is compared with it.

MDCR_EL2.TDE, which BRK needs for calls, makes EL2 the target of all debug exceptions. They go on to EL1 as they would
have been taken there; what MDSCR_EL1.KDE and PSTATE.D would have kept from EL1 is stepped over.

With console=on the host is the debugger at each CPU's channel: a character in each word of DBGDTRTX_EL0, DBGDTRRX_EL0 and
DBGDTR_EL0, TXfull and RXfull in MDCCSR_EL0, and OSDTRRX_EL1, OSDTRTX_EL1 and MDSCR_EL1 under the OS lock. It is what the
public ESXi-Arm demonstration prints by; that program cannot be fetched, so a guest of ours speaks its protocol.

Use it on a guest of yours:

    hindsight record --monitor el2:dcc-hypercall,unified-backdoor -kernel Image …
    options: trap=tda|tdcc (tdcc needs FEAT_FGT), shadow=on|off, tde=on|off, console=on|off
    in a script: monitor el2 dcc-hypercall send CPU TEXT        with \\r \\n \\\\ \\xHH

Look at it:

    hindsight events RUN --kind debugChannelTrapped     every read, with X0 to X7 and what became of it
    hindsight events RUN --kind debugLineLogged         what the guest wrote on its debug console
    hindsight events RUN --kind registerEmulated        every access to another debug register, with its value
`;

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
    { name: "the debug channel as a console: lines both ways, and what is refused", run: debugConsole },
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
