/** A lowering that takes a field its encoding does not have does not compile. */
import type { Fields } from "../../machine/a64/pattern.ts";
import type { Builder } from "../../machine/ir/builder.ts";

type Lowering = (ir: Builder, fields: Fields<"sf:1 00 100010 Rn:5 Rd:5">) => void;

function addImmediate(ir: Builder, { Rd, imm12 }: Record<"Rd" | "imm12", number>): void {
  ir.writeX(Rd, 64, ir.constant(64, imm12));
}

/** The form. */
// @ts-expect-error TS2322
export const lower: Lowering = addImmediate;
