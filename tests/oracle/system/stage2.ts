/** Stage 2 translation: random tables and controls under every kind of access, and the syndromes hypervisors read. */
import { hex } from "../../../machine/address.ts";
import type { Group, Level } from "./group.ts";
import { SCRATCH_BASE, type SystemProgram } from "./program.ts";
import { Choices } from "./random.ts";
import { type Granule, shiftOf, STRANGE_BITS, Tables } from "./tables.ts";

/** Where good descriptors lead: memory full of BRK. */
const TARGET = SCRATCH_BASE + 0x300_0000n;
const BRK_PAIR = 0xd420_0000_d420_0000n;
/** What the code and its tables are in: 1 GiB at 0x40000000. */
const CODE = 0x4000_0000n;
const AF = 1n << 10n, READ_WRITE = 3n << 6n, NORMAL = 15n << 2n;

/** What stage 1 does: nothing, nothing but Normal memory (HCR_EL2.DC), map by identity, or walk through the address. */
type Stage1 = "off" | "default cacheable" | "on" | "walk" | "protected walk";

interface Scenario {
  readonly stage1: Stage1;
  readonly granule: Granule;
  readonly inputSize: number;
  readonly start: number;
  readonly control: bigint;
  readonly address: bigint;
  readonly leafLevel: number;
  readonly leaf: bigint;
  readonly replaced: ReadonlyMap<number, bigint>;
}

/** Memory attributes of stage 2 that are not reserved. */
const ATTRIBUTES = [0n, 1n, 2n, 3n, 5n, 6n, 7n, 9n, 10n, 11n, 13n, 14n, 15n] as const;

function randomLeaf(choices: Choices, granule: Granule, level: number): bigint {
  const address = TARGET & ~((1n << BigInt(shiftOf(granule, level))) - 1n);
  const attributes = choices.pick(ATTRIBUTES) << 2n | choices.bits(2) << 6n | choices.bits(2) << 8n;
  const access = choices.once(8) ? 0n : AF;
  const upper = choices.bits(1) << 54n | (choices.once(8) ? 1n << 52n : 0n);
  const strange = choices.once(12) ? 1n << choices.pick(STRANGE_BITS) : 0n;
  return address | (level === 3 ? 3n : 1n) | attributes | access | upper | strange;
}

function randomReplacement(choices: Choices, granule: Granule, level: number): bigint {
  const leaf = randomLeaf(choices, granule, level);
  return choices.pick([0n, leaf & ~3n | 2n, leaf & ~3n | 1n, TARGET | 3n, 0xffff_f000_0000n | 3n]);
}

/** Start levels with the input sizes that they serve, at most 16 tables side by side. */
// deno-fmt-ignore
const STARTS: readonly (readonly [granule: Granule, start: number, smallest: number, largest: number])[] = [
  [12, 2, 32, 34], [12, 1, 32, 43], [12, 0, 41, 44], [16, 2, 32, 44], [16, 1, 44, 44],
];

/**
 * Sizes of VTCR_EL2.PS. QEMU wants the input size and the start level to fit this one, where Arm compares with the
 * size that is implemented (AArch64.TranslationTableWalk), so it is never smaller here.
 */
const OUTPUT_SIZES: readonly number[] = [32, 36, 40, 42, 44];

function randomScenario(choices: Choices): Scenario {
  const [granule, start, smallest, largest] = choices.pick(STARTS);
  const inputSize = smallest + choices.below(largest - smallest + 1);
  const blocks = granule === 12 ? [1, 2, 3] : [2, 3];
  const leafLevel = choices.pick(blocks.filter((level) => level >= start));
  const mask = (1n << BigInt(shiftOf(granule, leafLevel))) - 1n, top = BigInt(shiftOf(granule, start));
  let address = choices.bits(inputSize) & ~mask | (TARGET & mask) + choices.bits(8) * 8n;
  if (address >> 30n === CODE >> 30n || address >> top === CODE >> top) {
    address ^= 1n << BigInt(inputSize - 1);
  }
  if (choices.once(16)) address |= 1n << BigInt(inputSize) & (1n << 44n) - 1n;
  const sl0 = granule === 12 ? 2 - start : 3 - start;
  const size = choices.once(24) ? choices.bits(6) : BigInt(64 - inputSize);
  const level = choices.once(24) ? choices.bits(2) : BigInt(sl0);
  const outputs = size === BigInt(64 - inputSize) && level === BigInt(sl0) && sl0 < 2 ? OUTPUT_SIZES : [];
  const output = choices.pick([...outputs.flatMap((size, index) => size >= inputSize ? [index] : []), 5, 5]);
  const levels = Array.from({ length: leafLevel - start + 1 }, (_, index) => start + index);
  return {
    stage1: choices.pick(["off", "default cacheable", "on", "walk", "protected walk"]),
    granule,
    inputSize,
    start,
    control: 1n << 31n | size | level << 6n | (granule === 16 ? 1n << 14n : 0n) | BigInt(output) << 16n,
    address,
    leafLevel,
    leaf: randomLeaf(choices, granule, leafLevel),
    replaced: new Map(
      levels.filter(() => choices.once(12)).map((
        level,
      ) => [level, randomReplacement(choices, granule, level)]),
    ),
  };
}

// deno-fmt-ignore
const ACCESSES: readonly (readonly [level: Level, line: string])[] = [
  [0, "ldr x4, [x1]"], [0, "str x0, [x1]"], [0, "br x1"], [1, "ldr w4, [x1]"], [1, "strb w0, [x1]"], [1, "br x1"],
  [1, "ldtr x4, [x1]"], [1, "ldxr x4, [x1]"], [1, "ldp x4, x5, [x1]"], [1, "at s1e1r, x1"], [1, "at s1e0w, x1"],
  [2, "at s12e1r, x1"], [2, "at s12e1w, x1"], [2, "at s12e0r, x1"], [2, "at s12e0w, x1"], [0, "dc zva, x1"],
];

/** Stage 1 tables in memory that stage 2 maps: by identity, or with the last table at the address. */
function enableStage1(program: SystemProgram, { stage1, address }: Scenario): bigint {
  if (stage1 === "off" || stage1 === "default cacheable") return program.slot;
  const tables = new Tables(program, { granule: 12, inputSize: 48, start: 0 }, 3);
  const attributes = 3n | AF | 1n << 6n | 4n << 2n;
  if (stage1 === "on") {
    tables.map({ address, leafLevel: 3, leaf: address & ~0xfffn | attributes });
  } else {
    const table = address & ~0xfffn | 3n;
    tables.map({ address, leafLevel: 2, leaf: table });
  }
  const code = SCRATCH_BASE + 0x20_0000n, high = 0xffff_ff80_0000_0000n;
  program.store(code + 8n, CODE | 1n | AF | READ_WRITE | 4n << 2n);
  program.set("TCR_EL1", 16n | 25n << 16n | 2n << 30n | 5n << 32n).set("TTBR0_EL1", tables.base);
  program.set("TTBR1_EL1", code).set("VBAR_EL1", high + program.stubs).set("SCTLR_EL1", 0x30d0_5805n);
  return high + program.slot;
}

const HCR_RW = 1n << 31n, HCR_VM = 1n, HCR_PTW = 1n << 2n, HCR_DC = 1n << 12n;

function scenarioRuns(program: SystemProgram, scenario: Scenario, name: string): void {
  const { stage1, granule, inputSize, start, control, address, leafLevel, leaf, replaced } = scenario;
  const tables = new Tables(program, { granule, inputSize, start }, 2);
  program.reset();
  tables.map({
    address,
    leafLevel,
    leaf,
    replaced: (level, descriptor) => replaced.get(level) ?? descriptor,
  });
  mapCode(tables, granule, start);
  const pc = enableStage1(program, scenario);
  program.set("VTCR_EL2", control).set("VTTBR_EL2", tables.base);
  const protectedWalk = stage1 === "protected walk" ? HCR_PTW : 0n;
  const cacheable = stage1 === "default cacheable" ? HCR_DC : 0n;
  program.set("HCR_EL2", HCR_RW | HCR_VM | protectedWalk | cacheable);
  program.fill(TARGET, 512, BRK_PAIR);
  for (const [level, line] of ACCESSES) {
    program.run({
      name: `${name}: ${line} at EL${level}`,
      level,
      code: [line],
      x: [BRK_PAIR, address],
      ...(level === 2 ? {} : { pc }),
    });
  }
  tables.clear();
}

/** What the program needs of RAM, by identity, in blocks as large as can be. */
function mapCode(tables: Tables, granule: Granule, start: number): void {
  const leafLevel = granule === 12 && start < 2 ? 1 : 2, size = 1n << BigInt(shiftOf(granule, leafLevel));
  for (let address = CODE; address < SCRATCH_BASE + 0x400_0000n; address += size) {
    tables.map({ address, leafLevel, leaf: address | 1n | AF | READ_WRITE | NORMAL });
  }
}

function describe(
  { stage1, granule, inputSize, start, control, address, leafLevel, leaf, replaced }: Scenario,
): string {
  const others = [...replaced].map(([level, value]) => `, level ${level} ${hex(value)}`).join("");
  return `stage 1 ${stage1}, ${2 ** (granule - 10)}K, ${inputSize} bits from level ${start}, VTCR ${
    hex(control)
  }, ` +
    `${hex(address)}, level ${leafLevel} ${hex(leaf)}${others}`;
}

/** Loads and stores of all forms; the syndrome tells a hypervisor size, sign and register of the simple ones. */
// deno-fmt-ignore
const FORMS: readonly string[] = [
  "ldrb w4, [x1]", "ldrh w4, [x1]", "ldr w4, [x1]", "ldr x4, [x1]", "ldrsb w4, [x1]", "ldrsb x4, [x1]", "ldrsh w4, [x1]",
  "ldrsh x4, [x1]", "ldrsw x4, [x1]", "strb w5, [x1]", "strh w5, [x1]", "str w5, [x1]", "str xzr, [x1]", "ldr xzr, [x1]",
  "ldr x4, [x1, #8]", "ldr x4, [x1], #8", "ldr x4, [x1, #8]!", "str x5, [x1], #-8", "str w5, [x1, #4]!", "ldr x4, [x1, x0]",
  "ldr w4, [x1, w0, uxtw #2]", "ldur x4, [x1, #3]", "sturb w5, [x1, #-1]", "ldtr x4, [x1]", "ldtrsb w4, [x1]", "sttrh w5, [x1]",
  "ldp x4, x5, [x1]", "stp w4, w5, [x1]", "ldpsw x4, x5, [x1]", "ldnp x4, x5, [x1]", "ldp x4, x5, [x1], #16",
  "ldxr x4, [x1]", "ldaxrb w4, [x1]", "ldxp x4, x5, [x1]", "ldar x4, [x1]", "ldarh w4, [x1]", "stlr w5, [x1]", "stlrb w5, [x1]",
  "ldr q0, [x1]", "ldr d0, [x1]", "str s0, [x1]", "stp q0, q1, [x1]", "ldr b0, [x1]",
  "prfm pldl1keep, [x1]", "dc cvac, x1", "dc ivac, x1", "dc civac, x1", "dc cvau, x1", "ic ivau, x1", "dc zva, x1", "br x1",
];

function formRuns(program: SystemProgram): void {
  const tables = new Tables(program, { granule: 12, inputSize: 40, start: 1 }, 2);
  for (const level of [0, 1] as const) {
    for (const line of FORMS) {
      program.reset();
      mapCode(tables, 12, 1);
      program.set("VTCR_EL2", 1n << 31n | 24n | 1n << 6n | 2n << 16n).set("VTTBR_EL2", tables.base);
      program.set("HCR_EL2", HCR_RW | HCR_VM | HCR_DC).set("SCTLR_EL1", 0x30d0_4800n | 1n << 26n | 1n << 15n);
      program.run({
        name: `${line} at EL${level}`,
        level,
        code: [line],
        x: [8n, 0x1_2345_6780n, 0n, 0n, 0n, 5n],
      });
      tables.clear();
    }
  }
}

/** The groups. */
export const groups: readonly Group[] = [
  {
    name: "stage 2",
    top: 3,
    build(program) {
      const choices = new Choices(2);
      for (let index = 0; index < 900; index++) {
        const scenario = randomScenario(choices);
        scenarioRuns(program, scenario, describe(scenario));
      }
    },
  },
  { name: "syndromes of stage 2", top: 3, build: formRuns },
  { name: "syndromes of stage 2, top EL2", top: 2, build: formRuns },
];
