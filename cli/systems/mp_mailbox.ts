/** mp-mailbox: its explanation and its acceptance. */
import { hungCores, refusedCores } from "./mp_mailbox/dead.ts";
import { debian } from "./mp_mailbox/linux.ts";
import { faultsSeenByLinux, refusedByLinux, unknownToLinux } from "./mp_mailbox/linux_negative.ts";
import { kindsOf } from "./mp_mailbox/machines.ts";
import { allOrders, plantedOrders } from "./mp_mailbox/order_checks.ts";
import { badAcpi, badTrees } from "./mp_mailbox/refusals.ts";
import { shimAtFault, shimmed } from "./mp_mailbox/shim.ts";
import { smallMachines } from "./mp_mailbox/small.ts";
import type { SystemScenario } from "./scenario.ts";

const EXPLAIN = `
Firmware starts CPUs by PSCI; the operating system shall find them waiting at mailboxes instead. A loader in A64 runs first:

1. It reads the tables: the device tree, and where /chosen tells of UEFI, ACPI by system table, RSDP and XSDT: FADT
   (ARM_BOOT_ARCH) and MADT (GICC).
2. For each other CPU it takes a page of 4 KiB, with all ones as number, and puts the pen into its upper half.
3. It calls PSCI CPU_ON, by HVC or SMC as the tables say, with the pen as entry, and waits until the CPU is there.
4. The pen enables the CPU's GIC interface and waits with WFI, PSTATE.I set. Woken, it looks at the number: its own, or
   the interrupt is acknowledged and the number looked at once more. Then it acknowledges the SGI, reads the address, clears
   it, and branches there with the MMU off. By spin-table it waits with WFE for an address.
5. The loader rewrites the tables: GICC ParkingProtocolVersion 1 and ParkedAddress, FADT without PSCI_COMPLIANT, sums; or
   enable-method, cpu-release-addr and a reservation in a copy of the tree. Then it enters the kernel.

What is wrong with tables is found before anything is done: no CPU is started, no table is touched, the kernel gets a copy
of the tree with nosmp on its command line, and a line says why. A CPU that does not come is left out.

The inverse is psci_shim.ts: entered at EL2 with CPUs at mailboxes, it stays there and answers PSCI by HVC, so that the
kernel at EL1 can turn CPUs off and on again; behind the loader it closes the circle.

The files are in firmware/mp_mailbox/. To look at it, in the journals that the checks leave in .systems/mp-mailbox:

  hindsight events acpi-gicv3-el1-3.hindsight --kind firmwareCalled,cpuStarted,cpuIdled,interruptRaised,cpuWoken
  hindsight query debian-acpi-gicv3-el1-4.hindsight 'kind == "firmwareCalled" && function == 0xc4000003'
`;

/** The system. */
export const scenario: SystemScenario = {
  slug: "mp-mailbox",
  explain: EXPLAIN,
  checks: [
    {
      name: "trees that are not understood: a line that says why, nothing started or touched, one CPU",
      run: (context) => badTrees(context, { by: "tree", gic: 2, level: 1, cpus: 3 }),
    },
    {
      name:
        "ACPI's tables that are not understood: a line that says why, nothing started or touched, one CPU",
      run: (context) => badAcpi(context, { by: "acpi", gic: 3, level: 1, cpus: 3 }),
    },
    {
      name: "3 CPUs by either table, GIC and level: handshakes, tables as TypeScript's, every engine, QEMU",
      run: (context) => smallMachines(context, kindsOf(3)),
    },
    {
      name:
        "2, 4 and 8 CPUs by either table, GIC and level: handshakes, tables as TypeScript's, every engine, QEMU",
      isLong: true,
      run: (context) => smallMachines(context, [2, 4, 8].flatMap(kindsOf)),
    },
    {
      name: "a CPU that PSCI does not know is left out, the others come, the same on QEMU",
      run: (context) =>
        refusedCores(context, kindsOf(3).filter(({ gic, level }) => context.all || gic + 1 === level + 2)),
    },
    {
      name: "a CPU that never comes to its pen is left out, the others come",
      run: (context) =>
        hungCores(context, [{ by: "tree", gic: 2, level: 1, cpus: 3 }, {
          by: "acpi",
          gic: 3,
          level: 2,
          cpus: 3,
        }]),
    },
    {
      name: "every order of 3 CPUs from pens that are not asleep: all come, none is stuck",
      run: (context) => allOrders(context, [{ by: "acpi", gic: 2, level: 1, cpus: 3 }], ["1 then 2"]),
    },
    {
      name: "every order of 3 CPUs, woken 1 then 2 and 2 then 1, by either table, GIC and level",
      isLong: true,
      run: (context) => allOrders(context, kindsOf(3), ["1 then 2", "2 then 1"]),
    },
    {
      name: "every order of 3 CPUs, written first, woken by one SGI, and interrupted for nothing",
      isLong: true,
      run: (context) =>
        allOrders(
          context,
          kindsOf(3).filter(({ by, level }) => by === "acpi" && level === 1),
          ["both written first", "one SGI for both", "2 woken for nothing"],
        ),
    },
    {
      name: "every order of 3 CPUs with a place for another at every instruction",
      isLong: true,
      run: (context) => allOrders(context, [{ by: "acpi", gic: 2, level: 1, cpus: 3 }], ["1 then 2"], true),
    },
    {
      name:
        "faults planted in the pen: lost wake-ups and wrong addresses are found, with the shortest schedule",
      run: (context) => plantedOrders(context, { by: "acpi", gic: 2, level: 1, cpus: 2 }),
    },
    {
      name: "Debian by ACPI's parking protocol and by spin-table: all CPUs, no CPU_ON after the loader",
      needs: ["linux-cloud"],
      run: (context) =>
        debian(context, [
          { by: "acpi", gic: 3, level: 1, cpus: 4 },
          { by: "tree", gic: 2, level: 2, cpus: 2 },
        ], false),
    },
    {
      name: "Debian with 2, 4 and 8 CPUs by either table, GIC and level, here and on QEMU",
      isLong: true,
      needs: ["linux-cloud"],
      run: (context) => debian(context, [2, 4, 8].flatMap(kindsOf), true),
    },
    {
      name: "Debian takes no CPU offline and loads no kernel by kexec",
      isLong: true,
      needs: ["linux-cloud", "linux-tools"],
      run: (context) =>
        refusedByLinux(context, [{ by: "tree", gic: 3, level: 2, cpus: 2 }, {
          by: "acpi",
          gic: 2,
          level: 1,
          cpus: 2,
        }]),
    },
    {
      name: "Debian sees a loader's faults: an address that stays, a number that is not all ones",
      isLong: true,
      needs: ["linux-cloud"],
      run: faultsSeenByLinux,
    },
    {
      name: "Debian with a tree that is not understood has one CPU",
      isLong: true,
      needs: ["linux-cloud"],
      run: unknownToLinux,
    },
    {
      name:
        "the round trip: PSCI to mailboxes and back by a shim at EL2, and the board's own mailboxes with PSCI",
      isLong: true,
      needs: ["linux-cloud"],
      run: (context) => shimmed(context, ["board", "loader"]),
    },
    {
      name: "a shim that releases nobody is seen by Debian",
      isLong: true,
      needs: ["linux-cloud"],
      run: shimAtFault,
    },
  ],
};
