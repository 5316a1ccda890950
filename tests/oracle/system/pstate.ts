/** PSTATE's fields of later extensions: PAN, UAO, DIT and SSBS, written, read, saved by exceptions and restored. */
import { type Group, levelsOf } from "./group.ts";
import { spsrOf, type SystemProgram, type TopLevel } from "./program.ts";

/** Bits of SPSR_ELx. */
// deno-fmt-ignore
const BITS = { SSBS: 1n << 12n, PAN: 1n << 22n, UAO: 1n << 23n, DIT: 1n << 24n } as const;
const ALL = BITS.SSBS | BITS.PAN | BITS.UAO | BITS.DIT;
/** SCTLR_ELx.SPAN and DSSBS. */
const SPAN = 1n << 23n, DSSBS = 1n << 44n;

const READS = ["mrs x4, pan", "mrs x5, uao", "mrs x6, dit", "mrs x7, ssbs"];

/** Every way to write a field, and what is read after it. */
function writeRuns(program: SystemProgram): void {
  for (const level of levelsOf(program.top)) {
    for (const name of Object.keys(BITS)) {
      const read = `mrs x4, ${name}`;
      // deno-fmt-ignore
      const codes = [
        [read], [`msr ${name}, x0`, read], [`msr ${name}, #1`, read], [`msr ${name}, #0`, read],
        [`msr ${name}, #15`, read], [`msr ${name}, #14`, read],
      ];
      for (const spsr of [0n, ALL]) {
        for (const x0 of [0n, 2n ** 64n - 1n, BITS[name as keyof typeof BITS]]) {
          for (const code of codes) {
            program.reset().run({
              name: `${code.join("; ")} of ${x0.toString(16)} at EL${level}, SPSR ${spsr.toString(16)}`,
              level,
              spsr: spsrOf(level) | spsr,
              code,
              x: [x0],
            });
          }
        }
      }
    }
  }
}

/** Exceptions to each level, with what SCTLR_ELx does to the fields. */
function exceptionRuns(program: SystemProgram): void {
  const { top } = program;
  const sctlrs = [0n, SPAN, DSSBS, SPAN | DSSBS];
  for (const level of levelsOf(top)) {
    for (const field of [0n, ...Object.values(BITS), ALL]) {
      for (const sctlr of sctlrs) {
        for (const line of ["svc #1", "udf #0", "brk #2", "hvc #3"]) {
          program.reset();
          for (let other = 1; other < top; other++) {
            const ones = other === 1 ? 0x3050_0800n : 0x3045_0830n;
            program.set(`SCTLR_EL${other}`, ones | sctlr);
          }
          const ones = top === 1 ? 0x3050_0800n : 0x3045_0830n;
          program.run({
            name: `${line} at EL${level}, SPSR ${field.toString(16)}, SCTLR ${sctlr.toString(16)}`,
            level,
            spsr: spsrOf(level) | field,
            code: [...(level === 0 ? READS.slice(2) : READS), line],
            sctlr: ones | sctlr,
          });
        }
      }
    }
  }
}

/** ERET below the top with fields in SPSR_ELx, to legal and illegal states. */
function returnRuns(program: SystemProgram): void {
  for (const level of [1, 2] as const) {
    if (level >= program.top) continue;
    for (const field of [0n, ...Object.values(BITS), ALL, 1n << 25n]) {
      for (const before of [0n, ALL]) {
        for (const mode of [0n, BigInt(level << 2 | 1), 2n, 0xdn]) {
          program.reset().run({
            name: `return from EL${level} to ${(mode | field).toString(16)}, SPSR ${before.toString(16)}`,
            level,
            spsr: spsrOf(level) | before,
            code: [`msr spsr_el${level}, x0`, `msr elr_el${level}, x1`, "eret", "nop", "mrs x4, dit"],
            x: [0x3c0n | mode | field, program.slot + 16n],
          });
        }
      }
    }
  }
}

function group(top: TopLevel): Group {
  return {
    name: `fields of PSTATE, top EL${top}, max`,
    top,
    model: "max",
    build(program) {
      writeRuns(program);
      exceptionRuns(program);
      returnRuns(program);
    },
  };
}

/** The groups. */
export const groups: readonly Group[] = [group(1), group(2), group(3)];
