/** A case and its outcome as records of 64-bit words: what `instruction_runner.s` reads and writes. */

/** Where the instruction under test is placed; the word before it is its prelude, the word after it undefined. */
export const SLOT = 0x5a_5a5a_5800n;
/** Memory that cases may use. */
export const WINDOW = 0x5a_5a5a_d800n;
/** Bytes of the window. */
export const WINDOW_SIZE = 256;
/** The middle of a page that nobody may access. */
export const HOLE = 0x5a_5a59_d800n;

/** In a case the instruction word and, in the upper half, its prelude; in an outcome the PC. */
export const AT_WORDS = 0;
/** X0–X30 and SP. */
export const AT_X = 1;
/** NZCV in bits 31–28. */
export const AT_NZCV = 33;
/** FPSR and, in the upper half, FPCR. */
export const AT_FPSR = 34;
/** Address of a memory fault; 0 when there is none, or in a case. */
export const AT_FAULT = 35;
/** A value of `SIGNALS` when the instruction (or its prelude, by the PC) faulted, else 0. */
export const AT_SIGNAL = 36;
/** Halves of V0–V31; the word before is unused. */
export const AT_V = 38;
/** The window. */
export const AT_WINDOW = 102;
/** 64-bit words of a record. */
export const RECORD_WORDS = 134;

/** What Linux makes of an exception. */
export const SIGNALS = { undefined: 4, breakpoint: 5, alignment: 7, memory: 11 } as const;

/** Some records, one after another. */
export class Records {
  /** All of them; record `index` begins at `index * RECORD_WORDS`. */
  readonly words: BigUint64Array<ArrayBuffer>;
  /** The same memory. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The same memory. */
  readonly halves: Uint32Array<ArrayBuffer>;

  /** `count` records, all zero. */
  constructor(readonly count: number) {
    this.words = new BigUint64Array(count * RECORD_WORDS);
    this.bytes = new Uint8Array(this.words.buffer);
    this.halves = new Uint32Array(this.words.buffer);
  }

  /** The words of one record, shared. */
  record(index: number): BigUint64Array<ArrayBuffer> {
    return this.words.subarray(index * RECORD_WORDS, (index + 1) * RECORD_WORDS);
  }
}

/** Name of a word of an outcome, for people. */
export function wordName(at: number): string {
  if (at >= AT_WINDOW) return `window+0x${((at - AT_WINDOW) * 8).toString(16)}`;
  if (at >= AT_V) return `V${(at - AT_V) >> 1}.D[${at & 1}]`;
  if (at >= AT_X && at < AT_X + 31) return `X${at - AT_X}`;
  const names: Record<number, string> = {
    [AT_WORDS]: "PC",
    [AT_X + 31]: "SP",
    [AT_NZCV]: "NZCV",
    [AT_FPSR]: "FPCR:FPSR",
    [AT_FAULT]: "fault address",
    [AT_SIGNAL]: "signal",
  };
  return names[at] ?? `word ${at}`;
}
