/** What floating-point operations read and leave behind: control bits of FPCR, cumulative flags of FPSR, rounding modes. */
import type { Format } from "./format.ts";

/** Bits of FPCR (Arm ARM C5.2.8). */
export const FPCR = { AHP: 1 << 26, DN: 1 << 25, FZ: 1 << 24, FZ16: 1 << 19 } as const;
const RMODE_SHIFT = 22;

/**
 * Cumulative exception bits of FPSR (Arm ARM C5.2.9): invalid operation, division by zero, overflow, underflow, inexact,
 * input denormal.
 */
export const FPSR = { IOC: 1, DZC: 2, OFC: 4, UFC: 8, IXC: 16, IDC: 128 } as const;

/** Rounding modes by number; the first four are those of FPCR.RMode, `fpcr` stands for the one in force. */
export const ROUNDING = {
  tiesToEven: 0,
  towardPlus: 1,
  towardMinus: 2,
  towardZero: 3,
  tiesToAway: 4,
  toOdd: 5,
  fpcr: 6,
} as const;

/** Number of a rounding mode. */
export type Rounding = (typeof ROUNDING)[keyof typeof ROUNDING];

/** FPCR during an operation, and the bits of FPSR that it sets. */
export class FloatEnvironment {
  /** Bits of FPSR set so far. */
  flags = 0;
  /** FPCR.DN: every NaN that results is the default NaN. */
  readonly defaultsNan: boolean;
  /** FPCR.RMode as a number of `ROUNDING`. */
  readonly rounding: Rounding;

  /** An environment without flags; `fpcr` has the bits of FPCR. */
  constructor(readonly fpcr: number) {
    this.defaultsNan = (fpcr & FPCR.DN) !== 0;
    this.rounding = (fpcr >> RMODE_SHIFT & 3) as Rounding;
  }

  /** A mode as the operation gives it, or FPCR's. */
  mode(rounding: Rounding): Rounding {
    return rounding === ROUNDING.fpcr ? this.rounding : rounding;
  }

  /** True when denormal numbers of a format count as zero in arithmetic, operands and results alike. */
  flushes(format: Format): boolean {
    return (this.fpcr & (format.width === 16 ? FPCR.FZ16 : FPCR.FZ)) !== 0;
  }

  /** The same for conversions between formats, where halves are never flushed (Arm ARM: FPUnpackCV, FPRoundCV). */
  flushesConverted(format: Format): boolean {
    return format.width !== 16 && (this.fpcr & FPCR.FZ) !== 0;
  }
}
