/** The machine: advances to an instant, takes inputs at step boundaries, saves and restores, and gives its root. */
import type { MachineConfiguration } from "./configuration.ts";
import { composeBoard, type MachineImages, type VirtBoard } from "./compose.ts";
import type { Cpu } from "./cpu/cpu.ts";
import { pendingInterrupt } from "./cpu/interrupts.ts";
import { markOpenMonitors } from "./cpu/memory_access.ts";
import {
  areCountersOff,
  countersTurnBegan,
  countersTurnEnded,
  stepsToOverflow,
} from "./cpu/performance_counters.ts";
import { isStepActive } from "./cpu/software_step.ts";
import { takeException } from "./cpu/take_exception.ts";
import { Watches } from "./cpu/watches.ts";
import { NO_DEADLINE } from "./clock.ts";
import type { CompileCache, RegionCompilerFactory } from "./engine/compile_request.ts";
import { CompiledEngine } from "./engine/compiled.ts";
import type { Engine } from "./engine/engine.ts";
import { ReferenceEngine } from "./engine/reference.ts";
import { ThreadedEngine } from "./engine/threaded.ts";
import { ConfigurationError, InputRefusedError } from "./errors.ts";
import type { Input, InputEvent } from "./events.ts";
import { type InputTarget, prepareInput } from "./inputs.ts";
import { flag, oneOf, u32 } from "./layout.ts";
import { Scheduler, type TurnObserver } from "./scheduler.ts";
import { type Section, sectionLayout } from "./snapshot.ts";
import type { PageMap } from "./memory/page_map.ts";
import { PageTracker } from "./memory/page_tracker.ts";
import type { AccessControls } from "./memory/tlb.ts";
import { type StateRoot, StateRootTree } from "./state_root.ts";
import type { DiskContents } from "./storage/disk.ts";
import type { WatchHit, WatchPoint } from "./watch.ts";

/** The engines by name. */
// deno-fmt-ignore
export const ENGINES: Readonly<Record<string, (options: MachineOptions) => Engine>> = {
  reference: () => new ReferenceEngine(),
  threaded:  () => new ThreadedEngine(),
  compiled:  ({ compile, compileCache }) => new CompiledEngine(compile, undefined, compileCache),
};

/** The engine of machines that are not told which. */
export const DEFAULT_ENGINE = "compiled";

/** Why `run` came back. */
export type Stop =
  /** The instant asked for is reached. */
  | { readonly reason: "limit" }
  /** An observer asked for a stop after the step it saw, or the guest for a reset (`resetPending`). */
  | { readonly reason: "requested" }
  /**
   * Watch points were hit (see `Machine.watch`). With `isBegun` the step boundary has begun: alarms were served, time
   * skipped, a turn taken, which the state of the instant as such has not; the machine goes on, but takes no input.
   */
  | { readonly reason: "watched"; readonly hits: readonly WatchHit[]; readonly isBegun: boolean }
  /** No CPU can run until `deadline` (nanoseconds), and the caller paces time itself. */
  | { readonly reason: "waiting"; readonly deadline: number }
  /** No CPU can run and nothing is due: only an input can go on. */
  | { readonly reason: "resting" }
  /** The guest, or a power cut, ended the run. */
  | { readonly reason: "poweredOff"; readonly exitCode: number; readonly cut: boolean };

/** How a machine is run; none of this may change a result. */
export interface MachineOptions {
  /** Name in ENGINES; DEFAULT_ENGINE when absent. */
  readonly engine?: string;
  /** What compiles for an engine that does: regions where they are asked for (the default), none, or elsewhere. */
  readonly compile?: "sync" | "off" | RegionCompilerFactory;
  /** Keeps what was compiled, for later machines of the same build; none when absent. */
  readonly compileCache?: CompileCache;
}

/** The whole state between two steps. */
export interface Snapshot {
  /** Named sections in the machine's order. */
  readonly sections: readonly Section[];
  /** Pages of memory, by page number in the machine's memory; shared with the snapshot before, where they are equal. */
  readonly pages: PageMap;
  /** What was written to each disk, by its id; shared, not copied. */
  readonly disks: ReadonlyMap<string, DiskContents>;
}

const powerLayout = sectionLayout("power", 1, {
  state: oneOf("on", "off", "cut"),
  exitCode: u32,
  resetRequested: flag,
});

/** Told, while a machine runs, of what is no event; it must not touch the machine. */
export interface RunFollower {
  /** The next step is this CPU's, and so are those after it until another call. */
  turnBegan(cpu: number): void;
  /** Accesses are made under these controls from now on. */
  controlsEnforced(controls: AccessControls): void;
}

/** A deterministic machine: its state at instant N depends on configuration, images and inputs alone. */
export class Machine {
  /** Devices, CPUs, memory, clock and events. */
  readonly board: VirtBoard;
  /** What runs the CPUs. */
  readonly engine: Engine;
  #scheduler: Scheduler;
  #pages: PageTracker;
  #roots: StateRootTree;
  #power: "on" | "off" | "cut" = "on";
  #exitCode = 0;
  #resetRequested = false;
  #stopRequested = false;
  #watches: Watches | undefined;
  /** The instant whose boundary has been passed, but not its step; −1 for none. */
  #begun = -1;
  /** Where an execute watch stopped last; −1 for nowhere. */
  #standing = -1;
  #follower: RunFollower | undefined;
  readonly #turns: TurnObserver = {
    ended: (cpu) => {
      markOpenMonitors(cpu);
      countersTurnEnded(cpu);
    },
    began: (cpu) => {
      countersTurnBegan(cpu);
      this.#follower?.turnBegan(cpu.index);
    },
  };

  /**
   * Builds the machine and puts it in its power-on state.
   * Throws ConfigurationError when the configuration cannot be built or an image does not fit.
   */
  constructor(
    readonly configuration: MachineConfiguration,
    images: MachineImages,
    options: MachineOptions = {},
  ) {
    const name = options.engine ?? DEFAULT_ENGINE;
    const engine = Object.hasOwn(ENGINES, name) ? ENGINES[name] : undefined;
    if (engine === undefined) {
      throw new ConfigurationError(`There is no engine "${name}": use ${Object.keys(ENGINES).join(" or ")}`);
    }
    this.engine = engine(options);
    this.board = composeBoard(configuration, images, {
      powerOff: (exitCode) => this.#powerOff("off", exitCode),
      reset: () => {
        this.#resetRequested = true;
        this.requestStop();
      },
    });
    this.#pages = new PageTracker(this.board.memory);
    this.#roots = new StateRootTree(this.board.memory, this.#pages);
    this.#scheduler = new Scheduler(this.board.cpus, this.board.clock, this.board.events, configuration);
    this.board.powerOn();
  }

  /** Steps taken since power-on. */
  get instant(): number {
    return this.board.clock.instant;
  }

  /** Virtual time in nanoseconds. */
  get virtualTime(): number {
    return this.board.clock.now;
  }

  /** The CPU whose turn it is. */
  get currentCpu(): Cpu {
    return this.#scheduler.current;
  }

  /** The instant at which the present turn ends at the latest. */
  get turnEnds(): number {
    return this.#scheduler.turnEnds;
  }

  /** The guest asked for a reset, which happens at the present step boundary; `run` stops before it. */
  get resetPending(): boolean {
    return this.#resetRequested;
  }

  /** Ends `run` after the present step; for observers of the console and of events. */
  requestStop(): void {
    this.#stopRequested = true;
    this.#interrupt();
  }

  #interrupt(): void {
    for (const cpu of this.board.cpus) cpu.attention = true;
  }

  #powerOff(state: "off" | "cut", exitCode: number): void {
    this.#power = state;
    this.#exitCode = exitCode >>> 0;
    this.board.events.emit("machinePoweredOff", this.#scheduler.current.index, { exitCode: exitCode >>> 0 });
    this.#interrupt();
  }

  #reset(): void {
    this.#resetRequested = false;
    this.board.events.emit("machineReset", this.#scheduler.current.index, {});
    this.board.powerOn(true);
    this.#scheduler.reset();
  }

  /**
   * Runs until `limit` steps have been taken in all, or something in `Stop` comes first. The state at the limit is
   * the one before its step boundary: alarms due then are served by the next call. With `paced`, time is not skipped:
   * the caller decides how far to `wait`. At the first step boundary that is not before `until` (nanoseconds of virtual
   * time) it is the limit, too.
   */
  run(limit: number, paced = false, until: number = NO_DEADLINE): Stop {
    const stop = this.#watched(() => this.#run(limit, paced, until));
    this.board.events.deliver();
    return stop;
  }

  /** Does what counts for watch points: the machine goes on, and is not only looked at. */
  #watched<T>(go: () => T): T {
    const watches = this.#watches;
    if (watches === undefined) return go();
    watches.isOn = true;
    try {
      return go();
    } finally {
      watches.isOn = false;
    }
  }

  #run(limit: number, paced: boolean, until: number): Stop {
    const { clock } = this.board, watches = this.#watches;
    for (;;) {
      const hits = watches?.take(clock.instant);
      if (hits !== undefined) return { reason: "watched", hits, isBegun: false };
      if (this.#power !== "on") {
        return { reason: "poweredOff", exitCode: this.#exitCode, cut: this.#power === "cut" };
      }
      if (this.#stopRequested) {
        this.#stopRequested = false;
        return { reason: "requested" };
      }
      if (clock.instant >= limit || clock.now >= until) return { reason: "limit" };
      if (this.#begun !== clock.instant) this.#begun = -1;
      const isQuiet = watches !== undefined && this.#begun < 0 && this.#isBoundaryQuiet();
      const cpu = this.#begun < 0 ? this.#boundary() : this.#scheduler.current;
      if (cpu === undefined) {
        const early = watches?.take();
        if (early !== undefined) return { reason: "watched", hits: early, isBegun: false };
        const deadline = clock.earliestDeadline;
        if (deadline === NO_DEADLINE) return { reason: "resting" };
        if (paced) return { reason: "waiting", deadline };
        this.#skipTo(deadline);
        continue;
      }
      const from = clock.instant;
      this.#advance(cpu, Math.min(limit, clock.instantOf(until)));
      if (watches?.isStopped === true) return this.#stopBefore(watches, isQuiet || clock.instant > from);
    }
  }

  /** Nothing will happen at the present step boundary but that a step is taken. */
  #isBoundaryQuiet(): boolean {
    const { clock } = this.board;
    return !this.#resetRequested && clock.earliestDeadline > clock.now && !this.#scheduler.isTurnOver &&
      !isStepActive(this.#scheduler.current);
  }

  /** The CPU is before an instruction that is watched; `isExact` tells whether the step boundary is still to come. */
  #stopBefore(watches: Watches, isExact: boolean): Stop {
    const { instant } = this.board.clock;
    watches.isStopped = false;
    watches.standing = this.#standing = instant;
    this.#begun = isExact ? -1 : instant;
    return { reason: "watched", hits: watches.take() ?? [], isBegun: !isExact };
  }

  /**
   * Sets what `run` stops for, in place of what was set before; none costs nothing. An execute watch stops before the
   * step, unless an interrupt is taken in its place, and lets it pass when the run goes on from there; one set at the
   * present instant counts at once, or with `isStanding` from the next step on. All others stop after the step, as a
   * device's access between steps does after the step that follows. What faults is no access; a store-exclusive that
   * fails, walks of translation tables and prefetches are none. Watch points are no part of the state: instants, events
   * and roots are the same with them. Call it between runs. Throws RangeError for a point that cannot be.
   */
  watch(points: readonly WatchPoint[], isStanding = false): void {
    const { cpus, memory, clock } = this.board, before = this.#watches;
    const watches = new Watches(points, cpus);
    watches.install(before, memory.codeObserver);
    if (isStanding || this.#standing === clock.instant) watches.standing = clock.instant;
    this.#watches = points.length === 0 ? undefined : watches;
    memory.accessedByDevice = points.length === 0
      ? undefined
      : (address, size, write) => watches.accessedByDevice(clock.instant, write, address, size);
  }

  /** Resets if asked, serves alarms, ends turns; the CPU for the next step, if any can run. */
  #boundary(): Cpu | undefined {
    if (this.#resetRequested) this.#reset();
    this.board.clock.serveAlarms();
    return this.#scheduler.next(this.#turns);
  }

  /** An interrupt taken, or a burst of instructions up to whatever is planned next. */
  #advance(cpu: Cpu, limit: number): void {
    const { clock } = this.board;
    const steps = stepsToOverflow(cpu);
    cpu.attention = false;
    clock.changed = false;
    const interrupt = this.#begun < 0 ? pendingInterrupt(cpu) : undefined;
    if (interrupt !== undefined) {
      takeException(cpu, interrupt);
      clock.instant++;
      return;
    }
    const turnEnds = this.#scheduler.hasOneCpu && areCountersOff(cpu)
      ? NO_DEADLINE
      : this.#scheduler.turnEnds;
    if (this.#watches?.hasHits === true) limit = clock.instant + 1;
    const end = Math.min(limit, turnEnds, clock.earliestAlarmInstant, clock.instant + steps);
    this.engine.run(cpu, Math.max(1, end - clock.instant));
  }

  /** Passes idle time up to the earliest deadline at most, where the jump ends. */
  #skipTo(time: number): void {
    const { clock } = this.board;
    const isDue = time >= clock.earliestDeadline;
    clock.skipTo(time);
    if (isDue) this.#endJump();
  }

  /** A jump is one event, however it was cut into waits. */
  #endJump(): void {
    const { clock, events } = this.board;
    const from = clock.endJump();
    if (from !== undefined) {
      events.emit("timeSkipped", this.#scheduler.current.index, { from, to: clock.now });
    }
  }

  /**
   * While no CPU can run, moves virtual time on to `time` (nanoseconds), through every deadline on the way; returns
   * false when a CPU became able to run before that, with the time where it did. No turn begins: inputs come first.
   */
  wait(time: number): boolean {
    return this.#watched(() => this.#wait(time));
  }

  #wait(time: number): boolean {
    const { clock } = this.board;
    for (;;) {
      if (this.#power !== "on" || this.#resetRequested) return clock.now >= time;
      clock.serveAlarms();
      if (clock.now >= time || this.#scheduler.canAnyRun) return clock.now >= time;
      this.#skipTo(Math.min(time, clock.earliestDeadline));
    }
  }

  /** Throws InputRefusedError when the machine cannot take an input now; changes nothing. */
  checkInput(input: Input): void {
    this.#checkBoundary();
    if (this.#power !== "on") throw new InputRefusedError("The machine is powered off");
    prepareInput(this.#inputTarget(), input);
  }

  /**
   * Delivers an input at the present step boundary. `virtualTime` (nanoseconds), when later than now, is the time of
   * an input that arrived while no CPU could run. Returns the event as it happened; throws InputRefusedError when the
   * machine cannot take it.
   */
  submit(input: Input, virtualTime?: number): InputEvent {
    const { clock, events } = this.board;
    this.#checkBoundary();
    if (this.#power !== "on") throw new InputRefusedError("The machine is powered off");
    if (virtualTime !== undefined && virtualTime !== clock.now) {
      if (virtualTime < clock.now || !this.wait(virtualTime) || clock.now !== virtualTime) {
        throw new InputRefusedError(
          `An input stamped ${virtualTime} ns cannot arrive at instant ${clock.instant}: it is ${clock.now} ns there`,
        );
      }
    }
    this.#watched(() => clock.serveAlarms());
    const apply = prepareInput(this.#inputTarget(), input);
    // Not before it is sure that the input is taken: one that is refused leaves no trace.
    this.#endJump();
    const { kind, ...given } = input;
    const fields = { ...given, virtualTime: clock.now };
    const cpu = this.#scheduler.current.index;
    const event = { kind, instant: clock.instant, cpu, index: events.nextIndex, ...fields } as InputEvent;
    events.emit(kind, cpu, fields as never);
    this.#watched(apply);
    return event;
  }

  #checkBoundary(): void {
    const { instant } = this.board.clock;
    if (this.#begun !== instant) return;
    throw new InputRefusedError(`The machine stands within the boundary of instant ${instant}: run on first`);
  }

  #inputTarget(): InputTarget {
    const { board } = this;
    return {
      cpus: board.cpus,
      memory: board.memory,
      receive: (bytes) => board.receive(bytes),
      bridges: board.bridges,
      hasInterrupt: (interrupt) => board.hasInterrupt(interrupt),
      injectInterrupt: (interrupt) => board.injectInterrupt(interrupt),
      canRun: (cpu) => this.#scheduler.canRun(cpu),
      forceSwitch: (cpu) => this.#scheduler.force(cpu),
      hasPowerKey: board.hasPowerKey,
      pressPowerKey: () => board.pressPowerKey(),
      currentCpu: this.#scheduler.current,
      monitors: board.monitors,
      cutPower: () => {
        for (const disk of board.disks.values()) disk.losePower();
        this.#powerOff("cut", 0);
      },
    };
  }

  /** Sections in the order in which they enter the state root. */
  sections(): Section[] {
    const power = { state: this.#power, exitCode: this.#exitCode, resetRequested: this.#resetRequested };
    const { board } = this;
    return [
      ...board.save(),
      board.events.save(),
      this.#scheduler.save(),
      powerLayout.encode("power", power),
    ];
  }

  /** The state root now; call it between steps only. */
  stateRoot(): StateRoot {
    return this.#roots.compute(this.sections(), this.board.disks);
  }

  /** Pages of memory hashed since power-on, for roots and snapshots. */
  get pagesHashed(): number {
    return this.#roots.pagesHashed;
  }

  /** The whole state: it costs the pages that changed since the last snapshot or restore. */
  snapshot(): Snapshot {
    if (this.#begun === this.instant) {
      throw new RangeError(
        `Cannot save the state within the boundary of instant ${this.instant}: run on first`,
      );
    }
    const contents = [...this.board.disks].map(([name, disk]) => [name, disk.save()] as const);
    return { sections: this.sections(), pages: this.#pages.snapshot(), disks: new Map(contents) };
  }

  /** From now on tells `follower`, in place of the one before, of all controls in force and those that come. */
  follow(follower: RunFollower | undefined): void {
    this.#follower = follower;
    for (const { tlb } of this.board.cpus) {
      tlb.forgetControls();
      tlb.enforced = follower && ((controls) => follower.controlsEnforced(controls));
    }
  }

  /** Numbers of the pages of memory that anything wrote to since the last call, or the last restore. */
  takeWrittenPages(): number[] {
    return this.#pages.takeWritten();
  }

  /**
   * Returns to a snapshot of a machine with the same configuration; throws RangeError when it does not fit. It costs the
   * pages that are not as in the snapshot; engines keep what they made of the others.
   */
  restore({ sections, pages, disks }: Snapshot): void {
    const byName = new Map(sections.map((section) => [section.name, section]));
    const take = (name: string): Section => {
      const section = byName.get(name);
      if (section === undefined) throw new RangeError(`Cannot restore: section "${name}" is missing`);
      return section;
    };
    for (const [name, disk] of this.board.disks) {
      const contents = disks.get(name);
      if (contents === undefined) throw new RangeError(`Cannot restore: disk "${name}" is missing`);
      disk.restore(contents);
    }
    this.#pages.restore(pages);
    this.board.restore(take);
    this.board.events.restore(take("events"));
    this.#scheduler.restore(take("schedule"));
    const power = powerLayout.decode(take("power"));
    this.#power = power.state;
    this.#exitCode = power.exitCode;
    this.#resetRequested = power.resetRequested;
    this.#stopRequested = false;
    this.#begun = this.#standing = -1;
    this.#watches?.forget();
  }
}
