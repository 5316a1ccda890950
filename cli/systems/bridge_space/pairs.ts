/** Pairs of addresses for bridge-space: those that QEMU is asked too, and random ones. */
import {
  ARENA,
  ARENA_SIZE,
  coreSizes,
  type Pair,
  REASONS,
  RESERVED,
} from "../../../firmware/bridge_space/image.ts";

const PAGE = 4096;
const FIRST = ARENA + RESERVED;

/** A pair with what has to become of it. */
export interface ExpectedPair extends Pair {
  /** Why it is refused; undefined when it is not. */
  readonly refusal?: keyof typeof REASONS;
}

/** What the loader is told on the disk, so that both machines do it: bridges, and each way to be refused. */
export function fixedPairs(bits: number): readonly ExpectedPair[] {
  const a = BigInt(FIRST + 0x4000), { image, window } = coreSizes(), limit = 1n << BigInt(bits);
  const page = BigInt(PAGE);
  // deno-fmt-ignore
  return [
    { from: a,               to: 0x12_3456_7000n },
    { from: a + 0x100_0000n, to: a + 0x200_3000n },
    { from: a,               to: limit - BigInt(image) },
    { from: a,               to: 0n },
    { from: a,               to: a - 3n * page },                   // the images overlap, the switch code does not
    { from: a,               to: a - page, mayTakeTwo: true },
    { from: a,               to: a - page,                          refusal: "OVERLAP" },
    { from: a,               to: a,                                 refusal: "SAME" },
    { from: a,               to: a + page,                          refusal: "TABLES" },
    { from: a,               to: a + BigInt(window) - page,         refusal: "TABLES" },
    { from: a,               to: limit - BigInt(image) + page,      refusal: "RANGE" },
    { from: a,               to: 0x0900_0000n - page,               refusal: "DEVICE" },
    { from: a,               to: a + 0x200_0800n,                   refusal: "MISALIGNED" },
    { from: a + 8n,          to: a + 0x200_0000n,                   refusal: "MISALIGNED" },
    { from: BigInt(ARENA),   to: a,                                 refusal: "PLACE" },
  ];
}

/** Numbers below a bound, from a seed (xorshift64*). */
export function numbersFrom(seed: number): (below: bigint) => bigint {
  let state = BigInt(seed) * 0x9e3779b97f4a7c15n + 1n & 0xffff_ffff_ffff_ffffn;
  return (below) => {
    state ^= state >> 12n;
    state = BigInt.asUintN(64, state ^ state << 25n);
    state ^= state >> 27n;
    return (BigInt.asUintN(64, state * 0x2545f4914f6cdd1dn) >> 8n) % below;
  };
}

/**
 * Random pairs: VA_a anywhere in the loader's memory; VA_b mostly anywhere at all, in others in the loader's memory or
 * where the firmware's own tables map something, so that it may be in the TLB, or near VA_a.
 */
export function* randomPairs(seed: number, bits: number): Generator<Pair> {
  const next = numbersFrom(seed), pages = (bytes: number) => BigInt(bytes / PAGE);
  const { window } = coreSizes();
  for (;;) {
    const from = BigInt(FIRST) + next(pages(ARENA_SIZE - RESERVED - window)) * BigInt(PAGE);
    const kind = Number(next(8n));
    const to = BigInt(PAGE) * [
      () => next(1n << BigInt(bits - 12)),
      () => pages(FIRST) + next(pages(ARENA_SIZE - RESERVED)),
      () => next(1n << 19n),
      () => from / BigInt(PAGE) + next(64n) - 32n,
    ][Math.max(0, kind - 4)]!();
    yield { from, to, mayTakeTwo: true };
  }
}
