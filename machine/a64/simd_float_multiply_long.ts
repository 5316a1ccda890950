/** Advanced SIMD products of halves added to singles, vectors and by an element (Arm ARM C4.1: FEAT_FHM). */
import type { Builder, Value } from "../ir/builder.ts";
import { type Instruction, instruction, type Row } from "./instruction.ts";
import { repeatedElement } from "./simd_float_forms.ts";
import { indexedElement, type IndexedFields } from "./simd_forms.ts";
import { vectorWidth } from "./simd_lanes.ts";

type Registers = Readonly<Record<"Q" | "Rn" | "Rd", number>>;

/** As many halves as make a vector of singles: a whole vector of `width` bits of them. */
interface Halves {
  readonly width: 32 | 64;
  readonly format: 16;
}

/** Halves of Rn, the lower or upper ones of the vector, times those of another, added to or subtracted from Rd. */
function multiplyLong<F extends Registers>(
  isUpper: boolean,
  isSubtract: boolean,
  factor: (ir: Builder, fields: F, shape: Halves, part: (register: number) => Value) => Value,
) {
  return (ir: Builder, fields: F): void => {
    const { Q, Rn, Rd } = fields, width = vectorWidth(Q), half = Q === 1 ? 64 : 32;
    const part = (register: number): Value =>
      isUpper ? ir.extract(half, ir.readV(register, width), half) : ir.readV(register, half);
    const singles = (halves: Value): Value => ir.float("floatExtendHalf", width, 16, [halves]);
    ir.call("checkFpEnabled");
    const n = singles(part(Rn)), m = singles(factor(ir, fields, { width: half, format: 16 }, part));
    const signed = isSubtract ? ir.float("floatNegate", width, 32, [n]) : n;
    ir.writeV(Rd, ir.float("floatMulAdd", width, 32, [ir.readV(Rd, width), signed, m]));
  };
}

function longVector(isUpper: boolean, isSubtract: boolean) {
  type Fields = Registers & { readonly Rm: number };
  return multiplyLong(isUpper, isSubtract, (_ir, { Rm }: Fields, _shape, part) => part(Rm));
}

function longElement(isUpper: boolean, isSubtract: boolean) {
  return multiplyLong(isUpper, isSubtract, (ir, fields: Registers & IndexedFields, shape) => {
    const { register, index } = indexedElement(1, fields);
    return repeatedElement(ir, shape, register, index);
  });
}

// Name, U, top bit of size, opcode, opcode by an element, whether it subtracts.
const LONG = [
  ["FMLAL", "0", "0", "11101", "0000", false],
  ["FMLAL2", "1", "0", "11001", "1000", false],
  ["FMLSL", "0", "1", "11101", "0100", true],
  ["FMLSL2", "1", "1", "11001", "1100", true],
] as const;

const FHM = { feature: "FHM" } as const;

function longRows([name, U, top, opcode, indexedOpcode, isSubtract]: typeof LONG[number]): Instruction[] {
  const text = `${name.toLowerCase()} {Rd:vector(qs)}, {Rn:vector(qhLong)}`, isUpper = U === "1";
  // deno-fmt-ignore
  return [
    instruction(`${name}_vector`,  `0 Q:1 ${U} 01110 ${top} 01 Rm:5 ${opcode} 1 Rn:5 Rd:5`,                `${text}, {Rm:vector(qhLong)}`,    longVector(isUpper, isSubtract),  FHM),
    instruction(`${name}_element`, `0 Q:1 ${U} 01111 10 L:1 M:1 Rm:4 ${indexedOpcode} H:1 0 Rn:5 Rd:5`, `${text}, {M,Rm,H,L:indexed(h)}`, longElement(isUpper, isSubtract), FHM),
  ];
}

/** The rows. */
export const rows: readonly Row[] = LONG.flatMap(longRows);
