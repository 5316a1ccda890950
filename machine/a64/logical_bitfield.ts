/** Logical operations, wide moves, bitfields, extraction and PC-relative addresses (Arm ARM C4.1). */
import type { Builder, Value } from "../ir/builder.ts";
import { decodeBitmask } from "./bitmask.ts";
import { alias, instruction, neverPrinted, type Row } from "./instruction.ts";
import { asSigned } from "./operand_kind.ts";
import { shiftedRegister } from "./register_forms.ts";

type Logic = "and" | "or" | "xor";

type LogicalImmediate = Readonly<Record<"sf" | "N" | "immr" | "imms" | "Rn" | "Rd", number>>;

/** Reserved immediates are UNDEFINED. */
const maskExists = {
  when: (fields: LogicalImmediate): boolean => decodeBitmask(fields, fields.sf ? 64 : 32) !== undefined,
};

function logicalImmediate(logic: Logic, setFlags: boolean) {
  return (ir: Builder, fields: LogicalImmediate): void => {
    const width = fields.sf ? 64 : 32;
    const mask = ir.constant(width, decodeBitmask(fields, width) ?? 0n);
    const result = ir[logic](width, ir.readX(fields.Rn, width), mask);
    if (!setFlags) return ir.writeXsp(fields.Rd, width, result);
    ir.writeNzcv(ir.flagsOfLogic(width, result));
    ir.writeX(fields.Rd, width, result);
  };
}

type LogicalShifted = Readonly<Record<"sf" | "shift" | "Rm" | "imm6" | "Rn" | "Rd", number>>;

/** A 32-bit register cannot shift by 32 or more. */
const shiftExists = { when: ({ sf, imm6 }: LogicalShifted): boolean => sf === 1 || imm6 < 32 };

function logicalShifted(logic: Logic, invert: boolean, setFlags = false) {
  return (ir: Builder, fields: LogicalShifted): void => {
    const width = fields.sf ? 64 : 32;
    const operand = shiftedRegister(ir, fields);
    const result = ir[logic](width, ir.readX(fields.Rn, width), invert ? ir.not(width, operand) : operand);
    if (setFlags) ir.writeNzcv(ir.flagsOfLogic(width, result));
    ir.writeX(fields.Rd, width, result);
  };
}

type WideMove = Readonly<Record<"sf" | "hw" | "imm16" | "Rd", number>>;

/** A 32-bit register has two 16-bit places. */
const placeExists = { when: ({ sf, hw }: WideMove): boolean => sf === 1 || hw < 2 };

function wideMove(kind: "zero" | "not" | "keep") {
  return (ir: Builder, { sf, hw, imm16, Rd }: WideMove): void => {
    const width = sf ? 64 : 32;
    const value = BigInt(imm16) << BigInt(16 * hw);
    if (kind !== "keep") return ir.writeX(Rd, width, ir.constant(width, kind === "not" ? ~value : value));
    const kept = ir.and(width, ir.readX(Rd, width), ir.constant(width, ~(0xffffn << BigInt(16 * hw))));
    ir.writeX(Rd, width, ir.or(width, kept, ir.constant(width, value)));
  };
}

type Bitfield = Readonly<Record<"sf" | "N" | "immr" | "imms" | "Rn" | "Rd", number>>;

/** Positions lie within the register. */
const positionsExist = {
  when: ({ sf, N, immr, imms }: Bitfield): boolean => N === sf && (sf === 1 || (immr < 32 && imms < 32)),
};

/** SBFM and UBFM: a field of imms − immr + 1 bits moves down by immr, or one of imms + 1 bits up. */
function extendBitfield(signed: boolean) {
  return (ir: Builder, { sf, immr, imms, Rn, Rd }: Bitfield): void => {
    const width = sf ? 64 : 32;
    const move = (left: number, right: number): Value => {
      const top = ir.readX(Rn, width);
      const up = left === 0 ? top : ir.shiftLeft(width, top, ir.constant(width, left));
      if (right === 0) return up;
      const shift = signed ? "shiftRightSigned" : "shiftRight";
      return ir[shift](width, up, ir.constant(width, right));
    };
    // The field's top bit goes to the register's top bit, and from there down to its place.
    const left = width - 1 - imms;
    const right = left + immr;
    if (imms >= immr) return ir.writeX(Rd, width, move(left, right));
    ir.writeX(Rd, width, move(left, immr - imms - 1));
  };
}

/** BFM: as UBFM, but the other bits of the destination stay. */
function insertBitfield(ir: Builder, { sf, immr, imms, Rn, Rd }: Bitfield): void {
  const width = sf ? 64 : 32;
  const isExtraction = imms >= immr;
  const ones = (1n << BigInt(isExtraction ? imms - immr + 1 : imms + 1)) - 1n;
  const place = isExtraction ? 0 : width - immr;
  const source = ir.readX(Rn, width);
  const amount = isExtraction ? immr : place;
  const shift = isExtraction ? "shiftRight" : "shiftLeft";
  const moved = amount === 0 ? source : ir[shift](width, source, ir.constant(width, amount));
  const mask = ones << BigInt(place);
  const inserted = ir.and(width, moved, ir.constant(width, mask));
  const kept = ir.and(width, ir.readX(Rd, width), ir.constant(width, ~mask));
  ir.writeX(Rd, width, ir.or(width, kept, inserted));
}

type Extract = Readonly<Record<"sf" | "N" | "Rm" | "imms" | "Rn" | "Rd", number>>;

/** EXTR: bits from `imms` upwards of Rn:Rm. */
function extract(ir: Builder, { sf, Rm, imms, Rn, Rd }: Extract): void {
  const width = sf ? 64 : 32;
  const low = ir.readX(Rm, width);
  if (imms === 0) return ir.writeX(Rd, width, low);
  const lowPart = ir.shiftRight(width, low, ir.constant(width, imms));
  const highPart = ir.shiftLeft(width, ir.readX(Rn, width), ir.constant(width, width - imms));
  ir.writeX(Rd, width, ir.or(width, highPart, lowPart));
}

const positionExists = {
  when: ({ sf, N, imms }: Extract): boolean => N === sf && (sf === 1 || imms < 32),
};

type Relative = Readonly<Record<"immlo" | "immhi" | "Rd", number>>;

function pcRelative(page: boolean) {
  return (ir: Builder, { immlo, immhi, Rd }: Relative): void => {
    const distance = BigInt(asSigned(immhi * 4 + immlo, 21));
    const pc = ir.pc();
    const base = page ? ir.and(64, pc, ir.constant(64, ~0xfffn)) : pc;
    ir.writeX(Rd, 64, ir.add(64, base, ir.constant(64, page ? distance << 12n : distance)));
  };
}

/** True when MOVZ or MOVN could load the immediate, so that ORR is not printed as MOV (Arm ARM: MoveWidePreferred). */
function isWideMove(fields: LogicalImmediate): boolean {
  const width = fields.sf ? 64 : 32;
  const value = decodeBitmask(fields, width) ?? 0n;
  const inverted = BigInt.asUintN(width, ~value);
  return [0n, 16n, 32n, 48n].some((place) =>
    [value, inverted].some((bits) => (bits & ~(0xffffn << place)) === 0n)
  );
}

const isZeroAbove = ({ imm16, hw }: WideMove): boolean => imm16 !== 0 || hw === 0;
const endsAtTop = ({ sf, imms }: Bitfield): boolean => imms === (sf ? 63 : 31);
const movesUp = ({ imms, immr }: Bitfield): boolean => imms < immr;
const isLsl = (fields: Bitfield): boolean => fields.imms + 1 === fields.immr && !endsAtTop(fields);

/** The rows; MOV, MVN, TST, shifts by immediates and extensions are aliases. */
// deno-fmt-ignore
export const rows: readonly Row[] = [
  // PC-relative addresses.
  instruction("ADR",  "0 immlo:2 10000 immhi:19 Rd:5", "adr {Rd:x64}, {immhi,immlo:label(1)}",     pcRelative(false)),
  instruction("ADRP", "1 immlo:2 10000 immhi:19 Rd:5", "adrp {Rd:x64}, {immhi,immlo:label(page)}", pcRelative(true)),
  // Wide moves; before the logical ones, since MOV prefers them.
  instruction("MOVN", "sf:1 00 100101 hw:2 imm16:16 Rd:5", "movn {Rd:x}, #{imm16}{hw:lsl16}", wideMove("not"),  placeExists),
  instruction("MOVZ", "sf:1 10 100101 hw:2 imm16:16 Rd:5", "movz {Rd:x}, #{imm16}{hw:lsl16}", wideMove("zero"), placeExists),
  instruction("MOVK", "sf:1 11 100101 hw:2 imm16:16 Rd:5", "movk {Rd:x}, #{imm16}{hw:lsl16}", wideMove("keep"), placeExists),
  alias("MOV_wide",     "sf:1 10 100101 hw:2 imm16:16 Rd:5", "mov {Rd:x}, #{imm16,hw:wide}",           isZeroAbove),
  alias("MOV_inverted", "sf:1 00 100101 hw:2 imm16:16 Rd:5", "mov {Rd:x}, #{imm16,hw:wide(inverted)}", (fields) => isZeroAbove(fields) && (fields.sf === 1 || fields.imm16 !== 0xffff)),
  // Logical, immediate.
  instruction("AND_imm",  "sf:1 00 100100 N:1 immr:6 imms:6 Rn:5 Rd:5", "and {Rd:xsp}, {Rn:x}, #{N,immr,imms:bitmask}", logicalImmediate("and", false), maskExists),
  instruction("ORR_imm",  "sf:1 01 100100 N:1 immr:6 imms:6 Rn:5 Rd:5", "orr {Rd:xsp}, {Rn:x}, #{N,immr,imms:bitmask}", logicalImmediate("or", false),  maskExists),
  instruction("EOR_imm",  "sf:1 10 100100 N:1 immr:6 imms:6 Rn:5 Rd:5", "eor {Rd:xsp}, {Rn:x}, #{N,immr,imms:bitmask}", logicalImmediate("xor", false), maskExists),
  instruction("ANDS_imm", "sf:1 11 100100 N:1 immr:6 imms:6 Rn:5 Rd:5", "ands {Rd:x}, {Rn:x}, #{N,immr,imms:bitmask}",  logicalImmediate("and", true),  maskExists),
  alias("MOV_bitmask", "sf:1 01 100100 N:1 immr:6 imms:6 11111 Rd:5", "mov {Rd:xsp}, #{N,immr,imms:bitmask(move)}", (fields) => !isWideMove({ ...fields, Rn: 31 })),
  alias("TST_imm",     "sf:1 11 100100 N:1 immr:6 imms:6 Rn:5 11111", "tst {Rn:x}, #{N,immr,imms:bitmask}"),
  alias("BIC_imm",  "sf:1 00 100100 N:1 immr:6 imms:6 Rn:5 Rd:5", "bic {Rd:xsp}, {Rn:x}, #{N,immr,imms:bitmask(inverted)}", neverPrinted),
  alias("ORN_imm",  "sf:1 01 100100 N:1 immr:6 imms:6 Rn:5 Rd:5", "orn {Rd:xsp}, {Rn:x}, #{N,immr,imms:bitmask(inverted)}", neverPrinted),
  alias("EON_imm",  "sf:1 10 100100 N:1 immr:6 imms:6 Rn:5 Rd:5", "eon {Rd:xsp}, {Rn:x}, #{N,immr,imms:bitmask(inverted)}", neverPrinted),
  alias("BICS_imm", "sf:1 11 100100 N:1 immr:6 imms:6 Rn:5 Rd:5", "bics {Rd:x}, {Rn:x}, #{N,immr,imms:bitmask(inverted)}",  neverPrinted),
  // Logical, shifted register.
  instruction("AND_shifted",  "sf:1 00 01010 shift:2 0 Rm:5 imm6:6 Rn:5 Rd:5", "and {Rd:x}, {Rn:x}, {Rm:x}{shift,imm6:shift(4)}",  logicalShifted("and", false),       shiftExists),
  instruction("BIC_shifted",  "sf:1 00 01010 shift:2 1 Rm:5 imm6:6 Rn:5 Rd:5", "bic {Rd:x}, {Rn:x}, {Rm:x}{shift,imm6:shift(4)}",  logicalShifted("and", true),        shiftExists),
  instruction("ORR_shifted",  "sf:1 01 01010 shift:2 0 Rm:5 imm6:6 Rn:5 Rd:5", "orr {Rd:x}, {Rn:x}, {Rm:x}{shift,imm6:shift(4)}",  logicalShifted("or", false),        shiftExists),
  instruction("ORN_shifted",  "sf:1 01 01010 shift:2 1 Rm:5 imm6:6 Rn:5 Rd:5", "orn {Rd:x}, {Rn:x}, {Rm:x}{shift,imm6:shift(4)}",  logicalShifted("or", true),         shiftExists),
  instruction("EOR_shifted",  "sf:1 10 01010 shift:2 0 Rm:5 imm6:6 Rn:5 Rd:5", "eor {Rd:x}, {Rn:x}, {Rm:x}{shift,imm6:shift(4)}",  logicalShifted("xor", false),       shiftExists),
  instruction("EON_shifted",  "sf:1 10 01010 shift:2 1 Rm:5 imm6:6 Rn:5 Rd:5", "eon {Rd:x}, {Rn:x}, {Rm:x}{shift,imm6:shift(4)}",  logicalShifted("xor", true),        shiftExists),
  instruction("ANDS_shifted", "sf:1 11 01010 shift:2 0 Rm:5 imm6:6 Rn:5 Rd:5", "ands {Rd:x}, {Rn:x}, {Rm:x}{shift,imm6:shift(4)}", logicalShifted("and", false, true), shiftExists),
  instruction("BICS_shifted", "sf:1 11 01010 shift:2 1 Rm:5 imm6:6 Rn:5 Rd:5", "bics {Rd:x}, {Rn:x}, {Rm:x}{shift,imm6:shift(4)}", logicalShifted("and", true, true),  shiftExists),
  alias("MOV_register", "sf:1 01 01010 00 0 Rm:5 000000 11111 Rd:5",           "mov {Rd:x}, {Rm:x}"),
  alias("MVN_shifted",  "sf:1 01 01010 shift:2 1 Rm:5 imm6:6 11111 Rd:5",      "mvn {Rd:x}, {Rm:x}{shift,imm6:shift(4)}"),
  alias("TST_shifted",  "sf:1 11 01010 shift:2 0 Rm:5 imm6:6 Rn:5 11111",      "tst {Rn:x}, {Rm:x}{shift,imm6:shift(4)}"),
  // Bitfields; the first preferred alias is printed, so their order matters.
  instruction("SBFM", "sf:1 00 100110 N:1 immr:6 imms:6 Rn:5 Rd:5", "sbfm {Rd:x(sf+N)}, {Rn:x}, #{immr:amount}, #{imms:amount}", extendBitfield(true),  positionsExist),
  instruction("BFM",  "sf:1 01 100110 N:1 immr:6 imms:6 Rn:5 Rd:5", "bfm {Rd:x(sf+N)}, {Rn:x}, #{immr:amount}, #{imms:amount}",  insertBitfield,        positionsExist),
  instruction("UBFM", "sf:1 10 100110 N:1 immr:6 imms:6 Rn:5 Rd:5", "ubfm {Rd:x(sf+N)}, {Rn:x}, #{immr:amount}, #{imms:amount}", extendBitfield(false), positionsExist),
  alias("ASR_imm_W", "0 00 100110 0 immr:6 011111 Rn:5 Rd:5", "asr {Rd:w32}, {Rn:w32}, #{immr:amount}"),
  alias("ASR_imm_X", "1 00 100110 1 immr:6 111111 Rn:5 Rd:5", "asr {Rd:x64}, {Rn:x64}, #{immr}"),
  alias("SXTB",      "sf:1 00 100110 N:1 000000 000111 Rn:5 Rd:5", "sxtb {Rd:x(sf+N)}, {Rn:w32}"),
  alias("SXTH",      "sf:1 00 100110 N:1 000000 001111 Rn:5 Rd:5", "sxth {Rd:x(sf+N)}, {Rn:w32}"),
  alias("SXTW",      "1 00 100110 1 000000 011111 Rn:5 Rd:5", "sxtw {Rd:x64}, {Rn:w32}"),
  alias("SBFIZ",     "sf:1 00 100110 N:1 immr:6 imms:6 Rn:5 Rd:5", "sbfiz {Rd:x(sf+N)}, {Rn:x}, {immr,imms:insertion}", movesUp),
  alias("SBFX",      "sf:1 00 100110 N:1 immr:6 imms:6 Rn:5 Rd:5", "sbfx {Rd:x(sf+N)}, {Rn:x}, {immr,imms:extraction}"),
  alias("BFC",       "sf:1 01 100110 N:1 immr:6 imms:6 11111 Rd:5", "bfc {Rd:x(sf+N)}, {immr,imms:insertion}", ({ immr, imms }) => immr === 0 || imms < immr),
  alias("BFI",       "sf:1 01 100110 N:1 immr:6 imms:6 Rn:5 Rd:5", "bfi {Rd:x(sf+N)}, {Rn:x}, {immr,imms:insertion}", movesUp),
  alias("BFXIL",     "sf:1 01 100110 N:1 immr:6 imms:6 Rn:5 Rd:5", "bfxil {Rd:x(sf+N)}, {Rn:x}, {immr,imms:extraction}"),
  alias("LSL_imm",   "sf:1 10 100110 N:1 immr:6 imms:6 Rn:5 Rd:5", "lsl {Rd:x(sf+N)}, {Rn:x}, #{immr,imms:lslAmount}", isLsl),
  alias("LSR_imm_W", "0 10 100110 0 immr:6 011111 Rn:5 Rd:5", "lsr {Rd:w32}, {Rn:w32}, #{immr:amount}"),
  alias("LSR_imm_X", "1 10 100110 1 immr:6 111111 Rn:5 Rd:5", "lsr {Rd:x64}, {Rn:x64}, #{immr}"),
  alias("UXTB",      "0 10 100110 0 000000 000111 Rn:5 Rd:5", "uxtb {Rd:w32}, {Rn:w32}"),
  alias("UXTH",      "0 10 100110 0 000000 001111 Rn:5 Rd:5", "uxth {Rd:w32}, {Rn:w32}"),
  alias("UBFIZ",     "sf:1 10 100110 N:1 immr:6 imms:6 Rn:5 Rd:5", "ubfiz {Rd:x(sf+N)}, {Rn:x}, {immr,imms:insertion}", movesUp),
  alias("UBFX",      "sf:1 10 100110 N:1 immr:6 imms:6 Rn:5 Rd:5", "ubfx {Rd:x(sf+N)}, {Rn:x}, {immr,imms:extraction}"),
  // Extraction.
  instruction("EXTR", "sf:1 00 100111 N:1 0 Rm:5 imms:6 Rn:5 Rd:5", "extr {Rd:x(sf+N)}, {Rn:x}, {Rm:x}, #{imms:amount}", extract, positionExists),
  alias("ROR_imm",    "sf:1 00 100111 N:1 0 Rm:5 imms:6 Rn:5 Rd:5", "ror {Rd:x(sf+N)}, {Rn,Rm:x}, #{imms:amount}", ({ Rn, Rm }) => Rn === Rm),
];
