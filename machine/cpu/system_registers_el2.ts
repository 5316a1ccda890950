/** System registers of EL2 and EL3 (Arm ARM D13.2); their timers and debug controls are with the others of those. */
import type { Feature } from "../a64/feature.ts";
import { HCR, highestLevel, SCR } from "./controls.ts";
import type { Cpu } from "./cpu.ts";
import { fineGrainedBits } from "./fine_grained_traps.ts";
import { updatePhysicalOffset } from "./physical_offset.ts";
import {
  constant,
  stackPointer,
  stored,
  type StoredOptions,
  type SystemRegister,
} from "./system_register_row.ts";
import { SCTLR_RESET, SCTLR_WRITABLE, VBAR_WRITABLE } from "./system_registers_el1.ts";

const HCR_RW = 1n << 31n;
/** HCR_EL2 of Armv8.0-A: bits 33–0. */
const HCR_WRITABLE = (1n << 34n) - 1n;

/** Bits of extensions. */
function extensionBits(cpu: Cpu, bits: readonly (readonly [Feature, number])[]): bigint {
  return bits.reduce((sum, [feature, bit]) => cpu.implements(feature) ? sum | 1n << BigInt(bit) : sum, 0n);
}

const HCR_EXTENSIONS = [["VHE", HCR.E2H], ["PAuth", HCR.APK], ["PAuth", HCR.API]] as const;
// deno-fmt-ignore
const SCR_EXTENSIONS = [["PAuth", SCR.APK], ["PAuth", SCR.API], ["FGT", SCR.FGTEn], ["ECV", SCR.ECVEn]] as const;

/** What HCR_EL2 keeps: RW is 1 since there is no AArch32, HCD is RES0 when EL3 exists. */
function hcrWritable(cpu: Cpu): bigint {
  return without(HCR_WRITABLE, HCR.HCD, cpu.features.el3) | extensionBits(cpu, HCR_EXTENSIONS);
}

/** What SCR_EL3 keeps: HCE exists with EL2. */
function scrWritable(cpu: Cpu): bigint {
  return without(SCR_WRITABLE, SCR.HCE, !cpu.features.el2) | extensionBits(cpu, SCR_EXTENSIONS);
}

/** SCR_EL3 of Armv8.0-A; bits 5–4 are RES1, RW is 1 since there is no AArch32. */
const SCR_ONES = 0x30n | 1n << BigInt(SCR.RW);
const SCR_WRITABLE = 0x3fbfn;

function without(bits: bigint, bit: number, isAbsent: boolean): bigint {
  return isAbsent ? bits & ~(1n << BigInt(bit)) : bits;
}

const TRANSLATES: StoredOptions = { translates: true };
/** Registers that show AArch32 state of EL1; kept as storage like in QEMU 7.2, though there is no AArch32. */
const AARCH32: StoredOptions = { needs: "higher" };

const FINE_GRAINED = ["HFGRTR_EL2", "HFGWTR_EL2", "HFGITR_EL2", "HDFGRTR_EL2", "HDFGWTR_EL2"] as const;

/** Registers of EL2. */
// deno-fmt-ignore
export const EL2_REGISTERS: readonly SystemRegister[] = [
  stored("SCTLR_EL2", "EL2_RW", { ...TRANSLATES, writable: SCTLR_WRITABLE }),
  constant("ACTLR_EL2", "EL2_RW", 0n),
  stored("HCR_EL2", "EL2_RW", { ...TRANSLATES, reset: (cpu) => (cpu.features.el2 ? HCR_RW : 0n), ones: HCR_RW, writable: hcrWritable, written: updatePhysicalOffset }),
  stored("CPTR_EL2", "EL2_RW", { traps: ["TCPAC_EL3"] }),
  stored("HSTR_EL2", "EL2_RW"),
  constant("HACR_EL2", "EL2_RW", 0n),
  stored("TTBR0_EL2", "EL2_RW", TRANSLATES),
  stored("TCR_EL2", "EL2_RW", TRANSLATES),
  stored("VTTBR_EL2", "EL2_RW", TRANSLATES),
  stored("VTCR_EL2", "EL2_RW", TRANSLATES),
  stored("SPSR_EL2", "EL2_RW"),
  stored("ELR_EL2", "EL2_RW"),
  constant("AFSR0_EL2", "EL2_RW", 0n),
  constant("AFSR1_EL2", "EL2_RW", 0n),
  stored("ESR_EL2", "EL2_RW"),
  stored("FAR_EL2", "EL2_RW"),
  stored("HPFAR_EL2", "EL2_RW"),
  stored("MAIR_EL2", "EL2_RW", TRANSLATES),
  constant("AMAIR_EL2", "EL2_RW", 0n),
  stored("VBAR_EL2", "EL2_RW", { writable: VBAR_WRITABLE }),
  constant("RVBAR_EL2", "EL2_RO", 0n, { isUndefined: (cpu) => highestLevel(cpu) !== 2 }),
  stored("TPIDR_EL2", "EL2_RW"),
  // Extensions.
  stored("TTBR1_EL2", "EL2_RW", { ...TRANSLATES, feature: "VHE" }),
  stored("CONTEXTIDR_EL2", "EL2_RW", { feature: "VHE" }),
  ...FINE_GRAINED.map((name) => stored(name, "EL2_RW", { feature: "FGT", traps: ["FGTEn"], writable: (cpu: Cpu) => fineGrainedBits(cpu, name) })),
  // AArch32 state of EL1.
  stored("DACR32_EL2", "EL2_RW", AARCH32),
  stored("IFSR32_EL2", "EL2_RW", AARCH32),
  stored("FPEXC32_EL2", "EL2_RW", { ...AARCH32, traps: ["TFP_EL2", "TFP_EL3"] }),
  stored("SPSR_irq", "EL2_RW"),
  stored("SPSR_abt", "EL2_RW"),
  stored("SPSR_und", "EL2_RW"),
  stored("SPSR_fiq", "EL2_RW"),
  stackPointer(1, "EL2_RW", { needs: "higher" }),
];

/** Registers of EL3. */
// deno-fmt-ignore
export const EL3_REGISTERS: readonly SystemRegister[] = [
  stored("SCTLR_EL3", "EL3_RW", { ...TRANSLATES, reset: SCTLR_RESET, writable: SCTLR_WRITABLE }),
  constant("ACTLR_EL3", "EL3_RW", 0n),
  stored("SCR_EL3", "EL3_RW", { ...TRANSLATES, reset: (cpu) => (cpu.features.el3 ? SCR_ONES : 0n), ones: SCR_ONES, writable: scrWritable, written: updatePhysicalOffset }),
  stored("SDER32_EL3", "EL3_RW"),
  stored("CPTR_EL3", "EL3_RW"),
  stored("TTBR0_EL3", "EL3_RW", TRANSLATES),
  stored("TCR_EL3", "EL3_RW", TRANSLATES),
  stored("SPSR_EL3", "EL3_RW"),
  stored("ELR_EL3", "EL3_RW"),
  stackPointer(2, "EL3_RW"),
  constant("AFSR0_EL3", "EL3_RW", 0n),
  constant("AFSR1_EL3", "EL3_RW", 0n),
  stored("ESR_EL3", "EL3_RW"),
  stored("FAR_EL3", "EL3_RW"),
  stored("MAIR_EL3", "EL3_RW", TRANSLATES),
  constant("AMAIR_EL3", "EL3_RW", 0n),
  stored("VBAR_EL3", "EL3_RW", { writable: VBAR_WRITABLE }),
  constant("RVBAR_EL3", "EL3_RO", 0n),
  stored("TPIDR_EL3", "EL3_RW"),
];
