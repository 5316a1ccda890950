/** dt2acpi: its explanation and its acceptance. */
import { boundOrListed, forcedToProperties } from "./dt2acpi/binding.ts";
import { type Kind, KINDS } from "./dt2acpi/boards.ts";
import { byFirmware, debian, debianOnQemu, debianWithLeftTables } from "./dt2acpi/boots.ts";
import {
  deterministic,
  fuzz,
  likeQemu,
  minimalChanges,
  nodeMap,
  refusals,
  roundTrip,
  validToIasl,
} from "./dt2acpi/conversions.ts";
import { decisions, decisionsOnQemu } from "./dt2acpi/loader_runs.ts";
import type { SystemScenario } from "./scenario.ts";

const EXPLAIN = `
A boot loader that finds no ACPI tables of firmware makes them of the device tree.

Table set 1, where ACPI has a form for it:
  /cpus           MADT GICC by MPIDR_EL1's affinities, ACPI0007, and PPTT for cpu-map
  GIC             MADT GICD, GICR; its ITS in MADT and IORT, a GICv2m frame as MSI frame; the PMU as a field of each GICC
  timer           GTDT: PPI n is GSI n + 16, SPI n is GSI n + 32; trigger flags are translated
  psci            FADT ARM_BOOT_ARCH: compliant, and HVC rather than SMC
  pcie            MCFG, PNP0A08 with windows, _PRT, links by GSI and _OSC, PNP0C02 for its configuration space
  stdout-path     SPCR; pl011 is ARMH0011
  devices         virtio-mmio LNRO0005, fw_cfg QEMU0002, pl061 ARMH0061, simple-bus ACPI0004
Table set 2, where it has none: Device with _HID PRP0001, whose _DSD (daffd814-6eba-4d8c-8a91-bc9bbf4aa301) has the
node's compatible and properties, children without compatible as data nodes, GPIOs as resources of _CRS.
Memory goes to the EFI memory map. A node is in a table, or in a list with the reason; a property that has no form is
reported. A tree that contradicts itself is refused by the path of the node.

The tables are made in TypeScript when the image is built, since they depend on the tree alone (firmware/acpi/convert.ts).
A64 code (firmware/acpi/boot.ts) runs on the guest before the kernel, at EL1 or EL2 with the MMU off: it looks for the
ACPI 2.0 row of the EFI configuration table and an RSDP with a right checksum there, which it leaves untouched; only
without one it compares the device tree in RAM with the one that was converted, and puts its RSDP into the table. The
kernel gets a device tree of /chosen alone (EFI hand-off), and its console by SPCR.

In the journals that the checks leave in .systems/dt2acpi:

  hindsight events debian-gicv3-2.hindsight --kind deviceWritten --limit 40     the loader's line, then the kernel
  hindsight diff debian-gicv3-2.hindsight debian-left.hindsight                 with tables that firmware left
  hindsight query binding.hindsight 'kind == "powerButtonPressed"'              the key that gpio-keys sees
  less node-map.tsv                                                             every node: places in tables, or the reason
  less qemu-differences.tsv                                                     QEMU's own tables, line by line
`;

/** Cheap ones that show most: messages by an ITS, and PSCI by SMC. */
const QUICK: readonly Kind[] = [{ gic: 3, cpus: 2 }];
/** CPUs 1, 2, 4 and 8 with both controllers. */
const SMP: readonly Kind[] = ([2, 3] as const).flatMap((gic) => [1, 2, 4, 8].map((cpus) => ({ gic, cpus })));

/** The system. */
export const dt2acpiSystem: SystemScenario = {
  slug: "dt2acpi",
  explain: EXPLAIN,
  checks: [
    {
      name:
        "iasl takes all tables apart without an error, and compiles each DSDT to the same AML without a warning",
      run: (context) => validToIasl(context, KINDS),
    },
    {
      name: "every node has a place in a table or a reason, and every place is there",
      run: (context) =>
        Promise.resolve(nodeMap(KINDS, (map) => Deno.writeTextFileSync(context.file("node-map.tsv"), map))),
    },
    { name: "the same tree gives the same tables", run: () => Promise.resolve(deterministic()) },
    {
      name: "every line that differs from QEMU's own tables of the same machine is explained",
      run: (context) => likeQemu(context, KINDS),
    },
    {
      name: "a change of the tree changes its lines of the tables, and no other",
      run: () => Promise.resolve(minimalChanges()),
    },
    {
      name: "a tree that contradicts itself is refused by the node's path",
      run: () => Promise.resolve(refusals()),
    },
    {
      name: "random trees give valid tables, or a refusal that names the node",
      run: (context) => context.all ? fuzz(context, 10_000, 200) : fuzz(context, 300, 100),
    },
    {
      name: "tables become a tree that becomes the same tables, byte for byte; QEMU's become a tree too",
      run: () => roundTrip(KINDS),
    },
    {
      name:
        "tables that firmware left stay; only without them the converted ones are installed; on every engine",
      run: (context) => decisions(context, context.all ? KINDS : KINDS.slice(1, 2)),
    },
    {
      name: "the same decisions on QEMU",
      run: (context) => decisionsOnQemu(context, context.all ? KINDS : KINDS.slice(0, 1)),
    },
    {
      name: "Debian boots by ACPI to a shell: CPUs, PCI Express, console by SPCR",
      needs: ["linux-cloud"],
      run: (context) => debian(context, QUICK, ["threaded"]),
    },
    {
      name:
        "Debian boots by ACPI with 1, 2, 4 and 8 CPUs, GICv2 and GICv3, at EL1 and EL2, and replays on every fast engine",
      isLong: true,
      needs: ["linux-cloud"],
      run: (context) =>
        debian(context, [
          ...SMP,
          ...KINDS.filter(({ virtualization, its }) => virtualization || its === false),
        ], [
          "threaded",
          "compiled",
        ]),
    },
    {
      name: "the same RAM boots on QEMU",
      isLong: true,
      needs: ["linux-cloud"],
      run: (context) => debianOnQemu(context, KINDS),
    },
    {
      name: "Debian with tables that firmware left has those",
      isLong: true,
      needs: ["linux-cloud"],
      run: (context) => debianWithLeftTables(context, QUICK[0] as Kind),
    },
    {
      name: "unmodified AAVMF takes the tables from fw_cfg, and Debian boots by its stub",
      isLong: true,
      needs: ["edk2", "linux-cloud"],
      run: (context) => byFirmware(context, QUICK[0] as Kind),
    },
    {
      name: "on Debian's generic kernel every node is bound or listed, and the power key is one of gpio-keys",
      needs: ["linux", "linux-board"],
      run: (context) => boundOrListed(context, QUICK[0] as Kind, context.all ? ["threaded", "compiled"] : []),
    },
    {
      name: "virtio-mmio as PRP0001 is bound too",
      isLong: true,
      needs: ["linux-cloud"],
      run: (context) => forcedToProperties(context, { gic: 2, cpus: 1 }, ["threaded", "compiled"]),
    },
  ],
};
