/** What an instruction's access to memory does when its page is cached and nothing is odd; the rest is slow_access.ts. */
import type { Access } from "../ir/operations.ts";
import { PAGE_DIRTY } from "../memory/physical.ts";
import { ENTRY_WORDS, TLB_ENTRIES } from "../memory/tlb.ts";
import type { Cpu } from "./cpu.ts";
import { SLOT_PC } from "./registers.ts";
import { readMemory, writeMemory } from "./place.ts";
import * as slow from "./slow_access.ts";

export { markOpenMonitors } from "./exclusive_monitor.ts";
export { untagPc } from "./slow_access.ts";
export { dropTranslations, watchWrites } from "./write_watcher.ts";

/** An address goes in as a bigint and comes out as two numbers, without arithmetic on bigints. */
const WIDE = new BigUint64Array(1);
const HALVES = new Uint32Array(WIDE.buffer);

/** Reads `size` bytes (1–16) at a virtual address; on a fault the exception is pending and the result is 0n. */
export function load(cpu: Cpu, address: bigint, size: number, access: Access): bigint {
  WIDE[0] = address;
  const low = HALVES[0] as number, high = HALVES[1] as number;
  const { tlb } = cpu;
  const context = tlb.contexts[(cpu.el << 1) | ((high >>> 23) & 1)] as number;
  const { read } = tlb;
  const index = ((low >>> 12) ^ context) & (TLB_ENTRIES - 1);
  if (
    context === 0 || read.words[index * ENTRY_WORDS] !== ((low & ~0xfff) | context) ||
    read.words[index * ENTRY_WORDS + 1] !== (high | 0) ||
    (low & (size - 1)) !== 0 || access !== "normal"
  ) {
    return slow.load(cpu, address, size, access);
  }
  const offset = read.hostPage(index) + (low & 0xfff);
  return readMemory(cpu.surroundings.memory.view, offset, size);
}

/** Writes `size` bytes (1–16) at a virtual address, or makes the fault pending. */
export function store(cpu: Cpu, address: bigint, size: number, value: bigint, access: Access): void {
  WIDE[0] = address;
  const low = HALVES[0] as number, high = HALVES[1] as number;
  const { tlb } = cpu;
  const context = tlb.contexts[(cpu.el << 1) | ((high >>> 23) & 1)] as number;
  const { write } = tlb;
  const index = ((low >>> 12) ^ context) & (TLB_ENTRIES - 1);
  if (
    context === 0 || write.words[index * ENTRY_WORDS] !== ((low & ~0xfff) | context) ||
    write.words[index * ENTRY_WORDS + 1] !== (high | 0) ||
    (low & (size - 1)) !== 0 || access !== "normal"
  ) {
    slow.store(cpu, address, size, value, access);
    return;
  }
  const offset = write.hostPage(index) + (low & 0xfff);
  const { memory } = cpu.surroundings;
  if (memory.pageFlags[offset >>> 12] !== PAGE_DIRTY) {
    memory.markWritten(
      offset,
      size,
      (write.physicalPage[index] as number) + (low & 0xfff) as never,
      cpu.index,
    );
  }
  writeMemory(memory.view, offset, size, value);
}

/** Load-exclusive: reads and opens the monitor; on a fault the exception is pending and the result is 0n. */
export function loadExclusive(cpu: Cpu, address: bigint, size: number, access: Access): bigint {
  return slow.loadExclusive(cpu, address, size, access);
}

/** Store-exclusive: 0n when written, 1n when the monitor did not allow it or a fault is pending. */
export function storeExclusive(
  cpu: Cpu,
  address: bigint,
  size: number,
  value: bigint,
  access: Access,
): bigint {
  return slow.storeExclusive(cpu, address, size, value, access);
}

/** The instruction word at the PC as an unsigned number, or −1 with the exception pending. */
export function fetch(cpu: Cpu): number {
  WIDE[0] = cpu.slots[SLOT_PC] as bigint;
  const low = HALVES[0] as number, high = HALVES[1] as number;
  const { tlb } = cpu;
  const context = tlb.contexts[(cpu.el << 1) | ((high >>> 23) & 1)] as number;
  const { execute } = tlb;
  const index = ((low >>> 12) ^ context) & (TLB_ENTRIES - 1);
  if (
    context === 0 || execute.words[index * ENTRY_WORDS] !== ((low & ~0xfff) | context) ||
    execute.words[index * ENTRY_WORDS + 1] !== (high | 0) ||
    (low & 3) !== 0 || execute.isCached(index)
  ) {
    return slow.fetch(cpu);
  }
  return cpu.surroundings.memory.view.getUint32(execute.hostPage(index) + (low & 0xfff), true);
}

/**
 * Must be called after any change of a system register that controls translation, endianness or alignment: SCTLR,
 * TCR, TTBR and MAIR of any level, HCR_EL2, VTCR_EL2, VTTBR_EL2 and SCR_EL3. After a reset or a restore call
 * `cpu.tlb.drop()`.
 */
export function translationControlsChanged(cpu: Cpu): void {
  cpu.tlb.forgetControls();
}
