/** Recording a world: its events, roots and members' journals in one file. */
import { JournalWriter } from "../journal/file.ts";
import type { Sink } from "../journal/storage.ts";
import { courseFrom, type WorldCheckpoint } from "./checkpoint.ts";
import type { ResumedWorld } from "./crew.ts";
import { Course, type CourseObserver, type Reports, type Round, type TimedWorldInput } from "./course.ts";
import type { WorldEvent } from "./events.ts";
import { WORLD_FAMILY } from "./family.ts";
import { appendPiece } from "./life_journal.ts";
import { MOST_EVENTS, storedWorldManifest, type WorldEnd, type WorldManifest } from "./payloads.ts";

/** How a world is recorded; none of it changes what is recorded. */
export interface WorldRecorderOptions {
  /** Is told as well. */
  readonly observer?: CourseObserver;
  /** Nanoseconds of the longest round. */
  readonly slice?: number;
  /** Nanoseconds between checkpoints, if there are to be any; the crew is made with the same. */
  readonly checkpointSpacing?: number | undefined;
  /** Goes on from here: the file begins with the blocks of this world, and its nodes are resumed there. */
  readonly resumedAt?: ResumedWorld | undefined;
}

/** A world being recorded. Its course gives the rounds; whoever carries them out has the nodes. */
export class WorldRecorder {
  /** The world. */
  readonly course: Course;
  readonly #writer: JournalWriter;
  #events: WorldEvent[] = [];

  /** Writes the first block. Throws JournalWriteError. */
  constructor(
    manifest: WorldManifest,
    sink: Sink,
    { observer = {}, slice, checkpointSpacing, resumedAt }: WorldRecorderOptions = {},
  ) {
    this.#writer = new JournalWriter(sink, { family: WORLD_FAMILY });
    if (resumedAt === undefined) this.#writer.append("configuration", storedWorldManifest(manifest));
    else this.#writer.copyFrom(resumedAt.run.reader, resumedAt.checkpoint.block + 1);
    this.course = new Course(
      manifest.world,
      {
        happened: (event) => {
          this.#events.push(event);
          if (this.#events.length >= MOST_EVENTS || event.kind === "inputGiven") this.#flush();
          observer.happened?.(event);
        },
        rooted: (root) => {
          this.#flush();
          this.#append("roots", root, root.time);
          observer.rooted?.(root);
        },
        recorded: (node, life, bytes) => {
          appendPiece(this.#writer, node, life, bytes);
          observer.recorded?.(node, life, bytes);
        },
        wrote: (node, bytes) => observer.wrote?.(node, bytes),
        checkpointed: (checkpoint) => {
          this.#checkpoint(checkpoint);
          observer.checkpointed?.(checkpoint);
        },
      },
      slice,
      checkpointSpacing,
    );
    if (resumedAt !== undefined) {
      this.course.returnTo(courseFrom(resumedAt.checkpoint, resumedAt.checkpoint.root, []));
    }
  }

  #checkpoint(checkpoint: WorldCheckpoint): void {
    const span = { firstInstant: checkpoint.time, lastInstant: checkpoint.time };
    try {
      this.#writer.append("checkpoint", checkpoint, span);
    } catch (error) {
      // It is larger than a block may be: the world is whole without it.
      if (!(error instanceof RangeError)) throw error;
    }
  }

  #append(kind: "events" | "roots" | "end", payload: unknown, time: number): void {
    this.#writer.append(kind, payload, { firstInstant: time, lastInstant: time });
  }

  #flush(): void {
    if (this.#events.length === 0) return;
    const last = this.#events.at(-1)!.time;
    this.#append("events", { through: last, events: this.#events }, last);
    this.#events = [];
  }

  /** Gives an input. Throws WorldError for the past. */
  give(input: TimedWorldInput): void {
    this.course.give(input);
  }

  /** The rounds of the end; then `finish`. */
  end(): Generator<Round, unknown, Reports> {
    return this.course.end();
  }

  /** Writes the end, after the rounds of `end`, with what the nodes' `finish` gave. Throws JournalWriteError. */
  finish(reason: WorldEnd["reason"], reports: Reports): WorldEnd {
    const root = this.course.lastRoot!;
    for (const [node, report] of reports.entries()) {
      for (const { life, bytes } of report?.journal ?? []) appendPiece(this.#writer, node, life, bytes);
    }
    this.#flush();
    const end = { ...root, reason };
    this.#append("end", end, root.time);
    this.#writer.finish();
    return end;
  }

  /** Length of the file, in bytes. */
  get byteLength(): number {
    return this.#writer.byteLength;
  }
}
