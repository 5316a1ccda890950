/** Random mutations of valid programs: whatever becomes of them, only `ProgramError` may come out. */
import { assembleProgram, ProgramError } from "../../../machine/a64/program.ts";
import { randomNumbers } from "./random_words.ts";

const FIXTURES = new URL("../../fixtures/asm/", import.meta.url);

const CHARACTERS = "\n\n;,:.#=()[]\"'\\@/*+-<>&|~!%$ 019xbfaXr\u00b5\u0000";

// deno-fmt-ignore
const WORDS = [
  ".macro m a", ".endm", ".rept 3", ".endr", ".irp r, x0, x1", ".if 1", ".else", ".endif", ".ltorg", ".org . + 4", "/*", "*/",
  "1b", "1f", ".", "\\@", "\\a", "\\()", "=", ":lo12:", "0xffffffffffffffff", "-1", "1 << 63", "start", "m", ".text", ".bss",
  "ldr x0, =", "\"", "'", "(((((", ".set q, q + 1", ".equ r, q", ".quad r", ".balign 4096", ".space", "nop", "b .", "constructor", "__proto__", ".rept 2; nop; .endr",
];

/** How many sources were assembled, and how many refused. */
export interface MutationCounts {
  readonly accepted: number;
  readonly refused: number;
}

/** Mutants of the fixtures; the same seed gives the same ones. */
export function* mutants(count: number, seed: number): Generator<string> {
  const random = randomNumbers(seed);
  const below = (limit: number): number => random() % Math.max(limit, 1);
  const files = Array.from(Deno.readDirSync(FIXTURES), ({ name }) => name).filter((name) =>
    name.endsWith(".s")
  );
  const sources = files.sort().map((name) => Deno.readTextFileSync(new URL(name, FIXTURES)));
  for (let number = 0; number < count; number++) {
    let text = sources[below(sources.length)] ?? "";
    for (let left = 1 + below(3); left > 0; left--) text = mutate(text, sources, below);
    yield text;
  }
}

/** Assembles mutants; throws an error with the seed, the number and the source of one that does anything else. */
export function assembleMutants(count: number, seed: number): MutationCounts {
  let accepted = 0, number = 0;
  for (const text of mutants(count, seed)) {
    try {
      number++;
      assembleProgram(text, { base: 0x40080000n });
      accepted++;
    } catch (error) {
      const isRefusal = error instanceof ProgramError &&
        error.diagnostics.every(({ line, column }) => line >= 1 && column >= 1);
      if (!isRefusal) {
        throw new Error(`Mutant ${number} of seed ${seed} gave ${error}\n${text}`, { cause: error });
      }
    }
  }
  return { accepted, refused: count - accepted };
}

function mutate(text: string, sources: readonly string[], below: (limit: number) => number): string {
  const at = below(text.length), length = below(below(2) === 0 ? 4 : 60);
  const replace = (piece: string, removed = 0): string =>
    text.slice(0, at) + piece + text.slice(at + removed);
  switch (below(6)) {
    case 0:
      return replace("", length);
    case 1:
      return replace(CHARACTERS.charAt(below(CHARACTERS.length)), below(2));
    case 2:
      return replace(` ${WORDS[below(WORDS.length)]} `);
    case 3:
      return replace(`\n ${WORDS[below(WORDS.length)]}\n`);
    case 4: {
      const from = below(text.length);
      return replace(text.slice(from, from + length), below(2) * length);
    }
    default: {
      const other = sources[below(sources.length)] ?? "", from = below(other.length);
      return replace(other.slice(from, from + below(200)));
    }
  }
}
