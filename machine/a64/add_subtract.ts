/** Addition and subtraction: immediate, shifted register, extended register, with carry (Arm ARM C4.1). */
import type { Builder, Value } from "../ir/builder.ts";
import { alias, instruction, neverPrinted, type Row } from "./instruction.ts";
import { extendedRegister, shiftedRegister } from "./register_forms.ts";

/** Adds or subtracts, with flags if they are set; register 31 is then a zero register as destination. */
function addOrSubtract(
  ir: Builder,
  subtract: boolean,
  setFlags: boolean,
  fields: { readonly sf: number; readonly Rd: number },
  left: Value,
  right: Value,
): Value {
  const width = fields.sf ? 64 : 32;
  const result = subtract ? ir.sub(width, left, right) : ir.add(width, left, right);
  if (setFlags) {
    ir.writeNzcv(subtract ? ir.flagsOfSub(width, left, right) : ir.flagsOfAdd(width, left, right));
  }
  return result;
}

type Immediate = Readonly<Record<"sf" | "sh" | "imm12" | "Rn" | "Rd", number>>;

/** Register 31 is SP as source and, unless flags are set, as destination. */
function immediate(subtract: boolean, setFlags: boolean) {
  return (ir: Builder, fields: Immediate): void => {
    const { sf, sh, imm12, Rn, Rd } = fields;
    const width = sf ? 64 : 32;
    const left = ir.readXsp(Rn, width), right = ir.constant(width, sh ? imm12 << 12 : imm12);
    const result = addOrSubtract(ir, subtract, setFlags, fields, left, right);
    if (setFlags) ir.writeX(Rd, width, result);
    else ir.writeXsp(Rd, width, result);
  };
}

type Shifted = Readonly<Record<"sf" | "shift" | "Rm" | "imm6" | "Rn" | "Rd", number>>;

function shifted(subtract: boolean, setFlags: boolean) {
  return (ir: Builder, fields: Shifted): void => {
    const { sf, Rn, Rd } = fields;
    const width = sf ? 64 : 32;
    const left = ir.readX(Rn, width), right = shiftedRegister(ir, fields);
    ir.writeX(Rd, width, addOrSubtract(ir, subtract, setFlags, fields, left, right));
  };
}

type Extended = Readonly<Record<"sf" | "Rm" | "option" | "imm3" | "Rn" | "Rd", number>>;

function extended(subtract: boolean, setFlags: boolean) {
  return (ir: Builder, fields: Extended): void => {
    const { sf, Rm, option, imm3, Rn, Rd } = fields;
    const width = sf ? 64 : 32;
    const left = ir.readXsp(Rn, width), right = extendedRegister(ir, width, Rm, option, imm3);
    const result = addOrSubtract(ir, subtract, setFlags, fields, left, right);
    if (setFlags) ir.writeX(Rd, width, result);
    else ir.writeXsp(Rd, width, result);
  };
}

type Carry = Readonly<Record<"sf" | "Rm" | "Rn" | "Rd", number>>;

/** Subtraction with carry adds the complement. */
function carry(subtract: boolean, setFlags: boolean) {
  return (ir: Builder, { sf, Rm, Rn, Rd }: Carry): void => {
    const width = sf ? 64 : 32;
    const left = ir.readX(Rn, width), operand = ir.readX(Rm, width);
    const right = subtract ? ir.not(width, operand) : operand;
    const carryIn = ir.extract(1, ir.readNzcv(), 1);
    const result = ir.addCarry(width, left, right, carryIn);
    if (setFlags) ir.writeNzcv(ir.flagsOfAdd(width, left, right, carryIn));
    ir.writeX(Rd, width, result);
  };
}

/** ROR is not among the shifts, and a 32-bit register cannot shift by 32 or more. */
const shiftExists = {
  when: ({ sf, shift, imm6 }: Shifted): boolean => shift !== 3 && (sf === 1 || imm6 < 32),
};
/** The shift of an extended register is at most 4. */
const extendExists = { when: ({ imm3 }: Extended): boolean => imm3 <= 4 };
/** MOV is preferred where one of the registers is SP. */
const isSpMove = ({ Rn, Rd }: { Rn: number; Rd: number }): boolean => Rn === 31 || Rd === 31;

/** The rows; CMP, CMN, NEG, NGC and MOV to and from SP are aliases. */
// deno-fmt-ignore
export const rows: readonly Row[] = [
  // Immediate.
  instruction("ADD_imm",  "sf:1 00 100010 sh:1 imm12:12 Rn:5 Rd:5", "add {Rd:xsp}, {Rn:xsp}, #{imm12}{sh:lsl12}", immediate(false, false)),
  instruction("ADDS_imm", "sf:1 01 100010 sh:1 imm12:12 Rn:5 Rd:5", "adds {Rd:x}, {Rn:xsp}, #{imm12}{sh:lsl12}",  immediate(false, true)),
  instruction("SUB_imm",  "sf:1 10 100010 sh:1 imm12:12 Rn:5 Rd:5", "sub {Rd:xsp}, {Rn:xsp}, #{imm12}{sh:lsl12}", immediate(true, false)),
  instruction("SUBS_imm", "sf:1 11 100010 sh:1 imm12:12 Rn:5 Rd:5", "subs {Rd:x}, {Rn:xsp}, #{imm12}{sh:lsl12}",  immediate(true, true)),
  alias("MOV_sp",  "sf:1 00 100010 0 000000000000 Rn:5 Rd:5",       "mov {Rd:xsp}, {Rn:xsp}",           isSpMove),
  alias("CMN_imm", "sf:1 01 100010 sh:1 imm12:12 Rn:5 11111",       "cmn {Rn:xsp}, #{imm12}{sh:lsl12}"),
  alias("CMP_imm", "sf:1 11 100010 sh:1 imm12:12 Rn:5 11111",       "cmp {Rn:xsp}, #{imm12}{sh:lsl12}"),
  alias("SUB_negative",  "sf:1 00 100010 sh:1 imm12:12 Rn:5 Rd:5",  "sub {Rd:xsp}, {Rn:xsp}, #{imm12:negated}{sh:lsl12}", neverPrinted),
  alias("ADD_negative",  "sf:1 10 100010 sh:1 imm12:12 Rn:5 Rd:5",  "add {Rd:xsp}, {Rn:xsp}, #{imm12:negated}{sh:lsl12}", neverPrinted),
  alias("SUBS_negative", "sf:1 01 100010 sh:1 imm12:12 Rn:5 Rd:5",  "subs {Rd:x}, {Rn:xsp}, #{imm12:negated}{sh:lsl12}",  neverPrinted),
  alias("ADDS_negative", "sf:1 11 100010 sh:1 imm12:12 Rn:5 Rd:5",  "adds {Rd:x}, {Rn:xsp}, #{imm12:negated}{sh:lsl12}",  neverPrinted),
  alias("CMP_negative",  "sf:1 01 100010 sh:1 imm12:12 Rn:5 11111", "cmp {Rn:xsp}, #{imm12:negated}{sh:lsl12}",           neverPrinted),
  alias("CMN_negative",  "sf:1 11 100010 sh:1 imm12:12 Rn:5 11111", "cmn {Rn:xsp}, #{imm12:negated}{sh:lsl12}",           neverPrinted),
  // Shifted register.
  instruction("ADD_shifted",  "sf:1 00 01011 shift:2 0 Rm:5 imm6:6 Rn:5 Rd:5", "add {Rd:x}, {Rn:x}, {Rm:x}{shift,imm6:shift(3)}",  shifted(false, false), shiftExists),
  instruction("ADDS_shifted", "sf:1 01 01011 shift:2 0 Rm:5 imm6:6 Rn:5 Rd:5", "adds {Rd:x}, {Rn:x}, {Rm:x}{shift,imm6:shift(3)}", shifted(false, true),  shiftExists),
  instruction("SUB_shifted",  "sf:1 10 01011 shift:2 0 Rm:5 imm6:6 Rn:5 Rd:5", "sub {Rd:x}, {Rn:x}, {Rm:x}{shift,imm6:shift(3)}",  shifted(true, false),  shiftExists),
  instruction("SUBS_shifted", "sf:1 11 01011 shift:2 0 Rm:5 imm6:6 Rn:5 Rd:5", "subs {Rd:x}, {Rn:x}, {Rm:x}{shift,imm6:shift(3)}", shifted(true, true),   shiftExists),
  alias("CMN_shifted",  "sf:1 01 01011 shift:2 0 Rm:5 imm6:6 Rn:5 11111", "cmn {Rn:x}, {Rm:x}{shift,imm6:shift(3)}"),
  alias("CMP_shifted",  "sf:1 11 01011 shift:2 0 Rm:5 imm6:6 Rn:5 11111", "cmp {Rn:x}, {Rm:x}{shift,imm6:shift(3)}"),
  alias("NEG_shifted",  "sf:1 10 01011 shift:2 0 Rm:5 imm6:6 11111 Rd:5", "neg {Rd:x}, {Rm:x}{shift,imm6:shift(3)}"),
  alias("NEGS_shifted", "sf:1 11 01011 shift:2 0 Rm:5 imm6:6 11111 Rd:5", "negs {Rd:x}, {Rm:x}{shift,imm6:shift(3)}", ({ Rd }) => Rd !== 31),
  // Extended register.
  instruction("ADD_extended",  "sf:1 00 01011 00 1 Rm:5 option:3 imm3:3 Rn:5 Rd:5", "add {Rd:xsp}, {Rn:xsp}, {Rm,option,imm3:extended(Rd+Rn)}", extended(false, false), extendExists),
  instruction("ADDS_extended", "sf:1 01 01011 00 1 Rm:5 option:3 imm3:3 Rn:5 Rd:5", "adds {Rd:x}, {Rn:xsp}, {Rm,option,imm3:extended(Rn)}",     extended(false, true),  extendExists),
  instruction("SUB_extended",  "sf:1 10 01011 00 1 Rm:5 option:3 imm3:3 Rn:5 Rd:5", "sub {Rd:xsp}, {Rn:xsp}, {Rm,option,imm3:extended(Rd+Rn)}", extended(true, false),  extendExists),
  instruction("SUBS_extended", "sf:1 11 01011 00 1 Rm:5 option:3 imm3:3 Rn:5 Rd:5", "subs {Rd:x}, {Rn:xsp}, {Rm,option,imm3:extended(Rn)}",     extended(true, true),   extendExists),
  alias("CMN_extended", "sf:1 01 01011 00 1 Rm:5 option:3 imm3:3 Rn:5 11111", "cmn {Rn:xsp}, {Rm,option,imm3:extended(Rn)}"),
  alias("CMP_extended", "sf:1 11 01011 00 1 Rm:5 option:3 imm3:3 Rn:5 11111", "cmp {Rn:xsp}, {Rm,option,imm3:extended(Rn)}"),
  // With carry.
  instruction("ADC",  "sf:1 00 11010000 Rm:5 000000 Rn:5 Rd:5", "adc {Rd:x}, {Rn:x}, {Rm:x}",  carry(false, false)),
  instruction("ADCS", "sf:1 01 11010000 Rm:5 000000 Rn:5 Rd:5", "adcs {Rd:x}, {Rn:x}, {Rm:x}", carry(false, true)),
  instruction("SBC",  "sf:1 10 11010000 Rm:5 000000 Rn:5 Rd:5", "sbc {Rd:x}, {Rn:x}, {Rm:x}",  carry(true, false)),
  instruction("SBCS", "sf:1 11 11010000 Rm:5 000000 Rn:5 Rd:5", "sbcs {Rd:x}, {Rn:x}, {Rm:x}", carry(true, true)),
  alias("NGC",  "sf:1 10 11010000 Rm:5 000000 11111 Rd:5", "ngc {Rd:x}, {Rm:x}"),
  alias("NGCS", "sf:1 11 11010000 Rm:5 000000 11111 Rd:5", "ngcs {Rd:x}, {Rm:x}"),
];
