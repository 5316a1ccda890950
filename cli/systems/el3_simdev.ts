/** el3-simdev (US09952887B2): devices that are not there, simulated in Secure state. */
import type { SystemScenario } from "./scenario.ts";
import { checkDebian, checkMissing, checkXen } from "./el3_simdev/linux.ts";
import { checkMoves, checkOnQemu, checkRefused, checkRegisters } from "./el3_simdev/small_guest.ts";

const EXPLAIN =
  `Nothing answers at a device's addresses. With SCR_EL3.EA = 1 the synchronous External abort of an access
from EL0, EL1 or EL2 is taken to EL3 (Arm ARM D1.13.4): EC 0x24, DFSC 0x10. ISV is 0 there, so the monitor at EL3 reads the
instruction at ELR_EL3 (AT S12E1R, S12E0R or S1E2R by the level in SPSR_EL3), takes it apart, translates FAR_EL3, does the
access on a model of its own, writes Rt and the base register, and returns behind the instruction. Nobody at EL2 or below
takes part, so that it works below a hypervisor as well. The model's interrupt is a wire of the Secure side to the same SPI.

What is in no simulated device, a pair, a vector, an exclusive, an access over a device's end, a fetch, an abort on a table
walk: is the abort at the level that it came from (HCR_EL2.TEA and TGE tell which), with the syndrome, FAR and return address
that a board without the device gives. A model that fails stops the machine with the place; it never reads as zero.

To use it: unplug devices and enable the system; an operator plugs them in again and takes them out at any step.
  hindsight record -M virt,uart1=on,unplugged=rtc+uart1 --monitor el3:el3-simdev -kernel Image …
  monitor el3 el3-simdev plug rtc      or      at 500000000 monitor el3 el3-simdev unplug rtc        in a script
The second serial port is where QEMU 9.1 and later have it; -serial null -serial stdio puts the terminal there.
To look at it:
  hindsight events RUN --device rtc        accesses, told alike whoever answered
  hindsight events RUN --kind deviceMoved
  hindsight diff RUN OTHER --ignore timing hardware beside simulation: what the guest saw is the same
`;

/** The system for `hindsight system`. */
export const el3SimdevSystem: SystemScenario = {
  slug: "el3-simdev",
  explain: EXPLAIN,
  checks: [
    {
      name:
        "every load and store, at each level, gives what hardware gives: output, accesses, interrupts, a fold; every engine",
      run: checkRegisters,
    },
    { name: "the same bytes print the same on QEMU, where the devices are there", run: checkOnQemu },
    {
      name: "what cannot be done is the abort of a board without the device, at each level; every engine",
      run: checkRefused,
    },
    {
      name: "devices move between hardware and monitor at random instants, and the guest sees no difference",
      run: checkMoves,
    },
    {
      name:
        "Debian finds clock and second serial port through EL3: hwclock, alarm, console; the same while they move",
      needs: ["linux-cloud"],
      run: checkDebian,
    },
    {
      name: "Debian without the monitor dies of the external abort",
      needs: ["linux-cloud"],
      run: checkMissing,
    },
    { name: "Debian below Xen finds the clock through EL3", needs: ["linux-cloud", "xen"], run: checkXen },
  ],
};
