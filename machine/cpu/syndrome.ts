/** Exception classes and the syndromes that this folder builds (Arm ARM D13.2, ESR_ELx). */

/** ESR_ELx.EC by exception class. */
// deno-fmt-ignore
export const EXCEPTION_CLASS = {
  unknown:                    0x00,
  waitTrapped:                0x01,
  floatingPointTrapped:       0x07,
  pointerAuthenticationTrapped: 0x09,
  branchTarget:               0x0d,
  illegalState:               0x0e,
  supervisorCall:             0x15,
  hypervisorCall:             0x16,
  secureMonitorCall:          0x17,
  systemRegisterTrapped:      0x18,
  exceptionReturnTrapped:     0x1a,
  instructionAbortLower:      0x20,
  instructionAbortSame:       0x21,
  pcAlignment:                0x22,
  dataAbortLower:             0x24,
  dataAbortSame:              0x25,
  spAlignment:                0x26,
  floatingPointException:     0x2c,
  serror:                     0x2f,
  breakpointLower:            0x30,
  breakpointSame:             0x31,
  softwareStepLower:          0x32,
  softwareStepSame:           0x33,
  watchpointLower:            0x34,
  watchpointSame:             0x35,
  breakpointInstruction:      0x3c,
} as const;

/** Name of an exception class. */
export type ExceptionClass = keyof typeof EXCEPTION_CLASS;

/** ESR_ELx.IL: the instruction has 32 bits, or the class says 1. */
export const SYNDROME_IL = 0x0200_0000;

/** The value of ESR_ELx for a class and its ISS (25 bits), IL set. */
export function syndromeOf(name: ExceptionClass, iss = 0): number {
  return (EXCEPTION_CLASS[name] << 26 | SYNDROME_IL | iss) >>> 0;
}

/** CV = 1 and COND = 0b1110, as every A64 instruction reports them in WFx and FP traps. */
const ALWAYS = 1 << 24 | 0xe << 20;

/** Syndrome of a trapped WFI or WFE. */
export function waitSyndrome(event: boolean): number {
  return syndromeOf("waitTrapped", ALWAYS | (event ? 1 : 0));
}

/** Syndrome of a trapped use of floating point or vector registers. */
export const FLOATING_POINT_SYNDROME: number = syndromeOf("floatingPointTrapped", ALWAYS);

/** Syndrome of a trapped use of pointer authentication. */
export const POINTER_AUTHENTICATION_SYNDROME: number = syndromeOf("pointerAuthenticationTrapped");

/**
 * Syndrome of a trapped MSR, MRS or SYS instruction: `encoding` as `systemEncoding` has it, `Rt` 0–31,
 * direction 1 for a read.
 */
export function systemAccessSyndrome(encoding: number, Rt: number, isRead: boolean): number {
  const op0 = encoding >> 14 & 3, op1 = encoding >> 11 & 7, CRn = encoding >> 7 & 15;
  const CRm = encoding >> 3 & 15, op2 = encoding & 7;
  const iss = op0 << 20 | op2 << 17 | op1 << 14 | CRn << 10 | Rt << 5 | CRm << 1 | (isRead ? 1 : 0);
  return syndromeOf("systemRegisterTrapped", iss);
}
