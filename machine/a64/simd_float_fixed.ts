/** Advanced SIMD conversion between floating point and fixed point, a row for each element size (Arm ARM C4.1); missing so far. */
import { type Instruction, missing, type Row } from "./instruction.ts";

/** Element sizes: letter, fixed bits of immh, bits of the shift. */
const ELEMENTS = [
  { letter: "s", immh: "01", bits: 5 },
  { letter: "d", immh: "1", bits: 6 },
] as const;

// Name, U, opcode.
const CONVERSIONS = [
  ["SCVTF", "0", "11100"],
  ["UCVTF", "1", "11100"],
  ["FCVTZS", "0", "11111"],
  ["FCVTZU", "1", "11111"],
] as const;

function fixedRows(
  [name, U, opcode]: typeof CONVERSIONS[number],
  { letter, immh, bits }: typeof ELEMENTS[number],
): Instruction[] {
  const mnemonic = name.toLowerCase(), suffix = letter.toUpperCase();
  const encoding = `0 Q:1 ${U} 011110 ${immh} shift:${bits} ${opcode} 1 Rn:5 Rd:5` as const;
  const scalarEncoding = `01 ${U} 111110 ${immh} shift:${bits} ${opcode} 1 Rn:5 Rd:5` as const;
  const vectors = `{Rd:vector(q${letter})}, {Rn:vector(q${letter})}`;
  const scalars = `{Rd:scalar(${letter})}, {Rn:scalar(${letter})}`;
  const needsFull = letter === "d" ? { when: ({ Q }: { readonly Q: number }) => Q === 1 } : {};
  return [
    missing(`${name}_imm_${suffix}`, encoding, `${mnemonic} ${vectors}, #{shift:rightShift}`, needsFull),
    missing(`${name}_imm_scalar_${suffix}`, scalarEncoding, `${mnemonic} ${scalars}, #{shift:rightShift}`),
  ];
}

/** The rows. */
export const rows: readonly Row[] = ELEMENTS.flatMap((element) =>
  CONVERSIONS.flatMap((conversion) => fixedRows(conversion, element))
);
