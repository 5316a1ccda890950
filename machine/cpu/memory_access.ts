/** What an instruction's access to memory does: alignment, translation, faults, RAM, devices and monitors. */
import type { Access } from "../ir/operations.ts";
import type { Cpu } from "./cpu.ts";

export { markOpenMonitors } from "./exclusive_monitor.ts";

/** Reads `size` bytes (1–16) at a virtual address; on a fault the exception is pending and the result is 0n. */
export function load(_cpu: Cpu, _address: bigint, _size: number, _access: Access): bigint {
  return 0n;
}

/** Writes `size` bytes (1–16) at a virtual address, or makes the fault pending. */
export function store(_cpu: Cpu, _address: bigint, _size: number, _value: bigint, _access: Access): void {
}

/** Load-exclusive: reads and opens the monitor; on a fault the exception is pending and the result is 0n. */
export function loadExclusive(_cpu: Cpu, _address: bigint, _size: number, _access: Access): bigint {
  return 0n;
}

/** Store-exclusive: 0n when written, 1n when the monitor did not allow it or a fault is pending. */
export function storeExclusive(
  _cpu: Cpu,
  _address: bigint,
  _size: number,
  _value: bigint,
  _access: Access,
): bigint {
  return 1n;
}

/** The instruction word at the PC as an unsigned number, or −1 with the exception pending. */
export function fetch(_cpu: Cpu): number {
  return -1;
}

/** Must be called after any change of a system register that controls translation, endianness or alignment. */
export function translationControlsChanged(_cpu: Cpu): void {
}
