/** Replaying a world: the same nodes, given the same inputs, compared with what was recorded. */
import { equalBytes } from "../journal/hash.ts";
import { DivergenceError } from "../journal/replay.ts";
import { Course, type CourseObserver, type Reports, type Round, type WorldRoot } from "./course.ts";
import { compareWorldEvents, type WorldEvent, writeWorldEvent } from "./events.ts";
import { ByteWriter } from "../machine/layout.ts";
import { courseFrom } from "./checkpoint.ts";
import type { RecordedWorld, StoredCheckpoint } from "./run.ts";

/** The canonical bytes of an event. */
function bytesOf(event: WorldEvent): Uint8Array {
  const writer = new ByteWriter();
  writeWorldEvent(writer, event);
  return writer.view().slice();
}

/** Compares what happens with what was recorded. Throws DivergenceError where it is something else. */
export class WorldComparison {
  /** Events compared. */
  nextEvent = 0;
  /** Roots compared. */
  nextRoot = 0;

  /** Compares with this. */
  constructor(private readonly run: RecordedWorld) {}

  /** Begins behind the root of a time. */
  begin(time: number): void {
    this.nextEvent = this.run.events.filter((event) => event.time < time).length;
    this.nextRoot = this.run.roots.filter((root) => root.time <= time).length;
  }

  #nameOf(node: number): string {
    return this.run.manifest.world.nodes[node]?.name ?? String(node);
  }

  #diverged(time: number, what: string): DivergenceError {
    return new DivergenceError(`The replay differs at ${time} ns of the world: ${what}`, time);
  }

  /** Compares the next event. */
  happened(event: WorldEvent): void {
    const recorded = this.run.events[this.nextEvent];
    if (recorded === undefined) {
      if (this.run.end === undefined) return;
      throw this.#diverged(
        event.time,
        `it has ${event.kind} at ${this.#nameOf(event.node)}, the recorded one nothing more`,
      );
    }
    this.nextEvent++;
    if (equalBytes(bytesOf(recorded), bytesOf(event))) return;
    const isFirst = compareWorldEvents(event, recorded) < 0 ? event : recorded;
    throw this.#diverged(
      isFirst.time,
      `it has ${event.kind} at ${this.#nameOf(event.node)} (${event.time} ns), ` +
        `the recorded one ${recorded.kind} at ${this.#nameOf(recorded.node)} (${recorded.time} ns)`,
    );
  }

  /** Compares the next root. */
  rooted(root: WorldRoot): void {
    const { roots, end } = this.run, recorded = roots[this.nextRoot] ?? end;
    if (recorded === undefined) return;
    this.nextRoot++;
    if (recorded.time !== root.time) {
      throw this.#diverged(
        Math.min(root.time, recorded.time),
        `it has a root at ${root.time} ns, the recorded one at ${recorded.time}`,
      );
    }
    const isEqual = equalBytes(root.stateRoot, recorded.stateRoot) &&
      equalBytes(root.historyRoot, recorded.historyRoot);
    if (isEqual) return;
    throw this.#diverged(
      root.time,
      `at or before it, ${differingParts(root, recorded, (node) => this.#nameOf(node))}`,
    );
  }
}

/** A course that follows a recorded world. Throws DivergenceError, while it is carried out, where it is another. */
export class WorldReplay {
  /** The course; its rounds are `rounds`. */
  readonly course: Course;
  readonly #comparison: WorldComparison;
  readonly #first: { readonly root: number; readonly event: number };

  /** `slice` and `observer` as for `Course`; it begins at a checkpoint if one is given, as its nodes do. */
  constructor(
    readonly run: RecordedWorld,
    observer: CourseObserver = {},
    slice?: number,
    from?: StoredCheckpoint,
  ) {
    const comparison = this.#comparison = new WorldComparison(run);
    this.course = new Course(run.manifest.world, {
      ...observer,
      happened: (event) => {
        comparison.happened(event);
        observer.happened?.(event);
      },
      rooted: (root) => {
        comparison.rooted(root);
        observer.rooted?.(root);
      },
    }, slice);
    if (from === undefined) {
      for (const input of run.inputs) this.course.give(input);
    } else {
      this.course.returnTo(courseFrom(from, from.root, run.inputs));
      comparison.begin(from.time);
    }
    this.#first = { root: comparison.nextRoot, event: comparison.nextEvent };
  }

  /** Roots compared. */
  get rootsChecked(): number {
    return this.#comparison.nextRoot - this.#first.root;
  }

  /** Events compared. */
  get eventsChecked(): number {
    return this.#comparison.nextEvent - this.#first.event;
  }

  /** All rounds, to the end or, of a recording that was cut off, to the last time it knows; gives the last root. */
  *rounds(): Generator<Round, WorldRoot, Reports> {
    // What a world came to rest with happened at its very end.
    yield* this.course.rounds(this.run.end?.reason === "resting" ? this.run.reach : this.run.lastTime);
    if (this.run.end === undefined) return this.course.lastRoot ?? (yield* this.course.end());
    const root = yield* this.course.end();
    this.#comparison.rooted(root);
    return root;
  }
}

/** What differs between two roots, in words. */
export function differingParts(a: WorldRoot, b: WorldRoot, nameOf: (node: number) => string): string {
  for (const [node, member] of a.members.entries()) {
    const other = b.members[node];
    if (other === undefined || member.lives !== other.lives || member.isOn !== other.isOn) {
      return `the power of node "${nameOf(node)}" is not equal`;
    }
    if (!equalBytes(member.stateRoot, other.stateRoot)) {
      return `the state of node "${nameOf(node)}" is not equal`;
    }
    if (!equalBytes(member.historyRoot, other.historyRoot)) {
      return `the history of node "${nameOf(node)}" is not equal`;
    }
  }
  return equalBytes(a.stateRoot, b.stateRoot)
    ? "the states are equal, the events before are not"
    : "the messages under way are not equal";
}
