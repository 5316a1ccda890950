/** From a memory fault to an exception: routing, syndrome, FAR and HPFAR (Arm ARM D1.13, AArch64.Abort). */
import { type Fault, isExternalAbort, statusOf } from "../memory/fault.ts";
import { HCR, hypervisorBit, monitorBit, SCR } from "./controls.ts";
import type { Cpu } from "./cpu.ts";
import type { ExceptionLevel } from "./exception.ts";
import { type ExceptionClass, syndromeOf } from "./syndrome.ts";

/** Bits of a data or instruction abort's ISS. */
const ISS_ISV = 1 << 24, ISS_CM = 1 << 8, ISS_S1PTW = 1 << 7, ISS_WNR = 1 << 6;

/** What the aborted data access was. */
export interface AbortedAccess {
  /** Virtual address as the instruction gave it, or the first byte of a second page. */
  readonly address: bigint;
  /** A write, for ESR_ELx.WnR. */
  readonly write: boolean;
  /** A cache maintenance or address translation instruction: CM and WnR are 1. */
  readonly maintenance?: boolean;
  /** The instruction word, for the syndrome of stage 2 aborts; −1 when it is not a load or store. */
  readonly opcode?: number;
}

/** The level an abort is taken to (Arm ARM AArch64.DataAbort, AArch64.InstructionAbort). */
function abortTarget(cpu: Cpu, fault: Fault): 1 | 2 | 3 {
  if (cpu.el === 3 || (isExternalAbort(fault) && monitorBit(cpu, SCR.EA))) return 3;
  return cpu.el === 2 || fault.stage === 2 || hypervisorBit(cpu, HCR.TGE) ? 2 : 1;
}

function classOf(name: "dataAbort" | "instructionAbort", from: ExceptionLevel, to: number): ExceptionClass {
  return from === to ? `${name}Same` : `${name}Lower`;
}

/**
 * ISV, SAS, SSE, SRT, SF and AR of a load or store of one general register without writeback, else 0 (Arm ARM
 * ESR_ELx, ISS encoding for Data Aborts). Reads encoding groups, not rows: the fields are the same in all of them.
 */
export function loadStoreSyndrome(word: number): number {
  const size = word >>> 30, opc = (word >>> 22) & 3, Rt = word & 31;
  const iss = (bytesLog2: number, signed: boolean, wide: boolean, ordered: boolean) =>
    ISS_ISV | (bytesLog2 << 22) | (signed ? 1 << 21 : 0) | (Rt << 16) | (wide ? 1 << 15 : 0) |
    (ordered ? 1 << 14 : 0);
  // LDAR, STLR: o2 = 1, o1 = 0, o0 = 1.
  if ((word & 0x3fa0_8000) === 0x0880_8000) return iss(size, false, size === 3, true);
  // LDAPR.
  if ((word & 0x3fff_fc00) === 0x38bf_c000) return iss(size, false, size === 3, true);
  // LDAPUR, STLUR.
  if ((word & 0x3f20_0c00) === 0x1900_0000) {
    return iss(size, opc >= 2, opc < 2 ? size === 3 : opc === 2, true);
  }
  // LDRAA, LDRAB without writeback.
  if ((word & 0xff20_0c00) >>> 0 === 0xf820_0400) return iss(3, false, true, false);
  // LDR (literal), LDRSW (literal).
  if ((word & 0x3f00_0000) === 0x1800_0000) {
    return size === 3 ? 0 : iss(size === 1 ? 3 : 2, size === 2, size > 0, false);
  }
  const unsignedOffset = (word & 0x3f00_0000) === 0x3900_0000;
  const unscaledOrUnprivileged = (word & 0x3f20_0400) === 0x3800_0000;
  const registerOffset = (word & 0x3f20_0c00) === 0x3820_0800;
  if (!unsignedOffset && !unscaledOrUnprivileged && !registerOffset) return 0;
  return iss(size, opc >= 2, opc < 2 ? size === 3 : opc === 2, false);
}

/** EA is 0: nothing answers is a decode error, as QEMU reports it (Arm ARM: IMPLEMENTATION DEFINED). */
function commonIss(fault: Fault): number {
  return statusOf(fault) | (fault.onWalk ? ISS_S1PTW : 0);
}

/** Alignment and external aborts of the access itself are not faults of translation. */
function emitFault(cpu: Cpu, fault: Fault, address: bigint, write: boolean): void {
  if (fault.kind === "alignment" || fault.kind === "external") return;
  const { level, stage } = fault;
  const status = statusOf(fault);
  cpu.surroundings.events.emit("translationFaulted", cpu.index, { address, status, level, stage, write });
}

function raiseAbort(cpu: Cpu, fault: Fault, address: bigint, target: 1 | 2 | 3, syndrome: number): void {
  cpu.raise({
    kind: "synchronous",
    target,
    syndrome,
    returnAddress: cpu.pc,
    faultAddress: address,
    // QEMU writes HPFAR_EL2 for every stage 2 fault; the Arm ARM leaves it UNKNOWN for permission faults.
    ...(fault.ipa >= 0 && target === 2 ? { faultIpa: fault.ipa } : {}),
  });
}

/** Makes a data abort pending. */
export function raiseDataAbort(cpu: Cpu, fault: Fault, access: AbortedAccess): void {
  const { address, maintenance = false, opcode = -1 } = access;
  const write = access.write || maintenance;
  const to = abortTarget(cpu, fault);
  const described = fault.stage === 2 && !fault.onWalk && !maintenance && opcode >= 0;
  const iss = commonIss(fault) | (maintenance ? ISS_CM : 0) | (write ? ISS_WNR : 0) |
    (described ? loadStoreSyndrome(opcode) : 0);
  emitFault(cpu, fault, address, write);
  raiseAbort(cpu, fault, address, to, syndromeOf(classOf("dataAbort", cpu.el, to), iss));
}

/** Makes an instruction abort pending for the instruction at the PC. */
export function raiseInstructionAbort(cpu: Cpu, fault: Fault): void {
  const to = abortTarget(cpu, fault);
  emitFault(cpu, fault, cpu.pc, false);
  const syndrome = syndromeOf(classOf("instructionAbort", cpu.el, to), commonIss(fault));
  raiseAbort(cpu, fault, cpu.pc, to, syndrome);
}

/** Makes a PC alignment fault pending (Arm ARM AArch64.PCAlignmentFault). */
export function raisePcAlignment(cpu: Cpu): void {
  const target = cpu.el > 1 ? cpu.el as 2 | 3 : hypervisorBit(cpu, HCR.TGE) ? 2 : 1;
  cpu.raise({
    kind: "synchronous",
    target,
    syndrome: syndromeOf("pcAlignment"),
    returnAddress: cpu.pc,
    faultAddress: cpu.pc,
  });
}
