/** Scalar conversions between integers, fixed point and the formats of floating point (Arm ARM C4.1). */
import type { Builder, Value } from "../ir/builder.ts";
import { ROUNDING, type Rounding } from "../ir/float_operations.ts";
import {
  ANY_FORMAT,
  d,
  floatFeature,
  type FloatWidth,
  floatWidth,
  type Ftype,
  n,
  type Registers,
} from "./float_forms.ts";
import { instruction, type Row } from "./instruction.ts";

type Fields = Ftype & Registers & { readonly sf: number };
type FixedFields = Fields & { readonly scale: number };

/** Options of a row with a scale: a W register has at most 32 fraction bits. */
const fixedPoint = {
  when: ({ sf, scale, ftype }: Pick<FixedFields, "sf" | "scale" | "ftype">): boolean =>
    ftype !== 2 && (sf === 1 || scale >= 32),
  feature: floatFeature,
};

/** A general register becomes Rn in fixed point; `scale`, 64 less the fraction bits, is absent for integers. */
function toInteger(rounding: Rounding, isUnsigned: 0 | 1) {
  return (ir: Builder, { sf, ftype, Rn, Rd, scale = 64 }: Fields & { readonly scale?: number }): void => {
    const general = sf ? 64 : 32, width = floatWidth({ ftype });
    ir.call("checkFpEnabled");
    const value = ir.readV(Rn, width);
    ir.writeX(
      Rd,
      general,
      ir.float("floatToInteger", general, width, [value], rounding, isUnsigned, 64 - scale, general),
    );
  };
}

/** Rd becomes the number that a general register has in fixed point. */
function fromInteger(isUnsigned: 0 | 1) {
  return (ir: Builder, { sf, ftype, Rn, Rd, scale = 64 }: Fields & { readonly scale?: number }): void => {
    const general = sf ? 64 : 32, width = floatWidth({ ftype });
    ir.call("checkFpEnabled");
    ir.writeV(
      Rd,
      ir.float("integerToFloat", width, width, [ir.readX(Rn, general)], general, isUnsigned, 64 - scale),
    );
  };
}

function convert(from: FloatWidth, of: (ir: Builder, value: Value) => Value) {
  return (ir: Builder, { Rn, Rd }: Registers): void => {
    ir.call("checkFpEnabled");
    ir.writeV(Rd, of(ir, ir.readV(Rn, from)));
  };
}

/** FJCVTZS: the low 32 bits of a double's integral part; Z tells whether that is all of it. */
function toJavascript(ir: Builder, { Rn, Rd }: Registers): void {
  ir.call("checkFpEnabled");
  const value = ir.readV(Rn, 64);
  const integer = ir.float("floatToJavascript", 32, 64, [value]);
  ir.writeNzcv(ir.float("floatToJavascriptFlags", 4, 64, [value]));
  ir.writeX(Rd, 32, integer);
}

/** To integers: name, rmode, opcode, rounding, whether unsigned. */
// deno-fmt-ignore
const TO_INTEGER = [
  ["FCVTNS", "00", "000", ROUNDING.tiesToEven,  0], ["FCVTNU", "00", "001", ROUNDING.tiesToEven,  1],
  ["FCVTAS", "00", "100", ROUNDING.tiesToAway,  0], ["FCVTAU", "00", "101", ROUNDING.tiesToAway,  1],
  ["FCVTPS", "01", "000", ROUNDING.towardPlus,  0], ["FCVTPU", "01", "001", ROUNDING.towardPlus,  1],
  ["FCVTMS", "10", "000", ROUNDING.towardMinus, 0], ["FCVTMU", "10", "001", ROUNDING.towardMinus, 1],
  ["FCVTZS", "11", "000", ROUNDING.towardZero,  0], ["FCVTZU", "11", "001", ROUNDING.towardZero,  1],
] as const;

/** From integers: name, opcode, whether unsigned. */
const FROM_INTEGER = [["SCVTF", "010", 0], ["UCVTF", "011", 1]] as const;

/** Between formats: source ftype, letter and width; destination opc, letter and width. */
// deno-fmt-ignore
const PRECISIONS = [
  ["00", "s", 32, "01", "d", 64], ["00", "s", 32, "11", "h", 16], ["01", "d", 64, "00", "s", 32],
  ["01", "d", 64, "11", "h", 16], ["11", "h", 16, "00", "s", 32], ["11", "h", 16, "01", "d", 64],
] as const;

/** The rows. */
// deno-fmt-ignore
export const rows: readonly Row[] = [
  // Fixed point.
  ...FROM_INTEGER.map(([name, opcode, isUnsigned]) => instruction(`${name}_fixed`, `sf:1 0 0 11110 ftype:2 0 00 ${opcode} scale:6 Rn:5 Rd:5`, `${name.toLowerCase()} ${d}, {Rn:x}, #{scale:fractionBits}`, fromInteger(isUnsigned), fixedPoint)),
  ...([["FCVTZS", "000", 0], ["FCVTZU", "001", 1]] as const).map(([name, opcode, isUnsigned]) => instruction(`${name}_fixed`, `sf:1 0 0 11110 ftype:2 0 11 ${opcode} scale:6 Rn:5 Rd:5`, `${name.toLowerCase()} {Rd:x}, ${n}, #{scale:fractionBits}`, toInteger(ROUNDING.towardZero, isUnsigned), fixedPoint)),
  // Integers.
  ...TO_INTEGER.map(([name, rmode, opcode, rounding, isUnsigned]) => instruction(`${name}_scalar`, `sf:1 0 0 11110 ftype:2 1 ${rmode} ${opcode} 000000 Rn:5 Rd:5`, `${name.toLowerCase()} {Rd:x}, ${n}`, toInteger(rounding, isUnsigned), ANY_FORMAT)),
  ...FROM_INTEGER.map(([name, opcode, isUnsigned]) => instruction(`${name}_scalar`, `sf:1 0 0 11110 ftype:2 1 00 ${opcode} 000000 Rn:5 Rd:5`, `${name.toLowerCase()} ${d}, {Rn:x}`, fromInteger(isUnsigned), ANY_FORMAT)),
  instruction("FJCVTZS", "0 0 0 11110 01 1 11 110 000000 Rn:5 Rd:5", "fjcvtzs {Rd:w32}, {Rn:scalar(d)}", toJavascript, { feature: "JSCVT" }),
  // Formats.
  ...PRECISIONS.map(([ftype, from, fromWidth, opc, to, toWidth]) => instruction(`FCVT_${from}_${to}`, `0 0 0 11110 ${ftype} 1 0001 ${opc} 10000 Rn:5 Rd:5`, `fcvt {Rd:scalar(${to})}, {Rn:scalar(${from})}`, convert(fromWidth, (ir, value) => ir.float("floatConvert", toWidth, fromWidth, [value], toWidth, ROUNDING.fpcr)))),
  instruction("BFCVT", "0 0 0 11110 01 1 000110 10000 Rn:5 Rd:5", "bfcvt {Rd:scalar(h)}, {Rn:scalar(s)}", convert(32, (ir, value) => ir.float("bfloatNarrow", 16, 32, [value])), { feature: "BF16" }),
];
