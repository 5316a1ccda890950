/** SIMD copies, immediates and bitwise logic (Arm ARM C4.1: Advanced SIMD copy, modified immediate, three same). */
import type { Builder, Value } from "../ir/builder.ts";
import { floatImmediateBits } from "./float.ts";
import { alias, instruction, type Row } from "./instruction.ts";
import { type Lane, Lanes, laneWidth, readElement, vectorWidth } from "./simd_lanes.ts";

type Copy = Readonly<Record<"Q" | "imm5" | "Rn" | "Rd", number>>;

/** The lane that imm5 names: its width by the lowest one, its number above. */
function laneOf(imm5: number): { readonly lane: Lane; readonly index: number; readonly scale: number } {
  const scale = 31 - Math.clz32(imm5 & -imm5);
  return { lane: laneWidth(scale), index: imm5 >> scale + 1, scale };
}

/** A general or vector element in every element of a vector. */
function duplicate(ir: Builder, { Q, imm5, Rd }: Copy, element: Value): void {
  const width = vectorWidth(Q), { lane } = laneOf(imm5);
  ir.writeV(Rd, width === lane ? element : ir.lanes("laneBroadcast", width, lane, [element]));
}

function duplicateElement(ir: Builder, fields: Copy): void {
  const { lane, index } = laneOf(fields.imm5);
  ir.call("checkFpEnabled");
  duplicate(ir, fields, readElement(ir, fields.Rn, lane, index));
}

function duplicateGeneral(ir: Builder, fields: Copy): void {
  ir.call("checkFpEnabled");
  duplicate(ir, fields, ir.readX(fields.Rn, laneOf(fields.imm5).lane));
}

type Insert = Readonly<Record<"imm5" | "Rn" | "Rd", number>>;

/** Replaces the element that imm5 names. */
function insert(ir: Builder, { imm5, Rd }: Insert, element: Value): void {
  const { lane, index } = laneOf(imm5);
  ir.writeV(Rd, ir.lanes("laneInsert", 128, lane, [ir.readV(Rd, 128), element], index));
}

function insertGeneral(ir: Builder, fields: Insert): void {
  ir.call("checkFpEnabled");
  insert(ir, fields, ir.readX(fields.Rn, laneOf(fields.imm5).lane));
}

function insertElement(ir: Builder, fields: Insert & { readonly imm4: number }): void {
  const { lane, scale } = laneOf(fields.imm5);
  ir.call("checkFpEnabled");
  insert(ir, fields, readElement(ir, fields.Rn, lane, fields.imm4 >> scale));
}

/** SMOV and UMOV: an element extended to a general register. */
function moveElement(signed: boolean) {
  return (ir: Builder, { Q, imm5, Rn, Rd }: Copy): void => {
    const width = Q ? 64 : 32, { lane, index } = laneOf(imm5);
    ir.call("checkFpEnabled");
    const element = readElement(ir, Rn, lane, index);
    ir.writeX(Rd, width, signed ? ir.signExtend(width, element) : ir.zeroExtend(width, element));
  };
}

function duplicateScalar(ir: Builder, { imm5, Rn, Rd }: Insert): void {
  const { lane, index } = laneOf(imm5);
  ir.call("checkFpEnabled");
  ir.writeV(Rd, readElement(ir, Rn, lane, index));
}

type Immediate = Readonly<Record<"Q" | "abc" | "defgh" | "Rd", number>>;

/** What an immediate does with the register. */
type Use = "move" | "or" | "clear";

/** Uses a vector immediate: elements of `size` bits that `expand` makes of imm8 and the shift fields. */
function immediate<F extends Immediate>(use: Use, size: Lane, expand: (imm8: bigint, fields: F) => bigint) {
  return (ir: Builder, fields: F): void => {
    const lanes = new Lanes(ir, vectorWidth(fields.Q), size), { width } = lanes;
    const value = expand(BigInt(fields.abc << 5 | fields.defgh), fields);
    ir.call("checkFpEnabled");
    const constant = lanes.every(use === "clear" ? ~value : value);
    if (use === "move") return ir.writeV(fields.Rd, constant);
    const old = ir.readV(fields.Rd, width);
    ir.writeV(fields.Rd, use === "or" ? ir.or(width, old, constant) : ir.and(width, old, constant));
  };
}

type Shifted = Immediate & { readonly shift: number };
const byPlaces = (imm8: bigint, { shift }: Shifted): bigint => imm8 << BigInt(8 * shift);
const invertedByPlaces = (imm8: bigint, fields: Shifted): bigint => ~byPlaces(imm8, fields);
/** MSL shifts ones in. */
const withOnes = (imm8: bigint, { shift }: Shifted): bigint => ((imm8 + 1n) << BigInt(8 * shift + 8)) - 1n;
const invertedWithOnes = (imm8: bigint, fields: Shifted): bigint => ~withOnes(imm8, fields);
const plain = (imm8: bigint): bigint => imm8;
const bytes = (imm8: bigint): bigint =>
  Array.from({ length: 8 }, (_, i) => (imm8 >> BigInt(i) & 1n) * 0xffn << BigInt(8 * i)).reduce((a, b) =>
    a | b
  );
const float32 = (imm8: bigint): bigint => floatImmediateBits(Number(imm8), 32);
const float64 = (imm8: bigint): bigint => floatImmediateBits(Number(imm8), 64);

type Logical = Readonly<Record<"Q" | "Rm" | "Rn" | "Rd", number>>;

/** A bitwise operation on whole registers; `d`, `n` and `m` are Rd, Rn and Rm. */
function bitwise(operation: (ir: Builder, width: 64 | 128, n: Value, m: Value, d: () => Value) => Value) {
  return (ir: Builder, { Q, Rm, Rn, Rd }: Logical): void => {
    const width = vectorWidth(Q);
    ir.call("checkFpEnabled");
    const n = ir.readV(Rn, width), m = ir.readV(Rm, width);
    ir.writeV(Rd, operation(ir, width, n, m, () => ir.readV(Rd, width)));
  };
}

/** Bits of `a` where the mask is one, of `b` where it is zero. */
function choose(ir: Builder, width: 64 | 128, mask: Value, a: Value, b: Value): Value {
  return ir.xor(width, b, ir.and(width, ir.xor(width, a, b), mask));
}

type Imm5 = { readonly imm5: number };
/** Elements of 8 to 64 bits. */
const elementExists = { when: ({ imm5 }: Imm5): boolean => (imm5 & 15) !== 0 };
/** Elements of 64 bits need a 128-bit vector. */
const vectorExists = {
  when: ({ imm5, Q }: Imm5 & { readonly Q: number }): boolean =>
    (imm5 & 15) !== 0 && (Q === 1 || (imm5 & 15) !== 8),
};
/** SMOV extends to a wider register; UMOV moves 64 bits to X registers alone and fewer to W registers. */
const signedExists = {
  when: ({ imm5, Q }: Imm5 & { readonly Q: number }): boolean =>
    (imm5 & 7) !== 0 && (Q === 1 || (imm5 & 3) !== 0),
};
const unsignedExists = {
  when: ({ imm5, Q }: Imm5 & { readonly Q: number }): boolean =>
    Q === 1 ? (imm5 & 15) === 8 : (imm5 & 7) !== 0,
};

const vd = "{Rd:vector(qb)}",
  vn = "{Rn:vector(qb)}",
  vm = "{Rm:vector(qb)}",
  imm8 = "#{abc,defgh}";

/** The rows. */
// deno-fmt-ignore
export const rows: readonly Row[] = [
  // Copies.
  instruction("DUP_element", "0 Q:1 0 01110000 imm5:5 0 0000 1 Rn:5 Rd:5", "dup {Rd:duplicate}, {Rn,imm5:element}", duplicateElement, vectorExists),
  instruction("DUP_general", "0 Q:1 0 01110000 imm5:5 0 0001 1 Rn:5 Rd:5", "dup {Rd,imm5:duplicate}, {Rn:generalOfElement}", duplicateGeneral, vectorExists),
  instruction("SMOV",        "0 Q:1 0 01110000 imm5:5 0 0101 1 Rn:5 Rd:5", "smov {Rd:x(Q)}, {Rn,imm5:element}",    moveElement(true),  signedExists),
  instruction("UMOV",        "0 Q:1 0 01110000 imm5:5 0 0111 1 Rn:5 Rd:5", "umov {Rd:x(Q)}, {Rn,imm5:element}",    moveElement(false), unsignedExists),
  alias("MOV_from_element",  "0 Q:1 0 01110000 imm5:5 0 0111 1 Rn:5 Rd:5", "mov {Rd:x(Q)}, {Rn,imm5:element}",     ({ imm5 }) => (imm5 & 3) === 0),
  instruction("INS_general", "0 1 0 01110000 imm5:5 0 0011 1 Rn:5 Rd:5",   "ins {Rd,imm5:element}, {Rn:generalOfElement}", insertGeneral, elementExists),
  alias("MOV_to_element",    "0 1 0 01110000 imm5:5 0 0011 1 Rn:5 Rd:5",   "mov {Rd,imm5:element}, {Rn:generalOfElement}"),
  instruction("INS_element", "0 1 1 01110000 imm5:5 0 imm4:4 1 Rn:5 Rd:5", "ins {Rd,imm5:element}, {Rn,imm5,imm4:element(copy)}", insertElement, elementExists),
  alias("MOV_element",       "0 1 1 01110000 imm5:5 0 imm4:4 1 Rn:5 Rd:5", "mov {Rd,imm5:element}, {Rn,imm5,imm4:element(copy)}"),
  instruction("DUP_scalar",  "01 0 11110000 imm5:5 0 0000 1 Rn:5 Rd:5",    "dup {Rd:scalarOfElement}, {Rn,imm5:element}", duplicateScalar, elementExists),
  alias("MOV_scalar",        "01 0 11110000 imm5:5 0 0000 1 Rn:5 Rd:5",    "mov {Rd:scalarOfElement}, {Rn,imm5:element}"),
  // Immediates.
  instruction("MOVI_32",   "0 Q:1 0 0111100000 abc:3 0 shift:2 0 0 1 defgh:5 Rd:5", `movi {Rd:vector(qs)}, ${imm8}{shift:lsl8}`,      immediate("move", 32, byPlaces)),
  instruction("ORR_32",    "0 Q:1 0 0111100000 abc:3 0 shift:2 1 0 1 defgh:5 Rd:5", `orr {Rd:vector(qs)}, ${imm8}{shift:lsl8}`,       immediate("or", 32, byPlaces)),
  instruction("MOVI_16",   "0 Q:1 0 0111100000 abc:3 10 shift:1 0 0 1 defgh:5 Rd:5", `movi {Rd:vector(qh)}, ${imm8}{shift:lsl8}`,    immediate("move", 16, byPlaces)),
  instruction("ORR_16",    "0 Q:1 0 0111100000 abc:3 10 shift:1 1 0 1 defgh:5 Rd:5", `orr {Rd:vector(qh)}, ${imm8}{shift:lsl8}`,     immediate("or", 16, byPlaces)),
  instruction("MOVI_ones", "0 Q:1 0 0111100000 abc:3 110 shift:1 0 1 defgh:5 Rd:5", `movi {Rd:vector(qs)}, ${imm8}{shift:msl}`,       immediate("move", 32, withOnes)),
  instruction("MOVI_8",    "0 Q:1 0 0111100000 abc:3 1110 0 1 defgh:5 Rd:5",        `movi {Rd:vector(qb)}, ${imm8}`,                  immediate("move", 8, plain)),
  instruction("FMOV_4S",   "0 Q:1 0 0111100000 abc:3 1111 0 1 defgh:5 Rd:5",        "fmov {Rd:vector(qs)}, #{abc,defgh:float8}",      immediate("move", 32, float32)),
  instruction("MVNI_32",   "0 Q:1 1 0111100000 abc:3 0 shift:2 0 0 1 defgh:5 Rd:5", `mvni {Rd:vector(qs)}, ${imm8}{shift:lsl8}`,      immediate("move", 32, invertedByPlaces)),
  instruction("BIC_32",    "0 Q:1 1 0111100000 abc:3 0 shift:2 1 0 1 defgh:5 Rd:5", `bic {Rd:vector(qs)}, ${imm8}{shift:lsl8}`,       immediate("clear", 32, byPlaces)),
  instruction("MVNI_16",   "0 Q:1 1 0111100000 abc:3 10 shift:1 0 0 1 defgh:5 Rd:5", `mvni {Rd:vector(qh)}, ${imm8}{shift:lsl8}`,    immediate("move", 16, invertedByPlaces)),
  instruction("BIC_16",    "0 Q:1 1 0111100000 abc:3 10 shift:1 1 0 1 defgh:5 Rd:5", `bic {Rd:vector(qh)}, ${imm8}{shift:lsl8}`,     immediate("clear", 16, byPlaces)),
  instruction("MVNI_ones", "0 Q:1 1 0111100000 abc:3 110 shift:1 0 1 defgh:5 Rd:5", `mvni {Rd:vector(qs)}, ${imm8}{shift:msl}`,       immediate("move", 32, invertedWithOnes)),
  instruction("MOVI_D",    "0 0 1 0111100000 abc:3 1110 0 1 defgh:5 Rd:5",          "movi {Rd:scalar(d)}, #{abc,defgh:byteMask}",        (ir, fields) => immediate("move", 64, bytes)(ir, { ...fields, Q: 0 })),
  instruction("MOVI_2D",   "0 1 1 0111100000 abc:3 1110 0 1 defgh:5 Rd:5",          "movi {Rd:vector(2d)}, #{abc,defgh:byteMask}",       (ir, fields) => immediate("move", 64, bytes)(ir, { ...fields, Q: 1 })),
  instruction("FMOV_2D",   "0 1 1 0111100000 abc:3 1111 0 1 defgh:5 Rd:5",          "fmov {Rd:vector(2d)}, #{abc,defgh:float8}",         (ir, fields) => immediate("move", 64, float64)(ir, { ...fields, Q: 1 })),
  // Bitwise logic.
  instruction("AND_vector", "0 Q:1 0 01110 00 1 Rm:5 00011 1 Rn:5 Rd:5", `and ${vd}, ${vn}, ${vm}`, bitwise((ir, w, n, m) => ir.and(w, n, m))),
  instruction("BIC_vector", "0 Q:1 0 01110 01 1 Rm:5 00011 1 Rn:5 Rd:5", `bic ${vd}, ${vn}, ${vm}`, bitwise((ir, w, n, m) => ir.and(w, n, ir.not(w, m)))),
  instruction("ORR_vector", "0 Q:1 0 01110 10 1 Rm:5 00011 1 Rn:5 Rd:5", `orr ${vd}, ${vn}, ${vm}`, bitwise((ir, w, n, m) => ir.or(w, n, m))),
  instruction("ORN_vector", "0 Q:1 0 01110 11 1 Rm:5 00011 1 Rn:5 Rd:5", `orn ${vd}, ${vn}, ${vm}`, bitwise((ir, w, n, m) => ir.or(w, n, ir.not(w, m)))),
  instruction("EOR_vector", "0 Q:1 1 01110 00 1 Rm:5 00011 1 Rn:5 Rd:5", `eor ${vd}, ${vn}, ${vm}`, bitwise((ir, w, n, m) => ir.xor(w, n, m))),
  instruction("BSL",        "0 Q:1 1 01110 01 1 Rm:5 00011 1 Rn:5 Rd:5", `bsl ${vd}, ${vn}, ${vm}`, bitwise((ir, w, n, m, d) => choose(ir, w, d(), n, m))),
  instruction("BIT",        "0 Q:1 1 01110 10 1 Rm:5 00011 1 Rn:5 Rd:5", `bit ${vd}, ${vn}, ${vm}`, bitwise((ir, w, n, m, d) => choose(ir, w, m, n, d()))),
  instruction("BIF",        "0 Q:1 1 01110 11 1 Rm:5 00011 1 Rn:5 Rd:5", `bif ${vd}, ${vn}, ${vm}`, bitwise((ir, w, n, m, d) => choose(ir, w, m, d(), n))),
  alias("MOV_vector",       "0 Q:1 0 01110 10 1 Rm:5 00011 1 Rn:5 Rd:5", `mov ${vd}, {Rn,Rm:vector(qb)}`, ({ Rn, Rm }) => Rn === Rm),
];
