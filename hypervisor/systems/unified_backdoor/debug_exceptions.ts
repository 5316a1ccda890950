/**
 * The debug exceptions that MDCR_EL2.TDE brings to EL2, given back to the guest as they would have come without it.
 *
 * With TDE the target of EL1's is EL2, where they are enabled whatever MDSCR_EL1.KDE and PSTATE.D say, and an exception
 * return at EL1 leaves PSTATE.SS 0 (Arm ARM D2.4, D2.12, AArch64.GenerateDebugExceptionsFrom, DebugExceptionReturnSS).
 * What EL1 would not have met is gone over: a software step by stepping on, a breakpoint or watchpoint by one step with
 * MDSCR_EL1.MDE clear; and an ERET of EL1 gives PSTATE.SS as SPSR_EL1 said.
 */
import { SPSR_SS } from "../../../machine/cpu/pstate.ts";
import { EXCEPTION_CLASS, type ExceptionClass, SYNDROME_IL } from "../../../machine/cpu/syndrome.ts";
import { flag, oneOf, type ValueOf } from "../../../machine/layout.ts";
import type { Exit } from "../../exit.ts";
import { readGuest } from "../../guest_memory.ts";
import type { Vcpu } from "../../vcpu.ts";

/** Bits of SPSR_ELx and MDSCR_EL1. */
const SPSR_D = 1n << 9n, SS = 1n, KDE = 1n << 13n, MDE = 1n << 15n;
const SAME_OR_LOWER = 1;
/** ISS of a software step without ISV and EX. */
const STEP_STATUS = 0x3f;
/** Vectors are 128 bytes apart, 16 of them, from the same level and from below. */
const VECTORS_SIZE = 0x800n, VECTOR_SIZE = 0x80n;
/** ERET, ERETAA and ERETAB: opc 0100, op4 of no key or one. */
const ERET = 0xd69f_03e0, ERETAA = 0xd69f_0bff, ERETAB = 0xd69f_0fff;

const STEPS = ["none", "stepped", "returned", "returnedToStep"] as const;

/** Section fields of a CPU. */
export const DEBUG_FIELDS = {
  /** What was stepped at EL1 for the monitor last: an instruction, or an ERET, by SPSR_EL1.SS. */
  last: oneOf(...STEPS),
  /** MDSCR_EL1.MDE and SS are not the guest's for the present step. */
  isGoingOver: flag,
  /** The guest's SS meanwhile. */
  wasStepping: flag,
} as const;

/** State of a CPU. */
export type DebugState = ValueOf<typeof DEBUG_FIELDS>;

/** A CPU with nothing going on. */
export function freshDebugState(): DebugState {
  return { last: "none", isGoingOver: false, wasStepping: false };
}

/** Without TDE the guest would take debug exceptions other than BRK where it is. */
function isEnabled(vcpu: Vcpu): boolean {
  if (vcpu.level === 0) return true;
  return (vcpu.get("MDSCR_EL1") & KDE) !== 0n && (vcpu.savedState & SPSR_D) === 0n;
}

/** Makes the guest take the exception that came to EL2. */
export function reflect(vcpu: Vcpu, { class: name, iss, faultAddress }: Exit): void {
  const isBreak = name === "breakpointInstruction";
  const number = EXCEPTION_CLASS[name] + (isBreak || vcpu.level === 0 ? 0 : SAME_OR_LOWER);
  const syndrome = (number << 26 | SYNDROME_IL | iss) >>> 0;
  vcpu.inject(isBreak || name === "softwareStepLower" ? { syndrome } : { syndrome, faultAddress });
}

function setStep(vcpu: Vcpu, isSet: boolean): void {
  vcpu.savedState = vcpu.savedState & ~SPSR_SS | (isSet ? SPSR_SS : 0n);
}

function isVector(vcpu: Vcpu): boolean {
  const offset = vcpu.returnAddress - (vcpu.get("VBAR_EL1") & ~0x7ffn);
  return offset >= 0n && offset < VECTORS_SIZE && offset % VECTOR_SIZE === 0n;
}

/** The guest is about to return from an exception. */
function isReturn(vcpu: Vcpu): boolean {
  const bytes = readGuest(vcpu.cpu, "s12e1", vcpu.returnAddress, 4);
  if (!(bytes instanceof Uint8Array)) return false;
  const word = new DataView(bytes.buffer).getUint32(0, true);
  return word === ERET || word === ERETAA || word === ERETAB;
}

/** Lets EL1 do one instruction, after which a software step comes to EL2. */
function stepOn(vcpu: Vcpu, state: DebugState): void {
  const willStep = (vcpu.get("SPSR_EL1") & SPSR_SS) !== 0n;
  state.last = isReturn(vcpu) ? (willStep ? "returnedToStep" : "returned") : "stepped";
  setStep(vcpu, true);
}

/** A step of the monitor's ended at a vector: SPSR_EL1 has the monitor's SS, not the guest's. */
function mendTaken(vcpu: Vcpu, { last }: DebugState): void {
  if (last === "none" || vcpu.level === 0 || !isVector(vcpu)) return;
  vcpu.change("SPSR_EL1", last === "returnedToStep" ? SPSR_SS : 0n, SPSR_SS);
}

function stepped(vcpu: Vcpu, exit: Exit, state: DebugState): void {
  mendTaken(vcpu, state);
  if (state.isGoingOver) {
    state.isGoingOver = false;
    vcpu.change("MDSCR_EL1", MDE | (state.wasStepping ? SS : 0n), SS);
    if (!state.wasStepping) {
      state.last = "none";
      return setStep(vcpu, false);
    }
  }
  if (!isEnabled(vcpu)) return stepOn(vcpu, state);
  // What ended here was the monitor's step, of which the guest knows nothing.
  const { last } = state;
  state.last = "none";
  if (last === "returnedToStep") setStep(vcpu, true);
  else reflect(vcpu, last === "none" ? exit : { ...exit, iss: exit.iss & STEP_STATUS });
}

/** A breakpoint or watchpoint. */
function matched(vcpu: Vcpu, exit: Exit, state: DebugState): void {
  if (isEnabled(vcpu)) return reflect(vcpu, exit);
  state.isGoingOver = true;
  state.wasStepping = (vcpu.get("MDSCR_EL1") & SS) !== 0n;
  vcpu.change("MDSCR_EL1", SS, MDE);
  stepOn(vcpu, state);
}

/** What to do by class, but for BRK. */
export const DEBUG_EXITS: Readonly<
  Partial<Record<ExceptionClass, (vcpu: Vcpu, exit: Exit, state: DebugState) => void>>
> = {
  breakpointLower: matched,
  watchpointLower: matched,
  softwareStepLower: stepped,
};
