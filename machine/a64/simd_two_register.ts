/** Advanced SIMD on integers with one source: miscellaneous, across lanes, pairwise (Arm ARM C4.1); missing so far. */
import { alias, type Instruction, missing, type Row } from "./instruction.ts";
import { type Bit, hasSize, hasVectorSize, operands, scalar, type Sizes, vector } from "./simd_forms.ts";

// Integers: name, U, opcode, vector sizes, scalar sizes, what follows the registers.
// deno-fmt-ignore
const INTEGER: readonly (readonly [string, Bit, string, Sizes, Sizes | "", string])[] = [
  ["REV64",  "0", "00000", "bhs",  "",     ""],     ["REV32",  "1", "00000", "bh",   "",     ""],
  ["REV16",  "0", "00001", "b",    "",     ""],     ["CNT",    "0", "00101", "b",    "",     ""],
  ["SUQADD", "0", "00011", "bhsd", "bhsd", ""],     ["USQADD", "1", "00011", "bhsd", "bhsd", ""],
  ["CLS",    "0", "00100", "bhs",  "",     ""],     ["CLZ",    "1", "00100", "bhs",  "",     ""],
  ["SQABS",  "0", "00111", "bhsd", "bhsd", ""],     ["SQNEG",  "1", "00111", "bhsd", "bhsd", ""],
  ["CMGT",   "0", "01000", "bhsd", "d",    ", #0"], ["CMGE",   "1", "01000", "bhsd", "d",    ", #0"],
  ["CMEQ",   "0", "01001", "bhsd", "d",    ", #0"], ["CMLE",   "1", "01001", "bhsd", "d",    ", #0"],
  ["CMLT",   "0", "01010", "bhsd", "d",    ", #0"],
  ["ABS",    "0", "01011", "bhsd", "d",    ""],     ["NEG",    "1", "01011", "bhsd", "d",    ""],
];

const REGISTERS = ["Rd", "Rn"];

function integerRows([name, U, opcode, sizes, scalarSizes, tail]: typeof INTEGER[number]): Instruction[] {
  const mnemonic = name.toLowerCase(), suffix = tail === "" ? "" : "_zero";
  const encoding = `0 Q:1 ${U} 01110 size:2 10000 ${opcode} 10 Rn:5 Rd:5` as const;
  const text = `${mnemonic} ${operands(vector, "full", REGISTERS)}${tail}`;
  const row = missing(`${name}_vector${suffix}`, encoding, text, hasVectorSize(sizes));
  if (scalarSizes === "") return [row];
  const scalarEncoding = `01 ${U} 11110 size:2 10000 ${opcode} 10 Rn:5 Rd:5` as const;
  const scalarText = `${mnemonic} ${operands(scalar, "bySize", REGISTERS)}${tail}`;
  return [row, missing(`${name}_simd_scalar${suffix}`, scalarEncoding, scalarText, hasSize(scalarSizes))];
}

// Narrowing, upper half by a mnemonic of its own: name, U, opcode, whether there is a scalar form.
const NARROW = [
  ["XTN", "0", "10010", false],
  ["SQXTUN", "1", "10010", true],
  ["SQXTN", "0", "10100", true],
  ["UQXTN", "1", "10100", true],
] as const;

function narrowRows([name, U, opcode, hasScalar]: typeof NARROW[number]): Row[] {
  const mnemonic = name.toLowerCase(), n = vector("Rn", "wide");
  // deno-fmt-ignore
  const rows: Row[] = [
    missing(`${name}_vector`, `0 Q:1 ${U} 01110 size:2 10000 ${opcode} 10 Rn:5 Rd:5`, `${mnemonic} ${vector("Rd", "lower")}, ${n}`, hasSize("bhs")),
    alias(`${name}2_vector`,  `0 1 ${U} 01110 size:2 10000 ${opcode} 10 Rn:5 Rd:5`,   `${mnemonic}2 ${vector("Rd", "upper")}, ${n}`),
  ];
  if (!hasScalar) return rows;
  const text = `${mnemonic} ${scalar("Rd", "bySize")}, ${scalar("Rn", "byWide")}`;
  const encoding = `01 ${U} 11110 size:2 10000 ${opcode} 10 Rn:5 Rd:5` as const;
  return [...rows, missing(`${name}_simd_scalar`, encoding, text, hasSize("bhs"))];
}

const PAIRWISE_LONG = [["SADDLP", "0", "00010"], ["UADDLP", "1", "00010"], ["SADALP", "0", "00110"], [
  "UADALP",
  "1",
  "00110",
]] as const;

// Across lanes: name, U, opcode, whether the result is wider.
// deno-fmt-ignore
const ACROSS = [
  ["SADDLV", "0", "00011", true],  ["UADDLV", "1", "00011", true],  ["SMAXV", "0", "01010", false], ["UMAXV", "1", "01010", false],
  ["SMINV",  "0", "11010", false], ["UMINV",  "1", "11010", false], ["ADDV",  "0", "11011", false],
] as const;

/** Words are added up from a 128-bit vector alone. */
const acrossExists = {
  when: ({ size, Q }: { readonly size: number; readonly Q: number }): boolean =>
    size < 2 || (size === 2 && Q === 1),
};

/** The rows; NOT and RBIT use a part of what CNT leaves. */
// deno-fmt-ignore
export const rows: readonly Row[] = [
  ...INTEGER.flatMap(integerRows),
  missing("NOT_vector",  "0 Q:1 1 01110 00 10000 00101 10 Rn:5 Rd:5", "mvn {Rd:vector(qb)}, {Rn:vector(qb)}"),
  missing("RBIT_vector", "0 Q:1 1 01110 01 10000 00101 10 Rn:5 Rd:5", "rbit {Rd:vector(qb)}, {Rn:vector(qb)}"),
  ...NARROW.flatMap(narrowRows),
  ...PAIRWISE_LONG.map(([name, U, opcode]) => missing(name, `0 Q:1 ${U} 01110 size:2 10000 ${opcode} 10 Rn:5 Rd:5`, `${name.toLowerCase()} ${vector("Rd", "pairs")}, ${vector("Rn", "full")}`, hasSize("bhs"))),
  missing("SHLL_vector",    "0 Q:1 1 01110 size:2 10000 10011 10 Rn:5 Rd:5", "shll {Rd:vector(wide)}, {Rn:vector(lower)}, #{size:elementBits}", hasSize("bhs")),
  alias("SHLL2_vector",     "0 1 1 01110 size:2 10000 10011 10 Rn:5 Rd:5",   "shll2 {Rd:vector(wide)}, {Rn:vector(upper)}, #{size:elementBits}"),
  // Across lanes.
  ...ACROSS.map(([name, U, opcode, isWide]) => missing(name, `0 Q:1 ${U} 01110 size:2 11000 ${opcode} 10 Rn:5 Rd:5`, `${name.toLowerCase()} ${scalar("Rd", isWide ? "byWide" : "bySize")}, ${vector("Rn", "full")}`, acrossExists)),
  // Pairs of one vector to a scalar.
  missing("ADDP_pair",  "01 0 11110 11 11000 11011 10 Rn:5 Rd:5",     "addp {Rd:scalar(d)}, {Rn:vector(2d)}"),
];
