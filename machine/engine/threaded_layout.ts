/** What the threaded engine's code and its driver share: places in the machine's memory, locals, labels, reasons to come back. */
import { type Access, ACCESSES } from "../ir/operation.ts";
import type { Label } from "../wasm/code_writer.ts";

/** Byte offsets in the block through which handlers and driver talk. */
export const SHARED = {
  /** Contexts of the present level by bit 55 of an address, 8 bytes each; all ones while unknown. */
  contexts: 0,
  /** Value of a slow access, 16 bytes. */
  value: 16,
  /** Target of a branch that left the known pages, 8 bytes. */
  target: 32,
  /** Record at which code came back, 4 bytes. */
  record: 40,
  /** Steps that were left then, 4 bytes. */
  left: 44,
  /** Steps taken out of `left` to make code come back after the present instruction, 4 bytes. */
  rest: 48,
  /** 1 when SIMD and floating-point instructions are known not to trap, 4 bytes. */
  floatEnabled: 52,
  /** BTYPE set by a branch to a register, 4 bytes (FEAT_BTI). */
  branchType: 56,
  /** Steps that were left when it was set, 4 bytes: it holds for the next instruction alone. */
  branchLeft: 60,
  /** 1 above EL0 with SP_ELx as stack pointer, 4 bytes. */
  privileged: 64,
  /** 1 when DC ZVA is known not to trap, 4 bytes. */
  zeroEnabled: 68,
  /** 1 while exclusives are nobody else's concern: no other CPU's monitor is open, and no one listens, 4 bytes. */
  exclusivesAlone: 72,
  /** 1 while system instructions have no more than their plain effect (quiet.ts), 4 bytes. */
  quiet: 76,
  /** The same at EL1, where the registers that exceptions use are plain too, 4 bytes. */
  kernel: 84,
  /** Offset of the present front table, 4 bytes. */
  front: 80,
  /** Offset of what is beside the first record of the page that has become hot, 4 bytes. */
  hot: 88,
  /** Offset of the front table of unprivileged accesses, 4 bytes. */
  unprivilegedFront: 92,
  /** Contexts of unprivileged accesses, as `contexts` are those of the others. */
  unprivilegedContexts: 96,
  /** Offset of what is beside the first record of the page in which code is entered, or a region stopped, 4 bytes. */
  page: 112,
  /** Calls that regions may still make within each other, 4 bytes. */
  calls: 116,
  /** `PointerRules.keys`, or 0 while they are not known, 4 bytes. */
  pointerKeys: 120,
  /** 1 when no fine-grained trap is set, 4 bytes (FEAT_FGT). */
  untrapped: 124,
  /** `PointerRules.extensions`, 32 bytes. */
  pointerExtensions: 128,
  /** 1 while no interrupt waits to be unmasked, 4 bytes. */
  settled: 160,
  /** 1 when reads of CNTPCT_EL0 are known not to trap, 4 bytes. */
  physicalCount: 164,
  /** The same of CNTVCT_EL0. */
  virtualCount: 168,
  /** 1 when maintenance of caches by set and way is known not to trap, 4 bytes. */
  setWay: 172,
  /** What CNTPCT_EL0 is less than the system counter, 8 bytes. */
  physicalOffset: 176,
  /** The same of CNTVCT_EL0. */
  virtualOffset: 184,
  /** Nanoseconds of virtual time at the last step that is left, 8 bytes. */
  lastTime: 192,
  /** CurrentEL, which is 0 at EL0, 4 bytes. */
  currentLevel: 200,
} as const;

/** Bytes of the block. */
export const SHARED_SIZE = 208;

/** Why generated code comes back to the driver. */
export const REASON = {
  /** No steps are left; the record is the next. */
  limit: 0,
  /** The record has not been decoded. */
  undecoded: 1,
  /** The record's handler is not generated yet. */
  awaited: 2,
  /** The next instruction is at `target`, in a page that the code table does not have. */
  branched: 3,
  /** The record's instruction left an exception pending. */
  faulted: 4,
  /** The driver's `evaluate` executed a step and wants control. */
  evaluated: 5,
  /** The page at `hot` has become hot; the record is the next. */
  hot: 6,
} as const;

/** What a slow access does: the operation, its size in bytes and its kind, in one number. */
export const SLOW = { load: 0, store: 1, loadExclusive: 2, storeExclusive: 3 } as const;

/** Answers of a slow access. */
export const ANSWER = { done: 0, faulted: 1, stop: 2 } as const;

/** An access in one number. */
export function slowDescriptor(kind: number, size: number, access: string): number {
  return kind | ACCESSES.indexOf(access as Access) << 2 | size << 8;
}

/** What the number says. */
export function readDescriptor(
  descriptor: number,
): { kind: number; size: number; access: Access } {
  const access = ACCESSES[descriptor >> 2 & 63] as Access;
  return { kind: descriptor & 3, size: descriptor >> 8, access };
}

const NORMAL = ACCESSES.indexOf("normal"), ORDERED = ACCESSES.indexOf("ordered");
const UNPRIVILEGED = ACCESSES.indexOf("unprivileged");

/** The number is that of an LDTR or STTR. */
export function isUnprivileged(descriptor: number): boolean {
  return (descriptor >> 2 & 63) === UNPRIVILEGED;
}

/** What an access does to bytes in memory if it is aligned and they are all that it concerns; undefined for others. */
export function plainAccess(descriptor: number): "read" | "write" | undefined {
  const access = descriptor >> 2 & 63, kind = descriptor & 3;
  if (access !== NORMAL && access !== ORDERED && access !== UNPRIVILEGED) return undefined;
  return kind === SLOW.load ? "read" : kind === SLOW.store ? "write" : undefined;
}

/** Locals of the generated function; the first four are its parameters. */
export const LOCAL = { record: 0, left: 1, state: 2, tlb: 3, target: 4 } as const;

/** What the code of a machine's handlers depends on. */
export interface CodeLayout {
  /** Offset of the block described in threaded_layout.ts. */
  readonly shared: number;
  /** Offset of the pages' marks. */
  readonly pageFlags: number;
  /** The only CPU's state and translations, or undefined where the CPU is known at run time alone. */
  readonly cpu: { readonly state: number; readonly tlb: number } | undefined;
  /** Some strict model is on: barriers have something to wait for, and registers that were written may not be in force. */
  readonly isStrict: boolean;
  /** Where records and what is beside them are, for an engine that compiles regions. */
  readonly regions: { readonly arena: number; readonly sides: number } | undefined;
  /** Branches to registers set BTYPE (FEAT_BTI). */
  readonly hasBranchTypes: boolean;
  /** Reads of registers that nothing else traps may be trapped (FEAT_FGT). */
  readonly hasFineGrainedTraps: boolean;
  /** Virtual time of a step, in nanoseconds. */
  readonly nanosecondsPerStep: number;
}

/** Accesses have the privilege of the present level, or are LDTR or STTR. */
export type Privilege = "normal" | "unprivileged";

/** Indices of the functions that handlers call. */
export interface HandlerFunctions {
  /** The driver's slow access. */
  readonly access: number;
  /** Offset in memory of a misaligned access, or 0 where it is not plain: address, size, TLB. */
  readonly unaligned: Readonly<Record<Privilege, { readonly read: number; readonly write: number }>>;
}

/** Where handlers go. */
export interface HandlerLabels {
  /** On to the record in its local. */
  readonly next: Label;
  /** To the address in the local `target`. */
  readonly branch: Label;
  /** Back to the driver, with an exception pending. */
  readonly fault: Label;
  /** The driver evaluates the present instruction instead; nothing has changed yet. */
  readonly evaluate: Label;
}
