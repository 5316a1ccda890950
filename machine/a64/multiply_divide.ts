/** Products, quotients, shifts by registers, counts, reversals and CRC (Arm ARM C4.1: data processing, register). */
import type { Builder, Value } from "../ir/builder.ts";
import { alias, instruction, neverPrinted, type Row } from "./instruction.ts";

type ThreeSource = Readonly<Record<"sf" | "Rm" | "Ra" | "Rn" | "Rd", number>>;

function multiplyAdd(subtract: boolean) {
  return (ir: Builder, { sf, Rm, Ra, Rn, Rd }: ThreeSource): void => {
    const width = sf ? 64 : 32;
    const product = ir.mul(width, ir.readX(Rn, width), ir.readX(Rm, width));
    const addend = ir.readX(Ra, width);
    ir.writeX(Rd, width, subtract ? ir.sub(width, addend, product) : ir.add(width, addend, product));
  };
}

type Long = Readonly<Record<"Rm" | "Ra" | "Rn" | "Rd", number>>;

/** 32 × 32 bits to 64, added to or subtracted from 64. */
function multiplyLong(signed: boolean, subtract: boolean) {
  const extend = signed ? "signExtend" : "zeroExtend";
  return (ir: Builder, { Rm, Ra, Rn, Rd }: Long): void => {
    const product = ir.mul(64, ir[extend](64, ir.readX(Rn, 32)), ir[extend](64, ir.readX(Rm, 32)));
    const addend = ir.readX(Ra, 64);
    ir.writeX(Rd, 64, subtract ? ir.sub(64, addend, product) : ir.add(64, addend, product));
  };
}

type High = Readonly<Record<"Rm" | "Rn" | "Rd", number>>;

function multiplyHigh(operation: "mulHighSigned" | "mulHighUnsigned") {
  return (ir: Builder, { Rm, Rn, Rd }: High): void => {
    ir.writeX(Rd, 64, ir[operation](64, ir.readX(Rn, 64), ir.readX(Rm, 64)));
  };
}

type TwoSource = Readonly<Record<"sf" | "Rm" | "Rn" | "Rd", number>>;

function divide(operation: "divUnsigned" | "divSigned") {
  return (ir: Builder, { sf, Rm, Rn, Rd }: TwoSource): void => {
    const width = sf ? 64 : 32;
    ir.writeX(Rd, width, ir[operation](width, ir.readX(Rn, width), ir.readX(Rm, width)));
  };
}

/** The amount is taken modulo the width. */
function shiftBy(operation: "shiftLeft" | "shiftRight" | "shiftRightSigned" | "rotateRight") {
  return (ir: Builder, { sf, Rm, Rn, Rd }: TwoSource): void => {
    const width = sf ? 64 : 32;
    const amount = ir.and(width, ir.readX(Rm, width), ir.constant(width, width - 1));
    ir.writeX(Rd, width, ir[operation](width, ir.readX(Rn, width), amount));
  };
}

/** Reflected polynomials of CRC-32 (0x04C11DB7) and CRC-32C (0x1EDC6F41). */
const CRC32 = 0xedb88320n, CRC32C = 0x82f63b78n;

function crc(bits: 8 | 16 | 32 | 64, polynomial: bigint) {
  return (ir: Builder, { Rm, Rn, Rd }: High): void => {
    ir.writeX(Rd, 32, ir.crc32(bits, polynomial, ir.readX(Rn, 32), ir.readX(Rm, bits)));
  };
}

type OneSource = Readonly<Record<"sf" | "Rn" | "Rd", number>>;

function oneSource(operation: (ir: Builder, width: 32 | 64, value: Value) => Value) {
  return (ir: Builder, { sf, Rn, Rd }: OneSource): void => {
    const width = sf ? 64 : 32;
    ir.writeX(Rd, width, operation(ir, width, ir.readX(Rn, width)));
  };
}

/** Reverses the bytes in containers of so many bits of a register of `width`. */
function reverseBytes(width: 32 | 64, container: 32 | 64) {
  return (ir: Builder, { Rn, Rd }: { readonly Rn: number; readonly Rd: number }): void => {
    ir.writeX(Rd, width, ir.reverseBytes(width, container, ir.readX(Rn, width)));
  };
}

const crcFeature = { feature: "CRC32" } as const;

/** The rows. */
// deno-fmt-ignore
export const rows: readonly Row[] = [
  // Three sources; MUL and its like are the forms that add zero.
  instruction("MADD",   "sf:1 00 11011 000 Rm:5 0 Ra:5 Rn:5 Rd:5", "madd {Rd:x}, {Rn:x}, {Rm:x}, {Ra:x}",             multiplyAdd(false)),
  instruction("MSUB",   "sf:1 00 11011 000 Rm:5 1 Ra:5 Rn:5 Rd:5", "msub {Rd:x}, {Rn:x}, {Rm:x}, {Ra:x}",             multiplyAdd(true)),
  instruction("SMADDL", "1 00 11011 001 Rm:5 0 Ra:5 Rn:5 Rd:5",    "smaddl {Rd:x64}, {Rn:w32}, {Rm:w32}, {Ra:x64}",   multiplyLong(true, false)),
  instruction("SMSUBL", "1 00 11011 001 Rm:5 1 Ra:5 Rn:5 Rd:5",    "smsubl {Rd:x64}, {Rn:w32}, {Rm:w32}, {Ra:x64}",   multiplyLong(true, true)),
  instruction("UMADDL", "1 00 11011 101 Rm:5 0 Ra:5 Rn:5 Rd:5",    "umaddl {Rd:x64}, {Rn:w32}, {Rm:w32}, {Ra:x64}",   multiplyLong(false, false)),
  instruction("UMSUBL", "1 00 11011 101 Rm:5 1 Ra:5 Rn:5 Rd:5",    "umsubl {Rd:x64}, {Rn:w32}, {Rm:w32}, {Ra:x64}",   multiplyLong(false, true)),
  instruction("SMULH",  "1 00 11011 010 Rm:5 0 (1)(1)(1)(1)(1) Rn:5 Rd:5", "smulh {Rd:x64}, {Rn:x64}, {Rm:x64}",      multiplyHigh("mulHighSigned")),
  instruction("UMULH",  "1 00 11011 110 Rm:5 0 (1)(1)(1)(1)(1) Rn:5 Rd:5", "umulh {Rd:x64}, {Rn:x64}, {Rm:x64}",      multiplyHigh("mulHighUnsigned")),
  alias("MUL",    "sf:1 00 11011 000 Rm:5 0 11111 Rn:5 Rd:5", "mul {Rd:x}, {Rn:x}, {Rm:x}"),
  alias("MNEG",   "sf:1 00 11011 000 Rm:5 1 11111 Rn:5 Rd:5", "mneg {Rd:x}, {Rn:x}, {Rm:x}"),
  alias("SMULL",  "1 00 11011 001 Rm:5 0 11111 Rn:5 Rd:5",    "smull {Rd:x64}, {Rn:w32}, {Rm:w32}"),
  alias("SMNEGL", "1 00 11011 001 Rm:5 1 11111 Rn:5 Rd:5",    "smnegl {Rd:x64}, {Rn:w32}, {Rm:w32}"),
  alias("UMULL",  "1 00 11011 101 Rm:5 0 11111 Rn:5 Rd:5",    "umull {Rd:x64}, {Rn:w32}, {Rm:w32}"),
  alias("UMNEGL", "1 00 11011 101 Rm:5 1 11111 Rn:5 Rd:5",    "umnegl {Rd:x64}, {Rn:w32}, {Rm:w32}"),
  // Two sources; the variable shifts have only their aliases' names in common use.
  instruction("UDIV", "sf:1 0 0 11010110 Rm:5 000010 Rn:5 Rd:5", "udiv {Rd:x}, {Rn:x}, {Rm:x}", divide("divUnsigned")),
  instruction("SDIV", "sf:1 0 0 11010110 Rm:5 000011 Rn:5 Rd:5", "sdiv {Rd:x}, {Rn:x}, {Rm:x}", divide("divSigned")),
  instruction("LSLV", "sf:1 0 0 11010110 Rm:5 001000 Rn:5 Rd:5", "lsl {Rd:x}, {Rn:x}, {Rm:x}",  shiftBy("shiftLeft")),
  instruction("LSRV", "sf:1 0 0 11010110 Rm:5 001001 Rn:5 Rd:5", "lsr {Rd:x}, {Rn:x}, {Rm:x}",  shiftBy("shiftRight")),
  instruction("ASRV", "sf:1 0 0 11010110 Rm:5 001010 Rn:5 Rd:5", "asr {Rd:x}, {Rn:x}, {Rm:x}",  shiftBy("shiftRightSigned")),
  instruction("RORV", "sf:1 0 0 11010110 Rm:5 001011 Rn:5 Rd:5", "ror {Rd:x}, {Rn:x}, {Rm:x}",  shiftBy("rotateRight")),
  alias("LSLV_name",  "sf:1 0 0 11010110 Rm:5 001000 Rn:5 Rd:5", "lslv {Rd:x}, {Rn:x}, {Rm:x}", neverPrinted),
  alias("LSRV_name",  "sf:1 0 0 11010110 Rm:5 001001 Rn:5 Rd:5", "lsrv {Rd:x}, {Rn:x}, {Rm:x}", neverPrinted),
  alias("ASRV_name",  "sf:1 0 0 11010110 Rm:5 001010 Rn:5 Rd:5", "asrv {Rd:x}, {Rn:x}, {Rm:x}", neverPrinted),
  alias("RORV_name",  "sf:1 0 0 11010110 Rm:5 001011 Rn:5 Rd:5", "rorv {Rd:x}, {Rn:x}, {Rm:x}", neverPrinted),
  instruction("CRC32B",  "0 0 0 11010110 Rm:5 010 0 00 Rn:5 Rd:5", "crc32b {Rd:w32}, {Rn:w32}, {Rm:w32}",  crc(8, CRC32),   crcFeature),
  instruction("CRC32H",  "0 0 0 11010110 Rm:5 010 0 01 Rn:5 Rd:5", "crc32h {Rd:w32}, {Rn:w32}, {Rm:w32}",  crc(16, CRC32),  crcFeature),
  instruction("CRC32W",  "0 0 0 11010110 Rm:5 010 0 10 Rn:5 Rd:5", "crc32w {Rd:w32}, {Rn:w32}, {Rm:w32}",  crc(32, CRC32),  crcFeature),
  instruction("CRC32X",  "1 0 0 11010110 Rm:5 010 0 11 Rn:5 Rd:5", "crc32x {Rd:w32}, {Rn:w32}, {Rm:x64}",  crc(64, CRC32),  crcFeature),
  instruction("CRC32CB", "0 0 0 11010110 Rm:5 010 1 00 Rn:5 Rd:5", "crc32cb {Rd:w32}, {Rn:w32}, {Rm:w32}", crc(8, CRC32C),  crcFeature),
  instruction("CRC32CH", "0 0 0 11010110 Rm:5 010 1 01 Rn:5 Rd:5", "crc32ch {Rd:w32}, {Rn:w32}, {Rm:w32}", crc(16, CRC32C), crcFeature),
  instruction("CRC32CW", "0 0 0 11010110 Rm:5 010 1 10 Rn:5 Rd:5", "crc32cw {Rd:w32}, {Rn:w32}, {Rm:w32}", crc(32, CRC32C), crcFeature),
  instruction("CRC32CX", "1 0 0 11010110 Rm:5 010 1 11 Rn:5 Rd:5", "crc32cx {Rd:w32}, {Rn:w32}, {Rm:x64}", crc(64, CRC32C), crcFeature),
  // One source.
  instruction("RBIT",  "sf:1 1 0 11010110 00000 000000 Rn:5 Rd:5", "rbit {Rd:x}, {Rn:x}",  oneSource((ir, width, value) => ir.reverseBits(width, value))),
  instruction("REV16", "sf:1 1 0 11010110 00000 000001 Rn:5 Rd:5", "rev16 {Rd:x}, {Rn:x}", oneSource((ir, width, value) => ir.reverseBytes(width, 16, value))),
  instruction("REV_W", "0 1 0 11010110 00000 000010 Rn:5 Rd:5",    "rev {Rd:w32}, {Rn:w32}",   reverseBytes(32, 32)),
  instruction("REV32", "1 1 0 11010110 00000 000010 Rn:5 Rd:5",    "rev32 {Rd:x64}, {Rn:x64}", reverseBytes(64, 32)),
  instruction("REV_X", "1 1 0 11010110 00000 000011 Rn:5 Rd:5",    "rev {Rd:x64}, {Rn:x64}",   reverseBytes(64, 64)),
  alias("REV64",       "1 1 0 11010110 00000 000011 Rn:5 Rd:5",    "rev64 {Rd:x64}, {Rn:x64}", neverPrinted),
  instruction("CLZ",   "sf:1 1 0 11010110 00000 000100 Rn:5 Rd:5", "clz {Rd:x}, {Rn:x}",   oneSource((ir, width, value) => ir.leadingZeros(width, value))),
  instruction("CLS",   "sf:1 1 0 11010110 00000 000101 Rn:5 Rd:5", "cls {Rd:x}, {Rn:x}",   oneSource((ir, width, value) => ir.leadingSigns(width, value))),
];
