/** Hands the seeds of a hunt to workers, or runs them here, in order. */
import { CommandError } from "../errors.ts";
import type { Failure } from "../failure.ts";
import type { Host } from "./host.ts";
import type { Hunt, SeedOutcome } from "./hunt_seed.ts";
import type { ToWorker } from "./hunt_worker.ts";

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
  const ledger = new Ledger(range);
  const workers: Worker[] = [];
  const ends = Array.from({ length: jobs }, () => Promise.withResolvers<void>());
  const stop = (): void => {
    ledger.isInterrupted = true;
    for (const { resolve } of ends) resolve();
  };
  const unlisten = host.onInterrupt(stop);
  try {
    for (const { resolve, reject } of ends) {
      const worker = new Worker(new URL("./hunt_worker.ts", import.meta.url), { type: "module" });
      workers.push(worker);
      const send = (message: ToWorker): void => worker.postMessage(message);
      const giveNext = (): void => {
        const seed = ledger.take();
        if (seed === undefined) resolve();
        else send({ seed });
      };
      worker.onmessage = ({ data }: MessageEvent<{ outcome: SeedOutcome } | { failure: Failure }>) => {
        if ("failure" in data) return reject(new CommandError(data.failure.message));
        ledger.add(data.outcome);
        giveNext();
      };
      worker.onerror = (event) => {
        event.preventDefault();
        reject(new CommandError(`A worker of the hunt ended: ${event.message}`));
      };
      send({ args });
      giveNext();
    }
    await Promise.all(ends.map(({ promise }) => promise));
  } finally {
    unlisten();
    for (const worker of workers) worker.terminate();
  }
  return ledger.result();
}
