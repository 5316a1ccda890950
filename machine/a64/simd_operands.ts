/** Operand kinds of SIMD&FP registers: vectors with arrangements, lists, scalars; elements are in simd_element_operands.ts. */
import type { LineParser } from "./line_parser.ts";
import type { KindFactory } from "./operand_kind.ts";
import type { AnyFields } from "./pattern.ts";

/** Names chosen by fields, first field highest; `-` is a combination without one. */
interface Choice {
  readonly fields: readonly (readonly [name: string, width: number])[];
  readonly names: readonly string[];
}

function choice(fields: string, names: string): Choice {
  const parts = fields.split(" ").map((field) => field.split(":") as [string, string]);
  return { fields: parts.map(([name, width]) => [name, Number(width)] as const), names: names.split(" ") };
}

/** Arrangements and scalar widths by the fields that choose them; any other argument stands for itself. */
// deno-fmt-ignore
const CHOICES: Readonly<Record<string, Choice>> = {
  full:       choice("size:2 Q:1", "8b 16b 4h 8h 2s 4s 1d 2d"),
  lower:      choice("size:2",     "8b 4h 2s 1d"),
  upper:      choice("size:2",     "16b 8h 4s 2d"),
  wide:       choice("size:2",     "8h 4s 2d 1q"),
  pairs:      choice("size:2 Q:1", "4h 8h 2s 4s 1d 2d"),
  qb:         choice("Q:1",        "8b 16b"),
  qh:         choice("Q:1",        "4h 8h"),
  qhLong:     choice("Q:1",        "2h 4h"),
  qs:         choice("Q:1",        "2s 4s"),
  qd:         choice("Q:1",        "1d 2d"),
  float:      choice("sz:1 Q:1",   "2s 4s - 2d"),
  floatLower: choice("sz:1",       "4h 2s"),
  floatUpper: choice("sz:1",       "8h 4s"),
  floatWide:  choice("sz:1",       "4s 2d"),
  floatPair:  choice("sz:1",       "2s 2d"),
  bySize:     choice("size:2",     "b h s d"),
  byWide:     choice("size:2",     "h s d"),
  bySz:       choice("sz:1",       "s d"),
  byType:     choice("ftype:2",    "s d - h"),
};

function chosenName(argument: string, fields: AnyFields): string {
  const found = CHOICES[argument];
  if (found === undefined) return argument;
  const index = found.fields.reduce((sum, [name, width]) => sum * 2 ** width + (fields[name] as number), 0);
  return found.names[index] ?? "-";
}

/** Sets the fields that choose a name, or fails. */
function bindName(line: LineParser, argument: string, name: string, column: number, prefix: string): void {
  const { fields, names } = CHOICES[argument] ?? { fields: [], names: [argument] };
  const candidates = names.filter((each) => each !== "-");
  const expected = candidates.map((each) => prefix + each).join(", ");
  let index = names.indexOf(name);
  if (!candidates.includes(name)) {
    line.position = column - 1;
    line.failExpected(expected);
  }
  for (const [field, width] of fields.toReversed()) {
    line.bind(field, index % 2 ** width, "a matching arrangement", column);
    index = Math.floor(index / 2 ** width);
  }
}

/** Takes `v12` and a suffix such as `.16b`, "" for none. */
export function takeVector(line: LineParser): { n: number; suffix: string } {
  const word = line.peekWord();
  const [, n, suffix] = /^v(\d+)(?:\.(\w+))?$/.exec(word) ?? [];
  if (n === undefined || Number(n) > 31) return line.failExpected("a vector register");
  line.takeWord(word);
  return { n: Number(n), suffix: suffix ?? "" };
}

/** `v1.16b`; the argument names a choice or is an arrangement. */
const vector: KindFactory = (fields, argument) => ({
  print: ([n], context) => `v${n}.${chosenName(argument, context.fields)}`,
  parse(line) {
    const column = line.column();
    const { n, suffix } = takeVector(line);
    bindName(line, argument, suffix, column, "arrangement ");
    return fields.map(() => n);
  },
});

/** A scalar register whose width a choice gives: `s1`, `d1`. */
const chosenScalar: KindFactory = (fields, argument) => ({
  print: ([n], context) => `${chosenName(argument, context.fields)}${n}`,
  parse(line) {
    const column = line.column();
    const word = line.peekWord();
    const [, letter, n] = /^([bhsd])(\d+)$/.exec(word) ?? [];
    if (letter === undefined || Number(n) > 31) return line.failExpected("a scalar register");
    line.takeWord(word);
    bindName(line, argument, letter, column, "a register ");
    return fields.map(() => Number(n));
  },
});

/** Number of consecutive registers in a list, then the arrangement: `{ v0.16b, v1.16b }`. */
const list: KindFactory = (_fields, argument) => {
  const [count, arrangement] = argument.split("+") as [string, string];
  return {
    print([first], context) {
      const suffix = chosenName(arrangement, context.fields);
      const names = Array.from(
        { length: Number(count) },
        (_, i) => `v${((first as number) + i) % 32}.${suffix}`,
      );
      return `{ ${names.join(", ")} }`;
    },
    parse(line) {
      line.expect("{");
      const first = takeListed(line, arrangement);
      takeFollowing(line, arrangement, first, Number(count));
      line.expect("}");
      return [first];
    },
  };
};

/** The registers after the first: one by one, or as a range, `- v3.16b`. */
function takeFollowing(line: LineParser, arrangement: string, first: number, count: number): void {
  const isRange = count > 1 && line.accept("-");
  for (let i = isRange ? count - 1 : 1; i < count; i++) {
    if (!isRange) line.expect(",");
    const column = line.column();
    const next = takeListed(line, arrangement);
    if (next === (first + i) % 32) continue;
    line.fail(
      isRange ? `the list has ${count} registers` : "the registers of a list are consecutive",
      column,
    );
  }
}

function takeListed(line: LineParser, arrangement: string): number {
  const column = line.column();
  const { n, suffix } = takeVector(line);
  bindName(line, arrangement, suffix, column, "arrangement ");
  return n;
}

/** The register after a post-indexed address: 31 is the immediate given by the argument, for Q 0 and 1. */
const postIndex: KindFactory = (_fields, argument) => {
  const [half, full = half] = argument.split("+") as [string, string?];
  return {
    print: ([n], { fields }) => (n === 31 ? `#${fields.Q === 1 ? full : half}` : `x${n}`),
    parse(line) {
      const word = line.peekWord();
      if (/^x([12]?\d|30)$/.test(word)) {
        line.takeWord(word);
        return [Number(word.slice(1))];
      }
      const bytes = line.fields.Q === 1 ? Number(full) : Number(half);
      line.immediateBetween(bytes, bytes);
      return [31];
    },
  };
};

/** Kinds of SIMD&FP registers by name. */
export const SIMD_KINDS: Readonly<Record<string, KindFactory>> = {
  vector,
  chosenScalar,
  list,
  postIndex,
};
