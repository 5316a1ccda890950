/** Advanced SIMD shifts by immediates, a row for each element size (Arm ARM C4.1). */
import type { Builder, Value } from "../ir/builder.ts";
import { alias, instruction, neverPrinted, type Row } from "./instruction.ts";
import { narrowBy, type Narrowing, narrowToUnsigned, toUnsigned, widened } from "./simd_arithmetic.ts";
import type { Bit } from "./simd_forms.ts";
import { type Lane, Lanes, readHalf, type Sign, vectorWidth, writeHalf } from "./simd_lanes.ts";

/** Element sizes: letter, width, fixed bits of immh, bits of the shift, arrangements of 64 and 128 bits, the wider letter. */
// deno-fmt-ignore
const ELEMENTS = [
  { letter: "b", lane: 8,  immh: "0001", bits: 3, half: "8b", full: "16b", wide: "8h", wideLetter: "h" },
  { letter: "h", lane: 16, immh: "001",  bits: 4, half: "4h", full: "8h",  wide: "4s", wideLetter: "s" },
  { letter: "s", lane: 32, immh: "01",   bits: 5, half: "2s", full: "4s",  wide: "2d", wideLetter: "d" },
  { letter: "d", lane: 64, immh: "1",    bits: 6, half: "",   full: "2d",  wide: "",   wideLetter: "" },
] as const;

type Element = typeof ELEMENTS[number];

/** What an instruction computes of Rn, the places to shift by and, if it asks, Rd. */
type Meaning = (lanes: Lanes, n: Value, amount: number, d: () => Value) => Value;

const shiftRight = (sign: Sign): Meaning => (lanes, n, amount) => lanes.shiftRight(sign, n, amount);
const shiftRightRounded = (sign: Sign): Meaning => (lanes, n, amount) =>
  lanes.shiftRightRounded(sign, n, amount);
const addTo = (meaning: Meaning): Meaning => (lanes, n, amount, d) =>
  lanes.add(d(), meaning(lanes, n, amount, d));
const shiftLeft: Meaning = (lanes, n, amount) => lanes.shiftLeft(n, amount);

/** All lanes shifted to the left by one number of places, saturating. */
function shiftLeftSaturating(sign: Sign): Meaning {
  return (lanes, n, amount) =>
    lanes.apply(`laneShiftBySaturating${sign}`, [n, lanes.every(BigInt(amount))], 0);
}

/** SRI and SLI: bits of Rd stay where the shift would bring in zeros; `kept` is a lane with ones there. */
function insert(shift: Meaning, kept: (lane: number, amount: number) => bigint): Meaning {
  return (lanes, n, amount, d) => {
    const stays = lanes.and(d(), lanes.every(kept(lanes.lane, amount)));
    return lanes.ir.or(lanes.width, stays, shift(lanes, n, amount, d));
  };
}

const insertRight = insert(shiftRight("Unsigned"), (lane, amount) => -1n << BigInt(lane - amount));
const insertLeft = insert(shiftLeft, (_lane, amount) => (1n << BigInt(amount)) - 1n);
const shiftLeftToUnsigned: Meaning = (lanes, n, amount, d) =>
  shiftLeftSaturating("Unsigned")(lanes, toUnsigned(lanes, n), amount, d);

// Same width: name, U, opcode, direction, scalar sizes, meaning.
// deno-fmt-ignore
const SAME: readonly (readonly [string, Bit, string, "right" | "left", string, Meaning])[] = [
  ["SSHR",   "0", "00000", "right", "d",    shiftRight("Signed")],
  ["USHR",   "1", "00000", "right", "d",    shiftRight("Unsigned")],
  ["SSRA",   "0", "00010", "right", "d",    addTo(shiftRight("Signed"))],
  ["USRA",   "1", "00010", "right", "d",    addTo(shiftRight("Unsigned"))],
  ["SRSHR",  "0", "00100", "right", "d",    shiftRightRounded("Signed")],
  ["URSHR",  "1", "00100", "right", "d",    shiftRightRounded("Unsigned")],
  ["SRSRA",  "0", "00110", "right", "d",    addTo(shiftRightRounded("Signed"))],
  ["URSRA",  "1", "00110", "right", "d",    addTo(shiftRightRounded("Unsigned"))],
  ["SRI",    "1", "01000", "right", "d",    insertRight],
  ["SHL",    "0", "01010", "left",  "d",    shiftLeft],
  ["SLI",    "1", "01010", "left",  "d",    insertLeft],
  ["SQSHLU", "1", "01100", "left",  "bhsd", shiftLeftToUnsigned],
  ["SQSHL",  "0", "01110", "left",  "bhsd", shiftLeftSaturating("Signed")],
  ["UQSHL",  "1", "01110", "left",  "bhsd", shiftLeftSaturating("Unsigned")],
];

type Fields = Readonly<Record<"shift" | "Rn" | "Rd", number>>;
type VectorFields = Fields & { readonly Q: number };

/** Shifts to the right are encoded as what is missing to the lane. */
function amountOf(direction: "right" | "left", lane: Lane, shift: number): number {
  return direction === "right" ? lane - shift : shift;
}

function compute(lanes: Lanes, meaning: Meaning, amount: number, { Rn, Rd }: Fields): void {
  const { ir, width } = lanes;
  ir.call("checkFpEnabled");
  ir.writeV(Rd, meaning(lanes, ir.readV(Rn, width), amount, () => ir.readV(Rd, width)));
}

function sameRows(
  [name, U, opcode, direction, scalarSizes, meaning]: typeof SAME[number],
  { letter, lane, immh, bits, half }: Element,
): Row[] {
  const mnemonic = name.toLowerCase(), suffix = letter.toUpperCase();
  const shift = direction === "right" ? "#{shift:rightShift}" : "#{shift}";
  const encoding = `0 Q:1 ${U} 011110 ${immh} shift:${bits} ${opcode} 1 Rn:5 Rd:5` as const;
  const text = `${mnemonic} {Rd:vector(q${letter})}, {Rn:vector(q${letter})}, ${shift}`;
  const onVectors = (ir: Builder, fields: VectorFields): void =>
    compute(
      new Lanes(ir, vectorWidth(fields.Q), lane),
      meaning,
      amountOf(direction, lane, fields.shift),
      fields,
    );
  const needsFull = half === "" ? { when: ({ Q }: { readonly Q: number }) => Q === 1 } : {};
  const row = instruction(`${name}_imm_${suffix}`, encoding, text, onVectors, needsFull);
  if (!scalarSizes.includes(letter)) return [row];
  const scalarEncoding = `01 ${U} 111110 ${immh} shift:${bits} ${opcode} 1 Rn:5 Rd:5` as const;
  const scalarText = `${mnemonic} {Rd:scalar(${letter})}, {Rn:scalar(${letter})}, ${shift}`;
  const onScalars = (ir: Builder, fields: Fields): void =>
    compute(new Lanes(ir, lane, lane), meaning, amountOf(direction, lane, fields.shift), fields);
  return [row, instruction(`${name}_imm_scalar_${suffix}`, scalarEncoding, scalarText, onScalars)];
}

/** The signed or unsigned shift by an immediate, then the narrowing. */
const plain = (sign: Sign, narrow: Narrowing) => ({ shift: shiftRight(sign), narrow });
const rounded = (sign: Sign, narrow: Narrowing) => ({ shift: shiftRightRounded(sign), narrow });
const cut = narrowBy("laneNarrow"),
  toSigned = narrowBy("laneNarrowSaturatingSigned"),
  saturate = narrowBy("laneNarrowSaturatingUnsigned");

// To half the width: name, U, opcode, whether there is a scalar form, how.
// deno-fmt-ignore
const NARROW = [
  ["SHRN",    "0", "10000", false, plain("Unsigned", cut)],          ["RSHRN",    "0", "10001", false, rounded("Unsigned", cut)],
  ["SQSHRUN", "1", "10000", true,  plain("Signed", narrowToUnsigned)], ["SQRSHRUN", "1", "10001", true, rounded("Signed", narrowToUnsigned)],
  ["SQSHRN",  "0", "10010", true,  plain("Signed", toSigned)],       ["SQRSHRN",  "0", "10011", true,  rounded("Signed", toSigned)],
  ["UQSHRN",  "1", "10010", true,  plain("Unsigned", saturate)],     ["UQRSHRN",  "1", "10011", true,  rounded("Unsigned", saturate)],
] as const;

type How = typeof NARROW[number][4];

function narrowed(lanes: Lanes, { shift, narrow }: How, n: Value, amount: number): Value {
  return narrow(lanes, shift(lanes, n, amount, () => n));
}

function narrowRows([name, U, opcode, hasScalar, how]: typeof NARROW[number], element: Element): Row[] {
  const { letter, lane, immh, bits, half, full, wide, wideLetter } = element;
  if (half === "") return [];
  const mnemonic = name.toLowerCase(), suffix = letter.toUpperCase(), wideLane = lane * 2 as Lane;
  const tail = `{Rn:vector(${wide})}, #{shift:rightShift}`;
  const onVectors = (ir: Builder, { Q, shift, Rn, Rd }: VectorFields): void => {
    ir.call("checkFpEnabled");
    writeHalf(ir, Q, Rd, narrowed(new Lanes(ir, 128, wideLane), how, ir.readV(Rn, 128), lane - shift));
  };
  // deno-fmt-ignore
  const rows: Row[] = [
    instruction(`${name}_${suffix}`, `0 Q:1 ${U} 011110 ${immh} shift:${bits} ${opcode} 1 Rn:5 Rd:5`, `${mnemonic} {Rd:vector(${half})}, ${tail}`, onVectors),
    alias(`${name}2_${suffix}`,      `0 1 ${U} 011110 ${immh} shift:${bits} ${opcode} 1 Rn:5 Rd:5`,   `${mnemonic}2 {Rd:vector(${full})}, ${tail}`),
  ];
  if (!hasScalar) return rows;
  const encoding = `01 ${U} 111110 ${immh} shift:${bits} ${opcode} 1 Rn:5 Rd:5` as const;
  const text = `${mnemonic} {Rd:scalar(${letter})}, {Rn:scalar(${wideLetter})}, #{shift:rightShift}`;
  const onScalars = (ir: Builder, { shift, Rn, Rd }: Fields): void => {
    ir.call("checkFpEnabled");
    ir.writeV(Rd, narrowed(new Lanes(ir, wideLane, wideLane), how, ir.readV(Rn, wideLane), lane - shift));
  };
  return [...rows, instruction(`${name}_scalar_${suffix}`, encoding, text, onScalars)];
}

/** SSHLL and USHLL to twice the width; without a shift they are SXTL and UXTL. */
function longRows([name, U, extension]: typeof LONG[number], element: Element): Row[] {
  const { letter, lane, immh, bits, half, full, wide } = element;
  if (half === "") return [];
  const mnemonic = name.toLowerCase(), suffix = letter.toUpperCase();
  const zeros = "0".repeat(bits), d = `{Rd:vector(${wide})}`;
  const lowering = (ir: Builder, { Q, shift, Rn, Rd }: VectorFields): void => {
    const lanes = new Lanes(ir, 128, lane);
    ir.call("checkFpEnabled");
    const n = widened(U === "1" ? "Unsigned" : "Signed", lanes, readHalf(ir, Q, Rn));
    ir.writeV(Rd, lanes.wide.shiftLeft(n, shift));
  };
  // deno-fmt-ignore
  return [
    instruction(`${name}_${suffix}`,               `0 Q:1 ${U} 011110 ${immh} shift:${bits} 10100 1 Rn:5 Rd:5`, `${mnemonic} ${d}, {Rn:vector(${half})}, #{shift}`, lowering),
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
