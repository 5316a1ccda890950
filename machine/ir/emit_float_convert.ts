/** WebAssembly forms of rounding to integers and of conversions, where they do what Arm does (see emit_float_lanes.ts). */
import { ROUNDING, type Rounding } from "../float/environment.ts";
import { PLAIN, type PlainInstruction } from "../wasm/instructions.ts";
import type { Emitter } from "./emit.ts";
import {
  bailIfFlushing,
  bailUnlessNearest,
  FloatCode,
  floatForm,
  type FloatInstruction,
} from "./emit_float_lanes.ts";
import { fromVector, pushVector } from "./emit_vector.ts";
import { type EmitForm, int, type IrNode } from "./operation.ts";

/** Rounding modes that WebAssembly has; that of FPCR is checked to be to nearest. Ties away from zero are made up. */
const ROUNDINGS: Partial<Record<Rounding, FloatInstruction>> = {
  [ROUNDING.tiesToEven]: "Nearest",
  [ROUNDING.towardPlus]: "Ceil",
  [ROUNDING.towardMinus]: "Floor",
  [ROUNDING.towardZero]: "Trunc",
  [ROUNDING.fpcr]: "Nearest",
};

const modeOf = (node: IrNode): Rounding => int(node, 1) as Rounding;

const canRound = (node: IrNode): boolean =>
  modeOf(node) === ROUNDING.tiesToAway || ROUNDINGS[modeOf(node)] !== undefined;

function bailUnlessMode(e: Emitter, mode: Rounding): void {
  if (mode === ROUNDING.fpcr) bailUnlessNearest(e);
  else bailIfFlushing(e);
}

/** Pushes a local rounded to an integral number. */
function pushRounded(f: FloatCode, a: number, mode: Rounding): void {
  const instruction = ROUNDINGS[mode];
  f.get(a);
  if (instruction !== undefined) return f.op(instruction);
  f.copySign("nearlyHalf", a); // just below 1/2: what is less than 1/2 away from zero does not reach 1
  f.op("Add", "Trunc");
}

/** Rounding to an integral number of the same format; the immediates are the mode and whether IXC is set. */
export const emitFloatRound: EmitForm = floatForm((node, e) => {
  bailUnlessMode(e, modeOf(node));
  const f = FloatCode.of(node, e), a = f.local(0);
  f.isEqual(a, a);
  f.bailUnless();
  pushRounded(f, a, modeOf(node));
  const r = f.set();
  if (int(node, 2) === 1) f.bailIfInexact(() => f.isEqual(r, a));
  f.get(r);
  f.finish();
}, canRound);

/** Powers of two as numbers of a format, by the exponent. */
function powerOfTwo(format: number, exponent: number): bigint {
  return format === 64 ? BigInt(exponent + 1023) << 52n : BigInt(exponent + 127) << 23n;
}

/** Bits of a result lane of floatToInteger. */
const resultBits = (node: IrNode): number => int(node, 4);

/** Conversion to integers in range, without fraction bits; vectors only of words, which WebAssembly converts as such. */
export const emitFloatToInteger: EmitForm = floatForm((node, e) => {
  const format = int(node, 0), bits = resultBits(node), isUnsigned = int(node, 2) === 1;
  const isVector = node.width !== bits;
  bailUnlessMode(e, modeOf(node));
  const f = new FloatCode(e, format as 32 | 64, isVector), a = f.local(0);
  pushRounded(f, a, modeOf(node));
  const r = f.set();
  f.get(r);
  f.bits(isUnsigned ? 0n : powerOfTwo(format, bits - 1) | 1n << BigInt(format - 1));
  f.op("Ge");
  f.get(r);
  f.bits(powerOfTwo(format, isUnsigned ? bits : bits - 1));
  f.op("Lt");
  f.and();
  f.bailUnless();
  f.bailIfInexact(() => f.isEqual(r, a));
  f.get(r);
  const sign = isUnsigned ? "U" : "S";
  if (isVector) {
    e.code.instruction(PLAIN[`i32x4TruncSatF32x4${sign}`]);
    fromVector(e, node.width);
  } else e.code.instruction(PLAIN[`i${bits as 32 | 64}TruncSatF${format as 32 | 64}${sign}`]);
}, (node) =>
  canRound(node) && int(node, 3) === 0 && resultBits(node) !== 16 &&
  (node.width === resultBits(node) || (int(node, 0) === 32 && resultBits(node) === 32)));

/** Significant bits of the formats. */
const PRECISION: Readonly<Record<number, number>> = { 32: 24, 64: 53 };

/** Conversion of integers, without fraction bits; vectors only of words to single precision. */
export const emitIntegerToFloat: EmitForm = floatForm(
  (node, e) => {
    const format = int(node, 0), bits = int(node, 1), isUnsigned = int(node, 2) === 1;
    const sign = isUnsigned ? "U" : "S", { code } = e;
    bailUnlessNearest(e);
    if (node.width !== format) {
      const f = FloatCode.of(node, e);
      f.bailIfInexact();
      pushVector(e, 0);
      code.instruction(PLAIN[`f32x4ConvertI32x4${sign}`]);
      return f.finish();
    }
    const integer = e.local(0);
    if (bits > (PRECISION[format] as number)) bailIfInexactInteger(e, integer, bits, isUnsigned, format);
    code.localGet(integer);
    code.instruction(PLAIN[`f${format as 32 | 64}ConvertI${bits as 32 | 64}${sign}`]);
    FloatCode.of(node, e).finish();
  },
  (node) => int(node, 3) === 0 && int(node, 1) !== 16 && (node.width === int(node, 0) || int(node, 0) === 32),
);

/** Leaves unless IXC is set or the integer's significant bits are at most the format's. */
function bailIfInexactInteger(
  e: Emitter,
  integer: number,
  bits: number,
  isUnsigned: boolean,
  format: number,
): void {
  const { code } = e, wide = e.scratch("i64");
  new FloatCode(e, 64, false).bailIfInexact(() => {
    code.localGet(integer);
    if (bits === 32) code.instruction(isUnsigned ? PLAIN.i64ExtendI32U : PLAIN.i64ExtendI32S);
    code.localSet(wide);
    if (!isUnsigned) pushMagnitude(e, wide);
    else code.localGet(wide);
    code.localTee(wide);
    code.i64Clz();
    code.localGet(wide);
    code.i64Ctz();
    code.i64Add();
    code.i64Const(64 - (PRECISION[format] as number));
    code.i64GeU();
  });
}

/** Pushes |a| of a signed integer: (a ^ s) − s, s being its sign repeated. */
function pushMagnitude(e: Emitter, a: number): void {
  const { code } = e, sign = e.scratch("i64");
  code.localGet(a);
  code.localGet(a);
  code.i64Const(63);
  code.i64ShrS();
  code.localTee(sign);
  code.i64Xor();
  code.localGet(sign);
  code.i64Sub();
}

/** Conversion between single and double precision; the immediates are the result's format and the mode. */
export const emitFloatConvert: EmitForm = floatForm((node, e) => {
  const to = int(node, 1);
  if (to === 64) widen(node, e);
  else narrow(node, e);
}, (node) => int(node, 1) !== 16 && (int(node, 1) === 64 || int(node, 2) === ROUNDING.fpcr));

/** Single to double precision is exact. */
function widen(node: IrNode, e: Emitter): void {
  const isVector = node.width !== 64, { code } = e;
  bailIfFlushing(e);
  const f = new FloatCode(e, 32, isVector), a = f.local(0);
  f.isEqual(a, a);
  f.bailUnless();
  f.get(a);
  code.instruction(isVector ? PLAIN.f64x2PromoteLowF32x4 : PLAIN.f64PromoteF32);
  new FloatCode(e, 64, isVector).finish();
}

/** Double to single precision; the least normal number may have been rounded from a tiny one. */
function narrow(node: IrNode, e: Emitter): void {
  const isVector = node.width !== 32, { code } = e;
  bailUnlessNearest(e);
  const f = new FloatCode(e, 64, isVector), a = f.local(0);
  const demote: PlainInstruction = isVector ? "f32x4DemoteF64x2Zero" : "f32DemoteF64";
  const promote: PlainInstruction = isVector ? "f64x2PromoteLowF32x4" : "f64PromoteF32";
  f.get(a);
  code[demote]();
  code[promote]();
  const r = f.set(); // the result, as a double
  f.isFinite(r);
  f.get(r);
  f.op("Abs");
  f.bits(powerOfTwo(64, -126));
  f.op("Gt");
  f.isZero(a);
  f.or();
  f.and();
  f.bailUnless();
  f.bailIfInexact(() => f.isEqual(r, a));
  f.get(r);
  code[demote]();
  new FloatCode(e, 32, isVector).finish();
}
