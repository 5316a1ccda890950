/** PMUv3 counters (Arm ARM D7): cycles of virtual time at 1 GHz and software increments; no overflow interrupt. */
import { hasBit } from "./controls.ts";
import type { Cpu } from "./cpu.ts";
import { INDEX } from "./system_register_index.ts";
import { isSecureBelowEl3 } from "./translation_regime.ts";

/** Event counters, PMCR_EL0.N. */
export const EVENT_COUNTERS = 6;
/** Bit of the cycle counter in PMCNTENSET_EL0, PMOVSSET_EL0 and PMINTENSET_EL1. */
export const CYCLE_COUNTER = 31;

const SW_INCR = 0x00, CPU_CYCLES = 0x11;
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

function isEnabled(cpu: Cpu, counter: number): boolean {
  if (!hasBit(cpu, "PMCNTENSET_EL0", counter)) return false;
  const isGuests = counter === CYCLE_COUNTER || counter < guestCounters(cpu);
  return isGuests ? hasBit(cpu, "PMCR_EL0", PMCR_E) : hasBit(cpu, "MDCR_EL2", MDCR_EL2_HPME);
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

/**
 * Brings the counters up to now. Must come before whatever reads them and before each change of what decides whether
 * they count: their controls, the exception level, the security state.
 */
export function advanceCounters(cpu: Cpu): void {
  if (!hasBit(cpu, "PMCR_EL0", PMCR_E) && !hasBit(cpu, "MDCR_EL2", MDCR_EL2_HPME)) return;
  const now = BigInt(cpu.surroundings.clock.now);
  const then = read(cpu, INDEX.PMU_ADVANCED_TO);
  cpu.registers.system[INDEX.PMU_ADVANCED_TO] = now;
  if (isCounting(cpu, CYCLE_COUNTER, read(cpu, INDEX.PMCCFILTR_EL0))) {
    const isLong = hasBit(cpu, "PMCR_EL0", PMCR_LC);
    const isDivided = hasBit(cpu, "PMCR_EL0", PMCR_D) && !isLong;
    const cycles = isDivided ? now / DIVIDER - then / DIVIDER : now - then;
    add(cpu, INDEX.PMCCNTR_EL0, CYCLE_COUNTER, cycles, isLong ? 64 : 32, 64);
  }
  for (let counter = 0; counter < EVENT_COUNTERS; counter++) {
    const filter = read(cpu, INDEX.PMEVTYPER0_EL0 + counter);
    if (eventOf(cpu, counter) === CPU_CYCLES && isCounting(cpu, counter, filter)) {
      add(cpu, INDEX.PMEVCNTR0_EL0 + counter, counter, now - then, 32, 32);
    }
  }
}

/** Changes something that decides what is counted; time until now is counted the old way. */
export function changeCounting(cpu: Cpu, change: () => void): void {
  advanceCounters(cpu);
  change();
  cpu.registers.system[INDEX.PMU_ADVANCED_TO] = BigInt(cpu.surroundings.clock.now);
}

/** PMSWINC_EL0: one more event for each counter whose bit is set and that counts software increments. */
export function incrementBySoftware(cpu: Cpu, mask: bigint): void {
  for (let counter = 0; counter < EVENT_COUNTERS; counter++) {
    if ((mask >> BigInt(counter) & 1n) === 0n || eventOf(cpu, counter) !== SW_INCR) continue;
    const filter = read(cpu, INDEX.PMEVTYPER0_EL0 + counter);
    if (isCounting(cpu, counter, filter)) add(cpu, INDEX.PMEVCNTR0_EL0 + counter, counter, 1n, 32, 32);
  }
}
