/** What single loads and stores have in common: the table of transfers, and moving a value between register and memory. */
import type { Builder, Value } from "../ir/builder.ts";
import type { Access } from "../ir/operations.ts";

/** A bit pair of an encoding. */
export type Bits2 = "00" | "01" | "10" | "11";

/** One kind of load or store: what it moves, whatever its addressing form. */
export interface Transfer {
  /** First part of row names: `LDRSB_X`. */
  readonly name: string;
  /** Mnemonic of the plain forms. */
  readonly mnemonic: string;
  /** Bits 31–30 of most forms. */
  readonly size: Bits2;
  /** Bits 23–22 of most forms. */
  readonly opc: Bits2;
  /** True for SIMD&FP registers, bit 26. */
  readonly simd: boolean;
  /** Operand kind of Rt. */
  readonly register: string;
  /** Bits moved. */
  readonly bits: 8 | 16 | 32 | 64 | 128;
  /** Binary logarithm of the bytes moved. */
  readonly scale: number;
  /** Loads fill a general register of this width; stores have 0. */
  readonly loads: 0 | 32 | 64 | 128;
  /** Loads sign-extend. */
  readonly signed: boolean;
}

function row(
  name: string,
  mnemonic: string,
  size: Bits2,
  opc: Bits2,
  register: string,
  bits: Transfer["bits"],
  loads: Transfer["loads"],
): Transfer {
  const simd = register.startsWith("scalar"), signed = mnemonic.startsWith("ldrs");
  return { name, mnemonic, size, opc, register, bits, scale: 28 - Math.clz32(bits), loads, simd, signed };
}

/** All integer transfers (Arm ARM C4.1: loads and stores). */
// deno-fmt-ignore
export const INTEGER_TRANSFERS: readonly Transfer[] = [
  //   name       mnemonic size  opc   Rt     bits loads
  row("STRB",    "strb",  "00", "00", "w32", 8,   0),
  row("LDRB",    "ldrb",  "00", "01", "w32", 8,   32),
  row("LDRSB_X", "ldrsb", "00", "10", "x64", 8,   64),
  row("LDRSB_W", "ldrsb", "00", "11", "w32", 8,   32),
  row("STRH",    "strh",  "01", "00", "w32", 16,  0),
  row("LDRH",    "ldrh",  "01", "01", "w32", 16,  32),
  row("LDRSH_X", "ldrsh", "01", "10", "x64", 16,  64),
  row("LDRSH_W", "ldrsh", "01", "11", "w32", 16,  32),
  row("STR_W",   "str",   "10", "00", "w32", 32,  0),
  row("LDR_W",   "ldr",   "10", "01", "w32", 32,  32),
  row("LDRSW",   "ldrsw", "10", "10", "x64", 32,  64),
  row("STR_X",   "str",   "11", "00", "x64", 64,  0),
  row("LDR_X",   "ldr",   "11", "01", "x64", 64,  64),
];

/** All transfers of SIMD&FP registers. */
// deno-fmt-ignore
export const SIMD_TRANSFERS: readonly Transfer[] = [
  row("STR_B", "str", "00", "00", "scalar(b)", 8,   0),
  row("LDR_B", "ldr", "00", "01", "scalar(b)", 8,   128),
  row("STR_Q", "str", "00", "10", "scalar(q)", 128, 0),
  row("LDR_Q", "ldr", "00", "11", "scalar(q)", 128, 128),
  row("STR_H", "str", "01", "00", "scalar(h)", 16,  0),
  row("LDR_H", "ldr", "01", "01", "scalar(h)", 16,  128),
  row("STR_S", "str", "10", "00", "scalar(s)", 32,  0),
  row("LDR_S", "ldr", "10", "01", "scalar(s)", 32,  128),
  row("STR_D", "str", "11", "00", "scalar(d)", 64,  0),
  row("LDR_D", "ldr", "11", "01", "scalar(d)", 64,  128),
];

/** Checks that precede the address: SIMD&FP may be trapped. */
export function begin(ir: Builder, transfer: Transfer): void {
  if (transfer.simd) ir.call("checkFpEnabled");
}

/** Moves register Rt to or from memory. */
export function move(
  ir: Builder,
  transfer: Transfer,
  address: Value,
  Rt: number,
  access: Access = "normal",
): void {
  const { bits, loads, simd, signed } = transfer;
  if (loads === 0) return ir.store(bits, address, simd ? ir.readV(Rt, bits) : ir.readX(Rt, bits), access);
  const value = ir.load(bits, address, access);
  if (simd) return ir.writeV(Rt, value);
  ir.writeX(Rt, loads, signed ? ir.signExtend(loads, value) : ir.zeroExtend(loads, value));
}
