/** Stage 1 translation: random tables, controls and descriptors, accessed in every way from every level. */
import { hex } from "../../../machine/address.ts";
import type { Group, GroupModel, Level } from "./group.ts";
import { type Run, SCRATCH_BASE, type SystemProgram } from "./program.ts";
import { Choices } from "./random.ts";
import { type Granule, shiftOf, startLevel, STRANGE_BITS, Tables } from "./tables.ts";

/** Where good descriptors lead: memory full of BRK. */
const TARGET = SCRATCH_BASE + 0x100_0000n;
const BRK_PAIR = 0xd420_0000_d420_0000n;
/** The code is seen there by EL1 and EL0, through TTBR1_EL1. */
const HIGH = 0xffff_ff80_0000_0000n;
/** What the code is in: a block of 1 GiB at 0x40000000. */
const CODE = 0x4000_0000n;
const AF = 1n << 10n, READ_ONLY = 3n << 6n;
const ATTRIBUTE_NORMAL = 4n << 2n;

type Regime = "EL1&0" | "EL2" | "EL2&0" | "EL0 of a host" | "EL3";

/** Regimes that EL0 has a part in, so that there are two ranges of addresses. */
const isShared = (regime: Regime): boolean => regime !== "EL2" && regime !== "EL3";
/** HCR_EL2 with RW and E2H, and with TGE. */
const HOST = 1n << 31n | 1n << 34n, IN_HOST = HOST | 1n << 27n;
/** Bytes from the stubs of EL1 to those of EL2. */
const STUBS_SIZE = 0x800n;

/** One random set of controls and tables. */
interface Scenario {
  readonly granule: Granule;
  readonly inputSize: number;
  readonly sizeField: bigint;
  readonly outputSize: bigint;
  readonly topByteIgnored: boolean;
  readonly disabled: boolean;
  readonly writeExecuteNever: boolean;
  readonly address: bigint;
  readonly leafLevel: number;
  readonly leaf: bigint;
  readonly tableBits: ReadonlyMap<number, bigint>;
  readonly replaced: ReadonlyMap<number, bigint>;
  readonly baseBits: bigint;
  readonly granuleField: bigint;
}

/** TCR.IPS. */
const SIZES = [0n, 1n, 2n, 3n, 4n, 4n, 5n, 5n, 5n, 6n, 7n], MAX_SIZES = SIZES.slice(0, 9);

/** TCR.TG0 by granule. */
const TG0: Readonly<Record<Granule, bigint>> = { 12: 0n, 14: 2n, 16: 1n };

/** A leaf descriptor: address, permissions and attributes at random, seldom without AF or with a strange address. */
function randomLeaf(choices: Choices, granule: Granule, level: number): bigint {
  const size = 1n << BigInt(shiftOf(granule, level));
  const address = TARGET & ~(size - 1n);
  const type = level === 3 ? 3n : 1n;
  const attributes = choices.bits(3) % 5n << 2n | choices.bits(1) << 5n | choices.bits(2) << 6n |
    choices.bits(2) << 8n;
  const access = choices.once(8) ? 0n : AF;
  const upper = choices.bits(2) << 53n | (choices.once(8) ? choices.bits(1) << 52n : 0n);
  const strange = choices.once(12) ? 1n << choices.pick(STRANGE_BITS) : 0n;
  return address | type | attributes | access | choices.bits(1) << 11n | upper | strange;
}

/** On max TCR.IPS and TnSZ have values of later extensions in QEMU, which are left out, and 16 KiB granules exist. */
function randomScenario(choices: Choices, regime: Regime, model: GroupModel): Scenario {
  const granule = choices.pick(model === "max" ? [12, 14, 16] as const : [12, 12, 16] as const);
  const smallest = isShared(regime) ? 25 : 32; // what holds the code as well
  const inputSize = smallest + choices.below(49 - smallest);
  const start = startLevel(granule, inputSize);
  const blocks = granule === 12 ? [1, 2, 3] : [2, 3];
  const leafLevel = choices.pick(blocks.filter((level) => level >= start));
  const mask = (1n << BigInt(shiftOf(granule, leafLevel))) - 1n;
  const top = BigInt(shiftOf(granule, start));
  let address = choices.bits(inputSize) & ~mask | (TARGET & mask) + choices.bits(8) * 8n;
  if (!isShared(regime) && address >> top === CODE >> top) address ^= 1n << top; // away from the code
  if (choices.once(16)) address |= 1n << BigInt(inputSize + choices.below(56 - inputSize)) & (1n << 55n) - 1n;
  if (choices.once(6)) address |= choices.bits(8) << 56n;
  const levels = Array.from({ length: leafLevel - start + 1 }, (_, index) => start + index);
  const tables = levels.slice(0, -1);
  return {
    granule,
    inputSize,
    sizeField: choices.once(24) && regime === "EL1&0" && model !== "max"
      ? choices.bits(6)
      : BigInt(64 - inputSize),
    outputSize: choices.pick(model === "max" ? MAX_SIZES : SIZES),
    topByteIgnored: choices.once(2),
    disabled: regime === "EL1&0" && choices.once(24),
    writeExecuteNever: regime !== "EL3" && choices.once(4),
    address,
    leafLevel,
    leaf: randomLeaf(choices, granule, leafLevel),
    tableBits: new Map(tables.map((level) => [level, choices.once(3) ? choices.bits(5) << 59n : 0n])),
    replaced: new Map(
      levels.filter(() => choices.once(12)).map((
        level,
      ) => [level, randomReplacement(choices, granule, level)]),
    ),
    baseBits: choices.once(24) && regime === "EL1&0" ? 1n << choices.pick(STRANGE_BITS) : 0n,
    granuleField: choices.once(16) && regime === "EL1&0" ? choices.pick([2n, 3n]) : TG0[granule],
  };
}

/** A descriptor that does not belong: invalid, reserved, of the wrong type, or leading too far. */
function randomReplacement(choices: Choices, granule: Granule, level: number): bigint {
  const leaf = randomLeaf(choices, granule, level);
  const table = leaf & (0xfffn << 52n | 0xffcn) | TARGET | 3n; // of BRKs, which are invalid descriptors
  return choices.pick([0n, leaf & ~3n | 2n, leaf & ~3n | 1n, table, 0xffff_f000_0000n | 3n]);
}

/** The accesses: reads, writes and fetches of each level, the unprivileged ones, and AT. */
// deno-fmt-ignore
const ACCESSES: Readonly<Record<Regime, readonly (readonly [level: Level, line: string])[]>> = {
  "EL1&0": [
    [0, "ldr x4, [x1]"], [0, "str x0, [x1]"], [0, "br x1"], [1, "ldr x4, [x1]"], [1, "str x0, [x1]"], [1, "br x1"],
    [1, "ldtr x4, [x1]"], [1, "sttr x0, [x1]"], [1, "at s1e1r, x1"], [1, "at s1e1w, x1"], [1, "at s1e0r, x1"], [1, "at s1e0w, x1"],
    [1, "ldxr x4, [x1]"], [1, "dc cvac, x1"], [0, "dc zva, x1"],
  ],
  "EL2": [[2, "ldr x4, [x1]"], [2, "str x0, [x1]"], [2, "br x1"], [2, "ldtr x4, [x1]"], [2, "at s1e2r, x1"], [2, "at s1e2w, x1"]],
  "EL2&0": [
    [2, "ldr x4, [x1]"], [2, "str x0, [x1]"], [2, "br x1"], [2, "ldtr x4, [x1]"], [2, "sttr x0, [x1]"], [2, "ldxr x4, [x1]"],
    [2, "at s1e2r, x1"], [2, "at s1e2w, x1"], [2, "dc zva, x1"], [3, "at s1e2r, x1"],
  ],
  "EL0 of a host": [
    [0, "ldr x4, [x1]"], [0, "str x0, [x1]"], [0, "br x1"], [2, "ldr x4, [x1]"], [2, "str x0, [x1]"],
    [2, "br x1"], [2, "ldtr x4, [x1]"], [2, "sttr x0, [x1]"], [2, "at s1e1r, x1"], [2, "at s1e0w, x1"], [2, "at s12e1w, x1"],
    [2, "at s12e0r, x1"], [3, "at s1e1r, x1"], [3, "at s12e0w, x1"],
    [0, "dc zva, x1"],
  ],
  "EL3": [[3, "ldr x4, [x1]"], [3, "str x0, [x1]"], [3, "br x1"], [3, "at s1e3r, x1"], [3, "at s1e3w, x1"]],
};

const flag = (condition: boolean, bit: bigint): bigint => condition ? 1n << bit : 0n;

/** Sets the registers of a regime; returns what runs need. */
function enable(program: SystemProgram, regime: Regime, scenario: Scenario, tables: Tables): Partial<Run> {
  const { granuleField, sizeField, outputSize, topByteIgnored, disabled, writeExecuteNever, baseBits } =
    scenario;
  const base = tables.base | baseBits, tg = granuleField << 14n;
  const wxn = flag(writeExecuteNever, 19n);
  if (isShared(regime)) {
    const el = regime === "EL1&0" ? 1 : 2;
    const upper = 25n << 16n | 2n << 30n; // 39 bits of 4 KiB pages
    const own = sizeField | flag(disabled, 7n) | tg | outputSize << 32n | flag(topByteIgnored, 37n);
    program.set(`TCR_EL${el}`, own | upper).set(`TTBR0_EL${el}`, base);
    const vectors = el === 1 ? program.stubs : program.stubs + STUBS_SIZE;
    program.set(`TTBR1_EL${el}`, codeTable(program)).set(`VBAR_EL${el}`, HIGH + vectors);
    if (el === 2) program.set("HCR_EL2", regime === "EL2&0" ? HOST : IN_HOST);
    program.set(`SCTLR_EL${el}`, 0x30d0_1805n | 0x4000n | wxn); // M, C, I, DZE
    return { pc: HIGH + program.slot };
  }
  const tcr = 0x8080_0000n | sizeField | tg | outputSize << 16n | flag(topByteIgnored, 20n);
  program.set(`TCR_${regime}`, tcr).set(`TTBR0_${regime}`, base);
  const sctlr = 0x30c5_1835n | wxn;
  if (regime === "EL3") return { sctlr };
  program.set("SCTLR_EL2", sctlr);
  return {};
}

/** A table of level 1 with the code at its second gigabyte, for all levels to read and execute. */
function codeTable(program: SystemProgram): bigint {
  const table = SCRATCH_BASE + 0x20_0000n;
  program.store(table + 8n, CODE | 1n | AF | READ_ONLY | ATTRIBUTE_NORMAL);
  return table;
}

/** In the regime of one level the code is mapped by the same tables. */
function mapCode(tables: Tables, regime: Regime, granule: Granule): void {
  const leafLevel = granule === 12 ? 1 : 2, size = 1n << BigInt(shiftOf(granule, leafLevel));
  const permissions = regime === "EL3" ? 1n << 6n : READ_ONLY;
  for (let address = CODE; address < CODE + 0x4000_0000n; address += size) {
    if (address > SCRATCH_BASE) break;
    tables.map({ address, leafLevel, leaf: address | 1n | AF | permissions | ATTRIBUTE_NORMAL });
  }
}

function scenarioRuns(program: SystemProgram, regime: Regime, scenario: Scenario, name: string): void {
  const { granule, inputSize, address, leafLevel, leaf, tableBits, replaced } = scenario;
  const tables = new Tables(program, { granule, inputSize, start: startLevel(granule, inputSize) }, 1);
  program.reset();
  tables.map({
    address,
    leafLevel,
    leaf,
    table: (level) => tableBits.get(level) ?? 0n,
    replaced: (level, descriptor) => replaced.get(level) ?? descriptor,
  });
  if (!isShared(regime)) mapCode(tables, regime, granule);
  const common = enable(program, regime, scenario, tables);
  program.fill(TARGET, 512, BRK_PAIR);
  for (const [level, line] of ACCESSES[regime]) {
    program.run({
      ...(level === 3 && isShared(regime) ? {} : common),
      name: `${name}: ${line} at EL${level}`,
      level,
      code: [line],
      x: [0xd420_0000_d420_0000n, address],
    });
  }
  tables.clear();
}

function describe(scenario: Scenario): string {
  const { granule, inputSize, sizeField, outputSize, address, leafLevel, leaf, replaced, baseBits } =
    scenario;
  const field = scenario.granuleField === TG0[granule] ? "" : ` as TG0 ${scenario.granuleField}`;
  const base = baseBits > 0n ? `, base + ${hex(baseBits)}` : "";
  const others = [...replaced].map(([level, value]) => `, level ${level} ${hex(value)}`).join("");
  return `${2 ** (granule - 10)}K${field}, ${inputSize} bits (${sizeField}) to size ${outputSize}, ${
    hex(address)
  }, ` +
    `level ${leafLevel} ${hex(leaf)}${others}${base}`;
}

function group(regime: Regime, count: number, model: GroupModel = "cortex-a57"): Group {
  return {
    name: `stage 1 of ${regime}${model === "max" ? ", max" : ""}`,
    top: 3,
    model,
    build(program) {
      const choices = new Choices(count + regime.length);
      for (let index = 0; index < count; index++) {
        const scenario = randomScenario(choices, regime, model);
        scenarioRuns(program, regime, scenario, describe(scenario));
      }
    },
  };
}

/** The groups. */
export const groups: readonly Group[] = [group("EL1&0", 800), group("EL2", 500), group("EL3", 400)];

/** The groups of EL2&0, and of EL1&0 where guarded pages exist. */
export const hostGroups: readonly Group[] = [
  group("EL2&0", 400, "max"),
  group("EL0 of a host", 400, "max"),
  group("EL1&0", 400, "max"),
];
