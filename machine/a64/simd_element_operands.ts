/** Operand kinds of elements of SIMD registers, and of the registers that they are copied to and from. */
import type { KindFactory } from "./operand_kind.ts";
import type { AnyFields } from "./pattern.ts";
import { indexedElement, type IndexedFields } from "./simd_forms.ts";
import { takeVector } from "./simd_operands.ts";

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

/** Kinds of elements by name. */
export const ELEMENT_KINDS: Readonly<Record<string, KindFactory>> = {
  fixedElement,
  element,
  duplicate,
  scalarOfElement,
  generalOfElement,
  indexed,
  numbered,
};
