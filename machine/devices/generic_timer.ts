/** The generic timers of one CPU (Arm ARM D11.2), on the system counter that virtual time drives. */
import { type Alarm, type Clock, NANOSECONDS_PER_COUNT, NO_DEADLINE } from "../clock.ts";
import { flag, listOf, u64, u8 } from "../layout.ts";
import { type Section, sectionLayout } from "../snapshot.ts";
import type { InterruptLine } from "./device.ts";

/** Frequency of the system counter in Hz, the value of CNTFRQ_EL0. */
export const COUNTER_FREQUENCY = 62_500_000;

/** The timers of a CPU: EL1 physical, EL1 virtual, EL2 physical, Secure (EL3) physical, EL2 virtual. */
export type TimerName = "physical" | "virtual" | "hypervisor" | "securePhysical" | "hypervisorVirtual";

/** The timers in the order of their sections and alarms. */
export const TIMER_NAMES: readonly TimerName[] = [
  "physical",
  "virtual",
  "hypervisor",
  "securePhysical",
  "hypervisorVirtual",
];

/** The counter whose transitions make an event stream: CNTKCTL_EL1 the virtual one, CNTHCTL_EL2 the physical one. */
export type EventStreamName = "virtual" | "physical";

const STREAM_NAMES: readonly EventStreamName[] = ["virtual", "physical"];
const ENABLE = 1;
const IMASK = 2;
const ISTATUS = 4;
const MASK64 = (1n << 64n) - 1n;

const WIDE = new BigUint64Array(1);
const HALVES = new Uint32Array(WIDE.buffer);

const wrap = (value: bigint): bigint => value & MASK64;

interface Timer {
  readonly name: TimerName;
  readonly line: InterruptLine | undefined;
  readonly alarm: Alarm;
  control: number;
  compareValue: bigint;
  level: boolean;
}

interface EventStream {
  readonly name: EventStreamName;
  readonly alarm: Alarm;
  enabled: boolean;
  bit: number;
  fallingEdge: boolean;
}

/** What the timers of one CPU are connected to. */
export interface GenericTimerOptions {
  /** Name of the section, such as `timer0`. */
  readonly name: string;
  /** Virtual time. */
  readonly clock: Clock;
  /** Interrupt outputs; a timer without one raises none. */
  readonly lines: Readonly<Partial<Record<TimerName, InterruptLine>>>;
  /** Called at each event of an armed event stream. */
  readonly onEvent?: () => void;
}

const layout = sectionLayout("generic timer", 2, {
  controls: listOf(u8, TIMER_NAMES.length),
  compareValues: listOf(u64, TIMER_NAMES.length),
  levels: listOf(flag, TIMER_NAMES.length),
  virtualOffset: u64,
  physicalOffset: u64,
  streamsEnabled: listOf(flag, STREAM_NAMES.length),
  streamBits: listOf(u8, STREAM_NAMES.length),
  streamFallingEdges: listOf(flag, STREAM_NAMES.length),
  streamArmed: flag,
});

/** Counter views, timers and event streams of one CPU; the system registers in front of them belong to the CPU. */
export class GenericTimer {
  readonly #name: string;
  readonly #clock: Clock;
  readonly #timers: Readonly<Record<TimerName, Timer>>;
  readonly #streams: Readonly<Record<EventStreamName, EventStream>>;
  #virtualOffset = 0n;
  #physicalOffset = 0n;
  #streamArmed = false;

  /** Registers one alarm per timer and per event stream. */
  constructor({ name, clock, lines, onEvent = () => {} }: GenericTimerOptions) {
    this.#name = name;
    this.#clock = clock;
    const timer = (timerName: TimerName): Timer => ({
      name: timerName,
      line: lines[timerName],
      alarm: clock.alarm(`${name} ${timerName}`, () => this.#update(timerName)),
      control: 0,
      compareValue: 0n,
      level: false,
    });
    const stream = (streamName: EventStreamName): EventStream => ({
      name: streamName,
      alarm: clock.alarm(`${name} ${streamName} event stream`, () => {
        this.#planEvent(this.#streams[streamName]);
        onEvent();
      }),
      enabled: false,
      bit: 0,
      fallingEdge: false,
    });
    this.#timers = byName(TIMER_NAMES, timer);
    this.#streams = byName(STREAM_NAMES, stream);
  }

  /** The physical count, CNTPCT_EL0: whole counts of 16 ns of virtual time. */
  count(): bigint {
    // What BigInt() would give, without the cost of a call.
    const count = Math.floor(this.#clock.now / NANOSECONDS_PER_COUNT);
    HALVES[0] = count;
    HALVES[1] = count / 2 ** 32;
    return WIDE[0] as bigint;
  }

  /** The virtual count, CNTVCT_EL0: the physical count less CNTVOFF_EL2, modulo 2^64. */
  virtualCount(): bigint {
    return wrap(this.count() - this.#virtualOffset);
  }

  /** CNTVOFF_EL2. */
  get virtualOffset(): bigint {
    return this.#virtualOffset;
  }

  /** Sets CNTVOFF_EL2, 64 bits; the virtual timer follows at once. */
  setVirtualOffset(offset: bigint): void {
    this.#virtualOffset = wrap(offset);
    this.#update("virtual");
    this.#planEvent(this.#streams.virtual);
  }

  /** Sets what is taken from the physical count for the EL1 physical timer, 64 bits; the timer follows at once. */
  setPhysicalOffset(offset: bigint): void {
    if (this.#physicalOffset === offset) return;
    this.#physicalOffset = wrap(offset);
    this.#update("physical");
  }

  #view(name: TimerName): bigint {
    const offset = name === "virtual" ? this.#virtualOffset : name === "physical" ? this.#physicalOffset : 0n;
    return wrap(this.count() - offset);
  }

  /** Reads a control register: ENABLE, IMASK, and ISTATUS, which is 0 while the timer is disabled. */
  readControl(name: TimerName): number {
    const { control } = this.#timers[name];
    return control | (control & ENABLE && this.#isMet(name) ? ISTATUS : 0);
  }

  /** Writes a control register; only ENABLE and IMASK are taken. */
  writeControl(name: TimerName, value: number): void {
    this.#timers[name].control = value & (ENABLE | IMASK);
    this.#update(name);
  }

  /** Reads a compare value, 64 bits. */
  readCompareValue(name: TimerName): bigint {
    return this.#timers[name].compareValue;
  }

  /** Writes a compare value, 64 bits. */
  writeCompareValue(name: TimerName, value: bigint): void {
    this.#timers[name].compareValue = wrap(value);
    this.#update(name);
  }

  /** Reads a timer value: the low 32 bits of compare value less count, also while the timer is disabled. */
  readTimerValue(name: TimerName): number {
    return Number(BigInt.asUintN(32, this.#timers[name].compareValue - this.#view(name)));
  }

  /** Writes a timer value: the compare value becomes the count plus 32 bits, signed. */
  writeTimerValue(name: TimerName, value: number): void {
    this.writeCompareValue(name, this.#view(name) + BigInt(value | 0));
  }

  /** The timer condition of Arm ARM D11.2.4: all three values are unsigned 64-bit, so it may never be met. */
  #isMet(name: TimerName): boolean {
    return this.#view(name) >= this.#timers[name].compareValue;
  }

  /** Drives a timer's line, and asks to be called at the count where it will change by itself. */
  #update(name: TimerName): void {
    const timer = this.#timers[name];
    const isMet = this.#isMet(name);
    timer.level = (timer.control & (ENABLE | IMASK)) === ENABLE && isMet;
    timer.line?.set(timer.level);
    if ((timer.control & (ENABLE | IMASK)) !== ENABLE || timer.line === undefined) return timer.alarm.clear();
    // Once met, the condition ends only where the view of the counter wraps to zero: in 2^64 counts when it just did.
    const wait = (isMet ? 0n : timer.compareValue) - this.#view(name) & MASK64;
    timer.alarm.set(this.#timeOf(this.count() + (wait === 0n ? MASK64 + 1n : wait)));
  }

  /** The first nanosecond of a physical count, or NO_DEADLINE. */
  #timeOf(count: bigint): number {
    const time = count * BigInt(NANOSECONDS_PER_COUNT);
    return time < BigInt(Number.MAX_SAFE_INTEGER) ? Number(time) : NO_DEADLINE;
  }

  /**
   * Configures an event stream as EVNTEN, EVNTI and EVNTDIR do: an event at each transition of a bit (0–23) of the
   * counter, from 0 to 1 or, with `fallingEdge`, from 1 to 0.
   */
  setEventStream(name: EventStreamName, enabled: boolean, bit: number, fallingEdge: boolean): void {
    const stream = this.#streams[name];
    Object.assign(stream, { enabled, bit, fallingEdge });
    this.#planEvent(stream);
  }

  /** Whether events of the streams are wanted: while the CPU waits in WFE, so that streams cost nothing otherwise. */
  armEventStream(armed: boolean): void {
    if (this.#streamArmed === armed) return;
    this.#streamArmed = armed;
    for (const name of STREAM_NAMES) this.#planEvent(this.#streams[name]);
  }

  #planEvent(stream: EventStream): void {
    if (!(this.#streamArmed && stream.enabled)) {
      if (stream.alarm.deadline !== NO_DEADLINE) stream.alarm.clear();
      return;
    }
    const view = stream.name === "virtual" ? this.virtualCount() : this.count();
    const half = 1n << BigInt(stream.bit);
    const phase = view - (stream.fallingEdge ? 0n : half);
    const wait = 2n * half - BigInt.asUintN(stream.bit + 1, phase);
    stream.alarm.set(this.#timeOf(this.count() + wait));
  }

  /** Everything disabled and zero. */
  reset(): void {
    this.#virtualOffset = 0n;
    this.#physicalOffset = 0n;
    for (const name of TIMER_NAMES) {
      Object.assign(this.#timers[name], { control: 0, compareValue: 0n });
      this.#update(name);
    }
    for (const name of STREAM_NAMES) this.setEventStream(name, false, 0, false);
    this.armEventStream(false);
  }

  /** Timers, offset and event streams. */
  save(): Section {
    const timers = TIMER_NAMES.map((name) => this.#timers[name]);
    const streams = STREAM_NAMES.map((name) => this.#streams[name]);
    return layout.encode(this.#name, {
      controls: timers.map(({ control }) => control),
      compareValues: timers.map(({ compareValue }) => compareValue),
      levels: timers.map(({ level }) => level),
      virtualOffset: this.#virtualOffset,
      physicalOffset: this.#physicalOffset,
      streamsEnabled: streams.map(({ enabled }) => enabled),
      streamBits: streams.map(({ bit }) => bit),
      streamFallingEdges: streams.map(({ fallingEdge }) => fallingEdge),
      streamArmed: this.#streamArmed,
    });
  }

  /** Restores what `save` gave and drives the lines; the clock's own section has the alarms. */
  restore(section: Section): void {
    const state = layout.decode(section);
    this.#virtualOffset = state.virtualOffset;
    this.#physicalOffset = state.physicalOffset;
    this.#streamArmed = state.streamArmed;
    for (const [index, name] of TIMER_NAMES.entries()) {
      const control = state.controls[index] as number;
      const compareValue = state.compareValues[index] as bigint;
      const level = state.levels[index] as boolean;
      Object.assign(this.#timers[name], { control, compareValue, level }).line?.set(level);
    }
    for (const [index, name] of STREAM_NAMES.entries()) {
      const enabled = state.streamsEnabled[index] as boolean;
      const bit = state.streamBits[index] as number;
      const fallingEdge = state.streamFallingEdges[index] as boolean;
      Object.assign(this.#streams[name], { enabled, bit, fallingEdge });
    }
  }
}

function byName<N extends string, T>(names: readonly N[], make: (name: N) => T): Record<N, T> {
  return Object.fromEntries(names.map((name) => [name, make(name)])) as Record<N, T>;
}
