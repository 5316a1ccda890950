/** ACPI's tables of a small machine: FADT and MADT as firmware with PSCI has them, and an empty DSDT. */
import {
  ARM_BOOT_ARCH,
  FADT,
  FADT_FLAGS,
  GICC_FLAGS,
  MADT,
  MADT_STRUCTURES,
} from "../../../firmware/acpi/layouts.ts";
import { type AcpiTable, acpiTable, type PlacedTables } from "../../../firmware/acpi/table.ts";
import type { Kind } from "./machines.ts";

/** Tables, and what is done to them. */
export interface SmallAcpi {
  /** All but RSDP and XSDT. */
  readonly tables: readonly AcpiTable[];
  /** Changes them after they got their addresses. */
  readonly edit?: (placed: PlacedTables) => PlacedTables;
  /** The memory map does not reserve the mailboxes. */
  readonly isUnreserved?: boolean;
}

/** A CPU of a MADT. */
export interface SmallCpu {
  /** The affinity of MPIDR_EL1. */
  readonly mpidr: number;
  /** CPU interface number; by default the MPIDR. */
  readonly id?: number;
  /** Not enabled. */
  readonly isDisabled?: boolean;
}

/** What is not as firmware has it. */
export interface SmallAcpiOptions {
  /** CPUs; by default all of the machine. */
  readonly cpus?: readonly SmallCpu[];
  /** ARM_BOOT_ARCH. */
  readonly armBootArch?: number;
  /** Version in the GICD. */
  readonly gicVersion?: number;
}

const GICD = 0x0800_0000, GICC = 0x0801_0000, GICR = 0x080a_0000, GICR_SIZE = 0xf6_0000;

function gicc({ mpidr, id = mpidr, isDisabled = false }: SmallCpu, gic: 2 | 3): Uint8Array {
  return MADT_STRUCTURES.gicc.encode({
    interface: id,
    uid: id,
    flags: isDisabled ? 0 : GICC_FLAGS.ENABLED,
    base: gic === 2 ? GICC : 0,
    mpidr,
  });
}

/** The tables of a machine. */
export function smallAcpi({ gic, level, cpus }: Kind, options: SmallAcpiOptions = {}): SmallAcpi {
  const hvc = level === 1 ? ARM_BOOT_ARCH.PSCI_USE_HVC : 0;
  const { armBootArch = ARM_BOOT_ARCH.PSCI_COMPLIANT | hvc, gicVersion = gic } = options;
  const described = options.cpus ?? Array.from({ length: cpus }, (_, mpidr) => ({ mpidr }));
  const madt = [
    MADT.encode({}),
    MADT_STRUCTURES.gicd.encode({ base: GICD, version: gicVersion }),
    ...described.map((cpu) => gicc(cpu, gic)),
    ...gic === 3 ? [MADT_STRUCTURES.gicr.encode({ base: GICR, range: GICR_SIZE })] : [],
  ];
  return {
    tables: [
      acpiTable("FACP", 6, [FADT.encode({ flags: FADT_FLAGS.HW_REDUCED, armBootArch, minorRevision: 3 })]),
      acpiTable("APIC", 5, madt),
      acpiTable("DSDT", 2, []),
    ],
  };
}
