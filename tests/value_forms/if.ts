/** `if` on a value does not compile. */
import type { Builder, Value } from "../../machine/ir/builder.ts";

/** The form. */
export function lower(ir: Builder, v: Value, x: Value): void {
  // @ts-expect-error TS2774
  if (v) ir.writeX(0, 64, x);
}
