/** Hands the seeds of a hunt to workers, or runs them here, in order. */
import type { Host } from "./host.ts";
import type { Hunt, SeedOutcome } from "./hunt_seed.ts";
import { workInPool } from "./worker_pool.ts";

/** What is hunted through. */
export interface HuntRange {
  /** First seed. */
  readonly first: number;
  /** Last seed, included. */
  readonly last: number;
  /** Go on behind what is found. */
  readonly isWhole: boolean;
  /** Called after each seed. */
  readonly tell: (done: number, total: number) => void;
}

/** What came of seeds, in their order; those behind the first that was found are left out unless all are wanted. */
export interface HuntResult {
  /** One for each seed. */
  readonly outcomes: readonly SeedOutcome[];
  /** The operator ended it before all were done. */
  readonly isInterrupted: boolean;
}

/** Seeds given out one after another, and their outcomes put in order. */
class Ledger {
  readonly outcomes: SeedOutcome[] = [];
  #next: number;
  #found = Infinity;
  readonly #tails = new Map<string, string>();
  isInterrupted = false;

  constructor(private readonly range: HuntRange) {
    this.#next = range.first;
  }

  /** The next seed to be run, if any. */
  take(): number | undefined {
    if (this.isInterrupted || this.#next > Math.min(this.range.last, this.#found)) return undefined;
    return this.#next++;
  }

  add(outcome: SeedOutcome): void {
    // There may be a million outcomes, and few different texts among them.
    const tail = this.#tails.get(outcome.tail) ?? outcome.tail;
    this.#tails.set(tail, tail);
    this.outcomes.push({ ...outcome, tail });
    if (outcome.isFound && !this.range.isWhole) this.#found = Math.min(this.#found, outcome.seed);
    this.range.tell(this.outcomes.length, this.range.last - this.range.first + 1);
  }

  result(): HuntResult {
    const outcomes = this.outcomes.filter(({ seed }) => seed <= this.#found).sort((a, b) => a.seed - b.seed);
    return { outcomes, isInterrupted: this.isInterrupted };
  }
}

/** Runs the seeds here, one after another. */
export async function huntHere(hunt: Hunt, range: HuntRange, host: Host): Promise<HuntResult> {
  const ledger = new Ledger(range);
  const unlisten = host.onInterrupt(() => void (ledger.isInterrupted = true));
  try {
    for (let seed = ledger.take(); seed !== undefined; seed = ledger.take()) {
      const outcome = await hunt.run(seed, host);
      // One that was interrupted says nothing of its seed.
      if (outcome.reason !== "operator") ledger.add(outcome);
      await host.breathe();
    }
  } finally {
    unlisten();
  }
  return ledger.result();
}

/** Runs the seeds in so many workers, each of which reads the command line's files itself. */
export async function huntInWorkers(
  args: readonly string[],
  jobs: number,
  range: HuntRange,
  host: Host,
): Promise<HuntResult> {
  const ledger = new Ledger(range), ending = new AbortController();
  const unlisten = host.onInterrupt(() => {
    ledger.isInterrupted = true;
    ending.abort();
  });
  try {
    await workInPool<number, SeedOutcome>({
      module: new URL("./hunt_worker.ts", import.meta.url),
      name: "the hunt",
      args,
      jobs,
      take: () => ledger.take(),
      add: (outcome) => ledger.add(outcome),
      signal: ending.signal,
    });
  } finally {
    unlisten();
  }
  return ledger.result();
}
