/** What a thread that digests and packs bytes shares with the one that asks it: a queue of jobs, and slots with their bytes. */

/** Slots for pieces of what is digested, then for payloads; the size of each in bytes. */
export const DIGEST_SLOTS = 8, PACK_SLOTS = 2, DIGEST_SLOT_SIZE = 1 << 18, PACK_SLOT_SIZE = 4 << 20;

/** All of them. */
export const SLOTS: number = DIGEST_SLOTS + PACK_SLOTS;

/** Bytes of all slots. */
export const SLOTS_SIZE: number = DIGEST_SLOTS * DIGEST_SLOT_SIZE + PACK_SLOTS * PACK_SLOT_SIZE;

/** Offset of a slot among them. */
export function offsetOf(slot: number): number {
  const pack = slot - DIGEST_SLOTS;
  return pack < 0 ? slot * DIGEST_SLOT_SIZE : DIGEST_SLOTS * DIGEST_SLOT_SIZE + pack * PACK_SLOT_SIZE;
}

/** Words of control: whether the thread is ready, jobs asked for, the queue of slots, and the words of each slot. */
export const CONTROL = { ready: 0, asked: 1, queue: 2, slots: 2 + 16 } as const;
/** Jobs in the queue at most; more than there are slots. */
export const QUEUE = 16;
/** Words of a slot: state, job, length of its bytes, zstd's level, packing and CRC-32 of the result. */
export const SLOT = { state: 0, job: 1, length: 2, level: 3, packing: 4, crc: 5 } as const;
/** How many they are. */
export const SLOT_WORDS = 8;
/** Words in all. */
export const CONTROL_WORDS: number = CONTROL.slots + SLOTS * SLOT_WORDS;

/** A slot is anybody's who asks; the thread's; the asker's again. */
export const STATE = { free: 0, asked: 1, done: 2 } as const;
/** Adds to the digest; adds to it and ends it; packs; ends the thread. */
export const JOB = { update: 0, digest: 1, pack: 2, end: 3 } as const;

/** What the thread is given. */
export interface SharedBytes {
  /** Words of control. */
  readonly control: Int32Array<SharedArrayBuffer>;
  /** The slots. */
  readonly bytes: Uint8Array<SharedArrayBuffer>;
}

/** Word of a slot. */
export function wordOf(slot: number, word: number): number {
  return CONTROL.slots + slot * SLOT_WORDS + word;
}
