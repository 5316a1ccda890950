/** Injection: the registers of the guest's level as if hardware had taken an exception there (Arm ARM D1.10). */
import { EXCEPTION_CLASS, type ExceptionClass, SYNDROME_IL } from "../machine/cpu/syndrome.ts";
import { PSTATE_BIT } from "../machine/cpu/pstate.ts";
import type { Exit } from "./exit.ts";
import { tableLevel } from "./guest_memory.ts";
import type { Vcpu } from "./vcpu.ts";

/** An exception for the guest. */
export interface InjectedException {
  /** Value for ESR_ELx, written for synchronous exceptions and SErrors. */
  readonly syndrome: number;
  /** Value for FAR_ELx; it keeps what it had when absent. */
  readonly faultAddress?: bigint;
  /** The guest's level that takes it; by HCR_EL2 when absent. */
  readonly target?: 1 | 2;
  /** Which vector of the group; synchronous when absent. */
  readonly kind?: "synchronous" | "serror";
}

/** Offsets of vectors: by kind, from the same level with SP_EL0, with SP_ELx, and from a lower level. */
const KIND_OFFSET = { synchronous: 0n, serror: 0x180n } as const;
const FROM_SP0 = 0n, FROM_SPX = 0x200n, FROM_LOWER = 0x400n;
/** PSTATE.D, A, I and F in a saved state. */
const MASKS = 0x3c0n;
/** NZCV and DIT stay; what extensions clear is cleared. */
const KEPT = 0xf000_0000n | 1n << BigInt(PSTATE_BIT.DIT);
const PAN = 1n << BigInt(PSTATE_BIT.PAN), SSBS = 1n << BigInt(PSTATE_BIT.SSBS);
const SCTLR_SPAN = 1n << 23n, SCTLR_DSSBS = 1n << 44n;

/** PSTATE in the handler of an exception from `state` to a level with this SCTLR_ELx. */
function handlerState(vcpu: Vcpu, state: bigint, target: 1 | 2, sctlr: bigint): bigint {
  const hasPan = vcpu.cpu.implements("PAN"), hasSsbs = vcpu.cpu.implements("SSBS");
  const setsPan = target === 1 && (sctlr & SCTLR_SPAN) === 0n;
  const pan = hasPan ? (setsPan ? PAN : state & PAN) : 0n;
  const ssbs = hasSsbs && (sctlr & SCTLR_DSSBS) !== 0n ? SSBS : 0n;
  const mode = BigInt(target << 2 | 1);
  return state & KEPT | pan | ssbs | MASKS | mode;
}

/** HCR_EL2.TGE: EL0's exceptions go to EL2; TEA: synchronous External aborts do. */
const HCR_TGE = 1n << 27n, HCR_TEA = 1n << 37n;

/** The level at which a guest takes an exception of its own: EL2 is the guest's where the monitor is at EL3. */
function targetOf(vcpu: Vcpu, isExternalAbort: boolean): 1 | 2 {
  if (vcpu.level === 2) return 2;
  if (vcpu.monitorLevel === 2 || !vcpu.cpu.features.el2) return 1;
  const hcr = vcpu.get("HCR_EL2");
  return (hcr & HCR_TGE) !== 0n || isExternalAbort && (hcr & HCR_TEA) !== 0n ? 2 : 1;
}

/** Makes the guest take an exception when the monitor returns: to EL2 from a guest's EL2, to EL1 from below. */
export function injectException(vcpu: Vcpu, exception: InjectedException): void {
  const { syndrome, faultAddress, kind = "synchronous" } = exception;
  const { cpu, savedState: state, returnAddress, level } = vcpu;
  const target = exception.target ?? targetOf(vcpu, false);
  const group = level < target ? FROM_LOWER : (state & 1n) === 1n ? FROM_SPX : FROM_SP0;
  const vector = BigInt.asUintN(64, vcpu.get(`VBAR_EL${target}`) & ~0x7ffn) + group + KIND_OFFSET[kind];
  vcpu.set(`ELR_EL${target}`, returnAddress);
  vcpu.set(`SPSR_EL${target}`, state);
  vcpu.set(`ESR_EL${target}`, BigInt(syndrome));
  if (faultAddress !== undefined) vcpu.set(`FAR_EL${target}`, faultAddress);
  vcpu.savedState = handlerState(vcpu, state, target, vcpu.get(`SCTLR_EL${target}`));
  vcpu.returnAddress = vector;
  cpu.surroundings.events.emit("exceptionInjected", cpu.index, {
    to: target,
    syndrome: BigInt(syndrome),
    faultAddress: faultAddress ?? 0n,
    returnAddress,
    vector,
  });
}

const SAME_OR_LOWER = 1;
/** DFSC and IFSC of a synchronous External abort that is not on a walk. */
const EXTERNAL_ABORT = 0x10;

/** The syndrome of an exception class (ESR_ELx) with IL set; `iss` has 25 bits. */
export function syndrome(name: ExceptionClass, iss = 0): number {
  return (EXCEPTION_CLASS[name] << 26 | SYNDROME_IL | iss) >>> 0;
}

/** UNDEFINED: what the guest would meet were there nothing that answers. */
export function injectUndefined(vcpu: Vcpu): void {
  injectException(vcpu, { syndrome: syndrome("unknown") });
}

/** A synchronous External abort of the access or fetch at an address, as where nothing answers; `iss` may say on a walk. */
export function injectExternalAbort(
  vcpu: Vcpu,
  access: "data" | "instruction",
  faultAddress: bigint,
  iss = 0,
): void {
  const lower = access === "data" ? EXCEPTION_CLASS.dataAbortLower : EXCEPTION_CLASS.instructionAbortLower;
  const target = targetOf(vcpu, true);
  const exceptionClass = vcpu.level < target ? lower : lower + SAME_OR_LOWER;
  const value = (exceptionClass << 26 | SYNDROME_IL | iss | EXTERNAL_ABORT) >>> 0;
  injectException(vcpu, { syndrome: value, faultAddress, target });
}

/** ISS of a data abort that is kept when an external abort is injected in its place: CM and WnR. */
const ISS_KEPT = 1 << 8 | 1 << 6;
/** ISS: the stage 2 fault was on a stage 1 walk. DFSC and IFSC: an External abort on a walk, with the level of its table. */
const S1PTW = 1 << 7, ON_WALK = 0x14;

/** An External abort in place of an abort of stage 2, where nothing is that could answer the access or the walk. */
export function injectNoAnswer(vcpu: Vcpu, { class: name, iss, faultAddress }: Exit): void {
  const isFetch = name === "instructionAbortLower";
  const status = (iss & S1PTW) === 0 ? 0 : ON_WALK | (tableLevel(vcpu.cpu, faultAddress, isFetch) ?? 0);
  if (isFetch) injectExternalAbort(vcpu, "instruction", faultAddress, status);
  else injectExternalAbort(vcpu, "data", faultAddress, iss & ISS_KEPT | status);
}
