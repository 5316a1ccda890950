/** Replay: drives a machine through a recorded run, checking roots and stored events as it goes. */
import type { MachineImages } from "../machine/compose.ts";
import type {
  AnyFields,
  DeviceAccess,
  EventKind,
  EventObserver,
  Input,
  InputEvent,
  MachineEvent,
} from "../machine/events.ts";
import { Machine, type MachineOptions, type Snapshot } from "../machine/machine.ts";
import type { StateRoot } from "../machine/state_root.ts";
import type { WatchHit } from "../machine/watch.ts";
import { InputRefusedError } from "../machine/errors.ts";
import { type Costs, spending } from "./costs.ts";
import { JournalError } from "./errors.ts";
import { isRowOf } from "./event_rows.ts";
import { equalBytes } from "./hash.ts";
import { History } from "./history.ts";
import type { CheckpointLoader } from "./later_checkpoints.ts";
import type { RunEnd, StoredRoot } from "./payloads.ts";
import { closeRoot, STORED_CLASSES } from "./recorder.ts";
import type { RecordedRun, StoredRow } from "./run.ts";

/** The replayed run is not the recorded one; the message names the first instant known to differ, and what differed. */
export class DivergenceError extends JournalError {
  /** Name of the class. */
  override name = "DivergenceError";
  /** `instant` is the first one known to differ. */
  constructor(message: string, readonly instant: number) {
    super(message);
  }
}

/** What is checked while replaying; none of it changes the run. */
export interface ReplayOptions extends MachineOptions {
  /** Compare stored events with derived ones (default true). */
  readonly checkEvents?: boolean;
  /**
   * Follow the history (default true). Otherwise roots are compared by state alone, each the first time it is passed, and
   * there is no history root.
   */
  readonly history?: boolean;
  /** Sees what the replay costs. */
  readonly costs?: Costs | undefined;
}

/** What a replay stopped for: watch points were hit (see `Machine.watch`). */
export interface WatchStop {
  /** All of them. */
  readonly hits: readonly WatchHit[];
  /** The state is not the one of its instant as such: the step boundary has begun. */
  readonly isBegun: boolean;
}

/** Compares each derived event with the next stored one. */
class StoredEventCheck implements EventObserver {
  readonly classes;
  readonly #stored: Iterator<StoredRow>;
  #next: StoredRow | undefined;
  /** The first difference, reported between bursts. */
  divergence: DivergenceError | undefined;

  constructor(private readonly run: RecordedRun, private readonly machine: Machine) {
    this.classes = STORED_CLASSES[run.manifest.depth];
    this.#stored = run.storedRows({ from: machine.instant, to: Infinity, classes: this.classes });
    this.#advance();
  }

  #advance(): void {
    const { value, done } = this.#stored.next();
    this.#next = done ? undefined : value as StoredRow;
  }

  /** At the end of the run: a stored event that never came is a difference too. */
  finish(): void {
    if (this.divergence !== undefined || this.#next === undefined) return;
    const stored = this.run.eventOf(this.#next);
    this.divergence = new DivergenceError(
      `The replay differs at instant ${stored.instant}: the journal has ${
        describe(stored)
      }, the replay has nothing more`,
      stored.instant,
    );
  }

  observe(event: MachineEvent): void {
    this.observeParts(event.kind, event.instant, event.cpu, event.index, { ...event });
  }

  observeParts(kind: EventKind, instant: number, cpu: number, index: number, fields: AnyFields): void {
    if (this.#next === undefined || this.divergence !== undefined) return;
    if (isRowOf(this.#next.row, kind, instant, cpu, index, fields)) return this.#advance();
    const stored = this.run.eventOf(this.#next);
    const first = Math.min(instant, stored.instant);
    const derived = { kind, instant, cpu, index, ...fields } as unknown as MachineEvent;
    this.divergence = new DivergenceError(
      `The replay differs at instant ${first}: the journal has ${describe(stored)}, ` +
        `the replay has ${describe(derived)}`,
      first,
    );
    this.machine.requestStop();
  }

  observeAccess(access: DeviceAccess, instant: number, index: number, value: number): void {
    const { kind, cpu, device, address, size } = access;
    this.observeParts(kind, instant, cpu, index, { device, address, size, value: BigInt(value) });
  }
}

function describe(event: MachineEvent): string {
  const fields = Object.entries(event).filter(([name]) => !["kind", "index"].includes(name));
  return `${event.kind} {${fields.map(([name, value]) => `${name}: ${show(value)}`).join(", ")}}`;
}

function show(value: unknown): string {
  if (typeof value === "bigint") return `0x${value.toString(16)}`;
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  return Array.isArray(value) ? `[${value.map(show).join(", ")}]` : String(value);
}

/** The input that a recorded event stands for. */
export function inputOf(event: InputEvent): Input {
  const { instant: _instant, cpu: _cpu, index: _index, virtualTime: _time, ...input } = event;
  return input as Input;
}

/** A point of a replay to which it can return. */
export interface ReplayMark {
  /** Its instant. */
  readonly instant: number;
  /** State of the machine there. */
  readonly snapshot: Snapshot;
  /** History up to there, if it is followed. */
  readonly history: History | undefined;
  /** Inputs delivered. */
  readonly nextInput: number;
  /** Roots passed. */
  readonly nextRoot: number;
}

/** A machine following a recorded run. */
export class Replay {
  /** The machine; look at it between calls, add observers before running. */
  readonly machine: Machine;
  #history: History | undefined;
  #check: StoredEventCheck | undefined;
  readonly #costs: Costs | undefined;
  readonly #loader: CheckpointLoader | undefined;
  #nextInput = 0;
  #nextRoot = 0;
  /** Roots compared by state alone. */
  readonly #rootsKnown = new Set<number>();
  /** Roots checked so far, the end's included. */
  rootsChecked = 0;

  /**
   * Powers the recorded machine on, or takes it to the run's checkpoint. Throws ConfigurationError when this build
   * cannot, JournalError for a checkpoint that is not whole.
   */
  constructor(readonly run: RecordedRun, images: MachineImages, options: ReplayOptions = {}) {
    this.machine = new Machine(run.manifest.configuration, images, options);
    run.begin(this.machine);
    this.#loader = run.checkpointLoader(this.machine);
    if (options.history ?? true) {
      this.#history = new History(run.checkpoint?.root.historyRoot);
      this.machine.board.events.add(this.#history);
    }
    if (options.checkEvents ?? true) {
      this.#check = new StoredEventCheck(run, this.machine);
      this.machine.board.events.add(this.#check);
    }
    this.#costs = options.costs;
    this.#costs?.attach(this.machine);
  }

  /** Steps taken. */
  get instant(): number {
    return this.machine.instant;
  }

  /**
   * Runs to `target`, which must not be before the present instant; the state is the one before the step boundary
   * there. Comes back before that, with what was hit, where the machine has watch points; call it again to go on. Throws DivergenceError where the run is not the recorded one, RangeError for a target after its end.
   */
  runTo(target: number): WatchStop | undefined {
    if (target < this.instant || target > this.run.lastInstant) {
      throw new RangeError(
        `Cannot go to instant ${target}: the run is at ${this.instant} and ends at ${this.run.lastInstant}`,
      );
    }
    for (;;) {
      const root = this.run.roots[this.#nextRoot];
      if (root !== undefined && root.instant === this.instant) {
        this.#passRoot(root);
        this.#nextRoot++;
      }
      if (this.instant === target) return undefined;
      this.#deliver();
      const input = this.run.inputs[this.#nextInput];
      const upcoming = this.run.roots[this.#nextRoot];
      const watched = this.#advance(Math.min(target, input?.instant ?? target, upcoming?.instant ?? target));
      if (watched !== undefined) return watched;
    }
  }

  #advance(limit: number): WatchStop | undefined {
    while (this.instant < limit) {
      const stop = spending(this.#costs, "engine", () => this.machine.run(limit));
      if (this.#check?.divergence !== undefined) throw this.#check.divergence;
      if (stop.reason === "watched") return stop;
      if (stop.reason === "requested" || this.instant >= limit) continue;
      throw new DivergenceError(
        `The replay differs at instant ${this.instant}: it is ${stop.reason} there, the recorded run goes on`,
        this.instant,
      );
    }
    return undefined;
  }

  /** Submits the inputs stamped with the present instant. */
  #deliver(): void {
    for (;;) {
      const event = this.run.inputs[this.#nextInput];
      if (event === undefined || event.instant !== this.instant) return;
      this.#nextInput++;
      try {
        this.machine.submit(inputOf(event), event.virtualTime);
      } catch (error) {
        if (!(error instanceof InputRefusedError)) throw error;
        throw new DivergenceError(
          `The replay differs at instant ${event.instant}: it does not take the input ${event.kind} there: ${error.message}`,
          event.instant,
        );
      }
      if (this.#check?.divergence !== undefined) throw this.#check.divergence;
    }
  }

  #passRoot(recorded: StoredRoot): void {
    if (this.#history !== undefined) return this.#checkRoot(recorded);
    if (this.#rootsKnown.has(this.#nextRoot)) return;
    this.#compare(recorded, this.machine.stateRoot());
    this.#rootsKnown.add(this.#nextRoot);
  }

  #checkRoot(recorded: StoredRoot): void {
    const history = this.#history;
    if (history === undefined) return this.#compare(recorded, this.machine.stateRoot());
    const { stateRoot: root, parts, historyRoot } = spending(
      this.#costs,
      "roots",
      () => closeRoot(this.machine, history),
    );
    this.rootsChecked++;
    if (this.#costs !== undefined) this.#costs.counts.roots++;
    this.#costs?.lookAtMemory();
    this.#compare(recorded, { root, parts }, historyRoot);
  }

  #compare(recorded: StoredRoot, { root, parts }: StateRoot, historyRoot = recorded.historyRoot): void {
    if (equalBytes(root, recorded.stateRoot) && equalBytes(historyRoot, recorded.historyRoot)) return;
    const differing = recorded.parts.find(({ name, hash }) => {
      const other = parts.find((part) => part.name === name);
      return other === undefined || !equalBytes(other.hash, hash);
    });
    throw new DivergenceError(
      `The replay differs at or before instant ${recorded.instant}: ` +
        (differing === undefined
          ? "the state is equal, its history is not"
          : `section "${differing.name}" is not equal`),
      recorded.instant,
    );
  }

  /** Runs to the end and checks the final root; for a journal cut off, to the last instant it knows. */
  runToEnd(): RunEnd | undefined {
    this.runTo(this.run.lastInstant);
    const { end } = this.run;
    this.#deliver();
    if (end === undefined) return undefined;
    if (end.waiting) this.machine.wait(end.virtualTime);
    this.#check?.finish();
    if (this.#check?.divergence !== undefined) throw this.#check.divergence;
    this.#checkRoot(end);
    return end;
  }

  /**
   * History root of everything up to here; two runs with equal ones had equal inputs, traps and device
   * accesses. Throws TypeError for a replay that does not follow it.
   */
  historyRoot(): Uint8Array {
    if (this.#history === undefined) {
      throw new TypeError("A replay that does not follow the history has no root of it");
    }
    return this.#history.peek(this.machine.stateRoot().root);
  }

  /**
   * Ends following the run, and gives what a recording needs to go on from here: the machine hears no one of this replay.
   * Throws TypeError for a replay that does not follow the history.
   */
  release(): { readonly machine: Machine; readonly history: History } {
    const { events } = this.machine.board, history = this.#history;
    if (history === undefined) throw new TypeError("Cannot record on without the history of the run");
    if (this.#check !== undefined) events.remove(this.#check);
    events.remove(history);
    return { machine: this.machine, history };
  }

  /** Index of the last checkpoint in the journal at or before an instant; −1 if there is none. */
  #checkpointBefore(instant: number): number {
    return this.run.laterCheckpoints.findLastIndex(({ root }) => root.instant <= instant);
  }

  /** Instant of the last checkpoint in the journal, behind the run's beginning, at or before an instant. */
  checkpointBefore(instant: number): number | undefined {
    return this.run.laterCheckpoints[this.#checkpointBefore(instant)]?.root.instant;
  }

  /**
   * Goes to the last checkpoint in the journal at or before an instant, if there is one; what comes before it is not
   * compared. False, and nothing happens, if there is none. Throws JournalError when it is not what its root says.
   */
  goToCheckpoint(instant: number): boolean {
    const index = this.#checkpointBefore(instant), checkpoint = this.run.laterCheckpoints[index];
    if (checkpoint === undefined || this.#loader === undefined) return false;
    const { root } = checkpoint, { events } = this.machine.board;
    this.#loader.restore(index);
    this.#takeHistory(new History(root.historyRoot));
    this.#nextInput = this.run.inputs.findIndex((input) => input.instant >= root.instant);
    if (this.#nextInput < 0) this.#nextInput = this.run.inputs.length;
    // The root was compared just now.
    this.#nextRoot = this.run.roots.indexOf(root) + 1;
    this.#rootsKnown.add(this.#nextRoot - 1);
    if (this.#check !== undefined) {
      events.remove(this.#check);
      this.#check = new StoredEventCheck(this.run, this.machine);
      events.add(this.#check);
    }
    return true;
  }

  /** Goes on to the last checkpoint in the journal at or before an instant, if one lies between here and there. */
  skipTo(instant: number): void {
    if ((this.checkpointBefore(instant) ?? -1) > this.instant) this.goToCheckpoint(instant);
  }

  /** Remembers this point; stored events are not compared any more by a replay that went back. */
  mark(): ReplayMark {
    return {
      instant: this.instant,
      snapshot: this.machine.snapshot(),
      history: this.#history?.copy(),
      nextInput: this.#nextInput,
      nextRoot: this.#nextRoot,
    };
  }

  /** Goes back, or on, to a mark of this run. */
  returnTo(mark: ReplayMark): void {
    if (this.#check !== undefined) this.machine.board.events.remove(this.#check);
    this.#check = undefined;
    this.machine.restore(mark.snapshot);
    this.#takeHistory(mark.history);
    this.#nextInput = mark.nextInput;
    this.#nextRoot = mark.nextRoot;
  }

  #takeHistory(history: History | undefined): void {
    const { events } = this.machine.board;
    if (this.#history === undefined || history === undefined) return;
    events.remove(this.#history);
    this.#history = history.copy();
    events.add(this.#history);
  }
}
