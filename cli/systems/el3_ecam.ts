/** el3-ecam (US10534732B2): memory-mapped devices as functions of PCI, by a secure monitor's configuration space. */
import { checkAcpi } from "./el3_ecam/acpi.ts";
import { checkBoards, checkMissing, checkReal, checkTwins } from "./el3_ecam/linux.ts";
import { checkUBoot } from "./el3_ecam/u_boot.ts";
import { checkRandomCycles } from "./el3_ecam/random_cycles.ts";
import { checkFunction, checkOnQemu, checkRefused, checkUnreadable } from "./el3_ecam/small_guest.ts";
import { checkXen } from "./el3_ecam/xen.ts";
import type { SystemScenario } from "./scenario.ts";

const EXPLAIN =
  `The window of configuration space (ECAM, 1 MiB at 0x0d000000) has no backing. With SCR_EL3.EA = 1 the synchronous
External abort of an access from EL0, EL1 or EL2 is taken to EL3 (Arm ARM D1.13.4): EC 0x24, DFSC 0x10, ISV = 0. The monitor
reads the instruction at ELR_EL3 (AT S12E1R, S12E0R or S1E2R), takes it apart, translates FAR_EL3, and does the cycle on a
function of its own: offset = device[19:15] function[14:12] register[11:0]. The device behind is plain memory-mapped: an NVMe
controller (-device nvme-mmio) with a wire to SPI 112. Its BAR 0 tells the size of the registers and always their real place;
Enhanced Allocation (capability 0x14) has the system leave them there. The guest's device tree has a host bridge
pci-host-ecam-generic as PCI domain 1 with the wires as interrupt-map.

Absent functions read as ones. Pairs, vectors, atomics, exclusives, fetches, what writes its base register back, what is not
aligned, what EL3 cannot read the instruction of: is the abort at the level that it came from, as where nothing is.
A monitor at EL2 serves the same window by stage 2 aborts, whose syndrome has ISV = 1, with the same events.

  hindsight record -drive if=none,id=d,file=root.img,format=raw -device nvme-mmio,drive=d --monitor el3:el3-ecam -kernel Image …
  --monitor el2:el3-ecam                                     the twin
  --monitor el3:el3-ecam,absent=nvme-mmio.1                  a function that is not there yet
  monitor el3 el3-ecam add nvme-mmio.1    or    remove …     at the prompt or in a script; then echo 1 > /sys/bus/pci/rescan
To look at it:
  hindsight events RUN --kind configurationRead,configurationWritten
  hindsight diff RUN TWIN --only configurationRead,configurationWritten     differs in their instants alone
`;

/** The system for `hindsight system`. */
export const el3EcamSystem: SystemScenario = {
  slug: "el3-ecam",
  explain: EXPLAIN,
  checks: [
    {
      name:
        "every load and store, at each level, gives what the board's own PCI gives, cycle for cycle; EL2 and EL3; every engine",
      run: checkFunction,
    },
    { name: "the same bytes print the same on QEMU's NVMe controller, for what it shares", run: checkOnQemu },
    {
      name:
        "what is no plain access is the abort of a board with nothing there, at each level, on every engine",
      run: checkRefused,
    },
    { name: "code that cannot be read by AT takes its abort itself, at EL3", run: checkUnreadable },
    {
      name: "random cycles are as the specifications say: at EL3, at EL2, and on the board's own PCI",
      run: checkRandomCycles,
    },
    {
      name:
        "U-Boot below EL3 enumerates it, tells the same of it as on the board's own PCI, and reads a file",
      needs: ["u-boot", "root-disk"],
      run: checkUBoot,
    },
    {
      name:
        "Debian binds nvme, reads and writes ext4; another function comes and goes; EL2's events are EL3's",
      needs: ["linux-cloud", "pci-tools", "root-disk"],
      run: checkTwins,
    },
    {
      name:
        "Debian makes the same cycles, with the same values, as of the same function on the board's own PCI",
      needs: ["linux-cloud", "pci-tools", "root-disk"],
      isLong: true,
      run: checkReal,
    },
    {
      name: "Debian by ACPI: MCFG, PNP0A08, _PRT and PNP0C02 tell of it, and the disk is the same",
      needs: ["linux-cloud", "pci-tools", "root-disk"],
      isLong: true,
      run: checkAcpi,
    },
    {
      name: "Debian with four CPUs and a GICv3, and at EL2",
      needs: ["linux-cloud", "pci-tools", "root-disk"],
      isLong: true,
      run: checkBoards,
    },
    {
      name: "Debian below Xen reads the disk, by cycles that go to EL3",
      needs: ["linux-cloud", "pci-tools", "xen"],
      isLong: true,
      run: checkXen,
    },
    {
      name: "Debian without the shim has no disk",
      needs: ["linux-cloud", "pci-tools"],
      isLong: true,
      run: checkMissing,
    },
  ],
};
