/** Code is written as V8 reads it: every instruction validates, constants and labels mean what they say. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { CodeWriter } from "../../../machine/wasm/code_writer.ts";
import { INDEXED, MEMORY, MEMORY_LANE, PLAIN } from "../../../machine/wasm/instructions.ts";
import { ModuleWriter } from "../../../machine/wasm/module_writer.ts";
import type { ValueType } from "../../../machine/wasm/value_type.ts";

// deno-lint-ignore no-explicit-any
type Exported = (...args: any[]) => any;

/** A function of one module, made by writing its body. */
function functionOf(
  parameters: readonly ValueType[],
  results: readonly ValueType[],
  write: (code: CodeWriter) => void,
): Exported {
  const module = new ModuleWriter();
  const index = module.declare(module.type(parameters, results));
  write(module.define(index));
  module.exportFunction("f", index);
  return new WebAssembly.Instance(new WebAssembly.Module(module.finish())).exports["f"] as Exported;
}

/** True when a body validates after `unreachable`, where operands may have any type. */
function validates(write: (code: CodeWriter) => void): boolean {
  const module = new ModuleWriter();
  module.importMemory("e", "memory", 1, 1);
  module.importGlobal("e", "global", "i32", true);
  const index = module.declare(module.type(["i32"], []));
  const code = module.define(index);
  code.unreachable();
  write(code);
  code.unreachable();
  return WebAssembly.validate(module.finish());
}

Deno.test("CodeWriter has a method for every instruction, and each validates", () => {
  const invalid: string[] = [];
  const call = (name: string, ...immediates: number[]) => {
    const write = (code: CodeWriter) =>
      (code as unknown as Record<string, Exported>)[name]?.call(code, ...immediates);
    if (!validates(write)) invalid.push(name);
  };
  for (const name of Object.keys(PLAIN)) call(name);
  for (const name of Object.keys(INDEXED)) call(name, 0);
  for (const name of Object.keys(MEMORY)) call(name, 70000);
  for (const name of Object.keys(MEMORY_LANE)) call(name, 1, 70000);
  assertEquals(invalid, []);
});

Deno.test("The tables of instructions give no code twice, and none of relaxed SIMD", () => {
  const codes = [
    ...Object.values(PLAIN),
    ...Object.values(INDEXED),
    ...Object.values(MEMORY).map(([code]) => code),
    ...Object.values(MEMORY_LANE).map(([code]) => code),
  ];
  assertEquals(new Set(codes).size, codes.length);
  assert(codes.every((code) => code < 0xfe00));
});

Deno.test("CodeWriter.i32Const and i64Const give back corner values", () => {
  const corners = [0n, 1n, -1n, 63n, 64n, -64n, -65n, 127n, 128n, 8191n, 8192n, 0x7fffffffn, 0x80000000n]
    .concat([-0x80000000n, -0x80000001n, 0xffffffffn, 1n << 62n, 1n << 63n, (1n << 64n) - 1n, -(1n << 63n)]);
  for (const value of corners) {
    const wide = functionOf([], ["i64"], (code) => code.i64Const(value));
    assertEquals(wide(), BigInt.asIntN(64, value));
    const narrow = functionOf([], ["i32"], (code) => code.i32Const(Number(BigInt.asIntN(32, value))));
    assertEquals(narrow(), Number(BigInt.asIntN(32, value)));
  }
});

Deno.test("CodeWriter.v128Const, f32ConstBits and f64ConstBits keep all bits", () => {
  const value = 0xfedcba98_76543210_0f1e2d3c_4b5a6978n;
  const half = (lane: number) =>
    functionOf([], ["i64"], (code) => {
      code.v128Const(value);
      code.i64x2ExtractLane(lane);
    })();
  assertEquals([half(0), half(1)].map((part) => BigInt.asUintN(64, part)), [
    0x0f1e2d3c_4b5a6978n,
    0xfedcba98_76543210n,
  ]);
  assertEquals(functionOf([], ["f32"], (code) => code.f32ConstBits(0xbf800000))(), -1);
  assertEquals(functionOf([], ["f64"], (code) => code.f64ConstBits(0x3fe0000000000000n))(), 0.5);
});

Deno.test("CodeWriter counts labels from the outermost block", () => {
  const choose = functionOf(["i32"], ["i32"], (code) => {
    const outer = code.block("i32"), inner = code.block(), first = code.block();
    code.localGet(0);
    code.brTable([first, inner], inner);
    code.end();
    code.i32Const(10);
    code.br(outer);
    code.end();
    code.i32Const(20);
    code.end();
  });
  assertEquals([0, 1, 2].map((index) => choose(index)), [10, 20, 20]);
  const sum = functionOf(["i32"], ["i32"], (code) => {
    const total = code.takeLocal("i32");
    const again = code.loop();
    code.localGet(0);
    code.localGet(total);
    code.i32Add();
    code.localSet(total);
    code.localGet(0);
    code.i32Const(1);
    code.i32Sub();
    code.localTee(0);
    code.brIf(again);
    code.end();
    code.localGet(total);
  });
  assertEquals(sum(10), 55);
});

Deno.test("CodeWriter gives out released locals again, of the same type alone", () => {
  const code = new CodeWriter(2);
  const first = code.takeLocal("i32"), second = code.takeLocal("i64");
  assertEquals([first, second], [2, 3]);
  code.releaseLocal(first);
  assertEquals(code.takeLocal("i64"), 4);
  assertEquals(code.takeLocal("i32"), first);
});

Deno.test("CodeWriter refuses labels of closed blocks and unbalanced ends", () => {
  const code = new CodeWriter();
  const label = code.block();
  code.end();
  assertThrows(() => code.br(label), RangeError, "Label 1 is not of an open block");
  assertThrows(() => code.end(), RangeError, "no block to end");
  assertThrows(() => code.releaseLocal(0), RangeError, "Local 0 was not taken");
});
