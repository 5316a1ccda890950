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

/** Offset of a descriptor in the machine's memory, or −1 when no memory answers there. */
function descriptorOffset(memory: PhysicalMemory, address: PhysicalAddress, secure: boolean): number {
  const target = memory.target(address, secure);
  return target?.kind === "memory" && target.region.direct ? target.hostOffset : -1;
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
  const fault = (kind: FaultKind, level: number) => faultOf(kind, level, stage, input, onWalk);
  if (start.fault !== undefined) return fault(start.fault, 0);
  const stride = granule - 3;
  const firstBlockLevel = granule === 12 ? 1 : 2;
  const isAlone = stage === 1 && locate === undefined && granule === 12;
  let table = start.base, rest = input, tables = 0;
  for (let level = start.level;; level++) {
    const span = 2 ** ((3 - level) * stride + granule);
    const index = Math.floor(rest / span);
    rest -= index * span;
    const located = locate?.(table + index * 8) ?? ((table + index * 8) as PhysicalAddress);
    if (typeof located !== "number") return located;
    const offset = descriptorOffset(memory, located, start.secure && (tables & TABLE_NS) === 0);
    if (offset < 0) return fault("externalOnWalk", level);
    memory.mark(offset >>> 12, level === 3 && isAlone ? PAGE_WALKED : PAGE_WALKED | PAGE_WALKED_THROUGH);
    const seen = memory.cache?.descriptor(located, offset, start.cacheable) ?? memory.view;
    const at = seen === memory.view ? offset : 0;
    const low = seen.getUint32(bigEndian ? at + 4 : at, !bigEndian);
    const high = seen.getUint32(bigEndian ? at : at + 4, !bigEndian);
    const isTable = (low & 3) === 3 && level < 3;
    const isLeaf = level === 3 ? (low & 3) === 3 : (low & 3) === 1 && level >= firstBlockLevel;
    if (!isTable && !isLeaf) return fault("translation", level);
    const address = (high & 0xffff) * 0x1_0000_0000 + ((low & -(2 ** granule)) >>> 0);
    const output = isLeaf ? address - address % span : address;
    if (output >= 2 ** outputSize) return fault("addressSize", level);
    if (isLeaf) {
      return { faulted: false, level, address: output + rest, low, high, descriptor: offset, tables };
    }
    tables |= high & 0xf800_0000;
    table = output;
  }
}
