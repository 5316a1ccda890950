/** System registers that MRS reads from where they are stored, at every level that may read them at all. */
import { systemEncoding } from "../a64/system_names.ts";
import { OFFSET_SYSTEM } from "../cpu/registers.ts";
import { INDEX, type StoredRegister } from "../cpu/system_register_index.ts";
import type { Cpu } from "../cpu/cpu.ts";
import type { IrNode } from "../ir/operations.ts";

/** A register that is only stored. */
export interface PlainRegister {
  /** Its name. */
  readonly register: StoredRegister;
  /** It is UNDEFINED at EL0 and, if it is SP_EL0, while it is the stack pointer. */
  readonly isPrivileged: boolean;
}

/** Those that kernels read all the time, by encoding; FEAT_FGT may trap them, so they are for CPUs without it. */
// deno-fmt-ignore
export const PLAIN_REGISTERS: ReadonlyMap<number, PlainRegister> = new Map([
  [systemEncoding(3, 0, 4, 1, 0),  { register: "SP_EL0",    isPrivileged: true }],
  [systemEncoding(3, 0, 13, 0, 4), { register: "TPIDR_EL1", isPrivileged: true }],
  [systemEncoding(3, 3, 13, 0, 2), { register: "TPIDR_EL0", isPrivileged: false }],
]);

/** Byte offset of a register within a CPU's state. */
export function systemOffset(register: StoredRegister): number {
  return OFFSET_SYSTEM + INDEX[register] * 8;
}

/** True for immediates of readSystemRegister as `withoutTarget` leaves them for such a register. */
export function isPlainRead(immediates: IrNode["immediates"]): boolean {
  return immediates.length === 2;
}

/** Reads of plain registers do not say in which general register the value ends: only a trap would tell. */
export function withoutTarget(cpu: Cpu, node: IrNode): IrNode {
  const { op, immediates: [name, encoding] } = node;
  const isPlain = op === "helper" && name === "readSystemRegister" && PLAIN_REGISTERS.has(encoding as number);
  if (!isPlain || cpu.implements("FGT")) return node;
  return { ...node, immediates: [name as string, encoding as number] };
}
