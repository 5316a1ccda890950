/** The field of AES (FIPS 197, 4): products, the table of SubBytes, and inverses by way of nibbles. */

/** Elements but 0, of which each is a power of 3; and their logarithms. */
const ORDER = 255, POWERS = new Uint8Array(ORDER), LOGARITHMS = new Uint8Array(256);
for (let exponent = 0, power = 1; exponent < ORDER; exponent++) {
  POWERS[exponent] = power;
  LOGARITHMS[power] = exponent;
  power ^= power << 1 ^ ((power & 0x80) !== 0 ? 0x11b : 0);
}

/** The element with a logarithm, which is taken modulo 255. */
const elementOf = (logarithm: number): number => POWERS[logarithm % ORDER] as number;
const logarithm = (a: number): number => LOGARITHMS[a] as number;

/** The product in the field of AES (FIPS 197, 4.2). */
export function multiply(a: number, b: number): number {
  return a === 0 || b === 0 ? 0 : elementOf(logarithm(a) + logarithm(b));
}

const power = (a: number, exponent: number): number => a === 0 ? 0 : elementOf(logarithm(a) * exponent);
/** That of 0 is 0. */
const inverse = (a: number): number => power(a, ORDER - 1);

/** SubBytes (FIPS 197, 5.1.1): the inverse, then an affine map. */
function substitution(): Uint8Array {
  const table = new Uint8Array(256);
  for (let byte = 0; byte < 256; byte++) {
    const found = inverse(byte), repeated = found * 0x0101;
    table[byte] = 0x63 ^ found ^ repeated >> 7 ^ repeated >> 6 ^ repeated >> 5 ^ repeated >> 4;
  }
  return table;
}

/** The table of SubBytes. */
export const SUB_BYTES: Uint8Array = substitution();
/** Its inverse. */
export const INVERSE_SUB_BYTES: Uint8Array = Uint8Array.from(SUB_BYTES, (_, byte) => SUB_BYTES.indexOf(byte));

/** The elements of the field of 16 that is in this field, so numbered that their sums are those of their numbers. */
const ELEMENTS: Uint8Array = Uint8Array.from({ length: 16 }, (_, number) => {
  const powers = [0, 17, 34, 51].map((exponent) => power(3, exponent));
  return powers.reduce((sum, power, bit) => (number >> bit & 1) === 0 ? sum : sum ^ power, 0);
});

/** A root of z² + az + a, irreducible over the field of 16: its trace and its norm are a. */
const ROOT = SUB_BYTES.findIndex((_, z) => {
  const norm = power(z, 17);
  return norm !== 0 && norm === (z ^ power(z, 16));
});
const NORM = power(ROOT, 17);

/** Stands for the inverse of 0: no sum with it is the number of an element, and looking that up gives 0. */
const INFINITE = 0x80;

const quotients = (dividend: number): Uint8Array =>
  ELEMENTS.map((element) =>
    element === 0 ? INFINITE : ELEMENTS.indexOf(multiply(dividend, inverse(element)))
  );

/**
 * Tables of 16 bytes that make SubBytes, or its inverse, of look-ups (after M. Hamburg, "Accelerating AES with vector
 * permute instructions"). A byte is x = iz + k, where z is ROOT; with j = i + k let
 *
 *     u = 1 ÷ (1 ÷ (1 ÷ i + a ÷ k) + j) = (k + ai) ÷ N,   v = 1 ÷ (1 ÷ (1 ÷ j + a ÷ k) + i) = (k + ai + ak) ÷ N,
 *
 * where N is the norm of x, k² + aik + ai². Then 1 ÷ x = (iz + k + ai) ÷ N = u(1 + z ÷ a + z ÷ a²) + vz ÷ a².
 */
export interface NibbleTables {
  /** i and k of a byte by its lower and its upper nibble, to be added. */
  readonly split: readonly [Uint8Array, Uint8Array];
  /** What is added to the result. */
  readonly constant: number;
  /** Parts of the result by 1 ÷ u and 1 ÷ v. */
  readonly result: readonly [Uint8Array, Uint8Array];
}

/** 1 ÷ i and a ÷ i by i. */
export const INVERSES: Uint8Array = quotients(1), RATIOS: Uint8Array = quotients(NORM);

/** Tables for SubBytes, an inverse and then an affine map, or for its inverse, an affine map and then an inverse. */
export function nibbleTables(isInverse: boolean): NibbleTables {
  const split = new Uint8Array(256);
  for (const [i, upper] of ELEMENTS.entries()) {
    for (const [k, lower] of ELEMENTS.entries()) split[multiply(upper, ROOT) ^ lower] = i << 4 | k;
  }
  const before = (byte: number) => isInverse ? inverse(INVERSE_SUB_BYTES[byte] as number) : byte;
  const after = (byte: number) => isInverse ? byte : SUB_BYTES[inverse(byte)] as number;
  const constant = after(0), byNorm = inverse(NORM);
  const ofV = multiply(ROOT, multiply(byNorm, byNorm)), ofU = 1 ^ multiply(ROOT, byNorm) ^ ofV;
  return {
    split: [
      ELEMENTS.map((_, nibble) => split[before(nibble)] as number),
      ELEMENTS.map((_, nibble) => split[before(nibble << 4) ^ before(0)] as number),
    ],
    constant,
    result: [
      ELEMENTS.map((element) => constant ^ after(multiply(ofU, inverse(element)))),
      ELEMENTS.map((element) => constant ^ after(multiply(ofV, inverse(element)))),
    ],
  };
}
