/** Looks for the conditions of a run along the timeline while a replay goes through its steps. */
import type { WatchHit } from "../machine/watch.ts";
import type { Replay } from "./replay.ts";
import type { StopConditions } from "./timeline.ts";

/** A condition that was met. */
export interface Met {
  /** Where to stand to look at it. */
  readonly position: number;
  /** Hits of watch points; none for a predicate. */
  readonly hits: readonly WatchHit[];
}

/** One run through some steps. */
export class StopScan {
  /** What was found last. */
  last: Met | undefined;
  /** The state where it stopped is not the one of an instant as such. */
  isBegun = false;
  #before: boolean | undefined;

  /**
   * Steps are the replay's. Forward, a run stops at what it finds; going back, it looks for the last of what is there.
   * What is to be seen at `start`, where the user is, does not count.
   */
  constructor(
    private readonly replay: Replay,
    private readonly stops: StopConditions,
    private readonly way: "forward" | "back",
    private readonly start: number,
  ) {
    this.#before = stops.predicate?.(replay.machine);
  }

  /** Does something with its watch points set. Throws RangeError for one that cannot be. */
  while<T>(go: () => T): T {
    const { replay: { machine }, stops: { watches = [] } } = this;
    machine.watch(watches, this.way === "forward");
    try {
      return go();
    } finally {
      machine.watch([]);
    }
  }

  /** Runs to an instant; true when it stops at what it found. */
  runTo(target: number): boolean {
    const { replay, stops: { predicate } } = this;
    while (replay.instant < target) {
      const watched = replay.runTo(predicate === undefined ? target : replay.instant + 1);
      let found = false;
      for (const hit of watched?.hits ?? []) found = this.#meet(this.#positionOf(hit), hit) || found;
      if (watched?.isBegun !== true && this.#hasBegunToHold()) found = this.#meet(replay.instant) || found;
      this.isBegun = watched?.isBegun === true;
      if (found && this.way === "forward") return true;
    }
    return false;
  }

  /** Before the step; after it when a user comes from before it to see what it did. */
  #positionOf({ point, instant }: WatchHit): number {
    return this.way === "forward" && point.kind !== "execute" ? this.replay.instant : instant;
  }

  #hasBegunToHold(): boolean {
    const { stops: { predicate }, replay: { machine } } = this;
    const before = this.#before, now = predicate?.(machine);
    this.#before = now;
    return now === true && before === false;
  }

  #meet(position: number, hit?: WatchHit): boolean {
    if (position === this.start) return false;
    const before = position === this.last?.position ? this.last.hits : [];
    this.last = { position, hits: hit === undefined ? before : [...before, hit] };
    return true;
  }
}
