/** What AT, TLBI, DC and IC instructions do once they are allowed; who may execute them is decided before. */
import type { Cpu } from "./cpu.ts";

/**
 * Performs a system instruction by its encoding (op0 = 1, op1, CRn, CRm, op2 as `systemEncoding` has it) with the
 * value of Xt. Privilege and trap checks are the caller's. False when Armv8.0-A has no such AT, TLBI, DC or IC.
 */
export function performSystemInstruction(_cpu: Cpu, _encoding: number, _operand: bigint): boolean {
  return false;
}
