/** What a scan of an address space finds: runs of guest virtual addresses with where they lead, merged and printed. */

/**
 * What is at the addresses of a run. `mapped`: both stages lead to `pa`. `unbacked`: the guest maps them to `ipa`, where
 * stage 2 has nothing. `protected`: so does stage 2, but no read is allowed, or its access flag is clear. `unaccessed`:
 * the guest's access flag is clear, or its permissions allow no read. `hole`: the guest's tables cannot be followed: an
 * external abort, an address too large, a table where stage 2 has nothing. `identity`: stage 1 is off.
 */
export const RUN_STATES = ["mapped", "unbacked", "protected", "unaccessed", "hole", "identity"] as const;

/** One of {@linkcode RUN_STATES}. */
export type RunState = (typeof RUN_STATES)[number];

/** Contiguous addresses whose outputs are contiguous too, with the same attributes. */
export interface ScanRun {
  /** First guest virtual address, a multiple of the granule. */
  readonly gva: bigint;
  /** Bytes. */
  readonly size: bigint;
  /** What is there. */
  readonly state: RunState;
  /** Intermediate physical address of the first; 0 for holes. */
  readonly ipa: bigint;
  /** Physical address of the first; 0 where there is none. */
  readonly pa: bigint;
  /** Fields ATTR, NS and SH as PAR_EL1 has them (Arm ARM D13.2); 0 where AT gave none. */
  readonly attributes: bigint;
}

const WITH_IPA: ReadonlySet<RunState> = new Set([
  "mapped",
  "unbacked",
  "protected",
  "unaccessed",
  "identity",
]);
const WITH_PA: ReadonlySet<RunState> = new Set(["mapped"]);

/** Whether two runs are one: `second` goes on where `first` ends, at every address. */
export function joins(first: ScanRun, second: ScanRun): boolean {
  const { gva, size, state, ipa, pa, attributes } = first;
  return state === second.state && attributes === second.attributes && gva + size === second.gva &&
    (!WITH_IPA.has(state) || ipa + size === second.ipa) && (!WITH_PA.has(state) || pa + size === second.pa);
}

/** A part of a run, from one of its addresses to another: its outputs move along. */
export function partOf(run: ScanRun, from: bigint, to: bigint): ScanRun {
  const along = from - run.gva, { state } = run;
  return {
    ...run,
    gva: from,
    size: to - from,
    ipa: run.ipa + (WITH_IPA.has(state) ? along : 0n),
    pa: run.pa + (WITH_PA.has(state) ? along : 0n),
  };
}

/** Merges runs that come in the order of their addresses. */
export class RunCollector {
  #last: ScanRun | undefined;

  /** Every merged run is handed over once. */
  constructor(private readonly found: (run: ScanRun) => void) {}

  /** Takes a run that begins where the last one ended, or later. */
  add(run: ScanRun): void {
    const last = this.#last;
    if (last !== undefined && joins(last, run)) {
      this.#last = { ...last, size: last.size + run.size };
      return;
    }
    this.end();
    this.#last = run;
  }

  /** Hands the last run over. */
  end(): void {
    if (this.#last !== undefined) this.found(this.#last);
    this.#last = undefined;
  }
}

const wide = (value: bigint): string => `0x${value.toString(16).padStart(16, "0")}`;
const hex = (value: bigint): string => `0x${value.toString(16)}`;

/** A run as one line: first address, bytes, state, and what it leads to. */
export function runText({ gva, size, state, ipa, pa, attributes }: ScanRun): string {
  const words = [wide(gva), hex(size).padStart(12), state];
  if (WITH_IPA.has(state)) words.push(`ipa ${hex(ipa)}`);
  if (WITH_PA.has(state)) words.push(`pa ${hex(pa)}`);
  if (attributes !== 0n) words.push(`attr ${hex(attributes >> 56n)} sh ${attributes >> 7n & 3n}`);
  return words.join(" ");
}

/** A run with its numbers as texts, for JSON. */
export type RunJson = { readonly [Name in keyof ScanRun]: string };

/** The same run for a JSON file. */
export function runJson(run: ScanRun): RunJson {
  const { gva, size, state, ipa, pa, attributes } = run;
  return {
    gva: hex(gva),
    size: hex(size),
    state,
    ipa: hex(ipa),
    pa: hex(pa),
    attributes: hex(attributes),
  };
}
