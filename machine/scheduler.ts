/** Turns: which CPU runs, for how many steps; a function of the machine's state alone. */
import type { Cpu } from "./cpu/cpu.ts";
import { hasWakeup } from "./cpu/interrupts.ts";
import type { EventFields, EventHub } from "./events.ts";
import type { Clock } from "./clock.ts";
import { flag, u32, u53, u8 } from "./layout.ts";
import { type Section, sectionLayout } from "./snapshot.ts";

/** Why a turn ended. */
type TurnEnd = EventFields<"cpuSwitched">["reason"];

/** The shortest quantum allowed, in steps. */
export const MINIMUM_QUANTUM = 64;

const NONE = 255;

const layout = sectionLayout("schedule", 1, {
  current: u8,
  turnEnds: u53,
  forced: u8,
  random: u32,
  started: flag,
});

/** Where drawing begins. */
function seeded(scheduleSeed: number | undefined): number {
  return ((scheduleSeed ?? 0) ^ 0x9e3779b9) >>> 0;
}

/**
 * The schedule's section at power-on under another seed: all that is different there in the state of two machines whose
 * configurations have different schedule seeds.
 */
export function reseeded(section: Section, scheduleSeed: number): Section {
  return layout.encode(section.name, { ...layout.decode(section), random: seeded(scheduleSeed) });
}

/** What the schedule is a function of. */
export interface ScheduleConfiguration {
  /** Steps of a turn; at least MINIMUM_QUANTUM. */
  readonly quantum: number;
  /** When given, quanta and order are drawn from it. */
  readonly scheduleSeed: number | undefined;
}

/** What happens to CPUs when turns change. */
export interface TurnObserver {
  /** The turn of a CPU is over. */
  readonly ended: (cpu: Cpu) => void;
  /** The turn of a CPU begins. */
  readonly began: (cpu: Cpu) => void;
}

/** Runs one CPU at a time, in turns. */
export class Scheduler {
  #current = 0;
  #turnEnds = 0;
  #forced = NONE;
  #random: number;
  #started = false;

  /** CPUs in the order of their numbers. */
  constructor(
    private readonly cpus: readonly Cpu[],
    private readonly clock: Clock,
    private readonly events: EventHub,
    private readonly configuration: ScheduleConfiguration,
  ) {
    this.#random = seeded(configuration.scheduleSeed);
  }

  /** The CPU whose turn it is. */
  get current(): Cpu {
    return this.cpus[this.#current] as Cpu;
  }

  /** Instant at which the present turn's quantum is spent. */
  get turnEnds(): number {
    return this.#turnEnds;
  }

  /** The only CPU's turns end without a trace: whoever runs it may pass over them, and they are made up for later. */
  get hasOneCpu(): boolean {
    return this.cpus.length === 1 && this.configuration.scheduleSeed === undefined;
  }

  /** Ends turns that were passed over before now; one that ends at the present boundary is left to `next`. */
  #catchUp(): void {
    const { clock: { instant }, configuration: { quantum } } = this;
    if (!this.hasOneCpu || !this.#started || this.#turnEnds >= instant) return;
    this.#turnEnds += Math.ceil((instant - this.#turnEnds) / quantum) * quantum;
  }

  /** Makes a CPU that can run take the next turn at the present boundary. */
  force(target: number): void {
    this.#forced = target;
  }

  /** True when a CPU can take a step now: on, and not waiting or woken. */
  canRun(cpu: Cpu): boolean {
    return cpu.on && (cpu.waiting === "none" || hasWakeup(cpu));
  }

  /** True when any CPU can take a step now. */
  get canAnyRun(): boolean {
    return this.cpus.some((cpu) => this.canRun(cpu));
  }

  /** Another turn begins at the present boundary, or no CPU can run. */
  get isTurnOver(): boolean {
    this.#catchUp();
    return this.#turnEnd() !== undefined;
  }

  #turnEnd(): TurnEnd | undefined {
    const cpu = this.current;
    if (!cpu.on) return "stop";
    if (cpu.waiting !== "none") return "wait";
    if (this.#forced !== NONE) return "forced";
    if (cpu.yielded) return "yield";
    return !this.#started || this.clock.instant >= this.#turnEnds ? "quantum" : undefined;
  }

  /** The CPU for the next step, starting a new turn when one ended; undefined when no CPU can run. */
  next({ ended, began }: TurnObserver): Cpu | undefined {
    this.#catchUp();
    const reason = this.#turnEnd();
    if (reason === undefined) return this.current;
    const next = this.#choose();
    if (next === undefined) return undefined;
    ended(this.current);
    this.current.yielded = false;
    if (next !== this.#current) {
      this.events.emit("cpuSwitched", next, { from: this.#current, to: next, reason });
    }
    this.#forced = NONE;
    this.#current = next;
    this.#started = true;
    this.#turnEnds = this.clock.instant + this.#quantum();
    this.#wake(this.current);
    began(this.current);
    return this.current;
  }

  #choose(): number | undefined {
    const able = this.cpus.filter((cpu) => this.canRun(cpu)).map(({ index }) => index);
    if (able.length === 0) return undefined;
    if (able.includes(this.#forced)) return this.#forced;
    if (this.configuration.scheduleSeed !== undefined) return able[this.#draw() % able.length];
    return able.find((index) => index > this.#current) ?? able[0];
  }

  #wake(cpu: Cpu): void {
    if (cpu.waiting === "none") return;
    const reason = cpu.waiting === "event" && cpu.eventRegister ? cpu.takeEvent() : "interrupt";
    cpu.waiting = "none";
    cpu.timer.armEventStream(false);
    this.events.emit("cpuWoken", cpu.index, { reason });
  }

  #quantum(): number {
    const { quantum, scheduleSeed } = this.configuration;
    if (scheduleSeed === undefined) return quantum;
    return MINIMUM_QUANTUM + this.#draw() % Math.max(1, quantum * 2 - 2 * MINIMUM_QUANTUM + 1);
  }

  /** xorshift32; the state is in the section. */
  #draw(): number {
    let x = this.#random || 1;
    x = (x ^ (x << 13)) >>> 0;
    x = (x ^ (x >>> 17)) >>> 0;
    x = (x ^ (x << 5)) >>> 0;
    return this.#random = x;
  }

  /** Back to the first turn; the random state goes on. */
  reset(): void {
    this.#current = 0;
    this.#turnEnds = 0;
    this.#forced = NONE;
    this.#started = false;
  }

  /** The schedule's section. */
  save(): Section {
    this.#catchUp();
    return layout.encode("schedule", {
      current: this.#current,
      turnEnds: this.#turnEnds,
      forced: this.#forced,
      random: this.#random,
      started: this.#started,
    });
  }

  /** Restores what `save` gave; throws RangeError when it names a CPU that there is not. */
  restore(section: Section): void {
    const state = layout.decode(section);
    const isThere = (index: number): boolean => index < this.cpus.length;
    if (!isThere(state.current) || !(isThere(state.forced) || state.forced === NONE)) {
      throw new RangeError(`Cannot restore section "schedule": it names a CPU that there is not`);
    }
    this.#current = state.current;
    this.#turnEnds = state.turnEnds;
    this.#forced = state.forced;
    this.#random = state.random;
    this.#started = state.started;
  }
}
