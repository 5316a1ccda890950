/** What the tables of scalar floating point share: the field `ftype`, texts of operands, and lowerings by arity. */
import type { Builder, Value } from "../ir/builder.ts";
import type { FloatOperation } from "../ir/float_operations.ts";
import type { Feature } from "./feature.ts";

/** The field that gives a scalar's format: 0 single, 1 double, 3 half. */
export interface Ftype {
  /** 0 to 3; 2 is unallocated. */
  readonly ftype: number;
}

/** Source and destination. */
export interface Registers {
  /** Source, 0 to 31. */
  readonly Rn: number;
  /** Destination, 0 to 31. */
  readonly Rd: number;
}

/** Bits of a format. */
export type FloatWidth = 16 | 32 | 64;

/** Bits of the format in ftype. */
export function floatWidth({ ftype }: Ftype): FloatWidth {
  return ftype === 3 ? 16 : ftype === 1 ? 64 : 32;
}

/** Half precision is an extension, except in conversions. */
export function floatFeature({ ftype }: Ftype): Feature {
  return ftype === 3 ? "FP16" : "Armv8.0";
}

/** Options of a row by its format. */
export interface FormatOptions {
  /** Which formats are allocated. */
  readonly when: (fields: Ftype) => boolean;
  /** Extension that the row belongs to. */
  readonly feature: Feature | ((fields: Ftype) => Feature);
}

/** Options of a row of all three formats. */
export const ANY_FORMAT: FormatOptions = {
  when: ({ ftype }) => ftype !== 2,
  feature: floatFeature,
};

/** Options of a row of single and double precision that belongs to an extension. */
export function singleOrDouble(feature: Feature): FormatOptions {
  return { when: ({ ftype }) => ftype < 2, feature };
}

/** Text of the destination, whose format is in ftype. */
export const d = "{Rd:chosenScalar(byType)}";
/** Text of the first source. */
export const n = "{Rn:chosenScalar(byType)}";
/** Text of the second source. */
export const m = "{Rm:chosenScalar(byType)}";
/** Text of the addend. */
export const a = "{Ra:chosenScalar(byType)}";

/** A value made of one in a format. */
export type Unary = (ir: Builder, width: FloatWidth, value: Value) => Value;

/** An operation on one operand of the format that it gives. */
export function operation(name: FloatOperation, ...immediates: number[]): Unary {
  return (ir, width, value) => ir.float(name, width, width, [value], ...immediates);
}

/** Rd becomes a function of Rn, both of the format in ftype. */
export function unary(of: Unary): (ir: Builder, fields: Ftype & Registers) => void {
  return (ir, { ftype, Rn, Rd }) => {
    const width = floatWidth({ ftype });
    ir.call("checkFpEnabled");
    ir.writeV(Rd, of(ir, width, ir.readV(Rn, width)));
  };
}
