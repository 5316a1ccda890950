/** Scalar floating point: moves, arithmetic, comparison and selection (Arm ARM C4.1: data processing, scalar floating-point). */
import type { Builder, Value } from "../ir/builder.ts";
import { type FloatOperation, ROUNDING } from "../ir/float_operations.ts";
import {
  a,
  ANY_FORMAT,
  d,
  type FloatWidth,
  floatWidth,
  type Ftype,
  m,
  n,
  operation,
  type Registers,
  singleOrDouble,
  unary,
} from "./float_forms.ts";
import { instruction, type Row } from "./instruction.ts";

/** Moves between a general register and the low bits of a vector; what is above them becomes zero. */
function moveToGeneral(general: 32 | 64, width: FloatWidth) {
  return (ir: Builder, { Rn, Rd }: Registers): void => {
    ir.call("checkFpEnabled");
    ir.writeX(Rd, general, ir.zeroExtend(general, ir.readV(Rn, width)));
  };
}

function moveFromGeneral(_general: 32 | 64, width: FloatWidth) {
  return (ir: Builder, { Rn, Rd }: Registers): void => {
    ir.call("checkFpEnabled");
    ir.writeV(Rd, ir.readX(Rn, width));
  };
}

function moveTopToGeneral(ir: Builder, { Rn, Rd }: Registers): void {
  ir.call("checkFpEnabled");
  ir.writeX(Rd, 64, ir.extract(64, ir.readV(Rn, 128), 64));
}

function moveTopFromGeneral(ir: Builder, { Rn, Rd }: Registers): void {
  ir.call("checkFpEnabled");
  ir.writeV(Rd, ir.concatenate(ir.readX(Rn, 64), ir.readV(Rd, 64)));
}

/** The bits of an eight-bit float immediate of 16, 32 or 64 bits (Arm ARM: VFPExpandImm). */
export function floatImmediateBits(imm8: number, width: FloatWidth): bigint {
  const exponentBits = { 16: 5, 32: 8, 64: 11 }[width];
  const sign = imm8 >> 7, top = imm8 >> 6 & 1;
  const repeated = top ? (1 << exponentBits - 3) - 1 : 0;
  const exponent = (top ^ 1) << exponentBits - 1 | repeated << 2 | imm8 >> 4 & 3;
  const fraction = BigInt(imm8 & 15) << BigInt(width - 1 - exponentBits - 4);
  return BigInt(sign) << BigInt(width - 1) | BigInt(exponent) << BigInt(width - 1 - exponentBits) | fraction;
}

function moveImmediate(
  ir: Builder,
  { ftype, imm8, Rd }: Ftype & Readonly<Record<"imm8" | "Rd", number>>,
): void {
  const width = floatWidth({ ftype });
  ir.call("checkFpEnabled");
  ir.writeV(Rd, ir.constant(width, floatImmediateBits(imm8, width)));
}

type Two = Ftype & Registers & { readonly Rm: number };

function binary(name: FloatOperation) {
  return (ir: Builder, { ftype, Rm, Rn, Rd }: Two): void => {
    const width = floatWidth({ ftype });
    ir.call("checkFpEnabled");
    ir.writeV(Rd, ir.float(name, width, width, [ir.readV(Rn, width), ir.readV(Rm, width)]));
  };
}

/** ±Ra ± Rn × Rm, by the signs' bits. */
function multiplyAdd(negatesAddend: boolean, negatesProduct: boolean) {
  return (ir: Builder, { ftype, Rm, Ra, Rn, Rd }: Two & { readonly Ra: number }): void => {
    const width = floatWidth({ ftype });
    const read = (register: number, isNegated: boolean): Value => {
      const value = ir.readV(register, width);
      return isNegated ? ir.float("floatNegate", width, width, [value]) : value;
    };
    ir.call("checkFpEnabled");
    const operands = [read(Ra, negatesAddend), read(Rn, negatesProduct), read(Rm, false)];
    ir.writeV(Rd, ir.float("floatMulAdd", width, width, operands));
  };
}

type Compared = Ftype & { readonly Rn: number };

/** NZCV of a comparison; `signals` is 1 when quiet NaNs are invalid too. */
function flagsOf(ir: Builder, width: FloatWidth, signals: number, left: Value, right: Value): Value {
  return ir.float("floatCompare", 4, width, [left, right], signals);
}

function compare(signals: number) {
  return (ir: Builder, { ftype, Rm, Rn }: Compared & { readonly Rm: number }): void => {
    const width = floatWidth({ ftype });
    ir.call("checkFpEnabled");
    ir.writeNzcv(flagsOf(ir, width, signals, ir.readV(Rn, width), ir.readV(Rm, width)));
  };
}

function compareZero(signals: number) {
  return (ir: Builder, { ftype, Rn }: Compared): void => {
    const width = floatWidth({ ftype });
    ir.call("checkFpEnabled");
    ir.writeNzcv(flagsOf(ir, width, signals, ir.readV(Rn, width), ir.constant(width, 0)));
  };
}

type Conditional = Compared & Readonly<Record<"Rm" | "cond" | "nzcv", number>>;

/** Compares when the condition holds; zeros otherwise, so that FPSR stays as it is. */
function compareConditionally(signals: number) {
  return (ir: Builder, { ftype, Rm, cond, Rn, nzcv }: Conditional): void => {
    const width = floatWidth({ ftype });
    ir.call("checkFpEnabled");
    const holds = ir.condition(cond, ir.readNzcv());
    const operand = (register: number): Value =>
      ir.select(width, holds, ir.readV(register, width), ir.constant(width, 0));
    const flags = flagsOf(ir, width, signals, operand(Rn), operand(Rm));
    ir.writeNzcv(ir.select(4, holds, flags, ir.constant(4, nzcv)));
  };
}

function select(ir: Builder, { ftype, Rm, cond, Rn, Rd }: Two & { readonly cond: number }): void {
  const width = floatWidth({ ftype });
  ir.call("checkFpEnabled");
  const holds = ir.condition(cond, ir.readNzcv());
  ir.writeV(Rd, ir.select(width, holds, ir.readV(Rn, width), ir.readV(Rm, width)));
}

/** Moves between registers: name, sf, general width, ftype, letter of the scalar, its width, feature. */
// deno-fmt-ignore
const MOVES = [
  ["W",  "0", 32, "00", "s", 32, "Armv8.0"], ["X",  "1", 64, "01", "d", 64, "Armv8.0"],
  ["HW", "0", 32, "11", "h", 16, "FP16"],    ["HX", "1", 64, "11", "h", 16, "FP16"],
] as const;

/** Operations on one register of the same type: name, opcode, meaning. */
// deno-fmt-ignore
const ONE_SOURCE = [
  ["FABS",   "000001", operation("floatAbsolute")],                            ["FNEG",   "000010", operation("floatNegate")],
  ["FSQRT",  "000011", operation("floatSqrt")],                                ["FRINTN", "001000", operation("floatRound", ROUNDING.tiesToEven, 0)],
  ["FRINTP", "001001", operation("floatRound", ROUNDING.towardPlus, 0)],       ["FRINTM", "001010", operation("floatRound", ROUNDING.towardMinus, 0)],
  ["FRINTZ", "001011", operation("floatRound", ROUNDING.towardZero, 0)],       ["FRINTA", "001100", operation("floatRound", ROUNDING.tiesToAway, 0)],
  ["FRINTX", "001110", operation("floatRound", ROUNDING.fpcr, 1)],             ["FRINTI", "001111", operation("floatRound", ROUNDING.fpcr, 0)],
] as const;

/** Rounding to numbers that fit in an integer: name, opcode, meaning. */
// deno-fmt-ignore
const ROUND_SIZED = [
  ["FRINT32Z", "010000", operation("floatRoundSized", 32, ROUNDING.towardZero)], ["FRINT32X", "010001", operation("floatRoundSized", 32, ROUNDING.fpcr)],
  ["FRINT64Z", "010010", operation("floatRoundSized", 64, ROUNDING.towardZero)], ["FRINT64X", "010011", operation("floatRoundSized", 64, ROUNDING.fpcr)],
] as const;

// deno-fmt-ignore
const TWO_SOURCE = [
  ["FMUL",   "0000", "floatMul"],       ["FDIV",   "0001", "floatDiv"],       ["FADD",  "0010", "floatAdd"],
  ["FSUB",   "0011", "floatSub"],       ["FMAX",   "0100", "floatMax"],       ["FMIN",  "0101", "floatMin"],
  ["FMAXNM", "0110", "floatMaxNumber"], ["FMINNM", "0111", "floatMinNumber"], ["FNMUL", "1000", "floatMulNegated"],
] as const;

/** Name, o1, o0, whether the addend is negated, whether the product is. */
// deno-fmt-ignore
const THREE_SOURCE = [
  ["FMADD",  "0", "0", false, false], ["FMSUB",  "0", "1", false, true],
  ["FNMADD", "1", "0", true,  true],  ["FNMSUB", "1", "1", true,  false],
] as const;

/** The rows; conversions are in float_convert.ts. */
// deno-fmt-ignore
export const rows: readonly Row[] = [
  // Moves.
  ...MOVES.flatMap(([name, sf, general, ftype, letter, width, feature]) => [
    instruction(`FMOV_to_${name}`,   `${sf} 0 0 11110 ${ftype} 1 00 110 000000 Rn:5 Rd:5`, `fmov {Rd:${name.at(-1)?.toLowerCase()}${general}}, {Rn:scalar(${letter})}`, moveToGeneral(general, width),   { feature }),
    instruction(`FMOV_from_${name}`, `${sf} 0 0 11110 ${ftype} 1 00 111 000000 Rn:5 Rd:5`, `fmov {Rd:scalar(${letter})}, {Rn:${name.at(-1)?.toLowerCase()}${general}}`, moveFromGeneral(general, width), { feature }),
  ]),
  instruction("FMOV_to_X_top",   "1 0 0 11110 10 1 01 110 000000 Rn:5 Rd:5", "fmov {Rd:x64}, {Rn:fixedElement(d[1])}", moveTopToGeneral),
  instruction("FMOV_from_X_top", "1 0 0 11110 10 1 01 111 000000 Rn:5 Rd:5", "fmov {Rd:fixedElement(d[1])}, {Rn:x64}", moveTopFromGeneral),
  instruction("FMOV_scalar",     "0 0 0 11110 ftype:2 1 000000 10000 Rn:5 Rd:5", `fmov ${d}, ${n}`,           unary((_ir, _width, value) => value), ANY_FORMAT),
  instruction("FMOV_imm",        "0 0 0 11110 ftype:2 1 imm8:8 100 00000 Rd:5",  `fmov ${d}, #{imm8:float8}`, moveImmediate,                        ANY_FORMAT),
  // One to three sources.
  ...ONE_SOURCE.map(([name, opcode, of]) => instruction(`${name}_scalar`, `0 0 0 11110 ftype:2 1 ${opcode} 10000 Rn:5 Rd:5`, `${name.toLowerCase()} ${d}, ${n}`, unary(of), ANY_FORMAT)),
  ...ROUND_SIZED.map(([name, opcode, of]) => instruction(`${name}_scalar`, `0 0 0 11110 ftype:2 1 ${opcode} 10000 Rn:5 Rd:5`, `${name.toLowerCase()} ${d}, ${n}`, unary(of), singleOrDouble("FRINTTS"))),
  ...TWO_SOURCE.map(([name, opcode, of]) => instruction(`${name}_scalar`, `0 0 0 11110 ftype:2 1 Rm:5 ${opcode} 10 Rn:5 Rd:5`, `${name.toLowerCase()} ${d}, ${n}, ${m}`, binary(of), ANY_FORMAT)),
  ...THREE_SOURCE.map(([name, o1, o0, negatesAddend, negatesProduct]) => instruction(name, `0 0 0 11111 ftype:2 ${o1} Rm:5 ${o0} Ra:5 Rn:5 Rd:5`, `${name.toLowerCase()} ${d}, ${n}, ${m}, ${a}`, multiplyAdd(negatesAddend, negatesProduct), ANY_FORMAT)),
  // Comparison and selection.
  instruction("FCMP",       "0 0 0 11110 ftype:2 1 Rm:5 00 1000 Rn:5 00 000",                 `fcmp ${n}, ${m}`,   compare(0),     ANY_FORMAT),
  instruction("FCMPE",      "0 0 0 11110 ftype:2 1 Rm:5 00 1000 Rn:5 10 000",                 `fcmpe ${n}, ${m}`,  compare(1),     ANY_FORMAT),
  instruction("FCMP_zero",  "0 0 0 11110 ftype:2 1 (0)(0)(0)(0)(0) 00 1000 Rn:5 01 000",      `fcmp ${n}, #0.0`,   compareZero(0), ANY_FORMAT),
  instruction("FCMPE_zero", "0 0 0 11110 ftype:2 1 (0)(0)(0)(0)(0) 00 1000 Rn:5 11 000",      `fcmpe ${n}, #0.0`,  compareZero(1), ANY_FORMAT),
  instruction("FCCMP",      "0 0 0 11110 ftype:2 1 Rm:5 cond:4 01 Rn:5 0 nzcv:4", `fccmp ${n}, ${m}, #{nzcv}, {cond:condition}`,  compareConditionally(0), ANY_FORMAT),
  instruction("FCCMPE",     "0 0 0 11110 ftype:2 1 Rm:5 cond:4 01 Rn:5 1 nzcv:4", `fccmpe ${n}, ${m}, #{nzcv}, {cond:condition}`, compareConditionally(1), ANY_FORMAT),
  instruction("FCSEL",      "0 0 0 11110 ftype:2 1 Rm:5 cond:4 11 Rn:5 Rd:5",     `fcsel ${d}, ${n}, ${m}, {cond:condition}`,     select,                  ANY_FORMAT),
];
