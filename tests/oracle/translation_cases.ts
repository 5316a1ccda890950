/** Random cases of address translation by AT instructions: registers and tables, by a seed. */
import { Random } from "./devices/random.ts";
import { spanOf, type TableShape, TableWriter } from "./translation_tables.ts";

/** One case, as `translation_runner.s` reads it. */
export interface TranslationCase {
  readonly SCTLR_EL1: bigint;
  readonly TCR_EL1: bigint;
  readonly TTBR0_EL1: bigint;
  readonly TTBR1_EL1: bigint;
  readonly MAIR_EL1: bigint;
  readonly HCR_EL2: bigint;
  readonly VTCR_EL2: bigint;
  readonly VTTBR_EL2: bigint;
  readonly SCR_EL3: bigint;
  readonly SCTLR_EL2: bigint;
  readonly TCR_EL2: bigint;
  readonly TTBR0_EL2: bigint;
  readonly MAIR_EL2: bigint;
  /** Where EL1 or EL0 starts, and its PSTATE; unused with an AT. */
  readonly entry: bigint;
  readonly state: bigint;
  readonly VBAR_EL1: bigint;
  readonly x0: bigint;
  readonly x1: bigint;
  /** Index in AT_NAMES, or -1 to run code. */
  readonly operation: number;
  /** 64-bit words of memory. */
  readonly memory: ReadonlyMap<bigint, bigint>;
}

/** AT instructions by index in the runner. */
export const AT_NAMES = [
  ...["s1e1r", "s1e1w", "s1e0r", "s1e0w", "s12e1r", "s12e1w", "s12e0r", "s12e0w"],
  ...["s1e2r", "s1e2w"],
] as const;

/** Registers that only cases from EL3 set. */
export const NO_EL3 = { SCR_EL3: 0n, SCTLR_EL2: 0n, TCR_EL2: 0n, TTBR0_EL2: 0n, MAIR_EL2: 0n } as const;

/** What the CPU under test has. */
export interface CaseLimits {
  readonly physicalSize: number;
  readonly granules: readonly number[];
}

const STAGE1_TABLES = 0x4600_0000n, STAGE2_TABLES = 0x4640_0000n;
const MEMORY_END = 0x4800_0000n;
const STAGE1_BASE = 0x4620_0000n, STAGE1_UPPER_BASE = 0x4630_0000n, STAGE2_BASE = 0x4680_0000n;

export const TG0 = new Map([[12, 0n], [16, 1n], [14, 2n]]);
const TG1 = new Map([[12, 2n], [16, 3n], [14, 1n]]);

/** A generator with what cases draw. */
export class Draw extends Random {
  bits(count: number): bigint {
    let value = 0n;
    for (let done = 0; done < count; done += 32) value = (value << 32n) | BigInt(this.next());
    return BigInt.asUintN(count, value);
  }
  /** True once in `n` draws. */
  once(n: number): boolean {
    return this.below(n) === 0;
  }
  flag(n: number): bigint {
    return this.once(n) ? 1n : 0n;
  }
}

function firstLevel(granule: number, inputSize: number): number {
  return 4 - Math.ceil((inputSize - granule) / (granule - 3));
}

function leafLevel(draw: Draw, shape: TableShape): number {
  const lowest = Math.max(shape.level, shape.granule === 12 ? 1 : 2);
  return lowest + draw.below(4 - lowest);
}

/** An address of `size` bits that, unless it is drawn so, is small enough for what comes after. */
function someAddress(draw: Draw, size: number): bigint {
  return draw.once(16) ? draw.bits(48) : draw.bits(Math.min(size, 48));
}

export function stage1Descriptor(draw: Draw, nsTables: boolean) {
  return (level: number, address: bigint, isTable: boolean): bigint => {
    if (draw.once(40)) return draw.bits(64) & ~1n;
    if (isTable) {
      const restrictions = (draw.once(3) ? draw.bits(4) : 0n) | (nsTables ? draw.flag(5) << 4n : 0n);
      const high = draw.once(40) ? 1n << BigInt(36 + draw.below(12)) : 0n;
      return address | 3n | (restrictions << 59n) | high;
    }
    const attributes = (draw.bits(2) << 53n) | (draw.bits(8) << 2n) | (draw.once(12) ? 0n : 1n << 10n) |
      draw.bits(1) << 11n;
    return address | attributes | (level === 3 && !draw.once(30) ? 3n : 1n);
  };
}

export function stage2Descriptor(draw: Draw, kind: "walk" | "result") {
  return (level: number, address: bigint, isTable: boolean): bigint => {
    const odd = kind === "walk" ? 60 : 8;
    if (draw.once(odd)) return draw.bits(64) & ~1n;
    if (isTable) return address | 3n | (draw.once(60) ? 1n << BigInt(36 + draw.below(12)) : 0n);
    const access = draw.once(kind === "walk" ? 20 : 3) ? draw.bits(2) : 3n;
    const memory = draw.once(kind === "walk" ? 10 : 2) ? draw.bits(4) : 15n;
    // MemAttr xx00 with xx ≠ 00 is reserved.
    const type = memory > 3n && (memory & 3n) === 0n ? memory | 1n : memory;
    const flag = draw.once(odd) ? 0n : 1n << 10n;
    const attributes = (type << 2n) | (access << 6n) | (draw.bits(2) << 8n) | flag | (draw.bits(1) << 54n);
    return address | attributes | (level === 3 ? 3n : 1n);
  };
}

export const align = (value: bigint, bits: number): bigint => (value >> BigInt(bits)) << BigInt(bits);

interface Stage2 {
  readonly shape: TableShape;
  readonly VTCR_EL2: bigint;
  readonly VTTBR_EL2: bigint;
}

function drawStage2(draw: Draw, { physicalSize, granules }: CaseLimits): Stage2 {
  const granule = draw.pick(granules);
  const stride = granule - 3;
  let level: number, inputSize: number;
  do {
    level = 1 + draw.below(granule === 12 ? 3 : 2) - (granule === 12 ? 1 : 0);
    if (granule !== 12) level = 3 - draw.below(3);
    inputSize = 32 + draw.below(physicalSize - 31);
    const entries = inputSize - ((3 - level) * stride + granule);
    if (entries >= 1 && entries <= stride + 4) break;
  } while (!draw.once(200));
  if (draw.once(30)) inputSize = 20 + draw.below(30);
  const SL0 = BigInt((granule === 12 ? 2 : 3) - level) & 3n;
  // QEMU 7.2 takes PS for the size that is implemented when it checks SL0 and T0SZ.
  const sizes = [32, 36, 40, 42, 44, 48];
  const smallest = Math.max(inputSize, level === (granule === 12 ? 0 : 1) ? 43 : 0);
  const PS = draw.pick([0, 1, 2, 3, 4, 5].filter((row) => row === 5 || (sizes[row] as number) >= smallest));
  const VTCR_EL2 = (1n << 31n) | (BigInt(PS) << 16n) | ((TG0.get(granule) as bigint) << 14n) | (SL0 << 6n) |
    BigInt(64 - inputSize) & 63n;
  const VTTBR_EL2 = STAGE2_BASE | (draw.bits(8) << 48n) |
    (draw.once(60) ? 1n << BigInt(36 + draw.below(12)) : 0n);
  return { shape: { granule, inputSize, level, base: STAGE2_BASE }, VTCR_EL2, VTTBR_EL2 };
}

/** A virtual address in a range, mostly; tags and other bits above now and then. */
function drawAddress(draw: Draw, upper: boolean, inputSize: number): bigint {
  let address = draw.bits(inputSize);
  if (upper) address |= BigInt.asUintN(64, -1n << BigInt(inputSize));
  if (draw.once(6)) address ^= draw.bits(8) << 56n;
  if (draw.once(20)) address ^= 1n << BigInt(inputSize + draw.below(64 - inputSize));
  return address;
}

/** One range of a translation control register, and the address to translate. */
interface DrawnRange {
  readonly upper: boolean;
  readonly shape: TableShape;
  /** TnSZ. */
  readonly size: bigint;
  readonly address: bigint;
}

function drawRange(draw: Draw, upper: boolean, base: bigint, granules: readonly number[]): DrawnRange {
  const granule = draw.pick(granules);
  const inputSize = draw.once(25) ? 16 + draw.below(40) : 25 + draw.below(24);
  const bounded = Math.max(25, Math.min(48, inputSize));
  const shape: TableShape = { granule, inputSize: bounded, level: firstLevel(granule, bounded), base };
  return { upper, shape, size: BigInt(64 - inputSize) & 63n, address: drawAddress(draw, upper, bounded) };
}

function drawOutputSize(draw: Draw): bigint {
  return BigInt(draw.once(4) ? draw.below(7) : draw.pick([2, 4, 5]));
}

/** TCR_EL1 with the drawn range; the other one has 4 KiB granules and any size. */
function drawTcrEl1(draw: Draw, { upper, shape, size }: DrawnRange): bigint {
  const other = BigInt(draw.pick([16, 20, 25, 30, 39]));
  const [lower, higher] = upper ? [12, shape.granule] : [shape.granule, 12];
  return (upper ? other : size) | ((upper ? size : other) << 16n) |
    ((TG0.get(lower) as bigint) << 14n) | ((TG1.get(higher) as bigint) << 30n) |
    (draw.flag(20) << 7n) | (draw.flag(20) << 23n) | (drawOutputSize(draw) << 32n) | (draw.bits(2) << 37n);
}

/** A table base with an address space identifier and, now and then, an address that is too large. */
function drawBase(draw: Draw, base: bigint): bigint {
  return base | (draw.bits(16) << 48n) | (draw.once(60) ? 1n << BigInt(36 + draw.below(12)) : 0n);
}

function drawControl(draw: Draw): bigint {
  return 0x30d0_0800n | draw.bits(1) << 2n | (draw.flag(3) << 19n) | (draw.once(20) ? 0n : 1n);
}

const NOTHING_RUN = { entry: 0n, state: 0x3c5n, VBAR_EL1: 0n, x1: 0n };

/** A case with an AT instruction of EL1&0, from EL2, or from EL3 in either security state. */
export function drawTranslation(seed: number, limits: CaseLimits, fromEl3: boolean): TranslationCase {
  const draw = new Draw(seed);
  if (fromEl3 && draw.once(3)) return drawEl2Translation(draw, limits);
  const upper = draw.once(3);
  const range = drawRange(draw, upper, upper ? STAGE1_UPPER_BASE : STAGE1_BASE, limits.granules);
  const secure = fromEl3 && draw.once(2);
  const virtual = draw.once(2) || draw.once(3);
  const stage2 = drawStage2(draw, limits), DC = draw.flag(20);
  // QEMU takes tables that NSTable makes Non-secure through stage 2, whatever the security state.
  const tables = drawTables(
    draw,
    range,
    virtual && !secure ? stage2 : undefined,
    limits,
    secure && !virtual && DC === 0n,
  );
  // RW, HCE, SIF, NS.
  const SCR_EL3 = (3n << 10n) | (1n << 8n) | (draw.flag(2) << 9n) | (secure ? 0n : 1n);
  return {
    ...NO_EL3,
    ...NOTHING_RUN,
    SCR_EL3,
    SCTLR_EL1: drawControl(draw),
    TCR_EL1: drawTcrEl1(draw, range),
    TTBR0_EL1: drawBase(draw, STAGE1_BASE),
    TTBR1_EL1: drawBase(draw, STAGE1_UPPER_BASE),
    MAIR_EL1: drawMair(draw),
    // RW; VM, DC, PTW, CD and ID. QEMU lets PTW act without VM, and TGE not act on AT.
    HCR_EL2: (1n << 31n) | (virtual ? 1n : 0n) | (DC << 12n) |
      (virtual ? draw.flag(8) << 2n : 0n) | (draw.flag(10) << 32n) | (draw.flag(10) << 33n),
    VTCR_EL2: stage2.VTCR_EL2,
    VTTBR_EL2: stage2.VTTBR_EL2,
    x0: range.address,
    operation: draw.below(8),
    memory: tables,
  };
}

/** A case with an AT instruction of EL2, from EL3. */
function drawEl2Translation(draw: Draw, limits: CaseLimits): TranslationCase {
  const range = drawRange(draw, false, STAGE1_BASE, limits.granules);
  const memory = drawTables(draw, range, undefined, limits, false);
  const TCR_EL2 = (1n << 31n) | (1n << 23n) | range.size | ((TG0.get(range.shape.granule) as bigint) << 14n) |
    (drawOutputSize(draw) << 16n) | (draw.bits(1) << 20n);
  const unused = { TCR_EL1: 0n, TTBR0_EL1: 0n, TTBR1_EL1: 0n, MAIR_EL1: 0n, VTCR_EL2: 0n, VTTBR_EL2: 0n };
  return {
    ...NOTHING_RUN,
    ...unused,
    SCTLR_EL1: 0x30d0_0800n,
    HCR_EL2: 1n << 31n,
    SCR_EL3: 0xd01n,
    SCTLR_EL2: drawControl(draw),
    TCR_EL2,
    TTBR0_EL2: drawBase(draw, STAGE1_BASE) & ~(0xffffn << 48n),
    MAIR_EL2: drawMair(draw),
    x0: range.address,
    operation: 8 + draw.below(2),
    memory,
  };
}

/** Attributes that are not reserved. */
function drawMair(draw: Draw): bigint {
  let value = 0n;
  for (let index = 0; index < 8; index++) {
    const [outer, inner] = [1 + draw.below(15), 1 + draw.below(15)];
    const attribute = draw.once(4) ? draw.below(4) * 4 : outer << 4 | inner;
    value = (value << 8n) | BigInt(attribute);
  }
  return value;
}

function drawTables(
  draw: Draw,
  { address, shape }: DrawnRange,
  stage2: Stage2 | undefined,
  { physicalSize }: CaseLimits,
  nsTables: boolean,
): Map<bigint, bigint> {
  const first = new TableWriter(STAGE1_TABLES), second = new TableWriter(STAGE2_TABLES);
  const leaf = leafLevel(draw, shape);
  const span = spanOf(shape, leaf);
  const outputSize = stage2 === undefined ? physicalSize : stage2.shape.inputSize;
  const output = align(someAddress(draw, outputSize), draw.once(40) ? shape.granule : span);
  const path = first.map(shape, address, output, leaf, stage1Descriptor(draw, nsTables));
  if (stage2 !== undefined) {
    const map = (ipa: bigint, identity: boolean) => {
      const level = leafLevel(draw, stage2.shape), bits = spanOf(stage2.shape, level);
      const target = align(identity ? ipa : someAddress(draw, physicalSize), bits);
      second.map(stage2.shape, ipa, target, level, stage2Descriptor(draw, identity ? "walk" : "result"));
    };
    for (const descriptor of path) map(descriptor, true);
    map(output | (address & ((1n << BigInt(span)) - 1n)), false);
  }
  const isMemory = (at: bigint) => at >= STAGE1_TABLES && at < MEMORY_END;
  return new Map([...first.written, ...second.written].filter(([at]) => isMemory(at)));
}
