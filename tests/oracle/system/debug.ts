/** Breakpoints and watchpoints: random controls at every level, against instructions and accesses near their addresses. */
import { type Group, type GroupModel, type Level, levelsOf } from "./group.ts";
import { SCRATCH_BASE, spsrOf, type SystemProgram, type TopLevel } from "./program.ts";
import { Choices } from "./random.ts";

const MEMORY = SCRATCH_BASE + 0x1000n;
const RUNS = 800;

const MDE = 1n << 15n,
  KDE = 1n << 13n,
  SDD = 1n << 16n,
  TDE = 1n << 8n,
  HCR_RW = 1n << 31n,
  HCR_TGE = 1n << 27n,
  HCR_E2H = 1n << 34n;
const SPSR_D = 1n << 9n;
/** What every run begins with, and without NS. */
const SCR = [0x531n, 0x531n, 0x530n];
const CONTEXT = 0x1234_5678n;

/** A setting of everything that decides whether debug exceptions are enabled. */
interface Situation {
  readonly spsr: bigint;
  /** HCR_EL2.TGE is 1, so that stage 1 is off for EL0. */
  readonly isRouted: boolean;
  readonly name: string;
}

function situate(program: SystemProgram, random: Choices, level: Level, isHost: boolean): Situation {
  const { top } = program;
  program.reset().set("OSLAR_EL1", 0n).set("CONTEXTIDR_EL1", random.pick([CONTEXT, 1n]));
  const mdscr = random.pick([MDE | KDE, MDE | KDE, MDE, KDE]);
  program.set("MDSCR_EL1", mdscr);
  let name = `MDSCR_EL1 ${mdscr.toString(16)}`;
  const scr = top === 3 && level < 2 ? random.pick(SCR) : 0x531n;
  if (top === 3) {
    const mdcr3 = random.pick([0n, 0n, SDD]);
    program.set("MDCR_EL3", mdcr3).set("SCR_EL3", scr);
    name += `, SCR_EL3 ${scr.toString(16)}, MDCR_EL3 ${mdcr3.toString(16)}`;
  }
  const routes = level === 0 && top >= 2 ? random.pick([0n, 0n, HCR_TGE]) : 0n;
  if (top >= 2) {
    const mdcr2 = 6n | random.pick([0n, TDE]);
    const hcr = HCR_RW | routes | (isHost ? HCR_E2H : 0n);
    // The host's CPTR_EL2 is as CPACR_EL1.
    if (isHost) program.set("CPTR_EL2", 3n << 20n).set("CONTEXTIDR_EL2", random.pick([CONTEXT, 1n]));
    program.set("MDCR_EL2", mdcr2).set("HCR_EL2", hcr);
    name += `, MDCR_EL2 ${mdcr2.toString(16)}, HCR_EL2 ${hcr.toString(16)}`;
  }
  const spsr = random.pick([spsrOf(level) & ~SPSR_D, spsrOf(level) & ~SPSR_D, spsrOf(level)]);
  return { spsr, isRouted: routes !== 0n, name };
}

/** Privilege, higher mode, security state: half of the time what matches everywhere. */
function stateControl(random: Choices): bigint {
  if (random.below(2) === 0) return 3n << 1n | 1n << 13n;
  return BigInt(random.below(4)) << 1n | BigInt(random.below(2)) << 13n | BigInt(random.below(4)) << 14n;
}

/** A link to one of the breakpoints, those on contexts mostly; and what they compare. */
function link(program: SystemProgram, random: Choices): bigint {
  if (random.below(3) > 0) return 0n;
  const number = random.pick([4, 5, 5, 4, 3, 15]);
  const enabled = random.pick([1n, 1n, 0n]);
  program.set("DBGBVR5_EL1", CONTEXT).set("DBGBVR4_EL1", random.pick([CONTEXT, 7n]));
  for (const aware of [4, 5]) {
    program.set(`DBGBCR${aware}_EL1`, random.pick<bigint>([3n << 20n | 0x1e6n, 0x1e6n]) | enabled);
  }
  return 1n << 20n | BigInt(number) << 16n;
}

function disarm(program: SystemProgram, number: number): void {
  for (const aware of [4, 5]) program.set(`DBGBCR${aware}_EL1`, 0n);
  program.set(`DBGBCR${number}_EL1`, 0n).set(`DBGWCR${number & 3}_EL1`, 0n).set("MDSCR_EL1", 0n);
}

// deno-fmt-ignore
const STEPS: readonly (readonly (string | number)[])[] = [
  ["mov x4, #1", "mov x5, #2", "mov x6, #3"], ["b 8", "nop", "mov x5, #2"], ["nop", "svc #1"], ["nop", 0, "nop"], ["nop", "brk #3"],
];

function breakpointRuns(program: SystemProgram, isHost: boolean): void {
  const random = new Choices(7);
  for (let index = 0; index < RUNS; index++) {
    const level = random.pick(levelsOf(program.top).filter((level) => level < program.top));
    const { spsr, name } = situate(program, random, level, isHost);
    const number = random.below(4), linked = link(program, random);
    const offset = BigInt(random.pick([0, 4, 4, 8, 8, 12, 6]));
    const bas = random.pick([15n, 15n, 15n, 3n, 0n, 12n]);
    const enabled = random.pick([1n, 1n, 1n, 0n]);
    const control = stateControl(random) | linked | bas << 5n | enabled;
    program.set(`DBGBVR${number}_EL1`, program.slot + offset).set(`DBGBCR${number}_EL1`, control);
    const code = random.pick(STEPS), illegal = random.once(12) ? 1n << 20n : 0n;
    program.run({
      name: `breakpoint ${index}: ${code} at EL${level}, +${offset} ${control.toString(16)}, ${name}`,
      level,
      spsr: spsr | illegal,
      code,
    });
    disarm(program, number);
  }
}

/** Tables that map the runner's code for execution and MEMORY, as Normal memory, for EL1 and EL0. */
const TABLE = SCRATCH_BASE + 0x20_0000n;
const BLOCK = 1n | 1n << 10n | 4n << 2n, TO_EL0 = 1n << 6n, READ_ONLY = 2n << 6n;

function map(program: SystemProgram): void {
  program.store(TABLE + 8n, (TABLE + 0x1000n) | 3n);
  program.store(TABLE + 0x1000n + 8n, 0x4020_0000n | BLOCK | TO_EL0 | READ_ONLY);
  program.store(TABLE + 0x1000n + 8n * 64n, SCRATCH_BASE | BLOCK | TO_EL0);
  program.set("TCR_EL1", 25n | 1n << 23n).set("TTBR0_EL1", TABLE).set("SCTLR_EL1", 0x30d0_5805n);
}

/** Those that only Normal memory can take. */
// deno-fmt-ignore
const UNALIGNED = [
  "ldr x4, [x1, #1]", "str w0, [x1, #6]", "ldur x4, [x1, #-3]", "ldr q0, [x1, #3]", "stp x4, x5, [x1, #-8]", "dc zva, x1", "ldrh w4, [x1, #7]",
];

// deno-fmt-ignore
const ACCESSES = [
  "ldr x4, [x1]", "str x0, [x1]", "ldrb w4, [x1, #3]", "strb w0, [x1, #5]", "ldp x4, x5, [x1]", "stp x4, x5, [x1]", "ldr q0, [x1]", "str q0, [x1, #16]",
  "ldtr x4, [x1]", "sttr x0, [x1]", "ldr x4, [x1, #8]!", "ldaxr x4, [x1]", "stlr x0, [x1]",
  "ldp q0, q1, [x1]", "ldrh w4, [x1, #2]", "ldr x4, [x2]", "ld1 {v0.16b, v1.16b}, [x1]", "st1 {v0.8b}, [x1]",
];
const ATOMICS = ["ldadd x0, x4, [x1]", "swp x0, x4, [x1]", "cas x4, x0, [x1]", "ldset w0, w4, [x1]"];

function watchpointRuns(program: SystemProgram, accesses: readonly string[], isHost: boolean): void {
  const random = new Choices(8);
  for (let index = 0; index < RUNS; index++) {
    const level = random.pick(levelsOf(program.top).filter((level) => level < program.top));
    const { spsr, isRouted, name } = situate(program, random, level, isHost);
    const number = random.below(4), linked = link(program, random);
    const address = MEMORY + BigInt(random.pick([0, 0, 0, 4, 8, 16, 64, -8, 0x1000]));
    const bas = BigInt(random.pick([255, 255, 255, 15, 240, 1, 8, 0x28, 0, 0x3c]));
    const mask = BigInt(random.below(4) === 0 ? random.pick([0, 1, 2, 3, 4, 6, 12, 31]) : 0);
    const transfers = BigInt(random.pick([3, 3, 1, 2, 0])), enabled = random.pick([1n, 1n, 1n, 0n]);
    const control = stateControl(random) | linked | mask << 24n | bas << 5n | transfers << 3n | enabled;
    program.set(`DBGWVR${number}_EL1`, address).set(`DBGWCR${number}_EL1`, control);
    const isMapped = program.top > 1 && level < 2 && !isRouted && random.below(2) === 0;
    if (isMapped) map(program);
    const line = random.pick(isMapped ? [...accesses, ...UNALIGNED] : accesses);
    program.fill(MEMORY, 16, 0x1111n);
    program.run({
      name: `watchpoint ${index}: ${line} at EL${level}, ${address.toString(16)} ${
        control.toString(16)
      }, ${name}`,
      level,
      spsr,
      code: ["mov x7, #1", line, "ldr x6, [x3]"],
      x: [1n, MEMORY, 0x40_0000_0000n, MEMORY + 0x800n],
    });
    disarm(program, number);
  }
}

const SS = 1n, SPSR_SS = 1n << 21n;

// deno-fmt-ignore
const STEPPED: readonly (readonly (string | number)[])[] = [
  ["nop"], ["mov x4, #1", "mov x5, #2"], ["b 8", "nop", "nop"], ["svc #1"], ["brk #3"], [0], ["smc #1"], ["ldr x4, [x1]", "nop"], ["str x0, [x1]"],
  ["ldxr x4, [x1]"], ["ldaxp x4, x5, [x1]"], ["stxr w4, x0, [x1]"], ["eret"], ["msr daifset, #8", "nop"], ["msr spsel, #0"], ["wfe"], ["isb"], ["br x2"], ["ldr x4, [x2]"],
];

/** Software step of one instruction, with a breakpoint on it or the next one and a watchpoint on what it accesses at times. */
function stepRuns(program: SystemProgram, isHost: boolean): void {
  const random = new Choices(9);
  for (let index = 0; index < RUNS; index++) {
    const level = random.pick(levelsOf(program.top).filter((level) => level < program.top));
    const { spsr, name } = situate(program, random, level, isHost);
    const mdscr = random.pick([MDE | KDE | SS, KDE | SS, SS, MDE | SS]);
    program.set("MDSCR_EL1", mdscr);
    const offset = BigInt(random.pick([0, 4, 8])), armed = random.below(4);
    if (armed === 1) program.set("DBGBVR0_EL1", program.slot + offset).set("DBGBCR0_EL1", 0x21e7n);
    if (armed === 2) program.set("DBGWVR0_EL1", MEMORY).set("DBGWCR0_EL1", 0x3fffn);
    const code = random.pick(STEPPED),
      states = random.pick([SPSR_SS, SPSR_SS, 0n]) | (random.once(12) ? 1n << 20n : 0n);
    program.run({
      name:
        `step ${index}: ${code} at EL${level}, ${
          armed === 1 ? `breakpoint +${offset}` : armed === 2 ? "watchpoint" : ""
        } ` +
        `SPSR ${(spsr | states).toString(16)}, step ${mdscr.toString(16)}, ${name}`,
      level,
      spsr: spsr | states,
      code,
      x: [1n, MEMORY, 0x40_0000_0000n],
    });
    disarm(program, 0);
  }
}

/** The groups of a model; those of a host have HCR_EL2.E2H set, and CONTEXTIDR_EL2 to compare. */
function group(top: TopLevel, model: GroupModel, isHost = false): Group[] {
  const end = `${isHost ? " of a host" : `, top EL${top}`}${model === "max" ? ", max" : ""}`;
  const accesses = model === "max" ? [...ACCESSES, ...ATOMICS, ...ATOMICS] : ACCESSES;
  const named = (name: string, build: Group["build"]): Group => ({
    name: `${name}${end}`,
    top,
    model,
    build,
  });
  return [
    named("breakpoints", (program) => breakpointRuns(program, isHost)),
    named("software step", (program) => stepRuns(program, isHost)),
    named("watchpoints", (program) => watchpointRuns(program, accesses, isHost)),
  ];
}

/** The groups. */
export const groups: readonly Group[] = [
  ...([1, 2, 3] as const).flatMap((top) => group(top, "cortex-a57")),
  ...group(3, "max"),
  ...group(3, "max", true),
];
