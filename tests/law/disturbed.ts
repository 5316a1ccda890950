/** A machine that is cut, looked at, moved and made to forget at random, which must not change its run. */
import {
  EVENT_KINDS,
  type EventClass,
  type EventObserver,
  type Input,
  type InputEvent,
} from "../../machine/events.ts";
import { dropTranslations } from "../../machine/cpu/write_watcher.ts";
import { CompiledEngine } from "../../machine/engine/compiled.ts";
import type { Engine } from "../../machine/engine/engine.ts";
import { ENGINES, type Machine, type Snapshot, type Stop } from "../../machine/machine.ts";
import { type Driven, Watch } from "./drive.ts";
import type { Choices } from "./random.ts";

/** What may happen between two pieces of a run. */
export type Disturbance =
  | "cut"
  | "root"
  | "snapshot"
  | "restore"
  | "detour"
  | "move"
  | "forget"
  | "observe"
  | "stop"
  | "check"
  | "wait";

/** All of them. */
export const DISTURBANCES: readonly Disturbance[] = [
  ...[
    "cut",
    "root",
    "snapshot",
    "restore",
    "detour",
    "move",
    "forget",
    "observe",
    "stop",
    "check",
    "wait",
  ] as const,
];

const CLASSES = [...new Set(Object.values(EVENT_KINDS).map((row) => row.class))] as EventClass[];

/** Snapshots of one run, at most. */
const SNAPSHOTS = 10;

/** Runs in pieces with disturbances between them. */
export class DisturbedMachine implements Driven {
  /** Present machine. */
  machine: Machine;
  /** What was heard. */
  readonly watch: Watch;
  #spare: Machine | undefined;
  /** Instants from which on the next snapshots may be taken: they take long, and must not all be at the beginning. */
  readonly #due: number[];
  #observers: EventObserver[] = [];

  /** `build` gives a machine at power-on. */
  constructor(
    private readonly build: () => Machine,
    private readonly choices: Choices,
    private readonly kinds: readonly Disturbance[],
    /** Steps of a piece on the average. */
    private readonly piece: number,
    steps: number,
  ) {
    this.#due = Array.from({ length: SNAPSHOTS }, () => choices.below(steps)).sort((a, b) => a - b);
    this.machine = build();
    this.watch = new Watch(this.machine);
  }

  /** See Driven. */
  run(limit: number, paced: boolean): Stop {
    for (;;) {
      this.#disturb();
      const span = this.choices.oneIn(4)
        ? this.choices.between(1, 3)
        : this.choices.between(1, 2 * this.piece);
      const end = this.kinds.includes("cut") ? Math.min(limit, this.machine.instant + span) : limit;
      const stop = this.machine.run(end, paced);
      if (stop.reason !== "requested" && (stop.reason !== "limit" || this.machine.instant >= limit)) {
        return stop;
      }
    }
  }

  /** See Driven. */
  wait(time: number): void {
    const from = this.machine.virtualTime;
    while (this.kinds.includes("wait") && this.choices.oneIn(2)) {
      this.#disturb();
      const { virtualTime } = this.machine;
      if (virtualTime >= time) break;
      if (!this.machine.wait(virtualTime + this.choices.below(time - virtualTime + 1))) return;
    }
    if (from <= time) this.machine.wait(time);
    this.#disturb();
  }

  /** See Driven. */
  submit(input: Input, time?: number): InputEvent {
    this.#disturb();
    const event = this.machine.submit(input, time);
    this.#disturb();
    return event;
  }

  #disturb(): void {
    const kind = this.choices.of(this.kinds);
    switch (kind) {
      case "root":
        this.machine.stateRoot();
        break;
      case "snapshot":
        if (this.#isDue()) this.machine.snapshot();
        break;
      case "restore":
      case "detour":
      case "move":
        if (this.#isDue()) this.#return(kind);
        break;
      case "forget":
        this.#forget();
        break;
      case "observe":
        this.#observe();
        break;
      case "stop":
        this.machine.requestStop();
        break;
      case "check":
        this.#check();
        break;
    }
  }

  /** Translations and code; an engine that compiles keeps its place, beside which there is no room for another's. */
  #forget(): void {
    const { board, engine } = this.machine;
    dropTranslations(board.cpus);
    if (engine instanceof CompiledEngine) board.memory.codeObserver?.dropped();
    else Object.assign(this.machine, { engine: (ENGINES[engine.name] as () => Engine)() });
  }

  #isDue(): boolean {
    if (this.machine.instant < (this.#due[0] ?? Infinity)) return false;
    this.#due.shift();
    return true;
  }

  /** Back to now, after nothing, after other steps, or in another machine. */
  #return(kind: "restore" | "detour" | "move"): void {
    const mark = this.watch.mark(), before = this.machine;
    const snapshot: Snapshot = before.snapshot();
    if (kind === "detour") this.#detour();
    if (kind === "move") {
      this.machine = this.#spare ?? this.build();
      this.#spare = before;
      for (const observer of this.#observers) before.board.events.remove(observer);
      this.#observers = [];
    }
    this.machine.restore(snapshot);
    if (kind === "move" && this.choices.oneIn(2)) this.machine.restore(snapshot);
    this.watch.moveTo(this.machine, mark, before);
  }

  /** Somewhere else: steps with other inputs. */
  #detour(): void {
    const { machine, choices } = this;
    const x = choices.below(16);
    if (machine.run(machine.instant).reason === "poweredOff") return;
    if (choices.oneIn(2)) {
      machine.submit({ kind: "registerPatched", target: 0, register: `x${x}`, value: 3n });
    }
    if (choices.oneIn(2)) machine.submit({ kind: "consoleReceived", bytes: Uint8Array.of(1, 2) });
    if (choices.oneIn(2)) machine.submit({ kind: "interruptInjected", interrupt: choices.below(40) });
    machine.run(machine.instant + choices.of([1, 2, 10, 300]));
  }

  #observe(): void {
    const { events } = this.machine.board;
    const old = this.choices.oneIn(2) ? this.#observers.pop() : undefined;
    if (old !== undefined) return events.remove(old);
    const observer: EventObserver = {
      classes: CLASSES.filter(() => this.choices.oneIn(2)),
      observe: () => this.kinds.includes("stop") && this.choices.oneIn(50) && this.machine.requestStop(),
    };
    this.#observers.push(observer);
    events.add(observer);
  }

  /** Asks whether inputs would be taken. */
  #check(): void {
    try {
      this.machine.checkInput({ kind: "cpuSwitchForced", target: this.choices.below(5) });
    } catch {
      // A refusal is an answer.
    }
  }
}
