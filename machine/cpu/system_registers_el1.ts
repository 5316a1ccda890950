/** System registers of EL0 and EL1 that control execution and translation (Arm ARM D13.2). */
import type { Feature } from "../a64/feature.ts";
import { highestLevel } from "./controls.ts";
import type { Cpu } from "./cpu.ts";
import { interruptStatus } from "./interrupts.ts";
import { PSTATE_BIT, setMasks, setPan } from "./pstate.ts";
import { selectStackPointer } from "./stack_pointer.ts";
import {
  type AccessName,
  computed,
  constant,
  stackPointer,
  stored,
  type SystemRegister,
} from "./system_register_row.ts";
import type { TrapName } from "./system_register_traps.ts";

/** SCTLR_ELx after reset, and the bits QEMU 7.2 keeps without the Memory Tagging Extension. */
export const SCTLR_RESET = 0x00c5_0838n;
/** Bits of SCTLR_ELx that can be written. */
export const SCTLR_WRITABLE = 0xffff_f01f_ffff_ffffn;
/** VBAR_ELx keeps bits 10–5, as in QEMU 7.2; vectors are at bits 63–11. */
export const VBAR_WRITABLE: bigint = 0xffff_ffff_ffff_ffe0n;
/** Writable bits of FPCR: AHP, DN, FZ, RMode, and Stride and Len, which do nothing in AArch64; FZ16 with FEAT_FP16. */
const FPCR_WRITABLE = 0x07f7_0000n, FPCR_FZ16 = 1n << 19n;
/** Writable bits of FPSR: the flags of AArch32, QC and the cumulative exceptions. */
const FPSR_WRITABLE = 0xf800_009fn;

/** HCR_EL2.TVM and TRVM. */
const VM = { traps: ["TVM", "TRVM"] } as const satisfies { traps: readonly TrapName[] };
const TRANSLATES = { ...VM, translates: true } as const;
const FLOATING_POINT = ["FPEN", "TFP_EL2", "TFP_EL3"] as const satisfies readonly TrapName[];

/** A field of PSTATE of one bit, at its place in SPSR_ELx. */
function pstateField(
  name: string,
  access: AccessName,
  feature: Feature,
  bit: number,
  get: (cpu: Cpu) => boolean,
  set: (cpu: Cpu, value: boolean) => void,
): SystemRegister {
  const mask = 1n << BigInt(bit);
  const write = (cpu: Cpu, value: bigint) => set(cpu, (value & mask) !== 0n);
  return computed(name, access, (cpu) => (get(cpu) ? mask : 0n), write, { feature });
}

/** A57's own registers, which QEMU's max has too, at encodings that are IMPLEMENTATION DEFINED; HCR_EL2.TIDCP traps them before anything else. */
// deno-fmt-ignore
const CORTEX_A57: readonly SystemRegister[] = [
  constant("L2CTLR_EL1",    "EL1_RW", (cpu) => BigInt(cpu.surroundings.cpus.length - 1) << 24n, { encoding: "S3_1_C11_C0_2" }),
  constant("L2ECTLR_EL1",   "EL1_RW", 0n, { encoding: "S3_1_C11_C0_3" }),
  constant("L2ACTLR_EL1",   "EL1_RW", 0n, { encoding: "S3_1_C15_C0_0" }),
  constant("CPUACTLR_EL1",  "EL1_RW", 0n, { encoding: "S3_1_C15_C2_0" }),
  constant("CPUECTLR_EL1",  "EL1_RW", 0n, { encoding: "S3_1_C15_C2_1" }),
  constant("CPUMERRSR_EL1", "EL1_RW", 0n, { encoding: "S3_1_C15_C2_2" }),
  constant("L2MERRSR_EL1",  "EL1_RW", 0n, { encoding: "S3_1_C15_C2_3" }),
  constant("CBAR_EL1",      "EL1_RO", 0x0800_0000n, { encoding: "S3_1_C15_C3_0" }),
];

/** Registers of EL0 and EL1, in the order of their encodings within each group. */
// deno-fmt-ignore
export const EL1_REGISTERS: readonly SystemRegister[] = [
  // Control.
  stored("SCTLR_EL1", "EL1_RW", { ...TRANSLATES, reset: SCTLR_RESET, writable: SCTLR_WRITABLE }),
  constant("ACTLR_EL1", "EL1_RW", 0n, { traps: ["TACR"] }),
  stored("CPACR_EL1", "EL1_RW", { traps: ["TCPAC_EL2", "TCPAC_EL3"] }),
  // Translation.
  stored("TTBR0_EL1", "EL1_RW", TRANSLATES),
  stored("TTBR1_EL1", "EL1_RW", TRANSLATES),
  stored("TCR_EL1", "EL1_RW", TRANSLATES),
  stored("MAIR_EL1", "EL1_RW", TRANSLATES),
  constant("AMAIR_EL1", "EL1_RW", 0n, VM),
  stored("CONTEXTIDR_EL1", "EL1_RW", VM),
  stored("PAR_EL1", "EL1_RW"),
  // Exceptions.
  stored("SPSR_EL1", "EL1_RW"),
  stored("ELR_EL1", "EL1_RW"),
  constant("AFSR0_EL1", "EL1_RW", 0n, VM),
  constant("AFSR1_EL1", "EL1_RW", 0n, VM),
  stored("ESR_EL1", "EL1_RW", VM),
  stored("FAR_EL1", "EL1_RW", VM),
  stored("VBAR_EL1", "EL1_RW", { writable: VBAR_WRITABLE }),
  constant("RVBAR_EL1", "EL1_RO", 0n, { isUndefined: (cpu) => highestLevel(cpu) !== 1 }),
  constant("ISR_EL1", "EL1_RO", interruptStatus),
  // Software's own.
  stored("TPIDR_EL1", "EL1_RW"),
  stored("TPIDR_EL0", "EL0_RW"),
  stored("TPIDRRO_EL0", "EL0_RO_EL1_RW"),
  // PSTATE and stack pointers.
  stackPointer(0, "EL1_RW", { isUndefined: (cpu) => cpu.spSel === 0 }),
  computed("SPSel", "EL1_RW", (cpu) => BigInt(cpu.spSel), (cpu, value) => selectStackPointer(cpu, cpu.el, (value & 1n) === 1n ? 1 : 0)),
  constant("CurrentEL", "EL1_RO", (cpu) => BigInt(cpu.el << 2)),
  computed("NZCV", "EL0_RW", (cpu) => BigInt(cpu.registers.nzcv) << 28n, (cpu, value) => (cpu.registers.nzcv = Number(value >> 28n & 15n))),
  computed("DAIF", "EL0_RW", (cpu) => BigInt(cpu.daif << 6), (cpu, value) => setMasks(cpu, Number(value >> 6n & 15n)), { traps: ["UMA"] }),
  pstateField("PAN", "EL1_RW", "PAN", PSTATE_BIT.PAN, (cpu) => cpu.pan, setPan),
  pstateField("UAO", "EL1_RW", "UAO", PSTATE_BIT.UAO, (cpu) => cpu.uao, (cpu, value) => (cpu.uao = value)),
  pstateField("DIT", "EL0_RW", "DIT", PSTATE_BIT.DIT, (cpu) => cpu.dit, (cpu, value) => (cpu.dit = value)),
  pstateField("SSBS", "EL0_RW", "SSBS2", PSTATE_BIT.SSBS, (cpu) => cpu.ssbs, (cpu, value) => (cpu.ssbs = value)),
  // Floating point.
  stored("FPCR", "EL0_RW", { writable: (cpu) => FPCR_WRITABLE | (cpu.implements("FP16") ? FPCR_FZ16 : 0n), traps: FLOATING_POINT }),
  stored("FPSR", "EL0_RW", { writable: FPSR_WRITABLE, traps: FLOATING_POINT }),
  ...CORTEX_A57,
];
