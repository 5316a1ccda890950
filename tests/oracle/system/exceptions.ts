/** Exceptions of every class from every level, illegal states, returns and routing. */
import { type Group, type Level, levelsOf } from "./group.ts";
import { spsrOf, type SystemProgram, type TopLevel } from "./program.ts";

/** Nothing answers there. */
const NOWHERE = 0x40_0000_0000n;
/** RAM of no other use. */
const MEMORY = 0x4900_0000n;

/** What is run at each level: lines, with X0 = 1, X1 = an address in RAM, X2 = one where nothing is, X3 unaligned. */
// deno-fmt-ignore
const CODE: Readonly<Record<string, readonly (string | number)[]>> = {
  "svc":               ["svc #0"],
  "svc ffff":          ["svc #0xffff"],
  "hvc":               ["hvc #0x1234"],
  "smc":               ["smc #0x4321"],
  "brk":               ["brk #0xbeef"],
  "hlt":               ["hlt #1"],
  "udf":               [0],
  "unallocated":       [0x1e00_0000],
  "dcps1":             ["dcps1"],
  "drps":              ["drps"],
  "eret":              ["eret"],
  "load nowhere":      ["ldr x4, [x2]"],
  "store nowhere":     ["str x0, [x2]"],
  "pair nowhere":      ["ldp x4, x5, [x2]"],
  "byte nowhere":      ["ldrsb w4, [x2, #3]"],
  "writeback nowhere": ["ldr x4, [x2], #8"],
  "fetch nowhere":     ["br x2"],
  "fetch unaligned":   ["br x3"],
  "return unaligned":  ["ret x3"],
  "call nowhere":      ["blr x2"],
  "exclusive":         ["ldxr x4, [x1]", "add x4, x4, #1", "stxr w5, x4, [x1]", "ldr x6, [x1]", "stxr w7, x4, [x1]"],
  "exclusive unaligned":       ["ldxr x4, [x3]"],
  "exclusive pair unaligned":  ["add x1, x1, #8", "ldxp x4, x5, [x1]"],
  "store exclusive unaligned": ["ldxr x4, [x1]", "stxr w5, x4, [x3]"],
  "exclusive cleared":         ["ldxr x4, [x1]", "clrex", "stxr w5, x4, [x1]"],
  "exclusive after another":   ["ldxr x4, [x1]", "add x3, x1, #64", "ldxr x5, [x3]", "stxr w6, x4, [x1]"],
  "acquire unaligned":         ["ldar x4, [x3]"],
  "release unaligned":         ["stlr x4, [x3]"],
  "load-acquire exclusive nowhere": ["ldaxr x4, [x2]"],
  "unprivileged nowhere":      ["ldtr x4, [x2]"],
  "prefetch nowhere":          ["prfm pldl1keep, [x2]"],
  "zero nowhere":              ["dc zva, x2"],
  "clean nowhere":             ["dc cvac, x2"],
  "invalidate nowhere":        ["dc ivac, x2"],
  "icache nowhere":            ["ic ivau, x2"],
  "fp load nowhere":           ["ldr q0, [x2]"],
  "wfe":               ["sevl", "wfe"],
  "yield":             ["yield"],
  "barriers":          ["isb", "dsb sy", "dmb ish", "sev"],
  "spsel":             ["msr spsel, #0", "mrs x4, spsel"],
  "daif":              ["msr daifclr, #15", "mrs x4, daif", "msr daifset, #5", "mrs x5, daif", "msr daifset, #15"],
  "nzcv":              ["movz x4, #0xf000, lsl #16", "msr nzcv, x4", "mrs x5, nzcv"],
  "current":           ["mrs x4, currentel", "mrs x5, spsel"],
};

function atEachLevel(top: TopLevel): Group {
  return {
    name: `exceptions, top EL${top}`,
    top,
    build(program) {
      for (const level of levelsOf(top)) {
        for (const [name, code] of Object.entries(CODE)) {
          if (name === "eret" && level === top) continue; // it would run the runner
          program.reset().fill(MEMORY, 16, 0x1111n);
          program.run({ name: `${name} at EL${level}`, level, code, x: [1n, MEMORY, NOWHERE, MEMORY + 2n] });
        }
      }
    },
  };
}

/** With SCTLR.A set at a level, plain accesses must be aligned. */
function alignmentRuns(program: SystemProgram, level: Level): void {
  const register = `SCTLR_EL${Math.max(1, level)}`;
  const value = level < 2 ? 0x30d0_0802n : 0x30c5_0832n;
  // deno-fmt-ignore
  const lines = ["ldr x4, [x1, #1]", "ldrh w4, [x1, #1]", "ldrb w4, [x1, #1]", "str w4, [x1, #2]", "ldp x4, x5, [x1, #8]", "ldp w4, w5, [x3]", "ldr x4, [x1, #8]", "ldr q0, [x3]", "stp q0, q1, [x3]"];
  for (const line of lines) {
    program.reset();
    const isTop = Math.max(1, level) === program.top;
    if (!isTop) program.set(register, value);
    program.run({
      name: `aligned: ${line} at EL${level}`,
      level,
      code: [line],
      x: [1n, MEMORY, NOWHERE, MEMORY + 2n],
      ...(isTop ? { sctlr: value } : {}),
    });
  }
}

/** Returns to modes that are illegal, from the top and by ERET below. */
function illegalReturns(program: SystemProgram): void {
  const { top } = program;
  // deno-fmt-ignore
  const modes = [0x1n, 0x2n, 0x3n, 0x6n, 0x7n, 0xan, 0xbn, 0xen, 0xfn, 0x5n, 0x9n, 0xdn, 0x4n, 0x8n, 0xcn];
  for (const mode of modes) {
    const target = Number(mode >> 2n);
    if (target <= top && (mode & 3n) < 2n && mode !== 1n && target === top) continue; // returns to the runner's level
    program.reset().run({ name: `return to mode ${mode}`, level: 0, spsr: 0x3c0n | mode, code: ["nop"] });
    for (const level of [1, 2] as const) {
      if (level >= top) continue;
      program.reset().run({
        name: `return from EL${level} to mode ${mode}`,
        level,
        code: [`msr spsr_el${level}, x0`, `msr elr_el${level}, x1`, "eret"],
        x: [0x3c0n | mode, program.slot + 16n],
      });
    }
  }
  for (const level of levelsOf(top)) {
    for (const flags of [0x10_0000n, 0x8010_0000n, 0xf000_0000n, 0x20_0000n]) {
      program.reset().run({
        name: `return with ${flags.toString(16)} to EL${level}`,
        level,
        spsr: spsrOf(level) | flags,
        code: ["mrs x4, nzcv"],
      });
    }
  }
}

/** The secure states, and levels that do not exist in them. */
function securityRuns(program: SystemProgram): void {
  for (const scr of [0x530n, 0x531n, 0x431n, 0x130n]) {
    for (const level of [0, 1, 2] as const) {
      for (const line of ["svc #1", "hvc #1", "brk #7", "mrs x0, hcr_el2", "mrs x0, vbar_el1"]) {
        if ((scr & 0x400n) === 0n || (level === 2 && (scr & 1n) === 0n)) {
          if (line !== "svc #1") continue;
        }
        if ((scr & 0x400n) === 0n) continue; // AArch32 below
        program.reset().set("SCR_EL3", scr);
        program.run({ name: `${line} at EL${level}, SCR_EL3 ${scr.toString(16)}`, level, code: [line] });
      }
    }
  }
}

/** Exceptions with the stack pointer of EL0 selected take the first vectors. */
function stackPointerRuns(program: SystemProgram): void {
  for (const level of levelsOf(program.top)) {
    if (level === 0) continue;
    const spsr = 0x3c0n | BigInt(level << 2);
    for (const code of [["svc #3"], ["udf #0"], ["mov x4, sp"], ["msr spsel, #1", "svc #4"]]) {
      program.reset().run({ name: `${code} at EL${level}t`, level, spsr, code });
    }
    program.reset().run({
      name: `misaligned stack at EL${level}`,
      level,
      code: ["add x4, x1, #8", "mov sp, x4", "ldr x5, [sp]"],
      x: [0n, MEMORY],
    });
  }
}

/** Software step and what a step shows of the instruction stepped. */
function stepRuns(program: SystemProgram): void {
  for (const level of [0, 1, 2] as const) {
    if (level > program.top || (level > 0 && level === program.top)) continue;
    for (const spsr of [0x20_0000n, 0n]) {
      for (const code of [["nop"], ["ldxr x4, [x1]"], ["svc #1"], ["udf #0"]]) {
        program.reset().set("OSLAR_EL1", 0n).set("MDSCR_EL1", 0x2001n);
        program.run({
          name: `step ${code} at EL${level}, SS ${spsr !== 0n}`,
          level,
          spsr: (spsrOf(level) | spsr) & ~0x200n,
          code,
          x: [0n, MEMORY],
        });
      }
    }
  }
}

function special(top: TopLevel): Group {
  return {
    name: `states, top EL${top}`,
    top,
    build(program) {
      for (const level of levelsOf(top)) alignmentRuns(program, level);
      illegalReturns(program);
      stackPointerRuns(program);
      stepRuns(program);
      if (top === 3) securityRuns(program);
    },
  };
}

/** The groups. */
export const groups: readonly Group[] = ([1, 2, 3] as const).flatMap((
  top,
) => [atEachLevel(top), special(top)]);
