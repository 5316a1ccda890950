/** Emission keeps the order of effects: random instructions, and the rules for values, effects and bailing one by one. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { type Backend, canEmit, emitInstruction, type Emitter } from "../../../machine/ir/emit.ts";
import type { IrNode, OperationName, Width } from "../../../machine/ir/operations.ts";
import { printIr } from "../../../machine/ir/passes.ts";
import { CodeWriter } from "../../../machine/wasm/code_writer.ts";
import { randomNumbers } from "../a64/random_words.ts";
import { EmittedInstructions, isSupported, State, STATE_SIZE } from "./emit_support.ts";

const SEED = 77003;
/** Registers that random instructions name: few, so that reads and writes meet. */
const REGISTERS = 3;

function node(op: OperationName, width: Width, args: number[], ...immediates: IrNode["immediates"]): IrNode {
  return { op, width, args, immediates };
}

/** A random list of nodes; values of 64, 4 and 1 bits, effects of every kind between them. */
function randomInstruction(random: () => number): IrNode[] {
  const nodes: IrNode[] = [node("readX", 64, [], 0), node("readNzcv", 4, []), node("equal", 1, [0, 0], 64)];
  const pick = (width: Width): number => {
    const fitting = nodes.flatMap((node, at) => node.width === width ? [at] : []);
    return fitting[random() % fitting.length] as number;
  };
  const register = () => random() % REGISTERS;
  const makers: (() => IrNode)[] = [
    () => node("readX", 64, [], register()),
    () => node("writeX", 0, [pick(64)], register()),
    () => node("readV", 64, [], register()),
    () => node("writeV", 0, [pick(64)], register()),
    () => node("readNzcv", 4, []),
    () => node("writeNzcv", 0, [pick(4)]),
    () => node("flagsOfSub", 4, [pick(64), pick(64)], 64),
    () => node("condition", 1, [pick(4)], random() % 16),
    () => node("select", 64, [pick(1), pick(64), pick(64)]),
    () => node("add", 64, [pick(64), pick(64)]),
    () => node("xor", 64, [pick(64), pick(64)]),
    () => node("divSigned", 64, [pick(64), pick(64)]),
    () => node("constant", 64, [], BigInt(random())),
    () => node("lessUnsigned", 1, [pick(64), pick(64)], 64),
    () => node("load", 64, [pick(64)], 8, "normal"),
    () => node("store", 0, [pick(64), pick(64)], 8, "normal"),
    () => node("storeExclusive", 32, [pick(64), pick(64)], 8, "exclusive"),
    () => node("branchIf", 0, [pick(1), pick(64)], "jump"),
  ];
  while (nodes.length < 30) nodes.push((makers[random() % makers.length] as () => IrNode)());
  return nodes;
}

Deno.test("emitInstruction keeps reads before the writes that follow them, in random instructions", () => {
  const random = randomNumbers(SEED);
  const instructions = Array.from({ length: 400 }, () => randomInstruction(random));
  const emitted = new EmittedInstructions(instructions);
  const expected = new State(new ArrayBuffer(STATE_SIZE));
  for (const [number, nodes] of instructions.entries()) {
    for (let trial = 0; trial < 4; trial++) {
      const words = new Uint32Array(expected.bytes.buffer);
      for (let at = 0; at < words.length; at++) words[at] = random();
      expected.slots[35] = BigInt(random() % 16);
      emitted.state.bytes.set(expected.bytes);
      emitted.run(number);
      expected.evaluate(nodes);
      const at = emitted.state.bytes.findIndex((byte, at) => byte !== expected.bytes[at]);
      assert(at < 0, `seed ${SEED}, instruction ${number}: byte ${at} differs\n${printIr(nodes)}`);
    }
  }
});

/** Reads X0, adds it to itself, stores the sum in X0, and what X0 was in X1. */
const TWICE: readonly IrNode[] = [
  node("readX", 64, [], 0),
  node("add", 64, [0, 0]),
  node("writeX", 0, [1], 0),
  node("writeX", 0, [0], 1),
];

/** A backend that records what it is asked for and pushes zeros. */
class RecordingBackend implements Backend {
  readonly seen: string[] = [];

  state(index: number, { op, width }: IrNode, e: Emitter): void {
    this.seen.push(`${index} ${op}`);
    const count = this.operands === undefined ? e.node.args.length : this.operands(e.node).length;
    for (let i = 0; i < count; i++) {
      e.argument(i);
      e.code.drop();
    }
    if (width === 64) e.code.i64Const(0);
    else if (width > 0) e.code.i32Const(0);
  }
  operands?: (node: IrNode) => readonly number[];
  takes?: (node: IrNode) => boolean;
}

Deno.test("emitInstruction asks for a value once, and for none that nothing uses", () => {
  const backend = new RecordingBackend();
  emitInstruction([node("readX", 64, [], 5), ...shift(TWICE, 1)], new CodeWriter(), backend);
  assertEquals(backend.seen, ["1 readX", "3 writeX", "4 writeX"]);
});

function shift(nodes: readonly IrNode[], by: number): IrNode[] {
  return nodes.map((node) => ({ ...node, args: node.args.map((argument) => argument + by) }));
}

Deno.test("Backend.operands replaces the values that a state operation pushes", () => {
  const backend = new RecordingBackend();
  const nodes = [
    node("readX", 64, [], 0),
    node("readX", 64, [], 1),
    node("flagsOfSub", 4, [0, 1], 64),
    node("writeNzcv", 0, [2]),
  ];
  backend.operands = ({ op, args }) => (op === "writeNzcv" ? [0, 1] : args);
  emitInstruction(nodes, new CodeWriter(), backend);
  assertEquals(backend.seen, ["3 writeNzcv", "0 readX", "1 readX"], "values are written inside their user");
});

Deno.test("Backend.takes claims operations that have an emit", () => {
  const backend = new RecordingBackend();
  backend.takes = ({ op }) => op === "add";
  emitInstruction(TWICE, new CodeWriter(), backend);
  assert(backend.seen.includes("1 add"));
});

Deno.test("canEmit refuses what neither has an emit nor is the engine's", () => {
  assert(canEmit(TWICE, isSupported));
  assert(!canEmit(TWICE, ({ op }) => op !== "writeX" && isSupported(node(op, 0, []))));
  const unused = [...TWICE, node("helper", 64, [], "readFpcr")];
  assert(!canEmit(unused, isSupported), "an effect is needed whether its value is used or not");
});

Deno.test("Emitter.argument refuses to write a value twice, and bail an engine that has no way to", () => {
  const twice: Backend = {
    state(_index, { op, width }, e) {
      if (width === 64) return e.code.i64Const(0);
      assertEquals(op, "writeX");
      e.argument(0);
      e.argument(0);
    },
  };
  const nodes = [node("readX", 64, [], 0), node("not", 64, [0]), node("writeX", 0, [1], 0)];
  assertThrows(
    () => emitInstruction(nodes, new CodeWriter(), twice),
    Error,
    "writeX pushes its argument %1 twice",
  );
  const bails: Backend = { state: (_index, _node, e) => e.bail() };
  assertThrows(() => emitInstruction(nodes, new CodeWriter(), bails), Error, "may bail");
});
