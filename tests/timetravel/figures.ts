/** What is measured of going back and forth in a run; times are in milliseconds. */

/** A reverse watchpoint. */
export interface WatchFigure {
  /** Virtual address, in hexadecimal. */
  readonly address: string;
  /** Where the write is. */
  readonly instant: number;
  /** How far back, in steps. */
  readonly steps: number;
  /** How long it took to get there from the end. */
  readonly milliseconds: number;
}

/** Ours, in one process. */
export interface OurFigures {
  /** Length of the run. */
  readonly steps: number;
  /** Opening the timeline, and going to nine tenths of the run, when nothing is known. */
  readonly open: number;
  /** The second of these. */
  readonly cold: number;
  /** Going through the rest of the run once. */
  readonly warmUp: number;
  /** Going to random instants. */
  readonly seeks: readonly number[];
  /** One step back at each. */
  readonly backs: readonly number[];
  /** Writes far back. */
  readonly watches: readonly WatchFigure[];
  /** Peak of resident memory, in bytes. */
  readonly memory: number;
  /** Checkpoints kept. */
  readonly checkpoints: number;
  /** Bytes that they take. */
  readonly checkpointBytes: number;
  /** Addresses whose last write was not the one found. */
  readonly missed: readonly string[];
  /** Instants at which the state was not a replay's. */
  readonly differing: readonly number[];
}

/** Those of a server of gdb's protocol. */
export interface ServerFigures {
  /** Steps back. */
  readonly backs: readonly number[];
  /** Reverse watchpoints, whose `instant` and `steps` the server may not tell. */
  readonly watches: readonly { readonly address: string; readonly milliseconds: number }[];
  /** Peak of resident memory, in bytes. */
  readonly memory: number;
}

/** The value below which a part of all are. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? NaN;
}
