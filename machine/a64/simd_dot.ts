/** Dot and matrix products of bytes in lanes of 32 bits (Arm ARM C4.1: FEAT_DotProd, FEAT_I8MM). */
import type { Builder, Value } from "../ir/builder.ts";
import { instruction, type Row } from "./instruction.ts";
import { operation, pairSums, pairwise, widePairs } from "./simd_arithmetic.ts";
import type { Bit } from "./simd_forms.ts";
import { Lanes, readElement, type Sign, vectorWidth } from "./simd_lanes.ts";

/** How the bytes of Rn and of Rm are read. */
interface Signs {
  readonly n: Sign;
  readonly m: Sign;
}

// deno-fmt-ignore
const SIGNED: Signs = { n: "Signed", m: "Signed" }, UNSIGNED: Signs = { n: "Unsigned", m: "Unsigned" },
  UNSIGNED_SIGNED: Signs = { n: "Unsigned", m: "Signed" }, SIGNED_UNSIGNED: Signs = { n: "Signed", m: "Unsigned" };

/** Sums of four products of bytes: products fit 16 bits, with the sign that either factor has. */
function dot(bytes: Lanes, signs: Signs, n: Value, m: Value): Value {
  const halfwords = bytes.wide, words = halfwords.wide;
  const sign = signs.n === "Unsigned" && signs.m === "Unsigned" ? "Unsigned" : "Signed";
  const [lowN, highN] = widePairs(signs.n, bytes, n), [lowM, highM] = widePairs(signs.m, bytes, m);
  const low = pairSums(sign, halfwords, halfwords.mul(lowN, lowM));
  return words.add(low, pairSums(sign, halfwords, halfwords.mul(highN, highM)));
}

type Fields = Readonly<Record<"Q" | "Rn" | "Rd", number>>;
type Registers = Readonly<Record<"Rm" | "Rn" | "Rd", number>>;

function dotVector(signs: Signs) {
  return (ir: Builder, { Q, Rm, Rn, Rd }: Fields & Registers): void => {
    const bytes = new Lanes(ir, vectorWidth(Q), 8), { width } = bytes;
    ir.call("checkFpEnabled");
    const product = dot(bytes, signs, ir.readV(Rn, width), ir.readV(Rm, width));
    ir.writeV(Rd, bytes.wide.wide.add(ir.readV(Rd, width), product));
  };
}

/** The four bytes of an element with all lanes of Rn. */
function dotElement(signs: Signs) {
  return (
    ir: Builder,
    { Q, L, M, Rm, H, Rn, Rd }: Fields & Readonly<Record<"L" | "M" | "Rm" | "H", number>>,
  ) => {
    const bytes = new Lanes(ir, vectorWidth(Q), 8), words = bytes.wide.wide, { width } = bytes;
    ir.call("checkFpEnabled");
    const m = words.apply("laneBroadcast", [readElement(ir, M << 4 | Rm, 32, H << 1 | L)]);
    ir.writeV(Rd, words.add(ir.readV(Rd, width), dot(bytes, signs, ir.readV(Rn, width), m)));
  };
}

/** Rows of 2 × 8 bytes by columns: each row of Rn with both of Rm, sums of eight being pairs of sums of four. */
function matrixProduct(signs: Signs) {
  return (ir: Builder, { Rm, Rn, Rd }: Registers): void => {
    const bytes = new Lanes(ir, 128, 8), words = bytes.wide.wide, doublewords = words.wide;
    ir.call("checkFpEnabled");
    const n = ir.readV(Rn, 128), m = ir.readV(Rm, 128);
    const row = (index: 0 | 1): Value => dot(bytes, signs, doublewords.shuffle(n, n, [index, index]), m);
    const d = (): Value => ir.readV(Rd, 128);
    ir.writeV(Rd, words.add(d(), pairwise(operation("laneAdd"))(words, row(0), row(1), d)));
  };
}

// Dot products: name, extension, U, opcode, how bytes are read. By an element: also bits 23–22.
// deno-fmt-ignore
const DOT = [
  ["SDOT",  "DotProd", "0", "0010", SIGNED], ["UDOT", "DotProd", "1", "0010", UNSIGNED],
  ["USDOT", "I8MM",    "0", "0011", UNSIGNED_SIGNED],
] as const;
// deno-fmt-ignore
const DOT_ELEMENT = [
  ["SDOT",  "DotProd", "0", "10", "1110", SIGNED],          ["UDOT",  "DotProd", "1", "10", "1110", UNSIGNED],
  ["USDOT", "I8MM",    "0", "10", "1111", UNSIGNED_SIGNED], ["SUDOT", "I8MM",    "0", "00", "1111", SIGNED_UNSIGNED],
] as const;
const MATRIX: readonly (readonly [string, Bit, string, Signs])[] = [
  ["SMMLA", "0", "0100", SIGNED],
  ["UMMLA", "1", "0100", UNSIGNED],
  ["USMMLA", "0", "0101", UNSIGNED_SIGNED],
];

/** The rows. */
// deno-fmt-ignore
export const rows: readonly Row[] = [
  ...DOT.map(([name, feature, U, opcode, signs]) =>
    instruction(`${name}_vector`, `0 Q:1 ${U} 01110 10 0 Rm:5 1 ${opcode} 1 Rn:5 Rd:5`, `${name.toLowerCase()} {Rd:vector(qs)}, {Rn:vector(qb)}, {Rm:vector(qb)}`, dotVector(signs), { feature })),
  ...DOT_ELEMENT.map(([name, feature, U, size, opcode, signs]) =>
    instruction(`${name}_element`, `0 Q:1 ${U} 01111 ${size} L:1 M:1 Rm:4 ${opcode} H:1 0 Rn:5 Rd:5`, `${name.toLowerCase()} {Rd:vector(qs)}, {Rn:vector(qb)}, {M,Rm,H,L:numbered(4b)}`, dotElement(signs), { feature })),
  ...MATRIX.map(([name, U, opcode, signs]) =>
    instruction(name, `0 1 ${U} 01110 10 0 Rm:5 1 ${opcode} 1 Rn:5 Rd:5`, `${name.toLowerCase()} {Rd:vector(4s)}, {Rn:vector(16b)}, {Rm:vector(16b)}`, matrixProduct(signs), { feature: "I8MM" })),
];
