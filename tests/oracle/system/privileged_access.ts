/** PAN and UAO: every permission of a page, against accesses of each kind with and without them, in EL1&0 and EL2&0. */
import type { Group, Level } from "./group.ts";
import { SCRATCH_BASE, spsrOf, type SystemProgram } from "./program.ts";
import { Tables } from "./tables.ts";

const TARGET = SCRATCH_BASE + 0x100_0000n;
const HIGH = 0xffff_ff80_0000_0000n;
const CODE = 0x4000_0000n;
const ADDRESS = 0x12_3456_7000n;
const AF = 1n << 10n, NORMAL = 4n << 2n, READ_ONLY = 3n << 6n;
const SPSR_PAN = 1n << 22n, SPSR_UAO = 1n << 23n;

/** HCR_EL2 with RW; E2H; E2H and TGE. */
const HCR_RW = 1n << 31n, HCR_E2H = 1n << 34n, HCR_TGE = 1n << 27n;

/** What is done, with X1 = the address. */
// deno-fmt-ignore
const LINES = [
  "ldr x4, [x1]", "str x0, [x1]", "ldtr x4, [x1]", "sttr x0, [x1]", "ldxr x4, [x1]", "stxr w6, x0, [x1]", "br x1", "ldp x4, x5, [x1]",
  "at s1e1r, x1", "at s1e1w, x1", "at s1e1rp, x1", "at s1e1wp, x1", "at s1e0r, x1", "at s1e0w, x1",
];
const LINES_EL2 = ["at s1e2r, x1", "at s1e2w, x1", "at s12e1r, x1", "at s12e0w, x1"];

interface Setting {
  readonly name: string;
  readonly level: Level;
  readonly hcr: bigint;
  /** Number in the names of the regime's registers. */
  readonly regime: 1 | 2;
}

// deno-fmt-ignore
const SETTINGS: readonly Setting[] = [
  { name: "EL1&0",              level: 1, hcr: HCR_RW,                     regime: 1 },
  { name: "EL1&0 seen by EL2",  level: 2, hcr: HCR_RW,                     regime: 1 },
  { name: "EL2&0",              level: 2, hcr: HCR_RW | HCR_E2H,           regime: 2 },
  { name: "EL2&0 with TGE",     level: 2, hcr: HCR_RW | HCR_E2H | HCR_TGE, regime: 2 },
  { name: "EL0 of a host",      level: 0, hcr: HCR_RW | HCR_E2H | HCR_TGE, regime: 2 },
];

/** Maps a page with the permissions of AP, PXN and UXN, and the code for all through TTBR1. */
function enable(program: SystemProgram, { hcr, regime }: Setting, permissions: bigint, tables: Tables): void {
  const table = SCRATCH_BASE + 0x20_0000n;
  program.reset().store(table + 8n, CODE | 1n | AF | READ_ONLY | NORMAL);
  tables.map({ address: ADDRESS, leafLevel: 3, leaf: TARGET | 3n | AF | NORMAL | permissions });
  program.set(`TCR_EL${regime}`, 25n | 25n << 16n | 2n << 30n | 5n << 32n).set(
    `TTBR0_EL${regime}`,
    tables.base,
  );
  program.set(`TTBR1_EL${regime}`, table).set("HCR_EL2", hcr).set(
    `SCTLR_EL${regime}`,
    0x30d0_1805n | 0x4000n,
  );
  program.set(`VBAR_EL${regime}`, HIGH + (regime === 1 ? program.stubs : program.stubs + 0x800n));
}

function build(program: SystemProgram): void {
  program.fill(TARGET, 512, 0xd420_0000_d420_0000n);
  for (const setting of SETTINGS) {
    const { name, level, regime } = setting;
    // With EL1's regime EL2 has its own addresses.
    const pc = level === 2 && regime === 1 ? program.slot : HIGH + program.slot;
    const lines = level === 0
      ? LINES.slice(0, 8)
      : level === 2
      ? [...LINES, ...LINES_EL2]
      : [...LINES, "dc zva, x1"];
    for (let permissions = 0n; permissions < 16n; permissions++) {
      const tables = new Tables(program, { granule: 12, inputSize: 39, start: 1 }, 1);
      const bits = (permissions & 3n) << 6n | permissions >> 2n << 53n;
      enable(program, setting, bits, tables);
      for (const state of level === 0 ? [0n] : [0n, SPSR_PAN, SPSR_UAO, SPSR_PAN | SPSR_UAO]) {
        for (const line of lines) {
          program.run({
            name: `${name}, AP and XN ${permissions}: ${line}, SPSR ${state.toString(16)}`,
            level,
            spsr: spsrOf(level) | state,
            pc,
            code: [line],
            x: [0xd420_0000_d420_0000n, ADDRESS],
          });
        }
      }
      tables.clear();
    }
  }
}

/** The groups. */
export const groups: readonly Group[] = [{
  name: "privileged access never, max",
  top: 3,
  model: "max",
  build,
}];
