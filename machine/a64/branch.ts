/** Branches: immediate, conditional, compare, test, register (Arm ARM C4.1). */
import type { BranchKind, Builder, Value } from "../ir/builder.ts";
import { instruction, type Row } from "./instruction.ts";
import { asSigned } from "./operand_kind.ts";

/** Address a number of words away. */
function target(ir: Builder, words: number, width: number): Value {
  return ir.add(64, ir.pc(), ir.constant(64, asSigned(words, width) * 4));
}

/** X30 = address of the next instruction. */
export function link(ir: Builder): void {
  ir.writeX(30, 64, ir.add(64, ir.pc(), ir.constant(64, 4)));
}

function branchImmediate(withLink: boolean) {
  return (ir: Builder, { imm26 }: { readonly imm26: number }): void => {
    if (withLink) link(ir);
    ir.branch(target(ir, imm26, 26), withLink ? "call" : "jump");
  };
}

/** Registers that a linker's veneers branch by. */
const IP0 = 16, IP1 = 17;

/** BTYPE after BR or BLR, with pointer authentication or not (Arm ARM BranchTo; C6.2 BR, BLR); RET leaves 0. */
export function branchType(ir: Builder, kind: BranchKind, Rn: number): void {
  if (kind === "call") ir.writeBranchType(2, 2);
  if (kind === "jump") ir.writeBranchType(Rn === IP0 || Rn === IP1 ? 1 : 3, 1);
}

/** The target is read before X30 is written: `blr x30`. */
function branchRegister(kind: BranchKind) {
  return (ir: Builder, { Rn }: { readonly Rn: number }): void => {
    const address = ir.readX(Rn, 64);
    if (kind === "call") link(ir);
    branchType(ir, kind, Rn);
    ir.branch(address, kind);
  };
}

type Condition = Readonly<Record<"imm19" | "cond", number>>;

function branchCondition(ir: Builder, { imm19, cond }: Condition): void {
  ir.branchIf(ir.condition(cond, ir.readNzcv()), target(ir, imm19, 19));
}

type CompareBranch = Readonly<Record<"sf" | "imm19" | "Rt", number>>;

function compareBranch(whenZero: boolean) {
  return (ir: Builder, { sf, imm19, Rt }: CompareBranch): void => {
    const width = sf ? 64 : 32;
    const isZero = ir.equal(ir.readX(Rt, width), ir.constant(width, 0));
    ir.branchIf(whenZero ? isZero : ir.not(1, isZero), target(ir, imm19, 19));
  };
}

type TestBranch = Readonly<Record<"b5" | "b40" | "imm14" | "Rt", number>>;

function testBranch(whenZero: boolean) {
  return (ir: Builder, { b5, b40, imm14, Rt }: TestBranch): void => {
    const bit = ir.extract(1, ir.readX(Rt, 64), b5 * 32 + b40);
    ir.branchIf(whenZero ? ir.not(1, bit) : bit, target(ir, imm14, 14));
  };
}

/** The rows. */
// deno-fmt-ignore
export const rows: readonly Row[] = [
  instruction("B",      "0 00101 imm26:26", "b {imm26:label(4)}",  branchImmediate(false)),
  instruction("BL",     "1 00101 imm26:26", "bl {imm26:label(4)}", branchImmediate(true)),
  instruction("B_cond", "0101010 0 imm19:19 0 cond:4", "b.{cond:condition} {imm19:label(4)}", branchCondition),
  instruction("CBZ",    "sf:1 011010 0 imm19:19 Rt:5", "cbz {Rt:x}, {imm19:label(4)}",  compareBranch(true)),
  instruction("CBNZ",   "sf:1 011010 1 imm19:19 Rt:5", "cbnz {Rt:x}, {imm19:label(4)}", compareBranch(false)),
  instruction("TBZ",    "b5:1 011011 0 b40:5 imm14:14 Rt:5", "tbz {Rt:tested}, #{b5,b40:bitNumber}, {imm14:label(4)}",  testBranch(true)),
  instruction("TBNZ",   "b5:1 011011 1 b40:5 imm14:14 Rt:5", "tbnz {Rt:tested}, #{b5,b40:bitNumber}, {imm14:label(4)}", testBranch(false)),
  instruction("BR",     "1101011 0000 11111 000000 Rn:5 00000", "br {Rn:x64}",       branchRegister("jump")),
  instruction("BLR",    "1101011 0001 11111 000000 Rn:5 00000", "blr {Rn:x64}",      branchRegister("call")),
  instruction("RET",    "1101011 0010 11111 000000 Rn:5 00000", "ret{Rn:returnX}",   branchRegister("return")),
];
