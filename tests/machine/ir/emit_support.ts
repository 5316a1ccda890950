/** The simplest engine that emitted code needs: registers and a window of memory, and the same state for evaluation. */
import { decode, lower, ROWS } from "../../../machine/a64/rows.ts";
import { OFFSET_V, SLOT_NZCV, SLOT_PC } from "../../../machine/cpu/registers.ts";
import { type Backend, canEmit, emitInstruction, type Emitter } from "../../../machine/ir/emit.ts";
import {
  type Access,
  type ExecutionContext,
  type IrNode,
  OPERATIONS,
  type Width,
} from "../../../machine/ir/operations.ts";
import type { CodeWriter } from "../../../machine/wasm/code_writer.ts";
import { ModuleWriter } from "../../../machine/wasm/module_writer.ts";
import { randomWord } from "../a64/random_words.ts";

/** Slots of what a step leaves beside registers. */
export const SLOT_NEXT_PC = 36, SLOT_FPCR = 37, SLOT_FPSR = 38;
/** Where the window of memory is; addresses are taken modulo its size. */
const WINDOW = 0x800, WINDOW_SIZE = 0x200;
/** Bytes past the window that an access at its end may touch. */
const MARGIN = 32;
/** Bytes of state that are compared. */
export const STATE_SIZE = WINDOW + WINDOW_SIZE + MARGIN;

/** The state that evaluation works on, in the layout of the emitted code's memory. */
export class State implements ExecutionContext {
  readonly slots: BigUint64Array<ArrayBuffer>;
  readonly v: BigUint64Array<ArrayBuffer>;
  readonly bytes: Uint8Array<ArrayBuffer>;

  constructor(buffer: ArrayBuffer) {
    this.slots = new BigUint64Array(buffer, 0, 40);
    this.v = new BigUint64Array(buffer, OFFSET_V, 64);
    this.bytes = new Uint8Array(buffer, 0, STATE_SIZE);
  }

  get nextPc(): bigint {
    return this.slots[SLOT_NEXT_PC] as bigint;
  }
  set nextPc(value: bigint) {
    this.slots[SLOT_NEXT_PC] = value;
  }
  get fpcr(): number {
    return Number(this.slots[SLOT_FPCR]);
  }
  accumulateFpsr(bits: number): void {
    this.slots[SLOT_FPSR] = (this.slots[SLOT_FPSR] as bigint) | BigInt(bits >>> 0);
  }

  load(address: bigint, size: number, _access: Access): bigint {
    let value = 0n;
    const at = offsetOf(address);
    for (let byte = size - 1; byte >= 0; byte--) {
      value = value << 8n | BigInt(this.bytes[at + byte] as number);
    }
    return value;
  }
  store(address: bigint, size: number, value: bigint, _access: Access): void {
    const at = offsetOf(address);
    for (let byte = 0; byte < size; byte++, value >>= 8n) this.bytes[at + byte] = Number(value & 255n);
  }
  loadExclusive(address: bigint, size: number, access: Access): bigint {
    return this.load(address, size, access);
  }
  storeExclusive(address: bigint, size: number, value: bigint, access: Access): bigint {
    this.store(address, size, value, access);
    return 0n;
  }
  setBranchType(): void {}
  helper(): bigint {
    return 0n;
  }

  /** Evaluates an instruction; the values of its nodes. */
  evaluate(nodes: readonly IrNode[]): bigint[] {
    const values: bigint[] = [];
    for (const node of nodes) {
      const [a = 0n, b = 0n, c = 0n] = node.args.map((argument) => values[argument] as bigint);
      values.push(OPERATIONS[node.op].evaluate(node, a, b, c, this));
    }
    return values;
  }
}

function offsetOf(address: bigint): number {
  return WINDOW + Number(address & BigInt(WINDOW_SIZE - 1));
}

/** What the backend below gives. */
export function isSupported({ op, immediates }: IrNode): boolean {
  if (op === "helper") return ["checkFpEnabled", "checkSpAlignment"].includes(immediates[0] as string);
  return Object.hasOwn(STATE_OPERATIONS, op);
}

/** Loads a value of a width from an address on the stack. */
function load(code: CodeWriter, width: Width, offset = 0): void {
  if (width === 128) code.v128Load(offset);
  else if (width === 64) code.i64Load(offset);
  else if (width === 32) code.i32Load(offset);
  else if (width === 16) code.i32Load16U(offset);
  else code.i32Load8U(offset);
}

function store(code: CodeWriter, width: Width): void {
  if (width === 128) code.v128Store();
  else if (width === 64) code.i64Store();
  else if (width === 32) code.i32Store();
  else if (width === 16) code.i32Store16();
  else code.i32Store8();
}

function address(code: CodeWriter, e: Emitter): void {
  e.argument(0);
  code.i32WrapI64();
  code.i32Const(WINDOW_SIZE - 1);
  code.i32And();
  code.i32Const(WINDOW);
  code.i32Add();
}

function storeMemory(code: CodeWriter, e: Emitter): void {
  address(code, e);
  e.argument(1);
  store(code, e.width(1));
}

/** Stores argument `i`, an i64, in a slot. */
function setSlot(code: CodeWriter, slot: number, i: number, e: Emitter): void {
  code.i32Const(slot * 8);
  e.argument(i);
  code.i64Store();
}

type StateOperation = (node: IrNode, e: Emitter, code: CodeWriter) => void;

const number = (node: IrNode): number => node.immediates[0] as number;

const STATE_OPERATIONS: Readonly<Record<string, StateOperation>> = {
  constant({ width, immediates: [value] }, _e, code) {
    if (width === 128) code.v128Const(value as bigint);
    else if (width === 64) code.i64Const(value as bigint);
    else code.i32Const(Number(value as bigint));
  },
  pc(_node, _e, code) {
    code.i32Const(SLOT_PC * 8);
    code.i64Load();
  },
  readX(node, _e, code) {
    code.i32Const(number(node) * 8);
    code.i64Load();
  },
  writeX: (node, e, code) => setSlot(code, number(node), 0, e),
  readV(node, _e, code) {
    code.i32Const(OFFSET_V + number(node) * 16);
    load(code, node.width);
  },
  writeV(node, e, code) {
    code.i32Const(OFFSET_V + number(node) * 16);
    if (e.width(0) < 128) code.v128Const(0n);
    e.argument(0);
    if (e.width(0) < 64) code.i64ExtendI32U();
    if (e.width(0) < 128) code.i64x2ReplaceLane(0);
    code.v128Store();
  },
  readNzcv(_node, _e, code) {
    code.i32Const(SLOT_NZCV * 8);
    code.i32Load();
  },
  writeNzcv(_node, e, code) {
    code.i32Const(SLOT_NZCV * 8);
    e.argument(0);
    code.i64ExtendI32U();
    code.i64Store();
  },
  load(node, e, code) {
    address(code, e);
    load(code, node.width);
  },
  store: (_node, e, code) => storeMemory(code, e),
  loadExclusive(node, e, code) {
    address(code, e);
    load(code, node.width);
  },
  storeExclusive(_node, e, code) {
    storeMemory(code, e);
    code.i32Const(0);
  },
  branch: (_node, e, code) => setSlot(code, SLOT_NEXT_PC, 0, e),
  branchIf(_node, e, code) {
    e.argument(0);
    code.if();
    setSlot(code, SLOT_NEXT_PC, 1, e);
    code.end();
  },
  helper() {},
};

/** Emitted instructions: each is called by number and answers true when it bailed. */
export class EmittedInstructions {
  readonly state: State;
  readonly #functions: readonly (() => number)[];

  constructor(instructions: readonly (readonly IrNode[])[]) {
    const module = new ModuleWriter();
    module.importMemory("e", "memory", 1, 1);
    const type = module.type([], ["i32"]);
    for (const [number, nodes] of instructions.entries()) {
      const index = module.declare(type), code = module.define(index);
      emitInstruction(nodes, code, backendFor(code));
      code.i32Const(0);
      module.exportFunction(String(number), index);
    }
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
    const instance = new WebAssembly.Instance(new WebAssembly.Module(module.finish()), { e: { memory } });
    this.#functions = instructions.map((_, number) => instance.exports[number] as () => number);
    this.state = new State(memory.buffer as ArrayBuffer);
  }

  /** Sets V0, V1, … */
  setRegisters(values: readonly bigint[]): void {
    for (const [register, value] of values.entries()) {
      this.state.v[register * 2] = BigInt.asUintN(64, value);
      this.state.v[register * 2 + 1] = value >> 64n;
    }
  }

  /** V31, which `operationOnRegisters` writes. */
  get result(): bigint {
    return (this.state.v[63] as bigint) << 64n | (this.state.v[62] as bigint);
  }

  /** Executes one of the instructions. */
  run(number: number): boolean {
    return (this.#functions[number] as () => number)() !== 0;
  }
}

function backendFor(code: CodeWriter): Backend {
  return {
    state: (_index, node, e) => (STATE_OPERATIONS[node.op] as StateOperation)(node, e, code),
    bail() {
      code.i32Const(1);
      code.return();
    },
    floatState(register) {
      code.i32Const((register === "FPCR" ? SLOT_FPCR : SLOT_FPSR) * 8);
      code.i32Load();
    },
  };
}

/** True when the instruction can be emitted with this engine. */
export function isEmitted(nodes: readonly IrNode[]): boolean {
  return canEmit(nodes, isSupported, { float: true });
}

/** A node of an operation, with the widths of its arguments. */
export interface Form {
  readonly node: Pick<IrNode, "op" | "width" | "immediates">;
  readonly widths: readonly Width[];
}

/** A form for messages. */
export function named({ node, widths }: Form): string {
  return `${node.op}:${node.width} [${node.immediates}] of ${widths}`;
}

/** Every form of operations that random words of all rows use. */
export function formsOfRows(
  operations: Readonly<Record<string, unknown>>,
  examples: number,
  random: () => number,
): Form[] {
  const forms = new Map<string, Form>();
  for (const row of ROWS) {
    for (let example = 0; example < examples; example++) {
      const word = randomWord(row, random), found = word === undefined ? undefined : decode(word);
      if (found === undefined) continue;
      const nodes = lower(found.row, found.fields);
      for (const node of nodes.filter(({ op }) => Object.hasOwn(operations, op))) {
        const form = { node, widths: node.args.map((argument) => (nodes[argument] as IrNode).width) };
        forms.set(named(form), form);
      }
    }
  }
  return [...forms.values()];
}

/** The nodes that apply an operation to V0, V1, … of given widths and write the result to V31. */
export function operationOnRegisters({ node, widths }: Form): IrNode[] {
  const reads = widths.map((width, number): IrNode => ({
    op: "readV",
    width,
    args: [],
    immediates: [number],
  }));
  const args = widths.map((_, number) => number);
  const write: IrNode = { op: "writeV", width: 0, args: [args.length], immediates: [31] };
  return [...reads, { ...node, args }, write];
}
