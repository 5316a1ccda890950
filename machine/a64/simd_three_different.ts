/** Advanced SIMD that lengthens, widens or narrows (Arm ARM C4.1: three different). */
import type { Builder, Value } from "../ir/builder.ts";
import { alias, instruction, type Row } from "./instruction.ts";
import {
  addTo,
  combinedBy,
  doublingProduct,
  narrowBy,
  operation,
  subtractFrom,
  widened,
} from "./simd_arithmetic.ts";
import { type Bit, hasSize, scalar, type Sizes, vector } from "./simd_forms.ts";
import { Lanes, laneWidth, type Meaning, readHalf, type Sign, writeHalf } from "./simd_lanes.ts";

type Shape = "long" | "wide" | "narrow";

/** |n − m| of lanes that were widened. */
function wideDifference(lanes: Lanes, n: Value, m: Value): Value {
  return lanes.apply("laneAbs", [lanes.sub(n, m)]);
}

/** Half of the lane that is cut off is added before. */
function rounded(meaning: Meaning): Meaning {
  return (lanes, n, m, d) =>
    lanes.add(meaning(lanes, n, m, d), lanes.every(1n << BigInt(lanes.lane / 2 - 1)));
}

const add = operation("laneAdd"), sub = operation("laneSub"), mul = operation("laneMul");

// Name, U, opcode, shape, sizes, whether there is a scalar form, meaning in wide lanes.
// deno-fmt-ignore
const DIFFERENT: readonly (readonly [string, Bit, string, Shape, Sizes, boolean, Meaning])[] = [
  ["SADDL",   "0", "0000", "long",   "bhs", false, add],                    ["UADDL",  "1", "0000", "long",   "bhs", false, add],
  ["SADDW",   "0", "0001", "wide",   "bhs", false, add],                    ["UADDW",  "1", "0001", "wide",   "bhs", false, add],
  ["SSUBL",   "0", "0010", "long",   "bhs", false, sub],                    ["USUBL",  "1", "0010", "long",   "bhs", false, sub],
  ["SSUBW",   "0", "0011", "wide",   "bhs", false, sub],                    ["USUBW",  "1", "0011", "wide",   "bhs", false, sub],
  ["ADDHN",   "0", "0100", "narrow", "bhs", false, add],                    ["RADDHN", "1", "0100", "narrow", "bhs", false, rounded(add)],
  ["SABAL",   "0", "0101", "long",   "bhs", false, addTo(wideDifference)],  ["UABAL",  "1", "0101", "long",   "bhs", false, addTo(wideDifference)],
  ["SUBHN",   "0", "0110", "narrow", "bhs", false, sub],                    ["RSUBHN", "1", "0110", "narrow", "bhs", false, rounded(sub)],
  ["SABDL",   "0", "0111", "long",   "bhs", false, wideDifference],         ["UABDL",  "1", "0111", "long",   "bhs", false, wideDifference],
  ["SMLAL",   "0", "1000", "long",   "bhs", false, addTo(mul)],             ["UMLAL",  "1", "1000", "long",   "bhs", false, addTo(mul)],
  ["SMLSL",   "0", "1010", "long",   "bhs", false, subtractFrom(mul)],      ["UMLSL",  "1", "1010", "long",   "bhs", false, subtractFrom(mul)],
  ["SMULL",   "0", "1100", "long",   "bhs", false, mul],                    ["UMULL",  "1", "1100", "long",   "bhs", false, mul],
  ["SQDMULL", "0", "1101", "long",   "hs",  true,  doublingProduct],
  ["SQDMLAL", "0", "1001", "long",   "hs",  true,  combinedBy("laneAddSaturatingSigned", doublingProduct)],
  ["SQDMLSL", "0", "1011", "long",   "hs",  true,  combinedBy("laneSubSaturatingSigned", doublingProduct)],
];

type Fields = Readonly<Record<"size" | "Rm" | "Rn" | "Rd", number>>;
type VectorFields = Fields & { readonly Q: number };

function lowering(shape: Shape, sign: Sign, meaning: Meaning) {
  return (ir: Builder, { Q, size, Rm, Rn, Rd }: VectorFields): void => {
    const lanes = new Lanes(ir, 128, laneWidth(size)), { wide } = lanes;
    const half = (register: number): Value => widened(sign, lanes, readHalf(ir, Q, register));
    const whole = (register: number): Value => ir.readV(register, 128);
    ir.call("checkFpEnabled");
    const n = (shape === "long" ? half : whole)(Rn), m = (shape === "narrow" ? whole : half)(Rm);
    const result = meaning(wide, n, m, () => whole(Rd));
    if (shape !== "narrow") return ir.writeV(Rd, result);
    writeHalf(ir, Q, Rd, narrowBy("laneNarrow")(wide, wide.shiftRight("Unsigned", result, lanes.lane)));
  };
}

function loweringOfScalar(meaning: Meaning) {
  return (ir: Builder, { size, Rm, Rn, Rd }: Fields): void => {
    const lane = laneWidth(size), wide = laneWidth(size + 1);
    ir.call("checkFpEnabled");
    const n = ir.signExtend(wide, ir.readV(Rn, lane)), m = ir.signExtend(wide, ir.readV(Rm, lane));
    ir.writeV(Rd, meaning(new Lanes(ir, wide, wide), n, m, () => ir.readV(Rd, wide)));
  };
}

/** Arrangements of Rd, Rn, Rm: `-` stands for the half that the mnemonic chooses. */
const SHAPES: Readonly<Record<Shape, readonly [string, string, string]>> = {
  long: ["wide", "-", "-"],
  wide: ["wide", "wide", "-"],
  narrow: ["-", "wide", "wide"],
};

function registers(shape: Shape, half: "lower" | "upper"): string {
  const arrangement = (index: number): string => SHAPES[shape][index]?.replace("-", half) as string;
  return ["Rd", "Rn", "Rm"].map((register, index) => vector(register, arrangement(index))).join(", ");
}

/** The form for the upper half of the narrower registers has a mnemonic of its own, `saddl2`. */
function differentRows([name, U, opcode, shape, sizes, hasScalar, meaning]: typeof DIFFERENT[number]): Row[] {
  const mnemonic = name.toLowerCase(), sign = U === "1" ? "Unsigned" : "Signed";
  // deno-fmt-ignore
  const rows: Row[] = [
    instruction(`${name}_vector`, `0 Q:1 ${U} 01110 size:2 1 Rm:5 ${opcode} 00 Rn:5 Rd:5`, `${mnemonic} ${registers(shape, "lower")}`, lowering(shape, sign, meaning), hasSize(sizes)),
    alias(`${name}2_vector`,      `0 1 ${U} 01110 size:2 1 Rm:5 ${opcode} 00 Rn:5 Rd:5`,   `${mnemonic}2 ${registers(shape, "upper")}`),
  ];
  if (!hasScalar) return rows;
  const half = (register: string) => scalar(register, "bySize");
  const text = `${mnemonic} ${scalar("Rd", "byWide")}, ${half("Rn")}, ${half("Rm")}`;
  const encoding = `01 ${U} 11110 size:2 1 Rm:5 ${opcode} 00 Rn:5 Rd:5` as const;
  return [
    ...rows,
    instruction(`${name}_simd_scalar`, encoding, text, loweringOfScalar(meaning), hasSize(sizes)),
  ];
}

/** PMULL: products of polynomials, of one pair of doublewords or eight of bytes. */
function polynomialLong(ir: Builder, fields: VectorFields): void {
  if (fields.size === 0) return lowering("long", "Unsigned", operation("lanePolynomialMul"))(ir, fields);
  const { Q, Rm, Rn, Rd } = fields;
  ir.call("checkFpEnabled");
  const n = readHalf(ir, Q, Rn), m = readHalf(ir, Q, Rm);
  ir.writeV(Rd, ir.lanes("lanePolynomialMulLong", 128, 64, [n, m]));
}

/** The rows; PMULL of 64-bit elements belongs to the cryptographic extension. */
// deno-fmt-ignore
export const rows: readonly Row[] = [
  ...DIFFERENT.flatMap(differentRows),
  instruction("PMULL_vector", "0 Q:1 0 01110 size:2 1 Rm:5 1110 00 Rn:5 Rd:5", `pmull ${registers("long", "lower")}`, polynomialLong,
    { ...hasSize("bd"), feature: ({ size }) => (size === 3 ? "PMULL" : "Armv8.0") }),
  alias("PMULL2_vector",      "0 1 0 01110 size:2 1 Rm:5 1110 00 Rn:5 Rd:5",   `pmull2 ${registers("long", "upper")}`),
];
