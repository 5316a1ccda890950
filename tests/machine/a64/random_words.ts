/** Random instruction words of a row, seeded, with the corners more often than chance gives them. */
import type { Pattern } from "../../../machine/a64/pattern.ts";
import type { Instruction } from "../../../machine/a64/rows.ts";

/** A generator of unsigned 32-bit numbers (xorshift, 32 bits of state); the same seed gives the same numbers. */
export function randomNumbers(seed: number): () => number {
  let state = (seed ^ 0x9e3779b9) | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return Math.imul(state, 0x2545f491) >>> 0;
  };
}

/** A random word that the row decodes, fixed bits as they should be; undefined when 1000 attempts find none. */
export function randomWord({ pattern, when }: Instruction, random: () => number): number | undefined {
  for (let attempt = 0; attempt < 1000; attempt++) {
    const fields: Record<string, number> = {};
    for (const { name, width } of pattern.fields) fields[name] = randomField(width, random);
    if (random() % 8 === 0) makeEqual(pattern, fields, random);
    if (when === undefined || when(fields)) return pattern.encode(fields);
  }
  return undefined;
}

/** One in four is zero, all ones, one, or the top bit. */
function randomField(width: number, random: () => number): number {
  const corners = [0, 2 ** width - 1, 1, 2 ** (width - 1)];
  const choice = random() % 16;
  return (corners[choice] ?? random()) % 2 ** width;
}

/** Gives two fields as wide as register numbers the same number. */
function makeEqual(pattern: Pattern, fields: Record<string, number>, random: () => number): void {
  const registers = pattern.fields.filter((field) => field.width === 5).map((field) => field.name);
  const [from, to] = [0, 1].map(() => registers[random() % registers.length]);
  if (from !== undefined && to !== undefined) fields[to] = fields[from] as number;
}
