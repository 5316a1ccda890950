/** Words decoded of late whose records are the same at every address: code is made of few words. */
import { RECORD_SIZE } from "./code_pages.ts";
import type { RecordImage } from "./record_image.ts";

/** Places, each for one word: on a Linux boot some two fifths of 365,000 words are found in 2¹³ of them. */
const PLACE_BITS = 13, PLACES = 2 ** PLACE_BITS;
/** Spreads words over places: 2³² by the golden ratio. */
const SPREAD = 0x9e37_79b1;
const WORDS = RECORD_SIZE / 4;

/** A table that forgets what another word takes the place of. */
export class RecentWords {
  readonly #words = new Uint32Array(PLACES);
  /** Number of the shape plus one, which is 0 where there is no word, and of registers in the lowest three bits. */
  readonly #numbers = new Int32Array(PLACES);
  readonly #images = new Uint32Array(PLACES * WORDS);

  /** Number of a word's shape, with its record in `image`; −1 where it is not known. */
  find(word: number, image: RecordImage): number {
    const place = placeOf(word), found = this.#numbers[place] as number;
    if (found === 0 || this.#words[place] !== word) return -1;
    const first = place * WORDS, { words } = image;
    for (let index = 0; index < WORDS; index++) words[index] = this.#images[first + index] as number;
    image.registers = found & 7;
    image.distance = undefined;
    image.isLocal = false;
    return (found >> 3) - 1;
  }

  /** Keeps what was found of a word at some address, which holds at all. */
  keep(word: number, number: number, image: RecordImage): void {
    const place = placeOf(word), first = place * WORDS;
    this.#words[place] = word;
    this.#numbers[place] = (number + 1) << 3 | image.registers;
    for (let index = 0; index < WORDS; index++) this.#images[first + index] = image.words[index] as number;
  }
}

function placeOf(word: number): number {
  return Math.imul(word, SPREAD) >>> (32 - PLACE_BITS);
}
