/** Places that hold values, as the backward slice numbers them: registers of each CPU, stack pointers, control. */
import { STORED_REGISTERS } from "../machine/cpu/system_register_index.ts";
import { registerName } from "./event_place.ts";
import { NZCV, V_HIGH, V_LOW } from "./instruction_flow.ts";

/** Numbers for each CPU. */
const PER_CPU = 1024;
/** SP in a step's effects: the stack pointer selected. */
const SELECTED_SP = 33;
/** SP_EL0; the others follow. */
const BANKS = 192;
/** Where a CPU goes on: what its last branch, exception or return decided. */
const CONTROL = 200;
/** The first system register. */
const SYSTEM = 256;

/** Registers that change without being written: by floating point, by what is counted. */
const CHANGES_BY_ITSELF = /^(FPSR|PMCCNTR_EL0|PMEVCNTR[0-5]_EL0|PMOVSSET_EL0|PMU_.*)$/;

const SYSTEM_NUMBERS: ReadonlyMap<string, number> = new Map(
  STORED_REGISTERS.map((name, index) => [name, SYSTEM + index] as const)
    .filter(([name]) => !CHANGES_BY_ITSELF.test(name)),
);

/** A place other than memory: `cpu * 1024 + number`. */
export type Location = number;

/** The place of a register of a step's effects; `bank` is the number n of the SP_ELn selected. */
export function registerLocation(cpu: number, register: number, bank: number): Location {
  return cpu * PER_CPU + (register === SELECTED_SP ? BANKS + bank : register);
}

/** The place of a system register; undefined where it keeps nothing. */
export function systemLocation(cpu: number, name: string): Location | undefined {
  const bank = /^SP_EL([0-3])$/.exec(name)?.[1];
  if (bank !== undefined) return cpu * PER_CPU + BANKS + Number(bank);
  if (name === "NZCV") return cpu * PER_CPU + NZCV;
  const number = SYSTEM_NUMBERS.get(name);
  return number === undefined ? undefined : cpu * PER_CPU + number;
}

/** The place that says where a CPU goes on. */
export function controlLocation(cpu: number): Location {
  return cpu * PER_CPU + CONTROL;
}

/** The CPU of a place. */
export function cpuOfLocation(location: Location): number {
  return Math.floor(location / PER_CPU);
}

/**
 * Whether all writes of a place are events other than steps: those of system registers, but for PAR_EL1, which address
 * translation instructions write too.
 */
export function isToldByEvents(location: Location): boolean {
  return location % PER_CPU >= SYSTEM && locationName(location) !== "PAR_EL1";
}

/** How many numbers there are for so many CPUs. */
export function locationCount(cpus: number): number {
  return cpus * PER_CPU;
}

/** The name of a place. */
export function locationName(location: Location): string {
  const number = location % PER_CPU;
  if (number >= SYSTEM) return STORED_REGISTERS[number - SYSTEM] as string;
  if (number === CONTROL) return "pc";
  if (number >= BANKS && number < BANKS + 4) return `SP_EL${number - BANKS}`;
  return registerName(number);
}

/** The places of a register by its name in any case; undefined for what is none. `bank` as in `registerLocation`. */
export function locationsNamed(name: string, cpu: number, bank: number): readonly Location[] | undefined {
  const lower = name.toLowerCase();
  const [, kind, digits] = /^([xwvqdsbh])(\d+)$/.exec(lower) ?? [];
  if (kind !== undefined) {
    const number = Number(digits), isGeneral = kind === "x" || kind === "w";
    if (number > (isGeneral ? 30 : 31)) return undefined;
    if (isGeneral) return [cpu * PER_CPU + number];
    const low = cpu * PER_CPU + V_LOW + number;
    return kind === "v" || kind === "q" ? [low, cpu * PER_CPU + V_HIGH + number] : [low];
  }
  if (lower === "sp") return [registerLocation(cpu, SELECTED_SP, bank)];
  if (lower === "lr") return [cpu * PER_CPU + 30];
  if (lower === "pc") return [controlLocation(cpu)];
  const upper = name.replace(/_el([0-3])$/i, (_, level) => `_EL${level}`);
  const found = systemLocation(cpu, upper) ??
    systemLocation(cpu, STORED_REGISTERS.find((stored) => stored.toLowerCase() === lower) ?? "") ??
    (lower === "nzcv" ? cpu * PER_CPU + NZCV : undefined);
  return found === undefined ? undefined : [found];
}
