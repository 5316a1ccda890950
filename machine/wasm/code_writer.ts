/** Writes the body of one WebAssembly function: instructions, labels and locals (core specification 5.4, 5.5.13). */
import { ByteWriter } from "./bytes.ts";
import { INDEXED, MEMORY, MEMORY_LANE, PLAIN, type TableMethods } from "./instructions.ts";
import { VALUE_TYPES, type ValueType } from "./value_type.ts";

const EMPTY_BLOCK = 0x40;

/** A block that can be branched to: how many blocks were open when it was opened. */
export type Label = number;

/** A function that the bodies of a module may call: it is in the module, once, if one of them does. */
export interface SharedFunction {
  /** Types of its parameters, which are locals 0 and up. */
  readonly parameters: readonly ValueType[];
  /** Type of its result. */
  readonly result: ValueType;
  /** Writes its body, which leaves the result on the stack. */
  write(code: CodeWriter): void;
}

/** The methods named in the tables of instructions.ts, each of which appends that instruction. */
export interface CodeWriter extends TableMethods {}

/** The body of a function under construction. Every method appends an instruction unless it says otherwise. */
export class CodeWriter {
  readonly #code: ByteWriter;
  readonly #parameters: number;
  /** Types of the locals after the parameters. */
  readonly #locals: ValueType[] = [];
  readonly #free: Record<ValueType, number[]> = { i32: [], i64: [], f32: [], f64: [], v128: [] };
  #depth = 0;

  /**
   * A function of this many parameters, which are locals 0 and up; the capacity in bytes is a hint. `shared` gives the
   * index of a shared function in the module that the body is for.
   */
  constructor(
    parameters = 0,
    capacity = 256,
    private readonly shared?: (callee: SharedFunction) => number,
  ) {
    this.#parameters = parameters;
    this.#code = new ByteWriter(capacity);
  }

  /** Bytes of code so far; writes nothing. */
  get length(): number {
    return this.#code.length;
  }

  /** Blocks that are open. Writes nothing. */
  get depth(): number {
    return this.#depth;
  }

  /** A local of a type, for the caller alone until it is released; its content is undefined. Writes nothing. */
  takeLocal(type: ValueType): number {
    return this.#free[type].pop() ?? this.#parameters + this.#locals.push(type) - 1;
  }

  /** Gives a local back, to be taken again. Writes nothing. */
  releaseLocal(local: number): void {
    const type = this.#locals[local - this.#parameters];
    if (type === undefined) throw new RangeError(`Local ${local} was not taken from this function`);
    this.#free[type].push(local);
  }

  /** An instruction by its code in the tables. */
  instruction(code: number): void {
    if (code > 0xff) {
      this.#code.byte(code >> 8);
      this.#code.unsigned(code & 0xff);
    } else this.#code.byte(code);
  }

  /** An instruction with one unsigned immediate. */
  indexed(code: number, index: number): void {
    this.instruction(code);
    this.#code.unsigned(index);
  }

  /** An access to memory at a constant offset from the address on the stack. */
  memory(code: number, alignment: number, offset: number): void {
    this.instruction(code);
    this.#code.byte(alignment);
    this.#code.unsigned(offset);
  }

  /** An access to memory and one lane. */
  memoryLane(code: number, alignment: number, offset: number, lane: number): void {
    this.memory(code, alignment, offset);
    this.#code.byte(lane);
  }

  // Constants.

  /** A 32-bit constant, taken modulo 2^32. */
  i32Const(value: number): void {
    this.#code.byte(0x41);
    this.#code.signed(value);
  }
  /** A 64-bit constant; a bigint is taken modulo 2^64, a number must be a 32-bit signed integer. */
  i64Const(value: bigint | number): void {
    this.#code.byte(0x42);
    if (typeof value === "number") this.#code.signed(value);
    else this.#code.signed64(value);
  }
  /** A floating-point constant given by its bits. */
  f32ConstBits(bits: number): void {
    this.#code.byte(0x43);
    this.#littleEndian(BigInt.asUintN(32, BigInt(bits)), 4);
  }
  /** A floating-point constant given by its bits. */
  f64ConstBits(bits: bigint): void {
    this.#code.byte(0x44);
    this.#littleEndian(bits, 8);
  }
  /** A 128-bit constant, taken modulo 2^128. */
  v128Const(value: bigint): void {
    this.instruction(0xfd0c);
    this.#littleEndian(value, 16);
  }
  #littleEndian(value: bigint, size: number): void {
    for (let byte = 0; byte < size; byte++, value >>= 8n) this.#code.byte(Number(value & 255n));
  }
  /** Picks 16 bytes out of two vectors: 0–15 of the first, 16–31 of the second. */
  i8x16Shuffle(lanes: ArrayLike<number>): void {
    if (lanes.length !== 16) throw new RangeError(`A shuffle needs 16 lanes, not ${lanes.length}`);
    this.instruction(0xfd0d);
    this.#code.append(lanes);
  }

  // Control.

  #open(code: number, result: ValueType | undefined): Label {
    this.#code.byte(code);
    this.#code.byte(result === undefined ? EMPTY_BLOCK : VALUE_TYPES[result]);
    return ++this.#depth;
  }
  /** Opens a block; a branch to its label continues after its end. */
  block(result?: ValueType): Label {
    return this.#open(0x02, result);
  }
  /** Opens a loop; a branch to its label continues at its start. */
  loop(result?: ValueType): Label {
    return this.#open(0x03, result);
  }
  /** Opens a block that is executed when the i32 on the stack is not 0. */
  if(result?: ValueType): Label {
    return this.#open(0x04, result);
  }
  /** The other half of the innermost `if`. */
  else(): void {
    this.#code.byte(0x05);
  }
  /** Closes the innermost block. */
  end(): void {
    if (this.#depth === 0) throw new RangeError("There is no block to end");
    this.#depth--;
    this.#code.byte(0x0b);
  }
  #distance(label: Label): number {
    if (label > this.#depth || label < 0) throw new RangeError(`Label ${label} is not of an open block`);
    return this.#depth - label;
  }
  /** Branches to an open block. */
  br(label: Label): void {
    this.#code.byte(0x0c);
    this.#code.unsigned(this.#distance(label));
  }
  /** Branches to an open block when the i32 on the stack is not 0. */
  brIf(label: Label): void {
    this.#code.byte(0x0d);
    this.#code.unsigned(this.#distance(label));
  }
  /** Branches to the label whose index is on the stack, or to the last one given. */
  brTable(labels: readonly Label[], otherwise: Label): void {
    this.#code.byte(0x0e);
    this.#code.unsigned(labels.length);
    for (const label of labels) this.#code.unsigned(this.#distance(label));
    this.#code.unsigned(this.#distance(otherwise));
  }
  /** Returns what is on the stack. */
  return(): void {
    this.#code.byte(0x0f);
  }
  /** Calls a function that is shared by the bodies of the module. */
  callShared(callee: SharedFunction): void {
    if (this.shared === undefined) throw new RangeError("The body is for no module that shares functions");
    this.call(this.shared(callee));
  }
  /** Calls the function of a type whose index in a table is on the stack. */
  callIndirect(type: number, table = 0): void {
    this.indexed(0x11, type);
    this.#code.unsigned(table);
  }
  /** The same as a tail call. */
  returnCallIndirect(type: number, table = 0): void {
    this.indexed(0x13, type);
    this.#code.unsigned(table);
  }

  /** Appends the finished body (locals, code, end) with its size to a module; this writer can go on after it. */
  finishInto(module: ByteWriter): void {
    if (this.#depth !== 0) throw new RangeError(`${this.#depth} blocks are open at the end of a function`);
    const locals = new ByteWriter();
    const runs = this.#localRuns();
    locals.unsigned(runs.length);
    for (const [count, type] of runs) {
      locals.unsigned(count);
      locals.byte(VALUE_TYPES[type]);
    }
    module.unsigned(locals.length + this.#code.length + 1);
    module.append(locals.bytes);
    module.append(this.#code.bytes);
    module.byte(0x0b);
  }

  #localRuns(): [count: number, type: ValueType][] {
    const runs: [number, ValueType][] = [];
    for (const type of this.#locals) {
      const last = runs.at(-1);
      if (last?.[1] === type) last[0]++;
      else runs.push([1, type]);
    }
    return runs;
  }
}

/** Gives the class a method for every row of a table. */
function addMethods<Row>(
  table: Readonly<Record<string, Row>>,
  method: (row: Row) => (this: CodeWriter, ...immediates: number[]) => void,
): void {
  for (const [name, row] of Object.entries(table)) {
    Object.defineProperty(CodeWriter.prototype, name, { value: method(row) });
  }
}

addMethods<number>(PLAIN, (code) =>
  function () {
    this.instruction(code);
  });
addMethods<number>(INDEXED, (code) =>
  function (index) {
    this.indexed(code, index as number);
  });
addMethods<readonly [number, number]>(MEMORY, ([code, alignment]) =>
  function (offset = 0) {
    this.memory(code, alignment, offset);
  });
addMethods<readonly [number, number]>(MEMORY_LANE, ([code, alignment]) =>
  function (lane, offset = 0) {
    this.memoryLane(code, alignment, offset, lane as number);
  });
