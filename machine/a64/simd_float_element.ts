/** Advanced SIMD multiplication of floating point by an element (Arm ARM C4.1); missing so far. */
import { missing, type Row } from "./instruction.ts";
import { hasFloatSize, scalar, vector } from "./simd_forms.ts";

const ELEMENT = "{M,Rm,H,L:indexed}";

const INDEXED_FLOAT = [["FMLA", "0", "0001"], ["FMLS", "0", "0101"], ["FMUL", "0", "1001"], [
  "FMULX",
  "1",
  "1001",
]] as const;

type FloatElement = { readonly sz: number; readonly L: number };

/** An element of 64 bits has no L bit. */
const doubleElement = ({ sz, L }: FloatElement): boolean => sz === 0 || L === 0;

function indexedFloatRows([name, U, opcode]: typeof INDEXED_FLOAT[number]): Row[] {
  const mnemonic = name.toLowerCase();
  // deno-fmt-ignore
  return [
    missing(`${name}_element`,        `0 Q:1 ${U} 01111 1 sz:1 L:1 M:1 Rm:4 ${opcode} H:1 0 Rn:5 Rd:5`, `${mnemonic} ${vector("Rd", "float")}, ${vector("Rn", "float")}, ${ELEMENT}`,
      { when: (fields) => doubleElement(fields) && hasFloatSize.when(fields) }),
    missing(`${name}_scalar_element`, `01 ${U} 11111 1 sz:1 L:1 M:1 Rm:4 ${opcode} H:1 0 Rn:5 Rd:5`,    `${mnemonic} ${scalar("Rd", "bySz")}, ${scalar("Rn", "bySz")}, ${ELEMENT}`,
      { when: doubleElement }),
  ];
}

/** The rows. */
export const rows: readonly Row[] = INDEXED_FLOAT.flatMap(indexedFloatRows);
