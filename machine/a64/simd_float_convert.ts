/** Advanced SIMD conversion of floating point to another width, and to and from fixed point; immediates of halves (Arm ARM C4.1). */
import type { Builder, Value } from "../ir/builder.ts";
import { ROUNDING } from "../ir/float_operations.ts";
import { floatImmediateBits } from "./float.ts";
import { alias, type Instruction, instruction, type Row } from "./instruction.ts";
import type { FloatFormat } from "./simd_float_forms.ts";
import { readHalf, writeHalf } from "./simd_lanes.ts";

type Registers = Readonly<Record<"Q" | "Rn" | "Rd", number>>;
type Sized = Registers & { readonly sz: number };

function lengthen(ir: Builder, fields: Sized): void {
  ir.call("checkFpEnabled");
  const format = fields.sz ? 32 : 16, n = readHalf(ir, fields.Q, fields.Rn);
  ir.writeV(fields.Rd, ir.float("floatConvert", 128, format, [n], 2 * format, ROUNDING.fpcr));
}

/** Writes the lower half and zeroes the upper, or writes the upper if Q is 1. */
function narrow(from: (fields: Partial<Sized>) => FloatFormat, rounding: number) {
  return (ir: Builder, fields: Registers): void => {
    const { Q, Rn, Rd } = fields, format = from(fields);
    ir.call("checkFpEnabled");
    const narrowed = ir.float("floatConvert", 64, format, [ir.readV(Rn, 128)], format / 2, rounding);
    writeHalf(ir, Q, Rd, narrowed);
  };
}

function narrowScalar(ir: Builder, { Rn, Rd }: Readonly<Record<"Rn" | "Rd", number>>): void {
  ir.call("checkFpEnabled");
  ir.writeV(Rd, ir.float("floatConvert", 32, 64, [ir.readV(Rn, 64)], 32, ROUNDING.toOdd));
}

/** Element sizes of fixed point: letter, width, fixed bits of immh, bits of the shift. */
const ELEMENTS = [
  { letter: "h", format: 16, immh: "001", bits: 4 },
  { letter: "s", format: 32, immh: "01", bits: 5 },
  { letter: "d", format: 64, immh: "1", bits: 6 },
] as const;

type Fixed = Readonly<Record<"shift" | "Rn" | "Rd", number> & Partial<Record<"Q", number>>>;

/** Lowering of a conversion whose last immediates are made of the number of fraction bits, 1 to `format`. */
function fixedPoint(
  format: FloatFormat,
  convert: (ir: Builder, width: 16 | 32 | 64 | 128, format: FloatFormat, n: Value, fraction: number) => Value,
) {
  return (ir: Builder, { Q, shift, Rn, Rd }: Fixed): void => {
    const width = Q === undefined ? format : Q === 0 ? 64 : 128;
    ir.call("checkFpEnabled");
    ir.writeV(Rd, convert(ir, width, format, ir.readV(Rn, width), format - shift));
  };
}

type Convert = Parameters<typeof fixedPoint>[1];

const fromFixed = (unsigned: 0 | 1): Convert => (ir, width, format, n, fraction) =>
  ir.float("integerToFloat", width, format, [n], format, unsigned, fraction);
const toFixed = (unsigned: 0 | 1): Convert => (ir, width, format, n, fraction) =>
  ir.float("floatToInteger", width, format, [n], ROUNDING.towardZero, unsigned, fraction, format);

// Name, U, opcode, meaning.
const FIXED = [
  ["SCVTF", "0", "11100", fromFixed(0)],
  ["UCVTF", "1", "11100", fromFixed(1)],
  ["FCVTZS", "0", "11111", toFixed(0)],
  ["FCVTZU", "1", "11111", toFixed(1)],
] as const;

function fixedRows(
  [name, U, opcode, convert]: typeof FIXED[number],
  { letter, format, immh, bits }: typeof ELEMENTS[number],
): Instruction[] {
  const suffix = letter.toUpperCase(), lowering = fixedPoint(format, convert);
  const feature = format === 16 ? "FP16" : "Armv8.0";
  const exists = ({ Q }: { readonly Q: number }): boolean => format < 64 || Q === 1;
  const text = (kind: string) =>
    `${name.toLowerCase()} {Rd:${kind}${letter})}, {Rn:${kind}${letter})}, #{shift:rightShift}`;
  // deno-fmt-ignore
  return [
    instruction(`${name}_imm_${suffix}`,        `0 Q:1 ${U} 011110 ${immh} shift:${bits} ${opcode} 1 Rn:5 Rd:5`, text("vector(q"), lowering, { when: exists, feature }),
    instruction(`${name}_imm_scalar_${suffix}`, `01 ${U} 111110 ${immh} shift:${bits} ${opcode} 1 Rn:5 Rd:5`,    text("scalar("),  lowering, { feature }),
  ];
}

/** FMOV of a constant into every half. */
function moveHalves(
  ir: Builder,
  { Q, abc, defgh, Rd }: Readonly<Record<"Q" | "abc" | "defgh" | "Rd", number>>,
): void {
  const width = Q ? 128 : 64;
  ir.call("checkFpEnabled");
  const bits = floatImmediateBits(abc << 5 | defgh, 16);
  ir.writeV(
    Rd,
    ir.constant(width, Array.from({ length: width / 16 }).reduce<bigint>((all) => all << 16n | bits, 0n)),
  );
}

/** The rows; FMOV of singles and doubles is in simd_move.ts. */
// deno-fmt-ignore
export const rows: readonly Row[] = [
  instruction("FCVTN_vector",  "0 Q:1 0 01110 0 sz:1 10000 10110 10 Rn:5 Rd:5", "fcvtn {Rd:vector(floatLower)}, {Rn:vector(floatWide)}", narrow(({ sz }) => (sz ? 64 : 32), ROUNDING.fpcr)),
  alias("FCVTN2_vector",       "0 1 0 01110 0 sz:1 10000 10110 10 Rn:5 Rd:5",   "fcvtn2 {Rd:vector(floatUpper)}, {Rn:vector(floatWide)}"),
  instruction("FCVTL_vector",  "0 Q:1 0 01110 0 sz:1 10000 10111 10 Rn:5 Rd:5", "fcvtl {Rd:vector(floatWide)}, {Rn:vector(floatLower)}", lengthen),
  alias("FCVTL2_vector",       "0 1 0 01110 0 sz:1 10000 10111 10 Rn:5 Rd:5",   "fcvtl2 {Rd:vector(floatWide)}, {Rn:vector(floatUpper)}"),
  instruction("FCVTXN_vector", "0 Q:1 1 01110 01 10000 10110 10 Rn:5 Rd:5",     "fcvtxn {Rd:vector(2s)}, {Rn:vector(2d)}", narrow(() => 64, ROUNDING.toOdd)),
  alias("FCVTXN2_vector",      "0 1 1 01110 01 10000 10110 10 Rn:5 Rd:5",       "fcvtxn2 {Rd:vector(4s)}, {Rn:vector(2d)}"),
  instruction("FCVTXN_simd_scalar", "01 1 11110 01 10000 10110 10 Rn:5 Rd:5",   "fcvtxn {Rd:scalar(s)}, {Rn:scalar(d)}", narrowScalar),
  ...ELEMENTS.flatMap((element) => FIXED.flatMap((conversion) => fixedRows(conversion, element))),
  instruction("FMOV_vector_half", "0 Q:1 0 0111100000 abc:3 1111 1 1 defgh:5 Rd:5", "fmov {Rd:vector(qh)}, #{abc,defgh:float8}", moveHalves, { feature: "FP16" }),
];
