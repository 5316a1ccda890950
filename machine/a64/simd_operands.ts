/** Operand kinds of SIMD&FP registers: vectors with arrangements, elements, lists, scalars. */
import type { LineParser } from "./line_parser.ts";
import type { KindFactory } from "./operand_kind.ts";
import type { AnyFields } from "./pattern.ts";
import { indexedElement, type IndexedFields } from "./simd_forms.ts";

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
function takeVector(line: LineParser): { n: number; suffix: string } {
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

/** `v1.d[1]` with a fixed index; the argument is what follows the register's name. */
const fixedElement: KindFactory = (_fields, argument) => ({
  print: ([n]) => `v${n}.${argument}`,
  parse(line) {
    const { n, suffix } = takeVector(line);
    if (suffix !== argument.charAt(0)) line.failExpected(`element ${argument}`);
    line.expect(argument.slice(1));
    return [n];
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
      for (let i = 1; i < Number(count); i++) {
        line.expect(",");
        const column = line.column();
        const next = takeListed(line, arrangement);
        if (next !== (first + i) % 32) line.fail("the registers of a list are consecutive", column);
      }
      line.expect("}");
      return [first];
    },
  };
};

function takeListed(line: LineParser, arrangement: string): number {
  const column = line.column();
  const { n, suffix } = takeVector(line);
  bindName(line, arrangement, suffix, column, "arrangement ");
  return n;
}

const LETTERS = "bhsd";

/** Binary logarithm of an element's bytes in imm5, 0–3. */
function elementScale(imm5: number): number {
  return 31 - Math.clz32(imm5 & -imm5);
}

/** `v1.b[3]` in fields of a register and imm5 (DUP, INS, UMOV); the argument `copy` has its index in imm4. */
const element: KindFactory = (_fields, argument) => ({
  print([n, imm5, imm4]) {
    const scale = elementScale(imm5 as number);
    const index = argument === "copy" ? (imm4 as number) >> scale : (imm5 as number) >> (scale + 1);
    return `v${n}.${LETTERS[scale]}[${index}]`;
  },
  parse(line) {
    const column = line.column();
    const { n, suffix } = takeVector(line);
    const scale = suffix === "" ? -1 : LETTERS.indexOf(suffix);
    if (scale < 0) {
      line.position = column - 1;
      line.failExpected("an element");
    }
    line.bind("elementScale", scale, `an element of size ${LETTERS[line.fields.elementScale ?? 0]}`, column);
    line.expect("[");
    const index = line.immediateBetween(0, (16 >> scale) - 1);
    line.expect("]");
    if (argument === "copy") return [n, line.fields.imm5 as number, index << scale];
    return [n, (index * 2 + 1) << scale];
  },
});

const COPY_ARRANGEMENTS = ["8b", "16b", "4h", "8h", "2s", "4s", "-", "2d"];

/** The destination of DUP: its arrangement is that of the elements in imm5, which is an operand too if there are two. */
const duplicate: KindFactory = (fields) => ({
  print: ([n], context) => {
    const scale = elementScale(context.fields.imm5 as number);
    return `v${n}.${COPY_ARRANGEMENTS[scale * 2 + (context.fields.Q as number)]}`;
  },
  parse(line) {
    const column = line.column();
    const { n, suffix } = takeVector(line);
    const index = suffix === "-" ? -1 : COPY_ARRANGEMENTS.indexOf(suffix);
    if (index < 0) {
      line.position = column - 1;
      line.failExpected("an arrangement 8b, 16b, 4h, 8h, 2s, 4s, 2d");
    }
    line.fields.Q = index & 1;
    line.fields.elementScale = index >> 1;
    return fields.length === 1 ? [n] : [n, 1 << (index >> 1)];
  },
});

/** The scalar destination of DUP, as wide as the element in imm5: `d1`. */
const scalarOfElement: KindFactory = () => ({
  print: ([n], { fields }) => `${LETTERS[elementScale(fields.imm5 as number)]}${n}`,
  parse(line) {
    const word = line.peekWord();
    const [, letter, n] = /^([bhsd])(\d+)$/.exec(word) ?? [];
    if (letter === undefined || Number(n) > 31) return line.failExpected("a scalar register");
    line.takeWord(word);
    line.fields.elementScale = LETTERS.indexOf(letter);
    return [Number(n)];
  },
});

/** The general register an element of imm5 comes from: X for 64 bits, else W. */
const generalOfElement: KindFactory = () => {
  const letterOf = (fields: AnyFields): string => (elementScale(fields.imm5 as number) === 3 ? "x" : "w");
  return {
    print: ([n], { fields }) => letterOf(fields) + (n === 31 ? "zr" : n),
    parse(line) {
      const word = line.peekWord();
      const [, letter, n] = /^([xw])(\d+|zr)$/.exec(word) ?? [];
      const number = n === "zr" ? 31 : Number(n);
      if (letter !== letterOf(line.fields) || number > 31 || n === "31") {
        return line.failExpected(`a ${letterOf(line.fields) === "x" ? "64" : "32"}-bit register`);
      }
      line.takeWord(word);
      return [number];
    },
  };
};

/** `v1.h[3]` in fields M, Rm, H, L (multiplication by an element); sizes are the argument, size or sz. */
const indexed: KindFactory = (_fields, argument) => ({
  print(_values, { fields }) {
    const scale = indexedScale(fields, argument),
      { register, index } = indexedElement(scale, fields as IndexedFields);
    return `v${register}.${LETTERS[scale]}[${index}]`;
  },
  parse(line) {
    const column = line.column();
    const { n, suffix } = takeVector(line);
    const scale = indexedScale(line.fields as AnyFields, argument);
    if (suffix !== LETTERS[scale]) {
      line.position = column - 1;
      line.failExpected(`an element of size ${LETTERS[scale]}`);
    }
    if (scale === 1 && n > 15) line.fail("the register of a halfword element is v0 to v15", column);
    line.expect("[");
    const index = line.immediateBetween(0, (16 >> scale) - 1);
    line.expect("]");
    if (scale === 1) return [index & 1, n, index >> 2, index >> 1 & 1];
    return scale === 2 ? [n >> 4, n & 15, index >> 1, index & 1] : [n >> 4, n & 15, index, 0];
  },
});

/** Binary logarithm of the element's bytes. */
function indexedScale({ size, sz }: AnyFields, letter: string): number {
  return letter === "" ? size ?? (sz as number) + 2 : LETTERS.indexOf(letter);
}

/** `v31.2h[3]` in fields M, Rm and those of the index, a bit each; the argument is what follows the register. */
const numbered: KindFactory = ({ length }, argument) => {
  const bits = length - 2;
  return {
    print: ([M, Rm, ...index]) =>
      `v${(M as number) << 4 | (Rm as number)}.${argument}[${index.reduce((all, bit) => all << 1 | bit)}]`,
    parse(line) {
      const column = line.column();
      const { n, suffix } = takeVector(line);
      if (suffix !== argument) {
        line.position = column - 1;
        line.failExpected(`an element ${argument}`);
      }
      line.expect("[");
      const index = line.immediateBetween(0, 2 ** bits - 1);
      line.expect("]");
      return [n >> 4, n & 15, ...Array.from({ length: bits }, (_, at) => index >> (bits - 1 - at) & 1)];
    },
  };
};

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
  fixedElement,
  chosenScalar,
  list,
  element,
  duplicate,
  scalarOfElement,
  generalOfElement,
  indexed,
  numbered,
  postIndex,
};
