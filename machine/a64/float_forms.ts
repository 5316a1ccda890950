/** What the tables of scalar floating point share: the field `ftype`, texts of operands, and lowerings by arity. */
import type { Builder, Value } from "../ir/builder.ts";
import type { FloatOperation } from "../ir/float_operations.ts";
import type { InstructionOptions } from "./instruction.ts";
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

/** Options of a row of all three formats. */
export const ANY_FORMAT = { when: ({ ftype }: Ftype): boolean => ftype !== 2, feature: floatFeature };

/** Options of a row of single and double precision that belongs to an extension. */
export function singleOrDouble(feature: Feature): InstructionOptions<"ftype:2"> {
  return { when: ({ ftype }) => ftype < 2, feature };
}

/** Texts of the operands whose format is in ftype. */
export const d = "{Rd:chosenScalar(byType)}",
  n = "{Rn:chosenScalar(byType)}",
  m = "{Rm:chosenScalar(byType)}",
  a = "{Ra:chosenScalar(byType)}";

/** A value made of one in a format. */
export type Unary = (ir: Builder, width: FloatWidth, value: Value) => Value;

/** An operation on one operand of the format that it gives. */
export function operation(name: FloatOperation, ...immediates: number[]): Unary {
  return (ir, width, value) => ir.float(name, width, width, [value], ...immediates);
}

/** Rd becomes a function of Rn, both of the format in ftype. */
export function unary(of: Unary) {
  return (ir: Builder, { ftype, Rn, Rd }: Ftype & Registers): void => {
    const width = floatWidth({ ftype });
    ir.call("checkFpEnabled");
    ir.writeV(Rd, of(ir, width, ir.readV(Rn, width)));
  };
}
