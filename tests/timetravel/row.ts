/** What `deno task timetravel` is made of: rows, each a question of going back in time on real guests. */

/** What a row is given. */
export interface RowContext {
  /** A folder of its own for files, removed afterwards. */
  readonly folder: string;
  /** The long set was asked for. */
  readonly isAll: boolean;
  /** Prints a line: figures, transcripts. */
  tell(line: string): void;
  /** Counts one expectation; one that is not met fails the task and is told with `detail`. */
  check(name: string, isMet: boolean, detail?: string): void;
}

/** One row. */
export interface Row {
  /** How it is asked for on the command line. */
  readonly name: string;
  /** What it finds out, in a line. */
  readonly question: string;
  /** Whether it is in the quick set. */
  readonly isQuick: boolean;
  /** Carries it out; what it throws counts as a failure. */
  run(context: RowContext): Promise<void>;
}
