/** Recording: runs a machine, admits inputs at step boundaries, and appends what happens to a journal. */
import type { MachineImages } from "../machine/compose.ts";
import { NO_DEADLINE } from "../machine/clock.ts";
import type { EventClass, EventObserver, Input, InputEvent } from "../machine/events.ts";
import { Machine, type MachineOptions, type Stop } from "../machine/machine.ts";
import type { BlockSpan } from "./block.ts";
import type { BlockKind } from "./block_kinds.ts";
import type { ByteWork } from "./byte_work.ts";
import type { EncodedValue } from "./codec.ts";
import { type Costs, meteredWriter, spending } from "./costs.ts";
import { History } from "./history.ts";
import { type Depth, type Manifest, type RunEnd, storedManifest, type StoredRoot } from "./payloads.ts";
import { changedParts, type Parts } from "./root_parts.ts";
import { RowPacker } from "./row_packer.ts";
import { StepColumnsWriter } from "./steps.ts";

/** Stored events are written when there are this many, or so many bytes of them. */
const BLOCK_FULL = { rows: 8192, bytes: 2 ** 20 };
/** Steps between two looks at how many there are: bounds what is gathered. */
const LOOK_EVERY = 2 ** 18;

/** The classes of event stored at each depth, beside steps. */
export const STORED_CLASSES: Readonly<Record<Depth, readonly EventClass[]>> = {
  inputs: ["input"],
  traps: ["input", "trap", "device"],
  steps: ["input", "trap", "device", "detail"],
};

/** The present root of a machine, closing the history's interval. */
export function closeRoot(machine: Machine, history: History): StoredRoot {
  const { root, parts } = machine.stateRoot();
  return {
    instant: machine.instant,
    virtualTime: machine.virtualTime,
    stateRoot: root,
    historyRoot: history.close(root),
    parts: parts.map(({ name, hash }) => ({ name, hash })),
  };
}

/** Where a recording's blocks go: a journal, or what keeps the last of them. */
export interface BlockWriter {
  /** Appends a block; as `JournalWriter.append`. */
  append(kind: BlockKind, payload: unknown, span?: BlockSpan): unknown;
  /** The same for what may be written a little later; as `JournalWriter.appendLater`. */
  appendLater?(kind: BlockKind, payload: EncodedValue, span: BlockSpan): void;
  /** Writes what waits. */
  settle?(): void;
  /** Nothing more comes. */
  finish(): void;
  /** Called after a root block, while nothing is left unwritten: a run could begin here. */
  rooted?(machine: Machine, root: StoredRoot): void;
}

/** How a recording is made; none of this may change what is recorded. */
export interface RecorderOptions extends MachineOptions {
  /** Sees what it costs. */
  readonly costs?: Costs | undefined;
  /** Makes digests, if anybody does. */
  readonly work?: ByteWork | undefined;
  /** Goes on from here instead of from power-on: the journal has its blocks up to the root of this instant. */
  readonly resumed?: ResumedRun;
}

/** Where a recording goes on that was begun before. */
export interface ResumedRun {
  /** The machine, at the instant of a root or at power-on. */
  readonly machine: Machine;
  /** The history up to there. */
  readonly history: History;
  /** Parts of that root. */
  readonly parts: Parts;
}

/** A recording in progress. */
export class Recorder {
  /** The machine that is being recorded. */
  readonly machine: Machine;
  readonly #history: History;
  readonly #steps: StepColumnsWriter | undefined;
  readonly #rows = new RowPacker();
  readonly #writer: BlockWriter;
  readonly #costs: Costs | undefined;
  readonly #stored: EventObserver;
  /** Parts of the last root. */
  #parts: Parts = [];

  /**
   * Powers a machine on and writes the journal's first block.
   * Throws ConfigurationError for a machine that cannot be built, JournalWriteError when writing fails.
   */
  constructor(
    readonly manifest: Manifest,
    images: MachineImages,
    writer: BlockWriter,
    options: RecorderOptions = {},
  ) {
    const { costs, resumed } = options;
    this.#costs = costs;
    this.#writer = costs === undefined ? writer : meteredWriter(writer, costs);
    this.machine = resumed?.machine ?? new Machine(manifest.configuration, images, options);
    this.#history = resumed?.history ?? new History(undefined, options.work);
    this.#parts = resumed?.parts ?? [];
    this.#stored = this.#storing();
    const { events } = this.machine.board;
    events.add(this.#history);
    events.add(this.#stored);
    if (manifest.depth === "steps") {
      // The events that belong to a block of steps follow it at once; readers rely on `through`.
      this.#steps = new StepColumnsWriter(this.#writer, (through) => this.#writeRows(through));
      events.add(this.#steps);
    }
    costs?.attach(this.machine);
    if (resumed === undefined) this.#writer.append("configuration", storedManifest(manifest));
  }

  /** Gathers what the depth stores. */
  #storing(): EventObserver {
    const rows = this.#rows;
    return {
      classes: STORED_CLASSES[this.manifest.depth],
      observe: (event) => rows.add(event.kind, event.instant, event.cpu, event.index, { ...event }),
      observeParts: (kind, instant, cpu, index, fields) => rows.add(kind, instant, cpu, index, fields),
      observeWords: (kind, instant, cpu, index, words) => rows.addWords(kind, instant, cpu, index, words),
      observeAccess: (access, instant, index, value) => rows.addAccess(access, instant, index, value),
      observeAccesses: (log) => rows.addAccesses(log),
    };
  }

  /**
   * Runs to `limit` steps in all, writing root blocks where they are due. `paced` and `until` as in `Machine.run`.
   * Throws JournalWriteError when writing fails; everything up to the last block is safe then.
   */
  run(limit: number, paced = false, until: number = NO_DEADLINE): Stop {
    const interval = this.manifest.configuration.rootInterval;
    for (;;) {
      const nextRoot = (Math.floor(this.machine.instant / interval) + 1) * interval;
      const burstEnd = Math.min(limit, nextRoot, this.machine.instant + LOOK_EVERY);
      const stop = spending(this.#costs, "engine", () => this.machine.run(burstEnd, paced, until));
      // Also when an observer asked for a stop just there: who listens must not change the chain of roots.
      if (this.machine.instant === nextRoot && stop.reason !== "poweredOff") this.#writeRoot();
      if (this.#rows.count >= BLOCK_FULL.rows || this.#rows.length >= BLOCK_FULL.bytes) this.#writeFull();
      const { instant, virtualTime } = this.machine;
      if (stop.reason !== "limit" || instant >= limit || virtualTime >= until) return stop;
    }
  }

  #writeRoot(): void {
    this.flush();
    const root = this.#closeRoot();
    this.#appendRoot("roots", root);
    this.#writer.rooted?.(this.machine, root);
  }

  #appendRoot(kind: "roots" | "end", root: StoredRoot): void {
    const parts = changedParts(this.#parts, root.parts);
    this.#parts = root.parts;
    this.#writer.append(kind, { ...root, parts }, { firstInstant: root.instant, lastInstant: root.instant });
  }

  #closeRoot(): StoredRoot {
    const costs = this.#costs;
    if (costs !== undefined) costs.counts.roots++;
    const root = spending(costs, "roots", () => closeRoot(this.machine, this.#history));
    costs?.lookAtMemory();
    return root;
  }

  /** Delivers an input and writes it at once; throws InputRefusedError when the machine cannot take it. */
  submit(input: Input, virtualTime?: number): InputEvent {
    const event = this.machine.submit(input, virtualTime);
    this.flush();
    return event;
  }

  /** Writes what is gathered; call it at the latest a second after the last time. */
  flush(): void {
    this.#steps?.flush();
    if (this.#rows.count > 0) this.#writeRows(this.machine.instant);
    this.#writer.settle?.();
  }

  /** Writes a full block, which may be packed meanwhile; blocks of steps and of their events stay together. */
  #writeFull(): void {
    if (this.#steps === undefined) this.#writeRows(this.machine.instant, true);
    else this.flush();
  }

  #writeRows(through: number, mayWait = false): void {
    const writer = this.#writer;
    if (this.#costs !== undefined) this.#costs.counts.stored += this.#rows.count;
    this.#rows.take(through, (payload, firstInstant, lastInstant) => {
      const span = { firstInstant, lastInstant };
      if (mayWait && writer.appendLater !== undefined) writer.appendLater("events", payload, span);
      else writer.append("events", payload, span);
    });
  }

  /** The roots as they are here; nothing is closed or written. */
  peekRoots(): { readonly stateRoot: Uint8Array; readonly historyRoot: Uint8Array } {
    const stateRoot = this.machine.stateRoot().root;
    return { stateRoot, historyRoot: this.#history.peek(stateRoot) };
  }

  /** Where it has come to, for a recording that goes on from a machine in this state. */
  copyHistory(): History {
    return this.#history.copy();
  }

  /** Ends recording without an end: nothing more is written, and the machine is whoever takes it. */
  release(): ResumedRun {
    const { events } = this.machine.board;
    for (const observer of [this.#history, this.#stored, this.#steps]) {
      if (observer !== undefined) events.remove(observer);
    }
    return { machine: this.machine, history: this.#history, parts: this.#parts };
  }

  /** Ends the run here: writes what is gathered, the end block with the final root, and the index. */
  finish(reason: RunEnd["reason"], exitCode = 0, waiting = false): RunEnd {
    this.flush();
    const end: RunEnd = { ...this.#closeRoot(), reason, exitCode, waiting };
    this.#appendRoot("end", end);
    this.#writer.finish();
    return end;
  }
}
