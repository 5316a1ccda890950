/** The forms of words met so far, and how new ones are learned. */
import { findRow } from "../a64/rows.ts";
import type { Instruction } from "../a64/rows.ts";
import { IN_PAGE, type RecordImage } from "./record_image.ts";
import type { Operands, Shape } from "./shape.ts";
import { type Distance, type Sample, WordForm } from "./word_form.ts";
import { FREEDOM, FREEDOMS, WordFields } from "./word_fields.ts";

/** Words kept that no form but their own holds for, before they are forgotten: bounds memory. */
const LIMIT = 1 << 15;

/** Register numbers of samples: each field differs from the others and from what it is in the word, also in being odd. */
const NUMBERS = [[2, 12, 28, 6, 10], [3, 15, 21, 7, 9]] as const;
/**
 * Immediates of samples where the top bit is clear; where it is set, as far below 0. Those of branches stay in the page
 * like the word's, or leave it.
 */
const PLAIN_IMMEDIATES = [1, 0x2aaa_aaaa], LOCAL_IMMEDIATES = [1, 2], FAR_IMMEDIATES = [0x403, 0x802];
/** Addresses of samples, in the middle of a page so that there are branches that stay in it: below 2³² and above. */
const LOW_ADDRESSES = [0x4000_0800n, 0x1234_5724n] as const;
const HIGH_ADDRESSES = [0xffff_8000_0800_0800n, 0xaaab_1234_5724n] as const;

/** A word at an address, taken apart the long way. */
export interface TakenApart {
  /** Its shape and operands; undefined for words that are evaluated. */
  readonly shaped: { readonly shape: Shape; readonly operands: Operands } | undefined;
  /** What was found depends on the address. */
  readonly isRelative: boolean;
}

/** The forms of the words that are equal in what is not free. */
interface Group {
  readonly isRelative: boolean;
  /** How far their branch goes, if its target is known: whether it stays in the page is the form's business. */
  readonly distance: Distance | undefined;
  /** By `variantOf`; null where there is none. */
  readonly forms: (KnownForm | null | undefined)[];
}

/** A form and the shape of its words; none where they are evaluated. */
interface KnownForm {
  readonly form: WordForm | undefined;
  readonly shape: Shape | undefined;
  /** What their records hold depends on the address. */
  readonly isRelative: boolean;
}

/** The operand fields of a row, and its groups by freedom and canonical word. */
interface KnownRow {
  readonly fields: WordFields;
  readonly groups: readonly Map<number, Group | null>[];
}

/** What was found of words that are evaluated. */
const EVALUATED: KnownForm = { form: undefined, shape: undefined, isRelative: true };

/** All forms; each CPU model, and guarded pages, need their own. */
export class WordForms {
  readonly #rows = new Map<Instruction, KnownRow>();

  /** `takeApart` is the definition of what is found here. */
  constructor(private readonly takeApart: (word: number, pc: bigint) => TakenApart) {}

  /** Makes the record of a word at an address, given by halves; undefined, and nothing is made, where it is evaluated. */
  find(image: RecordImage, word: number, low: number, high: number): Shape | undefined {
    const row = findRow(word);
    if (row === undefined) return undefined;
    let known = this.#rows.get(row);
    if (known === undefined) this.#rows.set(row, known = this.#newRow(row));
    for (let freedom = 0; freedom < FREEDOMS; freedom++) {
      // Tried already.
      if (freedom === FREEDOM.registers && known.fields.immediateOf(word) === 0) continue;
      const found = this.#formOf(known, freedom, word, low, high);
      if (found === null) continue;
      image.isRelative = found.isRelative;
      if (found.form === undefined || found.form.fill(image, word, low, high)) return found.shape;
    }
    const pc = addressOf(low, high), { shaped, isRelative } = this.takeApart(word, pc);
    image.isRelative = isRelative;
    if (shaped !== undefined) image.set(shaped.operands, pc);
    return shaped?.shape;
  }

  #newRow(row: Instruction): KnownRow {
    return { fields: new WordFields(row), groups: Array.from({ length: FREEDOMS }, () => new Map()) };
  }

  #formOf(row: KnownRow, freedom: number, word: number, low: number, high: number): KnownForm | null {
    const groups = row.groups[freedom] as Map<number, Group | null>, { fields } = row;
    const key = fields.canonical(word, freedom);
    const group = groups.get(key);
    if (group === null) return null;
    if (group !== undefined) {
      const variant = variantOf(group, fields, word, low, high), found = group.forms[variant];
      if (found !== undefined) return found;
      return group.forms[variant] = this.#learn(fields, freedom, word, low, high).found;
    }
    if (groups.size >= LIMIT) groups.clear();
    const { found, isRelative } = this.#learn(fields, freedom, word, low, high);
    // Without a form it is not known how far the branch goes, if it is one.
    if (found === null && isRelative) groups.set(key, null);
    else {
      const made: Group = { isRelative, distance: found?.form?.distance, forms: [] };
      made.forms[variantOf(made, fields, word, low, high)] = found;
      groups.set(key, made);
    }
    return found;
  }

  /** What holds for words like this one: tries some, and finds what they have in common. */
  #learn(
    fields: WordFields,
    freedom: number,
    word: number,
    low: number,
    high: number,
  ): { found: KnownForm | null; isRelative: boolean } {
    const pc = addressOf(low, high), { shaped, isRelative } = this.takeApart(word, pc);
    // Words may be evaluated for reasons that have nothing to do with each other.
    if (shaped === undefined) return { found: freedom === FREEDOM.none ? EVALUATED : null, isRelative };
    const samples: Sample[] = [{ word, pc, ...shaped }];
    const isLike = (word: number, pc: bigint): boolean => {
      const other = this.takeApart(word, pc);
      if (other.isRelative !== isRelative || other.shaped?.shape.key !== shaped.shape.key) return false;
      return samples.push({ word, pc, ...other.shaped }) > 0;
    };
    const [here, there] = !isRelative ? [pc, pc] : high === 0 ? LOW_ADDRESSES : HIGH_ADDRESSES;
    const like = likeWords(fields, freedom, word, isRelative, shaped.shape);
    const areLike = like.every((like) => isLike(like, there)) &&
      (!isRelative || isLike(like[0] as number, here));
    if (!areLike) return { found: null, isRelative };
    const form = WordForm.of(samples, fields);
    return { found: form === undefined ? null : { form, shape: shaped.shape, isRelative }, isRelative };
  }
}

/** Words that differ in all that is free, two where that is an immediate number. */
function likeWords(
  fields: WordFields,
  freedom: number,
  word: number,
  isRelative: boolean,
  { nodes }: Shape,
): number[] {
  if (freedom === FREEDOM.none) return [word];
  const immediate = fields.immediateOf(word), top = 2 ** (fields.immediateWidth - 1);
  const other = fields.withRegisters(word, (index, number) => NUMBERS[1 - number % 2]?.[index] as number);
  if (freedom === FREEDOM.registers) return [other];
  if (immediate === 0) return [fields.withOtherBitmask(other)];
  const isLocal = nodes.some(({ immediates: [kind] }) => kind === "local");
  const likes = !isRelative ? PLAIN_IMMEDIATES : isLocal ? LOCAL_IMMEDIATES : FAR_IMMEDIATES;
  return likes.map((like) => {
    const size = like & (top - 1);
    return fields.withImmediate(other, immediate < top ? size : 2 * top - size);
  });
}

/** Which of a group's forms is for an address: the branch stays in the page or not, the address is below 2³² or not. */
function variantOf(
  { isRelative, distance }: Group,
  fields: WordFields,
  word: number,
  low: number,
  high: number,
): number {
  if (!isRelative) return 0;
  const isLow = high === 0 ? 1 : 0;
  if (distance === undefined) return isLow;
  const place = (low & IN_PAGE) + distance.base + distance.step * fields.immediateOf(word);
  const stays = place >= 0 && place <= IN_PAGE && (place & 3) === 0;
  return (stays ? 2 : 0) + isLow;
}

function addressOf(low: number, high: number): bigint {
  return BigInt(high >>> 0) << 32n | BigInt(low >>> 0);
}
