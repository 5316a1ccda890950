/** WebAssembly forms of the operations of SHA-1 and SHA-256: rounds on words, message schedules on vectors. */
import type { CodeWriter } from "../wasm/code_writer.ts";
import type { Emitter } from "./emit.ts";
import { emitShared } from "./emit_shared.ts";
import { setScratch } from "./emit_vector.ts";
import type { Emit } from "./operation.ts";

type Words = [number, number, number, number];

/** Locals with the words of a vector. */
function wordsOf(code: CodeWriter, vector: number): Words {
  return [0, 1, 2, 3].map((lane) => {
    const word = code.takeLocal("i32");
    code.localGet(vector);
    code.i32x4ExtractLane(lane);
    code.localSet(word);
    return word;
  }) as Words;
}

/** Pushes the vector of words in locals. */
function pushWords(code: CodeWriter, words: Words): void {
  for (const [lane, word] of words.entries()) {
    code.localGet(word);
    if (lane === 0) code.i32x4Splat();
    else code.i32x4ReplaceLane(lane);
  }
}

/** Adds a word of a vector to what is on the stack. */
function addWord(code: CodeWriter, vector: number, lane: number): void {
  code.localGet(vector);
  code.i32x4ExtractLane(lane);
  code.i32Add();
}

/** Pushes a word rotated to the left. */
function pushRotated(code: CodeWriter, word: number, count: number): void {
  code.localGet(word);
  code.i32Const(count);
  code.i32Rotl();
}

/** Writes what pushes a function of three words in locals (FIPS 180-4, 4.1). */
export type PushMix = (code: CodeWriter, x: number, y: number, z: number) => void;

/** (y ^ z) & x ^ z. */
export const pushChoose: PushMix = (code, x, y, z) => {
  code.localGet(y);
  code.localGet(z);
  code.i32Xor();
  code.localGet(x);
  code.i32And();
  code.localGet(z);
  code.i32Xor();
};

/** x ^ y ^ z. */
export const pushParity: PushMix = (code, x, y, z) => {
  code.localGet(x);
  code.localGet(y);
  code.i32Xor();
  code.localGet(z);
  code.i32Xor();
};

/** (x ^ y) & (y ^ z) ^ y. */
export const pushMajority: PushMix = (code, x, y, z) => {
  code.localGet(x);
  code.localGet(y);
  code.i32Xor();
  code.localGet(y);
  code.localGet(z);
  code.i32Xor();
  code.i32And();
  code.localGet(y);
  code.i32Xor();
};

/** Four rounds of SHA-1: a to d, e, schedule. */
export function emitSha1Rounds(pushMix: PushMix): Emit {
  return emitShared({
    parameters: ["v128", "i32", "v128"],
    result: "v128",
    write(code) {
      let [a, b, c, d] = wordsOf(code, 0), e = 1;
      for (let round = 0; round < 4; round++) {
        code.localGet(e);
        pushRotated(code, a, 5);
        code.i32Add();
        pushMix(code, b, c, d);
        code.i32Add();
        addWord(code, 2, round);
        code.localSet(e);
        pushRotated(code, b, 30);
        code.localSet(b);
        [a, b, c, d, e] = [e, a, b, c, d];
      }
      pushWords(code, [a, b, c, d]);
    },
  });
}

/** Pushes the exclusive or of a word rotated left by three amounts. */
function pushRotations(code: CodeWriter, word: number, counts: readonly [number, number, number]): void {
  for (const [index, count] of counts.entries()) {
    pushRotated(code, word, count);
    if (index > 0) code.i32Xor();
  }
}

const UPPER_0 = [30, 19, 10] as const, UPPER_1 = [26, 21, 7] as const;

/**
 * Four rounds of SHA-256: a to d, e to h, schedule. What a round adds to functions of a to c and of e to g, that is its
 * word, h and d, is known before the four: the sums are made at once, of all but d, and of all. What is next for e to h
 * does not depend on what a to d become, so that the high half is less work.
 */
export function emitSha256Rounds(isHigh: boolean): Emit {
  return emitShared({
    parameters: ["v128", "v128", "v128"],
    result: "v128",
    write(code) {
      const all = code.takeLocal("v128"), first = code.takeLocal("i32");
      pushChosen(code, 1, 1, [3, 2, 1, 0]);
      code.localGet(2);
      code.i32x4Add();
      code.localTee(2);
      pushChosen(code, 0, 0, [3, 2, 1, 0]);
      code.i32x4Add();
      code.localSet(all);
      let [a, b, c, d] = wordsOf(code, 0), [e, f, g, h] = wordsOf(code, 1);
      for (let round = 0; round < 4; round++) {
        pushRotations(code, e, UPPER_1);
        pushChoose(code, e, f, g);
        code.i32Add();
        code.localTee(first);
        addWord(code, all, round);
        code.localSet(h);
        if (!isHigh) {
          pushMajority(code, a, b, c);
          addWord(code, 2, round);
          pushRotations(code, a, UPPER_0);
          code.i32Add();
          code.localGet(first);
          code.i32Add();
          code.localSet(d);
        }
        [a, b, c, d, e, f, g, h] = [d, a, b, c, h, e, f, g];
      }
      pushWords(code, isHigh ? [e, f, g, h] : [a, b, c, d]);
    },
  });
}

/** Pushes words of two vectors in locals: 0 to 3 of the first, 4 to 7 of the second. */
function pushChosen(code: CodeWriter, first: number, second: number, words: Words): void {
  code.localGet(first);
  code.localGet(second);
  code.i8x16Shuffle(words.flatMap((word) => [0, 1, 2, 3].map((byte) => word * 4 + byte)));
}

/** A shift by a constant, as in `i32x4ShrU`. */
type VectorShift = "i32x4Shl" | "i32x4ShrU" | "i64x2ShrU";

/** Pushes the exclusive or of a vector shifted by several amounts. */
function pushShifts(code: CodeWriter, vector: number, shifts: readonly [VectorShift, number][]): void {
  for (const [index, [shift, count]] of shifts.entries()) {
    code.localGet(vector);
    code.i32Const(count);
    code[shift]();
    if (index > 0) code.v128Xor();
  }
}

/** Second half of the message schedule of SHA-1: lanes rotated; the last also depends on the first's result. */
export function emitSha1Schedule(_node: unknown, e: Emitter): void {
  const { code } = e, a = e.local(0), b = e.local(1);
  const zero = e.scratch("v128"), result = e.scratch("v128");
  code.v128Const(0n);
  code.localSet(zero);
  code.localGet(a);
  pushChosen(code, b, zero, [1, 2, 3, 4]);
  code.v128Xor();
  code.localSet(result);
  pushShifts(code, result, [["i32x4Shl", 1], ["i32x4ShrU", 31]]);
  code.localTee(result);
  code.localGet(zero);
  code.localGet(result);
  code.i32x4ExtractLane(0);
  code.i32Const(1);
  code.i32Rotl();
  code.i32x4ReplaceLane(3);
  code.v128Xor();
}

/** First half of the message schedule of SHA-256. */
export function emitSha256Schedule0(_node: unknown, e: Emitter): void {
  const { code } = e, a = e.local(0), b = e.local(1);
  pushChosen(code, a, b, [1, 2, 3, 4]);
  const next = setScratch(e);
  code.localGet(a);
  // deno-fmt-ignore
  pushShifts(code, next, [["i32x4ShrU", 7], ["i32x4Shl", 25], ["i32x4ShrU", 18], ["i32x4Shl", 14], ["i32x4ShrU", 3]]);
  code.i32x4Add();
}

/** Second half of the message schedule of SHA-256: the upper words depend on the lower ones' results. */
export function emitSha256Schedule1(_node: unknown, e: Emitter): void {
  const { code } = e, a = e.local(0), b = e.local(1), c = e.local(2);
  const zero = e.scratch("v128"), result = e.scratch("v128"), twice = e.scratch("v128");
  code.v128Const(0n);
  code.localSet(zero);
  code.localGet(a);
  pushChosen(code, b, c, [1, 2, 3, 4]);
  code.i32x4Add();
  code.localSet(result);
  // Each word stands twice in a doubleword, whose lower half shifted to the right is the word rotated.
  const steps: [number, Words, Words][] = [[c, [2, 2, 3, 3], [0, 2, 4, 4]], [result, [0, 0, 1, 1], [
    4,
    4,
    0,
    2,
  ]]];
  for (const [before, words, places] of steps) {
    pushChosen(code, before, before, words);
    code.localSet(twice);
    pushShifts(code, twice, [["i64x2ShrU", 17], ["i64x2ShrU", 19], ["i32x4ShrU", 10]]);
    code.localSet(twice);
    code.localGet(result);
    pushChosen(code, twice, zero, places);
    code.i32x4Add();
    code.localSet(result);
  }
  code.localGet(result);
}
