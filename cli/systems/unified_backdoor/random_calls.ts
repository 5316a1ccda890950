/** Random register files for calls: most of them nearly right, from a seed. */
import { BUFFER_PAGES, BUFFERS, type Call, STRETCH } from "../../../firmware/unified_backdoor/calls_guest.ts";

/** Numbers from a seed (xorshift64*). */
export class Random {
  #state: bigint;

  /** A seed of 0 is taken as another. */
  constructor(seed: number) {
    this.#state = BigInt(seed) * 0x9e37_79b9_7f4a_7c15n + 1n & 0xffff_ffff_ffff_ffffn || 1n;
  }

  /** 64 bits. */
  word(): bigint {
    let x = this.#state;
    x ^= x >> 12n;
    x = BigInt.asUintN(64, x ^ x << 25n);
    x ^= x >> 27n;
    this.#state = x;
    return BigInt.asUintN(64, x * 0x2545_f491_4f6c_dd1dn);
  }

  /** 0 to `end` − 1. */
  below(end: number): number {
    return Number((this.word() >> 11n) % BigInt(end));
  }

  /** One of some values. */
  pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)]!;
  }

  /** True once in `times`. */
  once(times: number): boolean {
    return this.below(times) === 0;
  }
}

const MAGIC = 0x564d_5868n, CALL = 0x86n << 32n;
const LOW_PORT = 0x5658n, HIGH_PORT = 0x5659n;
/** W7 of the real tools' three calls, and others that are right. */
const INSTRUCTIONS = [
  0x0e,
  0x0e,
  0x0e,
  0x18,
  0x18,
  0x1c,
  0x1c,
  0x0c,
  0x0d,
  0x0a,
  0x06,
  0xfc6,
  0x3c,
  0x38,
  0x1d,
  0x1a,
  0x1e,
  0x14,
  0x10,
];
const COMMANDS = [10n, 17n, 20n, 46n, 55n, 1n, 100n];
/** Without cookies: a channel that nobody knows the cookie of would stay for ever. */
const PROTOCOLS = [0x4943_5052n, 0x4f4c_4354n];
const COUNTS = [0n, 1n, 3n, 16n, 100n, 257n, 4095n, 4097n];
const LARGE_COUNTS = [9000n, 65536n, 65537n, 100_000n, 1n << 40n];
const PAGE = 4096;

function count(random: Random): bigint {
  return random.pick(random.once(8) ? LARGE_COUNTS : COUNTS);
}

function address(random: Random): bigint {
  const page = random.below(BUFFER_PAGES.length + 1), edge = random.pick([0, 1, 7, 8, 100, 2048, 4090, 4095]);
  if (random.once(12)) return random.word();
  if (random.once(4)) return STRETCH.virtual + BigInt(random.below(STRETCH.size));
  return BigInt.asUintN(64, BUFFERS + BigInt(page * PAGE + edge));
}

/** A call that is about a channel of messages. */
function messageCall(random: Random): { readonly x: bigint[] } {
  const channel = BigInt(random.once(8) ? random.below(65536) : random.below(3)) << 16n;
  const type = BigInt(random.once(10) ? random.below(12) : random.below(7)), size = count(random);
  if (random.once(3)) {
    const isIn = random.once(2), bytes = random.once(3) ? count(random) : BigInt(random.below(64));
    const x = [MAGIC, 0x0001_0000n, bytes, HIGH_PORT | channel, 0n, 0n, 0n, CALL | (isIn ? 0x1cn : 0x18n)];
    x[isIn ? 5 : 4] = address(random);
    return { x };
  }
  const argument = type === 0n
    ? random.pick(PROTOCOLS)
    : random.once(2)
    ? BigInt(random.below(64))
    : random.once(2)
    ? size
    : random.word();
  return { x: [MAGIC, argument, type << 16n | 30n, LOW_PORT | channel, 0n, 0n, 0n, CALL | 0x0en] };
}

function anyCall(random: Random): { readonly x: bigint[] } {
  const x = Array.from({ length: 8 }, () => random.word());
  if (!random.once(6)) x[0] = MAGIC;
  if (!random.once(4)) {
    x[3] = random.pick([LOW_PORT, LOW_PORT, HIGH_PORT, 0x80n, 0n]) | BigInt(random.below(4)) << 16n;
  }
  if (!random.once(4)) x[2] = random.once(3) ? count(random) : random.pick(COMMANDS);
  if (!random.once(4)) {
    x[4] = address(random);
    x[5] = address(random);
  }
  x[7] = CALL | (random.once(8) ? random.word() & 0xffff_ffffn : BigInt(random.pick(INSTRUCTIONS)));
  return { x };
}

const OPEN: readonly bigint[] = [MAGIC, PROTOCOLS[0]!, 30n, LOW_PORT, 0n, 0n, 0n, CALL | 0x0en];
/** Bytes of the answer to a call that nobody knows. */
const ANSWER = 17n;

/** A request on channel 0: its type, and X1. */
function request(type: bigint, argument: bigint): bigint[] {
  return [MAGIC, argument, type << 16n | 30n, LOW_PORT, 0n, 0n, 0n, CALL | 0x0en];
}

/** A buffer of channel 0 by the high-bandwidth port. */
function buffer(random: Random, isIn: boolean, bytes: bigint): bigint[] {
  const x = [MAGIC, 0n, bytes, HIGH_PORT, 0n, 0n, 0n, CALL | (isIn ? 0x1cn : 0x18n)];
  x[isIn ? 5 : 4] = address(random);
  return x;
}

/** A message and its answer, whole. */
function conversation(random: Random): bigint[][] {
  const size = random.once(2) ? BigInt(random.below(40)) : count(random),
    words = (size + 3n) / 4n;
  const sends = random.once(2) && words < 20n
    ? Array.from({ length: Number(words) }, () => request(2n, random.word() & 0xffff_ffffn))
    : [buffer(random, false, size)];
  const takes = random.once(2)
    ? Array.from({ length: 5 }, () => request(4n, 1n))
    : [buffer(random, true, ANSWER)];
  return [request(1n, size), ...sends, request(3n, 0n), ...takes, request(5n, 1n)];
}

/** So many calls, from both levels or from one. */
export function randomCalls(seed: number, count: number, levels: readonly (0 | 1)[]): Call[] {
  const random = new Random(seed), planned: bigint[][] = [[...OPEN]];
  const next = (): bigint[] => {
    if (planned.length > 0 && !random.once(8)) return planned.shift()!;
    if (planned.length === 0 && random.once(4)) planned.push(...conversation(random));
    if (random.once(50)) return [...OPEN];
    return (random.once(4) ? messageCall(random) : anyCall(random)).x;
  };
  return Array.from({ length: count }, () => {
    const x = next();
    // The top half of a word is what the other architecture has not.
    if (random.once(16)) x[random.below(7)]! |= random.word() << 32n & (1n << 64n) - 1n;
    return { x, level: random.pick(levels), mends: random.once(2) };
  });
}
