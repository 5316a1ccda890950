/** Advanced SIMD multiplication of integers by an element (Arm ARM C4.1: vector and scalar x indexed element). */
import type { Builder, Value } from "../ir/builder.ts";
import type { Feature } from "./feature.ts";
import { alias, instruction, type Row } from "./instruction.ts";
import {
  addTo,
  combinedBy,
  doublingProduct,
  operation,
  roundingDoublingMulAdd,
  subtractFrom,
  widened,
} from "./simd_arithmetic.ts";
import { type Bit, hasSize, indexedElement, type IndexedFields, scalar, vector } from "./simd_forms.ts";
import {
  Lanes,
  laneWidth,
  type Meaning,
  readElement,
  readHalf,
  type Sign,
  vectorWidth,
} from "./simd_lanes.ts";

const mul = operation("laneMul");

// Elements of 16 or 32 bits: name, U, opcode, whether it lengthens, whether there is a scalar form, extension, meaning.
// deno-fmt-ignore
const INDEXED: readonly (readonly [string, Bit, string, boolean, boolean, Feature, Meaning])[] = [
  ["MLA",      "1", "0000", false, false, "Armv8.0", addTo(mul)],
  ["MLS",      "1", "0100", false, false, "Armv8.0", subtractFrom(mul)],
  ["MUL",      "0", "1000", false, false, "Armv8.0", mul],
  ["SMLAL",    "0", "0010", true,  false, "Armv8.0", addTo(mul)],
  ["UMLAL",    "1", "0010", true,  false, "Armv8.0", addTo(mul)],
  ["SMLSL",    "0", "0110", true,  false, "Armv8.0", subtractFrom(mul)],
  ["UMLSL",    "1", "0110", true,  false, "Armv8.0", subtractFrom(mul)],
  ["SMULL",    "0", "1010", true,  false, "Armv8.0", mul],
  ["UMULL",    "1", "1010", true,  false, "Armv8.0", mul],
  ["SQDMLAL",  "0", "0011", true,  true,  "Armv8.0", combinedBy("laneAddSaturatingSigned", doublingProduct)],
  ["SQDMLSL",  "0", "0111", true,  true,  "Armv8.0", combinedBy("laneSubSaturatingSigned", doublingProduct)],
  ["SQDMULL",  "0", "1011", true,  true,  "Armv8.0", doublingProduct],
  ["SQDMULH",  "0", "1100", false, true,  "Armv8.0", operation("laneDoublingMulHigh", 0)],
  ["SQRDMULH", "0", "1101", false, true,  "Armv8.0", operation("laneDoublingMulHigh", 1)],
  ["SQRDMLAH", "1", "1101", false, true,  "RDM",     roundingDoublingMulAdd(0)],
  ["SQRDMLSH", "1", "1111", false, true,  "RDM",     roundingDoublingMulAdd(1)],
];

type Fields = IndexedFields & Readonly<Record<"size" | "Rn" | "Rd", number>>;
type VectorFields = Fields & { readonly Q: number };

function elementOf(ir: Builder, fields: Fields): Value {
  const { register, index } = indexedElement(fields.size, fields);
  return readElement(ir, register, laneWidth(fields.size), index);
}

function same(meaning: Meaning) {
  return (ir: Builder, fields: VectorFields): void => {
    const { Q, size, Rn, Rd } = fields;
    const lanes = new Lanes(ir, vectorWidth(Q), laneWidth(size));
    const whole = (register: number): Value => ir.readV(register, lanes.width);
    ir.call("checkFpEnabled");
    const n = whole(Rn), m = lanes.apply("laneBroadcast", [elementOf(ir, fields)]);
    ir.writeV(Rd, meaning(lanes, n, m, () => whole(Rd)));
  };
}

function long(sign: Sign, meaning: Meaning) {
  return (ir: Builder, fields: VectorFields): void => {
    const { Q, size, Rn, Rd } = fields;
    const lanes = new Lanes(ir, 128, laneWidth(size)), { wide } = lanes;
    const extend = sign === "Signed" ? ir.signExtend.bind(ir) : ir.zeroExtend.bind(ir);
    ir.call("checkFpEnabled");
    const n = widened(sign, lanes, readHalf(ir, Q, Rn));
    const m = wide.apply("laneBroadcast", [extend(wide.lane, elementOf(ir, fields))]);
    ir.writeV(Rd, meaning(wide, n, m, () => ir.readV(Rd, 128)));
  };
}

/** Lanes as wide as the result; the arguments are signed. */
function onScalars(isLong: boolean, meaning: Meaning) {
  return (ir: Builder, fields: Fields): void => {
    const { size, Rn, Rd } = fields;
    const lane = laneWidth(size), wide = isLong ? laneWidth(size + 1) : lane;
    ir.call("checkFpEnabled");
    const n = ir.signExtend(wide, ir.readV(Rn, lane)), m = ir.signExtend(wide, elementOf(ir, fields));
    ir.writeV(Rd, meaning(new Lanes(ir, wide, wide), n, m, () => ir.readV(Rd, wide)));
  };
}

const ELEMENT = "{M,Rm,H,L:indexed}";

function vectorRows([name, U, opcode, isLong, , feature, meaning]: typeof INDEXED[number]): Row[] {
  const mnemonic = name.toLowerCase(), options = { ...hasSize("hs"), feature };
  const encoding = `0 Q:1 ${U} 01111 size:2 L:1 M:1 Rm:4 ${opcode} H:1 0 Rn:5 Rd:5` as const;
  const text = (d: string, n: string) => `${vector("Rd", d)}, ${vector("Rn", n)}, ${ELEMENT}`;
  if (!isLong) {
    return [
      instruction(`${name}_element`, encoding, `${mnemonic} ${text("full", "full")}`, same(meaning), options),
    ];
  }
  const lowering = long(U === "1" ? "Unsigned" : "Signed", meaning);
  // deno-fmt-ignore
  return [
    instruction(`${name}_element`, encoding, `${mnemonic} ${text("wide", "lower")}`, lowering, options),
    alias(`${name}2_element`, `0 1 ${U} 01111 size:2 L:1 M:1 Rm:4 ${opcode} H:1 0 Rn:5 Rd:5`, `${mnemonic}2 ${text("wide", "upper")}`),
  ];
}

function scalarRows([name, U, opcode, isLong, hasScalar, feature, meaning]: typeof INDEXED[number]): Row[] {
  if (!hasScalar) return [];
  const d = scalar("Rd", isLong ? "byWide" : "bySize"), n = scalar("Rn", "bySize");
  const encoding = `01 ${U} 11111 size:2 L:1 M:1 Rm:4 ${opcode} H:1 0 Rn:5 Rd:5` as const;
  const text = `${name.toLowerCase()} ${d}, ${n}, ${ELEMENT}`;
  const options = { ...hasSize("hs"), feature };
  return [instruction(`${name}_scalar_element`, encoding, text, onScalars(isLong, meaning), options)];
}

/** The rows. */
export const rows: readonly Row[] = INDEXED.flatMap((row) => [...vectorRows(row), ...scalarRows(row)]);
