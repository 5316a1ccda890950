/** Loads and stores of register pairs (Arm ARM C4.1). */
import type { Builder, Value } from "../ir/builder.ts";
import { instruction, type Row } from "./instruction.ts";
import { asSigned } from "./operand_kind.ts";
import type { Bits2 } from "./transfer.ts";

interface Pair {
  readonly name: string;
  readonly mnemonic: string;
  readonly opc: Bits2;
  readonly register: string;
  readonly bits: 32 | 64 | 128;
  readonly signed: boolean;
  readonly simd: boolean;
}

const simd = { signed: false, simd: true }, integer = { signed: false, simd: false };

// deno-fmt-ignore
const PAIRS: readonly Pair[] = [
  { name: "STP_W", mnemonic: "stp",   opc: "00", register: "w32",       bits: 32,  ...integer },
  { name: "LDP_W", mnemonic: "ldp",   opc: "00", register: "w32",       bits: 32,  ...integer },
  { name: "LDPSW", mnemonic: "ldpsw", opc: "01", register: "x64",       bits: 32,  signed: true, simd: false },
  { name: "STP_X", mnemonic: "stp",   opc: "10", register: "x64",       bits: 64,  ...integer },
  { name: "LDP_X", mnemonic: "ldp",   opc: "10", register: "x64",       bits: 64,  ...integer },
  { name: "STP_S", mnemonic: "stp",   opc: "00", register: "scalar(s)", bits: 32,  ...simd },
  { name: "LDP_S", mnemonic: "ldp",   opc: "00", register: "scalar(s)", bits: 32,  ...simd },
  { name: "STP_D", mnemonic: "stp",   opc: "01", register: "scalar(d)", bits: 64,  ...simd },
  { name: "LDP_D", mnemonic: "ldp",   opc: "01", register: "scalar(d)", bits: 64,  ...simd },
  { name: "STP_Q", mnemonic: "stp",   opc: "10", register: "scalar(q)", bits: 128, ...simd },
  { name: "LDP_Q", mnemonic: "ldp",   opc: "10", register: "scalar(q)", bits: 128, ...simd },
];

type Form = "nontemporal" | "post" | "offset" | "pre";
type PairFields = Readonly<Record<"imm7" | "Rt2" | "Rn" | "Rt", number>>;

function isLoad(pair: Pair): boolean {
  return pair.mnemonic.startsWith("ld");
}

/** Both accesses come before any register is written; the base is written last (see unpredictable.ts). */
function transferPair(pair: Pair, form: Form) {
  const bytes = pair.bits / 8;
  return (ir: Builder, { imm7, Rt2, Rn, Rt }: PairFields): void => {
    if (pair.simd) ir.call("checkFpEnabled");
    const base = ir.base(Rn);
    const moved = ir.add(64, base, ir.constant(64, asSigned(imm7, 7) * bytes));
    const first = form === "post" ? base : moved;
    const second = ir.add(64, first, ir.constant(64, bytes));
    if (isLoad(pair)) load(ir, pair, first, second, Rt, Rt2);
    else store(ir, pair, first, second, Rt, Rt2);
    if (form === "post" || form === "pre") ir.writeXsp(Rn, 64, moved);
  };
}

function load(
  ir: Builder,
  { bits, simd, signed }: Pair,
  first: Value,
  second: Value,
  Rt: number,
  Rt2: number,
): void {
  const low = ir.load(bits, first), high = ir.load(bits, second);
  if (simd) {
    ir.writeV(Rt, low);
    ir.writeV(Rt2, high);
    return;
  }
  const width = signed || bits === 64 ? 64 : 32;
  const extend = (value: Value): Value => signed ? ir.signExtend(width, value) : ir.zeroExtend(width, value);
  ir.writeX(Rt2, width, extend(high));
  ir.writeX(Rt, width, extend(low));
}

function store(
  ir: Builder,
  { bits, simd }: Pair,
  first: Value,
  second: Value,
  Rt: number,
  Rt2: number,
): void {
  ir.store(bits, first, simd ? ir.readV(Rt, bits) : ir.readX(Rt, bits));
  ir.store(bits, second, simd ? ir.readV(Rt2, bits) : ir.readX(Rt2, bits));
}

function rowsOf(pair: Pair): Row[] {
  const { name, register, opc } = pair;
  const V: "0" | "1" = pair.simd ? "1" : "0", L: "0" | "1" = isLoad(pair) ? "1" : "0";
  const bytes = pair.bits / 8, registers = `{Rt:${register}}, {Rt2:${register}}, [{Rn:xsp64}`;
  const nontemporal = pair.mnemonic.replace("p", "np");
  // deno-fmt-ignore
  const rows: Row[] = [
    instruction(`${name}_post`,   `${opc} 101 ${V} 001 ${L} imm7:7 Rt2:5 Rn:5 Rt:5`, `${pair.mnemonic} ${registers}], #{imm7:signed(${bytes})}`,     transferPair(pair, "post")),
    instruction(`${name}_offset`, `${opc} 101 ${V} 010 ${L} imm7:7 Rt2:5 Rn:5 Rt:5`, `${pair.mnemonic} ${registers}{imm7:signedOffset(${bytes})}]`,  transferPair(pair, "offset")),
    instruction(`${name}_pre`,    `${opc} 101 ${V} 011 ${L} imm7:7 Rt2:5 Rn:5 Rt:5`, `${pair.mnemonic} ${registers}, #{imm7:signed(${bytes})}]!`,    transferPair(pair, "pre")),
  ];
  if (pair.signed) return rows;
  const text = `${nontemporal} ${registers}{imm7:signedOffset(${bytes})}]`;
  const encoding = `${opc} 101 ${V} 000 ${L} imm7:7 Rt2:5 Rn:5 Rt:5` as const;
  return [...rows, instruction(name.replace("P", "NP"), encoding, text, transferPair(pair, "nontemporal"))];
}

/** The rows. */
export const rows: readonly Row[] = PAIRS.flatMap(rowsOf);
