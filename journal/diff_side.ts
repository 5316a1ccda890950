/** One of two runs that are replayed side by side to be compared. */
import type { EventObserver, MachineEvent } from "../machine/events.ts";
import { ALL_CLASSES } from "./event_stream.ts";
import type { DiffSide } from "./diff_result.ts";
import { Replay, type ReplayMark, type ReplayOptions } from "./replay.ts";

/** Two of a kind: the first run's and the second's. */
export type Pair<T> = readonly [T, T];

/** A replay that counts the steps it took. */
export class Side {
  /** The replay. */
  readonly replay: Replay;
  /** Steps replayed so far. */
  steps = 0;

  constructor({ run, images }: DiffSide, options: ReplayOptions) {
    this.replay = new Replay(run, images, { ...options, checkEvents: false });
  }

  /** Where it is. */
  get instant(): number {
    return this.replay.instant;
  }

  /** Runs to an instant, or to the run's end where that is earlier. */
  runTo(instant: number): void {
    const target = Math.min(instant, this.replay.run.lastInstant);
    this.steps += target - this.instant;
    this.replay.runTo(target);
  }

  /** The same, beginning at the last checkpoint of the journal before there; nobody may want to hear of what is between. */
  goTo(instant: number): void {
    this.replay.skipTo(Math.min(instant, this.replay.run.lastInstant));
    this.runTo(Math.max(instant, this.instant));
  }

  /** Root of the state. */
  root(): Uint8Array {
    return this.replay.machine.stateRoot().root;
  }

  /** Equal for runs that were the same up to here. */
  fingerprint(): Uint8Array {
    return this.replay.historyRoot();
  }

  /** A point to return to. */
  mark(): ReplayMark {
    return this.replay.mark();
  }

  /** Goes there. */
  returnTo(mark: ReplayMark): void {
    this.replay.returnTo(mark);
  }

  /** The events of all classes up to an instant, and to the end of the run if asked. */
  gather(to: number, toTheEnd: boolean): MachineEvent[] {
    const gathered: MachineEvent[] = [];
    const observer: EventObserver = { classes: ALL_CLASSES, observe: (event) => void gathered.push(event) };
    const { events } = this.replay.machine.board;
    events.add(observer);
    this.runTo(to);
    if (toTheEnd) this.replay.runToEnd();
    events.remove(observer);
    return gathered;
  }
}

/** Calls a function for each of a pair. */
export function both<T, R>([left, right]: Pair<T>, work: (one: T, index: number) => R): Pair<R> {
  return [work(left, 0), work(right, 1)];
}
