/** Interrupts of a GIC in words of 32, those that are private to a CPU first: what GICv2 and GICv3 keep alike. */
import type { EventFields } from "../events.ts";
import type { InterruptLine } from "./device.ts";

/** CPU interfaces a GICv2 can have, and as many redistributors a GICv3 here. */
export const CPUS_MAX = 8;
/** Software-generated interrupts, numbers 0–15. */
export const SGI_COUNT = 16;
/** Interrupts of each CPU, numbers 0–31. */
export const PRIVATE_COUNT = 32;
/** Interrupts in all, as on QEMU's `virt`. */
export const INTERRUPT_COUNT = 288;
/** Words of 32 interrupts that one CPU sees. */
export const WORD_COUNT: number = INTERRUPT_COUNT / 32;
/** Words of 32 interrupts in all: one of private interrupts for each CPU, then those of shared ones. */
export const STORED_WORDS: number = CPUS_MAX + WORD_COUNT - 1;

/** Number that says that there is no interrupt. */
export const SPURIOUS = 1023;

/** Whether a GIC of the board has an interrupt of this number, 0–287. */
export function hasInterrupt(interrupt: number): boolean {
  return Number.isInteger(interrupt) && interrupt >= 0 && interrupt < INTERRUPT_COUNT;
}

/** Drives an interrupt's input; `source` is what events name as its cause. */
type Drive = (cpu: number, interrupt: number, level: boolean, source: string) => void;

/** The input of a shared peripheral interrupt; throws RangeError unless its number is 32–287. */
export function sharedInput(interrupt: number, source: string, drive: Drive): InterruptLine {
  if (!(hasInterrupt(interrupt) && interrupt >= PRIVATE_COUNT)) {
    throw new RangeError(`Cannot wire "${source}" to interrupt ${interrupt}: shared ones are 32 to 287`);
  }
  return { set: (level) => drive(0, interrupt, level, source) };
}

/** The input of a private peripheral interrupt of one of so many CPUs; throws RangeError unless its number is 16–31. */
export function privateInput(
  cpus: number,
  cpu: number,
  interrupt: number,
  source: string,
  drive: Drive,
): InterruptLine {
  if (!(interrupt >= SGI_COUNT && interrupt < PRIVATE_COUNT && cpu >= 0 && cpu < cpus)) {
    throw new RangeError(
      `Cannot wire "${source}" to interrupt ${interrupt} of cpu${cpu}: private ones are 16 to 31`,
    );
  }
  return { set: (level) => drive(cpu, interrupt, level, source) };
}

/** Where a controller tells of its interrupts: the machine's events, or those of a virtual machine. */
export interface InterruptEvents {
  /** Records that an interrupt became pending or was acknowledged, now, on `cpu`. */
  emit<K extends "interruptRaised" | "interruptAcknowledged">(
    name: K,
    cpu: number,
    fields: EventFields<K>,
  ): void;
}

/** What an interrupt's line and the latch behind it say. */
export interface BankedState {
  /** Pending by an edge, a register or an SGI; what a level makes pending is not latched. */
  readonly latched: Uint32Array;
  /** Levels of inputs. */
  readonly level: Uint32Array;
  /** Edge-triggered. */
  readonly edge: Uint32Array;
  /** Forwarded when they are pending. */
  readonly enabled: Uint32Array;
  /** Acknowledged and not yet deactivated. */
  readonly active: Uint32Array;
}

/** The interrupts, as `cpu` and a number name them; `cpu` matters for private ones only. */
export abstract class BankedInterrupts<S extends BankedState> {
  /** Everything that is saved. */
  abstract state: S;

  /** What the distributor's register says of where a shared interrupt goes: GICD_ITARGETSR or GICD_IROUTER. */
  abstract routeOf(interrupt: number): number;

  /** Which word holds interrupts 32n to 32n+31 as `cpu` sees them. */
  word(cpu: number, n: number): number {
    return n === 0 ? cpu : CPUS_MAX + n - 1;
  }

  /** Where the arrays with one element per interrupt have an interrupt that `cpu` sees. */
  slot(cpu: number, interrupt: number): number {
    return this.word(cpu, interrupt >>> 5) * 32 + (interrupt & 31);
  }

  /** The pending bits of a word. */
  pending(word: number): number {
    const { latched, level, edge } = this.state;
    return at(latched, word) | (at(level, word) & ~at(edge, word));
  }

  /** Whether an interrupt is pending. */
  isPending(cpu: number, interrupt: number): boolean {
    return (this.pending(this.word(cpu, interrupt >>> 5)) >>> (interrupt & 31) & 1) === 1;
  }

  /** Takes the level of an input; true when that makes the interrupt pending. */
  setLevel(cpu: number, interrupt: number, level: boolean): boolean {
    const wasPending = this.isPending(cpu, interrupt);
    this.assign(this.state.level, cpu, interrupt, level);
    if (level && this.test(this.state.edge, cpu, interrupt)) {
      this.assign(this.state.latched, cpu, interrupt, true);
    }
    return !wasPending && this.isPending(cpu, interrupt);
  }

  /** One bit of a word array. */
  test(array: Uint32Array, cpu: number, interrupt: number): boolean {
    return (at(array, this.word(cpu, interrupt >>> 5)) >>> (interrupt & 31) & 1) === 1;
  }

  /** Sets or clears one bit of a word array. */
  assign(array: Uint32Array, cpu: number, interrupt: number, value: boolean): void {
    const word = this.word(cpu, interrupt >>> 5);
    const bit = 1 << (interrupt & 31);
    array[word] = value ? at(array, word) | bit : at(array, word) & ~bit;
  }
}

/** An element known to exist. */
export function at(array: Uint32Array | Uint8Array, index: number): number {
  return array[index] as number;
}

/** The number of the lowest bit that is set, of a value other than zero. */
export function lowestBit(bits: number): number {
  return 31 - Math.clz32(bits & -bits);
}
