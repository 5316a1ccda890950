/** Advanced SIMD loads and stores of structures, multiple, single and replicated (Arm ARM C4.1); missing so far. */
import { type Instruction, missing, type Row } from "./instruction.ts";
import type { Bit } from "./simd_forms.ts";

// Multiple structures: mnemonic without direction, opcode, registers.
const MULTIPLE = [
  ["4", "0000", 4],
  ["1", "0010", 4],
  ["3", "0100", 3],
  ["1", "0110", 3],
  ["1", "0111", 1],
  ["2", "1000", 2],
  ["1", "1010", 2],
] as const;

const DIRECTIONS = [["LD", "1"], ["ST", "0"]] as const;

/** Interleaving needs more than one element in each register. */
function multipleExists(elements: string) {
  return {
    when: ({ size, Q }: { readonly size: number; readonly Q: number }) =>
      elements === "1" || size < 3 || Q === 1,
  };
}

function multipleRows([elements, opcode, count]: typeof MULTIPLE[number]): Instruction[] {
  const exists = multipleExists(elements);
  return DIRECTIONS.flatMap(([direction, L]) => {
    const name = `${direction}${elements}_${count}`;
    const text = `${direction.toLowerCase()}${elements} {Rt:list(${count}+full)}, [{Rn:xsp64}]`;
    // deno-fmt-ignore
    return [
      missing(`${name}_multiple`,      `0 Q:1 0011000 ${L} 000000 ${opcode} size:2 Rn:5 Rt:5`, text, exists),
      missing(`${name}_multiple_post`, `0 Q:1 0011001 ${L} 0 Rm:5 ${opcode} size:2 Rn:5 Rt:5`, `${text}, {Rm:postIndex(${count * 8}+${count * 16})}`, exists),
    ];
  });
}

/** Element sizes of single structures: letter, bytes, the opcode's upper bits, the index and the fixed bits after it. */
// deno-fmt-ignore
const SINGLE = [
  { letter: "b", bytes: 1, upper: "00", low: "S:1 size:2", index: "Q,S,size" },
  { letter: "h", bytes: 2, upper: "01", low: "S:1 size:1 0", index: "Q,S,size" },
  { letter: "s", bytes: 4, upper: "10", low: "S:1 00", index: "Q,S" },
  { letter: "d", bytes: 8, upper: "10", low: "0 01", index: "Q" },
] as const;

/** One to four registers: bit R and the opcode's lowest bit. */
const COUNTS = [[1, "0", "0"], [2, "1", "0"], [3, "0", "1"], [4, "1", "1"]] as const;

function singleRows(count: number, R: Bit, lowest: Bit): Instruction[] {
  return DIRECTIONS.flatMap(([direction, L]) =>
    SINGLE.flatMap(({ letter, bytes, upper, low, index }) => {
      const name = `${direction}${count}_single_${letter.toUpperCase()}`;
      const text =
        `${direction.toLowerCase()}${count} {Rt:list(${count}+${letter})}[{${index}}], [{Rn:xsp64}]`;
      // deno-fmt-ignore
      return [
        missing(name,           `0 Q:1 0011010 ${L} ${R} 00000 ${upper}${lowest} ${low} Rn:5 Rt:5`, text),
        missing(`${name}_post`, `0 Q:1 0011011 ${L} ${R} Rm:5 ${upper}${lowest} ${low} Rn:5 Rt:5`,  `${text}, {Rm:postIndex(${count * bytes})}`),
      ];
    })
  );
}

const REPLICATED = [["8b", "16b", "00"], ["4h", "8h", "01"], ["2s", "4s", "10"], ["1d", "2d", "11"]] as const;

function replicatedRows(count: number, R: Bit, lowest: Bit): Instruction[] {
  return REPLICATED.flatMap(([half, , size], scale) => {
    const name = `LD${count}R_${half.slice(1).toUpperCase()}`;
    const text = `ld${count}r {Rt:list(${count}+q${half.slice(1)})}, [{Rn:xsp64}]`;
    // deno-fmt-ignore
    return [
      missing(name,           `0 Q:1 0011010 1 ${R} 00000 11${lowest} 0 ${size} Rn:5 Rt:5`, text),
      missing(`${name}_post`, `0 Q:1 0011011 1 ${R} Rm:5 11${lowest} 0 ${size} Rn:5 Rt:5`,  `${text}, {Rm:postIndex(${count << scale})}`),
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
