/** Conditional compare and conditional select (Arm ARM C4.1: data processing, register). */
import type { Builder, Value } from "../ir/builder.ts";
import { alias, instruction, type Row } from "./instruction.ts";

type Compare = Readonly<Record<"sf" | "cond" | "Rn" | "nzcv", number>>;

/** Compares when the condition holds, otherwise sets the flags given. */
function compare<Fields extends Compare>(
  subtract: boolean,
  operand: (ir: Builder, width: 32 | 64, fields: Fields) => Value,
) {
  return (ir: Builder, fields: Fields): void => {
    const width = fields.sf ? 64 : 32;
    const left = ir.readX(fields.Rn, width), right = operand(ir, width, fields);
    const flags = subtract ? ir.flagsOfSub(width, left, right) : ir.flagsOfAdd(width, left, right);
    const holds = ir.condition(fields.cond, ir.readNzcv());
    ir.writeNzcv(ir.select(4, holds, flags, ir.constant(4, fields.nzcv)));
  };
}

const register = (ir: Builder, width: 32 | 64, { Rm }: Compare & { readonly Rm: number }): Value =>
  ir.readX(Rm, width);
const immediate = (ir: Builder, width: 32 | 64, { imm5 }: Compare & { readonly imm5: number }): Value =>
  ir.constant(width, imm5);

type Select = Readonly<Record<"sf" | "Rm" | "cond" | "Rn" | "Rd", number>>;

/** Rn when the condition holds, otherwise a function of Rm. */
function select(otherwise: (ir: Builder, width: 32 | 64, value: Value) => Value) {
  return (ir: Builder, { sf, Rm, cond, Rn, Rd }: Select): void => {
    const width = sf ? 64 : 32;
    const holds = ir.condition(cond, ir.readNzcv());
    const chosen = ir.readX(Rn, width), other = otherwise(ir, width, ir.readX(Rm, width));
    ir.writeX(Rd, width, ir.select(width, holds, chosen, other));
  };
}

const increment = (ir: Builder, width: 32 | 64, value: Value): Value =>
  ir.add(width, value, ir.constant(width, 1));
const negate = (ir: Builder, width: 32 | 64, value: Value): Value =>
  ir.sub(width, ir.constant(width, 0), value);

/** al and nv have no opposite, so the aliases that invert the condition do not print them. */
const hasOpposite = ({ cond }: { readonly cond: number }): boolean => cond < 14;
/** Both sources are the same register and not the zero register. */
const isSame = ({ Rn, Rm, cond }: Select): boolean => Rn === Rm && Rn !== 31 && cond < 14;
const isSameOrZero = ({ Rn, Rm, cond }: Select): boolean => Rn === Rm && cond < 14;

/** The rows; CSET, CINC and their like are aliases with the opposite condition. */
// deno-fmt-ignore
export const rows: readonly Row[] = [
  instruction("CCMN_reg", "sf:1 0 1 11010010 Rm:5 cond:4 0 0 Rn:5 0 nzcv:4",   "ccmn {Rn:x}, {Rm:x}, #{nzcv}, {cond:condition}",  compare(false, register)),
  instruction("CCMP_reg", "sf:1 1 1 11010010 Rm:5 cond:4 0 0 Rn:5 0 nzcv:4",   "ccmp {Rn:x}, {Rm:x}, #{nzcv}, {cond:condition}",  compare(true, register)),
  instruction("CCMN_imm", "sf:1 0 1 11010010 imm5:5 cond:4 1 0 Rn:5 0 nzcv:4", "ccmn {Rn:x}, #{imm5}, #{nzcv}, {cond:condition}", compare(false, immediate)),
  instruction("CCMP_imm", "sf:1 1 1 11010010 imm5:5 cond:4 1 0 Rn:5 0 nzcv:4", "ccmp {Rn:x}, #{imm5}, #{nzcv}, {cond:condition}", compare(true, immediate)),
  instruction("CSEL",  "sf:1 0 0 11010100 Rm:5 cond:4 0 0 Rn:5 Rd:5", "csel {Rd:x}, {Rn:x}, {Rm:x}, {cond:condition}",  select((_ir, _width, value) => value)),
  instruction("CSINC", "sf:1 0 0 11010100 Rm:5 cond:4 0 1 Rn:5 Rd:5", "csinc {Rd:x}, {Rn:x}, {Rm:x}, {cond:condition}", select(increment)),
  instruction("CSINV", "sf:1 1 0 11010100 Rm:5 cond:4 0 0 Rn:5 Rd:5", "csinv {Rd:x}, {Rn:x}, {Rm:x}, {cond:condition}", select((ir, width, value) => ir.not(width, value))),
  instruction("CSNEG", "sf:1 1 0 11010100 Rm:5 cond:4 0 1 Rn:5 Rd:5", "csneg {Rd:x}, {Rn:x}, {Rm:x}, {cond:condition}", select(negate)),
  alias("CSET",  "sf:1 0 0 11010100 11111 cond:4 0 1 11111 Rd:5", "cset {Rd:x}, {cond:condition(inverted)}",  hasOpposite),
  alias("CSETM", "sf:1 1 0 11010100 11111 cond:4 0 0 11111 Rd:5", "csetm {Rd:x}, {cond:condition(inverted)}", hasOpposite),
  alias("CINC",  "sf:1 0 0 11010100 Rm:5 cond:4 0 1 Rn:5 Rd:5",   "cinc {Rd:x}, {Rn,Rm:x}, {cond:condition(inverted)}", isSame),
  alias("CINV",  "sf:1 1 0 11010100 Rm:5 cond:4 0 0 Rn:5 Rd:5",   "cinv {Rd:x}, {Rn,Rm:x}, {cond:condition(inverted)}", isSame),
  alias("CNEG",  "sf:1 1 0 11010100 Rm:5 cond:4 0 1 Rn:5 Rd:5",   "cneg {Rd:x}, {Rn,Rm:x}, {cond:condition(inverted)}", isSameOrZero),
];
