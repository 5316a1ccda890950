/** Memory faults as values, and their fault status codes (Arm ARM D8, ESR_ELx.DFSC and IFSC). */

/** What went wrong with an access. */
export type FaultKind =
  | "addressSize"
  | "translation"
  | "accessFlag"
  | "permission"
  | "external"
  | "externalOnWalk"
  | "alignment";

/** A fault of one access; nothing has been read or written by it. */
export interface Fault {
  /** Distinguishes a fault from a result. */
  readonly faulted: true;
  /** What went wrong. */
  readonly kind: FaultKind;
  /** Lookup level 0–3; 0 for kinds without one. */
  readonly level: number;
  /** Stage of translation that found it. */
  readonly stage: 1 | 2;
  /** A stage 2 fault on a stage 1 table walk (ESR_ELx.S1PTW). */
  readonly onWalk: boolean;
  /** Intermediate physical address for HPFAR_EL2, or −1 when the fault has none. */
  readonly ipa: number;
}

/** DFSC or IFSC of each kind; the level goes to bits 1–0 where `level` is true. */
// deno-fmt-ignore
const STATUS: Readonly<Record<FaultKind, { readonly code: number; readonly level: boolean }>> = {
  addressSize:    { code: 0b000000, level: true },
  translation:    { code: 0b000100, level: true },
  accessFlag:     { code: 0b001000, level: true },
  permission:     { code: 0b001100, level: true },
  external:       { code: 0b010000, level: false },
  externalOnWalk: { code: 0b010100, level: true },
  alignment:      { code: 0b100001, level: false },
};

/** The fault status code, six bits. */
export function statusOf({ kind, level }: Fault): number {
  const row = STATUS[kind];
  return row.level ? row.code | level : row.code;
}

/** True for synchronous external aborts, on a walk or not: SCR_EL3.EA routes them (Arm ARM IsExternalAbort). */
export function isExternalAbort({ kind }: Fault): boolean {
  return kind === "external" || kind === "externalOnWalk";
}

/** A fault of stage 1, or of no stage. */
export function stage1Fault(kind: FaultKind, level = 0): Fault {
  return { faulted: true, kind, level, stage: 1, onWalk: false, ipa: -1 };
}

/** A fault of stage 2 for an intermediate physical address; `onWalk` when stage 1 wanted it for a table. */
export function stage2Fault(kind: FaultKind, level: number, ipa: number, onWalk: boolean): Fault {
  return { faulted: true, kind, level, stage: 2, onWalk, ipa };
}
