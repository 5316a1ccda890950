/** Pointer authentication: signing, authenticating and stripping, and branches and loads that authenticate (FEAT_PAuth). */
import type { BranchKind, Builder, Value } from "../ir/builder.ts";
import { branchType, link } from "./branch.ts";
import { alias, instruction, neverPrinted, type Row } from "./instruction.ts";
import { asSigned } from "./operand_kind.ts";

/** Keys by number, as the helpers take them: of instructions and of data, A and B of each. */
const KEYS = { ia: 0, ib: 1, da: 2, db: 3 } as const;
type KeyName = keyof typeof KEYS;

/** What signs or authenticates: a pointer by a key and a modifier. */
type Operation = "addPac" | "authenticate";

function apply(ir: Builder, op: Operation, key: KeyName, pointer: Value, modifier: Value): Value {
  return ir.call(op, [KEYS[key]], pointer, modifier);
}

const zero = (ir: Builder): Value => ir.constant(64, 0);
const LINK = 30, STACK = 31;

type Registers = Readonly<Record<"Rn" | "Rd", number>>;
type Three = Registers & { readonly Rm: number };

function modified(op: Operation, key: KeyName) {
  return (ir: Builder, { Rn, Rd }: Registers): void =>
    ir.writeX(Rd, 64, apply(ir, op, key, ir.readX(Rd, 64), ir.readXsp(Rn, 64)));
}

function unmodified(op: Operation, key: KeyName) {
  return (ir: Builder, { Rd }: { readonly Rd: number }): void =>
    ir.writeX(Rd, 64, apply(ir, op, key, ir.readX(Rd, 64), zero(ir)));
}

function strip(isData: 0 | 1) {
  return (ir: Builder, { Rd }: { readonly Rd: number }): void =>
    ir.writeX(Rd, 64, ir.call("stripPac", [isData], ir.readX(Rd, 64)));
}

function generic(ir: Builder, { Rm, Rn, Rd }: Three): void {
  ir.writeX(Rd, 64, ir.call("genericPac", [], ir.readX(Rn, 64), ir.readXsp(Rm, 64)));
}

/** Branches to what X[n], authenticated, holds; without a modifier it is zero. */
function branch(kind: BranchKind, key: "ia" | "ib", hasModifier: boolean) {
  return (ir: Builder, { Rn, Rm }: { readonly Rn: number; readonly Rm?: number }): void => {
    const modifier = hasModifier ? ir.readXsp(Rm as number, 64) : zero(ir);
    const address = apply(ir, "authenticate", key, ir.readX(Rn, 64), modifier);
    if (kind === "call") link(ir);
    branchType(ir, kind, Rn);
    ir.branch(address, kind);
  };
}

function returnAuthenticated(key: "ia" | "ib") {
  return (ir: Builder): void =>
    ir.branch(apply(ir, "authenticate", key, ir.readX(LINK, 64), ir.readXsp(STACK, 64)), "return");
}

type Load = Readonly<Record<"S" | "imm9" | "Rn" | "Rt", number>>;

/** The base is written last, also over the register just loaded (see unpredictable.ts). */
function load(key: "da" | "db", isWriteback: boolean) {
  return (ir: Builder, { S, imm9, Rn, Rt }: Load): void => {
    const base = apply(ir, "authenticate", key, ir.base(Rn), zero(ir));
    const address = ir.add(64, base, ir.constant(64, asSigned(S << 9 | imm9, 10) * 8));
    ir.writeX(Rt, 64, ir.load(64, address));
    if (isWriteback) ir.writeXsp(Rn, 64, address);
  };
}

/** The hints, by number; the pointer is X17 or X30, the modifier X16, SP or zero. */
function hintOf(op: Operation, key: KeyName, pointer: 17 | 30, modifier: 16 | 31 | undefined) {
  return (ir: Builder): void => {
    const by = modifier === undefined ? zero(ir) : ir.readXsp(modifier, 64);
    ir.writeX(pointer, 64, apply(ir, op, key, ir.readX(pointer, 64), by));
  };
}

/** Hints that are pointer authentication where it exists; elsewhere they are NOP (Arm ARM C6.2, HINT). */
// deno-fmt-ignore
export const POINTER_HINTS: ReadonlyMap<number, (ir: Builder) => void> = new Map([
  [7,  (ir: Builder) => strip(0)(ir, { Rd: LINK })],
  [8,  hintOf("addPac", "ia", 17, 16)],        [10, hintOf("addPac", "ib", 17, 16)],
  [12, hintOf("authenticate", "ia", 17, 16)],  [14, hintOf("authenticate", "ib", 17, 16)],
  [24, hintOf("addPac", "ia", 30, undefined)], [25, hintOf("addPac", "ia", 30, 31)],
  [26, hintOf("addPac", "ib", 30, undefined)], [27, hintOf("addPac", "ib", 30, 31)],
  [28, hintOf("authenticate", "ia", 30, undefined)], [29, hintOf("authenticate", "ia", 30, 31)],
  [30, hintOf("authenticate", "ib", 30, undefined)], [31, hintOf("authenticate", "ib", 30, 31)],
]);

const PAUTH = { feature: "PAuth" } as const;

/** One source: mnemonic, operation, key, low bits of the opcode. */
// deno-fmt-ignore
const ONE_SOURCE = [
  ["paci", "addPac", "a", "ia", "000"],       ["paci", "addPac", "b", "ib", "001"],
  ["pacd", "addPac", "a", "da", "010"],       ["pacd", "addPac", "b", "db", "011"],
  ["auti", "authenticate", "a", "ia", "100"], ["auti", "authenticate", "b", "ib", "101"],
  ["autd", "authenticate", "a", "da", "110"], ["autd", "authenticate", "b", "db", "111"],
] as const;

function sourceRows([stem, op, letter, key, opcode]: typeof ONE_SOURCE[number]): Row[] {
  const mnemonic = stem + letter, ofZero = `${stem}z${letter}`;
  // deno-fmt-ignore
  return [
    instruction(mnemonic.toUpperCase(), `1 1 0 11010110 00001 000 ${opcode} Rn:5 Rd:5`,  `${mnemonic} {Rd:x64}, {Rn:xsp64}`, modified(op, key),   PAUTH),
    instruction(ofZero.toUpperCase(),   `1 1 0 11010110 00001 001 ${opcode} 11111 Rd:5`, `${ofZero} {Rd:x64}`,               unmodified(op, key), PAUTH),
  ];
}

/** Branches and loads with key A, then B: bit 10, or 23, of their encodings. */
function keyedRows(
  [letter, M, instructions, data]: readonly ["a" | "b", "0" | "1", "ia" | "ib", "da" | "db"],
): Row[] {
  const L = letter.toUpperCase();
  // deno-fmt-ignore
  return [
    instruction(`BRA${L}`,   `1101011 1 0 00 11111 0000 1 ${M} Rn:5 Rm:5`,  `bra${letter} {Rn:x64}, {Rm:xsp64}`,  branch("jump", instructions, true),  PAUTH),
    instruction(`BRA${L}Z`,  `1101011 0 0 00 11111 0000 1 ${M} Rn:5 11111`, `bra${letter}z {Rn:x64}`,             branch("jump", instructions, false), PAUTH),
    instruction(`BLRA${L}`,  `1101011 1 0 01 11111 0000 1 ${M} Rn:5 Rm:5`,  `blra${letter} {Rn:x64}, {Rm:xsp64}`, branch("call", instructions, true),  PAUTH),
    instruction(`BLRA${L}Z`, `1101011 0 0 01 11111 0000 1 ${M} Rn:5 11111`, `blra${letter}z {Rn:x64}`,            branch("call", instructions, false), PAUTH),
    instruction(`RETA${L}`,  `1101011 0 0 10 11111 0000 1 ${M} 11111 11111`, `reta${letter}`,                     returnAuthenticated(instructions),   PAUTH),
    instruction(`ERETA${L}`, `1101011 0 1 00 11111 0000 1 ${M} 11111 11111`, `ereta${letter}`, (ir) => void ir.call("exceptionReturn", [KEYS[instructions]]), PAUTH),
    instruction(`LDRA${L}`,           `11 111 0 00 ${M} S:1 1 imm9:9 0 1 Rn:5 Rt:5`,     `ldra${letter} {Rt:x64}, [{Rn:xsp64}{S,imm9:signedOffset(8)}]`, load(data, false), PAUTH),
    instruction(`LDRA${L}_writeback`, `11 111 0 00 ${M} S:1 1 imm9:9 1 1 Rn:5 Rt:5`,     `ldra${letter} {Rt:x64}, [{Rn:xsp64}, #{S,imm9:signed(8)}]!`,   load(data, true),  PAUTH),
    alias(`LDRA${L}_unmoved`,         `11 111 0 00 ${M} 0 1 000000000 1 1 Rn:5 Rt:5`,    `ldra${letter} {Rt:x64}, [{Rn:xsp64}]!`,                        neverPrinted),
  ];
}

/** The rows. */
// deno-fmt-ignore
export const rows: readonly Row[] = [
  ...ONE_SOURCE.flatMap(sourceRows),
  instruction("XPACI", "1 1 0 11010110 00001 010000 11111 Rd:5", "xpaci {Rd:x64}", strip(0), PAUTH),
  instruction("XPACD", "1 1 0 11010110 00001 010001 11111 Rd:5", "xpacd {Rd:x64}", strip(1), PAUTH),
  instruction("PACGA", "1 0 0 11010110 Rm:5 001100 Rn:5 Rd:5",   "pacga {Rd:x64}, {Rn:x64}, {Rm:xsp64}", generic, PAUTH),
  ...keyedRows(["a", "0", "ia", "da"]),
  ...keyedRows(["b", "1", "ib", "db"]),
];
