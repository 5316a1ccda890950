/** Synthetic translation tables for tests: a small memory, register values by field, and one path of descriptors. */
import { physicalAddress } from "../../../machine/address.ts";
import { PhysicalMemory } from "../../../machine/memory/physical.ts";
import {
  type Regime,
  type TranslationControls,
  translationControls,
  type TranslationLimits,
  type TranslationRegisters,
} from "../../../machine/memory/translation_controls.ts";

/** First address of the memory. */
export const RAM = 0x4000_0000;
/** Bytes of the memory. */
export const RAM_SIZE = 1 << 20;

/** 44 bits, 4 KiB and 64 KiB: Cortex-A57. */
export const A57: TranslationLimits = { physicalSize: 44, granule16K: false, dataTags: false };
/** 48 bits and every granule. */
export const ALL_GRANULES: TranslationLimits = { physicalSize: 48, granule16K: true, dataTags: true };

/** Descriptor bits. */
// deno-fmt-ignore
export const BIT = {
  valid: 1n, table: 3n, block: 1n, page: 3n,
  NS: 1n << 5n, EL0: 1n << 6n, readOnly: 1n << 7n, AF: 1n << 10n, PXN: 1n << 53n, XN: 1n << 54n,
  PXNTable: 1n << 59n, XNTable: 1n << 60n, noEl0Table: 1n << 61n, readOnlyTable: 1n << 62n, NSTable: 1n << 63n,
  // Stage 2.
  S2R: 1n << 6n, S2W: 1n << 7n, S2Normal: 15n << 2n,
} as const;

/** All registers zero but for those given. */
export function registers(given: Partial<TranslationRegisters>): TranslationRegisters {
  const zero = {
    sctlr: 0n,
    tcr: 0n,
    ttbr0: 0n,
    ttbr1: 0n,
    mair: 0n,
    hcr: 0n,
    vtcr: 0n,
    vttbr: 0n,
    sctlrEl2: 0n,
  };
  return { ...zero, ...given };
}

/** Controls from register values. */
export function controls(
  given: Partial<TranslationRegisters>,
  options: { regime?: Regime; secure?: boolean; fetchOnly?: boolean; limits?: TranslationLimits } = {},
): TranslationControls {
  const { regime = "EL1&0", secure = regime === "EL3", fetchOnly = false, limits = ALL_GRANULES } = options;
  return translationControls(regime, secure, fetchOnly, registers(given), limits);
}

/** A memory with descriptors in it. */
export class TableMemory {
  /** The memory. */
  readonly memory = new PhysicalMemory(0, RAM_SIZE);

  /** Maps the memory and writes words of 64 bits. */
  constructor(words: Iterable<readonly [address: number, word: bigint]> = []) {
    this.memory.addRegion("ram", physicalAddress(RAM), RAM_SIZE);
    for (const [address, word] of words) this.put(address, word);
  }

  /** Writes a word of 64 bits. */
  put(address: number, word: bigint): void {
    this.memory.view.setBigUint64(this.memory.hostOffset(physicalAddress(address), 8), word, true);
  }

  /** Marks of the page at an address. */
  marks(address: number): number {
    return this.memory.pageFlags[this.memory.hostOffset(physicalAddress(address)) >>> 12] as number;
  }
}

/** The halves of an address. */
export function split(address: bigint): { high: number; low: number } {
  return { high: Number(BigInt.asUintN(32, address >> 32n)), low: Number(BigInt.asUintN(32, address)) };
}
