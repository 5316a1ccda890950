/** `===` between a value and a number does not compile. */
import type { Builder, Value } from "../../machine/ir/builder.ts";

/** The form. */
export function lower(ir: Builder, v: Value, x: Value): void {
  // @ts-expect-error TS2367
  if (v === 0) ir.writeX(0, 64, x);
}
