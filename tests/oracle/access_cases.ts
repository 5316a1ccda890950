/** Random cases of loads, stores and fetches at EL1 and EL0 under both stages, by a seed. */
import { assembleProgram } from "../../machine/a64/program.ts";
import { spanOf, type TableShape, TableWriter } from "./translation_tables.ts";
import {
  align,
  Draw,
  NO_EL3,
  stage1Descriptor,
  stage2Descriptor,
  TG0,
  type TranslationCase,
} from "./translation_cases.ts";

interface AccessRow {
  readonly text: string;
  /** Alignment that random addresses have at least. */
  readonly aligned: number;
}

function row(text: string, aligned = 1): AccessRow {
  return { text, aligned };
}

/** Instructions whose accesses are compared. */
const ACCESSES: readonly AccessRow[] = [
  ...["ldr x1, [x0]", "ldr w1, [x0]", "ldrh w1, [x0]", "ldrb w1, [x0]", "ldrsb w1, [x0]", "ldrsb x1, [x0]"],
  ...[
    "ldrsh w1, [x0]",
    "ldrsh x1, [x0]",
    "ldrsw x1, [x0]",
    "ldur x1, [x0, #-8]",
    "ldr w1, [x0, x3]",
    "ldr xzr, [x0]",
  ],
  ...[
    "str x1, [x0]",
    "str w1, [x0]",
    "strh w1, [x0]",
    "strb w1, [x0]",
    "str xzr, [x0, #16]",
    "sturh w1, [x0, #2]",
  ],
  ...["ldtr x1, [x0]", "ldtrsb w1, [x0]", "sttr w1, [x0]", "sttrh w1, [x0]", "str x1, [x0, x3, lsl #3]"],
  ...["ldp x1, x2, [x0]", "ldp w1, w2, [x0]", "ldpsw x1, x2, [x0]", "stp w1, w2, [x0]"],
  ...[
    "ldr x1, [x0], #8",
    "ldr x1, [x0, #8]!",
    "str x1, [x0], #8",
    "strb w1, [x0, #-1]!",
    "prfm pldl1keep, [x0]",
  ],
  ...["ldar x1, [x0]", "ldarh w1, [x0]", "stlr x1, [x0]", "stlrb w1, [x0]"],
  ...["ldxr x1, [x0]", "ldaxrb w1, [x0]", "ldaxr w1, [x0]", "ldxp w1, w2, [x0]", "ldaxp x1, x2, [x0]"],
].map((text) => row(text)).concat(
  row("dc zva, x0", 64),
  row("stxr w2, x1, [x0]", 8),
  row("ldr q1, [x0]"),
  row("stp q0, q1, [x0]"),
  row("ldr d1, [x0]"),
);

const WORDS = new Uint32Array(assembleProgram(ACCESSES.map(({ text }) => text).join("\n")).bytes.buffer);

/** Physical addresses; VIRTUAL is where the fixed tables of TTBR1_EL1 map memory, readable and executable for all. */
const UPPER_TABLE = 0x4510_0000n,
  CODE = 0x4500_0000n,
  VECTORS = 0x4500_1000n,
  VIRTUAL = 0xffff_ff80_0000_0000n;
const LOWER_TABLE = 0x4620_0000n,
  LOWER_NEXT = 0x4600_0000n,
  STAGE2_TABLE = 0x4680_0000n,
  STAGE2_NEXT = 0x4640_0000n;
const DATA = 0x4700_0000n, NOWHERE = 0x4_0000_0000n;
const HVC = 0xd400_0022n, SVC = 0xd400_0021n, HVC_0 = 0xd400_0002n;

const STAGE2_SHAPE: TableShape = { granule: 12, inputSize: 39, level: 1, base: STAGE2_TABLE };

function swap(value: bigint): bigint {
  return new DataView(BigUint64Array.of(value).buffer).getBigUint64(0, false);
}

interface Setting {
  readonly level: 0 | 1;
  readonly fetches: boolean;
  readonly stage1: boolean;
  readonly virtual: boolean;
  readonly bigEndian: boolean;
  readonly unaligned: boolean;
  /** No Device memory: QEMU lets what must be aligned there pass. */
  readonly normal: boolean;
}

function drawSetting(draw: Draw, access: AccessRow): Setting {
  const fetches = draw.once(4), unaligned = !fetches && draw.once(3);
  return {
    level: draw.below(2) as 0 | 1,
    fetches,
    stage1: !draw.once(10),
    virtual: draw.once(2),
    bigEndian: draw.once(10),
    unaligned,
    normal: unaligned || access.aligned > 16,
  };
}

/** Memory with tables, code, vectors and data of one case. */
class CaseMemory {
  readonly words = new Map<bigint, bigint>();
  readonly second = new TableWriter(STAGE2_NEXT);
  readonly first = new TableWriter(LOWER_NEXT);

  constructor(private readonly draw: Draw, private readonly setting: Setting) {
    // The fixed part: 1 GiB read-only for EL1 and EL0, executable; 2 MiB of stage 2 for it.
    this.#table(UPPER_TABLE + 8n, 0x4000_0000n | 0x7c1n);
    this.words.set(VECTORS + 0x200n, HVC_0);
    this.words.set(VECTORS + 0x400n, HVC_0);
    const make = (_level: number, address: bigint, isTable: boolean) => address | (isTable ? 3n : 0x7fdn);
    this.second.map(STAGE2_SHAPE, CODE, CODE, 2, make);
  }

  #table(at: bigint, descriptor: bigint): void {
    this.words.set(at, this.setting.bigEndian ? swap(descriptor) : descriptor);
  }

  /** Stage 2 of an address, if it is on. */
  mapSecond(ipa: bigint, output: bigint, kind: "walk" | "result"): void {
    const level = 2 + this.draw.below(2), span = spanOf(STAGE2_SHAPE, level);
    const descriptor = stage2Descriptor(this.draw, kind);
    const normal = (level: number, address: bigint, isTable: boolean) =>
      descriptor(level, address, isTable) | (this.setting.normal && !isTable ? 15n << 2n : 0n);
    this.second.map(STAGE2_SHAPE, ipa, align(output, span), level, normal);
  }

  /** Both stages of a virtual page, and data where they lead. */
  map(shape: TableShape, address: bigint): void {
    const { draw, setting } = this;
    const { stage1, virtual } = setting;
    // QEMU reports a misaligned access to nothing at the address of an aligned part.
    const output = !setting.unaligned && draw.once(12) ? NOWHERE : DATA;
    // A block of 512 MiB would reach what only QEMU has in memory.
    const leaf = shape.granule < 16 && !setting.unaligned && draw.once(4) ? 2 : 3;
    const span = spanOf(shape, leaf);
    const physical = output | (address & 0xffffn);
    const ipa = virtual && draw.once(2) ? physical + 0x10_0000_0000n : physical;
    if (stage1) {
      const target = align(ipa, span);
      const path = this.first.map(shape, address, target, leaf, stage1Descriptor(draw, false));
      for (const descriptor of path) this.mapSecond(descriptor, descriptor, "walk");
      this.mapSecond(
        target | (address & ((1n << BigInt(span)) - 1n)),
        output | (address & 0xff_ffffn),
        "result",
      );
    } else this.mapSecond(address, address, "result");
  }

  /** All words. */
  all(): Map<bigint, bigint> {
    for (const [at, descriptor] of this.first.written) this.#table(at, descriptor);
    return new Map(
      [...this.words, ...(this.setting.virtual ? this.second.written : [])].filter(([at]) =>
        at >= 0x4500_0000n && at < 0x4800_0000n
      ),
    );
  }
}

function drawAddress(draw: Draw, setting: Setting, access: AccessRow): bigint {
  const page = draw.bits(draw.pick([16, 20, 27])) << 12n;
  const within = draw.once(8) ? 0xff0n | draw.bits(4) : draw.bits(12);
  const alignment = setting.unaligned ? BigInt(access.aligned) : BigInt(Math.max(16, access.aligned));
  return page | (within - within % alignment);
}

const ALL_NORMAL = 0xff_44_bb_f4_4f_ee_aa_ffn;

function drawSystem(
  draw: Draw,
  { level, stage1, virtual, bigEndian }: Setting,
): Pick<TranslationCase, "SCTLR_EL1" | "HCR_EL2"> {
  const swapped = bigEndian ? 3n << 24n : 0n;
  const SCTLR_EL1 = 0x30d0_4800n | (draw.flag(4) << 1n) | (draw.flag(6) << 19n) | swapped |
    (stage1 ? 1n : 0n) | draw.bits(1) << 12n;
  const TGE = level === 0 && !stage1 ? draw.flag(3) << 27n : 0n;
  const HCR_EL2 = (1n << 31n) | (virtual ? 1n | (draw.flag(6) << 2n) | (draw.bits(2) << 32n) : 0n) | TGE;
  return { SCTLR_EL1, HCR_EL2 };
}

/** A case that runs an instruction at EL1 or EL0, or fetches one. */
export function drawAccess(seed: number, granules: readonly number[]): TranslationCase {
  const draw = new Draw(seed);
  const number = draw.below(ACCESSES.length);
  const access = ACCESSES[number] as AccessRow;
  const setting = drawSetting(draw, access);
  const granule = draw.pick(granules);
  const inputSize = 39 + draw.below(10);
  const shape: TableShape = {
    granule,
    inputSize,
    level: 4 - Math.ceil((inputSize - granule) / (granule - 3)),
    base: LOWER_TABLE,
  };
  const memory = new CaseMemory(draw, setting);
  let address = drawAddress(draw, setting, access);
  if (!setting.stage1) address = DATA | (address & 0xffff_f0n);
  memory.map(shape, address);
  const nextPage = ((address >> 12n) + 1n) << 12n;
  if (setting.unaligned && nextPage - address < 16n) memory.map(shape, nextPage);
  const word = BigInt(WORDS[number] as number);
  const end = setting.level === 0 ? SVC : HVC;
  memory.words.set(CODE, word | (end << 32n));
  for (let at = DATA + (address & 0xfff0n); at < DATA + (address & 0xfff0n) + 48n; at += 8n) {
    memory.words.set(at, setting.fetches ? end | (end << 32n) : draw.bits(64));
  }
  const base = setting.stage1 ? VIRTUAL : 0n;
  const TCR_EL1 = BigInt(64 - inputSize) | ((TG0.get(granule) as bigint) << 14n) | (25n << 16n) |
    (2n << 30n) |
    (5n << 32n) | (draw.flag(10) << 7n);
  const system = drawSystem(draw, setting);
  // Without stage 1 data is Device memory, unless HCR_EL2.DC makes it Normal.
  const DC = setting.normal && !setting.stage1 ? 1n << 12n : 0n;
  return {
    ...NO_EL3,
    ...system,
    HCR_EL2: system.HCR_EL2 | DC,
    TCR_EL1,
    TTBR0_EL1: LOWER_TABLE,
    TTBR1_EL1: UPPER_TABLE,
    MAIR_EL1: setting.normal ? ALL_NORMAL : 0xff_44_bb_00_4f_04_08_ffn,
    // PS 48 bits, SL0 = 1, T0SZ = 25.
    VTCR_EL2: (1n << 31n) | (5n << 16n) | (1n << 6n) | 25n,
    VTTBR_EL2: STAGE2_TABLE,
    entry: setting.fetches ? address & ~3n : base + CODE,
    state: setting.level === 0 ? 0x3c0n : 0x3c5n,
    VBAR_EL1: base + VECTORS,
    x0: address,
    x1: draw.bits(64),
    operation: -1,
    memory: memory.all(),
  };
}
