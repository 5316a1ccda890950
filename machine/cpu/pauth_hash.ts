/** The IMPLEMENTATION DEFINED algorithm of pointer authentication (FEAT_PACIMP): XXH64 over four words, as QEMU 7.2 has it. */

const PRIMES = {
  first: 0x9e37_79b1_85eb_ca87n,
  second: 0xc2b2_ae3d_27d4_eb4fn,
  third: 0x1656_67b1_9e37_79f9n,
  fourth: 0x85eb_ca77_c2b2_ae63n,
} as const;

/** QEMU's seed. */
const SEED = 1n;

const wrap = (value: bigint): bigint => BigInt.asUintN(64, value);
const rotate = (value: bigint, count: bigint): bigint => wrap(value << count) | value >> (64n - count);

function round(accumulator: bigint, input: bigint): bigint {
  return wrap(rotate(wrap(accumulator + input * PRIMES.second), 31n) * PRIMES.first);
}

/** What the four accumulators start from, and how they are rotated when they are brought together. */
const STARTS = [SEED + PRIMES.first + PRIMES.second, SEED + PRIMES.second, SEED, SEED - PRIMES.first];
const ROTATIONS = [1n, 7n, 12n, 18n];

/** The hash of four unsigned words of 64 bits; unlike XXH64 of 32 bytes it leaves the length out. */
export function hashFour(...words: readonly [bigint, bigint, bigint, bigint]): bigint {
  const rounds = words.map((word, index) => round(STARTS[index] as bigint, word));
  let hash = wrap(rounds.reduce((sum, value, index) => sum + rotate(value, ROTATIONS[index] as bigint), 0n));
  for (const value of rounds) hash = wrap((hash ^ round(0n, value)) * PRIMES.first + PRIMES.fourth);
  hash = wrap((hash ^ hash >> 33n) * PRIMES.second);
  hash = wrap((hash ^ hash >> 29n) * PRIMES.third);
  return hash ^ hash >> 32n;
}
