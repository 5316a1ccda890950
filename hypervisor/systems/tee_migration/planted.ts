/** Faults that can be planted in tee-migration, so that each of its checks is seen to find one. */

/** What each of them does. */
export const PLANTED = {
  "no-denial": "granules are delegated and stay in the host's stage 2",
  "no-wipe": "granules that are undelegated keep what is in them",
  "no-seal": "a destination is prepared, and no copy is sealed",
  "no-record": "a source commits, and its disk is not told",
  "no-commit": "a destination resumes when it is prepared, without the source's word",
  "plain-page": "a page goes over the link as it is",
  "no-state": "a vector register is left out of the state",
} as const;

/** The name of one. */
export type Planted = keyof typeof PLANTED;
