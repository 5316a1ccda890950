/** Pending flags: every condition on every kind of flags, as `conditionHolds` says. */
import { assertEquals } from "@std/assert";
import { defineFlags, FlagsCode } from "../../../machine/engine/compiled_flags.ts";
import { REGION_LOCAL, REGION_PARAMETERS } from "../../../machine/engine/compiled_layout.ts";
import { type Backend, Emitter } from "../../../machine/ir/emit.ts";
import { int, type IrNode } from "../../../machine/ir/operation.ts";
import { conditionHolds, OPERATIONS } from "../../../machine/ir/operations.ts";
import type { CodeWriter } from "../../../machine/wasm/code_writer.ts";
import { ModuleWriter } from "../../../machine/wasm/module_writer.ts";

/** Where the test's functions find the operands, keep NZCV and leave the result. */
const AT = { a: 0, b: 8, nzcv: 16, result: 24 } as const;
/** How what is pending is known where it is asked for. */
const WAYS = ["at once", "after ways met", "stored", "asked for twice"] as const;
type Way = typeof WAYS[number];

/** An instruction that sets flags of two operands, and the width of these. */
interface Setter {
  readonly op: "flagsOfSub" | "flagsOfAdd" | "flagsOfLogic";
  readonly width: 32 | 64;
}
const SETTERS: readonly Setter[] = (["flagsOfSub", "flagsOfAdd", "flagsOfLogic"] as const).flatMap((op) =>
  ([32, 64] as const).map((width) => ({ op, width }))
);

const node = (op: string, width: number, args: number[] = [], ...immediates: number[]): IrNode =>
  ({ op, width, args, immediates }) as IrNode;

/** Sets flags of what is at AT.a and AT.b. */
function setting({ op, width }: Setter): IrNode[] {
  const args = op === "flagsOfLogic" ? [0] : [0, 1];
  return [
    ...args.map((index) => node("readX", width, [], index === 0 ? AT.a : AT.b)),
    node(op, 4, args, width),
    node("writeNzcv", 0, [args.length]),
  ];
}

/** Leaves the condition, or the flags as a number, at AT.result. */
const asking = (condition: number): IrNode[] =>
  condition < 16
    ? [node("readNzcv", 4), node("condition", 1, [0], condition), node("writeX", 0, [1], AT.result)]
    : [node("readNzcv", 4), node("writeX", 0, [0], AT.result)];

function backendOf(code: CodeWriter, flags: FlagsCode, setter: Setter): Backend {
  return {
    takes: ({ op, args, immediates }, nodes) =>
      op === "condition" && nodes[args[0] as number]?.op === "readNzcv" &&
      flags.knows(immediates[0] as number),
    operands(of, nodes) {
      if (of.op === "writeNzcv") return flags.operands(of, nodes);
      return this.takes?.(of, nodes) ? [] : of.args;
    },
    state(_, of, e) {
      if (of.op === "readNzcv") return flags.push(true);
      if (of.op === "writeNzcv") return flags.write(of, setting(setter), e);
      if (of.op === "condition") return flags.condition(int(of, 0));
      code.i32Const(of.immediates[0] as number);
      if (of.op === "writeX") {
        e.argument(0);
        code.i32Store();
      } else if (of.width === 64) code.i64Load();
      else code.i32Load();
    },
  };
}

/** Exports a function for every setter, condition (16: NZCV) and way, named by these. */
function build(memory: WebAssembly.Memory): WebAssembly.Exports {
  const module = new ModuleWriter();
  module.importMemory("env", "memory", 1, 1);
  const compute = module.declare(module.type(["i32", "i64", "i64"], ["i32"]));
  defineFlags(module.define(compute));
  for (const setter of SETTERS) {
    for (let condition = 0; condition <= 16; condition++) {
      for (const way of WAYS) {
        const index = module.declare(module.type(REGION_PARAMETERS, []));
        module.exportFunction(nameOf(setter, condition, way), index);
        write(module.define(index), compute, setter, condition, way);
      }
    }
  }
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module.finish()), { env: { memory } });
  return exports;
}

const nameOf = ({ op, width }: Setter, condition: number, way: Way): string =>
  `${op} ${width} ${condition} ${way}`;

function write(code: CodeWriter, compute: number, setter: Setter, condition: number, way: Way): void {
  for (let local: number = REGION_PARAMETERS.length; local <= REGION_LOCAL.target; local++) {
    code.takeLocal(local < REGION_LOCAL.flagsA ? "i32" : "i64");
  }
  const at = () => code.i32Const(AT.nzcv);
  const flags = new FlagsCode(code, compute, {
    load: () => {
      at();
      code.i32Load();
    },
    store: (push) => {
      at();
      push();
      code.i32Store();
    },
  });
  // What was pending before must not be seen any more.
  const before: Setter = { op: "flagsOfSub", width: 64 };
  new Emitter(code, backendOf(code, flags, before)).instruction(setting(before));
  const emitter = new Emitter(code, backendOf(code, flags, setter));
  emitter.instruction(setting(setter));
  if (way === "after ways met" || way === "stored") flags.meet();
  if (way === "stored") flags.settle();
  if (way === "asked for twice") emitter.instruction(asking(16));
  emitter.instruction(asking(condition));
  if (way !== "stored") flags.meet();
  flags.settle();
}

const CORNERS = [0n, 1n, 2n, 0x7fn, 0x7fff_ffffn, 0x8000_0000n, 0x8000_0001n, 0xffff_fffen, 0xffff_ffffn]
  .flatMap(
    (
      value,
    ) => [value, value | 1n << 32n, value << 32n, value << 32n | 0xffff_ffffn, ~value & (1n << 64n) - 1n],
  );

Deno.test("FlagsCode answers every condition on every kind of flags as conditionHolds, and settles to the same NZCV", () => {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 }), functions = build(memory);
  const view = new DataView(memory.buffer);
  for (const setter of SETTERS) {
    const { op, width } = setter, calls = [];
    for (let condition = 0; condition <= 16; condition++) {
      for (const way of WAYS) {
        const call = functions[nameOf(setter, condition, way)] as (...locals: number[]) => void;
        calls.push({ condition, way, call });
      }
    }
    for (const a of CORNERS) {
      for (const b of op === "flagsOfLogic" ? [5n] : CORNERS) {
        const [x, y] = [BigInt.asUintN(width, a), BigInt.asUintN(width, b)] as const;
        const nzcv = Number(
          OPERATIONS[op].evaluate(setting(setter).at(-2) as IrNode, x, y, 0n, undefined as never),
        );
        view.setBigUint64(AT.a, a, true);
        view.setBigUint64(AT.b, b, true);
        for (const { condition, way, call } of calls) {
          view.setUint32(AT.nzcv, 0xff, true);
          call(0, 0, 0, 0, 0);
          const expected = condition === 16 ? nzcv : conditionHolds(condition, nzcv) ? 1 : 0;
          const found = [view.getUint32(AT.result, true), view.getUint32(AT.nzcv, true)];
          if (found[0] === expected && found[1] === nzcv) continue;
          assertEquals(found, [expected, nzcv], `${nameOf(setter, condition, way)} of ${x} and ${y}`);
        }
      }
    }
  }
});
