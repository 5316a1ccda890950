/** `||` on a value does not compile as a condition; elsewhere the lint rule `value-condition` refuses it. */
import type { Builder, Value } from "../../machine/ir/builder.ts";

/** The form. */
export function lower(ir: Builder, v: Value, wide: boolean): void {
  // @ts-expect-error TS2774
  if (v || wide) ir.writeX(0, 64, ir.constant(64, 0));
}
