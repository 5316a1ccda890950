/** Translation table walks: from a table base through descriptors to a block or page (Arm ARM D8.2, D8.3). */
import type { PhysicalAddress } from "../address.ts";
import { type Fault, type FaultKind, stage1Fault, stage2Fault } from "./fault.ts";
import { PAGE_WALKED, PAGE_WALKED_THROUGH, type PhysicalMemory } from "./physical.ts";
import type { TableStart } from "./translation_controls.ts";

/** Restrictions that table descriptors put on everything below them: bits of TABLE_* (as in bits 63–59). */
export const TABLE_PXN = 1 << 27;
/** XNTable. */
export const TABLE_XN = 1 << 28;
/** APTable[0]: no access from EL0. */
export const TABLE_NO_EL0 = 1 << 29;
/** APTable[1]: read-only. */
export const TABLE_READ_ONLY = 1 << 30;
/** NSTable. */
export const TABLE_NS = 1 << 31;

/** A block or page descriptor found by a walk. */
export interface Leaf {
  /** Distinguishes a result from a fault. */
  readonly faulted: false;
  /** Level of the descriptor. */
  readonly level: number;
  /** Output address for the input address. */
  readonly address: number;
  /** Bits 31–0 of the descriptor. */
  readonly low: number;
  /** Bits 63–32 of the descriptor. */
  readonly high: number;
  /** Offset of the descriptor in the machine's memory. */
  readonly descriptor: number;
  /** Union of the restrictions of the tables on the way, TABLE_* bits. */
  readonly tables: number;
}

/** Finds where a descriptor lies in physical memory: the identity, or stage 2 for stage 1 tables. */
export type LocateTable = (address: number) => PhysicalAddress | Fault;

const POWERS: readonly number[] = Array.from({ length: 64 }, (_, exponent) => 2 ** exponent);

/** 2 to the power of 0–63, without the cost of `**`. */
export function powerOf2(exponent: number): number {
  return POWERS[exponent] as number;
}

function faultOf(kind: FaultKind, level: number, stage: 1 | 2, ipa: number, onWalk: boolean): Fault {
  return stage === 1 ? stage1Fault(kind, level) : stage2Fault(kind, level, ipa, onWalk);
}

/**
 * Walks tables for an input address below 2^inputSize. The pages of all descriptors read are marked as walked, so
 * that writes to them are noticed, and those from which more than one page of one stage may come as walked through.
 * `onWalk` is passed on to faults of stage 2.
 */
export function walk(
  memory: PhysicalMemory,
  start: TableStart,
  input: number,
  stage: 1 | 2,
  onWalk: boolean,
  locate: LocateTable | undefined,
): Leaf | Fault {
  const { granule, outputSize, bigEndian } = start;
  if (start.fault !== undefined) return faultOf(start.fault, 0, stage, input, onWalk);
  const stride = granule - 3, granuleMask = -1 << granule, outputEnd = powerOf2(outputSize);
  const firstBlockLevel = granule === 12 ? 1 : 2;
  const isAlone = stage === 1 && locate === undefined && granule === 12;
  let table = start.base, rest = input, tables = 0, shift = (3 - start.level) * stride + granule;
  for (let level = start.level;; level++, shift -= stride) {
    const span = powerOf2(shift);
    const index = Math.floor(rest / span);
    rest -= index * span;
    const place = (table + index * 8) as PhysicalAddress,
      located = locate === undefined ? place : locate(place);
    if (typeof located !== "number") return located;
    const offset = memory.directOffset(located, start.secure && (tables & TABLE_NS) === 0);
    if (offset < 0) return faultOf("externalOnWalk", level, stage, input, onWalk);
    memory.mark(offset >>> 12, level === 3 && isAlone ? PAGE_WALKED : PAGE_WALKED | PAGE_WALKED_THROUGH);
    const seen = memory.cache?.descriptor(located, offset, start.cacheable) ?? memory.view;
    const at = seen === memory.view ? offset : 0;
    const low = seen.getUint32(bigEndian ? at + 4 : at, !bigEndian);
    const high = seen.getUint32(bigEndian ? at : at + 4, !bigEndian);
    const isTable = (low & 3) === 3 && level < 3;
    const isLeaf = level === 3 ? (low & 3) === 3 : (low & 3) === 1 && level >= firstBlockLevel;
    if (!isTable && !isLeaf) return faultOf("translation", level, stage, input, onWalk);
    const address = (high & 0xffff) * 0x1_0000_0000 + ((low & granuleMask) >>> 0);
    const output = isLeaf && level < 3 ? address - address % span : address;
    if (output >= outputEnd) return faultOf("addressSize", level, stage, input, onWalk);
    if (isLeaf) {
      return { faulted: false, level, address: output + rest, low, high, descriptor: offset, tables };
    }
    tables |= high & 0xf800_0000;
    table = output;
  }
}
