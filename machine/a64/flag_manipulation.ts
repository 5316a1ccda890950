/** Flag manipulation: CFINV, RMIF, SETF8, SETF16, AXFLAG and XAFLAG (Arm ARM C4.1; FEAT_FlagM, FEAT_FlagM2). */
import type { Builder, Value } from "../ir/builder.ts";
import { instruction, type Row } from "./instruction.ts";

/** Bits of NZCV. */
const C = 2, V = 1;

function invertCarry(ir: Builder): void {
  ir.writeNzcv(ir.xor(4, ir.readNzcv(), ir.constant(4, C)));
}

type Rotation = Readonly<Record<"imm6" | "Rn" | "mask", number>>;

/** Takes flags from the low bits of a rotated register, by a mask. */
function rotateMaskInsert(ir: Builder, { imm6, Rn, mask }: Rotation): void {
  const rotated = ir.rotateRight(64, ir.readX(Rn, 64), ir.constant(64, imm6));
  const taken = ir.and(4, ir.extract(4, rotated, 0), ir.constant(4, mask));
  ir.writeNzcv(ir.or(4, ir.and(4, ir.readNzcv(), ir.constant(4, ~mask)), taken));
}

/** N, Z and V of a narrow result: V tells that the bit above it is not its sign. */
function setFlags(size: 8 | 16) {
  return (ir: Builder, { Rn }: { readonly Rn: number }): void => {
    const value = ir.readX(Rn, 32);
    const signAndZero = ir.flagsOfLogic(32, ir.shiftLeft(32, value, ir.constant(32, 32 - size)));
    const overflow = ir.xor(1, ir.extract(1, value, size), ir.extract(1, value, size - 1));
    const carry = ir.and(4, ir.readNzcv(), ir.constant(4, C));
    ir.writeNzcv(ir.or(4, ir.or(4, signAndZero, carry), ir.zeroExtend(4, overflow)));
  };
}

/** The flags of a table with an entry for each value of NZCV. */
function lookUp(ir: Builder, entry: (n: boolean, z: boolean, c: boolean, v: boolean) => number): Value {
  const table = Array.from(
    { length: 16 },
    (_, flags) => entry((flags & 8) !== 0, (flags & 4) !== 0, (flags & C) !== 0, (flags & V) !== 0),
  );
  const packed = table.reduceRight((all, flags) => all << 4n | BigInt(flags), 0n);
  const place = ir.shiftLeft(64, ir.zeroExtend(64, ir.readNzcv()), ir.constant(64, 2));
  return ir.extract(4, ir.shiftRight(64, ir.constant(64, packed), place), 0);
}

const flags = (n: boolean, z: boolean, c: boolean, v: boolean): number =>
  Number(n) << 3 | Number(z) << 2 | Number(c) << 1 | Number(v);

/** From the result of a floating-point comparison to the form of other architectures, and back. */
function toExternal(ir: Builder): void {
  ir.writeNzcv(lookUp(ir, (_n, z, c, v) => flags(false, z || v, c && !v, false)));
}
function fromExternal(ir: Builder): void {
  ir.writeNzcv(lookUp(ir, (_n, z, c) => flags(!c && !z, z && c, c || z, !c && z)));
}

const FLAG_M = { feature: "FlagM" } as const, FLAG_M2 = { feature: "FlagM2" } as const;

/** The rows. */
// deno-fmt-ignore
export const rows: readonly Row[] = [
  instruction("CFINV",  "1101010100 0 00 000 0100 0000 000 11111",            "cfinv",  invertCarry,  FLAG_M),
  instruction("XAFLAG", "1101010100 0 00 000 0100 0000 001 11111",            "xaflag", fromExternal, FLAG_M2),
  instruction("AXFLAG", "1101010100 0 00 000 0100 0000 010 11111",            "axflag", toExternal,   FLAG_M2),
  instruction("RMIF",   "1 0 1 11010000 imm6:6 00001 Rn:5 0 mask:4",          "rmif {Rn:x64}, #{imm6}, #{mask}", rotateMaskInsert, FLAG_M),
  instruction("SETF8",  "0 0 1 11010000 000000 0 0010 Rn:5 0 1101",           "setf8 {Rn:w32}",  setFlags(8),  FLAG_M),
  instruction("SETF16", "0 0 1 11010000 000000 1 0010 Rn:5 0 1101",           "setf16 {Rn:w32}", setFlags(16), FLAG_M),
];
