/** Loads with acquire-RCpc order, and the ordered forms with an unscaled offset (Arm ARM C4.1; FEAT_LRCPC, FEAT_LRCPC2). */
import type { Builder } from "../ir/builder.ts";
import { instruction, type Row } from "./instruction.ts";
import { asSigned } from "./operand_kind.ts";
import { type Bits2, INTEGER_TRANSFERS, move, type Transfer } from "./transfer.ts";

type Base = Readonly<Record<"Rn" | "Rt", number>>;

function ordered(transfer: Transfer) {
  return (ir: Builder, { Rn, Rt }: Base): void => move(ir, transfer, ir.base(Rn), Rt, "ordered");
}

function orderedUnscaled(transfer: Transfer) {
  return (ir: Builder, { imm9, Rn, Rt }: Base & { readonly imm9: number }): void => {
    const base = ir.base(Rn);
    const address = imm9 === 0 ? base : ir.add(64, base, ir.constant(64, asSigned(imm9, 9)));
    move(ir, transfer, address, Rt, "ordered");
  };
}

function acquireRow(transfer: Transfer): Row {
  const size: Bits2 = transfer.size, mnemonic = transfer.mnemonic.replace("ldr", "ldapr");
  return instruction(
    transfer.name.replace("LDR", "LDAPR"),
    `${size} 111 0 00 1 0 1 11111 1 100 00 Rn:5 Rt:5`,
    `${mnemonic} {Rt:${transfer.register}}, [{Rn:xsp64}]`,
    ordered(transfer),
    { feature: "LRCPC" },
  );
}

function unscaledRow(transfer: Transfer): Row {
  const size: Bits2 = transfer.size, opc: Bits2 = transfer.opc;
  const mnemonic = transfer.mnemonic.replace("ldr", "ldapur").replace("str", "stlur");
  return instruction(
    transfer.name.replace("LDR", "LDAPUR").replace("STR", "STLUR"),
    `${size} 011001 ${opc} 0 imm9:9 00 Rn:5 Rt:5`,
    `${mnemonic} {Rt:${transfer.register}}, [{Rn:xsp64}{imm9:signedOffset}]`,
    orderedUnscaled(transfer),
    { feature: "LRCPC2" },
  );
}

/** The rows. */
export const rows: readonly Row[] = [
  ...INTEGER_TRANSFERS.filter(({ loads, signed }) => loads > 0 && !signed).map(acquireRow),
  ...INTEGER_TRANSFERS.map(unscaledRow),
];
