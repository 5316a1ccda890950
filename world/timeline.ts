/** The timeline of a recorded world: a world at any time of it, which then goes on in any way. */
import { SharedSize } from "../journal/shared_size.ts";
import type { CourseObserver } from "./course.ts";
import { WorldError } from "./errors.ts";
import { WorldComparison } from "./replay.ts";
import type { RecordedWorld } from "./run.ts";
import { type SessionOptions, type WorldMark, WorldSession } from "./session.ts";

/** How a timeline is gone along; none of it changes the world. */
export interface WorldTimelineOptions extends SessionOptions {
  /** Nanoseconds of the world between two marks laid on the way; 100 ms by default. */
  readonly spacing?: number;
  /** Bytes of memory for marks, 1 GiB by default; the first and the last used stay. */
  readonly markMemory?: number;
}

/** A mark on the recorded world. */
interface Rung {
  readonly mark: WorldMark;
  readonly nextEvent: number;
  readonly nextRoot: number;
}

const SPACING = 100_000_000, MEMORY = 2 ** 30;
/** Marks in all; programs are told again what they were told since power-on, which costs time and not memory. */
const MOST_MARKS = 256;

/**
 * Goes to times of a recorded world: back to the last mark before, and on from there, comparing with what was recorded.
 * There is one world at work: what `at` gave before ends where `at` is asked again.
 */
export class WorldTimeline {
  readonly #session: WorldSession;
  readonly #comparison: WorldComparison;
  readonly #spacing: number;
  readonly #memory: number;
  readonly #size = new SharedSize();
  #rungs: Rung[] = [];
  /** It is the recorded world that is at work, and nobody else has it. */
  #isRecorded = true;

  /** Powers the recorded world on. Throws ConfigurationError and WorldError naming what cannot be made. */
  constructor(readonly run: RecordedWorld, options: WorldTimelineOptions) {
    this.#spacing = options.spacing ?? SPACING;
    this.#memory = options.markMemory ?? MEMORY;
    this.#comparison = new WorldComparison(run);
    this.#session = new WorldSession(run.manifest.world, options);
    for (const input of run.inputs) this.#session.give(input);
    this.#session.observer = this.#comparing;
    this.#lay();
  }

  get #comparing(): CourseObserver {
    const comparison = this.#comparison;
    return { happened: (event) => comparison.happened(event), rooted: (root) => comparison.rooted(root) };
  }

  /** Marks held, and the bytes of memory of machines' states in them, what they share counted once. */
  get statistics(): { readonly marks: number; readonly bytes: number } {
    return { marks: this.#rungs.length, bytes: this.#size.bytes };
  }

  /**
   * The world when everything before a time has happened and nothing at it. What is given to it for this time comes
   * behind the recorded world's own inputs of this time; those that the recorded world was given later come as well,
   * unless they are dropped. Throws WorldError for a time outside the recording, DivergenceError where the way there is
   * not the recorded one.
   */
  at(time: number, { dropsInputs = false }: { readonly dropsInputs?: boolean } = {}): WorldSession {
    this.#go(time);
    const session = this.#session;
    if (dropsInputs) session.dropInputs((input) => input.time > time);
    session.observer = {};
    this.#isRecorded = false;
    return session;
  }

  #go(time: number): void {
    const { lastTime, reach } = this.run, session = this.#session;
    if (!(time >= 0 && time <= reach)) {
      throw new WorldError(`Cannot go to ${time} ns: the world is recorded from 0 to ${lastTime} ns`);
    }
    const rung = this.#rungs.findLast(({ mark }) => mark.time <= time)!;
    if (!this.#isRecorded || session.now > time || session.now < rung.mark.time) this.#return(rung);
    while (session.now < time) {
      const from = session.now, next = (Math.floor(from / this.#spacing) + 1) * this.#spacing;
      const stop = session.run(Math.min(time, next));
      if (stop === "resting") break;
      if (session.now === next) this.#lay();
    }
    this.#lay();
    session.events = [];
    session.roots = [];
  }

  #return({ mark, nextEvent, nextRoot }: Rung): void {
    this.#session.returnTo(mark);
    this.#comparison.nextEvent = nextEvent;
    this.#comparison.nextRoot = nextRoot;
    this.#session.observer = this.#comparing;
    this.#isRecorded = true;
  }

  #lay(): void {
    const { now } = this.#session, index = this.#rungs.findLastIndex(({ mark }) => mark.time <= now);
    if (this.#rungs[index]?.mark.time === now) return;
    const { nextEvent, nextRoot } = this.#comparison, mark = this.#session.mark();
    this.#rungs.splice(index + 1, 0, { mark, nextEvent, nextRoot });
    for (const { snapshot } of mark.members.filter((member) => member !== undefined)) {
      if (snapshot !== undefined) this.#size.add(snapshot);
    }
    this.#thin(now);
  }

  /** While there are too many, the one goes that is missed least: never the first, nor the present one. */
  #thin(present: number): void {
    const time = (index: number): number => this.#rungs[index]?.mark.time ?? this.run.lastTime;
    while (this.#rungs.length > 2 && (this.#size.bytes > this.#memory || this.#rungs.length > MOST_MARKS)) {
      let least = Infinity, found = 0;
      for (let index = 1; index < this.#rungs.length; index++) {
        if (time(index) === present) continue;
        const gap = time(index + 1) - time(index - 1);
        const missed = gap / (Math.abs(time(index) - present) + this.#spacing);
        if (missed < least) [least, found] = [missed, index];
      }
      const [removed] = this.#rungs.splice(found, 1) as [Rung];
      for (const member of removed.mark.members) {
        if (member?.snapshot !== undefined) this.#size.remove(member.snapshot);
      }
    }
  }
}
