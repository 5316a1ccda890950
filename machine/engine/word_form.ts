/**
 * Forms of words: words that differ only in operand fields have one shape, and what their records hold follows from
 * those fields and the address. How is found out from samples that were taken apart (`WordForms` chooses them).
 */
import { OFFSET_V } from "../cpu/registers.ts";
import { RECORD } from "./code_pages.ts";
import { IN_PAGE, RecordImage } from "./record_image.ts";
import type { Operands, Shape } from "./shape.ts";
import type { BitmaskValue, WordFields } from "./word_fields.ts";

const NARROW = RECORD.narrow / 4, WIDE0 = RECORD.wide0 / 4, WIDE1 = RECORD.wide1 / 4;
const REGISTERS = RECORD.registers / 2;
const TWO_TO_32 = 2 ** 32;
const NO_BITMASK: BitmaskValue = { low: 0, high: 0 };

/** What a value is relative to: nothing, the instruction's address, its page's, or the word's bitmask immediate. */
const ORIGIN = { nothing: 0, instruction: 1, page: 2, bitmask: 3 } as const;

/** A value of 64 bits: a base, what it is relative to, and so many times the immediate. */
interface Value {
  /** One of ORIGIN. */
  readonly origin: number;
  /** Halves of the base. */
  readonly low: number;
  readonly high: number;
  /** What each unit of the immediate adds; the product with any is exact as a number. */
  readonly step: number;
  readonly isConstant: boolean;
  /** Its upper half is 0, which it must be wherever the form holds: such values may be in the narrow place. */
  readonly isShort: boolean;
}

/** What a register's place holds: `base` and so many times the field of 5 bits whose lowest is bit `lowest`. */
interface RegisterPlace {
  readonly base: number;
  readonly lowest: number;
  readonly multiple: number;
}

/** Bytes from an instruction to its branch's target. */
export interface Distance {
  /** What it is for an immediate of 0. */
  readonly base: number;
  /** What each unit of the immediate adds. */
  readonly step: number;
}

/** A word that was taken apart at an address. */
export interface Sample {
  /** The word. */
  readonly word: number;
  /** The address. */
  readonly pc: bigint;
  /** Its shape there. */
  readonly shape: Shape;
  /** Its operands there. */
  readonly operands: Operands;
}

/** What is left of values when what they are relative to is taken away, and how it depends on the immediate. */
function affine(
  points: readonly { immediate: number; rest: bigint }[],
): { base: bigint; step: bigint } | undefined {
  const first = points[0] as { immediate: number; rest: bigint };
  const other = points.find(({ immediate }) => immediate !== first.immediate);
  const step = other === undefined
    ? 0n
    : BigInt.asIntN(64, other.rest - first.rest) / BigInt(other.immediate - first.immediate);
  const base = first.rest - step * BigInt(first.immediate);
  const agree = points.every(({ immediate, rest }) =>
    BigInt.asUintN(64, base + step * BigInt(immediate) - rest) === 0n
  );
  return agree ? { base, step } : undefined;
}

/** Finds what samples of one shape have in common. */
class Fit {
  constructor(private readonly samples: readonly Sample[], private readonly fields: WordFields) {}

  /** What a register's place holds in all samples. */
  register(index: number): RegisterPlace | undefined {
    const { samples, fields: { registers } } = this;
    const candidates: RegisterPlace[] = [
      { base: samples[0]?.operands.registers[index] as number, lowest: 0, multiple: 0 },
      ...registers.map((lowest) => ({ base: 0, lowest, multiple: 8 })),
      ...registers.map((lowest) => ({ base: OFFSET_V, lowest, multiple: 16 })),
    ];
    return candidates.find(({ base, lowest, multiple }) =>
      samples.every(({ word, operands }) =>
        operands.registers[index] === base + (word >>> lowest & 31) * multiple
      )
    );
  }

  /** A value in all samples. */
  value(valueOf: (sample: Sample) => bigint): Value | undefined {
    for (const origin of Object.values(ORIGIN)) {
      const value = this.#relativeTo(origin, valueOf);
      if (value !== undefined) return value;
    }
    return undefined;
  }

  #relativeTo(origin: number, valueOf: (sample: Sample) => bigint): Value | undefined {
    const { samples, fields } = this;
    const found = affine(samples.map((sample) => ({
      immediate: fields.immediateOf(sample.word),
      rest: valueOf(sample) - this.#origin(origin, sample),
    })));
    if (found === undefined) return undefined;
    const { base, step } = found, isConstant = step === 0n && origin === ORIGIN.nothing;
    const isShort = valueOf(samples[0] as Sample) >> 32n === 0n;
    const agree = samples.every((sample) => valueOf(sample) >> 32n === 0n === isShort);
    const isExact = (step < 0n ? -step : step) << BigInt(fields.immediateWidth) < 1n << 50n;
    if (!isExact || !agree) return undefined;
    const low = Number(BigInt.asUintN(32, base)), high = Number(BigInt.asUintN(32, base >> 32n));
    return { origin, low, high, step: Number(step), isConstant, isShort };
  }

  #origin(origin: number, { word, pc }: Sample): bigint {
    if (origin === ORIGIN.nothing) return 0n;
    if (origin !== ORIGIN.bitmask) return origin === ORIGIN.page ? pc & ~BigInt(IN_PAGE) : pc;
    const { low, high } = this.fields.bitmaskOf(word) ?? NO_BITMASK;
    return BigInt(high) << 32n | BigInt(low);
  }

  /** How far a branch goes. */
  distance(): Distance | undefined {
    const { samples, fields } = this;
    const found = affine(samples.map(({ word, pc, operands: { target = pc } }) => ({
      immediate: fields.immediateOf(word),
      rest: BigInt.asIntN(64, target - pc),
    })));
    return found && { base: Number(found.base), step: Number(found.step) };
  }
}

/** How the records of words of one form follow from the word and its address. */
export class WordForm {
  private constructor(
    private readonly fields: WordFields,
    private readonly registers: readonly RegisterPlace[],
    private readonly narrow: Value,
    private readonly wide0: Value,
    private readonly wide1: Value,
    /** How far its branch goes, if that is known. */
    readonly distance: Distance | undefined,
    private readonly isLocal: boolean,
  ) {}

  /** What samples of one shape have in common; undefined when they do not determine it. */
  static of(samples: readonly Sample[], fields: WordFields): WordForm | undefined {
    const { shape, operands } = samples[0] as Sample, fit = new Fit(samples, fields);
    const registers = operands.registers.map((_, index) => fit.register(index));
    const narrow = fit.value(({ operands }) => BigInt(operands.narrow));
    const wide0 = fit.value(({ operands }) => operands.wide[0]);
    const wide1 = fit.value(({ operands }) => operands.wide[1]);
    if (narrow === undefined || wide0 === undefined || wide1 === undefined) return undefined;
    const hasTarget = operands.target !== undefined, distance = hasTarget ? fit.distance() : undefined;
    if (registers.includes(undefined) || (hasTarget && distance === undefined)) return undefined;
    const isLocal = shape.nodes.some(({ immediates: [kind] }) => kind === "local");
    return new WordForm(fields, registers as RegisterPlace[], narrow, wide0, wide1, distance, isLocal);
  }

  /** Makes the record of a word of this form at an address, given by halves; false where the form does not hold. */
  fill(image: RecordImage, word: number, low: number, high: number): boolean {
    const { registers, distance } = this, { words, halves } = image;
    const immediate = this.fields.immediateOf(word);
    for (let index = 0; index < registers.length; index++) {
      const { base, lowest, multiple } = registers[index] as RegisterPlace;
      halves[REGISTERS + index] = base + (word >>> lowest & 31) * multiple;
    }
    image.registers = registers.length;
    image.distance = distance === undefined ? undefined : distance.base + distance.step * immediate;
    image.isLocal = this.isLocal;
    // Written from the lowest: halves that a value does not have are those of the next.
    return this.#put(words, NARROW, this.narrow, immediate, word, low, high) &&
      this.#put(words, WIDE0, this.wide0, immediate, word, low, high) &&
      this.#put(words, WIDE1, this.wide1, immediate, word, low, high);
  }

  /** Writes a value; false when it is not as short or long as it is wherever the form holds. */
  #put(
    words: Uint32Array,
    at: number,
    value: Value,
    immediate: number,
    word: number,
    low: number,
    high: number,
  ): boolean {
    const { origin } = value;
    let sum = value.low, upper = value.high;
    if (!value.isConstant) {
      sum += value.step * immediate;
      if (origin === ORIGIN.bitmask) {
        const bitmask = this.fields.bitmaskOf(word) ?? NO_BITMASK;
        sum += bitmask.low;
        upper += bitmask.high;
      } else if (origin !== ORIGIN.nothing) {
        sum += origin === ORIGIN.page ? low - (low & IN_PAGE) : low;
        upper += high;
      }
      upper = (upper + Math.floor(sum / TWO_TO_32)) >>> 0;
      if ((upper === 0) !== value.isShort) return false;
    }
    words[at] = sum;
    words[at + 1] = upper;
    return true;
  }
}
