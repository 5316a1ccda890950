/** Advanced SIMD on floating point with one source: rounding, integers, comparison with zero, estimates (Arm ARM C4.1: two-register miscellaneous). */
import { type FloatOperation, ROUNDING } from "../ir/float_operations.ts";
import { type Instruction, instruction, type Row } from "./instruction.ts";
import { type OneMeaning, oneSource, unary } from "./simd_float_forms.ts";
import { type Bit, hasFloatSize, operands, scalar, vector } from "./simd_forms.ts";

const { tiesToEven, tiesToAway, towardPlus, towardMinus, towardZero, fpcr } = ROUNDING;

/** Comparison with zero; `isSwapped` puts zero first. */
function withZero(op: FloatOperation, isSwapped = false): OneMeaning {
  return (ir, { width, format }, n) => {
    const zero = ir.constant(width, 0);
    return ir.float(op, width, format, isSwapped ? [zero, n] : [n, zero]);
  };
}

const round = (rounding: number, exact = 0): OneMeaning => unary("floatRound", rounding, exact);

/** To integers as wide as the format. */
function toInteger(rounding: number, unsigned: 0 | 1): OneMeaning {
  return (ir, { width, format }, n) =>
    ir.float("floatToInteger", width, format, [n], rounding, unsigned, 0, format);
}

function fromInteger(unsigned: 0 | 1): OneMeaning {
  return (ir, { width, format }, n) => ir.float("integerToFloat", width, format, [n], format, unsigned, 0);
}

type Forms = "vector" | "scalar" | "both";

// Name, U, top bit of size, opcode, forms, meaning, what follows the registers.
// deno-fmt-ignore
const FLOAT: readonly (readonly [string, Bit, Bit, string, Forms, OneMeaning, string?])[] = [
  ["FRINTN",  "0", "0", "11000", "vector", round(tiesToEven)],                        ["FRINTA",  "1", "0", "11000", "vector", round(tiesToAway)],
  ["FRINTP",  "0", "1", "11000", "vector", round(towardPlus)],                          ["FRINTM",  "0", "0", "11001", "vector", round(towardMinus)],
  ["FRINTX",  "1", "0", "11001", "vector", round(fpcr, 1)],                  ["FRINTZ",  "0", "1", "11001", "vector", round(towardZero)],
  ["FRINTI",  "1", "1", "11001", "vector", round(fpcr)],
  ["FCVTNS",  "0", "0", "11010", "both",   toInteger(tiesToEven, 0)],                 ["FCVTNU",  "1", "0", "11010", "both",   toInteger(tiesToEven, 1)],
  ["FCVTPS",  "0", "1", "11010", "both",   toInteger(towardPlus, 0)],                   ["FCVTPU",  "1", "1", "11010", "both",   toInteger(towardPlus, 1)],
  ["FCVTMS",  "0", "0", "11011", "both",   toInteger(towardMinus, 0)],                 ["FCVTMU",  "1", "0", "11011", "both",   toInteger(towardMinus, 1)],
  ["FCVTZS",  "0", "1", "11011", "both",   toInteger(towardZero, 0)],                 ["FCVTZU",  "1", "1", "11011", "both",   toInteger(towardZero, 1)],
  ["FCVTAS",  "0", "0", "11100", "both",   toInteger(tiesToAway, 0)],                 ["FCVTAU",  "1", "0", "11100", "both",   toInteger(tiesToAway, 1)],
  ["SCVTF",   "0", "0", "11101", "both",   fromInteger(0)],                     ["UCVTF",   "1", "0", "11101", "both",   fromInteger(1)],
  ["FCMGT",   "0", "1", "01100", "both",   withZero("floatGreater"), ", #0.0"], ["FCMGE",   "1", "1", "01100", "both",   withZero("floatGreaterEqual"), ", #0.0"],
  ["FCMEQ",   "0", "1", "01101", "both",   withZero("floatEqual"), ", #0.0"],   ["FCMLE",   "1", "1", "01101", "both",   withZero("floatGreaterEqual", true), ", #0.0"],
  ["FCMLT",   "0", "1", "01110", "both",   withZero("floatGreater", true), ", #0.0"],
  ["FABS",    "0", "1", "01111", "vector", unary("floatAbsolute")],             ["FNEG",    "1", "1", "01111", "vector", unary("floatNegate")],
  ["FRECPE",  "0", "1", "11101", "both",   unary("floatReciprocalEstimate")],   ["FRSQRTE", "1", "1", "11101", "both",   unary("floatSqrtEstimate")],
  ["FRECPX",  "0", "1", "11111", "scalar", unary("floatReciprocalExponent")],   ["FSQRT",   "1", "1", "11111", "vector", unary("floatSqrt")],
];

const REGISTERS = ["Rd", "Rn"];
const FP16 = { feature: "FP16" } as const;

function floatRows([name, U, top, opcode, forms, meaning, tail = ""]: typeof FLOAT[number]): Instruction[] {
  const mnemonic = name.toLowerCase(), suffix = tail === "" ? "" : "_zero", lowering = oneSource(meaning);
  const text = (of: typeof vector, choice: string) => `${mnemonic} ${operands(of, choice, REGISTERS)}${tail}`;
  // deno-fmt-ignore
  const vectors = [
    instruction(`${name}_vector${suffix}`,      `0 Q:1 ${U} 01110 ${top} sz:1 10000 ${opcode} 10 Rn:5 Rd:5`, text(vector, "float"), lowering, hasFloatSize),
    instruction(`${name}_vector${suffix}_half`, `0 Q:1 ${U} 01110 ${top} 111100 ${opcode} 10 Rn:5 Rd:5`,     text(vector, "qh"),    lowering, FP16),
  ];
  // deno-fmt-ignore
  const scalars = [
    instruction(`${name}_simd_scalar${suffix}`,      `01 ${U} 11110 ${top} sz:1 10000 ${opcode} 10 Rn:5 Rd:5`, text(scalar, "bySz"), lowering),
    instruction(`${name}_simd_scalar${suffix}_half`, `01 ${U} 11110 ${top} 111100 ${opcode} 10 Rn:5 Rd:5`,     text(scalar, "h"),    lowering, FP16),
  ];
  return [...(forms === "scalar" ? [] : vectors), ...(forms === "vector" ? [] : scalars)];
}

// To integers that fit 32 or 64 bits, still as floating point: name, U, opcode, rounding, size.
// deno-fmt-ignore
const ROUND_SIZED = [
  ["FRINT32Z", "0", "11110", 32, towardZero], ["FRINT32X", "1", "11110", 32, fpcr],
  ["FRINT64Z", "0", "11111", 64, towardZero], ["FRINT64X", "1", "11111", 64, fpcr],
] as const;

function roundSizedRow([name, U, opcode, size, rounding]: typeof ROUND_SIZED[number]): Instruction {
  return instruction(
    `${name}_vector`,
    `0 Q:1 ${U} 01110 0 sz:1 10000 ${opcode} 10 Rn:5 Rd:5`,
    `${name.toLowerCase()} ${operands(vector, "float", REGISTERS)}`,
    oneSource(unary("floatRoundSized", size, rounding)),
    { ...hasFloatSize, feature: "FRINTTS" },
  );
}

/** An estimate for unsigned numbers below one. */
function estimate(op: "unsignedReciprocalEstimate" | "unsignedSqrtEstimate") {
  return oneSource((ir, { width }, n) => ir.float(op, width, 32, [n]));
}

/** The rows. */
// deno-fmt-ignore
export const rows: readonly Row[] = [
  ...FLOAT.flatMap(floatRows),
  ...ROUND_SIZED.map(roundSizedRow),
  instruction("URECPE",  "0 Q:1 0 01110 10 10000 11100 10 Rn:5 Rd:5", "urecpe {Rd:vector(qs)}, {Rn:vector(qs)}",  estimate("unsignedReciprocalEstimate")),
  instruction("URSQRTE", "0 Q:1 1 01110 10 10000 11100 10 Rn:5 Rd:5", "ursqrte {Rd:vector(qs)}, {Rn:vector(qs)}", estimate("unsignedSqrtEstimate")),
];
