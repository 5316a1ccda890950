/**
 * From a lowered instruction to WebAssembly: values used once are written where they are used, effects in order.
 *
 * A value of 1 to 32 bits is an i32 whose upper bits are zero (NZCV is one of 4 bits), 64 bits are an i64, 128 a v128.
 * Every emit relies on this and keeps it.
 */
import { MachineInvariantError } from "../errors.ts";
import type { CodeWriter } from "../wasm/code_writer.ts";
import type { ValueType } from "../wasm/value_type.ts";
import { BAIL, changesOf, readsOf } from "./emit_rules.ts";
import { type IrNode, OPERATIONS, type Width } from "./operations.ts";
import type { OperationRow } from "./operation.ts";

/** What an engine gives to emission: the operations that touch state, in the engine's own form. */
export interface Backend {
  /**
   * Writes a state operation (one whose row has no emit, or that `takes` claims), leaving its result, if it has one, on
   * the stack. `index` is the node's place in the instruction.
   */
  state(index: number, node: IrNode, e: Emitter): void;
  /** True for nodes whose rows have an emit and which the engine gives all the same. */
  takes?(node: IrNode, nodes: readonly IrNode[]): boolean;
  /** Indices of the values that `state` pushes for a node, as arguments 0, 1, …; missing: the node's arguments. */
  operands?(node: IrNode, nodes: readonly IrNode[]): readonly number[];
  /** Writes a branch out of the instruction, nothing of which has happened, to where it is evaluated. */
  bail?(): void;
  /** Pushes FPCR or FPSR as an i32; an engine that can passes `float` to `canEmit`. */
  floatState?(register: "FPCR" | "FPSR"): void;
}

/** What an engine can do beside the operations it gives. */
export interface EmitOptions {
  /** Its backend has `floatState` and `bail`: floating point is computed in WebAssembly where that is exact. */
  readonly float?: boolean;
}

/** The WebAssembly type of values of a width. */
export function valueType(width: Width): "i32" | "i64" | "v128" {
  return width === 128 ? "v128" : width === 64 ? "i64" : "i32";
}

const rowOf = (node: IrNode): OperationRow => OPERATIONS[node.op];

/** Rows of instructions' nodes: many words have one shape. */
const knownRows = new WeakMap<readonly IrNode[], readonly OperationRow[]>();

function rowsOf(nodes: readonly IrNode[]): readonly OperationRow[] {
  let rows = knownRows.get(nodes);
  if (rows === undefined) knownRows.set(nodes, rows = nodes.map(rowOf));
  return rows;
}

/**
 * True when every operation that the instruction needs has an emit or is one that the engine gives by `isSupported`, and
 * those that may bail come before anything is changed.
 */
export function canEmit(
  nodes: readonly IrNode[],
  isSupported: (node: IrNode) => boolean,
  { float = false }: EmitOptions = {},
): boolean {
  const isLive = liveNodes(nodes);
  let isChanged = false;
  for (const [index, node] of nodes.entries()) {
    if (!isLive[index]) continue;
    const row = rowOf(node);
    if (isSupported(node)) {
      if (row.effect && changesOf(node) !== 0) isChanged = true;
      continue;
    }
    if (!hasEmit(node, nodes) || (row.bails === true && isChanged)) return false;
    if (row.readsFloatState === true && !float) return false;
  }
  return true;
}

function hasEmit(node: IrNode, nodes: readonly IrNode[]): boolean {
  const { emit, emits } = rowOf(node);
  if (emit === undefined || emits === undefined) return emit !== undefined;
  return emits(node, node.args.map((argument) => (nodes[argument] as IrNode).width));
}

function liveNodes(nodes: readonly IrNode[]): boolean[] {
  const isLive = nodes.map((node) => rowOf(node).effect);
  for (let index = nodes.length - 1; index >= 0; index--) {
    if (!isLive[index]) continue;
    for (const argument of (nodes[index] as IrNode).args) isLive[argument] = true;
  }
  return isLive;
}

/** Writes the code of one instruction; the stack is left as it was. `canEmit` must hold for it. */
export function emitInstruction(nodes: readonly IrNode[], code: CodeWriter, backend: Backend): void {
  new Emitter(code, backend).instruction(nodes);
}

const NO_LOCAL = -1, CONSUMED = -2;
const NONE: readonly number[] = [];

/** Writes instructions one after another; emits and backends see it as the place their arguments come from. */
export class Emitter {
  /** The node being written. */
  node: IrNode = undefined as never;
  #nodes: readonly IrNode[] = [];
  /** Operands of `node`. */
  #present: readonly number[] = [];
  #rows: readonly OperationRow[] = [];
  // What is known of each node, by its index; entries past the present instruction are of earlier ones.
  /** The engine writes it. */
  readonly #given: boolean[] = [];
  /** Values that it pushes. */
  readonly #operands: (readonly number[])[] = [];
  /** Uses of its value not written yet. */
  readonly #uses: number[] = [];
  /** What its value, with all that it is computed from, depends on. */
  readonly #reads: number[] = [];
  /** The local that holds its value. */
  readonly #locals: number[] = [];
  readonly #scratch: number[] = [];

  /** Instructions go to `code`, which may be shared with their engine. */
  constructor(
    /** Where the code goes. */
    readonly code: CodeWriter,
    private readonly backend: Backend,
  ) {}

  // What emits and backends use.

  /** Width of a node's result, by the node's index. */
  widthOf(index: number): Width {
    return (this.#nodes[index] as IrNode).width;
  }

  /** Width of argument `i`. */
  width(i: number): Width {
    return this.widthOf(this.#present[i] as number);
  }

  /** True when there is an argument `i`. */
  has(i: number): boolean {
    return i < this.#present.length;
  }

  /** Pushes argument `i`. Once only, unless it was taken by `local` before. */
  argument(i: number): void {
    this.#push(this.#present[i] as number);
  }

  /** A local with argument `i`, to be read as often as needed until the end of the emit, and not to be written. */
  local(i: number): number {
    const index = this.#present[i] as number;
    this.#keep(index);
    return this.#locals[index] as number;
  }

  /** A local for the rest of the emit; its content is undefined. */
  scratch(type: ValueType): number {
    const local = this.code.takeLocal(type);
    this.#scratch.push(local);
    return local;
  }

  /** Pushes FPCR or FPSR as an i32. */
  floatState(register: "FPCR" | "FPSR"): void {
    if (this.backend.floatState === undefined) {
      throw new MachineInvariantError(`${this.node.op} reads ${register}, and the engine does not give it`);
    }
    this.backend.floatState(register);
  }

  /** Leaves the instruction to be evaluated. */
  bail(): void {
    if (this.backend.bail === undefined) {
      throw new MachineInvariantError(`${this.node.op} may bail, and the engine gives no way to`);
    }
    this.backend.bail();
  }

  /** Leaves the instruction to be evaluated when the i32 on the stack is not 0. */
  bailIf(): void {
    this.code.if();
    this.bail();
    this.code.end();
  }

  // The order of code.

  /** Writes one instruction, as `emitInstruction` does. */
  instruction(nodes: readonly IrNode[]): void {
    this.#plan(nodes);
    for (let index = 0; index < nodes.length; index++) {
      const node = nodes[index] as IrNode;
      if (!(this.#rows[index] as OperationRow).effect) continue;
      this.#prepare(index);
      if (this.#given[index]) this.#keepBefore(index, changesOf(node));
      this.#emit(index);
      if (node.width === 0) continue;
      if (this.#uses[index] === 0) this.code.drop();
      else this.#setLocal(index);
    }
  }

  /** Counts uses, from the last node to the first, and what values depend on, from the first to the last. */
  #plan(nodes: readonly IrNode[]): void {
    const { backend } = this, count = nodes.length, rows = rowsOf(nodes);
    this.#nodes = nodes;
    this.#rows = rows;
    for (let index = 0; index < count; index++) {
      const node = nodes[index] as IrNode, row = rows[index] as OperationRow;
      this.#given[index] = row.emit === undefined || backend.takes?.(node, nodes) === true;
      this.#uses[index] = 0;
      this.#locals[index] = NO_LOCAL;
    }
    for (let index = count - 1; index >= 0; index--) {
      const node = nodes[index] as IrNode;
      const isLive = (this.#rows[index] as OperationRow).effect || this.#uses[index] !== 0;
      const values = isLive ? backend.operands?.(node, nodes) ?? node.args : NONE;
      for (const value of values) this.#uses[value] = (this.#uses[value] as number) + 1;
      this.#operands[index] = values;
    }
    for (let index = 0; index < count; index++) this.#reads[index] = this.#readsOf(index);
  }

  #readsOf(index: number): number {
    const row = this.#rows[index] as OperationRow;
    if (row.effect) return 0; // its value is in a local at once
    let reads = row.bails === true ? BAIL : 0;
    if (this.#given[index]) reads |= readsOf(this.#nodes[index] as IrNode);
    for (const value of this.#operands[index] as readonly number[]) reads |= this.#reads[value] as number;
    return reads;
  }

  /** Puts values that a node needs more than once, or that others need too, into locals. */
  #prepare(index: number): void {
    for (const value of this.#operands[index] as readonly number[]) {
      if (this.#locals[value] !== NO_LOCAL) continue;
      this.#prepare(value);
      if (this.#uses[value] as number > 1) this.#keep(value);
    }
  }

  /** Puts values that later nodes need and that an effect would change into locals. */
  #keepBefore(effect: number, changes: number): void {
    if (changes === 0) return;
    for (let user = effect + 1; user < this.#nodes.length; user++) {
      for (const value of this.#operands[user] as readonly number[]) {
        const reads = this.#reads[value] as number;
        if (value > effect || (reads & changes) === 0 || this.#locals[value] !== NO_LOCAL) continue;
        this.#prepare(value);
        this.#keep(value);
      }
    }
  }

  #keep(index: number): void {
    if (this.#locals[index] as number >= 0) return;
    this.#push(index);
    this.#setLocal(index);
  }

  #setLocal(index: number): void {
    const local = this.code.takeLocal(valueType(this.widthOf(index)));
    this.code.localSet(local);
    this.#locals[index] = local;
  }

  #push(index: number): void {
    const local = this.#locals[index] as number;
    if (local >= 0) return this.code.localGet(local);
    if (local === CONSUMED) {
      throw new MachineInvariantError(`${this.node.op} pushes its argument %${index} twice`);
    }
    this.#emit(index);
    this.#locals[index] = CONSUMED;
  }

  #emit(index: number): void {
    const { node: outer } = this, present = this.#present, firstScratch = this.#scratch.length;
    const node = this.#nodes[index] as IrNode;
    this.node = node;
    this.#present = this.#operands[index] as readonly number[];
    if (this.#given[index]) this.backend.state(index, node, this);
    else (this.#rows[index] as OperationRow).emit?.(node, this);
    while (this.#scratch.length > firstScratch) this.code.releaseLocal(this.#scratch.pop() as number);
    for (const value of this.#present) this.#release(value);
    this.node = outer;
    this.#present = present;
  }

  /** One use of a value is written; after the last its local is free. */
  #release(index: number): void {
    const left = (this.#uses[index] as number) - 1;
    this.#uses[index] = left;
    const local = this.#locals[index] as number;
    if (left > 0 || local < 0) return;
    this.code.releaseLocal(local);
    this.#locals[index] = CONSUMED;
  }
}
