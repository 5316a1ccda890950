/** Faults that can be planted in hosts of programs, so that each check is seen to find one. */

/** What each of them does. */
export const PLANTED = {
  "kept-memory": "Secure memory keeps what was in it",
  "plain-page": "a page goes over the link as it is, too",
  "left-register": "an enclave's register stays in the CPU that it is taken from",
  "no-vector": "a vector register is left out of the state",
  "no-flags": "the flags are left out of the state",
  "more-time": "the counter goes on 16 ms later than it stopped",
  "no-commit": "a destination resumes when it is prepared, without the source's word",
  "open-door": "every policy is met",
  "blind-shim": "an instruction is skipped in place of emulated",
} as const;

/** The name of one. */
export type Planted = keyof typeof PLANTED;
