/** What an IR operation is: the node, the context it is evaluated in, and the constructors of table rows. */
import type { Emitter } from "./emit.ts";
import type { HelperName } from "./helpers.ts";
import type { OperationName } from "./operations.ts";

/** Widths of values in bits; 0 marks an operation without a result, 4 is NZCV. */
export type Width = 0 | 1 | 4 | 8 | 16 | 32 | 64 | 128;

/**
 * How a memory access differs from a plain one: LDTR/STTR, ordering, what alignment it needs, or that it is of several
 * lanes of so many bits, whose alignment and byte order are their own. An atomic load is of a word that is then stored:
 * it faults, before anything is read, where that store would.
 */
export type Access = typeof ACCESSES[number];

/** Every kind of access. */
export const ACCESSES = [
  "normal",
  "unprivileged",
  "ordered",
  "exclusive",
  "atomic",
  "lanes8",
  "lanes16",
  "lanes32",
] as const;

/** One operation of a lowered instruction: plain data, so that it prints, compares and goes to golden files. */
export interface IrNode {
  /** Name in OPERATIONS. */
  readonly op: OperationName;
  /** Width of the result in bits. */
  readonly width: Width;
  /** Indices of earlier nodes. */
  readonly args: readonly number[];
  /** Known at decode: slots, shift amounts, constants, names. */
  readonly immediates: readonly (number | bigint | string)[];
}

/** What an engine gives to operations that touch state. Addresses and values are unsigned bigints. */
export interface ExecutionContext {
  /** X, SP, PC and flags by slot (machine/cpu/registers.ts). */
  readonly slots: BigUint64Array;
  /** Halves of V registers. */
  readonly v: BigUint64Array;
  /** Address of the next instruction; a branch replaces it. */
  nextPc: bigint;
  /** Reads `size` bytes; on a fault the context's pending exception is set and 0 returned. */
  load(address: bigint, size: number, access: Access): bigint;
  /** Writes `size` bytes, or sets the pending exception. */
  store(address: bigint, size: number, value: bigint, access: Access): void;
  /** Reads and opens the exclusive monitor. `pair` is the size of one element, so the alignment is 2 × pair or size. */
  loadExclusive(address: bigint, size: number, access: Access): bigint;
  /** Writes if the exclusive monitor allows; 0n when written, 1n when not. */
  storeExclusive(address: bigint, size: number, value: bigint, access: Access): bigint;
  /** FPCR as it is in force. */
  readonly fpcr: number;
  /** Sets bits of FPSR: cumulative floating-point exceptions and QC. */
  accumulateFpsr(bits: number): void;
  /** PSTATE.BTYPE of the next instruction, by whether this one is in a guarded page; of no effect without FEAT_BTI. */
  setBranchType(whenGuarded: number, otherwise: number): void;
  /** Calls a helper. */
  helper(name: HelperName, immediates: readonly (number | bigint | string)[], a: bigint, b: bigint): bigint;
}

/** Meaning of an operation. Missing arguments are 0n. Results are unsigned and within the width. */
export type Evaluate = (node: IrNode, a: bigint, b: bigint, c: bigint, context: ExecutionContext) => bigint;

/** Writes WebAssembly that leaves an operation's result on the stack, in the form described in emit.ts. */
export type Emit = (node: IrNode, e: Emitter) => void;

/** The WebAssembly form of an operation; nodes that it is not for are evaluated. */
export interface EmitForm {
  /** Writes the code. It changes no state: where the operation would, the code leaves by `bail`. */
  readonly emit?: Emit;
  /** Which nodes it is for; all of them when missing. */
  readonly emits?: (node: IrNode, argumentWidths: readonly Width[]) => boolean;
  /** The code may leave the instruction by `bail`, so that nothing may have been changed before it. */
  readonly bails?: boolean;
  /** The code reads FPCR and FPSR, which not every engine gives. */
  readonly readsFloatState?: boolean;
}

/** A row of the table of operations. */
export interface OperationRow extends EmitForm {
  /** It can raise an exception. */
  readonly faults: boolean;
  /** It changes state, so that it may be neither dropped nor moved. */
  readonly effect: boolean;
  /** Its exact meaning. */
  readonly evaluate: Evaluate;
}

const MASKS: Readonly<Record<number, bigint>> = Object.fromEntries(
  [0, 1, 4, 8, 16, 32, 64, 128].map((width) => [width, (1n << BigInt(width)) - 1n]),
);

/** As many ones as a value of this width has bits. */
export function mask(width: number): bigint {
  return MASKS[width] as bigint;
}

/** A value modulo 2^width. */
export function wrap(width: number, value: bigint): bigint {
  return BigInt.asUintN(width, value);
}

/** An unsigned value of this width read as two's complement. */
export function signed(width: number, value: bigint): bigint {
  return BigInt.asIntN(width, value);
}

/** A decode-time number of a node. */
export function int(node: IrNode, index: number): number {
  return node.immediates[index] as number;
}

/** A row whose result depends on its arguments and on registers alone. */
export function pure(evaluate: Evaluate, emit: Emit | EmitForm = {}): OperationRow {
  return { faults: false, effect: false, evaluate, ...formOf(emit) };
}

/** A row that changes state. */
export function effect(evaluate: Evaluate, emit: Emit | EmitForm = {}): OperationRow {
  return { faults: false, effect: true, evaluate, ...formOf(emit) };
}

function formOf(emit: Emit | EmitForm): EmitForm {
  return typeof emit === "function" ? { emit } : emit;
}

/** A row that can raise an exception. */
export function faulting(evaluate: Evaluate): OperationRow {
  return { faults: true, effect: true, evaluate };
}
