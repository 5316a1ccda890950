/** QARMA5, the cipher of FEAT_PACQARMA5 (Arm ARM ComputePAC; R. Avanzi, "The QARMA Block Cipher Family", 2017: QARMA-64, σ2). */

/** The 16 cells of four bits of a state, the most significant first, as the paper counts them. */
export type Cells = readonly number[];

const CELLS = 16;
/** Rounds before and after the central one. */
export const ROUNDS = 5;

/** The substitution σ2. */
export const SUBSTITUTION: Cells = [11, 6, 8, 15, 12, 0, 9, 14, 3, 7, 4, 5, 13, 2, 1, 10];
/** The shuffle τ of the state. */
export const SHUFFLE: Cells = [0, 11, 6, 13, 10, 1, 12, 7, 5, 14, 3, 8, 15, 4, 9, 2];
/** The shuffle h of the tweak. */
export const TWEAK_SHUFFLE: Cells = [6, 5, 14, 15, 0, 1, 2, 3, 7, 12, 13, 4, 8, 9, 10, 11];
/** The cells of the tweak that its register ω then moves on. */
export const TWEAK_MOVED: Cells = [0, 1, 3, 4, 8, 11, 13];
/** The rotations of the rows of M = circ(0, ρ, ρ², ρ), and whether each is there at all. */
export const MIX: readonly (readonly [distance: number, rotation: number])[] = [[1, 1], [2, 2], [3, 1]];

/** α, from the digits of π. */
export const ALPHA = 0xc0ac_29b7_c97c_50ddn;
/** The constant of each round, from there too. */
export const CONSTANTS: readonly bigint[] = [
  0n,
  0x1319_8a2e_0370_7344n,
  0xa409_3822_299f_31d0n,
  0x082e_fa98_ec4e_6c89n,
  0x4528_21e6_38d0_1377n,
];

const at = (cells: Cells, index: number): number => cells[index] as number;

/** The permutation that undoes one. */
export function inverse(permutation: Cells): Cells {
  return permutation.map((_, index) => permutation.indexOf(index));
}

const shuffle = (cells: Cells, order: Cells): Cells => order.map((from) => at(cells, from));
const rotate = (cell: number, count: number): number => (cell << count | cell >> (4 - count)) & 15;

/** M on the columns of the state as a matrix of four rows; it is its own inverse. */
function mix(cells: Cells): Cells {
  return cells.map((_, index) =>
    MIX.reduce((sum, [distance, rotation]) => {
      return sum ^ rotate(at(cells, (index + 4 * distance) % CELLS), rotation);
    }, 0)
  );
}

/** The tweak of the next round. */
function moveTweak(cells: Cells): Cells {
  return shuffle(cells, TWEAK_SHUFFLE).map((cell, index) =>
    TWEAK_MOVED.includes(index) ? ((cell ^ cell >> 1) & 1) << 3 | cell >> 1 : cell
  );
}

/** What a map makes of one bit, as two words, low and high. */
function imageOf(map: (cells: Cells) => Cells, bit: number): number[] {
  const unit = map(
    Array.from({ length: CELLS }, (_, cell) => (15 - cell) === bit >> 2 ? 1 << (bit & 3) : 0),
  );
  return [unit.slice(8), unit.slice(0, 8)].map((half) => half.reduce((sum, cell) => sum << 4 | cell, 0));
}

function sumAt(table: Int32Array, half: number, one: number, other: number): number {
  return (table[one + half] as number) ^ (table[other + half] as number);
}

/** A map that is linear over bits, as two words, low and high, for every value of each of the eight bytes, the lowest first. */
function tabulate(map: (cells: Cells) => Cells): Int32Array {
  const table = new Int32Array(8 * 256 * 2);
  for (let byte = 0; byte < 8; byte++) {
    for (let value = 1; value < 256; value++) {
      const lowest = value & -value, entry = (byte * 256 + value) * 2;
      const halves = lowest === value
        ? imageOf(map, byte * 8 + 31 - Math.clz32(value))
        : [0, 1].map((half) => sumAt(table, half, entry - lowest * 2, (byte * 256 + lowest) * 2));
      table.set(halves, entry);
    }
  }
  return table;
}

/** The linear maps of the cipher. */
interface Tables {
  readonly forward: Int32Array;
  readonly backward: Int32Array;
  readonly reflected: Int32Array;
  readonly tweak: Int32Array;
}

let tables: Tables | undefined;

/** Made when they are first needed: most machines never do. */
function linearMaps(): Tables {
  return tables ??= {
    forward: tabulate((cells) => mix(shuffle(cells, SHUFFLE))),
    backward: tabulate((cells) => shuffle(mix(cells), inverse(SHUFFLE))),
    reflected: tabulate((cells) => shuffle(cells, inverse(SHUFFLE))),
    tweak: tabulate(moveTweak),
  };
}

/** A substitution of cells, for two cells at once. */
const ofBytes = (cells: Cells): Uint8Array =>
  Uint8Array.from({ length: 256 }, (_, byte) => at(cells, byte >> 4) << 4 | at(cells, byte & 15));
const SUBSTITUTE = ofBytes(SUBSTITUTION), RESTORE = ofBytes(inverse(SUBSTITUTION));

/** A value of 64 bits, changed in place. */
class Pair {
  readonly #wide = new BigUint64Array(1);
  /** The lower word, then the upper. */
  readonly words: Int32Array = new Int32Array(this.#wide.buffer);

  get value(): bigint {
    return this.#wide[0] as bigint;
  }

  set(value: bigint): this {
    this.#wide[0] = value;
    return this;
  }

  copy({ words }: Pair): this {
    this.words[0] = words[0] as number;
    this.words[1] = words[1] as number;
    return this;
  }

  add({ words }: Pair): this {
    this.words[0] = (this.words[0] as number) ^ (words[0] as number);
    this.words[1] = (this.words[1] as number) ^ (words[1] as number);
    return this;
  }

  /** Applies a linear map. */
  map(table: Int32Array): this {
    let low = 0, high = 0;
    for (let byte = 0; byte < 8; byte++) {
      const value = (this.words[byte >> 2] as number) >>> (byte & 3) * 8 & 255;
      const entry = (byte * 256 + value) * 2;
      low ^= table[entry] as number;
      high ^= table[entry + 1] as number;
    }
    this.words[0] = low;
    this.words[1] = high;
    return this;
  }

  /** Substitutes every cell. */
  substitute(table: Uint8Array): this {
    for (let index = 0; index < 2; index++) {
      const word = this.words[index] as number;
      this.words[index] = (table[word & 255] as number) | (table[word >>> 8 & 255] as number) << 8 |
        (table[word >>> 16 & 255] as number) << 16 | (table[word >>> 24] as number) << 24;
    }
    return this;
  }
}

const pair = (value = 0n): Pair => new Pair().set(value);
/** Constants of the rounds, forward and backward. */
const FORWARD_CONSTANTS = CONSTANTS.map((value) => pair(value));
const BACKWARD_CONSTANTS = CONSTANTS.map((value) => pair(value ^ ALPHA));

const STATE = pair(), WHITENING = pair(), LAST_WHITENING = pair(), KEY = pair();
const TWEAKS = Array.from({ length: ROUNDS + 1 }, () => pair());

/**
 * Encrypts 64 bits under a tweak and a key of 128 bits, given as its upper half (the whitening key w0) and its lower
 * half (the core key k0). All values are unsigned.
 */
export function qarma5(text: bigint, tweak: bigint, upperKey: bigint, lowerKey: bigint): bigint {
  const { forward, backward, reflected, tweak: tweakMap } = linearMaps();
  WHITENING.set(upperKey);
  LAST_WHITENING.set(upperKey << 63n | upperKey >> 1n ^ upperKey >> 63n);
  KEY.set(lowerKey);
  (TWEAKS[0] as Pair).set(tweak);
  for (let round = 1; round <= ROUNDS; round++) {
    (TWEAKS[round] as Pair).copy(TWEAKS[round - 1] as Pair).map(tweakMap);
  }
  const central = TWEAKS[ROUNDS] as Pair;
  STATE.set(text).add(WHITENING);
  for (let round = 0; round < ROUNDS; round++) {
    STATE.add(KEY).add(TWEAKS[round] as Pair).add(FORWARD_CONSTANTS[round] as Pair);
    if (round > 0) STATE.map(forward);
    STATE.substitute(SUBSTITUTE);
  }
  STATE.add(LAST_WHITENING).add(central).map(forward).substitute(SUBSTITUTE);
  STATE.map(forward).add(KEY).map(reflected);
  STATE.substitute(RESTORE).map(backward).add(WHITENING).add(central);
  for (let round = ROUNDS - 1; round >= 0; round--) {
    STATE.substitute(RESTORE);
    if (round > 0) STATE.map(backward);
    STATE.add(KEY).add(TWEAKS[round] as Pair).add(BACKWARD_CONSTANTS[round] as Pair);
  }
  return STATE.add(LAST_WHITENING).value;
}
