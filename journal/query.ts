/** Query: the events of a run for which an expression is true, from what is stored where that is enough. */
import type { MachineImages } from "../machine/compose.ts";
import type { EventClass, EventKind, MachineEvent } from "../machine/events.ts";
import { eventStream, storedClasses, type StreamOptions } from "./event_stream.ts";
import { PredicateError } from "./errors.ts";
import { type EventQuery, NO_NAMES } from "./query_expression.ts";
import { type ProgramNames, QUERY_VARIABLES, type QueryValue } from "./query_schema.ts";
import type { WatchHit } from "../machine/watch.ts";
import type { RecordedRun } from "./run.ts";
import { suggestion } from "./suggest.ts";
import { Timeline } from "./timeline.ts";

/** Where to look, in which order, and whom to tell. */
export interface QueryOptions extends StreamOptions {
  /** First instant, inclusive; default the run's first. */
  readonly from?: number;
  /** Last instant, exclusive; default the end of the run, its last events included. */
  readonly to?: number;
  /** From the last event to the first. */
  readonly backward?: boolean;
  /** Called for each event that is looked at, whether or not it matches. */
  readonly looked?: () => void;
}

/** How a query gets at its events. */
export interface QueryPlan {
  /** First instant in which it looks. */
  readonly from: number;
  /** First instant in which it does not look any more. */
  readonly to: number;
  /** Classes of event among which it looks. */
  readonly classes: readonly EventClass[];
  /** Those of them that the journal does not store, so that the run is replayed. */
  readonly derived: readonly EventClass[];
  /** Steps are found by watch points, at full speed. */
  readonly isWatched: boolean;
  /** It looks at the state at events that may match, so that the run is replayed up to them. */
  readonly readsState: boolean;
}

/** Windows in which one goes back, in steps: the first, and how large they may become. Steps take memory. */
const WINDOWS = { steps: [2 ** 12, 2 ** 16], others: [2 ** 20, 2 ** 26] } as const;

/** How a query would get at its events, without doing so. */
export function planOf(run: RecordedRun, query: EventQuery, options: QueryOptions = {}): QueryPlan {
  const stored = options.derive ? [] : storedClasses(run);
  const derived = query.classes.filter((name) => !stored.includes(name));
  return {
    from: Math.max(query.from, options.from ?? run.firstInstant),
    to: Math.min(query.to, options.to ?? Infinity),
    classes: query.classes,
    derived,
    isWatched: derived.length > 0 && query.watches !== undefined,
    readsState: query.readsState,
  };
}

/** One search in one run. */
class Search {
  readonly #plan: QueryPlan;
  #timeline: Timeline | undefined;

  constructor(
    private readonly run: RecordedRun,
    private readonly images: MachineImages,
    private readonly query: EventQuery,
    private readonly options: QueryOptions,
  ) {
    this.#plan = planOf(run, query, options);
  }

  get timeline(): Timeline {
    return this.#timeline ??= new Timeline(this.run, this.images, this.options);
  }

  *forward(): Generator<MachineEvent> {
    const { from, to, classes, derived, isWatched } = this.#plan;
    if (from >= to || classes.length === 0) return;
    if (isWatched) return yield* this.#watchedForward();
    const range = { from, ...to === Infinity ? {} : { to }, classes };
    const events = derived.length === 0
      ? this.#stored(from, to)
      : eventStream(this.run, this.images, range, this.options);
    for (const event of events) if (this.#matches(event)) yield event;
  }

  *backward(): Generator<MachineEvent> {
    const { from, classes, derived, isWatched } = this.#plan;
    if (classes.length === 0) return;
    if (isWatched) return yield* this.#watchedBackward();
    let to = Math.min(this.#plan.to, this.run.lastInstant + 1);
    let [window, largest]: readonly [number, number] = WINDOWS[derived.includes("step") ? "steps" : "others"];
    while (to > from) {
      const start = Math.max(from, to - window);
      const events = derived.length === 0
        ? this.#stored(start, to)
        : this.timeline.events(start, to, classes);
      // Matched in order, since what reads the state goes forward.
      yield* [...events].filter((event) => this.#matches(event)).reverse();
      to = start;
      window = Math.min(window * 4, largest);
      this.options.progress?.(to);
    }
  }

  /** Steps from one hit of a watch point to the next. */
  *#watchedForward(): Generator<MachineEvent> {
    const { timeline, run: { lastInstant } } = this, watches = this.query.watches ?? [];
    const end = Math.min(this.#plan.to, lastInstant);
    for (let at = this.#plan.from; at < end;) {
      // A watch for execution passes the step at which it begins, one for accesses finds it.
      yield* this.#stepOf(at);
      timeline.seek(at, this.options.progress);
      const reached = timeline.runForwardTo({ watches }, end, this.options.progress);
      if (reached.kind !== "hit") return;
      const { instant } = reached.hits[0] as WatchHit;
      at = instant === at ? at + 1 : instant;
    }
  }

  *#watchedBackward(): Generator<MachineEvent> {
    const { timeline } = this, watches = this.query.watches ?? [];
    const { from } = this.#plan;
    for (let end = Math.min(this.#plan.to, this.run.lastInstant); end > from;) {
      timeline.seek(end, this.options.progress);
      const reached = timeline.runBackTo({ watches }, from, this.options.progress);
      if (reached.kind !== "hit") return;
      yield* this.#stepOf(reached.instant);
      end = reached.instant;
    }
  }

  /** The step of an instant, if it matches. */
  #stepOf(instant: number): MachineEvent[] {
    return this.timeline.events(instant, instant + 1, ["step"]).filter((event) => this.#matches(event));
  }

  /** Stored events of kinds that can match: rows of others are not even decoded. */
  *#stored(from: number, to: number): Generator<MachineEvent> {
    const { classes } = this.#plan;
    if (classes.includes("step")) return yield* this.run.stored({ from, to, classes });
    let count = 0;
    for (const stored of this.run.storedRows({ from, to, classes })) {
      const [kind, instant] = stored.row;
      if ((++count & 0xfff) === 0) this.options.progress?.(instant as number);
      if (this.query.kinds.has(kind as EventKind)) yield this.run.eventOf(stored);
      else this.options.looked?.();
    }
  }

  #matches(event: MachineEvent): boolean {
    this.options.looked?.();
    const verdict = this.query.verdict(event);
    if (verdict !== "state") return verdict === "yes";
    this.timeline.seek(event.instant, this.options.progress);
    return this.query.isTrueAt(event, this.timeline.machine);
  }
}

/**
 * The events for which a query is true, in order, or from the last on. Throws what reading and replaying throw, and
 * PredicateError where a function of the expression is misused.
 */
export function queryEvents(
  run: RecordedRun,
  images: MachineImages,
  query: EventQuery,
  options: QueryOptions = {},
): Generator<MachineEvent> {
  const search = new Search(run, images, query, options);
  return options.backward ? search.backward() : search.forward();
}

/** How many events have the same values of some variables. */
export interface EventCount {
  /** The values, in the order of the variables; undefined where those events have none. */
  readonly values: readonly (QueryValue | undefined)[];
  /** How many events. */
  readonly count: number;
  /** Instant of the first of them. */
  readonly first: number;
  /** Instant of the last. */
  readonly last: number;
}

/** Counts events by variables. */
export class EventCounter {
  readonly #counts = new Map<string, { -readonly [K in keyof EventCount]: EventCount[K] }>();

  /** Throws PredicateError for a variable that there is not. */
  constructor(readonly variables: readonly string[], private readonly names: ProgramNames = NO_NAMES) {
    for (const name of variables) {
      if (QUERY_VARIABLES.has(name)) continue;
      const hint = suggestion(name, QUERY_VARIABLES.keys());
      throw new PredicateError(`Cannot count by "${name}": events have no such field${hint}`);
    }
  }

  /** Adds an event. */
  add(event: MachineEvent): void {
    const values = this.variables.map((name) => {
      const variable = QUERY_VARIABLES.get(name);
      return variable?.kinds.has(event.kind) ? variable.read(event, this.names) : undefined;
    });
    const key = JSON.stringify(values, (_, value) => typeof value === "bigint" ? `${value}n` : value);
    const { instant } = event, known = this.#counts.get(key);
    if (known === undefined) this.#counts.set(key, { values, count: 1, first: instant, last: instant });
    else {
      known.count++;
      known.first = Math.min(known.first, instant);
      known.last = Math.max(known.last, instant);
    }
  }

  /** The counts, largest first; equal ones by their first event. */
  counts(): readonly EventCount[] {
    return [...this.#counts.values()].sort((a, b) => b.count - a.count || a.first - b.first);
  }
}
