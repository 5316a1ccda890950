/**
 * time-scale (19): guest time that runs at a scale of its own (US20230195484A1; grant US12248799).
 *
 * CNTHCTL_EL2.EL1PCTEN = 0 and EL1PCEN = 0 trap the guest's CNTPCT_EL0 and CNTP_{CTL,CVAL,TVAL}_EL0; where FEAT_ECV is
 * there, EL1TVCT = 1 and EL1TVT = 1 trap CNTVCT_EL0 and CNTV_*_EL0 too, so that both counters agree (Arm ARM D13.8.2).
 * A read gives g(t) = base + ((t − t0) · mult ≫ shift) of the machine's count t; what is written stays in guest time.
 * Both timers share the hypervisor's physical timer: CNTHP_CVAL_EL2 has the first count at which g reaches the nearer
 * compare value, and its interrupt makes INTID 30 or 27 pending at the virtual interrupt controller. CNTFRQ_EL0 stays.
 * Without FEAT_ECV the virtual counter is not scaled: a guest must then use the physical one alone, as U-Boot does.
 */
import { hasFeature } from "../../../machine/a64/feature.ts";
import { PPI, PPI_BASE } from "../../../machine/board.ts";
import type { Cpu } from "../../../machine/cpu/cpu.ts";
import { ConfigurationError, InputRefusedError } from "../../../machine/errors.ts";
import { CPUS_MAX } from "../../../machine/devices/gic_interrupts.ts";
import { octets } from "../../../machine/devices/fixed_arrays.ts";
import { listOf, record, u64 } from "../../../machine/layout.ts";
import { type Section, sectionLayout } from "../../../machine/snapshot.ts";
import { El2Monitor } from "../../el2_monitor.ts";
import { HYPERVISOR_TIMER } from "../../hypervisor_timer.ts";
import { type MonitorSystem, type SystemRow, systemRow, type TrappedRegister } from "../../system.ts";
import type { Vcpu } from "../../vcpu.ts";
import { commandOf } from "./commands.ts";
import { type TimeScaleOptions, timeScaleOptions } from "./options.ts";
import { EmulatedTimer, TIMER_FIELDS, type TimerName, TIMERS } from "./timers.ts";
import { TIME_FIELDS, VirtualTime } from "./virtual_time.ts";

const SLUG = "time-scale";

/** CNTHCTL_EL2 in its layout for HCR_EL2.E2H = 0. */
const EL1PCTEN = 1n << 0n, EL1PCEN = 1n << 1n, EL1TVT = 1n << 13n, EL1TVCT = 1n << 14n;

/** Interrupts of the guest's timers. */
const INTERRUPTS: Readonly<Record<TimerName, number>> = {
  physical: PPI_BASE + PPI.physicalTimer,
  virtual: PPI_BASE + PPI.virtualTimer,
};
const PREFIXES: Readonly<Record<TimerName, string>> = { physical: "CNTP", virtual: "CNTV" };

const layout = sectionLayout("time scale", 1, {
  time: record(TIME_FIELDS),
  skew: listOf(u64, CPUS_MAX),
  timers: listOf(record(TIMER_FIELDS), CPUS_MAX),
  stale: octets(CPUS_MAX),
});

type Timers = Readonly<Record<TimerName, EmulatedTimer>>;

/** The system in one monitor. */
export class TimeScale implements MonitorSystem {
  readonly slug = SLUG;
  readonly registers: readonly TrappedRegister[];
  /** The guest's counter, but for the skew of CPUs. */
  readonly time = new VirtualTime();
  readonly #monitor: El2Monitor;
  readonly #options: TimeScaleOptions;
  #skew: bigint[] = [];
  readonly #timers: readonly Timers[];
  /** CPUs whose hypervisor timer was not set up since time changed. */
  readonly #stale = new Uint8Array(CPUS_MAX);

  /** `reset` must be called before it is used. */
  constructor(options: TimeScaleOptions, monitor: El2Monitor) {
    this.#monitor = monitor;
    this.#options = options;
    const { cpus } = monitor.site.board.configuration;
    this.#timers = Array.from({ length: cpus }, () => ({
      physical: new EmulatedTimer(),
      virtual: new EmulatedTimer(),
    }));
    this.registers = [
      ...["CNTPCT_EL0", "CNTPCTSS_EL0", "CNTVCT_EL0", "CNTVCTSS_EL0"].map((name) => ({
        name,
        read: (vcpu: Vcpu) => this.count(vcpu),
      })),
      ...TIMERS.flatMap((name) => this.#timerRegisters(name)),
    ];
    monitor.timer.use(SLUG);
    for (const name of TIMERS) if (name === "physical" || this.#hasEcv) monitor.gic.claim(INTERRUPTS[name]);
  }

  #timerRegisters(name: TimerName): TrappedRegister[] {
    const timer = (vcpu: Vcpu) => (this.#timers[vcpu.index] as Timers)[name];
    const prefix = PREFIXES[name];
    const row = (
      suffix: string,
      read: (vcpu: Vcpu) => bigint,
      write: (vcpu: Vcpu, value: bigint) => void,
    ): TrappedRegister => ({
      name: `${prefix}_${suffix}_EL0`,
      read,
      write: (vcpu, value) => {
        write(vcpu, value);
        this.#update(vcpu);
      },
    });
    return [
      row(
        "CTL",
        (vcpu) => timer(vcpu).control(this.count(vcpu)),
        (vcpu, value) => timer(vcpu).writeControl(value),
      ),
      row("CVAL", (vcpu) => timer(vcpu).compareValue, (vcpu, value) => (timer(vcpu).compareValue = value)),
      row(
        "TVAL",
        (vcpu) => timer(vcpu).timerValue(this.count(vcpu)),
        (vcpu, value) => timer(vcpu).writeTimerValue(this.count(vcpu), value),
      ),
    ];
  }

  /** The virtual timer and counter can be trapped; otherwise they stay the machine's. */
  get #hasEcv(): boolean {
    return hasFeature(this.#monitor.site.board.configuration.cpuModel, "ECV");
  }

  /** The machine's count now. */
  #now(vcpu: Vcpu): bigint {
    return vcpu.get("CNTPCT_EL0");
  }

  #skewOf({ index }: Vcpu): bigint {
    return this.#skew[index] ?? 0n;
  }

  /** The guest's count as a CPU sees it now. */
  count(vcpu: Vcpu): bigint {
    return this.time.at(this.#now(vcpu)) + this.#skewOf(vcpu);
  }

  reset(): void {
    const { epoch, scale, skew } = this.#options;
    this.time.reset(epoch, scale);
    this.#skew = [...skew];
    this.#stale.fill(0);
    for (const timers of this.#timers) for (const name of TIMERS) timers[name].reset();
  }

  started(vcpu: Vcpu): void {
    const traps = this.#hasEcv ? EL1TVT | EL1TVCT : 0n;
    vcpu.change("CNTHCTL_EL2", traps, EL1PCTEN | EL1PCEN);
    const timers = this.#timers[vcpu.index] as Timers;
    for (const name of TIMERS) timers[name].reset();
    this.#update(vcpu);
  }

  interrupt(vcpu: Vcpu, interrupt: number): boolean {
    if (interrupt !== HYPERVISOR_TIMER) return false;
    this.#update(vcpu);
    return true;
  }

  returning(vcpu: Vcpu): void {
    if (this.#stale[vcpu.index] === 1) this.#update(vcpu);
  }

  /** Drives the guest's interrupts as its timers say now, and has EL2 interrupted when they will say otherwise. */
  #update(vcpu: Vcpu): void {
    const count = this.count(vcpu), timers = this.#timers[vcpu.index] as Timers;
    this.#stale[vcpu.index] = 0;
    let awaited: bigint | undefined;
    for (const name of TIMERS) {
      const timer = timers[name], level = timer.isDue(count), next = timer.awaited(count);
      if (level !== timer.level) {
        timer.level = level;
        this.#monitor.gic.drive(vcpu.cpu, INTERRUPTS[name], level);
      }
      if (next !== undefined && (awaited === undefined || next < awaited)) awaited = next;
    }
    const deadline = awaited === undefined
      ? undefined
      : this.time.firstReaching(awaited - this.#skewOf(vcpu));
    this.#monitor.timer.set(vcpu, SLUG, deadline);
  }

  /** After a change of time every CPU looks at its timers again: each at its own EL2, for which it is kicked. */
  #changed(by: Vcpu): void {
    const { gic, site } = this.#monitor;
    for (const cpu of site.cpus) {
      if (!cpu.on) continue;
      this.#stale[cpu.index] = 1;
      gic.physical.kick(by.cpu, cpu.index);
    }
  }

  prepareTimeScale(numerator: number, denominator: number): () => void {
    const vcpu = this.#monitor.vcpu(this.#monitor.site.cpus[0] as Cpu);
    const scale = { numerator, denominator };
    this.refuse(vcpu, scale);
    return () => {
      this.time.setScale(this.#now(vcpu), scale);
      this.#changed(vcpu);
    };
  }

  /** Throws InputRefusedError when a scale cannot be taken now. */
  refuse(vcpu: Vcpu, scale: TimeScaleOptions["scale"]): void {
    const ahead = this.#skew.reduce((most, skew) => skew > most ? skew : most, 0n);
    const problem = this.time.problem(this.#now(vcpu), scale, ahead);
    if (problem !== undefined) throw new InputRefusedError(`Cannot change the time scale: ${problem}`);
  }

  prepareCommand(vcpu: Vcpu, words: readonly string[]): () => void {
    const change = commandOf(words, {
      refuse: (scale) => this.refuse(vcpu, scale),
      skew: (cpu) => cpu < this.#timers.length ? this.#skew[cpu] ?? 0n : undefined,
    });
    return () => {
      change({
        time: this.time,
        count: this.#now(vcpu),
        setSkew: (cpu, counts) => {
          for (let index = this.#skew.length; index < cpu; index++) this.#skew[index] = 0n;
          this.#skew[cpu] = counts;
        },
      });
      this.#changed(vcpu);
    };
  }

  save(): Section {
    return layout.encode(this.#monitor.sectionName(SLUG), {
      time: this.time.state,
      skew: this.#skew,
      timers: this.#timers.map(({ physical, virtual }) => ({
        physical: physical.state,
        virtual: virtual.state,
      })),
      stale: this.#stale,
    });
  }

  restore(section: Section): void {
    const { time, skew, timers, stale } = layout.decode(section);
    if (timers.length !== this.#timers.length) {
      throw new RangeError(`Cannot restore section "${section.name}": it has ${timers.length} CPUs`);
    }
    this.time.state = time;
    this.#skew = [...skew];
    this.#stale.set(stale);
    for (const [index, own] of this.#timers.entries()) {
      for (const name of TIMERS) own[name].state = (timers[index] as (typeof timers)[number])[name];
    }
  }
}

/** The row of the system. */
export const TIME_SCALE: SystemRow = systemRow<TimeScaleOptions>({
  slug: SLUG,
  levels: [2],
  options: timeScaleOptions,
  build(options, monitor) {
    if (!(monitor instanceof El2Monitor)) throw new ConfigurationError("time-scale is for a monitor at EL2");
    const { cpus } = monitor.site.board.configuration;
    if (options.skew.length > cpus) {
      throw new ConfigurationError(
        `time-scale: skew names ${options.skew.length} CPUs, the machine has ${cpus}`,
      );
    }
    return new TimeScale(options, monitor);
  },
});
