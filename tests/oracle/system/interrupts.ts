/** Interrupts: routing, masking and virtual ones, by the timer through the interrupt controller and by HCR_EL2. */
import { type Group, type Level, levelsOf } from "./group.ts";
import { spsrOf, type SystemProgram, type TopLevel } from "./program.ts";

const GICD = 0x800_0000n, GICC = 0x801_0000n;
const GICD_IGROUPR = 0x80n, GICD_ISENABLER = 0x100n, GICC_PMR = 4n;

/** The timers, with the number of their interrupt and the level from which on they exist. */
// deno-fmt-ignore
const TIMERS: readonly (readonly [name: string, level: string, interrupt: bigint, from: TopLevel])[] = [
  ["CNTP", "EL0", 30n, 1], ["CNTV", "EL0", 27n, 1], ["CNTHP", "EL2", 26n, 2], ["CNTPS", "EL1", 29n, 3],
];

/** Starts a timer that is due, in one of the controller's groups, with everything enabled. */
function raise(
  program: SystemProgram,
  [name, level, interrupt]: typeof TIMERS[number],
  grouped: boolean,
  fiq: boolean,
): void {
  const enable = program.top === 3 ? (fiq ? 0xbn : 3n) : 1n;
  program.store32(GICD, 3n).store32(GICC, enable).store32(GICC + GICC_PMR, 0xffn);
  program.store32(GICD + GICD_IGROUPR, grouped ? 0xffff_ffffn : 0n).store32(
    GICD + GICD_ISENABLER,
    1n << interrupt,
  );
  program.set(`${name}_CVAL_${level}`, 0n).set(`${name}_CTL_${level}`, 1n);
}

function lower(program: SystemProgram, [name, level, interrupt]: typeof TIMERS[number]): void {
  program.set(`${name}_CTL_${level}`, 0n);
  program.store32(GICD + GICD_ISENABLER + 0x80n, 1n << interrupt).store32(GICD, 0n).store32(GICC, 0n);
}

/** What the interrupted level would do. */
const CODE = ["mrs x4, isr_el1", "nop"];

/** Masks of A, I and F in SPSR. */
const MASKS = [0x3c0n, 0x340n, 0x380n, 0x300n];

function timerRuns(program: SystemProgram): void {
  const { top } = program;
  for (const timer of TIMERS.filter(([, , , from]) => from <= top)) {
    for (const fiq of top === 3 ? [false, true] : [false]) {
      for (const masks of MASKS) {
        for (const level of levelsOf(top)) {
          program.reset();
          raise(program, timer, false, fiq);
          const spsr = spsrOf(level) & ~0x3c0n | masks;
          const name = `${timer[0]}${fiq ? " as FIQ" : ""} with DAIF ${masks.toString(16)} at EL${level}`;
          const code = level === 0 ? ["nop"] : CODE;
          program.run({ name, level, spsr, code });
          lower(program, timer);
        }
      }
    }
  }
}

const TGE = 0x800_0000n;
/** Settings of HCR_EL2 beside RW: FMO, IMO, AMO, TGE. */
const ROUTES = [0n, 8n, 0x10n, 0x18n, 0x38n, TGE];

/** Settings of HCR_EL2 and of the bits that route interrupts in SCR_EL3: IRQ, FIQ, EA. */
export function routingRuns(program: SystemProgram, hcrs: readonly bigint[] = ROUTES): void {
  const timer = TIMERS[0] as typeof TIMERS[number];
  for (const hcr of hcrs) {
    for (const scr of [0n, 2n, 4n, 6n]) {
      for (const fiq of [false, true]) {
        for (const masks of MASKS) {
          for (const level of [0, 1, 2] as const) {
            if (level === 1 && (hcr & TGE) !== 0n) continue; // an illegal return
            program.reset();
            raise(program, timer, false, fiq);
            program.set("HCR_EL2", 0x8000_0000n | hcr).set("SCR_EL3", 0x531n | scr);
            const settings = `HCR_EL2 0x${hcr.toString(16)}, SCR_EL3 ${scr}, DAIF ${masks.toString(16)}`;
            const spsr = spsrOf(level) & ~0x3c0n | masks;
            program.run({
              name: `${fiq ? "FIQ" : "IRQ"}, ${settings} at EL${level}`,
              level,
              spsr,
              code: level === 0 ? ["nop"] : CODE,
            });
            lower(program, timer);
          }
        }
      }
    }
  }
}

/** Virtual interrupts pending by HCR_EL2.VF, VI and VSE, with and without FMO, IMO and AMO. */
function virtualRuns(program: SystemProgram): void {
  for (const routed of [0n, 8n, 0x10n, 0x20n, 0x38n]) {
    for (const pending of [0x40n, 0x80n, 0x100n, 0xc0n, 0x1c0n]) {
      for (const masks of [...MASKS, 0x2c0n, 0x200n]) {
        for (const level of [0, 1, 2] as const) {
          const hcr = routed | pending;
          program.reset().set("HCR_EL2", 0x8000_0000n | hcr);
          const spsr = spsrOf(level) & ~0x3c0n | masks;
          const name = `HCR_EL2 0x${hcr.toString(16)}, DAIF ${masks.toString(16)} at EL${level}`;
          program.run({ name, level, spsr, code: level === 0 ? ["nop"] : CODE });
        }
      }
    }
  }
}

/** Acknowledging, priorities and ending, as software sees it through the CPU interface. */
function acknowledgeRuns(program: SystemProgram): void {
  const timer = TIMERS[0] as typeof TIMERS[number];
  const registers: readonly (readonly [string, bigint])[] = [
    ["priority 0xa0", 0xa0n],
    ["priority 0", 0n],
    ["priority 0xf8", 0xf8n],
  ];
  for (const level of levelsOf(program.top)) {
    if (level === 0) continue;
    for (const [name, priority] of registers) {
      for (const mask of [0xffn, 0xa0n, 0x80n]) {
        program.reset();
        program.store32(GICD + 0x400n + 28n, priority << 16n);
        raise(program, timer, false, false);
        program.store32(GICC + GICC_PMR, mask);
        program.run({
          name: `${name}, mask ${mask.toString(16)} at EL${level}`,
          level: level satisfies Level,
          code: [
            "ldr w4, [x1, #0x18]",
            "ldr w5, [x1, #0xc]",
            "ldr w6, [x1, #0x14]",
            "ldr w7, [x2, #0x300]",
            "str w5, [x1, #0x10]",
            "ldr w3, [x1, #0x14]",
            "ldr w0, [x2, #0x200]",
          ],
          x: [0n, GICC, GICD],
        });
        lower(program, timer);
      }
    }
  }
}

function group(name: string, top: TopLevel, build: Group["build"]): Group {
  return { name: `${name}, top EL${top}`, top, build };
}

/** The groups. */
export const groups: readonly Group[] = [
  ...([1, 2, 3] as const).map((top) => group("timer interrupts", top, timerRuns)),
  ...([1, 2, 3] as const).map((top) => group("acknowledging", top, acknowledgeRuns)),
  group("interrupt routing", 3, (program) => routingRuns(program)),
  group("virtual interrupts", 3, virtualRuns),
  group("virtual interrupts", 2, virtualRuns),
];
