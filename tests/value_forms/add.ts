/** `+` on a value does not compile. */
import type { Builder, Value } from "../../machine/ir/builder.ts";

/** The form. */
export function lower(ir: Builder, v: Value): Value {
  // @ts-expect-error TS2365
  return ir.constant(64, v + 1);
}
