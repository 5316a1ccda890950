/** Advanced SIMD shifts by immediates, a row for each element size (Arm ARM C4.1); missing so far. */
import { alias, type Instruction, missing, neverPrinted, type Row } from "./instruction.ts";
import type { Bit } from "./simd_forms.ts";

/** Element sizes: letter, fixed bits of immh, bits of the shift, arrangements of 64 and 128 bits, the wider letter. */
// deno-fmt-ignore
const ELEMENTS = [
  { letter: "b", immh: "0001", bits: 3, half: "8b", full: "16b", wide: "8h", wideLetter: "h" },
  { letter: "h", immh: "001",  bits: 4, half: "4h", full: "8h",  wide: "4s", wideLetter: "s" },
  { letter: "s", immh: "01",   bits: 5, half: "2s", full: "4s",  wide: "2d", wideLetter: "d" },
  { letter: "d", immh: "1",    bits: 6, half: "",   full: "2d",  wide: "",   wideLetter: "" },
] as const;

type Element = typeof ELEMENTS[number];

// Same width: name, U, opcode, direction, vector sizes, scalar sizes.
// deno-fmt-ignore
const SAME: readonly (readonly [string, Bit, string, "right" | "left", string, string])[] = [
  ["SSHR",   "0", "00000", "right", "bhsd", "d"],    ["USHR",   "1", "00000", "right", "bhsd", "d"],
  ["SSRA",   "0", "00010", "right", "bhsd", "d"],    ["USRA",   "1", "00010", "right", "bhsd", "d"],
  ["SRSHR",  "0", "00100", "right", "bhsd", "d"],    ["URSHR",  "1", "00100", "right", "bhsd", "d"],
  ["SRSRA",  "0", "00110", "right", "bhsd", "d"],    ["URSRA",  "1", "00110", "right", "bhsd", "d"],
  ["SRI",    "1", "01000", "right", "bhsd", "d"],    ["SQSHLU", "1", "01100", "left",  "bhsd", "bhsd"],
  ["SHL",    "0", "01010", "left",  "bhsd", "d"],    ["SLI",    "1", "01010", "left",  "bhsd", "d"],
  ["SQSHL",  "0", "01110", "left",  "bhsd", "bhsd"], ["UQSHL",  "1", "01110", "left",  "bhsd", "bhsd"],
];

function sameRows(
  [name, U, opcode, direction, sizes, scalarSizes]: typeof SAME[number],
  element: Element,
): Instruction[] {
  const { letter, immh, bits, half } = element;
  const mnemonic = name.toLowerCase(), suffix = letter.toUpperCase();
  const shift = direction === "right" ? "#{shift:rightShift}" : "#{shift}";
  const vectors = `{Rd:vector(q${letter})}, {Rn:vector(q${letter})}`;
  const needsFull = half === "" ? { when: ({ Q }: { readonly Q: number }) => Q === 1 } : {};
  const encoding = `0 Q:1 ${U} 011110 ${immh} shift:${bits} ${opcode} 1 Rn:5 Rd:5` as const;
  const scalarEncoding = `01 ${U} 111110 ${immh} shift:${bits} ${opcode} 1 Rn:5 Rd:5` as const;
  const scalars = `{Rd:scalar(${letter})}, {Rn:scalar(${letter})}`;
  return [
    ...(sizes.includes(letter)
      ? [missing(`${name}_imm_${suffix}`, encoding, `${mnemonic} ${vectors}, ${shift}`, needsFull)]
      : []),
    ...(scalarSizes.includes(letter)
      ? [missing(`${name}_imm_scalar_${suffix}`, scalarEncoding, `${mnemonic} ${scalars}, ${shift}`)]
      : []),
  ];
}

// To half the width: name, U, opcode, whether there is a scalar form.
// deno-fmt-ignore
const NARROW = [
  ["SHRN",    "0", "10000", false], ["RSHRN",    "0", "10001", false], ["SQSHRUN", "1", "10000", true], ["SQRSHRUN", "1", "10001", true],
  ["SQSHRN",  "0", "10010", true],  ["SQRSHRN",  "0", "10011", true],  ["UQSHRN",  "1", "10010", true], ["UQRSHRN",  "1", "10011", true],
] as const;

function narrowRows([name, U, opcode, hasScalar]: typeof NARROW[number], element: Element): Row[] {
  const { letter, immh, bits, half, full, wide, wideLetter } = element;
  if (half === "") return [];
  const mnemonic = name.toLowerCase(), suffix = letter.toUpperCase();
  const tail = `{Rn:vector(${wide})}, #{shift:rightShift}`;
  // deno-fmt-ignore
  const rows: Row[] = [
    missing(`${name}_${suffix}`, `0 Q:1 ${U} 011110 ${immh} shift:${bits} ${opcode} 1 Rn:5 Rd:5`, `${mnemonic} {Rd:vector(${half})}, ${tail}`),
    alias(`${name}2_${suffix}`,  `0 1 ${U} 011110 ${immh} shift:${bits} ${opcode} 1 Rn:5 Rd:5`,   `${mnemonic}2 {Rd:vector(${full})}, ${tail}`),
  ];
  if (!hasScalar) return rows;
  const text = `${mnemonic} {Rd:scalar(${letter})}, {Rn:scalar(${wideLetter})}, #{shift:rightShift}`;
  return [
    ...rows,
    missing(`${name}_scalar_${suffix}`, `01 ${U} 111110 ${immh} shift:${bits} ${opcode} 1 Rn:5 Rd:5`, text),
  ];
}

/** SSHLL and USHLL to twice the width; without a shift they are SXTL and UXTL. */
function longRows([name, U, extension]: readonly [string, Bit, string], element: Element): Row[] {
  const { letter, immh, bits, half, full, wide } = element;
  if (half === "") return [];
  const mnemonic = name.toLowerCase(), suffix = letter.toUpperCase();
  const zeros = "0".repeat(bits), d = `{Rd:vector(${wide})}`;
  // deno-fmt-ignore
  return [
    missing(`${name}_${suffix}`,                   `0 Q:1 ${U} 011110 ${immh} shift:${bits} 10100 1 Rn:5 Rd:5`, `${mnemonic} ${d}, {Rn:vector(${half})}, #{shift}`),
    alias(`${name}2_${suffix}`,                    `0 1 ${U} 011110 ${immh} shift:${bits} 10100 1 Rn:5 Rd:5`,   `${mnemonic}2 ${d}, {Rn:vector(${full})}, #{shift}`),
    alias(`${extension.toUpperCase()}_${suffix}`,  `0 0 ${U} 011110 ${immh} ${zeros} 10100 1 Rn:5 Rd:5`,        `${extension} ${d}, {Rn:vector(${half})}`, neverPrinted),
    alias(`${extension.toUpperCase()}2_${suffix}`, `0 1 ${U} 011110 ${immh} ${zeros} 10100 1 Rn:5 Rd:5`,        `${extension}2 ${d}, {Rn:vector(${full})}`, neverPrinted),
  ];
}

const LONG = [["SSHLL", "0", "sxtl"], ["USHLL", "1", "uxtl"]] as const;

/** The rows. */
export const rows: readonly Row[] = ELEMENTS.flatMap((element): Row[] => [
  ...SAME.flatMap((row) => sameRows(row, element)),
  ...NARROW.flatMap((row) => narrowRows(row, element)),
  ...LONG.flatMap((row) => longRows(row, element)),
]);
