/** Bisect along one run: the first instant at which a predicate holds, by watching what it reads, halving or looking always. */
import type { MachineImages } from "../machine/compose.ts";
import type { MachineEvent } from "../machine/events.ts";
import type { Machine } from "../machine/machine.ts";
import type { WatchPoint } from "../machine/watch.ts";
import type { Predicate, TracedPredicate } from "./predicate.ts";
import type { ReplayOptions } from "./replay.ts";
import type { RecordedRun } from "./run.ts";
import { Timeline } from "./timeline.ts";

/**
 * How the answer was found. `watch`: the memory that the predicate reads was watched, and the predicate looked at
 * whenever it was written: the answer is the first instant. `halve`: the predicate was looked at in some places, and
 * between two of them the interval was halved: the answer is a beginning, and the first one if there is one beginning.
 * `scan`: it was looked at at every step boundary: the answer is the first instant.
 */
export type BisectMethod = "watch" | "halve" | "scan";

/** How the predicate was looked at. */
export interface BisectEffort {
  /** How. */
  readonly method: BisectMethod;
  /** How often the predicate was looked at; for a scan, at each step. */
  readonly looks: number;
  /** Places over the whole run at which it was looked at before halving. */
  readonly samples: number;
  /** In how many of these places it had changed since the one before: with one change it may well stay true. */
  readonly changes: number;
}

/** What bisect found. */
export type Bisection =
  | { readonly kind: "never"; readonly lastInstant: number; readonly effort: BisectEffort }
  | { readonly kind: "always"; readonly effort: BisectEffort }
  | {
    readonly kind: "found";
    /** The predicate does not hold at instant−1 and holds at this instant: the step before it made it so. */
    readonly instant: number;
    /** Events of the step that made it so, its own `stepRetired` last. */
    readonly events: readonly MachineEvent[];
    /** How it was found. */
    readonly effort: BisectEffort;
    /** The machine at `instant`. */
    readonly machine: Machine;
  };

/** How to look, and whom to tell. */
export interface BisectOptions extends ReplayOptions {
  /** Look at every step boundary from the start, for a predicate that comes and goes (slow). */
  readonly scan?: boolean;
  /** Called with the interval still in question. */
  readonly progress?: (low: number, high: number) => void;
}

/** Places at which a predicate is looked at before an interval is halved. */
const SAMPLES = 64;
/** Writes to what a predicate reads after which watching is given up: halving is quicker. */
const MOST_HITS = 20_000;
/** Steps after which the predicate is looked at while watching, for what changes memory without a write of a CPU or device. */
const STRETCH = 2 ** 24;

/**
 * Finds an instant at which the predicate begins to hold. A traced predicate that reads nothing but memory gives the
 * first by watching; any other is halved, unless `scan`.
 */
export function bisect(
  run: RecordedRun,
  images: MachineImages,
  predicate: Predicate | TracedPredicate,
  options: BisectOptions = {},
): Bisection {
  const search = new Search(
    new Timeline(run, images, options),
    predicate,
    options,
  );
  return search.find();
}

class Search {
  #looks = 0;
  #samples = 0;
  #changes = 0;
  #method: BisectMethod = "halve";
  readonly #traced: TracedPredicate | undefined;
  readonly #predicate: Predicate;

  constructor(
    private readonly timeline: Timeline,
    predicate: Predicate | TracedPredicate,
    private readonly options: BisectOptions,
  ) {
    this.#traced = typeof predicate === "function" ? undefined : predicate;
    this.#predicate = typeof predicate === "function" ? predicate : predicate.holds;
  }

  find(): Bisection {
    const { timeline, options } = this, isWatchable = this.#traced?.readsMore === false;
    this.#method = options.scan === true ? "scan" : isWatchable ? "watch" : "halve";
    if (this.#holdsAt(timeline.firstInstant)) return { kind: "always", effort: this.#effort };
    if (this.#method === "scan") return this.#found(this.#scan(timeline.lastInstant));
    if (this.#method === "watch") {
      const watched = this.#watch();
      if (watched !== "busy") return this.#found(watched);
      this.#method = "halve";
    }
    return this.#found(this.#halve());
  }

  get #effort(): BisectEffort {
    return { method: this.#method, looks: this.#looks, samples: this.#samples, changes: this.#changes };
  }

  #holdsAt(instant: number): boolean {
    this.timeline.seek(instant, (reached) => this.options.progress?.(reached, this.timeline.lastInstant));
    this.#looks++;
    return this.#predicate(this.timeline.machine);
  }

  #scan(limit: number): number | undefined {
    const { timeline } = this, from = timeline.instant;
    const progress = (instant: number) => this.options.progress?.(instant, timeline.lastInstant);
    const reached = timeline.runForwardTo({ predicate: this.#predicate }, limit, progress);
    this.#looks += reached.instant - from;
    return reached.kind === "hit" ? reached.instant : undefined;
  }

  /** Runs from write to write. Stands where the predicate does not hold, having read its memory. */
  #watch(): number | undefined | "busy" {
    const { timeline } = this, { lastInstant } = timeline;
    const progress = (instant: number) => this.options.progress?.(instant, lastInstant);
    while (timeline.instant < lastInstant) {
      const from = timeline.instant, limit = Math.min(lastInstant, from - (from % STRETCH) + STRETCH);
      const reached = timeline.runForwardTo({ watches: this.#watches() }, limit, progress);
      if (this.#holdsAt(reached.instant)) {
        // A patch or a reset has changed it, which are no writes: it is looked for between.
        return reached.kind === "hit" ? reached.instant : this.#between(from, reached.instant);
      }
      if (this.#looks > MOST_HITS) return "busy";
    }
    return undefined;
  }

  #watches(): WatchPoint[] {
    return (this.#traced as TracedPredicate).memory.map(({ address, size }): WatchPoint => (
      { kind: "write", address: BigInt(address), size, space: "physical" }
    ));
  }

  /** Looks in places all over the run, and halves where it begins to hold first. */
  #halve(): number | undefined {
    const { firstInstant, lastInstant } = this.timeline,
      count = Math.min(SAMPLES, lastInstant - firstInstant);
    let before = false, low = firstInstant, gap: readonly [number, number] | undefined;
    for (let sample = 1; sample <= count; sample++) {
      const at = firstInstant + Math.floor((lastInstant - firstInstant) * sample / count);
      const holds = this.#holdsAt(at);
      this.#samples++;
      if (holds !== before) this.#changes++;
      if (holds && gap === undefined) gap = [low, at];
      before = holds;
      low = at;
    }
    return gap === undefined ? undefined : this.#between(...gap);
  }

  /** Halves an interval at whose beginning it does not hold, and at whose end it does. */
  #between(from: number, to: number): number {
    let [low, high] = [from, to];
    while (high - low > 1) {
      this.options.progress?.(low, high);
      const middle = low + Math.floor((high - low) / 2);
      if (this.#holdsAt(middle)) high = middle;
      else low = middle;
    }
    return high;
  }

  #found(instant: number | undefined): Bisection {
    const { timeline } = this, effort = this.#effort;
    if (instant === undefined) return { kind: "never", lastInstant: timeline.lastInstant, effort };
    timeline.seek(instant);
    const events = timeline.events(instant - 1, instant);
    return { kind: "found", instant, events, effort, machine: timeline.machine };
  }
}
