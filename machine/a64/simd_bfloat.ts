/** Advanced SIMD on BFloat16: dot products, matrix products, products added to singles, conversion (Arm ARM C4.1: FEAT_BF16). */
import type { Builder, Value } from "../ir/builder.ts";
import { alias, instruction, type Row } from "./instruction.ts";
import { repeatedElement, shuffled } from "./simd_float_forms.ts";
import { indexedElement, type IndexedFields } from "./simd_forms.ts";
import { vectorWidth, writeHalf } from "./simd_lanes.ts";

type Registers = Readonly<Record<"Rm" | "Rn" | "Rd", number>>;
type Dot = Registers & { readonly Q: number };
type Indexed = Registers & IndexedFields;

function dotProduct<F extends Dot>(factor: (ir: Builder, fields: F, width: 64 | 128) => Value) {
  return (ir: Builder, fields: F): void => {
    const { Q, Rn, Rd } = fields, width = vectorWidth(Q);
    ir.call("checkFpEnabled");
    const m = factor(ir, fields, width);
    ir.writeV(Rd, ir.float("bfloatDotAdd", width, 32, [ir.readV(Rd, width), ir.readV(Rn, width), m]));
  };
}

/** The 2 × 4 matrix Rn times the 4 × 2 matrix Rm, whose columns are stored as rows: a pair of products at a time. */
function matrixProduct(ir: Builder, { Rm, Rn, Rd }: Registers): void {
  const shape = { width: 128, format: 32 } as const;
  ir.call("checkFpEnabled");
  const n = ir.readV(Rn, 128), m = ir.readV(Rm, 128);
  const sum = [0, 1].reduce((sum, pair) => {
    const rows = shuffled(ir, shape, n, n, (lane) => (lane & 2) + pair);
    const columns = shuffled(ir, shape, m, m, (lane) => 2 * (lane & 1) + pair);
    return ir.float("bfloatDotAdd", 128, 32, [sum, rows, columns]);
  }, ir.readV(Rd, 128));
  ir.writeV(Rd, sum);
}

/** The lower (BFMLALB) or upper (BFMLALT) number of each word as a single: the upper half of its bits. */
function single(ir: Builder, value: Value, isTop: boolean): Value {
  if (!isTop) return ir.lanes("laneShiftLeft", 128, 32, [value, ir.constant(32, 16)]);
  return ir.and(128, value, ir.constant(128, 0xffff0000_ffff0000_ffff0000_ffff0000n));
}

function multiplyAddLong<F extends Registers>(isTop: boolean, factor: (ir: Builder, fields: F) => Value) {
  return (ir: Builder, fields: F): void => {
    const { Rn, Rd } = fields;
    ir.call("checkFpEnabled");
    const n = single(ir, ir.readV(Rn, 128), isTop), m = factor(ir, fields);
    ir.writeV(Rd, ir.float("floatMulAdd", 128, 32, [ir.readV(Rd, 128), n, m]));
  };
}

/** An element, in V0 to V15, as a single in every lane. */
const longElement = (ir: Builder, fields: Indexed): Value => {
  const { register, index } = indexedElement(1, fields);
  return single(ir, repeatedElement(ir, { width: 128, format: 16 }, register, index), false);
};

/** BFCVTN leaves the upper half zero, BFCVTN2 writes it alone. */
function narrow(ir: Builder, { Q, Rn, Rd }: Readonly<Record<"Q" | "Rn" | "Rd", number>>): void {
  ir.call("checkFpEnabled");
  const narrowed = ir.float("bfloatNarrow", 64, 32, [ir.readV(Rn, 128)]);
  writeHalf(ir, Q, Rd, narrowed);
}

const BF16 = { feature: "BF16" } as const;

const dotVector = dotProduct((ir, { Rm }, width) => ir.readV(Rm, width));
const dotElement = dotProduct((ir, { L, M, Rm, H }: Dot & Indexed, width) =>
  repeatedElement(ir, { width, format: 32 }, M << 4 | Rm, H << 1 | L)
);

/** The rows. */
// deno-fmt-ignore
export const rows: readonly Row[] = [
  instruction("BFDOT_vector",   "0 Q:1 1 01110 01 0 Rm:5 1 1111 1 Rn:5 Rd:5",              "bfdot {Rd:vector(qs)}, {Rn:vector(qh)}, {Rm:vector(qh)}",          dotVector,  BF16),
  instruction("BFDOT_element",  "0 Q:1 0 01111 01 L:1 M:1 Rm:4 1111 H:1 0 Rn:5 Rd:5",     "bfdot {Rd:vector(qs)}, {Rn:vector(qh)}, {M,Rm,H,L:numbered(2h)}", dotElement, BF16),
  instruction("BFMMLA",         "0 1 1 01110 01 0 Rm:5 1 1101 1 Rn:5 Rd:5",                "bfmmla {Rd:vector(4s)}, {Rn:vector(8h)}, {Rm:vector(8h)}",        matrixProduct, BF16),
  ...([["BFMLALB", "0", false], ["BFMLALT", "1", true]] as const).flatMap(([name, Q, isTop]) => [
    instruction(`${name}_vector`,  `0 ${Q} 1 01110 11 0 Rm:5 1 1111 1 Rn:5 Rd:5`,          `${name.toLowerCase()} {Rd:vector(4s)}, {Rn:vector(8h)}, {Rm:vector(8h)}`,       multiplyAddLong(isTop, (ir, { Rm }) => single(ir, ir.readV(Rm, 128), isTop)), BF16),
    instruction(`${name}_element`, `0 ${Q} 0 01111 11 L:1 M:1 Rm:4 1111 H:1 0 Rn:5 Rd:5`, `${name.toLowerCase()} {Rd:vector(4s)}, {Rn:vector(8h)}, {M,Rm,H,L:indexed(h)}`, multiplyAddLong(isTop, longElement), BF16),
  ]),
  instruction("BFCVTN",         "0 Q:1 0 01110 10 10000 10110 10 Rn:5 Rd:5",                 "bfcvtn {Rd:vector(4h)}, {Rn:vector(4s)}", narrow, BF16),
  alias("BFCVTN2",              "0 1 0 01110 10 10000 10110 10 Rn:5 Rd:5",                   "bfcvtn2 {Rd:vector(8h)}, {Rn:vector(4s)}"),
];
