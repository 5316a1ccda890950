/** IR operations of the cryptographic instructions: rounds of AES, SHA-1 and SHA-256, by tables and 32-bit words. */
import { INVERSE_SUB_BYTES, multiply, SUB_BYTES } from "./aes_field.ts";
import { emitAesMix, emitAesRound } from "./emit_aes.ts";
import {
  emitSha1Rounds,
  emitSha1Schedule,
  emitSha256Rounds,
  emitSha256Schedule0,
  emitSha256Schedule1,
  pushChoose,
  pushMajority,
  pushParity,
} from "./emit_sha.ts";
import { type Evaluate, type OperationRow, pure } from "./operation.ts";

/** A 128-bit value as words and bytes, the lowest first. */
class Block {
  readonly #doublewords = new BigUint64Array(2);
  readonly words: Uint32Array = new Uint32Array(this.#doublewords.buffer);
  readonly bytes: Uint8Array = new Uint8Array(this.#doublewords.buffer);

  get value(): bigint {
    return (this.#doublewords[1] as bigint) << 64n | (this.#doublewords[0] as bigint);
  }
  set value(value: bigint) {
    this.#doublewords[0] = value;
    this.#doublewords[1] = value >> 64n;
  }
}

/** Scratch of the operations; none calls another. */
const A = new Block(), B = new Block(), C = new Block(), RESULT = new Block();

const word = ({ words }: Block, index: number): number => words[index] as number;

const rotateLeft = (word: number, count: number): number => word << count | word >>> (32 - count);

/** ShiftRows moves byte 5i to i modulo 16, its inverse byte 13i (FIPS 197, 5.1.2). */
function aesRound(table: Uint8Array, step: 5 | 13): Evaluate {
  return (_, a, b) => {
    A.value = a ^ b;
    for (let index = 0; index < 16; index++) {
      RESULT.bytes[index] = table[A.bytes[index * step & 15] as number] as number;
    }
    return RESULT.value;
  };
}

/** What the first byte of a column adds to the column, by its value (FIPS 197, 5.1.3). */
function columnTable(...factors: readonly [number, number, number, number]): Int32Array {
  const column = (byte: number) => factors.reduceRight((sum, factor) => sum << 8 | multiply(byte, factor), 0);
  return Int32Array.from({ length: 256 }, (_, byte) => column(byte));
}

function aesMix(table: Int32Array): Evaluate {
  return (_, a) => {
    A.value = a;
    for (let column = 0; column < 4; column++) {
      const at = (row: number) => table[A.bytes[column * 4 + row] as number] as number;
      RESULT.words[column] = at(0) ^ rotateLeft(at(1), 8) ^ rotateLeft(at(2), 16) ^ rotateLeft(at(3), 24);
    }
    return RESULT.value;
  };
}

type Mix = (x: number, y: number, z: number) => number;

const choose: Mix = (x, y, z) => (y ^ z) & x ^ z;
const parity: Mix = (x, y, z) => x ^ y ^ z;
const majority: Mix = (x, y, z) => x & y | (x | y) & z;

/** Four rounds of SHA-1 over a to d (128 bits), e and four words of the schedule; gives a to d (Arm ARM: SHA1C). */
function sha1Rounds(mix: Mix): Evaluate {
  return (_, abcd, first, schedule) => {
    A.value = abcd;
    B.value = schedule;
    let a = word(A, 0), b = word(A, 1), c = word(A, 2), d = word(A, 3), e = Number(first);
    for (let round = 0; round < 4; round++) {
      const next = e + rotateLeft(a, 5) + mix(b, c, d) + word(B, round) | 0;
      [a, b, c, d, e] = [next, a, rotateLeft(b, 30), c, d];
    }
    RESULT.words.set([a, b, c, d]);
    return RESULT.value;
  };
}

/** Second half of the message schedule of SHA-1 (Arm ARM: SHA1SU1). */
function sha1Schedule(a: bigint, b: bigint): bigint {
  A.value = a ^ b >> 32n;
  for (let index = 0; index < 4; index++) RESULT.words[index] = rotateLeft(word(A, index), 1);
  RESULT.words[3] = word(RESULT, 3) ^ rotateLeft(word(A, 0), 2);
  return RESULT.value;
}

/** The exclusive or of a word rotated left by three amounts. */
const rotations = (word: number, a: number, b: number, c: number): number =>
  rotateLeft(word, a) ^ rotateLeft(word, b) ^ rotateLeft(word, c);

/** The functions of FIPS 180-4, 4.1.2; a rotation to the right by n is one to the left by 32 − n. */
const upper0 = (word: number): number => rotations(word, 30, 19, 10);
const upper1 = (word: number): number => rotations(word, 26, 21, 7);
const lower0 = (word: number): number => rotateLeft(word, 25) ^ rotateLeft(word, 14) ^ word >>> 3;
const lower1 = (word: number): number => rotateLeft(word, 15) ^ rotateLeft(word, 13) ^ word >>> 10;

/** Four rounds of SHA-256 over a to d, e to h and four words of the schedule; gives e to h (high) or a to d (SHA256H, SHA256H2). */
function sha256Rounds(isHigh: boolean): Evaluate {
  return (_, abcd, efgh, schedule) => {
    A.value = abcd;
    B.value = efgh;
    C.value = schedule;
    let a = word(A, 0), b = word(A, 1), c = word(A, 2), d = word(A, 3);
    let e = word(B, 0), f = word(B, 1), g = word(B, 2), h = word(B, 3);
    for (let round = 0; round < 4; round++) {
      const first = h + upper1(e) + choose(e, f, g) + word(C, round) | 0;
      const second = first + upper0(a) + majority(a, b, c) | 0;
      [a, b, c, d, e, f, g, h] = [second, a, b, c, first + d | 0, e, f, g];
    }
    RESULT.words.set(isHigh ? [e, f, g, h] : [a, b, c, d]);
    return RESULT.value;
  };
}

/** First half of the message schedule of SHA-256 (Arm ARM: SHA256SU0). */
function sha256Schedule0(a: bigint, b: bigint): bigint {
  A.value = a;
  const after = Number(BigInt.asUintN(32, b));
  for (let index = 0; index < 4; index++) {
    RESULT.words[index] = word(A, index) + lower0(index < 3 ? word(A, index + 1) : after);
  }
  return RESULT.value;
}

/** Second half of the message schedule of SHA-256 (Arm ARM: SHA256SU1). */
function sha256Schedule1(a: bigint, b: bigint, c: bigint): bigint {
  A.value = a;
  B.value = b >> 32n | BigInt.asUintN(32, c) << 96n;
  C.value = c;
  for (let index = 0; index < 4; index++) {
    const before = index < 2 ? word(C, index + 2) : word(RESULT, index - 2);
    RESULT.words[index] = word(A, index) + word(B, index) + lower1(before);
  }
  return RESULT.value;
}

/** Every operation; all are of 128 bits, only the second argument of the SHA-1 rounds has 32. */
// deno-fmt-ignore
export const CRYPTO_OPERATIONS = {
  // AES (FIPS 197): state, round key; state.
  aesEncrypt:           pure(aesRound(SUB_BYTES, 5), emitAesRound(false)),
  aesDecrypt:           pure(aesRound(INVERSE_SUB_BYTES, 13), emitAesRound(true)),
  aesMixColumns:        pure(aesMix(columnTable(2, 1, 1, 3)), emitAesMix(false)),
  aesInverseMixColumns: pure(aesMix(columnTable(14, 9, 13, 11)), emitAesMix(true)),
  // SHA-1 (FIPS 180-4): a to d, e, schedule; and two parts of the schedule.
  sha1Choose:           pure(sha1Rounds(choose), emitSha1Rounds(pushChoose)),
  sha1Parity:           pure(sha1Rounds(parity), emitSha1Rounds(pushParity)),
  sha1Majority:         pure(sha1Rounds(majority), emitSha1Rounds(pushMajority)),
  sha1Schedule:         pure((_, a, b) => sha1Schedule(a, b), emitSha1Schedule),
  // SHA-256 (FIPS 180-4): a to d, e to h, schedule, giving a to d or e to h; and parts of the schedule.
  sha256RoundsLow:      pure(sha256Rounds(false), emitSha256Rounds(false)),
  sha256RoundsHigh:     pure(sha256Rounds(true), emitSha256Rounds(true)),
  sha256Schedule0:      pure((_, a, b) => sha256Schedule0(a, b), emitSha256Schedule0),
  sha256Schedule1:      pure((_, a, b, c) => sha256Schedule1(a, b, c), emitSha256Schedule1),
} as const satisfies Record<string, OperationRow>;

/** Name of such an operation. */
export type CryptoOperation = keyof typeof CRYPTO_OPERATIONS;
