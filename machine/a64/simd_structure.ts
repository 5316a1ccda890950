/** Advanced SIMD loads and stores of structures, multiple, single and replicated (Arm ARM C4.1). */
import type { Builder, Value } from "../ir/builder.ts";
import type { Access } from "../ir/operation.ts";
import { type Instruction, instruction, type Row } from "./instruction.ts";
import type { Bit } from "./simd_forms.ts";
import { Lanes, laneWidth, readElement, vectorWidth } from "./simd_lanes.ts";

/** Fields of every form: Rm is there when the base is written back, 31 for the number of bytes moved. */
interface Fields {
  readonly Q: number;
  readonly Rn: number;
  readonly Rt: number;
  readonly Rm?: number;
}

/** The base and the addresses of `count` transfers of `bytes` bytes that follow one another. */
function addresses(ir: Builder, base: Value, bytes: number, count: number): Value[] {
  return Array.from(
    { length: count },
    (_, index) => index === 0 ? base : ir.add(64, base, ir.constant(64, index * bytes)),
  );
}

/** Writes the base back in the post-indexed forms, after all else. */
function writeBack(ir: Builder, { Rn, Rm }: Fields, base: Value, bytes: number): void {
  if (Rm === undefined) return;
  const offset = Rm === 31 ? ir.constant(64, bytes) : ir.readX(Rm, 64);
  ir.writeXsp(Rn, 64, ir.add(64, base, offset));
}

function write(ir: Builder, Rt: number, values: readonly Value[]): void {
  values.forEach((value, index) => ir.writeV((Rt + index) % 32, value));
}

/** Memory is moved by doublewords; its elements are aligned and in byte order one by one. */
function accessOf(size: number): Access {
  return (["lanes8", "lanes16", "lanes32", "normal"] as const)[size] as Access;
}

/**
 * A vector of lanes chosen by number from several vectors, whose lanes are counted on: in pairs, since a shuffle has
 * two arguments.
 */
function gather(lanes: Lanes, vectors: readonly Value[], sources: readonly number[]): Value {
  const count = sources.length;
  return vectors.reduce((chosen, vector, number) => {
    const choices = sources.map((source, lane) => {
      if (Math.floor(source / count) === number) return count + source % count;
      return number === 1 && source < count ? source : lane;
    });
    return lanes.shuffle(chosen, vector, choices);
  });
}

/** Registers of the structures in memory, or back: lane i of register r is number i × registers + r in memory. */
function interleave(lanes: Lanes, vectors: readonly Value[], direction: "load" | "store"): readonly Value[] {
  const registers = vectors.length, count = lanes.width / lanes.lane;
  if (registers === 1) return vectors;
  return vectors.map((_, vector) =>
    gather(
      lanes,
      vectors,
      Array.from({ length: count }, (_, lane) => {
        if (direction === "load") return lane * registers + vector;
        const place = vector * count + lane;
        return place % registers * count + Math.floor(place / registers);
      }),
    )
  );
}

type MultipleFields = Fields & { readonly size: number };

function loadMultiple(elements: number, count: number) {
  return (ir: Builder, fields: MultipleFields): void => {
    const width = vectorWidth(fields.Q), words = width / 64 * count;
    ir.call("checkFpEnabled");
    const base = ir.base(fields.Rn);
    const loaded = addresses(ir, base, 8, words).map((each) => ir.load(64, each, accessOf(fields.size)));
    const vectors = width === 64 ? loaded : Array.from(
      { length: count },
      (_, index) => ir.concatenate(loaded[2 * index + 1] as Value, loaded[2 * index] as Value),
    );
    const lanes = new Lanes(ir, width, laneWidth(fields.size));
    write(ir, fields.Rt, elements === 1 ? vectors : interleave(lanes, vectors, "load"));
    writeBack(ir, fields, base, words * 8);
  };
}

function storeMultiple(elements: number, count: number) {
  return (ir: Builder, fields: MultipleFields): void => {
    const width = vectorWidth(fields.Q), words = width / 64 * count;
    ir.call("checkFpEnabled");
    const base = ir.base(fields.Rn);
    const registers = Array.from({ length: count }, (_, index) => ir.readV((fields.Rt + index) % 32, width));
    const lanes = new Lanes(ir, width, laneWidth(fields.size));
    const vectors = elements === 1 ? registers : interleave(lanes, registers, "store");
    const stored = vectors.flatMap((vector) =>
      width === 64 ? [vector] : [ir.extract(64, vector, 0), ir.extract(64, vector, 64)]
    );
    addresses(ir, base, 8, words).forEach((each, index) =>
      ir.store(64, each, stored[index] as Value, accessOf(fields.size))
    );
    writeBack(ir, fields, base, words * 8);
  };
}

// Multiple structures: elements of a structure, opcode, registers.
const MULTIPLE = [
  [4, "0000", 4],
  [1, "0010", 4],
  [3, "0100", 3],
  [1, "0110", 3],
  [1, "0111", 1],
  [2, "1000", 2],
  [1, "1010", 2],
] as const;

const DIRECTIONS = [["LD", "1"], ["ST", "0"]] as const;

/** Interleaving needs more than one element in each register. */
function multipleExists(elements: number) {
  return {
    when: ({ size, Q }: { readonly size: number; readonly Q: number }) =>
      elements === 1 || size < 3 || Q === 1,
  };
}

function multipleRows([elements, opcode, count]: typeof MULTIPLE[number]): Instruction[] {
  const exists = multipleExists(elements);
  return DIRECTIONS.flatMap(([direction, L]) => {
    const name = `${direction}${elements}_${count}`;
    const text = `${direction.toLowerCase()}${elements} {Rt:list(${count}+full)}, [{Rn:xsp64}]`;
    const lowering = (direction === "LD" ? loadMultiple : storeMultiple)(elements, count);
    // deno-fmt-ignore
    return [
      instruction(`${name}_multiple`,      `0 Q:1 0011000 ${L} 000000 ${opcode} size:2 Rn:5 Rt:5`, text, lowering, exists),
      instruction(`${name}_multiple_post`, `0 Q:1 0011001 ${L} 0 Rm:5 ${opcode} size:2 Rn:5 Rt:5`, `${text}, {Rm:postIndex(${count * 8}+${count * 16})}`, lowering, exists),
    ];
  });
}

/** Fields of single structures; those that are part of the index are. */
type SingleFields = Fields & { readonly S?: number; readonly size?: number };

/** Element sizes of single structures: letter, bytes, the opcode's upper bits, the index and the fixed bits after it. */
// deno-fmt-ignore
const SINGLE = [
  { letter: "b", bytes: 1, upper: "00", low: "S:1 size:2",   index: "Q,S,size" },
  { letter: "h", bytes: 2, upper: "01", low: "S:1 size:1 0", index: "Q,S,size" },
  { letter: "s", bytes: 4, upper: "10", low: "S:1 00",       index: "Q,S" },
  { letter: "d", bytes: 8, upper: "10", low: "0 01",         index: "Q" },
] as const;

/** The index Q:S:size of an element, whose fields are as wide as it needs. */
function indexOf(bytes: number, { Q, S = 0, size = 0 }: SingleFields): number {
  return (Q << 3 | S << 2 | size << (bytes === 2 ? 1 : 0)) / bytes;
}

function loadSingle(count: number, bytes: 1 | 2 | 4 | 8) {
  const lane = bytes * 8 as 8 | 16 | 32 | 64;
  return (ir: Builder, fields: SingleFields): void => {
    ir.call("checkFpEnabled");
    const base = ir.base(fields.Rn), index = indexOf(bytes, fields);
    const loaded = addresses(ir, base, bytes, count).map((each) => ir.load(lane, each));
    const vectors = loaded.map((element, at) =>
      ir.lanes("laneInsert", 128, lane, [ir.readV((fields.Rt + at) % 32, 128), element], index)
    );
    write(ir, fields.Rt, vectors);
    writeBack(ir, fields, base, count * bytes);
  };
}

function storeSingle(count: number, bytes: 1 | 2 | 4 | 8) {
  const lane = bytes * 8 as 8 | 16 | 32 | 64;
  return (ir: Builder, fields: SingleFields): void => {
    ir.call("checkFpEnabled");
    const base = ir.base(fields.Rn), index = indexOf(bytes, fields);
    addresses(ir, base, bytes, count).forEach((each, at) =>
      ir.store(lane, each, readElement(ir, (fields.Rt + at) % 32, lane, index))
    );
    writeBack(ir, fields, base, count * bytes);
  };
}

/** One to four registers: bit R and the opcode's lowest bit. */
const COUNTS = [[1, "0", "0"], [2, "1", "0"], [3, "0", "1"], [4, "1", "1"]] as const;

function singleRows(count: number, R: Bit, lowest: Bit): Instruction[] {
  return DIRECTIONS.flatMap(([direction, L]) =>
    SINGLE.flatMap(({ letter, bytes, upper, low, index }) => {
      const name = `${direction}${count}_single_${letter.toUpperCase()}`;
      const text =
        `${direction.toLowerCase()}${count} {Rt:list(${count}+${letter})}[{${index}}], [{Rn:xsp64}]`;
      const lowering = (direction === "LD" ? loadSingle : storeSingle)(count, bytes);
      // deno-fmt-ignore
      return [
        instruction(name,           `0 Q:1 0011010 ${L} ${R} 00000 ${upper}${lowest} ${low} Rn:5 Rt:5`, text, lowering),
        instruction(`${name}_post`, `0 Q:1 0011011 ${L} ${R} Rm:5 ${upper}${lowest} ${low} Rn:5 Rt:5`,  `${text}, {Rm:postIndex(${count * bytes})}`, lowering),
      ];
    })
  );
}

function loadReplicated(count: number, scale: number) {
  const lane = laneWidth(scale);
  return (ir: Builder, fields: Fields): void => {
    const width = vectorWidth(fields.Q);
    ir.call("checkFpEnabled");
    const base = ir.base(fields.Rn);
    const loaded = addresses(ir, base, 1 << scale, count).map((each) => ir.load(lane, each));
    write(ir, fields.Rt, loaded.map((element) => ir.lanes("laneBroadcast", width, lane, [element])));
    writeBack(ir, fields, base, count << scale);
  };
}

const REPLICATED = [["b", "00"], ["h", "01"], ["s", "10"], ["d", "11"]] as const;

function replicatedRows(count: number, R: Bit, lowest: Bit): Instruction[] {
  return REPLICATED.flatMap(([letter, size], scale) => {
    const name = `LD${count}R_${letter.toUpperCase()}`;
    const text = `ld${count}r {Rt:list(${count}+q${letter})}, [{Rn:xsp64}]`;
    const lowering = loadReplicated(count, scale);
    // deno-fmt-ignore
    return [
      instruction(name,           `0 Q:1 0011010 1 ${R} 00000 11${lowest} 0 ${size} Rn:5 Rt:5`, text, lowering),
      instruction(`${name}_post`, `0 Q:1 0011011 1 ${R} Rm:5 11${lowest} 0 ${size} Rn:5 Rt:5`,  `${text}, {Rm:postIndex(${count << scale})}`, lowering),
    ];
  });
}

/** The rows. */
export const rows: readonly Row[] = [
  ...MULTIPLE.flatMap(multipleRows),
  ...COUNTS.flatMap((
    [count, R, lowest],
  ) => [...singleRows(count, R, lowest), ...replicatedRows(count, R, lowest)]),
];
