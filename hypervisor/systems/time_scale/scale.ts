/** A time scale: counts of a guest's counter per count of the machine's, a fraction between bounds that no counter overflows. */

/** A scale, in lowest terms or not. */
export interface Scale {
  /** Positive. */
  readonly numerator: number;
  /** Positive. */
  readonly denominator: number;
}

/** Bits behind the binary point of a multiplier. */
export const SHIFT = 48n;
/** The scale of real time, as a multiplier. */
export const ONE: bigint = 1n << SHIFT;

/**
 * The largest scale: virtual time ends at 2^53 ns, 2^49 counts of 16 ns, and the guest's 64-bit counter must not wrap
 * before (Arm ARM D11.1.2: it must not in 40 years of its own). The smallest keeps 32 significant bits of the multiplier.
 */
export const FASTEST = 2 ** 15 - 1, SLOWEST = 2 ** -16;

/** What is wrong with a scale, or undefined. */
export function scaleProblem({ numerator, denominator }: Scale): string | undefined {
  const text = `${numerator}/${denominator}`;
  if (!(Number.isSafeInteger(numerator) && Number.isSafeInteger(denominator))) {
    return `the scale ${text} is no fraction of whole numbers`;
  }
  if (denominator <= 0 || numerator <= 0) {
    return `the scale ${text} is not positive: time does not go backwards; to stop it, use the command freeze`;
  }
  if (numerator > denominator * FASTEST) {
    return `the scale ${text} is more than ${FASTEST}: the guest's counter would overflow before virtual time ends`;
  }
  if (numerator < denominator * SLOWEST) {
    return `the scale ${text} is less than 1/${1 / SLOWEST}: its multiplier would lose its precision`;
  }
  return undefined;
}

/** The multiplier of a fraction, rounded to nearest: counts of the guest in units of 2^-SHIFT. */
export function multiplierOf(numerator: bigint, denominator: bigint): bigint {
  return ((numerator << SHIFT) + denominator / 2n) / denominator;
}

/** Reads `1/4`, `4` or `0.25`; undefined for what is no fraction. Its bounds are `scaleProblem`'s. */
export function parseScale(text: string): Scale | undefined {
  const fraction = /^(-?\d{1,10})(?:\/(-?\d{1,10}))?$/.exec(text);
  if (fraction !== null) return { numerator: Number(fraction[1]), denominator: Number(fraction[2] ?? 1) };
  const decimal = /^(-?\d{1,6})\.(\d{1,9})$/.exec(text);
  if (decimal === null) return undefined;
  const digits = decimal[2] as string;
  return {
    numerator: Number(`${decimal[1]}${digits}`),
    denominator: Number(`1${"0".repeat(digits.length)}`),
  };
}
