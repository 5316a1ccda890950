/** The time of the virtual machine that is on the CPU, as it lies in the machine's, and CNTHP, which ends it (Arm ARM D12). */
import { NANOSECONDS_PER_COUNT } from "../../../machine/clock.ts";
import type { MonitorSite } from "../../../machine/monitor.ts";
import type { Vcpu } from "../../vcpu.ts";

/** Later than any time. */
export const NEVER: number = Number.POSITIVE_INFINITY;

/** What a snapshot has of it. */
export interface OwnTimeState {
  /** The machine's time less its own, in nanoseconds. */
  readonly offset: number;
  /** The machine's instants less its own steps. */
  readonly base: number;
  /** Its own time up to which its use is accounted for. */
  readonly startedAt: number;
  /** Count that CNTHP waits for; 0 for none. */
  readonly deadline: number;
}

/** A time of its own for one virtual machine after the other. */
export class OwnTime {
  /** Nanoseconds of a step. */
  readonly step: number;
  #offset = 0;
  #base = 0;
  #startedAt = 0;
  #deadline = 0;

  /** Of the site only the board is used before the first call. */
  constructor(private readonly site: MonitorSite) {
    this.step = site.board.configuration.nanosecondsPerStep;
  }

  /** The machine's time less that of the one on the CPU. */
  get offset(): number {
    return this.#offset;
  }

  /** The machine's instants less the steps of the one on the CPU. */
  get base(): number {
    return this.#base;
  }

  /** Its own time now. */
  get now(): number {
    return this.site.clock.now - this.#offset;
  }

  /** Its own steps up to now. */
  get steps(): number {
    return this.site.clock.instant - this.#base;
  }

  /** The machine's time at the next step. */
  get machineNext(): number {
    return this.site.clock.now + this.step;
  }

  /** Its own time at the next step. */
  get next(): number {
    return this.machineNext - this.#offset;
  }

  /** The next step is that of one that has had so much time and so many steps. */
  goOn(time: number, steps: number): void {
    this.#offset = this.machineNext - time;
    this.#base = this.site.clock.instant - steps;
    this.#startedAt = time;
  }

  /** Nanoseconds that it has had since this was asked last, or since it went on. */
  account(): number {
    const time = this.next, used = time - this.#startedAt;
    this.#startedAt = time;
    return used;
  }

  /** CNTHP fires when the machine's time is there. */
  program(vcpu: Vcpu, time: number): void {
    const count = time === NEVER ? 0 : Math.ceil(time / NANOSECONDS_PER_COUNT);
    if (count === this.#deadline) return;
    this.#deadline = count;
    if (count !== 0) vcpu.set("CNTHP_CVAL_EL2", BigInt(count));
    vcpu.set("CNTHP_CTL_EL2", count === 0 ? 0n : 1n);
  }

  /** As at power-on. */
  reset(): void {
    this.state = { offset: 0, base: 0, startedAt: 0, deadline: 0 };
  }

  /** For snapshots. */
  get state(): OwnTimeState {
    return {
      offset: this.#offset,
      base: this.#base,
      startedAt: this.#startedAt,
      deadline: this.#deadline,
    };
  }

  set state({ offset, base, startedAt, deadline }: OwnTimeState) {
    this.#offset = offset;
    this.#base = base;
    this.#startedAt = startedAt;
    this.#deadline = deadline;
  }
}
