/** Advanced SIMD permutation, extraction and table lookup (Arm ARM C4.1). */
import type { Builder, Value } from "../ir/builder.ts";
import { instruction, type Row } from "./instruction.ts";
import { hasVectorSize } from "./simd_forms.ts";
import { Lanes, onVectors, vectorWidth } from "./simd_lanes.ts";

/** Lane of the pair Rn, Rm that goes to a lane of the result; `count` is the lanes of a vector. */
type Source = (lane: number, count: number) => number;

const unzip = (part: 0 | 1): Source => (lane) => lane * 2 + part;
const transpose = (part: 0 | 1): Source => (lane, count) => (lane & ~1) + part + (lane & 1) * count;
const zip = (part: 0 | 1): Source => (lane, count) => (lane >> 1) + part * count / 2 + (lane & 1) * count;

// deno-fmt-ignore
const PERMUTE = [
  ["UZP1", "001", unzip(0)], ["TRN1", "010", transpose(0)], ["ZIP1", "011", zip(0)],
  ["UZP2", "101", unzip(1)], ["TRN2", "110", transpose(1)], ["ZIP2", "111", zip(1)],
] as const;

function shuffle({ width, lane }: Lanes, source: Source): number[] {
  const count = width / lane;
  return Array.from({ length: count }, (_, index) => source(index, count));
}

function permute(source: Source): ReturnType<typeof onVectors> {
  return onVectors((lanes, n, m) => lanes.shuffle(n, m, shuffle(lanes, source)));
}

type Fields = Readonly<Record<"Q" | "Rm" | "Rn" | "Rd", number>>;

/** EXT: the bytes of the pair Rn, Rm from number imm4 on. */
function extract(ir: Builder, fields: Fields & { readonly imm4: number }): void {
  permute((byte) => byte + fields.imm4)(ir, { ...fields, size: 0 });
}

/** A vector of 64 bits has eight bytes. */
const extractExists = {
  when: ({ Q, imm4 }: { readonly Q: number; readonly imm4: number }): boolean => Q === 1 || imm4 < 8,
};

/** TBL: bytes by number from `count` registers; each is looked up on its own, 16 numbers further on, with 0 for others. */
function lookUp(ir: Builder, lanes: Lanes, count: number, Rn: number, numbers: Value): Value {
  const bytes = Array.from({ length: count }, (_, index) => {
    const own = index === 0 ? numbers : lanes.sub(numbers, lanes.every(BigInt(16 * index)));
    return lanes.apply("laneLookUp", [ir.readV((Rn + index) % 32, 128), own]);
  });
  return bytes.reduce((all, found) => ir.or(lanes.width, all, found));
}

/** TBL, and TBX, which keeps bytes of Rd where numbers are beyond the table. */
function table(count: number, extended: boolean) {
  return (ir: Builder, { Q, Rm, Rn, Rd }: Fields): void => {
    const lanes = new Lanes(ir, vectorWidth(Q), 8);
    ir.call("checkFpEnabled");
    const numbers = ir.readV(Rm, lanes.width), found = lookUp(ir, lanes, count, Rn, numbers);
    if (!extended) return ir.writeV(Rd, found);
    const beyond = lanes.apply("laneGreaterUnsigned", [numbers, lanes.every(BigInt(16 * count - 1))]);
    ir.writeV(Rd, ir.or(lanes.width, found, lanes.and(ir.readV(Rd, lanes.width), beyond)));
  };
}

const LENGTHS = [[1, "00"], [2, "01"], [3, "10"], [4, "11"]] as const;

/** The rows. */
// deno-fmt-ignore
export const rows: readonly Row[] = [
  instruction("EXT", "0 Q:1 10 1110 00 0 Rm:5 0 imm4:4 0 Rn:5 Rd:5", "ext {Rd:vector(qb)}, {Rn:vector(qb)}, {Rm:vector(qb)}, #{imm4}", extract, extractExists),
  ...PERMUTE.map(([name, opcode, source]) => instruction(name, `0 Q:1 00 1110 size:2 0 Rm:5 0 ${opcode} 10 Rn:5 Rd:5`, `${name.toLowerCase()} {Rd:vector(full)}, {Rn:vector(full)}, {Rm:vector(full)}`, permute(source), hasVectorSize("bhsd"))),
  ...LENGTHS.flatMap(([count, len]) => [
    instruction(`TBL_${count}`, `0 Q:1 00 1110 00 0 Rm:5 0 ${len} 0 00 Rn:5 Rd:5`, `tbl {Rd:vector(qb)}, {Rn:list(${count}+16b)}, {Rm:vector(qb)}`, table(count, false)),
    instruction(`TBX_${count}`, `0 Q:1 00 1110 00 0 Rm:5 0 ${len} 1 00 Rn:5 Rd:5`, `tbx {Rd:vector(qb)}, {Rn:list(${count}+16b)}, {Rm:vector(qb)}`, table(count, true)),
  ]),
];
