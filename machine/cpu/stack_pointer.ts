/** Banked stack pointers: slot 33 holds the selected one, system register storage the others. */
import type { Cpu } from "./cpu.ts";
import type { ExceptionLevel } from "./exception.ts";
import { INDEX } from "./system_register_index.ts";

const BANK = [INDEX.SP_EL0, INDEX.SP_EL1, INDEX.SP_EL2, INDEX.SP_EL3] as const;

/** Number of the stack pointer in use: 0 for SP_EL0, else the level. */
export function selectedStackPointer(cpu: Cpu): ExceptionLevel {
  return cpu.spSel === 0 ? 0 : cpu.el;
}

/** Changes PSTATE.EL and PSTATE.SP together with the stack pointer they select; nothing else may write either. */
export function selectStackPointer(cpu: Cpu, el: ExceptionLevel, spSel: 0 | 1): void {
  const { registers } = cpu;
  registers.system[BANK[selectedStackPointer(cpu)]] = registers.sp;
  cpu.el = el;
  cpu.spSel = spSel;
  registers.sp = registers.system[BANK[selectedStackPointer(cpu)]] as bigint;
}

/** Reads SP_ELn, live or banked. */
export function readStackPointer(cpu: Cpu, n: ExceptionLevel): bigint {
  return n === selectedStackPointer(cpu) ? cpu.registers.sp : cpu.registers.system[BANK[n]] as bigint;
}

/** Writes SP_ELn, live or banked. */
export function writeStackPointer(cpu: Cpu, n: ExceptionLevel, value: bigint): void {
  if (n === selectedStackPointer(cpu)) cpu.registers.sp = value;
  else cpu.registers.system[BANK[n]] = value;
}
