/** PMUv3 counters (Arm ARM D7): cycles of virtual time at 1 GHz, instructions, software increments; and their overflow. */
import { NO_DEADLINE } from "../clock.ts";
import { hasBit } from "./controls.ts";
import type { Cpu } from "./cpu.ts";
import { INDEX } from "./system_register_index.ts";
import { isSecureBelowEl3 } from "./translation_regime.ts";

/** Event counters, PMCR_EL0.N. */
export const EVENT_COUNTERS = 6;
/** Bit of the cycle counter in PMCNTENSET_EL0, PMOVSSET_EL0 and PMINTENSET_EL1. */
export const CYCLE_COUNTER = 31;

const SW_INCR = 0x00, INST_RETIRED = 0x08, CPU_CYCLES = 0x11;
/** Events that are counted, as PMCEID0_EL0 tells them. */
export const COMMON_EVENTS: bigint = 1n << BigInt(SW_INCR) | 1n << BigInt(INST_RETIRED) |
  1n << BigInt(CPU_CYCLES);
/** PMCR_EL0: enable, clock divider, disabled where prohibited, long cycle counter. */
const PMCR_E = 0, PMCR_D = 3, PMCR_DP = 5, PMCR_LC = 6;
const MDCR_EL2_HPME = 7, MDCR_EL3_SPME = 17;
/** PMEVTYPERn_EL0 and PMCCFILTR_EL0. */
const FILTER_P = 31n, FILTER_U = 30n, FILTER_NSK = 29n, FILTER_NSU = 28n, FILTER_NSH = 27n, FILTER_M = 26n;
const DIVIDER = 64n;

function read(cpu: Cpu, index: number): bigint {
  return cpu.registers.system[index] as bigint;
}

/** Counters below HPMN belong to EL1 and EL0, the others to EL2 (MDCR_EL2.HPMN). */
export function guestCounters(cpu: Cpu): number {
  if (!cpu.features.el2) return EVENT_COUNTERS;
  return Math.min(Number(read(cpu, INDEX.MDCR_EL2) & 31n), EVENT_COUNTERS);
}

/** The enable bit of all counters of the same owner is set. */
function isOwnerEnabled(cpu: Cpu, counter: number): boolean {
  const isGuests = counter === CYCLE_COUNTER || counter < guestCounters(cpu);
  return isGuests ? hasBit(cpu, "PMCR_EL0", PMCR_E) : hasBit(cpu, "MDCR_EL2", MDCR_EL2_HPME);
}

function isEnabled(cpu: Cpu, counter: number): boolean {
  return hasBit(cpu, "PMCNTENSET_EL0", counter) && isOwnerEnabled(cpu, counter);
}

/** Counting is allowed in Secure state, or the cycle counter does not care. */
function isProhibited(cpu: Cpu, counter: number): boolean {
  const isSecure = cpu.el === 3 || isSecureBelowEl3(cpu);
  if (!isSecure || hasBit(cpu, "MDCR_EL3", MDCR_EL3_SPME)) return false;
  return counter !== CYCLE_COUNTER || hasBit(cpu, "PMCR_EL0", PMCR_DP);
}

/** The filter leaves the present level out. */
function isFiltered(cpu: Cpu, filter: bigint): boolean {
  const bit = (number: bigint) => (filter >> number & 1n) === 1n;
  const isNonSecure = cpu.features.el3 && !isSecureBelowEl3(cpu);
  switch (cpu.el) {
    case 0:
      return isNonSecure ? bit(FILTER_U) !== bit(FILTER_NSU) : bit(FILTER_U);
    case 1:
      return isNonSecure ? bit(FILTER_P) !== bit(FILTER_NSK) : bit(FILTER_P);
    case 2:
      return !bit(FILTER_NSH);
    case 3:
      return bit(FILTER_P) !== bit(FILTER_M);
  }
}

function isCounting(cpu: Cpu, counter: number, filter: bigint): boolean {
  return isEnabled(cpu, counter) && !isProhibited(cpu, counter) && !isFiltered(cpu, filter);
}

/** Adds to a counter of 32 or 64 bits and records its overflow. */
function add(cpu: Cpu, index: number, counter: number, amount: bigint, bits: number, keep: number): void {
  const { system } = cpu.registers;
  const before = read(cpu, index);
  const sum = before + amount;
  system[index] = BigInt.asUintN(keep, sum);
  if (BigInt.asUintN(bits, before) + amount >= 1n << BigInt(bits)) {
    system[INDEX.PMOVSSET_EL0] = read(cpu, INDEX.PMOVSSET_EL0) | 1n << BigInt(counter);
  }
}

function eventOf(cpu: Cpu, counter: number): number {
  return Number(read(cpu, INDEX.PMEVTYPER0_EL0 + counter) & 0xffffn);
}

/** Nothing can count. */
export function areCountersOff(cpu: Cpu): boolean {
  return !hasBit(cpu, "PMCR_EL0", PMCR_E) && !hasBit(cpu, "MDCR_EL2", MDCR_EL2_HPME);
}

/** No turn: the CPU takes no steps. */
const OUT_OF_TURN = (1n << 64n) - 1n;

/** Steps of the CPU's turn that are not counted yet, less those that retired nothing. */
function stepsSince(cpu: Cpu, instant: number): bigint {
  const then = read(cpu, INDEX.PMU_RETIRED_TO);
  const now = BigInt(instant);
  return then < now ? now - then : 0n;
}

function isCyclesDivided(cpu: Cpu): boolean {
  return hasBit(cpu, "PMCR_EL0", PMCR_D) && !hasBit(cpu, "PMCR_EL0", PMCR_LC);
}

const cycleBits = (cpu: Cpu): number => hasBit(cpu, "PMCR_EL0", PMCR_LC) ? 64 : 32;

/** Filter of an event counter, with its event. */
const typeOf = (cpu: Cpu, counter: number): bigint => read(cpu, INDEX.PMEVTYPER0_EL0 + counter);

/**
 * Brings the counters up to now. Must come before whatever reads them and before each change of what decides whether
 * they count: their controls, the exception level, the security state.
 */
export function advanceCounters(cpu: Cpu): void {
  if (areCountersOff(cpu)) return;
  const { clock } = cpu.surroundings, { system } = cpu.registers;
  const now = BigInt(clock.now), then = read(cpu, INDEX.PMU_ADVANCED_TO);
  const steps = stepsSince(cpu, clock.instant);
  system[INDEX.PMU_ADVANCED_TO] = now;
  if (steps > 0n) system[INDEX.PMU_RETIRED_TO] = BigInt(clock.instant);
  if (isCounting(cpu, CYCLE_COUNTER, read(cpu, INDEX.PMCCFILTR_EL0))) {
    const cycles = isCyclesDivided(cpu) ? now / DIVIDER - then / DIVIDER : now - then;
    add(cpu, INDEX.PMCCNTR_EL0, CYCLE_COUNTER, cycles, cycleBits(cpu), 64);
  }
  for (let counter = 0; counter < EVENT_COUNTERS; counter++) {
    const event = eventOf(cpu, counter);
    const amount = event === CPU_CYCLES ? now - then : event === INST_RETIRED ? steps : 0n;
    if (amount === 0n || !isCounting(cpu, counter, typeOf(cpu, counter))) continue;
    add(cpu, INDEX.PMEVCNTR0_EL0 + counter, counter, amount, 32, 32);
  }
}

/** The present step retires no instruction: it takes an interrupt, or its instruction faults. */
export function leaveStepOut(cpu: Cpu): void {
  if (areCountersOff(cpu) || read(cpu, INDEX.PMU_RETIRED_TO) === OUT_OF_TURN) return;
  cpu.registers.system[INDEX.PMU_RETIRED_TO] = BigInt(cpu.surroundings.clock.instant + 1);
}

/** The CPU takes the steps from now on. */
export function countersTurnBegan(cpu: Cpu): void {
  if (!areCountersOff(cpu)) {
    cpu.registers.system[INDEX.PMU_RETIRED_TO] = BigInt(cpu.surroundings.clock.instant);
  }
}

/** Other CPUs take the steps from now on. */
export function countersTurnEnded(cpu: Cpu): void {
  if (areCountersOff(cpu)) return;
  advanceCounters(cpu);
  cpu.registers.system[INDEX.PMU_RETIRED_TO] = OUT_OF_TURN;
}

/** Changes something that decides what is counted; time until now is counted the old way. */
export function changeCounting(cpu: Cpu, change: () => void): void {
  const wasOff = areCountersOff(cpu);
  advanceCounters(cpu);
  change();
  const { system } = cpu.registers, { clock } = cpu.surroundings;
  system[INDEX.PMU_ADVANCED_TO] = BigInt(clock.now);
  // The instruction that makes the change counts neither way.
  if (wasOff && !areCountersOff(cpu)) system[INDEX.PMU_RETIRED_TO] = BigInt(clock.instant + 1);
  planOverflow(cpu);
}

/** The interrupt is asked for by a counter that overflowed (Arm ARM AArch64.CheckForPMUOverflow). */
function isOverflowSignalled(cpu: Cpu): boolean {
  const signalled = read(cpu, INDEX.PMOVSSET_EL0) & read(cpu, INDEX.PMINTENSET_EL1);
  if (signalled === 0n) return false;
  return COUNTERS.some((counter) =>
    (signalled >> BigInt(counter) & 1n) === 1n && isOwnerEnabled(cpu, counter)
  );
}

const COUNTERS: readonly number[] = [...Array(EVENT_COUNTERS).keys(), CYCLE_COUNTER];

/** Counts of an event counter or the cycle counter until it overflows. */
function countsLeft(cpu: Cpu, counter: number): bigint {
  const isCycles = counter === CYCLE_COUNTER, width = isCycles ? cycleBits(cpu) : 32;
  const count = read(cpu, isCycles ? INDEX.PMCCNTR_EL0 : INDEX.PMEVCNTR0_EL0 + counter);
  return (1n << BigInt(width)) - BigInt.asUintN(width, count);
}

/** Counters that ask for an interrupt when they overflow and that count an event at the present level. */
function sampling(cpu: Cpu, event: number): number[] {
  return COUNTERS.filter((counter) => {
    if (!hasBit(cpu, "PMINTENSET_EL1", counter)) return false;
    const isCycles = counter === CYCLE_COUNTER;
    if (isCycles ? event !== CPU_CYCLES : eventOf(cpu, counter) !== event) return false;
    return isCounting(cpu, counter, isCycles ? read(cpu, INDEX.PMCCFILTR_EL0) : typeOf(cpu, counter));
  });
}

/** Virtual time in nanoseconds at which a counter of cycles that is up to date overflows, or NO_DEADLINE. */
function overflowTime(cpu: Cpu, counter: number): number {
  const now = BigInt(cpu.surroundings.clock.now), left = countsLeft(cpu, counter);
  const isDivided = counter === CYCLE_COUNTER && isCyclesDivided(cpu);
  const time = Number(isDivided ? (now / DIVIDER + left) * DIVIDER : now + left);
  return time < Number.MAX_SAFE_INTEGER ? time : NO_DEADLINE;
}

/**
 * Drives the overflow interrupt and asks to be called at the next overflow that raises it. Must come after
 * `advanceCounters` and the change of whatever decides what is counted.
 */
export function planOverflow(cpu: Cpu): void {
  const { overflow } = cpu.surroundings;
  const isOn = !areCountersOff(cpu) && read(cpu, INDEX.PMINTENSET_EL1) !== 0n;
  const isSignalled = isOn && isOverflowSignalled(cpu);
  if (isSignalled !== cpu.overflowSignalled) overflow?.line.set(isSignalled);
  cpu.overflowSignalled = isSignalled;
  cpu.samplesInstructions = isOn && sampling(cpu, INST_RETIRED).length > 0;
  if (overflow === undefined) return;
  const times = isOn ? sampling(cpu, CPU_CYCLES).map((counter) => overflowTime(cpu, counter)) : [];
  const deadline = Math.min(NO_DEADLINE, ...times);
  if (deadline !== overflow.alarm.deadline) overflow.alarm.set(deadline);
}

/** A counter of cycles overflows, or would have if it had counted all the time. */
export function overflowDue(cpu: Cpu): void {
  advanceCounters(cpu);
  planOverflow(cpu);
}

/** Steps that the CPU may take before a counter of instructions must raise an interrupt; Infinity when none will. */
export function stepsToOverflow(cpu: Cpu): number {
  if (!cpu.samplesInstructions) return Infinity;
  overflowDue(cpu);
  return Math.min(
    Infinity,
    ...sampling(cpu, INST_RETIRED).map((counter) => Number(countsLeft(cpu, counter))),
  );
}

/** PMSWINC_EL0: one more event for each counter whose bit is set and that counts software increments. */
export function incrementBySoftware(cpu: Cpu, mask: bigint): void {
  for (let counter = 0; counter < EVENT_COUNTERS; counter++) {
    if ((mask >> BigInt(counter) & 1n) === 0n || eventOf(cpu, counter) !== SW_INCR) continue;
    if (isCounting(cpu, counter, typeOf(cpu, counter))) {
      add(cpu, INDEX.PMEVCNTR0_EL0 + counter, counter, 1n, 32, 32);
    }
  }
}
