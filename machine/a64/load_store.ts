/** Loads and stores of one register in every addressing form, and prefetches (Arm ARM C4.1). */
import type { Builder, Value } from "../ir/builder.ts";
import { alias, instruction, neverPrinted, type Row } from "./instruction.ts";
import { asSigned } from "./operand_kind.ts";
import { extendedRegister } from "./register_forms.ts";
import { begin, type Bits2, INTEGER_TRANSFERS, move, SIMD_TRANSFERS, type Transfer } from "./transfer.ts";

/** Base plus a constant. */
function displaced(ir: Builder, base: Value, distance: number): Value {
  return distance === 0 ? base : ir.add(64, base, ir.constant(64, distance));
}

type Unsigned = Readonly<Record<"imm12" | "Rn" | "Rt", number>>;

function unsignedOffset(transfer: Transfer) {
  return (ir: Builder, { imm12, Rn, Rt }: Unsigned): void => {
    begin(ir, transfer);
    move(ir, transfer, displaced(ir, ir.base(Rn), imm12 * transfer.bits / 8), Rt);
  };
}

type Signed = Readonly<Record<"imm9" | "Rn" | "Rt", number>>;

function unscaled(transfer: Transfer, access: "normal" | "unprivileged") {
  return (ir: Builder, { imm9, Rn, Rt }: Signed): void => {
    begin(ir, transfer);
    move(ir, transfer, displaced(ir, ir.base(Rn), asSigned(imm9, 9)), Rt, access);
  };
}

/** The base is written last, also over the register just loaded (see unpredictable.ts). */
function writeback(transfer: Transfer, isPost: boolean) {
  return (ir: Builder, { imm9, Rn, Rt }: Signed): void => {
    begin(ir, transfer);
    const base = ir.base(Rn);
    const moved = ir.add(64, base, ir.constant(64, asSigned(imm9, 9)));
    move(ir, transfer, isPost ? base : moved, Rt);
    ir.writeXsp(Rn, 64, moved);
  };
}

type Register = Readonly<Record<"Rm" | "option" | "S" | "Rn" | "Rt", number>>;

/** Option 0x0 and 0x1 would extend from 8 and 16 bits. */
const indexExists = { when: ({ option }: Register): boolean => (option & 2) !== 0 };

function registerOffset(transfer: Transfer) {
  return (ir: Builder, { Rm, option, S, Rn, Rt }: Register): void => {
    begin(ir, transfer);
    const base = ir.base(Rn), offset = extendedRegister(ir, 64, Rm, option, S ? transfer.scale : 0);
    move(ir, transfer, ir.add(64, base, offset), Rt);
  };
}

/** The rows of one transfer; sizes and opcodes are fixed bits of their encodings. */
function rowsOf(transfer: Transfer): Row[] {
  const { name, mnemonic, register, bits, scale, simd } = transfer;
  const size: Bits2 = transfer.size, opc: Bits2 = transfer.opc, V: "0" | "1" = simd ? "1" : "0";
  const bytes = bits / 8;
  const unscaledName = mnemonic.replace(/^(ld|st)/, "$1u"), base = `[{Rn:xsp64}`, rt = `{Rt:${register}}`;
  // deno-fmt-ignore
  return [
    instruction(`${name}_imm`,      `${size} 111 ${V} 01 ${opc} imm12:12 Rn:5 Rt:5`,                   `${mnemonic} ${rt}, ${base}{imm12:offset(${bytes})}]`,            unsignedOffset(transfer)),
    instruction(`${name}_unscaled`, `${size} 111 ${V} 00 ${opc} 0 imm9:9 00 Rn:5 Rt:5`,                `${unscaledName} ${rt}, ${base}{imm9:signedOffset}]`,             unscaled(transfer, "normal")),
    instruction(`${name}_post`,     `${size} 111 ${V} 00 ${opc} 0 imm9:9 01 Rn:5 Rt:5`,                `${mnemonic} ${rt}, ${base}], #{imm9:signed}`,                    writeback(transfer, true)),
    instruction(`${name}_pre`,      `${size} 111 ${V} 00 ${opc} 0 imm9:9 11 Rn:5 Rt:5`,                `${mnemonic} ${rt}, ${base}, #{imm9:signed}]!`,                   writeback(transfer, false)),
    instruction(`${name}_register`, `${size} 111 ${V} 00 ${opc} 1 Rm:5 option:3 S:1 10 Rn:5 Rt:5`,     `${mnemonic} ${rt}, ${base}, {Rm,option,S:index(${scale})}]`,     registerOffset(transfer), indexExists),
    alias(`${name}_negative`,       `${size} 111 ${V} 00 ${opc} 0 imm9:9 00 Rn:5 Rt:5`,                `${mnemonic} ${rt}, ${base}{imm9:signedOffset}]`,                 neverPrinted),
  ];
}

/** LDTR and STTR: as the unscaled form, but as if from EL0. */
function unprivilegedRow(transfer: Transfer): Row {
  const size: Bits2 = transfer.size, opc: Bits2 = transfer.opc;
  const mnemonic = transfer.mnemonic.replace(/^(ld|st)/, "$1t");
  const text = `${mnemonic} {Rt:${transfer.register}}, [{Rn:xsp64}{imm9:signedOffset}]`;
  const name = transfer.name.replace(/^(LD|ST)/, "$1T");
  return instruction(
    name,
    `${size} 111 0 00 ${opc} 0 imm9:9 10 Rn:5 Rt:5`,
    text,
    unscaled(transfer, "unprivileged"),
  );
}

type Literal = Readonly<Record<"imm19" | "Rt", number>>;

function literal(name: string) {
  const transfer = [...INTEGER_TRANSFERS, ...SIMD_TRANSFERS].find((row) => row.name === name) as Transfer;
  return (ir: Builder, { imm19, Rt }: Literal): void => {
    begin(ir, transfer);
    move(ir, transfer, displaced(ir, ir.pc(), asSigned(imm19, 19) * 4), Rt);
  };
}

/** A prefetch does nothing: it cannot fault, and no cache is modelled. */
const prefetch = (): void => {};

/** The rows. */
// deno-fmt-ignore
export const rows: readonly Row[] = [
  ...INTEGER_TRANSFERS.flatMap(rowsOf),
  ...INTEGER_TRANSFERS.map(unprivilegedRow),
  ...SIMD_TRANSFERS.flatMap(rowsOf),
  // PC-relative.
  instruction("LDR_W_literal", "00 011 0 00 imm19:19 Rt:5", "ldr {Rt:w32}, {imm19:label(4)}",       literal("LDR_W")),
  instruction("LDR_X_literal", "01 011 0 00 imm19:19 Rt:5", "ldr {Rt:x64}, {imm19:label(4)}",       literal("LDR_X")),
  instruction("LDRSW_literal", "10 011 0 00 imm19:19 Rt:5", "ldrsw {Rt:x64}, {imm19:label(4)}",     literal("LDRSW")),
  instruction("LDR_S_literal", "00 011 1 00 imm19:19 Rt:5", "ldr {Rt:scalar(s)}, {imm19:label(4)}", literal("LDR_S")),
  instruction("LDR_D_literal", "01 011 1 00 imm19:19 Rt:5", "ldr {Rt:scalar(d)}, {imm19:label(4)}", literal("LDR_D")),
  instruction("LDR_Q_literal", "10 011 1 00 imm19:19 Rt:5", "ldr {Rt:scalar(q)}, {imm19:label(4)}", literal("LDR_Q")),
  // Prefetches.
  instruction("PRFM_literal",  "11 011 0 00 imm19:19 Rt:5",                          "prfm {Rt:prefetch}, {imm19:label(4)}",                      prefetch),
  instruction("PRFM_imm",      "11 111 0 01 10 imm12:12 Rn:5 Rt:5",                  "prfm {Rt:prefetch}, [{Rn:xsp64}{imm12:offset(8)}]",         prefetch),
  instruction("PRFM_register", "11 111 0 00 10 1 Rm:5 option:3 S:1 10 Rn:5 Rt:5",    "prfm {Rt:prefetch}, [{Rn:xsp64}, {Rm,option,S:index(3)}]",  prefetch, { when: ({ option }) => (option & 2) !== 0 }),
  instruction("PRFUM",         "11 111 0 00 10 0 imm9:9 00 Rn:5 Rt:5",               "prfum {Rt:prefetch}, [{Rn:xsp64}{imm9:signedOffset}]",      prefetch),
  alias("PRFM_negative",       "11 111 0 00 10 0 imm9:9 00 Rn:5 Rt:5",               "prfm {Rt:prefetch}, [{Rn:xsp64}{imm9:signedOffset}]",       neverPrinted),
];
