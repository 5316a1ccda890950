/** Pointer authentication: codes of all kinds of pointers, their checks, branches and loads by them, and what traps. */
import type { Group, GroupModel, Level } from "./group.ts";
import { SCRATCH_BASE, spsrOf, type SystemProgram } from "./program.ts";
import { Choices } from "./random.ts";

const bit = (...numbers: number[]): bigint => numbers.reduce((sum, number) => sum | 1n << BigInt(number), 0n);

const KEYS = ["APIA", "APIB", "APDA", "APDB", "APGA"];
/** SCTLR_ELx.EnIA, EnIB, EnDA, EnDB. */
const ENABLED = bit(31, 30, 27, 13);
const HCR_RW = bit(31), HCR_PAUTH = bit(40, 41), HCR_E2H = bit(34), HCR_TGE = bit(27);
const SCR = 0x531n, SCR_PAUTH = bit(16, 17);
/** SCTLR_ELx.SA and SA0 are off, so that SP may be any modifier. */
const SCTLR_1 = 0x30d0_0800n, SCTLR_2 = 0x30c5_0830n & ~bit(3);

/** Where runs are, and what holds their controls. */
interface Place {
  readonly name: string;
  readonly level: Level;
  readonly hcr: bigint;
  readonly regime: 1 | 2 | 3;
  readonly hasTwoRanges: boolean;
}

// deno-fmt-ignore
const PLACES: readonly Place[] = [
  { name: "EL0",           level: 0, hcr: HCR_RW,                     regime: 1, hasTwoRanges: true },
  { name: "EL1",           level: 1, hcr: HCR_RW,                     regime: 1, hasTwoRanges: true },
  { name: "EL2",           level: 2, hcr: HCR_RW,                     regime: 2, hasTwoRanges: false },
  { name: "EL2 of a host", level: 2, hcr: HCR_RW | HCR_E2H,           regime: 2, hasTwoRanges: true },
  { name: "EL0 of a host", level: 0, hcr: HCR_RW | HCR_E2H | HCR_TGE, regime: 2, hasTwoRanges: true },
  { name: "EL3",           level: 3, hcr: HCR_RW,                     regime: 3, hasTwoRanges: false },
];

function setKeys(program: SystemProgram, choices: Choices): void {
  for (const key of KEYS) {
    program.set(`${key}KeyLo_EL1`, choices.bits(64)).set(`${key}KeyHi_EL1`, choices.bits(64));
  }
}

/** Sets a place up; the value is for the run's `sctlr`, which is of the highest level. */
function enable(program: SystemProgram, { hcr, regime }: Place, enabled: bigint, tcr: bigint): bigint {
  program.reset().set("SCR_EL3", SCR | SCR_PAUTH).set("HCR_EL2", hcr | HCR_PAUTH).set(`TCR_EL${regime}`, tcr);
  const value = (regime === 1 ? SCTLR_1 : SCTLR_2) | enabled;
  if (regime < 3) program.set(`SCTLR_EL${regime}`, value);
  return regime === 3 ? value : SCTLR_2;
}

/** TnSZ, TBI and TBID; sizes out of bounds are left out, since QEMU has those of FEAT_TTST. */
function randomControls(choices: Choices, { hasTwoRanges }: Place): bigint {
  const size = () => BigInt(choices.once(2) ? 16 : 16 + choices.below(24));
  if (!hasTwoRanges) return bit(23, 31) | size() | choices.bits(1) << 20n | choices.bits(1) << 29n;
  return 2n << 30n | size() | size() << 16n | choices.bits(2) << 37n | choices.bits(2) << 51n;
}

/** Addresses of both ranges, with tags, with something above the address, or anything. */
function randomPointer(choices: Choices): bigint {
  const low = choices.bits(choices.pick([25, 32, 39, 48]));
  const plain = choices.once(2) ? low : BigInt.asUintN(64, -1n - low);
  switch (choices.below(6)) {
    case 0:
      return BigInt.asUintN(56, plain) | choices.bits(8) << 56n;
    case 1:
      return plain ^ 1n << BigInt(40 + choices.below(24));
    case 2:
      return choices.bits(64);
    default:
      return plain;
  }
}

/**
 * True where QEMU signs as the Arm ARM says (AddPAC): it takes the range's size from bit 55 and, without TBI for that
 * range, the extension from bit 63; by the Arm ARM both are from bit 55 with TBI for either range, else from bit 63.
 */
function isAgreed({ hasTwoRanges }: Place, tcr: bigint, pointer: bigint, isData: boolean): boolean {
  const upper = pointer >> 55n & 1n;
  if (!hasTwoRanges || upper === pointer >> 63n) return true;
  const ignored = [0n, 1n].map((range) =>
    (tcr >> 37n + range & 1n) === 1n && (isData || (tcr >> 51n + range & 1n) === 0n)
  );
  return ignored[Number(upper)] === true || (!ignored.includes(true) && (tcr & 63n) === (tcr >> 16n & 63n));
}

/** A pointer on whose code QEMU and the Arm ARM agree. */
function agreedPointer(choices: Choices, place: Place, tcr: bigint, isData: boolean): bigint {
  for (;;) {
    const pointer = randomPointer(choices);
    if (isAgreed(place, tcr, pointer, isData)) return pointer;
  }
}

/** Mnemonics by key. */
// deno-fmt-ignore
const OPERATIONS = [
  ["pacia", "autia", "xpaci"], ["pacib", "autib", "xpaci"], ["pacda", "autda", "xpacd"], ["pacdb", "autdb", "xpacd"],
] as const;

/** Signs, authenticates rightly and wrongly, strips, and authenticates what was never signed. */
function valueRuns(program: SystemProgram, place: Place, choices: Choices): void {
  const { name, level } = place;
  for (let round = 0; round < 100; round++) {
    const tcr = randomControls(choices, place);
    // QEMU strips nothing where no key is enabled.
    const enabled = choices.once(8) ? choices.bits(64) & ENABLED | 1n << 31n : ENABLED;
    const sctlr = enable(program, place, enabled, tcr);
    setKeys(program, choices);
    for (const [pac, aut, xpac] of OPERATIONS) {
      const modifier = choices.bits(64), other = choices.once(4) ? modifier ^ 1n : choices.bits(64);
      const x = [
        agreedPointer(choices, place, tcr, pac.startsWith("pacd")),
        0n,
        0n,
        0n,
        0n,
        modifier,
        other,
        randomPointer(choices),
      ];
      // deno-fmt-ignore
      const code = [`${pac} x0, x5`, "mov x1, x0", `${aut} x1, x5`, "mov x2, x0", `${aut} x2, x6`, `pacga x3, x0, x6`, `${aut} x7, x5`, `${xpac} x0`];
      program.run({
        name: `${name}, TCR ${tcr.toString(16)}: ${pac} ${x[0]?.toString(16)}`,
        level,
        code,
        x,
        sctlr,
      });
      const z = (mnemonic: string) => mnemonic.replace(/[ab]$/, "z$&");
      // deno-fmt-ignore
      const without = [`mov x1, x0`, `${z(pac)} x0`, "mov x2, x0", `${z(aut)} x2`, `${xpac} x1`, "pacga x3, x0, sp", "pacga x4, x5, x6"];
      program.run({
        name: `${name}, TCR ${tcr.toString(16)}: ${z(pac)} ${x[0]?.toString(16)}`,
        level,
        code: without,
        x,
        sctlr,
      });
    }
    for (
      const [sign, check] of [["paciasp", "autiasp"], ["pacibsp", "autibsp"], ["paciaz", "autiaz"], [
        "pacibz",
        "autibz",
      ], ["paciasp", "xpaclri"]]
    ) {
      const code = [`mov x30, x0`, sign as string, "mov x1, x30", check as string, "mov x2, x30"];
      program.run({
        name: `${name}, TCR ${tcr.toString(16)}: ${sign} ${check}`,
        level,
        code,
        x: [agreedPointer(choices, place, tcr, false)],
        sctlr,
      });
    }
    for (const key of ["a", "b"]) {
      const code = [
        "mov x17, x0",
        "mov x16, x1",
        `paci${key}1716`,
        "mov x2, x17",
        `auti${key}1716`,
        "mov x3, x17",
      ];
      program.run({
        name: `${name}, TCR ${tcr.toString(16)}: paci${key}1716`,
        level,
        code,
        x: [agreedPointer(choices, place, tcr, false), choices.bits(64)],
        sctlr,
      });
    }
  }
}

/** Branches, returns and loads by signed pointers, rightly and wrongly; X1 is the fifth word, X4 memory. */
// deno-fmt-ignore
const USES: readonly (readonly string[])[] = [
  ["pacia x1, x2", "braa x1, x2"], ["pacia x1, x2", "braa x1, x3"], ["pacib x1, x2", "brab x1, x2"], ["pacib x1, x2", "braa x1, x2"],
  ["paciza x1", "braaz x1"], ["pacizb x1", "brabz x1"], ["pacizb x1", "braaz x1"],
  ["pacia x1, x2", "blraa x1, x2"], ["pacib x1, sp", "blrab x1, sp"], ["paciza x1", "blraaz x1"], ["pacizb x1", "blrabz x1"], ["pacizb x1", "blraaz x1"],
  ["mov x30, x1", "paciasp", "retaa"], ["mov x30, x1", "pacibsp", "retab"], ["mov x30, x1", "pacibsp", "retaa"], ["mov x30, x1", "pacia x30, x2", "blraa x30, x2"],
  ["pacdza x4", "ldraa x5, [x4, #8]"], ["pacdzb x4", "ldrab x5, [x4, #-16]"], ["pacdza x4", "ldrab x5, [x4, #8]"], ["pacdzb x4", "ldraa x5, [x4]"],
  ["pacdza x4", "ldraa x5, [x4, #16]!"], ["pacdzb x4", "ldrab x5, [x4, #-8]!"], ["pacdza x4", "ldrab x5, [x4, #8]!"], ["pacdza x4", "ldraa x4, [x4, #8]!"],
  ["ldraa x5, [x4, #4088]"], ["ldrab x5, [x4, #-4096]"],
];

function useRuns(program: SystemProgram, place: Place, choices: Choices): void {
  const { name, level, regime } = place;
  // deno-fmt-ignore
  const returns = level === 0 || level === 3 ? [] : ["a", "b"].flatMap((key) => ["a", "b"].map((other) =>
    [`paci${key} x1, sp`, `msr elr_el${level}, x1`, `msr spsr_el${level}, x0`, `ereta${other}`]));
  const memory = SCRATCH_BASE + 0x1000n;
  for (let round = 0; round < 4; round++) {
    // The code has an address without a top byte; TBI is for the tags of failures.
    const tcr = (place.hasTwoRanges ? 2n << 30n | 25n | 25n << 16n : bit(23, 31) | 25n) |
      (round % 2 === 0 ? 0n : place.hasTwoRanges ? bit(37) : bit(20)) |
      (round < 3 ? 0n : place.hasTwoRanges ? bit(51) : bit(29));
    for (const enabled of [ENABLED, 0n]) {
      for (const use of [...USES, ...returns]) {
        const sctlr = enable(program, place, enabled, tcr);
        setKeys(program, choices);
        program.fill(memory - 32n, 16, 0x1234_5678_9abc_def0n);
        program.store(memory, 0x1111n).store(memory + 8n, 0x2222n).store(memory - 8n, 0x3333n);
        const code = [...use, "nop", "nop", "nop"].slice(0, 4);
        program.run({
          name: `${name}, ${enabled === 0n ? "disabled" : "enabled"}, TCR ${tcr.toString(16)}: ${
            use.join("; ")
          }`,
          level,
          code: [...code, "mov x6, x30", "mov x7, #7"],
          x: [spsrOf(level), program.slot + 16n, choices.bits(64), choices.bits(64), memory],
          ...(regime === 3 ? { sctlr } : {}),
        });
      }
    }
  }
}

/** What may trap: keys, and instructions by enabled and disabled keys. */
// deno-fmt-ignore
const TRAPPED = [
  "pacia x0, x1", "pacib x0, x1", "pacda x0, x1", "pacdb x0, x1", "autia x0, x1", "autdzb x0", "pacga x0, x1, x2", "xpaci x0", "xpacd x0",
  "paciasp", "autibsp", "pacib1716", "xpaclri", "braa x1, x2", "blrabz x1", "retaa", "eretaa", "eretab", "ldraa x0, [x4]", "ldrab x0, [x4, #8]!",
  "mrs x5, apiakeylo_el1", "msr apibkeyhi_el1, x0", "mrs x5, apdakeyhi_el1", "msr apdbkeylo_el1, x0", "mrs x5, apgakeylo_el1",
];

function trapRuns(program: SystemProgram, place: Place): void {
  const { name, level, hcr } = place;
  for (const scr of [0n, bit(16), bit(17), SCR_PAUTH]) {
    for (const hypervisor of [0n, bit(40), bit(41), HCR_PAUTH]) {
      for (const enabled of [ENABLED, 0n]) {
        for (const line of TRAPPED) {
          if (line.startsWith("eret") && level === 3) continue; // it would run the runner
          const sctlr = enable(program, place, enabled, place.hasTwoRanges ? 2n << 30n : bit(23, 31));
          program.set("SCR_EL3", SCR | scr).set("HCR_EL2", hcr | hypervisor);
          // deno-fmt-ignore
          const what = `SCR ${scr.toString(16)}, HCR ${hypervisor.toString(16)}, ${enabled === 0n ? "disabled" : "enabled"}`;
          program.run({
            name: `${name}, ${what}: ${line}`,
            level,
            code: [line],
            x: [0n, program.slot + 16n, 0n, 0n, SCRATCH_BASE],
            sctlr,
          });
        }
      }
    }
  }
}

function group(
  name: string,
  model: GroupModel,
  build: (program: SystemProgram, place: Place) => void,
): Group {
  return {
    name: `${name}, max`,
    top: 3,
    model,
    build: (program) => PLACES.forEach((place) => build(program, place)),
  };
}

/** The groups. */
export const groups: readonly Group[] = [
  group("pointer codes", "max", (program, place) => valueRuns(program, place, new Choices(11))),
  group(
    "pointer codes by a hash",
    "max,pauth-impdef=on",
    (program, place) => valueRuns(program, place, new Choices(12)),
  ),
  group("uses of signed pointers", "max", (program, place) => useRuns(program, place, new Choices(13))),
  group("traps of pointer authentication", "max", trapRuns),
];
