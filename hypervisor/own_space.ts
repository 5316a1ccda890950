/**
 * The translation regime of a monitor itself at EL2: every address to itself, RAM Write-Back cacheable, so that what the
 * monitor writes is in the data cache as what guests write is (Arm ARM D8.2, TCR_EL2).
 */
import type { PhysicalAddress } from "../machine/address.ts";
import { RAM_BASE } from "../machine/board.ts";
import { PAGE_SIZE, type PhysicalMemory } from "../machine/memory/physical.ts";
import { writePhysical } from "./own_memory.ts";

const GIB = 2 ** 30, ENTRIES = PAGE_SIZE / 8;
/** Block descriptors: AF, AttrIndx 0 is inner-shareable memory, 1 is Device with XN. */
const MEMORY_BLOCK = 0x701n, DEVICE_BLOCK = 0x405n | 1n << 54n;
/** Attr0 is Normal Write-Back, Attr1 is Device-nGnRE. */
const MAIR = 0x04ffn;
/** RES1, TBI clear, SH0 inner shareable, ORGN0 and IRGN0 Write-Back, T0SZ for 39 bits: one table of 1 GiB blocks. */
const TCR = 1n << 31n | 1n << 23n | 3n << 12n | 1n << 10n | 1n << 8n | 25n;
const PS_SHIFT = 16n;
/** RES1 bits of SCTLR_EL2, and I, C, M. */
const SCTLR = 0x30c5_0830n | 1n << 12n | 1n << 2n | 1n;

/** Lays the table down in a page, before CPUs start. */
export function layOwnSpace(memory: PhysicalMemory, table: PhysicalAddress): void {
  const ram = memory.regions.find(({ base }) => base === RAM_BASE);
  const end = RAM_BASE + (ram?.size ?? 0);
  for (let index = 0; index < ENTRIES; index++) {
    const base = index * GIB, isMemory = base >= RAM_BASE && base < end;
    const descriptor = BigInt(base) | (isMemory ? MEMORY_BLOCK : DEVICE_BLOCK);
    writePhysical(memory, undefined, table + index * 8, 8, descriptor);
  }
}

/** The registers of EL2 that put the table in force, by name; `sizeField` is ID_AA64MMFR0_EL1.PARange. */
export function ownSpaceRegisters(
  table: PhysicalAddress,
  sizeField: bigint,
): Readonly<Record<string, bigint>> {
  return {
    MAIR_EL2: MAIR,
    TCR_EL2: TCR | sizeField << PS_SHIFT,
    TTBR0_EL2: BigInt(table),
    SCTLR_EL2: SCTLR,
  };
}
