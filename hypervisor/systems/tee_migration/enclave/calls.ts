/** The calls by which the normal world has an enclave: SMC64 in the range of a Trusted OS (Arm DEN 0028, SMC calling convention). */

/** Function identifiers; `enter` yields, since an interrupt ends it. */
export const CALLS = {
  /** X1: physical address of an image in normal memory, X2: bytes. Gives the measurement in X1–X4. */
  create: 0xf200_0001n,
  /** Runs it until something happens. */
  enter: 0x7200_0002n,
  /** Clears it. */
  destroy: 0xf200_0003n,
  /** Whether there is one; the measurement in X1–X4. */
  find: 0xf200_0004n,
} as const;

/** What `enter` gives in X0. */
export const LEFT = {
  /** It ended; X1 is its result. */
  done: 0n,
  /** It wrote X1 bytes, which are in X2–X5. */
  output: 1n,
  /** An interrupt of the normal world waits. */
  interrupted: 2n,
  /** It waits until CNTPCT_EL0 is X1. */
  waiting: 3n,
  /** It did what it may not, and is no more; X1 is the exception class. */
  faulted: 4n,
} as const;

/** Refusals in X0. */
export const REFUSED = { invalid: -2n, denied: -3n, busy: -4n, gone: -5n } as const;
