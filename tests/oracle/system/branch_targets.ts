/** BTI: every branch to a register, from and to guarded and unguarded pages, to every landing instruction. */
import type { Group, Level } from "./group.ts";
import { SCRATCH_BASE, spsrOf, type SystemProgram } from "./program.ts";

/** The code through TTBR1: guarded, and once more unguarded. */
const GUARDED = 0xffff_ff80_0000_0000n, PLAIN = 0xffff_ff80_4000_0000n;
const CODE = 0x4000_0000n;
const AF = 1n << 10n, NORMAL = 4n << 2n, READ_ONLY = 3n << 6n, GP = 1n << 50n;

const BRANCHES = ["br x16", "br x17", "br x1", "blr x16", "blr x1", "ret x1", "b #16"];
/** What a branch leads to; hints by number are those whose names need other extensions. */
// deno-fmt-ignore
const LANDINGS: readonly (string | number)[] = [
  "bti", "bti c", "bti j", "bti jc", "hint #25", "hint #27", "hint #29", "nop", "hint #33", "brk #1", "svc #2", "udf #0",
  "mrs x4, nzcv", "ldr x4, [x2]", 0x1e00_0000, "hlt #1",
];
/** SCTLR_ELx.BT0 and BT1. */
const BT = [0n, 1n << 35n, 1n << 36n, 3n << 35n];

interface Setting {
  readonly name: string;
  readonly level: Level;
  readonly hcr: bigint;
  readonly regime: 1 | 2;
}

const HCR_RW = 1n << 31n, HCR_E2H = 1n << 34n, HCR_TGE = 1n << 27n;

// deno-fmt-ignore
const SETTINGS: readonly Setting[] = [
  { name: "EL1",              level: 1, hcr: HCR_RW,                     regime: 1 },
  { name: "EL0",              level: 0, hcr: HCR_RW,                     regime: 1 },
  { name: "EL2 of a host",    level: 2, hcr: HCR_RW | HCR_E2H,           regime: 2 },
  { name: "EL0 of a host",    level: 0, hcr: HCR_RW | HCR_E2H | HCR_TGE, regime: 2 },
];

function enable(program: SystemProgram, { hcr, regime }: Setting, bt: bigint): void {
  const table = SCRATCH_BASE + 0x20_0000n, block = CODE | 1n | AF | READ_ONLY | NORMAL;
  program.reset().store(table + 8n, block | GP).store(table + 16n, block);
  program.set(`TCR_EL${regime}`, 25n | 25n << 16n | 2n << 30n | 5n << 32n).set(`TTBR1_EL${regime}`, table);
  program.set("HCR_EL2", hcr).set(`SCTLR_EL${regime}`, 0x30d0_1805n | bt);
  program.set(`VBAR_EL${regime}`, GUARDED + (regime === 1 ? program.stubs : program.stubs + 0x800n));
}

/** A branch at the first instruction of the slot to its fifth. */
function branchRuns(program: SystemProgram, { name, level }: Setting, bt: bigint): void {
  const offset = program.slot;
  for (const from of [GUARDED, PLAIN]) {
    for (const to of [GUARDED, PLAIN]) {
      for (const branch of BRANCHES) {
        if (branch.startsWith("b ") && from !== to) continue;
        for (const landing of LANDINGS) {
          const isVeneer = branch.includes("x16") || branch.includes("x17");
          const [place, target] = [from, to].map((base) => base === GUARDED ? "guarded" : "plain");
          program.run({
            name: `${name}, BT ${bt >> 35n}, ${place}: ${branch} to ${target} ${landing}`,
            level,
            pc: from + offset,
            code: [isVeneer ? "mov x16, x1" : "nop", "mov x17, x1", branch, "nop", landing, "nop"],
            x: [0n, to + offset + 16n],
          });
        }
      }
    }
  }
}

/** An exception return with BTYPE, and what exceptions save of it. */
function stateRuns(program: SystemProgram, { name, level }: Setting, bt: bigint): void {
  for (const base of [GUARDED, PLAIN]) {
    for (const type of [1n, 2n, 3n]) {
      for (const landing of LANDINGS) {
        const place = base === GUARDED ? "guarded" : "plain";
        program.run({
          name: `${name}, BT ${bt >> 35n}, ${place}: BTYPE ${type} at ${landing}`,
          level,
          spsr: spsrOf(level) | type << 10n,
          pc: base + program.slot,
          code: [landing, "nop", "svc #3"],
        });
      }
      program.run({
        name: `${name}, BT ${bt >> 35n}: BTYPE ${type} with IL at ${base.toString(16)}`,
        level,
        spsr: spsrOf(level) | type << 10n | 1n << 20n,
        pc: base + program.slot,
        code: ["nop"],
      });
    }
  }
}

function build(program: SystemProgram): void {
  for (const setting of SETTINGS) {
    for (const bt of BT) {
      enable(program, setting, bt);
      if (bt === 0n || bt === 3n << 35n) branchRuns(program, setting, bt);
      stateRuns(program, setting, bt);
    }
  }
}

/** The groups. */
export const groups: readonly Group[] = [{ name: "branch targets, max", top: 3, model: "max", build }];
