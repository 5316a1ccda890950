/** Identification registers: of QEMU 7.2's models, with AArch64 alone at every level and what exists here (Arm ARM D13.2). */
import { CPU_MODELS, featureFields, type FeatureRegister, ID_FIELDS } from "../a64/feature.ts";
import type { Cpu } from "./cpu.ts";
import { hasBit, HCR, hypervisorBit } from "./controls.ts";
import { memoryModelFields, MODELS } from "./model.ts";
import { INDEX } from "./system_register_index.ts";
import { constant, stored, type SystemRegister } from "./system_register_row.ts";
import { controlRegister, isEl2Enabled } from "./translation_regime.ts";

const identification = ({ features }: Cpu): bigint => MODELS[features.model].midr;

/** MPIDR_EL1: bit 31 is RES1; affinity 0 is the number of the CPU up to 8 CPUs of a GICv2 (QEMU `virt`). */
export function multiprocessorAffinity(cpu: Cpu): bigint {
  return 0x8000_0000n | BigInt(cpu.index >> 3 << 8 | cpu.index & 7);
}

/** EL1 below an enabled EL2 sees what EL2 put there. */
function virtualised(index: number, physical: (cpu: Cpu) => bigint): (cpu: Cpu) => bigint {
  return (cpu) => cpu.el === 1 && isEl2Enabled(cpu) ? cpu.registers.system[index] as bigint : physical(cpu);
}

/** A field that says that the registers of a GICv3 are there. */
function withGic(shift: bigint, value: (cpu: Cpu) => bigint): (cpu: Cpu) => bigint {
  return (cpu) => value(cpu) | (cpu.surroundings.gic === undefined ? 0n : 1n << shift);
}

/** One field value for each of EL0 and EL1, EL2 where it exists, EL3 where it exists. */
function byLevel(base: bigint, el2: bigint, el3: bigint): (cpu: Cpu) => bigint {
  return ({ features }) => base | (features.el2 ? el2 : 0n) | (features.el3 ? el3 : 0n);
}

/** Geometry of the caches by CSSELR_EL1: 32 KiB L1 data, 48 KiB L1 instruction, 2 MiB L2; 64-byte lines. */
// deno-fmt-ignore
const CACHE_SIZES: Readonly<Record<string, bigint>> = {
  0: 0x701f_e00an, 1: 0x201f_e012n, 2: 0x70ff_e07an,
};

/** CTR_EL0: lines of 64 bytes. */
export const CACHE_TYPE = 0x8444_c004n;
/** DCZID_EL0 where DC ZVA is allowed: blocks of 64 bytes. */
export const ZEROING_TYPE = 4n;

/** DCZID_EL0: blocks of 64 bytes; DZP says that DC ZVA is not allowed here. */
function zeroingIdentification(cpu: Cpu): bigint {
  const isProhibited = (cpu.el === 0 && !hasBit(cpu, controlRegister(cpu), 14)) ||
    (cpu.el < 2 && hypervisorBit(cpu, HCR.TDZ));
  return ZEROING_TYPE | (isProhibited ? 16n : 0n);
}

/**
 * ID registers with a value, by name, without the fields of extensions; those of AArch32 are UNKNOWN without AArch32
 * and have QEMU's values of cortex-a57.
 */
// deno-fmt-ignore
const VALUES: Readonly<Record<string, bigint | ((cpu: Cpu) => bigint)>> = {
  ID_PFR0_EL1:      0x0000_0131n,
  ID_PFR1_EL1:      withGic(28n, byLevel(0x0001_0001n, 0x1000n, 0x0010n)),
  ID_DFR0_EL1:      byLevel(0x0301_0006n, 0n, 0x0060n),
  ID_MMFR0_EL1:     0x1010_1105n,
  ID_MMFR1_EL1:     0x4000_0000n,
  ID_MMFR2_EL1:     0x0126_0000n,
  ID_MMFR3_EL1:     0x0210_2211n,
  ID_ISAR0_EL1:     0x0210_1110n,
  ID_ISAR1_EL1:     0x1311_2111n,
  ID_ISAR2_EL1:     0x2123_2042n,
  ID_ISAR3_EL1:     0x0111_2131n,
  ID_ISAR4_EL1:     0x0001_1142n,
  ID_ISAR5_EL1:     0x0001_1121n,
  MVFR0_EL1:        0x1011_0222n,
  MVFR1_EL1:        0x1211_1111n,
  MVFR2_EL1:        0x0000_0043n,
  ID_AA64PFR0_EL1:  withGic(24n, byLevel(0x0011n, 0x0100n, 0x1000n)),
  ID_AA64DFR0_EL1:  0x1030_5000n,
  ID_AA64MMFR0_EL1: ({ features }) => 0x0000_1120n | memoryModelFields(features.model),
};

/** The value of an ID register, its fields of extensions included. */
function identifies(name: string): (cpu: Cpu) => bigint {
  const value = VALUES[name] ?? 0n;
  const base = typeof value === "bigint" ? () => value : value;
  if (!(name in ID_FIELDS)) return base;
  const fields = new Map(CPU_MODELS.map((model) => [model, featureFields(model, name as FeatureRegister)]));
  return (cpu) => base(cpu) | (fields.get(cpu.features.model) as bigint);
}

/** Registers of the ID space (op0 = 3, op1 = 0, CRn = 0, CRm 1–7) by CRm and op2; `-` has no name and reads zero. */
// deno-fmt-ignore
const SPACE: readonly (readonly string[])[] = [
  ["ID_PFR0_EL1", "ID_PFR1_EL1", "ID_DFR0_EL1", "ID_AFR0_EL1", "ID_MMFR0_EL1", "ID_MMFR1_EL1", "ID_MMFR2_EL1", "ID_MMFR3_EL1"],
  ["ID_ISAR0_EL1", "ID_ISAR1_EL1", "ID_ISAR2_EL1", "ID_ISAR3_EL1", "ID_ISAR4_EL1", "ID_ISAR5_EL1", "ID_MMFR4_EL1", "ID_ISAR6_EL1"],
  ["MVFR0_EL1", "MVFR1_EL1", "MVFR2_EL1", "-", "ID_PFR2_EL1", "-", "ID_MMFR5_EL1", "-"],
  ["ID_AA64PFR0_EL1", "ID_AA64PFR1_EL1", "-", "-", "ID_AA64ZFR0_EL1", "-", "-", "-"],
  ["ID_AA64DFR0_EL1", "ID_AA64DFR1_EL1", "-", "-", "ID_AA64AFR0_EL1", "ID_AA64AFR1_EL1", "-", "-"],
  ["ID_AA64ISAR0_EL1", "ID_AA64ISAR1_EL1", "ID_AA64ISAR2_EL1", "-", "-", "-", "-", "-"],
  ["ID_AA64MMFR0_EL1", "ID_AA64MMFR1_EL1", "ID_AA64MMFR2_EL1", "-", "-", "-", "-", "-"],
];

const featureRegisters = SPACE.flatMap((names, row) =>
  names.map((name, op2) => {
    const unnamed = `S3_0_C0_C${row + 1}_${op2}`;
    const options = { traps: ["TID3"], ...(name === "-" && { encoding: unnamed }) } as const;
    return constant(name === "-" ? unnamed : name, "EL1_RO", identifies(name), options);
  })
);

/** Identification registers, in the order of their encodings. */
// deno-fmt-ignore
export const ID_REGISTERS: readonly SystemRegister[] = [
  constant("MIDR_EL1", "EL1_RO", virtualised(INDEX.VPIDR_EL2, identification)),
  constant("MPIDR_EL1", "EL1_RO", virtualised(INDEX.VMPIDR_EL2, multiprocessorAffinity)),
  constant("REVIDR_EL1", "EL1_RO", 0n, { traps: ["TID1"] }),
  ...featureRegisters,
  constant("CCSIDR_EL1", "EL1_RO", (cpu) => CACHE_SIZES[`${cpu.registers.system[INDEX.CSSELR_EL1]}`] ?? 0n, { traps: ["TID2"] }),
  constant("CLIDR_EL1", "EL1_RO", ({ features }) => MODELS[features.model].clidr, { traps: ["TID2"] }),
  constant("AIDR_EL1", "EL1_RO", 0n, { traps: ["TID1"] }),
  stored("CSSELR_EL1", "EL1_RW", { writable: 0xfn, traps: ["TID2"] }),
  constant("CTR_EL0", "EL0_RO", CACHE_TYPE, { traps: ["UCT", "TID2"] }),
  constant("DCZID_EL0", "EL0_RO", zeroingIdentification),
  stored("VPIDR_EL2", "EL2_RW", { reset: identification, withoutEl2: identification }),
  stored("VMPIDR_EL2", "EL2_RW", { reset: multiprocessorAffinity, withoutEl2: multiprocessorAffinity }),
];
