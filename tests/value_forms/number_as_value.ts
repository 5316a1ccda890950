/** A number where a value is needed does not compile. */
import type { Builder, Value } from "../../machine/ir/builder.ts";

/** The form. */
export function lower(ir: Builder, v: Value): Value {
  // @ts-expect-error TS2345
  return ir.add(64, v, 1);
}
