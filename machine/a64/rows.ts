/** All instruction tables together: decoding and lowering of any word. */
import { type Alias, type Decoded, DecodeIndex, type Instruction, isAlias, type Row } from "./instruction.ts";
import { rows as addSubtract } from "./add_subtract.ts";

export { lower } from "./instruction.ts";
export type { Alias, Decoded, Instruction } from "./instruction.ts";

const TABLES: readonly (readonly Row[])[] = [
  addSubtract,
];

/** Every instruction, those not implemented yet included. */
export const ROWS: readonly Instruction[] = TABLES.flat().filter((row) => !isAlias(row)) as Instruction[];

/** Every other text of an instruction. */
export const ALIASES: readonly Alias[] = TABLES.flat().filter(isAlias);

const index = new DecodeIndex(ROWS);

/** The row and fields of an instruction word, or undefined when it is unallocated. */
export function decode(word: number): Decoded | undefined {
  return index.decode(word);
}
