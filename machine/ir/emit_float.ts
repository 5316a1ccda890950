/** WebAssembly forms of floating-point arithmetic and comparisons, where they do what Arm does (see emit_float_lanes.ts). */
import { integer } from "./emit_integer.ts";
import {
  bailIfFlushing,
  bailUnlessNearest,
  FloatCode,
  floatForm,
  type FloatInstruction,
} from "./emit_float_lanes.ts";
import { fromVector, pushVector, repeated } from "./emit_vector.ts";
import { type EmitForm, int } from "./operation.ts";

/** A result r of a and b, the conditions under which it raises no flag but IXC, and those under which not even that. */
interface Binary {
  readonly operation: "Add" | "Sub" | "Mul" | "Div";
  /** Pushes that r, which is finite, is neither tiny nor rounded from what was. */
  isOrdinary?(f: FloatCode, a: number, b: number, r: number): void;
  /** Pushes that r is exact. */
  isExact(f: FloatCode, a: number, b: number, r: number): void;
}

/** Pushes that a × b = product exactly. */
function isProduct(f: FloatCode, a: number, b: number, product: number): void {
  f.productError(a, b, product);
  f.bits(0n);
  f.op("Eq");
  f.isAbove(product, "safe");
  f.isZero(product);
  f.or();
  f.and();
}

/** Sums that are tiny are exact, so that they raise nothing. */
const ADD: Binary = {
  operation: "Add",
  isExact(f, a, b, r) {
    f.sumError(a, b, r);
    f.bits(0n);
    f.op("Eq");
  },
};

const SUB: Binary = {
  operation: "Sub",
  isExact(f, a, b, r) {
    f.get(b);
    f.op("Neg");
    ADD.isExact(f, a, f.set(), r);
  },
};

/** The least normal number may have been rounded from a tiny one, which underflows. */
const MUL: Binary = {
  operation: "Mul",
  isOrdinary(f, a, b, r) {
    f.isAbove(r, "leastNormal");
    f.isZero(a);
    f.or();
    f.isZero(b);
    f.or();
  },
  isExact: isProduct,
};

const DIV: Binary = {
  operation: "Div",
  isOrdinary(f, a, _b, r) {
    f.isAbove(r, "leastNormal");
    f.isZero(a);
    f.or();
  },
  isExact(f, a, b, r) {
    f.get(r, b);
    f.op("Mul");
    const product = f.set();
    isProduct(f, r, b, product);
    f.isEqual(product, a);
    f.and();
  },
};

/** An operation on two numbers; `after` is applied to its result. */
function emitArithmetic(binary: Binary, after?: "Neg" | "Abs"): EmitForm {
  return floatForm((node, e) => {
    bailUnlessNearest(e);
    const f = FloatCode.of(node, e), a = f.local(0), b = f.local(1);
    f.get(a, b);
    f.op(binary.operation);
    const r = f.set();
    f.isFinite(r);
    if (binary.isOrdinary !== undefined) {
      binary.isOrdinary(f, a, b, r);
      f.and();
    }
    f.bailUnless();
    f.bailIfInexact(() => binary.isExact(f, a, b, r));
    f.get(r);
    if (after !== undefined) f.op(after);
    f.finish();
  });
}

/** a + b. */
export const emitFloatAdd: EmitForm = emitArithmetic(ADD);
/** a − b. */
export const emitFloatSub: EmitForm = emitArithmetic(SUB);
/** |a − b|. */
export const emitFloatAbsoluteDifference: EmitForm = emitArithmetic(SUB, "Abs");
/** a × b. */
export const emitFloatMul: EmitForm = emitArithmetic(MUL);
/** −(a × b). */
export const emitFloatMulNegated: EmitForm = emitArithmetic(MUL, "Neg");
/** a ÷ b. */
export const emitFloatDiv: EmitForm = emitArithmetic(DIV);

/** Square roots are never tiny; of a negative number they are NaNs. */
export const emitFloatSqrt: EmitForm = floatForm((node, e) => {
  bailUnlessNearest(e);
  const f = FloatCode.of(node, e), a = f.local(0);
  f.get(a);
  f.op("Sqrt");
  const r = f.set();
  f.isFinite(r);
  f.bailUnless();
  f.bailIfInexact(() => {
    f.get(r, r);
    f.op("Mul");
    const square = f.set();
    isProduct(f, r, r, square);
    f.isEqual(square, a);
    f.and();
  });
  f.get(r);
  f.finish();
});

/** Leaves unless a and b can be ordered: a NaN may raise IOC. */
function bailIfUnordered(f: FloatCode, a: number, b: number): void {
  f.isEqual(a, a);
  f.isEqual(b, b);
  f.and();
  f.bailUnless();
}

/** The greater or the lesser. */
export function emitFloatExtreme(operation: "Max" | "Min"): EmitForm {
  return floatForm((node, e) => {
    bailIfFlushing(e);
    const f = FloatCode.of(node, e), a = f.local(0), b = f.local(1);
    bailIfUnordered(f, a, b);
    f.get(a, b);
    f.op(operation);
    f.finish();
  });
}

/** Lanes of ones where a comparison holds, of the numbers or of their magnitudes. */
export function emitFloatComparison(
  comparison: FloatInstruction & ("Eq" | "Ge" | "Gt"),
  magnitudes = false,
): EmitForm {
  return floatForm((node, e) => {
    bailIfFlushing(e);
    const isScalar = node.width === int(node, 0);
    const f = FloatCode.of(node, e), a = f.local(0), b = f.local(1);
    bailIfUnordered(f, a, b);
    if (isScalar) {
      e.code.i64Const(-1);
      e.code.i64Const(0);
    }
    for (const local of [a, b]) {
      f.get(local);
      if (magnitudes) f.op("Abs");
    }
    f.op(comparison);
    if (!isScalar) return f.finish();
    e.code.select();
    if (node.width === 32) e.code.i32WrapI64();
  });
}

/** NZCV of a comparison: 8 for less, 6 for equal, 2 for greater. */
export const emitFloatCompare: EmitForm = floatForm((node, e) => {
  bailIfFlushing(e);
  const f = new FloatCode(e, int(node, 0) as 32 | 64, false), a = f.local(0), b = f.local(1), { code } = e;
  bailIfUnordered(f, a, b);
  code.i32Const(8);
  code.i32Const(6);
  code.i32Const(2);
  f.isEqual(a, b);
  code.select();
  f.get(a, b);
  f.op("Lt");
  code.select();
});

/** Signs inverted or cleared: bits alone, of every format, without flags. */
export function emitFloatSign(operation: "Xor" | "Andnot"): EmitForm {
  return {
    emit: (node, e) => {
      const { code } = e, format = int(node, 0), { width } = node;
      const sign = 1n << BigInt(format - 1);
      if (width === 128) {
        pushVector(e, 0);
        code.v128Const(repeated(format, sign));
        if (operation === "Xor") code.v128Xor();
        else code.v128Andnot();
        return fromVector(e, width);
      }
      const signs = BigInt.asUintN(width, repeated(format, sign));
      const operand = operation === "Xor" ? signs : ~signs;
      e.argument(0);
      if (width === 64) code.i64Const(operand);
      else code.i32Const(Number(BigInt.asIntN(32, operand)));
      integer(code, width, operation === "Xor" ? "Xor" : "And");
    },
  };
}
