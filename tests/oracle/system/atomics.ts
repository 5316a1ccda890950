/** Atomic operations, load-acquires and loads by signed addresses: faults of both stages and what syndromes say of them. */
import type { Group, Level } from "./group.ts";
import { SCRATCH_BASE, type SystemProgram } from "./program.ts";

const GIB = 1n << 30n;
/** The code through TTBR1; data through TTBR0, GiB by GiB. */
const CODE = 0xffff_ff80_0000_0000n, MEMORY = 0x4000_0000n;
const AF = 1n << 10n, NORMAL = 4n << 2n, EL0 = 1n << 6n, READ_ONLY = 1n << 7n;
const STAGE1 = SCRATCH_BASE + 0x20_0000n, STAGE1_CODE = STAGE1 + 0x1000n, STAGE2 = STAGE1 + 0x2000n;
/** SCTLR_EL1.E0E: data of EL0 is big-endian. */
const E0E = 1n << 24n;
/** What accesses are to, in each GiB. */
const DATA = SCRATCH_BASE + 0x30_0000n - MEMORY;

/** Attributes of the data's GiBs in stage 1, from the second on; undefined ones are not mapped. */
// deno-fmt-ignore
const PERMISSIONS: readonly (readonly [name: string, bits: bigint | undefined])[] = [
  ["EL1", AF | NORMAL], ["all", AF | NORMAL | EL0], ["read by EL1", AF | NORMAL | READ_ONLY], ["read by all", AF | NORMAL | EL0 | READ_ONLY],
  ["none", undefined], ["access flag", NORMAL | EL0], ["device", AF | EL0],
];
/** S2AP and memory type of the data's GiBs in stage 2. */
// deno-fmt-ignore
const SECOND: readonly (readonly [name: string, bits: bigint | undefined])[] = [
  ["read and write", AF | 3n << 6n | 15n << 2n], ["read", AF | 1n << 6n | 15n << 2n], ["write", AF | 2n << 6n | 15n << 2n], ["no access", AF | 15n << 2n],
  ["none", undefined], ["access flag", 3n << 6n | 15n << 2n],
];

/** Accesses at X1, which is aligned, and elsewhere; X2 and X3 are what CAS expects, X5 to X7 are left as they are found. */
// deno-fmt-ignore
const LINES: readonly string[] = [
  "ldadd x2, x5, [x1]", "ldaddalb w2, w5, [x1]", "ldclrlh w2, w5, [x1]", "ldeora w2, w5, [x1]", "ldsmax x2, x5, [x1]", "stumin x2, [x1]", "swpal x2, x5, [x1]",
  "cas x2, x5, [x1]", "casalb w2, w5, [x1]", "casa w0, w5, [x1]", "casp x2, x3, x6, x7, [x1]", "caspal w2, w3, w6, w7, [x1]",
  "ldapr x5, [x1]", "ldaprb w5, [x1]", "ldaprh w6, [x1]", "ldapr w7, [x1]",
  "ldapur x5, [x1, #8]", "ldapurb w6, [x1, #3]", "ldapursb x7, [x1]", "ldapursh w5, [x1, #-2]", "ldapursw x5, [x1, #4]", "stlur x2, [x1, #-8]", "stlurb w2, [x1, #1]", "stlurh w0, [x1, #2]",
  "ldraa x5, [x1]", "ldrab x6, [x1, #8]", "ldraa x5, [x1, #8]!",
];
/** Misaligned ones; QEMU does not check LDAPR. */
// deno-fmt-ignore
const MISALIGNED: readonly string[] = [
  "ldadd x2, x5, [x1]", "ldclrlh w2, w5, [x1]", "swp w2, w5, [x1]", "cas x2, x5, [x1]", "casah w2, w5, [x1]", "casp w2, w3, w6, w7, [x1]", "casp x2, x3, x6, x7, [x1]",
  "ldapur x5, [x1, #8]", "ldapursh w5, [x1]", "stlur w2, [x1, #-8]",
];

function enable(program: SystemProgram): void {
  program.reset().store(STAGE1_CODE + 8n, MEMORY | 1n | AF | EL0 | READ_ONLY | NORMAL);
  program.set("TCR_EL1", 25n | 25n << 16n | 2n << 30n | 5n << 32n).set("TTBR0_EL1", STAGE1).set(
    "TTBR1_EL1",
    STAGE1_CODE,
  );
  program.set("VBAR_EL1", CODE + program.stubs).set("SCTLR_EL1", 0x30d0_5805n);
}

function run(program: SystemProgram, name: string, level: Level, address: bigint, line: string): void {
  program.store(MEMORY + DATA, 0x8000_0000_0000_0005n).store(MEMORY + DATA + 8n, 7n).store(
    MEMORY + DATA - 8n,
    9n,
  );
  program.run({
    name: `${name} at EL${level}: ${line}`,
    level,
    pc: CODE + program.slot,
    code: [line, "mov x0, #1"],
    x: [0x8000_0005n, address, 0x8000_0000_0000_0005n, 7n, 0n, 0n, 1n, 2n],
  });
  // What is left in memory.
  program.reset().run({
    name: `${name} at EL${level}, after ${line}`,
    level: 2,
    code: ["ldp x2, x3, [x1]", "ldr x4, [x1, #-8]"],
    x: [0n, MEMORY + DATA],
  });
  enable(program);
}

function buildStage1(program: SystemProgram): void {
  for (const [index, [, bits]] of PERMISSIONS.entries()) {
    program.store(STAGE1 + 8n * BigInt(index + 2), bits === undefined ? 0n : MEMORY | 1n | bits);
  }
  enable(program);
  for (const [index, [name]] of PERMISSIONS.entries()) {
    const address = BigInt(index + 2) * GIB + DATA;
    for (const level of [0, 1] as const) {
      for (const line of LINES) run(program, name, level, address, line);
      for (const line of MISALIGNED) run(program, `${name}, misaligned`, level, address + 1n, line);
    }
  }
  for (const line of LINES) {
    program.set("SCTLR_EL1", 0x30d0_5805n | E0E);
    run(program, "big-endian", 0, 3n * GIB + DATA, line);
  }
}

/** Stage 1 gives each GiB to EL0 and EL1 and leads it to the same of stage 2. */
function buildStage2(program: SystemProgram): void {
  program.store(STAGE2 + 8n, MEMORY | 1n | AF | 3n << 6n | 15n << 2n);
  for (const [index, [, bits]] of SECOND.entries()) {
    const place = BigInt(index + 2);
    program.store(STAGE1 + 8n * place, place * GIB | 1n | AF | EL0 | NORMAL);
    program.store(STAGE2 + 8n * place, bits === undefined ? 0n : MEMORY | 1n | bits);
  }
  for (const [index, [name]] of SECOND.entries()) {
    for (const level of [0, 1] as const) {
      for (const line of LINES) {
        enable(program);
        program.set("VTCR_EL2", 25n | 1n << 6n | 5n << 16n | 1n << 31n).set("VTTBR_EL2", STAGE2);
        program.set("HCR_EL2", 1n << 31n | 1n);
        run(program, name, level, BigInt(index + 2) * GIB + DATA, line);
      }
    }
  }
}

/** The groups. */
export const groups: readonly Group[] = [
  { name: "atomics, stage 1, max", top: 3, model: "max", build: buildStage1 },
  { name: "atomics, stage 2, max", top: 3, model: "max", build: buildStage2 },
];
