/** Advanced SIMD on integers with one source: miscellaneous, across lanes, pairwise (Arm ARM C4.1). */
import type { Builder, Value } from "../ir/builder.ts";
import { alias, instruction, neverPrinted, type Row } from "./instruction.ts";
import { narrowBy, type Narrowing, narrowToUnsigned, pairSums, widened } from "./simd_arithmetic.ts";
import { type Bit, hasSize, hasVectorSize, operands, scalar, type Sizes, vector } from "./simd_forms.ts";
import { Lanes, laneWidth, readHalf, type Sign, vectorWidth, writeHalf } from "./simd_lanes.ts";

/** What an instruction computes of Rn and, if it asks, Rd. */
type Meaning = (lanes: Lanes, n: Value, d: () => Value) => Value;

/** Lanes in reverse order within containers of `bits`. */
function reverse(bits: number): Meaning {
  return (lanes, n) => {
    const count = lanes.width / lanes.lane, flipped = bits / lanes.lane - 1;
    return lanes.shuffle(n, n, Array.from({ length: count }, (_, i) => i ^ flipped));
  };
}

const zero = (lanes: Lanes): Value => lanes.every(0n);
const greater = (lanes: Lanes, a: Value, b: Value): Value => lanes.apply("laneGreaterSigned", [a, b]);
const leadingZeros = (lanes: Lanes, n: Value): Value => lanes.apply("laneLeadingZeros", [n]);
const negateSaturating: Meaning = (lanes, n) => lanes.apply("laneSubSaturatingSigned", [zero(lanes), n]);

/** How many bits after the top one equal it: the leading zeros, but one, of what differs from the bit above. */
function leadingSigns(lanes: Lanes, n: Value): Value {
  const changes = lanes.xor(n, lanes.shiftRight("Signed", n, 1));
  return lanes.sub(leadingZeros(lanes, changes), lanes.every(1n));
}

// Integers: name, U, opcode, vector sizes, scalar sizes, what follows the registers, meaning.
// deno-fmt-ignore
const INTEGER: readonly (readonly [string, Bit, string, Sizes, Sizes | "", string, Meaning])[] = [
  ["REV64",  "0", "00000", "bhs",  "",     "",     reverse(64)],
  ["REV32",  "1", "00000", "bh",   "",     "",     reverse(32)],
  ["REV16",  "0", "00001", "b",    "",     "",     reverse(16)],
  ["CNT",    "0", "00101", "b",    "",     "",     (lanes, n) => lanes.apply("lanePopulation", [n])],
  ["SUQADD", "0", "00011", "bhsd", "bhsd", "",     (lanes, n, d) => lanes.apply("laneAddMixedSaturatingSigned", [d(), n])],
  ["USQADD", "1", "00011", "bhsd", "bhsd", "",     (lanes, n, d) => lanes.apply("laneAddMixedSaturatingUnsigned", [d(), n])],
  ["CLS",    "0", "00100", "bhs",  "",     "",     leadingSigns],
  ["CLZ",    "1", "00100", "bhs",  "",     "",     leadingZeros],
  ["SQABS",  "0", "00111", "bhsd", "bhsd", "",     (lanes, n, d) => lanes.apply("laneMaxSigned", [n, negateSaturating(lanes, n, d)])],
  ["SQNEG",  "1", "00111", "bhsd", "bhsd", "",     negateSaturating],
  ["CMGT",   "0", "01000", "bhsd", "d",    ", #0", (lanes, n) => greater(lanes, n, zero(lanes))],
  ["CMGE",   "1", "01000", "bhsd", "d",    ", #0", (lanes, n) => lanes.not(greater(lanes, zero(lanes), n))],
  ["CMEQ",   "0", "01001", "bhsd", "d",    ", #0", (lanes, n) => lanes.apply("laneEqual", [n, zero(lanes)])],
  ["CMLE",   "1", "01001", "bhsd", "d",    ", #0", (lanes, n) => lanes.not(greater(lanes, n, zero(lanes)))],
  ["CMLT",   "0", "01010", "bhsd", "d",    ", #0", (lanes, n) => greater(lanes, zero(lanes), n)],
  ["ABS",    "0", "01011", "bhsd", "d",    "",     (lanes, n) => lanes.apply("laneAbs", [n])],
  ["NEG",    "1", "01011", "bhsd", "d",    "",     (lanes, n) => lanes.sub(zero(lanes), n)],
];

const REGISTERS = ["Rd", "Rn"];

type Registers = Readonly<Record<"Rn" | "Rd", number>>;
type Sized = Registers & { readonly size: number };
type Fields = Sized & { readonly Q: number };

function compute(lanes: Lanes, meaning: Meaning, { Rn, Rd }: Registers): void {
  const { ir, width } = lanes;
  ir.call("checkFpEnabled");
  ir.writeV(Rd, meaning(lanes, ir.readV(Rn, width), () => ir.readV(Rd, width)));
}

function onVectors(meaning: Meaning) {
  return (ir: Builder, fields: Fields): void =>
    compute(new Lanes(ir, vectorWidth(fields.Q), laneWidth(fields.size)), meaning, fields);
}

function onScalars(meaning: Meaning) {
  return (ir: Builder, fields: Sized): void => {
    const lane = laneWidth(fields.size);
    compute(new Lanes(ir, lane, lane), meaning, fields);
  };
}

function integerRows([name, U, opcode, sizes, scalarSizes, tail, meaning]: typeof INTEGER[number]): Row[] {
  const mnemonic = name.toLowerCase(), suffix = tail === "" ? "" : "_zero";
  const encoding = `0 Q:1 ${U} 01110 size:2 10000 ${opcode} 10 Rn:5 Rd:5` as const;
  const text = `${mnemonic} ${operands(vector, "full", REGISTERS)}${tail}`;
  const vectorName = `${name}_vector${suffix}`, scalarName = `${name}_simd_scalar${suffix}`;
  const row = instruction(vectorName, encoding, text, onVectors(meaning), hasVectorSize(sizes));
  if (scalarSizes === "") return [row];
  const scalarEncoding = `01 ${U} 11110 size:2 10000 ${opcode} 10 Rn:5 Rd:5` as const;
  const scalarText = `${mnemonic} ${operands(scalar, "bySize", REGISTERS)}${tail}`;
  return [row, instruction(scalarName, scalarEncoding, scalarText, onScalars(meaning), hasSize(scalarSizes))];
}

// Narrowing, upper half by a mnemonic of its own: name, U, opcode, whether there is a scalar form, meaning.
// deno-fmt-ignore
const NARROW: readonly (readonly [string, Bit, string, boolean, Narrowing])[] = [
  ["XTN",    "0", "10010", false, narrowBy("laneNarrow")],
  ["SQXTUN", "1", "10010", true,  narrowToUnsigned],
  ["SQXTN",  "0", "10100", true,  narrowBy("laneNarrowSaturatingSigned")],
  ["UQXTN",  "1", "10100", true,  narrowBy("laneNarrowSaturatingUnsigned")],
];

function narrowVector(narrow: Narrowing) {
  return (ir: Builder, { Q, size, Rn, Rd }: Fields): void => {
    ir.call("checkFpEnabled");
    writeHalf(ir, Q, Rd, narrow(new Lanes(ir, 128, laneWidth(size + 1)), ir.readV(Rn, 128)));
  };
}

function narrowScalar(narrow: Narrowing) {
  return (ir: Builder, { size, Rn, Rd }: Sized): void => {
    const lane = laneWidth(size + 1);
    ir.call("checkFpEnabled");
    ir.writeV(Rd, narrow(new Lanes(ir, lane, lane), ir.readV(Rn, lane)));
  };
}

function narrowRows([name, U, opcode, hasScalar, narrow]: typeof NARROW[number]): Row[] {
  const mnemonic = name.toLowerCase(), n = vector("Rn", "wide");
  // deno-fmt-ignore
  const rows: Row[] = [
    instruction(`${name}_vector`, `0 Q:1 ${U} 01110 size:2 10000 ${opcode} 10 Rn:5 Rd:5`, `${mnemonic} ${vector("Rd", "lower")}, ${n}`, narrowVector(narrow), hasSize("bhs")),
    alias(`${name}2_vector`,      `0 1 ${U} 01110 size:2 10000 ${opcode} 10 Rn:5 Rd:5`,   `${mnemonic}2 ${vector("Rd", "upper")}, ${n}`),
  ];
  if (!hasScalar) return rows;
  const text = `${mnemonic} ${scalar("Rd", "bySize")}, ${scalar("Rn", "byWide")}`;
  const encoding = `01 ${U} 11110 size:2 10000 ${opcode} 10 Rn:5 Rd:5` as const;
  return [...rows, instruction(`${name}_simd_scalar`, encoding, text, narrowScalar(narrow), hasSize("bhs"))];
}

/** Sums of pairs in lanes of twice the width. */
const addLong = (sign: Sign): Meaning => (lanes, n) => pairSums(sign, lanes, n);
const accumulateLong = (sign: Sign): Meaning => (lanes, n, d) =>
  lanes.wide.add(d(), pairSums(sign, lanes, n));

// deno-fmt-ignore
const PAIRWISE_LONG = [
  ["SADDLP", "0", "00010", addLong("Signed")],        ["UADDLP", "1", "00010", addLong("Unsigned")],
  ["SADALP", "0", "00110", accumulateLong("Signed")], ["UADALP", "1", "00110", accumulateLong("Unsigned")],
] as const;

/** SHLL shifts by the width of the lanes that it widens. */
function shiftLong(ir: Builder, { Q, size, Rn, Rd }: Fields): void {
  const lanes = new Lanes(ir, 128, laneWidth(size));
  ir.call("checkFpEnabled");
  ir.writeV(Rd, lanes.wide.shiftLeft(widened("Unsigned", lanes, readHalf(ir, Q, Rn)), lanes.lane));
}

/** All lanes combined into one by an operation: halves, then halves of these. */
function reduce(op: "laneAdd" | `lane${"Max" | "Min"}${Sign}`): Meaning {
  return (lanes, n) => {
    const count = lanes.width / lanes.lane;
    let value = n;
    for (let half = count / 2; half >= 1; half /= 2) {
      const moved = Array.from({ length: count }, (_, lane) => (lane + half) % count);
      value = lanes.apply(op, [value, lanes.shuffle(value, value, moved)]);
    }
    return lanes.ir.extract(lanes.lane, value, 0);
  };
}

const reduceLong = (sign: Sign): Meaning => (lanes, n, d) =>
  reduce("laneAdd")(lanes.wide, pairSums(sign, lanes, n), d);

// Across lanes: name, U, opcode, whether the result is wider, meaning.
// deno-fmt-ignore
const ACROSS = [
  ["SADDLV", "0", "00011", true,  reduceLong("Signed")],     ["UADDLV", "1", "00011", true,  reduceLong("Unsigned")],
  ["SMAXV",  "0", "01010", false, reduce("laneMaxSigned")],  ["UMAXV",  "1", "01010", false, reduce("laneMaxUnsigned")],
  ["SMINV",  "0", "11010", false, reduce("laneMinSigned")],  ["UMINV",  "1", "11010", false, reduce("laneMinUnsigned")],
  ["ADDV",   "0", "11011", false, reduce("laneAdd")],
] as const;

/** Words are added up from a 128-bit vector alone. */
const acrossExists = {
  when: ({ size, Q }: { readonly size: number; readonly Q: number }): boolean =>
    size < 2 || (size === 2 && Q === 1),
};

const not = onVectors((lanes, n) => lanes.not(n));
const reverseBits = onVectors((lanes, n) => lanes.apply("laneReverseBits", [n]));
const addPair = onVectors(reduce("laneAdd"));

/** The rows; NOT and RBIT use a part of what CNT leaves. */
// deno-fmt-ignore
export const rows: readonly Row[] = [
  ...INTEGER.flatMap(integerRows),
  instruction("NOT_vector",  "0 Q:1 1 01110 00 10000 00101 10 Rn:5 Rd:5", "mvn {Rd:vector(qb)}, {Rn:vector(qb)}",  (ir, fields) => not(ir, { ...fields, size: 0 })),
  alias("NOT_vector_not",    "0 Q:1 1 01110 00 10000 00101 10 Rn:5 Rd:5", "not {Rd:vector(qb)}, {Rn:vector(qb)}",  neverPrinted),
  instruction("RBIT_vector", "0 Q:1 1 01110 01 10000 00101 10 Rn:5 Rd:5", "rbit {Rd:vector(qb)}, {Rn:vector(qb)}", (ir, fields) => reverseBits(ir, { ...fields, size: 0 })),
  ...NARROW.flatMap(narrowRows),
  ...PAIRWISE_LONG.map(([name, U, opcode, meaning]) => instruction(name, `0 Q:1 ${U} 01110 size:2 10000 ${opcode} 10 Rn:5 Rd:5`, `${name.toLowerCase()} ${vector("Rd", "pairs")}, ${vector("Rn", "full")}`, onVectors(meaning), hasSize("bhs"))),
  instruction("SHLL_vector", "0 Q:1 1 01110 size:2 10000 10011 10 Rn:5 Rd:5", "shll {Rd:vector(wide)}, {Rn:vector(lower)}, #{size:elementBits}", shiftLong, hasSize("bhs")),
  alias("SHLL2_vector",      "0 1 1 01110 size:2 10000 10011 10 Rn:5 Rd:5",   "shll2 {Rd:vector(wide)}, {Rn:vector(upper)}, #{size:elementBits}"),
  // Across lanes.
  ...ACROSS.map(([name, U, opcode, isWide, meaning]) => instruction(name, `0 Q:1 ${U} 01110 size:2 11000 ${opcode} 10 Rn:5 Rd:5`, `${name.toLowerCase()} ${scalar("Rd", isWide ? "byWide" : "bySize")}, ${vector("Rn", "full")}`, onVectors(meaning), acrossExists)),
  // Pairs of one vector to a scalar.
  instruction("ADDP_pair", "01 0 11110 11 11000 11011 10 Rn:5 Rd:5", "addp {Rd:scalar(d)}, {Rn:vector(2d)}", (ir, fields) => addPair(ir, { ...fields, Q: 1, size: 3 })),
];
