/** A recorded run as it stands in a journal: its manifest, inputs, roots, stored events and end, checked by zod. */
import {
  classOf,
  EVENT_KINDS,
  type EventClass,
  type EventKind,
  type InputEvent,
  type MachineEvent,
} from "../machine/events.ts";
import type { Schema } from "../machine/layout.ts";
import type { Machine } from "../machine/machine.ts";
import type { BlockInfo } from "./block.ts";
import { type CheckpointHead, headSchema, restoreCheckpoint } from "./checkpoint.ts";
import { CheckpointLoader, differenceSchema, type LaterCheckpoint } from "./later_checkpoints.ts";
import { JournalError, JournalFormatError } from "./errors.ts";
import { eventOfRow, type EventRow } from "./event_rows.ts";
import type { JournalReader } from "./file.ts";
import {
  endSchema,
  eventsSchema,
  type Manifest,
  manifestSchema,
  rootSchema,
  type RunEnd,
  type StoredRoot,
} from "./payloads.ts";
import { allParts } from "./root_parts.ts";
import { decodeSteps } from "./steps.ts";

/** An interval of stored events: instants `from` ≤ i < `to`, of some classes. */
export interface StoredRange {
  /** First instant, inclusive. */
  readonly from: number;
  /** Last instant, exclusive; may be Infinity. */
  readonly to: number;
  /** Classes of event wanted. */
  readonly classes: readonly EventClass[];
}

/** A stored event as it stands in its block: of its fields only kind and instant are looked at. */
export interface StoredRow {
  /** The row (journal/event_rows.ts). */
  readonly row: EventRow;
  /** Where it is, for messages. */
  readonly block: BlockInfo;
}

/** Kinds of block that say where a run begins. */
const BEFORE_THE_RUN: readonly BlockInfo["kind"][] = ["configuration", "images", "checkpoint"];

/** Everything a journal says of a run, with stored events decoded block by block. */
export class RecordedRun {
  /** What the run is a function of, beside its inputs. */
  readonly manifest: Manifest;
  /** Inputs in order. */
  readonly inputs: readonly InputEvent[];
  /** Roots in order, without the end's. */
  readonly roots: readonly StoredRoot[];
  /** How the run ended; absent when the recording was cut off. */
  readonly end: RunEnd | undefined;
  /** Where a run begins that was not recorded from its power-on. */
  readonly checkpoint: CheckpointHead | undefined;
  /** Checkpoints at roots, from which a replay can go on, in order. */
  readonly laterCheckpoints: readonly LaterCheckpoint[];
  /** The first instant of which the journal knows: the checkpoint's, or 0. */
  readonly firstInstant: number;
  /** The last instant of which the journal knows: the end's, or where a recording was cut off. */
  readonly lastInstant: number;
  readonly #checkpointBlocks: readonly BlockInfo[];
  readonly #eventBlocks: readonly BlockInfo[];
  readonly #stepBlocks: readonly BlockInfo[];

  /** Throws JournalFormatError naming the block when a payload is not what its kind promises. */
  constructor(readonly reader: JournalReader) {
    const of = (kind: BlockInfo["kind"]) => reader.blocks.filter((block) => block.kind === kind);
    this.manifest = this.#parse(manifestSchema, reader.blocks[0] as BlockInfo);
    this.#eventBlocks = of("events");
    const begun = reader.blocks.findIndex(({ kind }) => !BEFORE_THE_RUN.includes(kind));
    const isFirst = ({ number }: BlockInfo): boolean => begun < 0 || number < begun;
    this.#checkpointBlocks = of("checkpoint").filter(isFirst);
    const [head] = this.#checkpointBlocks;
    this.checkpoint = head && this.#parse(headSchema, head);
    this.firstInstant = this.checkpoint?.root.instant ?? 0;
    let parts = this.checkpoint?.root.parts ?? [];
    const whole = <R extends StoredRoot>(root: R): R => ({
      ...root,
      parts: parts = allParts(parts, root.parts),
    });
    const rootBlocks = of("roots");
    this.roots = rootBlocks.map((block) => whole(this.#parse(rootSchema, block)));
    this.laterCheckpoints = this.#later(
      new Map(rootBlocks.map(({ number }, index) => [number, this.roots[index]!])),
    );
    this.end = of("end").map((block) => whole(this.#parse(endSchema, block))).at(-1);
    const inputs: InputEvent[] = [];
    let last = this.roots.at(-1)?.instant ?? this.firstInstant;
    for (const block of this.#eventBlocks) {
      const { through, rows } = this.#parse(eventsSchema, block);
      last = Math.max(last, through);
      for (const row of rows) {
        const { kind } = this.#headOf({ row, block });
        if (classOf(kind) === "input") inputs.push(this.eventOf({ row, block }) as InputEvent);
      }
    }
    this.inputs = inputs;
    this.#stepBlocks = of("steps");
    this.lastInstant = this.end?.instant ?? last;
    this.#checkOrder();
  }

  /** Checkpoints behind root blocks, which are given by number; the last one of a journal that was cut may be cut too. */
  #later(roots: ReadonlyMap<number, StoredRoot>): LaterCheckpoint[] {
    const { blocks } = this.reader, found: LaterCheckpoint[] = [];
    for (let number = 0; number < blocks.length; number++) {
      const block = blocks[number] as BlockInfo;
      if (!this.isLaterCheckpoint(block)) continue;
      const root = roots.get(number - 1);
      if (root === undefined) throw this.#refuse(block, "comes too late, or behind no root");
      const head = this.#parse(differenceSchema, block);
      if (head.since !== (found.at(-1)?.root.instant ?? this.firstInstant)) {
        throw this.#refuse(block, `is a difference to instant ${head.since}, where no checkpoint is`);
      }
      const group = blocks.slice(number, number + 1 + head.blocks);
      const isWhole = group.length === head.blocks + 1 && group.every(({ kind }) => kind === "checkpoint");
      if (isWhole) found.push({ root, blocks: group });
      else if (number + group.length < blocks.length) {
        throw this.#refuse(block, "begins a checkpoint that is not whole");
      }
      number += head.blocks;
    }
    return found;
  }

  /** Whether a block belongs to a checkpoint behind the beginning, or to one that was cut. */
  isLaterCheckpoint(block: BlockInfo): boolean {
    return block.kind === "checkpoint" &&
      !this.#checkpointBlocks.some(({ number }) => number === block.number);
  }

  /** Restores later checkpoints in a machine that stands where the run begins; undefined if there are none. */
  checkpointLoader(machine: Machine): CheckpointLoader | undefined {
    if (this.laterCheckpoints.length === 0) return undefined;
    return new CheckpointLoader(machine, this.laterCheckpoints, ({ number }) => this.reader.payload(number));
  }

  /** Puts a machine of this run in the state in which it begins. Throws JournalError when it cannot be had. */
  begin(machine: Machine): void {
    if (this.checkpoint === undefined) return;
    const payload = ({ number }: BlockInfo): unknown => this.reader.payload(number);
    restoreCheckpoint(machine, this.checkpoint, this.#checkpointBlocks.slice(1).values().map(payload));
  }

  /**
   * Whether an event is one that this journal is sure of: where a recording was cut off, what had begun at its last
   * instant is not, but for inputs.
   */
  isKnown({ instant, kind }: { readonly instant: number; readonly kind: EventKind }): boolean {
    return this.end !== undefined || instant < this.lastInstant || classOf(kind) === "input";
  }

  #refuse(block: BlockInfo, what: string): JournalFormatError {
    return new JournalFormatError(
      `Cannot read the journal: block ${block.number} at offset ${block.offset} (${block.kind}) ${what}`,
    );
  }

  #parse<T>(schema: Schema<T>, block: BlockInfo): T {
    const parsed = schema.safeParse(this.reader.payload(block.number));
    if (parsed.success) return parsed.data;
    const issue = parsed.error.issues[0];
    throw this.#refuse(block, `is not valid: ${issue?.path.join(".")}: ${issue?.message}`);
  }

  #headOf(
    { row: [kind, instant], block }: StoredRow,
  ): { readonly kind: EventKind; readonly instant: number } {
    const isKind = typeof kind === "string" && Object.hasOwn(EVENT_KINDS, kind);
    if (isKind && Number.isSafeInteger(instant) && (instant as number) >= 0) {
      return { kind: kind as EventKind, instant: instant as number };
    }
    throw this.#refuse(block, `holds what is no event: ${String(kind).slice(0, 100)} at ${String(instant)}`);
  }

  /** A stored event, checked; throws JournalFormatError when it is none. */
  eventOf({ row, block }: StoredRow): MachineEvent {
    try {
      return eventOfRow(row);
    } catch (error) {
      throw this.#refuse(block, `holds what is no event: ${(error as Error).message.slice(0, 200)}`);
    }
  }

  /** What replay relies on: instants and times never go back. */
  #checkOrder(): void {
    const { firstInstant, checkpoint } = this;
    let instant = firstInstant, time = checkpoint?.root.virtualTime ?? 0;
    for (const input of this.inputs) {
      if (input.instant < instant || input.virtualTime < time || input.instant > this.lastInstant) {
        throw new JournalFormatError(
          `Cannot read the journal: input ${input.kind} at instant ${input.instant} is out of order`,
        );
      }
      instant = input.instant;
      time = input.virtualTime;
    }
    if (this.lastInstant < firstInstant) {
      throw new JournalFormatError(
        `Cannot read the journal: it begins at instant ${firstInstant} and ends at ${this.lastInstant}`,
      );
    }
    let previous = checkpoint === undefined ? -1 : firstInstant;
    for (const root of this.roots) {
      if (root.instant <= previous || root.instant > this.lastInstant) {
        throw new JournalFormatError(
          `Cannot read the journal: root at instant ${root.instant} is out of order`,
        );
      }
      previous = root.instant;
    }
  }

  /**
   * Stored events of an interval in order, decoded block by block as they are asked for; stored steps are merged in
   * by instant and index when their class is wanted.
   */
  *stored(range: StoredRange): Generator<MachineEvent> {
    const events = this.#storedEvents(range);
    if (!range.classes.includes("step")) return yield* events;
    const steps = this.#storedSteps(range);
    let event = events.next(), step = steps.next();
    while (!event.done || !step.done) {
      const eventFirst = !event.done &&
        (step.done || event.value.instant < step.value.instant ||
          (event.value.instant === step.value.instant && event.value.index < step.value.index));
      if (eventFirst) {
        yield event.value as MachineEvent;
        event = events.next();
      } else {
        yield step.value as MachineEvent;
        step = steps.next();
      }
    }
  }

  *#storedEvents(range: StoredRange): Generator<MachineEvent> {
    for (const stored of this.storedRows(range)) yield this.eventOf(stored);
  }

  /** Stored events other than steps of an interval, in order, as they stand in their blocks: for whoever compares. */
  *storedRows({ from, to, classes }: StoredRange): Generator<StoredRow> {
    const wanted = new Set(classes);
    for (const block of this.#eventBlocks) {
      if (block.lastInstant < from || block.firstInstant >= to) continue;
      for (const row of this.#parse(eventsSchema, block).rows) {
        const head = this.#headOf({ row, block });
        const isWanted = head.instant >= from && head.instant < to && wanted.has(classOf(head.kind));
        if (isWanted && this.isKnown(head)) yield { row, block };
      }
    }
  }

  *#storedSteps({ from, to }: StoredRange): Generator<MachineEvent> {
    for (const block of this.#stepBlocks) {
      if (block.lastInstant < from || block.firstInstant >= to) continue;
      try {
        for (const step of decodeSteps(this.reader.payload(block.number))) {
          if (step.instant >= from && step.instant < to && this.isKnown(step)) yield step;
        }
      } catch (error) {
        if (error instanceof JournalError) throw error;
        throw this.#refuse(block, `holds what are no steps: ${(error as Error).message.slice(0, 200)}`);
      }
    }
  }
}
