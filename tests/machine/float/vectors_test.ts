/**
 * Known results of scalar floating point, as QEMU 7.2 gives them: instruction, FPCR, operands, result, flags of FPSR. The
 * last conversion is the Arm ARM's (FPToFixedJS): QEMU sets Z for a denormal that is flushed.
 */
import { assertEquals } from "@std/assert";
import { assembleLine } from "../../../machine/a64/assembly.ts";
import { decode, type Decoded, lower } from "../../../machine/a64/rows.ts";
import { FPCR, FPSR } from "../../../machine/float/environment.ts";
import { FlatCpu } from "../../oracle/flat_cpu.ts";
import { AT_FPSR, AT_NZCV, AT_V, AT_X, RECORD_WORDS } from "../../oracle/record.ts";

const CONTROLS: Readonly<Record<string, number>> = { ...FPCR, RP: 1 << 22, RM: 2 << 22, RZ: 3 << 22 };

const words = (text: string): string[] => text.split(" ").filter((word) => word !== "");

/** A line with the result and the flags that it has here: the operands are in V0–V2 or X0, the result in V3 or X3. */
function evaluate(line: string): string {
  const columns = line.split("|").map((column) => column.trim());
  const [text, controls, operands, expected] = columns as [string, string, string, string];
  const record = new BigUint64Array(RECORD_WORDS), cpu = new FlatCpu();
  const fpcr = words(controls).reduce((bits, name) => bits | (CONTROLS[name] as number), 0);
  record[AT_FPSR] = BigInt(fpcr) << 32n;
  words(operands).forEach((word, at) => record[AT_V + 2 * at] = BigInt(`0x${word}`));
  record[AT_X] = record[AT_V] as bigint;
  cpu.begin(record, 0n);
  const { row, fields } = decode(assembleLine(text, { address: 0n })) as Decoded;
  cpu.step(lower(row, fields));
  cpu.finish(record);
  const flags = Object.entries(FPSR).filter(([, bit]) => ((record[AT_FPSR] as bigint) & BigInt(bit)) !== 0n);
  const nzcv = `nzcv ${(record[AT_NZCV] as bigint) >> 28n}`;
  const value = (record[AT_V + 6] as bigint) | (record[AT_X + 3] as bigint);
  const digits = value.toString(16).padStart(words(expected)[0]?.length ?? 0, "0");
  const result = !expected.includes("nzcv") ? digits : text.startsWith("fcmp") ? nzcv : `${digits} ${nzcv}`;
  return [text, controls, operands, result, flags.map(([name]) => name).join(" ")].join(" | ");
}

/** Asserts every line of a table. */
function assertResults(table: string): void {
  const lines = table.split("\n").filter((line) => line.trim() !== "");
  const expected = lines.map((line) => line.split("|").map((column) => column.trim()).join(" | "));
  assertEquals(lines.map(evaluate), expected);
}

Deno.test("arithmetic rounds once, flushes, and chooses among NaNs as Arm does", () => {
  assertResults(`
  fadd d3, d0, d1        |         | 3ff0000000000000 3ca0000000000000                  | 3ff0000000000000 | IXC
  fadd d3, d0, d1        |         | 3ff0000000000001 3ca0000000000000                  | 3ff0000000000002 | IXC
  fadd d3, d0, d1        | RP      | 3ff0000000000000 0000000000000001                  | 3ff0000000000001 | IXC
  fadd d3, d0, d1        | RM      | 3ff0000000000000 bff0000000000000                  | 8000000000000000 |
  fadd d3, d0, d1        | RZ      | 7fefffffffffffff 7fefffffffffffff                  | 7fefffffffffffff | OFC IXC
  fadd d3, d0, d1        | RP      | ffefffffffffffff ffefffffffffffff                  | ffefffffffffffff | OFC IXC
  fadd d3, d0, d1        |         | 7ff0000000000000 fff0000000000000                  | 7ff8000000000000 | IOC
  fadd d3, d0, d1        |         | 7ff8000000000005 7ff4000000000001                  | 7ffc000000000001 | IOC
  fadd d3, d0, d1        | DN      | fff8000000000005 3ff0000000000000                  | 7ff8000000000000 |
  fadd s3, s0, s1        |         | 3f800000 33800000                                  | 3f800000         | IXC
  fadd s3, s0, s1        |         | 80000000 80000000                                  | 80000000         |
  fadd s3, s0, s1        | FZ      | 00000001 00800000                                  | 00800000         | IDC
  fadd s3, s0, s1        | FZ      | 00800001 80800000                                  | 00000000         | UFC
  fadd h3, h0, h1        | FZ16    | 0001 3c00                                          | 3c00             |
  fadd h3, h0, h1        |         | 7bff 4c00                                          | 7c00             | OFC IXC
  fsub s3, s0, s1        |         | 3f800000 ffa00001                                  | ffe00001         | IOC
  fsub d3, d0, d1        | RM      | 8000000000000000 8000000000000000                  | 8000000000000000 |
  fabd s3, s0, s1        |         | 3f800000 ffc00001                                  | 7fc00001         |
  fmul d3, d0, d1        |         | 3ff0000000000001 3ff0000000000001                  | 3ff0000000000002 | IXC
  fmul s3, s0, s1        |         | 00800000 3f000000                                  | 00400000         |
  fmul s3, s0, s1        | RP      | 00800001 3f000000                                  | 00400001         | UFC IXC
  fmul s3, s0, s1        |         | 00ffffff 3f000000                                  | 00800000         | UFC IXC
  fmul s3, s0, s1        | FZ      | 80800000 3f000000                                  | 80000000         | UFC
  fmul s3, s0, s1        |         | 7f800000 80000000                                  | 7fc00000         | IOC
  fmulx s3, s0, s1       |         | 7f800000 80000000                                  | c0000000         |
  fnmul s3, s0, s1       |         | 7f800000 00000000                                  | ffc00000         | IOC
  fdiv d3, d0, d1        |         | 3ff0000000000000 4008000000000000                  | 3fd5555555555555 | IXC
  fdiv s3, s0, s1        | RM      | bf800000 40400000                                  | beaaaaab         | IXC
  fdiv s3, s0, s1        |         | c0000000 00000000                                  | ff800000         | DZC
  fdiv h3, h0, h1        |         | 0000 8000                                          | 7e00             | IOC
  fsqrt d3, d0           |         | 4000000000000000                                   | 3ff6a09e667f3bcd | IXC
  fsqrt d3, d0           | RP      | 0000000000000001                                   | 1e60000000000000 |
  fsqrt s3, s0           |         | 80000000                                           | 80000000         |
  fsqrt h3, h0           |         | bc00                                               | 7e00             | IOC
  fmadd d3, d0, d1, d2   |         | 3ff0000000000001 3ff0000000000001 bff0000000000002 | 3970000000000000 |
  fmadd s3, s0, s1, s2   |         | 3f800001 3f800001 b3800000                         | 3f800002         | IXC
  fmadd s3, s0, s1, s2   |         | 7f800000 00000000 7fc00001                         | 7fc00000         | IOC
  fmadd s3, s0, s1, s2   |         | 7f800000 00000000 7fa00001                         | 7fe00001         | IOC
  fmadd s3, s0, s1, s2   | RM      | 3f800000 3f800000 bf800000                         | 80000000         |
  fmadd h3, h0, h1, h2   |         | 7bff 3c01 fbff                                     | 53ff             |
  frecps s3, s0, s1      |         | 7f800000 00000000                                  | 40000000         |
  frecps s3, s0, s1      |         | 3f7fffff 3f800001                                  | 3f7fffff         | IXC
  frsqrts s3, s0, s1     |         | 7f800000 00000000                                  | 3fc00000         |
  frsqrts h3, h0, h1     |         | 3eed 3eee                                          | 0aa8             |
  `);
});

Deno.test("estimates have eight bits of fraction and Arm's limits", () => {
  assertResults(`
  frecpe s3, s0          |         | 3f800000                                           | 3f7f8000         |
  frecpe s3, s0          |         | 00000001                                           | 7f800000         | OFC IXC
  frecpe s3, s0          | RP      | 80100000                                           | ff7fffff         | OFC IXC
  frecpe s3, s0          |         | 00300000                                           | 7f2a8000         |
  frecpe s3, s0          | FZ      | 7e800001                                           | 00000000         | UFC
  frecpe s3, s0          |         | 7e800001                                           | 007fc000         |
  frecpe d3, d0          |         | 8000000000000000                                   | fff0000000000000 | DZC
  frecpe h3, h0          | FZ16    | 7801                                               | 0000             | UFC
  frsqrte s3, s0         |         | 40000000                                           | 3f348000         |
  frsqrte s3, s0         |         | 00000003                                           | 64510000         |
  frsqrte d3, d0         |         | c000000000000000                                   | 7ff8000000000000 | IOC
  frsqrte h3, h0         |         | 0000                                               | 7c00             | DZC
  frecpx s3, s0          |         | 40490fdb                                           | 3f800000         |
  frecpx s3, s0          |         | 00000000                                           | 7f000000         |
  frecpx d3, d0          | DN      | 7ff0000000000001                                   | 7ff8000000000000 | IOC
  `);
});

Deno.test("comparisons, maxima and minima order zeros, NaNs and flushed denormals", () => {
  assertResults(`
  fmax s3, s0, s1        |         | 80000000 00000000                                  | 00000000         |
  fmin s3, s0, s1        |         | 00000000 80000000                                  | 80000000         |
  fmax s3, s0, s1        |         | 7fc00001 3f800000                                  | 7fc00001         |
  fmaxnm s3, s0, s1      |         | 7fc00001 bf800000                                  | bf800000         |
  fminnm s3, s0, s1      |         | 3f800000 7fc00001                                  | 3f800000         |
  fmaxnm s3, s0, s1      |         | 7fc00001 7f800002                                  | 7fc00002         | IOC
  fmin s3, s0, s1        | FZ      | 80000001 3f800000                                  | 80000000         | IDC
  fcmp d0, d1            |         | 3ff0000000000000 4000000000000000                  | nzcv 8           |
  fcmp d0, d1            |         | 8000000000000000 0000000000000000                  | nzcv 6           |
  fcmp d0, d1            |         | bff0000000000000 c000000000000000                  | nzcv 2           |
  fcmp d0, d1            |         | 7ff8000000000000 0000000000000000                  | nzcv 3           |
  fcmpe d0, d1           |         | 7ff8000000000000 0000000000000000                  | nzcv 3           | IOC
  fcmp d0, d1            |         | 7ff0000000000001 0000000000000000                  | nzcv 3           | IOC
  fcmp s0, s1            | FZ      | 00000001 80000001                                  | nzcv 6           | IDC
  fcmeq s3, s0, s1       |         | 7fc00000 7fc00000                                  | 00000000         |
  fcmge s3, s0, s1       |         | 7fc00000 7fc00000                                  | 00000000         | IOC
  facgt s3, s0, s1       |         | c0000000 3f800000                                  | ffffffff         |
  `);
});

Deno.test("conversions and roundings to integers saturate, round and set flags as Arm does", () => {
  assertResults(`
  frintn d3, d0          |         | 4004000000000000                                   | 4000000000000000 |
  frinta d3, d0          |         | c004000000000000                                   | c008000000000000 |
  frintx s3, s0          | RP      | 3e800000                                           | 3f800000         | IXC
  frintm s3, s0          |         | be800000                                           | bf800000         |
  frintz s3, s0          |         | be800000                                           | 80000000         |
  frintx d3, d0          |         | 7ff0000000000001                                   | 7ff8000000000001 | IOC
  frint32z s3, s0        |         | 4f000000                                           | cf000000         | IOC
  frint32z s3, s0        |         | cf000000                                           | cf000000         |
  frint64x d3, d0        | RM      | bfe0000000000000                                   | bff0000000000000 | IXC
  frint64x d3, d0        |         | 7ff8000000000000                                   | c3e0000000000000 | IOC
  fcvtns w3, d0          |         | 4004000000000000                                   | 00000002         | IXC
  fcvtas w3, d0          |         | c004000000000000                                   | fffffffd         | IXC
  fcvtzu w3, s0          |         | bf000000                                           | 00000000         | IXC
  fcvtzu w3, s0          |         | bf800000                                           | 00000000         | IOC
  fcvtzs w3, d0          |         | 41e0000000000000                                   | 7fffffff         | IOC
  fcvtzs x3, h0          |         | fc00                                               | 8000000000000000 | IOC
  fcvtms x3, s0          |         | ff800001                                           | 0000000000000000 | IOC
  fcvtzs w3, s0, #4      |         | 3f8c0000                                           | 00000011         | IXC
  fcvtzs w3, s0          | FZ      | 00000001                                           | 00000000         | IDC
  scvtf s3, w0           |         | 01000001                                           | 4b800000         | IXC
  scvtf s3, x0           | RP      | ffffffffffffffff                                   | bf800000         |
  ucvtf s3, x0           |         | ffffffffffffffff                                   | 5f800000         | IXC
  ucvtf h3, w0           |         | ffffffff                                           | 7c00             | OFC IXC
  scvtf d3, x0, #64      |         | 8000000000000001                                   | bfe0000000000000 | IXC
  ucvtf h3, x0, #64      |         | 0000000000010000                                   | 0000             | UFC IXC
  fcvt h3, s0            |         | 477ff000                                           | 7c00             | OFC IXC
  fcvt h3, s0            | AHP     | 477ff000                                           | 7c00             | IXC
  fcvt h3, s0            | AHP     | 47fff000                                           | 7fff             | IOC
  fcvt h3, s0            | AHP     | 7fc00001                                           | 0000             | IOC
  fcvt h3, s0            |         | 33000000                                           | 0000             | UFC IXC
  fcvt h3, s0            | RP      | 33000000                                           | 0001             | UFC IXC
  fcvt s3, h0            | AHP     | 7fff                                               | 47ffe000         |
  fcvt s3, h0            | FZ16 FZ | 0001                                               | 33800000         |
  fcvt s3, h0            |         | fd01                                               | ffe02000         | IOC
  fcvt d3, s0            |         | ffa00001                                           | fffc000020000000 | IOC
  fcvt s3, d0            |         | 7ff4000000000000                                   | 7fe00000         | IOC
  fcvt s3, d0            | DN      | fff8000000000000                                   | 7fc00000         |
  fcvt s3, d0            | FZ      | 380fffffffffffff                                   | 00000000         | UFC
  fcvt s3, d0            |         | 380fffffffffffff                                   | 00800000         | UFC IXC
  fcvtxn s3, d0          |         | 3ff0000000000001                                   | 3f800001         | IXC
  fcvtxn s3, d0          |         | 7fefffffffffffff                                   | 7f7fffff         | OFC IXC
  fjcvtzs w3, d0         |         | 41f0000000400000                                   | 00000004 nzcv 0  | IOC
  fjcvtzs w3, d0         |         | 8000000000000000                                   | 00000000 nzcv 0  |
  fjcvtzs w3, d0         |         | c1e0000000000000                                   | 80000000 nzcv 4  |
  fjcvtzs w3, d0         |         | 3fe0000000000000                                   | 00000000 nzcv 0  | IXC
  fjcvtzs w3, d0         |         | 7ff8000000000000                                   | 00000000 nzcv 0  | IOC
  fjcvtzs w3, d0         | FZ      | 0000000000000001                                   | 00000000 nzcv 0  | IDC
  `);
});
