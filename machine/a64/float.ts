/** Scalar floating point (Arm ARM C4.1: data processing, scalar floating-point); arithmetic is missing so far. */
import type { Builder } from "../ir/builder.ts";
import { instruction, missing, type Row } from "./instruction.ts";

type Ftype = { readonly ftype: number };

/** Single and double precision; half-precision arithmetic belongs to a later extension. */
const single = { when: ({ ftype }: Ftype): boolean => ftype < 2 };

type FixedPoint = Ftype & { readonly sf: number; readonly scale: number };
const fixedPoint = {
  when: ({ sf, scale, ftype }: FixedPoint): boolean => ftype < 2 && (sf === 1 || scale >= 32),
};

/** Moves between registers of one width, scalar or general. */
function moveToGeneral(width: 32 | 64) {
  return (ir: Builder, { Rn, Rd }: { readonly Rn: number; readonly Rd: number }): void => {
    ir.call("checkFpEnabled");
    ir.writeX(Rd, width, ir.readV(Rn, width));
  };
}

function moveFromGeneral(width: 32 | 64) {
  return (ir: Builder, { Rn, Rd }: { readonly Rn: number; readonly Rd: number }): void => {
    ir.call("checkFpEnabled");
    ir.writeV(Rd, ir.readX(Rn, width));
  };
}

type Registers = { readonly Rn: number; readonly Rd: number };

function moveTopToGeneral(ir: Builder, { Rn, Rd }: Registers): void {
  ir.call("checkFpEnabled");
  ir.writeX(Rd, 64, ir.extract(64, ir.readV(Rn, 128), 64));
}

function moveTopFromGeneral(ir: Builder, { Rn, Rd }: Registers): void {
  ir.call("checkFpEnabled");
  ir.writeV(Rd, ir.concatenate(ir.readX(Rn, 64), ir.readV(Rd, 64)));
}

function moveScalar(ir: Builder, { ftype, Rn, Rd }: Ftype & Registers): void {
  ir.call("checkFpEnabled");
  ir.writeV(Rd, ir.readV(Rn, ftype ? 64 : 32));
}

/** The bits of an eight-bit float immediate of 16, 32 or 64 bits (Arm ARM: VFPExpandImm). */
export function floatImmediateBits(imm8: number, width: 16 | 32 | 64): bigint {
  const exponentBits = { 16: 5, 32: 8, 64: 11 }[width];
  const sign = imm8 >> 7, top = imm8 >> 6 & 1;
  const repeated = top ? (1 << exponentBits - 3) - 1 : 0;
  const exponent = (top ^ 1) << exponentBits - 1 | repeated << 2 | imm8 >> 4 & 3;
  const fraction = BigInt(imm8 & 15) << BigInt(width - 1 - exponentBits - 4);
  return BigInt(sign) << BigInt(width - 1) | BigInt(exponent) << BigInt(width - 1 - exponentBits) | fraction;
}

function moveImmediate(
  ir: Builder,
  { ftype, imm8, Rd }: Ftype & { readonly imm8: number; readonly Rd: number },
): void {
  const width = ftype ? 64 : 32;
  ir.call("checkFpEnabled");
  ir.writeV(Rd, ir.constant(width, floatImmediateBits(imm8, width)));
}

/** Conversions to and from integers: name, rmode, opcode. */
// deno-fmt-ignore
const TO_INTEGER = [
  ["FCVTNS", "00", "000"], ["FCVTNU", "00", "001"], ["FCVTAS", "00", "100"], ["FCVTAU", "00", "101"],
  ["FCVTPS", "01", "000"], ["FCVTPU", "01", "001"], ["FCVTMS", "10", "000"], ["FCVTMU", "10", "001"],
  ["FCVTZS", "11", "000"], ["FCVTZU", "11", "001"],
] as const;

const FROM_INTEGER = [["SCVTF", "010"], ["UCVTF", "011"]] as const;

/** Operations on one register of the same type: name, opcode. */
// deno-fmt-ignore
const ONE_SOURCE = [
  ["FABS", "000001"], ["FNEG", "000010"], ["FSQRT", "000011"], ["FRINTN", "001000"], ["FRINTP", "001001"],
  ["FRINTM", "001010"], ["FRINTZ", "001011"], ["FRINTA", "001100"], ["FRINTX", "001110"], ["FRINTI", "001111"],
] as const;

/** Conversions between precisions: source ftype and letter, destination opc and letter. */
// deno-fmt-ignore
const PRECISIONS = [
  ["00", "s", "01", "d"], ["00", "s", "11", "h"], ["01", "d", "00", "s"], ["01", "d", "11", "h"],
  ["11", "h", "00", "s"], ["11", "h", "01", "d"],
] as const;

const TWO_SOURCE = [
  ["FMUL", "0000"],
  ["FDIV", "0001"],
  ["FADD", "0010"],
  ["FSUB", "0011"],
  ["FMAX", "0100"],
  ["FMIN", "0101"],
  ["FMAXNM", "0110"],
  ["FMINNM", "0111"],
  ["FNMUL", "1000"],
] as const;

const THREE_SOURCE = [["FMADD", "0", "0"], ["FMSUB", "0", "1"], ["FNMADD", "1", "0"], [
  "FNMSUB",
  "1",
  "1",
]] as const;

const d = "{Rd:chosenScalar(byType)}", n = "{Rn:chosenScalar(byType)}", m = "{Rm:chosenScalar(byType)}";
const a = "{Ra:chosenScalar(byType)}";

/** The rows. */
// deno-fmt-ignore
export const rows: readonly Row[] = [
  // Moves.
  instruction("FMOV_to_W",    "0 0 0 11110 00 1 00 110 000000 Rn:5 Rd:5", "fmov {Rd:w32}, {Rn:scalar(s)}", moveToGeneral(32)),
  instruction("FMOV_to_X",    "1 0 0 11110 01 1 00 110 000000 Rn:5 Rd:5", "fmov {Rd:x64}, {Rn:scalar(d)}", moveToGeneral(64)),
  instruction("FMOV_from_W",  "0 0 0 11110 00 1 00 111 000000 Rn:5 Rd:5", "fmov {Rd:scalar(s)}, {Rn:w32}", moveFromGeneral(32)),
  instruction("FMOV_from_X",  "1 0 0 11110 01 1 00 111 000000 Rn:5 Rd:5", "fmov {Rd:scalar(d)}, {Rn:x64}", moveFromGeneral(64)),
  instruction("FMOV_to_X_top",   "1 0 0 11110 10 1 01 110 000000 Rn:5 Rd:5", "fmov {Rd:x64}, {Rn:fixedElement(d[1])}", moveTopToGeneral),
  instruction("FMOV_from_X_top", "1 0 0 11110 10 1 01 111 000000 Rn:5 Rd:5", "fmov {Rd:fixedElement(d[1])}, {Rn:x64}", moveTopFromGeneral),
  instruction("FMOV_scalar",  "0 0 0 11110 ftype:2 1 000000 10000 Rn:5 Rd:5",    `fmov ${d}, ${n}`,         moveScalar,    single),
  instruction("FMOV_imm",     "0 0 0 11110 ftype:2 1 imm8:8 100 00000 Rd:5",     `fmov ${d}, #{imm8:float8}`, moveImmediate, single),
  // Conversions.
  ...FROM_INTEGER.map(([name, opcode]) => missing(`${name}_fixed`, `sf:1 0 0 11110 ftype:2 0 00 ${opcode} scale:6 Rn:5 Rd:5`, `${name.toLowerCase()} ${d}, {Rn:x}, #{scale:fractionBits}`, fixedPoint)),
  ...([["FCVTZS", "000"], ["FCVTZU", "001"]] as const).map(([name, opcode]) => missing(`${name}_fixed`, `sf:1 0 0 11110 ftype:2 0 11 ${opcode} scale:6 Rn:5 Rd:5`, `${name.toLowerCase()} {Rd:x}, ${n}, #{scale:fractionBits}`, fixedPoint)),
  ...TO_INTEGER.map(([name, rmode, opcode]) => missing(`${name}_scalar`, `sf:1 0 0 11110 ftype:2 1 ${rmode} ${opcode} 000000 Rn:5 Rd:5`, `${name.toLowerCase()} {Rd:x}, ${n}`, single)),
  ...FROM_INTEGER.map(([name, opcode]) => missing(`${name}_scalar`, `sf:1 0 0 11110 ftype:2 1 00 ${opcode} 000000 Rn:5 Rd:5`, `${name.toLowerCase()} ${d}, {Rn:x}`, single)),
  ...PRECISIONS.map(([ftype, from, opc, to]) => missing(`FCVT_${from}_${to}`, `0 0 0 11110 ${ftype} 1 0001 ${opc} 10000 Rn:5 Rd:5`, `fcvt {Rd:scalar(${to})}, {Rn:scalar(${from})}`)),
  // One to three sources.
  ...ONE_SOURCE.map(([name, opcode]) => missing(`${name}_scalar`, `0 0 0 11110 ftype:2 1 ${opcode} 10000 Rn:5 Rd:5`, `${name.toLowerCase()} ${d}, ${n}`, single)),
  ...TWO_SOURCE.map(([name, opcode]) => missing(`${name}_scalar`, `0 0 0 11110 ftype:2 1 Rm:5 ${opcode} 10 Rn:5 Rd:5`, `${name.toLowerCase()} ${d}, ${n}, ${m}`, single)),
  ...THREE_SOURCE.map(([name, o1, o0]) => missing(name, `0 0 0 11111 ftype:2 ${o1} Rm:5 ${o0} Ra:5 Rn:5 Rd:5`, `${name.toLowerCase()} ${d}, ${n}, ${m}, ${a}`, single)),
  // Comparison and selection.
  missing("FCMP",       "0 0 0 11110 ftype:2 1 Rm:5 00 1000 Rn:5 00 000", `fcmp ${n}, ${m}`,  single),
  missing("FCMPE",      "0 0 0 11110 ftype:2 1 Rm:5 00 1000 Rn:5 10 000", `fcmpe ${n}, ${m}`, single),
  missing("FCMP_zero",  "0 0 0 11110 ftype:2 1 (0)(0)(0)(0)(0) 00 1000 Rn:5 01 000", `fcmp ${n}, #0.0`,  single),
  missing("FCMPE_zero", "0 0 0 11110 ftype:2 1 (0)(0)(0)(0)(0) 00 1000 Rn:5 11 000", `fcmpe ${n}, #0.0`, single),
  missing("FCCMP",      "0 0 0 11110 ftype:2 1 Rm:5 cond:4 01 Rn:5 0 nzcv:4", `fccmp ${n}, ${m}, #{nzcv}, {cond:condition}`,  single),
  missing("FCCMPE",     "0 0 0 11110 ftype:2 1 Rm:5 cond:4 01 Rn:5 1 nzcv:4", `fccmpe ${n}, ${m}, #{nzcv}, {cond:condition}`, single),
  missing("FCSEL",      "0 0 0 11110 ftype:2 1 Rm:5 cond:4 11 Rn:5 Rd:5",     `fcsel ${d}, ${n}, ${m}, {cond:condition}`,     single),
];
