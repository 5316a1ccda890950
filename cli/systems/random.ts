/** Random numbers of checks, from a seed that they print. */

/** Numbers below 2^32 from a seed, the same everywhere (mulberry32). */
export function* seeded(seed: number): Generator<number, never> {
  for (let state = seed >>> 0;;) {
    state = (state + 0x6d2b79f5) >>> 0;
    let bits = Math.imul(state ^ (state >>> 15), state | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    yield (bits ^ (bits >>> 14)) >>> 0;
  }
}
