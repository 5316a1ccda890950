/** Advanced SIMD that lengthens, widens or narrows, and integer multiplication by an element (Arm ARM C4.1); missing so far. */
import { alias, missing, type Row } from "./instruction.ts";
import { type Bit, hasSize, scalar, type Sizes, vector } from "./simd_forms.ts";

type Shape = "long" | "wide" | "narrow";

// Name, U, opcode, shape, sizes, whether there is a scalar form.
// deno-fmt-ignore
const DIFFERENT: readonly (readonly [string, Bit, string, Shape, Sizes, boolean])[] = [
  ["SADDL",   "0", "0000", "long",   "bhs", false], ["UADDL",   "1", "0000", "long",   "bhs", false],
  ["SADDW",   "0", "0001", "wide",   "bhs", false], ["UADDW",   "1", "0001", "wide",   "bhs", false],
  ["SSUBL",   "0", "0010", "long",   "bhs", false], ["USUBL",   "1", "0010", "long",   "bhs", false],
  ["SSUBW",   "0", "0011", "wide",   "bhs", false], ["USUBW",   "1", "0011", "wide",   "bhs", false],
  ["ADDHN",   "0", "0100", "narrow", "bhs", false], ["RADDHN",  "1", "0100", "narrow", "bhs", false],
  ["SABAL",   "0", "0101", "long",   "bhs", false], ["UABAL",   "1", "0101", "long",   "bhs", false],
  ["SUBHN",   "0", "0110", "narrow", "bhs", false], ["RSUBHN",  "1", "0110", "narrow", "bhs", false],
  ["SABDL",   "0", "0111", "long",   "bhs", false], ["UABDL",   "1", "0111", "long",   "bhs", false],
  ["SMLAL",   "0", "1000", "long",   "bhs", false], ["UMLAL",   "1", "1000", "long",   "bhs", false],
  ["SMLSL",   "0", "1010", "long",   "bhs", false], ["UMLSL",   "1", "1010", "long",   "bhs", false],
  ["SMULL",   "0", "1100", "long",   "bhs", false], ["UMULL",   "1", "1100", "long",   "bhs", false],
  ["SQDMLAL", "0", "1001", "long",   "hs",  true],  ["SQDMLSL", "0", "1011", "long",   "hs",  true],
  ["SQDMULL", "0", "1101", "long",   "hs",  true],  ["PMULL",   "0", "1110", "long",   "bd",  false],
];

/** Arrangements of Rd, Rn, Rm: `-` stands for the half that the mnemonic chooses. */
const SHAPES: Readonly<Record<Shape, readonly [string, string, string]>> = {
  long: ["wide", "-", "-"],
  wide: ["wide", "wide", "-"],
  narrow: ["-", "wide", "wide"],
};

/** The form for the upper half of the narrower registers has a mnemonic of its own, `saddl2`. */
function differentRows([name, U, opcode, shape, sizes, hasScalar]: typeof DIFFERENT[number]): Row[] {
  const mnemonic = name.toLowerCase();
  const text = (half: string) =>
    ["Rd", "Rn", "Rm"].map((register, i) => vector(register, SHAPES[shape][i] === "-" ? half : "wide")).join(
      ", ",
    );
  // deno-fmt-ignore
  const rows: Row[] = [
    missing(`${name}_vector`,     `0 Q:1 ${U} 01110 size:2 1 Rm:5 ${opcode} 00 Rn:5 Rd:5`, `${mnemonic} ${text("lower")}`, hasSize(sizes)),
    alias(`${name}2_vector`,      `0 1 ${U} 01110 size:2 1 Rm:5 ${opcode} 00 Rn:5 Rd:5`,   `${mnemonic}2 ${text("upper")}`),
  ];
  if (!hasScalar) return rows;
  const scalarText = `${mnemonic} ${scalar("Rd", "byWide")}, ${scalar("Rn", "bySize")}, ${
    scalar("Rm", "bySize")
  }`;
  const encoding = `01 ${U} 11110 size:2 1 Rm:5 ${opcode} 00 Rn:5 Rd:5` as const;
  return [...rows, missing(`${name}_simd_scalar`, encoding, scalarText, hasSize(sizes))];
}

// By an element, elements of 16 or 32 bits: name, U, opcode, whether it lengthens, whether there is a scalar form.
// deno-fmt-ignore
const INDEXED: readonly (readonly [string, Bit, string, boolean, boolean])[] = [
  ["MLA",     "1", "0000", false, false], ["MLS",     "1", "0100", false, false], ["MUL",      "0", "1000", false, false],
  ["SMLAL",   "0", "0010", true,  false], ["UMLAL",   "1", "0010", true,  false], ["SMLSL",    "0", "0110", true,  false],
  ["UMLSL",   "1", "0110", true,  false], ["SMULL",   "0", "1010", true,  false], ["UMULL",    "1", "1010", true,  false],
  ["SQDMLAL", "0", "0011", true,  true],  ["SQDMLSL", "0", "0111", true,  true],  ["SQDMULL",  "0", "1011", true,  true],
  ["SQDMULH", "0", "1100", false, true],  ["SQRDMULH", "0", "1101", false, true],
];

const ELEMENT = "{M,Rm,H,L:indexed}";

function indexedRows([name, U, opcode, isLong, hasScalar]: typeof INDEXED[number]): Row[] {
  const mnemonic = name.toLowerCase();
  const encoding = `0 Q:1 ${U} 01111 size:2 L:1 M:1 Rm:4 ${opcode} H:1 0 Rn:5 Rd:5` as const;
  const text = (d: string, n: string) => `${vector("Rd", d)}, ${vector("Rn", n)}, ${ELEMENT}`;
  const rows: Row[] = isLong
    ? [
      missing(`${name}_element`, encoding, `${mnemonic} ${text("wide", "lower")}`, hasSize("hs")),
      alias(
        `${name}2_element`,
        `0 1 ${U} 01111 size:2 L:1 M:1 Rm:4 ${opcode} H:1 0 Rn:5 Rd:5`,
        `${mnemonic}2 ${text("wide", "upper")}`,
      ),
    ]
    : [missing(`${name}_element`, encoding, `${mnemonic} ${text("full", "full")}`, hasSize("hs"))];
  if (!hasScalar) return rows;
  const scalarText = `${mnemonic} ${scalar("Rd", isLong ? "byWide" : "bySize")}, ${
    scalar("Rn", "bySize")
  }, ${ELEMENT}`;
  const scalarEncoding = `01 ${U} 11111 size:2 L:1 M:1 Rm:4 ${opcode} H:1 0 Rn:5 Rd:5` as const;
  return [...rows, missing(`${name}_scalar_element`, scalarEncoding, scalarText, hasSize("hs"))];
}

/** The rows; PMULL of 64-bit elements belongs to the cryptographic extension. */
export const rows: readonly Row[] = [
  ...DIFFERENT.flatMap(differentRows),
  ...INDEXED.flatMap(indexedRows),
];
