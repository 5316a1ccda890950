/** `&&` on a value does not compile. */
import type { Builder, Value } from "../../machine/ir/builder.ts";

/** The form. */
export function lower(ir: Builder, v: Value, x: Value): Value {
  // @ts-expect-error TS2774
  return v && ir.add(64, x, x);
}
