/** Control register values taken apart. */
import { assertEquals } from "@std/assert";
import { A57, ALL_GRANULES, controls } from "./support.ts";

const TG0 = new Map([[12, 0n], [16, 1n], [14, 2n]]), TG1 = new Map([[12, 2n], [16, 3n], [14, 1n]]);

/** First level by granule and bits of input address (Arm ARM D5.2.3). */
// deno-fmt-ignore
const FIRST_LEVELS: readonly (readonly [granule: number, inputSize: number, level: number])[] = [
  [12, 48, 0], [12, 40, 0], [12, 39, 1], [12, 31, 1], [12, 30, 2], [12, 25, 2],
  [14, 48, 0], [14, 47, 1], [14, 37, 1], [14, 36, 2], [14, 26, 2], [14, 25, 3],
  [16, 48, 1], [16, 43, 1], [16, 42, 2], [16, 30, 2], [16, 29, 3], [16, 25, 3],
];

Deno.test("translationControls starts at the level that granule and size give, in both ranges", () => {
  for (const [granule, inputSize, level] of FIRST_LEVELS) {
    const size = BigInt(64 - inputSize);
    const tcr = size | (size << 16n) | ((TG0.get(granule) as bigint) << 14n) |
      ((TG1.get(granule) as bigint) << 30n);
    const { lower, upper } = controls({ tcr }).stage1;
    for (const range of [lower, upper]) {
      assertEquals([range?.granule, range?.inputSize, range?.level, range?.fault], [
        granule,
        inputSize,
        level,
        undefined,
      ]);
    }
  }
});

Deno.test("translationControls makes walks fault for TnSZ out of bounds and for EPD", () => {
  const faults = (tcr: bigint) => {
    const { lower, upper } = controls({ tcr }).stage1;
    return [lower.fault, upper?.fault];
  };
  assertEquals(faults(16n | (39n << 16n)), [undefined, undefined]);
  assertEquals(faults(15n | (40n << 16n)), ["translation", "translation"]);
  assertEquals(faults(25n | (25n << 16n) | (1n << 7n)), ["translation", undefined]);
  assertEquals(faults(25n | (25n << 16n) | (1n << 23n)), [undefined, "translation"]);
});

Deno.test("translationControls takes 4 KiB for granules that are reserved or not implemented", () => {
  const granules = (tg0: bigint, tg1: bigint, limits = A57) => {
    const { lower, upper } =
      controls({ tcr: 25n | (25n << 16n) | (tg0 << 14n) | (tg1 << 30n) }, { limits }).stage1;
    return [lower.granule, upper?.granule];
  };
  assertEquals(granules(2n, 1n), [12, 12]);
  assertEquals(granules(2n, 1n, ALL_GRANULES), [14, 14]);
  assertEquals(granules(3n, 0n, ALL_GRANULES), [12, 12]);
});

Deno.test("translationControls bounds output addresses by IPS or PS and by what is implemented", () => {
  const IPS = (value: bigint) =>
    controls({ tcr: 25n | (value << 32n) }, { limits: A57 }).stage1.lower.outputSize;
  assertEquals([0n, 1n, 2n, 3n, 4n, 5n, 6n].map(IPS), [32, 36, 40, 42, 44, 44, 44]);
  const PS = controls({ tcr: 25n | (1n << 16n) }, { regime: "EL2" }).stage1.lower.outputSize;
  assertEquals(PS, 36);
  const large = controls({ tcr: 25n | (1n << 32n), ttbr0: 1n << 36n }).stage1.lower;
  assertEquals([large.base, large.fault], [2 ** 36, "addressSize"]);
});

Deno.test("translationControls leaves out of TTBR the ASID and the bits below the table", () => {
  const { lower } = controls({ tcr: 16n | (5n << 32n), ttbr0: 0xabcd_0000_4000_1fffn }).stage1;
  assertEquals(lower.base, 0x4000_1000);
  // 25 bits of input make 16 entries of level 2, 128 bytes.
  assertEquals(controls({ tcr: 39n, ttbr0: 0x4000_00ffn }).stage1.lower.base, 0x4000_0080);
});

/** T0SZ, SL0, granule field and whether tables can be so, with 44 bits of physical address. */
// deno-fmt-ignore
const STAGE2: readonly (readonly [T0SZ: bigint, SL0: bigint, TG0: bigint, level: number | undefined])[] = [
  [25n, 1n, 0n, 1],         // 39 bits, one table
  [24n, 1n, 0n, 1],         // 40 bits, two tables concatenated
  [21n, 1n, 0n, 1],         // 43 bits, sixteen
  [20n, 1n, 0n, undefined], // 44 bits would need 32
  [20n, 2n, 0n, 0],
  [25n, 2n, 0n, undefined], // level 0 would have one entry
  [19n, 2n, 0n, undefined], // more than 44 bits
  [30n, 0n, 0n, 2],
  [25n, 3n, 0n, undefined],
  [22n, 1n, 1n, 2],
  [21n, 2n, 1n, 1],
  [35n, 0n, 1n, 3],
];

Deno.test("translationControls knows which stage 2 tables can be", () => {
  for (const [T0SZ, SL0, granule, level] of STAGE2) {
    const vtcr = T0SZ | (SL0 << 6n) | (granule << 14n) | (4n << 16n);
    const { stage2 } = controls({ vtcr, hcr: 1n }, { limits: A57 });
    assertEquals(stage2?.fault, level === undefined ? "translation" : undefined, `T0SZ ${T0SZ}, SL0 ${SL0}`);
    if (level !== undefined) assertEquals([stage2?.level, stage2?.inputSize], [level, 64 - Number(T0SZ)]);
  }
});

Deno.test("translationControls enables stages as SCTLR.M, HCR_EL2.VM, DC and TGE say", () => {
  const enabled = (sctlr: bigint, hcr: bigint, secure = false) => {
    const { stage1, stage2 } = controls({ sctlr, hcr }, { secure });
    return [stage1.enabled, stage2 !== undefined];
  };
  const VM = 1n, DC = 1n << 12n, TGE = 1n << 27n;
  assertEquals(enabled(0n, 0n), [false, false]);
  assertEquals(enabled(1n, 0n), [true, false]);
  assertEquals(enabled(1n, VM), [true, true]);
  assertEquals(enabled(1n, DC), [false, true]);
  assertEquals(enabled(1n, TGE), [false, false]);
  assertEquals(enabled(1n, VM, true), [true, false]);
  assertEquals(controls({ sctlr: 1n, hcr: VM }, { regime: "EL2" }).stage2, undefined);
});

Deno.test("translationControls takes PTW, CD and ID from HCR_EL2, and no PTW under TGE", () => {
  const flags = (hcr: bigint) => {
    const { stage2 } = controls({ hcr: 1n | hcr });
    return [stage2?.protectedWalks, stage2?.dataNonCacheable, stage2?.fetchNonCacheable];
  };
  assertEquals(flags(0n), [false, false, false]);
  assertEquals(flags(1n << 2n), [true, false, false]);
  assertEquals(flags(1n << 2n | 1n << 27n), [false, false, false]);
  assertEquals(flags(1n << 32n), [false, true, false]);
  assertEquals(flags(1n << 33n), [false, false, true]);
});
