/** A world at work in this thread, which is given inputs as it goes on and can return to where it was. */
import { Buffer } from "node:buffer";
import { Course, type CourseMark, type CourseObserver, type CourseStop } from "./course.ts";
import type { Reports, Round, TimedWorldInput, WorldRoot } from "./course.ts";
import { carryOut, carryOutApart, type CrewOptions, LocalCrew } from "./crew.ts";
import type { WorldDescription } from "./description.ts";
import type { WorldEvent } from "./events.ts";
import type { MemberMark } from "./member.ts";
import type { Machine } from "../machine/machine.ts";

/** Where a session can return to: states of machines share what is equal with those of other marks. */
export interface WorldMark {
  /** The world's time. */
  readonly time: number;
  /** What is under way. */
  readonly course: CourseMark;
  /** The nodes, in order. */
  readonly members: readonly (MemberMark | undefined)[];
  /** What nodes had written on their consoles. */
  readonly consoles: readonly string[];
}

/** How a session is made. */
export interface SessionOptions extends Omit<CrewOptions, "only" | "depth" | "recordedBy" | "keepsMarks"> {
  /** Nanoseconds of the longest round; changes no result. */
  readonly slice?: number;
}

/**
 * A world at work. It records nothing: whoever wants a file gives the same inputs to `forkWorld` or a recorder, and gets
 * the same roots.
 */
export class WorldSession {
  /** Who is told as well; it may be another after each return. */
  observer: CourseObserver = {};
  /** What happened since the beginning or the last return, in the world's order. */
  events: WorldEvent[] = [];
  /** Roots taken since then. */
  roots: WorldRoot[] = [];
  /** What each node has written on its console since the world's beginning, a character for each byte. */
  consoles: string[];
  readonly #course: Course;
  readonly #crew: LocalCrew;

  /** Powers the world on. Throws ConfigurationError and WorldError naming what cannot be made. */
  constructor(readonly world: WorldDescription, options: SessionOptions) {
    this.consoles = world.nodes.map(() => "");
    this.#crew = new LocalCrew(world, { ...options, keepsMarks: true });
    this.#course = new Course(world, {
      happened: (event) => {
        this.events.push(event);
        this.observer.happened?.(event);
      },
      rooted: (root) => {
        this.roots.push(root);
        this.observer.rooted?.(root);
      },
      wrote: (node, bytes) => {
        this.consoles[node] += Buffer.from(bytes).toString("latin1");
        this.observer.wrote?.(node, bytes);
      },
    }, options.slice);
  }

  /** Everything before this time has happened, in nanoseconds. */
  get now(): number {
    return this.#course.now;
  }

  /** The earliest time at which anything happens; Infinity for never. */
  get nextTime(): number {
    return this.#course.nextTime;
  }

  /** Number of a node by name; throws WorldError. */
  nodeNamed(name: string): number {
    return this.#course.nodeNamed(name);
  }

  /** The machine of a node that is one and has power: to be looked at, never changed; another after power-on. */
  machineOf(node: number): Machine | undefined {
    return this.#crew.machineOf(node);
  }

  /**
   * SHA-256, in hexadecimal, of what a loss of power leaves of a node: what disks flushed and flash holds, or what a program
   * stores.
   */
  durableRoot(node: number): string {
    return this.#crew.durableRoot(node);
  }

  /** What the program of a node keeps without power; undefined for a machine. */
  storeOf(node: number): ReadonlyMap<string, Uint8Array> | undefined {
    return this.#crew.storeOf(node);
  }

  /** Gives an input. Throws WorldError for the past. */
  give(input: TimedWorldInput): void {
    this.#course.give(input);
  }

  /** Leaves out the inputs to come of which this holds. */
  dropInputs(isDropped: (input: TimedWorldInput) => boolean): void {
    this.#course.dropInputs(isDropped);
  }

  /** Goes on to a time, or until `isEnough`, which is asked between rounds. */
  run(until: number, isEnough?: () => boolean): CourseStop {
    return carryOut(this.#course.rounds(until, isEnough), this.#crew);
  }

  /** The same, with a pause between rounds where the caller makes one. */
  runApart(
    until: number,
    between: () => Promise<void> | undefined,
    isEnough?: () => boolean,
  ): Promise<CourseStop> {
    return carryOutApart(this.#course.rounds(until, isEnough), this.#crew, between);
  }

  /** Carries rounds out for those who know the course. */
  carryOut<T>(rounds: (course: Course) => Generator<Round, T, Reports>): T {
    return carryOut(rounds(this.#course), this.#crew);
  }

  /** Takes the last root, as the end of a recording here has it; afterwards it can only return. */
  end(): WorldRoot {
    return carryOut(this.#course.end(), this.#crew);
  }

  /** Remembers this time. */
  mark(): WorldMark {
    return {
      time: this.#course.now,
      course: this.#course.mark(),
      members: this.#crew.mark(),
      consoles: [...this.consoles],
    };
  }

  /** Goes to a mark of this session, which may be earlier or later. Throws WorldError as `Member.returnTo`. */
  returnTo(mark: WorldMark): void {
    this.#crew.returnTo(mark.members);
    this.#course.returnTo(mark.course);
    this.consoles = [...mark.consoles];
    this.events = [];
    this.roots = [];
  }
}
