/** A lowering that misspells a field of its encoding does not compile. */
import type { Fields } from "../../machine/a64/pattern.ts";
import type { Builder } from "../../machine/ir/builder.ts";

type Lowering = (ir: Builder, fields: Fields<"sf:1 00 100010 sh:1 imm12:12 Rn:5 Rd:5">) => void;

/** The form. */
// @ts-expect-error TS2339
export const lower: Lowering = (ir, { Rd, inm12 }) => ir.writeX(Rd, 64, ir.constant(64, inm12));
