/** WebAssembly form of CRC32: what each bit of the remainder adds to the result, four bits at a time. */
import type { CodeWriter, SharedFunction } from "../wasm/code_writer.ts";
import type { Emitter } from "./emit.ts";
import { int, type IrNode } from "./operation.ts";

/** What a bit of the remainder adds to the result when it is the lowest after some steps and there are `steps` from then. */
function contribution(polynomial: number, steps: number): number {
  let remainder = 1;
  for (; steps > 0; steps--) remainder = remainder >>> 1 ^ ((remainder & 1) === 0 ? 0 : polynomial);
  return remainder >>> 0;
}

/** Words as a vector, the first lowest. */
const vectorOf = (words: readonly number[]): bigint =>
  words.reduceRight((value, word) => value << 32n | BigInt(word), 0n);

/** Pushes the exclusive or of what the bits of a word, the one from bit `first` of the remainder on, add to the result. */
function pushContributions(
  code: CodeWriter,
  word: number,
  first: number,
  bits: number,
  polynomial: number,
): void {
  const lanes = code.takeLocal("v128"), last = Math.min(first + 32, bits);
  // Bit 3 of lane i is bit i of the word.
  code.localGet(word);
  code.i32x4Splat();
  code.v128Const(vectorOf([8, 4, 2, 1]));
  code.i32x4Mul();
  code.localSet(lanes);
  for (let bit = first; bit < last; bit += 4) {
    code.localGet(lanes);
    code.i32Const(28 - (bit - first));
    code.i32x4Shl();
    code.i32Const(31);
    code.i32x4ShrS();
    code.v128Const(vectorOf([0, 1, 2, 3].map((lane) => contribution(polynomial, bits - bit - lane))));
    code.v128And();
    if (bit > first) code.v128Xor();
  }
}

/** Replaces the vector on the stack by the exclusive or of its words. */
function xorWords(code: CodeWriter): void {
  const lanes = code.takeLocal("v128"), halves = code.takeLocal("i64");
  code.localTee(lanes);
  code.i64x2ExtractLane(0);
  code.localGet(lanes);
  code.i64x2ExtractLane(1);
  code.i64Xor();
  code.localTee(halves);
  code.i32WrapI64();
  code.localGet(halves);
  code.i64Const(32);
  code.i64ShrU();
  code.i32WrapI64();
  code.i32Xor();
}

/** The function for data of so many bits: the accumulator, the data. */
function crcFunction(bits: number, polynomial: number): SharedFunction {
  return {
    parameters: ["i32", "i64"],
    result: "i32",
    write(code) {
      code.localGet(0);
      code.localGet(1);
      code.i32WrapI64();
      if (bits < 32) {
        code.i32Const(2 ** bits - 1);
        code.i32And();
      }
      code.i32Xor();
      code.localSet(0);
      pushContributions(code, 0, 0, bits, polynomial);
      if (bits === 64) {
        const upper = code.takeLocal("i32");
        code.localGet(1);
        code.i64Const(32);
        code.i64ShrU();
        code.i32WrapI64();
        code.localSet(upper);
        pushContributions(code, upper, 32, bits, polynomial);
        code.v128Xor();
      }
      xorWords(code);
      if (bits >= 32) return;
      code.localGet(0);
      code.i32Const(bits);
      code.i32ShrU();
      code.i32Xor();
    },
  };
}

const FUNCTIONS = new Map<string, SharedFunction>();

/** Immediates are the bits of the data and the polynomial. */
export function emitCrc32(node: IrNode, e: Emitter): void {
  const key = node.immediates.join();
  let callee = FUNCTIONS.get(key);
  if (callee === undefined) {
    callee = crcFunction(int(node, 0), Number(node.immediates[1] as bigint));
    FUNCTIONS.set(key, callee);
  }
  e.argument(0);
  e.argument(1);
  if (e.width(1) !== 64) e.code.i64ExtendI32U();
  e.code.callShared(callee);
}
