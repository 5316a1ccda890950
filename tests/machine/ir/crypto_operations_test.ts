/** Rounds of AES, SHA-1, SHA-256 and SHA-512 put together as programs do, against the host's own. */
import { assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { createCipheriv, createDecipheriv, createHash } from "node:crypto";
import { assembleLine } from "../../../machine/a64/assembly.ts";
import { decode, type Decoded, lower } from "../../../machine/a64/rows.ts";
import { CRYPTO_OPERATIONS, type CryptoOperation } from "../../../machine/ir/crypto_operations.ts";
import type { ExecutionContext, IrNode } from "../../../machine/ir/operation.ts";
import { OPERATIONS } from "../../../machine/ir/operations.ts";
import { randomNumbers } from "../a64/random_words.ts";

const SEED = 7;

function apply(op: CryptoOperation, a: bigint, b = 0n, c = 0n): bigint {
  const node: IrNode = { op, width: 128, args: [], immediates: [] };
  return CRYPTO_OPERATIONS[op].evaluate(node, a, b, c, undefined as unknown as ExecutionContext);
}

/** A value with the lowest byte first, as registers are in memory. */
function toValue(bytes: Iterable<number>): bigint {
  return [...bytes].reduceRight((value, byte) => value << 8n | BigInt(byte), 0n);
}
function toBytes(value: bigint, size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, index) => Number(value >> BigInt(8 * index) & 255n));
}
function words(...values: readonly number[]): bigint {
  return values.reduceRight((value, word) => value << 32n | BigInt(word >>> 0), 0n);
}
const wordOf = (value: bigint, index: number): number => Number(value >> BigInt(32 * index) & 0xffff_ffffn);

/** The eleven round keys (FIPS 197, 5.2); SubWord is AES of a column repeated four times. */
function expandKey(key: bigint): bigint[] {
  const columns = [0, 1, 2, 3].map((index) => wordOf(key, index));
  let constant = 1;
  for (let index = 4; index < 44; index++) {
    let column = columns[index - 1] as number;
    if (index % 4 === 0) {
      const substituted = wordOf(apply("aesEncrypt", words(column, column, column, column)), 0);
      column = (substituted >>> 8 | substituted << 24) ^ constant;
      constant = constant << 1 ^ (constant >> 7) * 0x11b;
    }
    columns.push((columns[index - 4] as number) ^ column);
  }
  return Array.from({ length: 11 }, (_, round) => words(...columns.slice(round * 4, round * 4 + 4)));
}

Deno.test("operations of AES encrypt and decrypt as the host does", () => {
  const random = randomNumbers(SEED);
  for (let round = 0; round < 20; round++) {
    const [key, text] = [0, 1].map(() => words(random(), random(), random(), random())) as [bigint, bigint];
    const keys = expandKey(key), last = keys[10] as bigint;
    let state = text;
    for (const each of keys.slice(0, 9)) state = apply("aesMixColumns", apply("aesEncrypt", state, each));
    state = apply("aesEncrypt", state, keys[9]) ^ last;
    const cipher = createCipheriv("aes-128-ecb", toBytes(key, 16), null).setAutoPadding(false);
    const theirs = cipher.update(toBytes(text, 16));
    assertEquals(toValue(theirs), state, `seed ${SEED}, round ${round}`);
    let back = apply("aesDecrypt", state, last);
    for (const each of keys.slice(1, 10).reverse()) {
      back = apply("aesDecrypt", apply("aesInverseMixColumns", back), apply("aesInverseMixColumns", each));
    }
    const decipher = createDecipheriv("aes-128-ecb", toBytes(key, 16), null).setAutoPadding(false);
    assertEquals([back ^ (keys[0] as bigint), toValue(decipher.update(theirs))], [text, text]);
  }
});

/** A message of one block, padded, as big-endian words of `bits` bits. */
function block(message: string, bits: 32 | 64): bigint[] {
  const bytes = Buffer.alloc(bits * 2);
  bytes.write(message);
  bytes[message.length] = 0x80;
  bytes.writeUInt32BE(message.length * 8, bits * 2 - 4);
  return Array.from(
    { length: 16 },
    (_, index) => bits === 32 ? BigInt(bytes.readUInt32BE(index * 4)) : bytes.readBigUInt64BE(index * 8),
  );
}

/** Four words as a vector. */
const four = (values: readonly bigint[]): bigint => words(...values.slice(0, 4).map(Number));
/** The sum of vectors lane by lane. */
function add(a: bigint, b: bigint): bigint {
  return words(...[0, 1, 2, 3].map((index) => wordOf(a, index) + wordOf(b, index)));
}
const hexOfWords = (...values: readonly bigint[]): string =>
  values.flatMap((value) => [0, 1, 2, 3].map((index) => wordOf(value, index).toString(16).padStart(8, "0")))
    .join("");

/** The first `count` roots' fractions, of 64 bits, of the primes (FIPS 180-4, 4.2), by bisection. */
function fractions(count: number, power: bigint): bigint[] {
  const primes: bigint[] = [];
  for (let n = 2n; primes.length < count; n++) if (primes.every((prime) => n % prime !== 0n)) primes.push(n);
  return primes.map((prime) => {
    let low = 0n, high = 1n << 70n;
    const target = prime << 64n * power;
    while (high - low > 1n) {
      const middle = (low + high) / 2n;
      if (middle ** power <= target) low = middle;
      else high = middle;
    }
    return BigInt.asUintN(64, low);
  });
}
const SQUARE_ROOTS = fractions(8, 2n), CUBE_ROOTS = fractions(80, 3n);
const upperHalf = (value: bigint): bigint => value >> 32n;

Deno.test("operations of SHA-1 hash as the host does", () => {
  const first = words(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476);
  const kinds = ["sha1Choose", "sha1Parity", "sha1Majority", "sha1Parity"] as const;
  const constants = [0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6];
  for (const message of ["", "abc", "The quick brown fox jumps over the lazy dog"]) {
    const schedule = [0, 4, 8, 12].map((at) => four(block(message, 32).slice(at)));
    let abcd = first, e = 0xc3d2e1f0n;
    for (let group = 0; group < 20; group++) {
      const [w0, w1, w2, w3] = schedule.slice(group) as [bigint, bigint, bigint, bigint];
      const k = constants[Math.floor(group / 5)] as number;
      const next = BigInt(wordOf(abcd, 0) << 30 | wordOf(abcd, 0) >>> 2) & 0xffff_ffffn;
      abcd = apply(kinds[Math.floor(group / 5)] as CryptoOperation, abcd, e, add(w0, words(k, k, k, k)));
      e = next;
      // SHA1SU0 is an exclusive or of three.
      const mixed = (BigInt.asUintN(64, w1) << 64n | w0 >> 64n) ^ w0 ^ w2;
      schedule.push(apply("sha1Schedule", mixed, w3));
    }
    const digest = hexOfWords(add(abcd, first)) +
      BigInt.asUintN(32, e + 0xc3d2e1f0n).toString(16).padStart(8, "0");
    assertEquals(digest, createHash("sha1").update(message).digest("hex"));
  }
});

Deno.test("operations of SHA-256 hash as the host does", () => {
  const start = SQUARE_ROOTS.map(upperHalf), low = four(start), high = four(start.slice(4));
  for (const message of ["", "abc", "The quick brown fox jumps over the lazy dog"]) {
    const schedule = [0, 4, 8, 12].map((at) => four(block(message, 32).slice(at)));
    let abcd = low, efgh = high;
    for (let group = 0; group < 16; group++) {
      const [w0, w1, w2, w3] = schedule.slice(group) as [bigint, bigint, bigint, bigint];
      const sum = add(w0, four(CUBE_ROOTS.slice(group * 4).map(upperHalf)));
      [abcd, efgh] = [apply("sha256RoundsLow", abcd, efgh, sum), apply("sha256RoundsHigh", abcd, efgh, sum)];
      schedule.push(apply("sha256Schedule1", apply("sha256Schedule0", w0, w1), w2, w3));
    }
    const digest = hexOfWords(add(abcd, low), add(efgh, high));
    assertEquals(digest, createHash("sha256").update(message).digest("hex"));
  }
});

/** Executes instructions on vector registers. */
function execute(v: BigUint64Array, lines: readonly string[]): void {
  const context = { v, helper: () => 0n } as unknown as ExecutionContext;
  for (const line of lines) {
    const { row, fields } = decode(assembleLine(line, { address: 0n })) as Decoded;
    const values: bigint[] = [];
    for (const node of lower(row, fields)) {
      const argument = (at: number) => values[node.args[at] ?? -1] ?? 0n;
      values.push(OPERATIONS[node.op].evaluate(node, argument(0), argument(1), argument(2), context));
    }
  }
}

/** Two rounds: V0 to V3 hold a and b to g and h, V4 two words of the schedule with their constants. */
// deno-fmt-ignore
const SHA512_ROUNDS = [
  "ext v4.16b, v4.16b, v4.16b, #8", "ext v5.16b, v2.16b, v3.16b, #8", "ext v6.16b, v1.16b, v2.16b, #8",
  "add v3.2d, v3.2d, v4.2d", "sha512h q3, q5, v6.2d", "add v4.2d, v1.2d, v3.2d", "sha512h2 q3, q1, v0.2d",
];

Deno.test("instructions of SHA-512 hash as the host does", () => {
  for (const message of ["", "abc", "The quick brown fox jumps over the lazy dog"]) {
    const schedule = block(message, 64), v = new BigUint64Array(64), state = [...SQUARE_ROOTS];
    for (let at = 0; at < 80; at += 2) {
      const sums = [0, 1].map((index) =>
        (schedule[at + index] as bigint) + (CUBE_ROOTS[at + index] as bigint)
      );
      v.set([...state, ...sums]);
      execute(v, SHA512_ROUNDS);
      // V4 is now e and f, V3 a and b; the others move on.
      state.splice(
        0,
        8,
        v[6] as bigint,
        v[7] as bigint,
        ...state.slice(0, 2),
        v[8] as bigint,
        v[9] as bigint,
        ...state.slice(4, 6),
      );
      v.set(schedule.slice(at, at + 4), 0);
      v.set([
        schedule[at + 14] as bigint,
        schedule[at + 15] as bigint,
        schedule[at + 9] as bigint,
        schedule[at + 10] as bigint,
      ], 4);
      execute(v, ["sha512su0 v0.2d, v1.2d", "sha512su1 v0.2d, v2.2d, v3.2d"]);
      schedule.push(v[0] as bigint, v[1] as bigint);
    }
    const sum = state.map((value, index) => BigInt.asUintN(64, value + (SQUARE_ROOTS[index] as bigint)));
    const digest = sum.map((value) => value.toString(16).padStart(16, "0")).join("");
    assertEquals(digest, createHash("sha512").update(message).digest("hex"));
  }
});
