/** unified-backdoor (US20210224090A1, US11550609B2): one hypercall interface across processors. */
import type { SystemScenario } from "./scenario.ts";
import { forkOfService, forkOfTools, forkOfWords, forksOfClient } from "./unified_backdoor/checkpoints.ts";
import { debugExceptions, debugExceptionsOnQemu } from "./unified_backdoor/debugging.ts";
import { refusals } from "./unified_backdoor/refusals.ts";
import { randomFiles, sameEffects } from "./unified_backdoor/triggers.ts";
import { TOOLS_GUESTS, toolsOfDebian, toolsWithout } from "./unified_backdoor/tools.ts";

const EXPLAIN =
  `A port access of x86 is described in registers and asked for by an instruction that comes to EL2:

  X0 … X6   RAX RBX RCX RDX RSI RDI RBP: magic 0x564D5868 in X0, the port in X3[15:0], a command in X2[15:0]
  W7        [1:0] size 1, 2, 4  [2] IN  [4:3] 00 port in W7[12:5], 01 in X3, 10 string, 11 REP  [5] DF for strings
  HVC #0x86                                 from EL1
  MRS XZR, MDCCSR_EL0 and X7[63:32] = 0x86  from EL0 and EL1: MDCR_EL2.TDA, by the system dcc-hypercall
  BRK #0x86                                 from EL0 and EL1: MDCR_EL2.TDE; other BRKs and all debug exceptions
                                            go back to EL1 as they would have come without it

Port 0x5658 has GETVERSION (10), GETHWVERSION (17), GETMEMSIZE (20), MESSAGE (30) and GETTIMEFULL (46, 55);
0x5659 takes and gives whole messages by REP OUTSB and REP INSB. Buffers are the caller's virtual addresses, by
AT S12E0R/W or S12E1R/W, a page at a time: a fault is a data abort with X2 and X4 or X5 where the instruction
stands, so that it goes on there. Elsewhere there are all ones. A size of 3 and reserved bits are UNDEFINED.

    hindsight record --monitor el2:dcc-hypercall,unified-backdoor,guestinfo=KEY=VALUE -kernel Image …
    options: product=server|workstation, high-bandwidth=on|off, brk=on|off, guestinfo=K=V;K=V
    in a script: monitor el2 unified-backdoor guestinfo K=V | call TEXT | checkpoint

The guest's device tree gets /hypervisor, compatible "vmware". Messages, variables and cookies are in the
snapshot. In a fork, "monitor el2 unified-backdoor checkpoint" first: what is in the middle of a message gets
the status CPT (0x10) once, and tools begin that message again; a replay is not told, and stays as it was.

Look at it:

    hindsight events F --kind backdoorCalled,backdoorReturned      every call, its registers, what it came to
    hindsight events F --kind guestMessageReceived                 every message that came whole
    hindsight diff hvc.hindsight brk.hindsight                     two triggers: nothing but the trigger
`;

/** The system for `hindsight system`. */
export const scenario: SystemScenario = {
  slug: "unified-backdoor",
  explain: EXPLAIN,
  checks: [
    {
      name: "HVC, MRS and BRK do the same, from EL1 and EL0: diff finds nothing but the trigger",
      run: sameEffects,
    },
    {
      name: "random register files: the host goes on, and nothing but the caller's pages is reached",
      run: randomFiles,
    },
    {
      name: "breakpoints, watchpoints, steps and other BRKs are as without MDCR_EL2.TDE",
      run: debugExceptions,
    },
    { name: "the same on QEMU", run: debugExceptionsOnQemu },
    { name: "options and commands that cannot be are refused with the reason", run: refusals },
    {
      name: "without the system: no VMware to be found, and the tools end",
      needs: TOOLS_GUESTS,
      isLong: true,
      run: toolsWithout,
    },
    { name: "a fork before every call of a client: the message arrives once, whole", run: forksOfClient },
    {
      name: "Debian's vmware-rpctool in a fork in mid-message: it sends again, and 60 kB arrive once",
      needs: TOOLS_GUESTS,
      isLong: true, // every day the small client's forks do
      run: forkOfTools,
    },
    {
      name: "the same without the high-bandwidth port, in the middle of 15,000 calls",
      needs: TOOLS_GUESTS,
      isLong: true,
      run: forkOfWords,
    },
    {
      name: "vmtoolsd in a fork in the middle of the host's call: it answers once",
      needs: TOOLS_GUESTS,
      isLong: true,
      run: forkOfService,
    },
    {
      name: "Debian's open-vm-tools from EL0: their commands, 60 kB at once, the service and calls to it",
      needs: TOOLS_GUESTS,
      run: toolsOfDebian,
    },
  ],
};
