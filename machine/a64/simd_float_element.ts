/** Advanced SIMD multiplication of floating point by an element (Arm ARM C4.1: vector x indexed element). */
import type { Builder } from "../ir/builder.ts";
import { type Instruction, instruction, type Row } from "./instruction.ts";
import {
  binary,
  type FloatFields,
  multiplyAdd,
  multiplySubtract,
  repeatedElement,
  shapeOf,
  type TwoMeaning,
} from "./simd_float_forms.ts";
import { hasFloatSize, indexedElement, type IndexedFields, scalar, vector } from "./simd_forms.ts";

// Name, U, opcode, meaning.
const INDEXED = [
  ["FMLA", "0", "0001", multiplyAdd],
  ["FMLS", "0", "0101", multiplySubtract],
  ["FMUL", "0", "1001", binary("floatMul")],
  ["FMULX", "1", "1001", binary("floatMulExtended")],
] as const;

type Indexed = FloatFields & IndexedFields & Readonly<Record<"Rn" | "Rd", number>>;

/** Lowering with an element of Rm. */
function byElement(meaning: TwoMeaning) {
  return (ir: Builder, fields: Indexed): void => {
    const { Rn, Rd } = fields, shape = shapeOf(fields), { width, format } = shape;
    const { register, index } = indexedElement(format === 64 ? 3 : format >> 4, fields);
    ir.call("checkFpEnabled");
    const m = repeatedElement(ir, shape, register, index);
    ir.writeV(Rd, meaning(ir, shape, ir.readV(Rn, width), m, () => ir.readV(Rd, width)));
  };
}

type FloatElement = { readonly sz: number; readonly L: number };

/** An element of 64 bits has no L bit. */
const scalarExists = { when: ({ sz, L }: FloatElement): boolean => sz === 0 || L === 0 };
const vectorExists = {
  when: (fields: FloatElement & { readonly Q: number }): boolean =>
    scalarExists.when(fields) && hasFloatSize.when(fields),
};

const ELEMENT = "{M,Rm,H,L:indexed}", HALF_ELEMENT = "{M,Rm,H,L:indexed(h)}";
const FP16 = { feature: "FP16" } as const;

function indexedRows([name, U, opcode, meaning]: typeof INDEXED[number]): Instruction[] {
  const lowering = byElement(meaning);
  const text = (of: typeof vector, choice: string, m: string) =>
    `${name.toLowerCase()} ${of("Rd", choice)}, ${of("Rn", choice)}, ${m}`;
  // deno-fmt-ignore
  return [
    instruction(`${name}_element`,             `0 Q:1 ${U} 01111 1 sz:1 L:1 M:1 Rm:4 ${opcode} H:1 0 Rn:5 Rd:5`, text(vector, "float", ELEMENT),   lowering, vectorExists),
    instruction(`${name}_scalar_element`,      `01 ${U} 11111 1 sz:1 L:1 M:1 Rm:4 ${opcode} H:1 0 Rn:5 Rd:5`,    text(scalar, "bySz", ELEMENT),    lowering, scalarExists),
    instruction(`${name}_element_half`,        `0 Q:1 ${U} 01111 00 L:1 M:1 Rm:4 ${opcode} H:1 0 Rn:5 Rd:5`,     text(vector, "qh", HALF_ELEMENT), lowering, FP16),
    instruction(`${name}_scalar_element_half`, `01 ${U} 11111 00 L:1 M:1 Rm:4 ${opcode} H:1 0 Rn:5 Rd:5`,        text(scalar, "h", HALF_ELEMENT),  lowering, FP16),
  ];
}

/** The rows. */
export const rows: readonly Row[] = INDEXED.flatMap(indexedRows);
