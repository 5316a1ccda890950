/** Registers of the performance monitors (Arm ARM D13.4), in front of performance_counters.ts. */
import { INDEX, type StoredRegister } from "./system_register_index.ts";
import {
  advanceCounters,
  changeCounting,
  COMMON_EVENTS,
  CYCLE_COUNTER,
  EVENT_COUNTERS,
  guestCounters,
  incrementBySoftware,
} from "./performance_counters.ts";
import type { Cpu } from "./cpu.ts";
import { type AccessName, computed, constant, type SystemRegister } from "./system_register_row.ts";
import type { TrapName } from "./system_register_traps.ts";
import { isEl2Enabled } from "./translation_regime.ts";

const HYPERVISOR = ["TPM_EL2", "TPM_EL3"] as const satisfies readonly TrapName[];
const EN = ["EN", ...HYPERVISOR] as const satisfies readonly TrapName[];

/** PMCR_EL0: implementer Arm, identification code 1, N = 6. */
const PMCR_FIXED = 0x4101_0000n, PMCR_N_SHIFT = 11n;
/** E, D, X, DP, LC and bit 7 are kept; P and C act. */
const PMCR_WRITABLE = 0xf9n, PMCR_P = 2n, PMCR_C = 4n;
const CYCLE_BIT = 1n << BigInt(CYCLE_COUNTER);
const ALL_COUNTERS = CYCLE_BIT | (1n << BigInt(EVENT_COUNTERS)) - 1n;
/** PMEVTYPERn_EL0 has filter bits and a 16-bit event, PMCCFILTR_EL0 filter bits alone (QEMU 7.2). */
const EVENT_TYPE_WRITABLE = 0xfe00_ffffn, FILTER_WRITABLE = 0xfc00_0000n;
/** PMSELR_EL0.SEL that selects the cycle counter's filter. */
const SELECT_CYCLES = 31;

const get = (cpu: Cpu, index: number): bigint => cpu.registers.system[index] as bigint;

/** Event counters of the present level: EL1 and EL0 below an enabled EL2 do not have EL2's. */
function countersHere(cpu: Cpu): number {
  return cpu.el < 2 && isEl2Enabled(cpu) ? guestCounters(cpu) : EVENT_COUNTERS;
}

function bitsHere(cpu: Cpu): bigint {
  return CYCLE_BIT | (1n << BigInt(countersHere(cpu))) - 1n;
}

/** A register that is read and written with the counters up to date. */
function pmu(
  name: string,
  access: AccessName,
  traps: readonly TrapName[],
  read: (cpu: Cpu) => bigint,
  write: (cpu: Cpu, value: bigint) => void,
): SystemRegister {
  const readNow = (cpu: Cpu) => {
    advanceCounters(cpu);
    return read(cpu);
  };
  return computed(name, access, readNow, (cpu, value) => changeCounting(cpu, () => write(cpu, value)), {
    traps,
  });
}

/** The same with storage of the register's name. */
function pmuStored(
  name: StoredRegister,
  access: AccessName,
  writable: bigint,
  traps: readonly TrapName[],
): SystemRegister {
  const index = INDEX[name];
  const write = (cpu: Cpu, value: bigint) => (cpu.registers.system[index] = value & writable);
  const row = pmu(name, access, traps, (cpu) => get(cpu, index), write);
  return { ...row, index, reset: () => 0n };
}

/** A pair of registers that set and clear the bits of one. */
function setAndClear(
  setName: string,
  clearName: string,
  storage: StoredRegister,
  access: AccessName,
  traps: readonly TrapName[],
): SystemRegister[] {
  const index = INDEX[storage];
  const read = (cpu: Cpu) => get(cpu, index) & bitsHere(cpu);
  const set = (
    cpu: Cpu,
    value: bigint,
  ) => (cpu.registers.system[index] = get(cpu, index) | (value & bitsHere(cpu)));
  const clear = (
    cpu: Cpu,
    value: bigint,
  ) => (cpu.registers.system[index] = get(cpu, index) & ~(value & bitsHere(cpu)) & ALL_COUNTERS);
  const withStorage = { index, reset: () => 0n };
  return [
    { ...pmu(setName, access, traps, read, set), ...(setName === storage && withStorage) },
    pmu(clearName, access, traps, read, clear),
  ];
}

function readControl(cpu: Cpu): bigint {
  return PMCR_FIXED | BigInt(countersHere(cpu)) << PMCR_N_SHIFT | get(cpu, INDEX.PMCR_EL0);
}

function writeControl(cpu: Cpu, value: bigint): void {
  const { system } = cpu.registers;
  system[INDEX.PMCR_EL0] = value & PMCR_WRITABLE;
  if ((value & PMCR_C) !== 0n) system[INDEX.PMCCNTR_EL0] = 0n;
  if ((value & PMCR_P) === 0n) return;
  for (let counter = 0; counter < countersHere(cpu); counter++) system[INDEX.PMEVCNTR0_EL0 + counter] = 0n;
}

/** Storage behind PMXEVTYPER_EL0 or PMXEVCNTR_EL0 as PMSELR_EL0 selects it; −1 reads as zero and ignores writes. */
function selected(cpu: Cpu, base: number, cycles: number): number {
  const counter = Number(get(cpu, INDEX.PMSELR_EL0) & 31n);
  if (counter === SELECT_CYCLES) return cycles;
  return counter < EVENT_COUNTERS ? base + counter : -1;
}

function indirect(
  name: string,
  traps: readonly TrapName[],
  base: number,
  cycles: number,
  writable: (index: number) => bigint,
): SystemRegister {
  const read = (cpu: Cpu) => {
    const index = selected(cpu, base, cycles);
    return index < 0 ? 0n : get(cpu, index);
  };
  const write = (cpu: Cpu, value: bigint) => {
    const index = selected(cpu, base, cycles);
    if (index >= 0) cpu.registers.system[index] = value & writable(index);
  };
  return pmu(name, "EL0_RW", traps, read, write);
}

const CR = ["EN_CR_read", "EN_write", ...HYPERVISOR] as const satisfies readonly TrapName[];
const ER = ["EN_ER_read", "EN_write", ...HYPERVISOR] as const satisfies readonly TrapName[];
const typeWritable = (index: number): bigint =>
  index === INDEX.PMCCFILTR_EL0 ? FILTER_WRITABLE : EVENT_TYPE_WRITABLE;

function eventRegisters(counter: number): SystemRegister[] {
  const count = `PMEVCNTR${counter}_EL0` as StoredRegister,
    type = `PMEVTYPER${counter}_EL0` as StoredRegister;
  return [
    pmuStored(count, "EL0_RW", 0xffff_ffffn, ER),
    pmuStored(type, "EL0_RW", EVENT_TYPE_WRITABLE, EN),
  ];
}

const control = pmu("PMCR_EL0", "EL0_RW", [...EN, "TPMCR"], readControl, writeControl);

/** Performance monitor registers. */
// deno-fmt-ignore
export const PMU_REGISTERS: readonly SystemRegister[] = [
  { ...control, index: INDEX.PMCR_EL0, reset: () => 0n },
  ...setAndClear("PMCNTENSET_EL0", "PMCNTENCLR_EL0", "PMCNTENSET_EL0", "EL0_RW", EN),
  ...setAndClear("PMOVSSET_EL0", "PMOVSCLR_EL0", "PMOVSSET_EL0", "EL0_RW", EN),
  ...setAndClear("PMINTENSET_EL1", "PMINTENCLR_EL1", "PMINTENSET_EL1", "EL1_RW", HYPERVISOR),
  pmu("PMSWINC_EL0", "EL0_WO", ["EN_SW", ...HYPERVISOR], () => 0n, incrementBySoftware),
  pmuStored("PMSELR_EL0", "EL0_RW", 31n, ["EN_ER", ...HYPERVISOR]),
  constant("PMCEID0_EL0", "EL0_RO", COMMON_EVENTS, { traps: EN }),
  constant("PMCEID1_EL0", "EL0_RO", 0n, { traps: EN }),
  pmuStored("PMCCNTR_EL0", "EL0_RW", (1n << 64n) - 1n, CR),
  pmuStored("PMCCFILTR_EL0", "EL0_RW", FILTER_WRITABLE, EN),
  indirect("PMXEVTYPER_EL0", EN, INDEX.PMEVTYPER0_EL0, INDEX.PMCCFILTR_EL0, typeWritable),
  indirect("PMXEVCNTR_EL0", ER, INDEX.PMEVCNTR0_EL0, -1, () => 0xffff_ffffn),
  pmuStored("PMUSERENR_EL0", "EL0_RO_EL1_RW", 15n, HYPERVISOR),
  ...Array.from({ length: EVENT_COUNTERS }, (_, counter) => eventRegisters(counter)).flat(),
];
