/** Which fields of an instruction's words may be plain operands: registers and an immediate. */
import { decodeBitmask } from "../a64/bitmask.ts";
import type { Field } from "../a64/pattern.ts";
import type { Instruction } from "../a64/rows.ts";

/** Register fields; 31 is ZR or SP there, so that it is never like the others. */
const REGISTER = /^R([dnmas]|t2?)$/;
/** Rows to which the number of a register is more than where its value is: BTYPE after BR depends on it. */
const REGISTER_COUNTS = /^BR/;
/** Immediates of which most are in a record or say how far a branch goes; other fields change what is executed. */
const IMMEDIATES: readonly string[] = [
  ...["imm6", "imm7", "imm9", "imm12", "imm14", "imm16", "imm19", "imm26"],
  // From the lowest part.
  ...["immlo", "immhi"],
];

/** How much of a word may vary within one form: registers and the immediate, registers, nothing. */
export const FREEDOM = { all: 0, registers: 1, none: 2 } as const;
/** Number of these. */
export const FREEDOMS = 3;

/** Rows with a bitmask immediate, sf in bit 31 and N:immr:imms in bits 22–10; bitfield moves have other uses for these. */
const HAS_BITMASK = /^(ANDS?|ORR|EOR)_imm$/;
const BITMASK_LOWEST = 10, BITMASK_FIELD = 0x1fff << BITMASK_LOWEST;
/** Bitmasks for samples: two of which the upper half is 0 for 32 bits, and for 64, and two of which it is not. */
const BITMASKS: readonly number[] = [0x003, 0x008, 0x1003, 0x1008, 0x1028, 0x1032].map((fields) =>
  fields << BITMASK_LOWEST
);

/** A bitmask immediate by halves. */
export interface BitmaskValue {
  /** Low half. */
  readonly low: number;
  /** High half. */
  readonly high: number;
}

/** Those met so far by sf:N:immr:imms; null where reserved. */
const bitmasks: (BitmaskValue | null | undefined)[] = Array.from({ length: 1 << 14 });

function bitmaskOf(word: number): BitmaskValue | null {
  const index = word >>> 31 << 13 | word >>> BITMASK_LOWEST & 0x1fff, known = bitmasks[index];
  if (known !== undefined) return known;
  const fields = { N: index >>> 12 & 1, immr: index >>> 6 & 63, imms: index & 63 };
  const value = decodeBitmask(fields, index >>> 13 === 1 ? 64 : 32);
  const found = value === undefined
    ? null
    : { low: Number(value & 0xffff_ffffn), high: Number(value >> 32n) };
  bitmasks[index] = found;
  return found;
}

/** A field of 5 bits that is 31 in no word where it counts as a register. */
const THIRTY_ONE = 31;

/** The operand fields of one row's words. */
export class WordFields {
  /** Numbers of the lowest bits of the register fields. */
  readonly registers: readonly number[];
  /** Width of the immediate in bits; 0 without one. */
  readonly immediateWidth: number;
  readonly #immediates: readonly Field[];
  readonly #immediateMask: number;
  /** Place of the only part of the immediate, if there is one. */
  readonly #lowest: number;
  readonly #mask: number;
  /** A bit of the immediate that is not its top one. */
  readonly #nonzero: number;
  /** What is kept of a word whose registers are free, and whose immediate is too; of that, the top bit. */
  readonly #keptOfImmediate: number;
  readonly #kept: number;
  readonly #hasBitmask: boolean;

  /** Those of a row. */
  constructor({ name, pattern }: Instruction) {
    const place = ({ mask, lowest }: Field): number => mask << lowest;
    const registers = pattern.fields.filter((field) =>
      !REGISTER_COUNTS.test(name) && REGISTER.test(field.name) && field.width === 5
    );
    this.registers = registers.map(({ lowest }) => lowest);
    this.#immediates = IMMEDIATES.flatMap((name) => pattern.fields.filter((field) => field.name === name));
    this.immediateWidth = this.#immediates.reduce((sum, { width }) => sum + width, 0);
    this.#immediateMask = this.#immediates.reduce((mask, field) => mask | place(field), 0);
    this.#kept = ~registers.reduce((mask, field) => mask | place(field), 0);
    const first = this.#immediates[0], last = this.#immediates[this.#immediates.length - 1];
    const top = last === undefined ? 0 : 1 << (last.lowest + last.width - 1);
    this.#lowest = first?.lowest ?? 0;
    this.#mask = first?.mask ?? 0;
    this.#nonzero = first === undefined ? 0 : 1 << first.lowest;
    this.#hasBitmask = HAS_BITMASK.test(name);
    const replaced = this.#hasBitmask ? BITMASK_FIELD : this.#immediateMask;
    this.#keptOfImmediate = this.#kept & ~replaced | top;
  }

  /**
   * The same for words that may have the same form: without the numbers of its registers, unless they are 31, and with
   * only the top bit of the immediate and whether it is 0, or whether the upper half of a bitmask is.
   */
  canonical(word: number, freedom: number): number {
    if (freedom === FREEDOM.none) return word | 0;
    let canonical = word & (freedom === FREEDOM.all ? this.#keptOfImmediate : this.#kept);
    for (const lowest of this.registers) {
      if ((word >>> lowest & THIRTY_ONE) === THIRTY_ONE) canonical |= THIRTY_ONE << lowest;
    }
    if (freedom !== FREEDOM.all) return canonical;
    if (this.#hasBitmask) {
      const value = bitmaskOf(word);
      if (value === null) return word | 0;
      if (value.high !== 0) canonical |= 1 << BITMASK_LOWEST;
    } else if ((word & this.#immediateMask) !== 0) canonical |= this.#nonzero;
    return canonical;
  }

  /** The bitmask immediate of the word, where it is an operand. */
  bitmaskOf(word: number): BitmaskValue | undefined {
    return this.#hasBitmask ? bitmaskOf(word) ?? undefined : undefined;
  }

  /** The word with another bitmask, if it has one that may vary. */
  withOtherBitmask(word: number): number {
    if (!this.#hasBitmask) return word;
    const like = BITMASKS.map((bitmask) => word & ~BITMASK_FIELD | bitmask);
    const key = this.canonical(word, FREEDOM.all);
    return (like.find((other) => other >>> 0 !== word && this.canonical(other, FREEDOM.all) === key) ??
      word) >>> 0;
  }

  /** The immediate, unsigned. */
  immediateOf(word: number): number {
    if (this.#immediates.length < 2) return word >>> this.#lowest & this.#mask;
    let immediate = 0, width = 0;
    for (const field of this.#immediates) {
      immediate |= (word >>> field.lowest & field.mask) << width;
      width += field.width;
    }
    return immediate;
  }

  /** The word with an immediate. */
  withImmediate(word: number, immediate: number): number {
    let result = word & ~this.#immediateMask, width = 0;
    for (const { lowest, mask, width: more } of this.#immediates) {
      result |= (immediate >>> width & mask) << lowest;
      width += more;
    }
    return result >>> 0;
  }

  /** The word with other registers, by index in `registers` and number, where they are not 31. */
  withRegisters(word: number, other: (index: number, number: number) => number): number {
    let result = word;
    for (const [index, lowest] of this.registers.entries()) {
      const number = word >>> lowest & THIRTY_ONE;
      if (number !== THIRTY_ONE) result = result & ~(THIRTY_ONE << lowest) | other(index, number) << lowest;
    }
    return result >>> 0;
  }
}
