/** Translation through a strict TLB: what the TLB has is used as it is; what it has not is walked and entered. */
import type { IntermediateAddress, PhysicalAddress } from "../address.ts";
import { combineAttributes } from "./attributes.ts";
import { type Fault, stage1Fault } from "./fault.ts";
import type { PhysicalMemory } from "./physical.ts";
import {
  canonical,
  entryAround,
  leafAt,
  leafSizeLog2,
  type StrictTlb,
  type TlbEntry,
  type TlbTag,
} from "./strict_tlb.ts";
import { type Leaf, type LocateTable, TABLE_NS, walk } from "./table_walk.ts";
import {
  attributeOf,
  rangeOf,
  resolveStage1,
  resolveStage2,
  type SplitAddress,
  stage1Off,
  TABLE_READ,
  type Translation,
  type TranslationRequest,
  walkStage2,
} from "./translation.ts";
import type { Stage2Controls, TranslationControls } from "./translation_controls.ts";

/** A translation, and what the TLB had to do with it. */
export interface StrictTranslation {
  /** What the access gets; for one stage alone an intermediate physical address. */
  readonly result: Translation<PhysicalAddress> | Fault;
  /** Log2 of the size of the entry that was there before; 0 when nothing old was used. */
  readonly usedSizeLog2: number;
  /** Sizes in bytes of an entry there before and of the one entered over it; undefined when none overlapped. */
  readonly overlap: readonly [cached: number, entered: number] | undefined;
}

/** Global entries are of every ASID; a table that NSTable makes Non-secure has none (Arm ARM D5.10.1). */
const NOT_GLOBAL = 0x800;
const ACCESSED = 0x400;

/** One translation in progress. */
class Lookup {
  usedSizeLog2 = 0;
  overlap: readonly [number, number] | undefined;

  constructor(
    readonly memory: PhysicalMemory,
    readonly tlb: StrictTlb,
    readonly controls: TranslationControls,
  ) {}

  tag(stage: 1 | 2, asid: number): TlbTag {
    const { stage1: { regime, secure }, vmid } = this.controls;
    return { stage, regime, secure, vmid, asid };
  }

  enter(tag: TlbTag, entry: TlbEntry): void {
    const cached = this.tlb.enter(tag, entry);
    if (cached !== 0) this.overlap ??= [cached, 2 ** entry.sizeLog2];
  }

  /** The leaf of stage 2 for an address, from the TLB or the tables. */
  stage2Leaf(stage2: Stage2Controls, ipa: number, onWalk: boolean): Leaf | Fault {
    const tag = this.tag(2, -1);
    const known = this.tlb.find(tag, ipa);
    if (known !== undefined) {
      if (!onWalk) this.usedSizeLog2 = known.sizeLog2;
      return leafAt(known, known.leaf, ipa);
    }
    const leaf = walkStage2(this.memory, stage2, ipa as IntermediateAddress, onWalk);
    if (leaf.faulted || (leaf.low & ACCESSED) === 0) return leaf;
    this.enter(tag, entryAround(ipa, leafSizeLog2(leaf, stage2.granule), leaf, 0, undefined));
    return leaf;
  }

  /** Where stage 1 finds its tables. */
  tables(stage2: Stage2Controls): LocateTable {
    return (address) => {
      const leaf = this.stage2Leaf(stage2, address, true);
      if (leaf.faulted) return leaf;
      const result = resolveStage2(stage2, leaf, address as IntermediateAddress, TABLE_READ, true);
      return result.faulted ? result : result.address;
    };
  }

  /** The entry of stage 1 for an address; a fault when the tables give none that can be entered. */
  stage1Entry(split: SplitAddress, isFetch: boolean): TlbEntry | Fault {
    const { memory, tlb, controls: { stage1, stage2, asid } } = this;
    const found = rangeOf(stage1, split, isFetch);
    if (found === undefined) return stage1Fault("translation");
    const address = canonical(split.high, split.low, stage1.upper !== undefined);
    const known = tlb.find(this.tag(1, asid), address) ?? tlb.find(this.tag(1, -1), address);
    if (known !== undefined) {
      this.usedSizeLog2 = known.sizeLog2;
      return known;
    }
    const leaf = walk(memory, found.range, found.input, 1, false, stage2 && this.tables(stage2));
    if (leaf.faulted) return leaf;
    if ((leaf.low & ACCESSED) === 0) return stage1Fault("accessFlag", leaf.level);
    const second = stage2 && this.stage2Leaf(stage2, leaf.address, false);
    this.usedSizeLog2 = 0;
    const size = leafSizeLog2(leaf, found.range.granule);
    const attribute = attributeOf(stage1, leaf);
    // What stage 2 refuses is not entered, but stage 1 still refuses first.
    if (second?.faulted === true || (second !== undefined && (second.low & ACCESSED) === 0)) {
      return entryAround(address, 12, leaf, attribute, undefined);
    }
    const sizeLog2 = second === undefined
      ? size
      : Math.min(size, leafSizeLog2(second, (stage2 as Stage2Controls).granule));
    const entry = entryAround(address, sizeLog2, leaf, attribute, second);
    const isGlobal = (leaf.low & NOT_GLOBAL) === 0 && !(stage1.secure && (leaf.tables & TABLE_NS) !== 0);
    this.enter(this.tag(1, isGlobal ? -1 : asid), entry);
    return entry;
  }
}

/**
 * Translates through a strict TLB and enters what is translated: whatever has an access flag, since permissions are
 * decided by what is cached. `stages` 1 leaves out stage 2 of the result.
 */
export function translateStrictly(
  memory: PhysicalMemory,
  tlb: StrictTlb,
  controls: TranslationControls,
  address: SplitAddress,
  request: TranslationRequest,
  stages: 1 | 2 = 2,
): StrictTranslation {
  const lookup = new Lookup(memory, tlb, controls);
  const result = both(lookup, address, request, stages);
  return { result, usedSizeLog2: lookup.usedSizeLog2, overlap: lookup.overlap };
}

function both(
  lookup: Lookup,
  split: SplitAddress,
  request: TranslationRequest,
  stages: 1 | 2,
): Translation<PhysicalAddress> | Fault {
  const { controls: { stage1, stage2 } } = lookup;
  const entry = stage1.enabled ? lookup.stage1Entry(split, request.kind === "execute") : undefined;
  if (entry?.faulted) return entry;
  const address = canonical(split.high, split.low, stage1.upper !== undefined);
  const first = entry === undefined
    ? stage1Off(lookup.controls, split, request)
    : resolveStage1(stage1, leafAt(entry, entry.leaf, address), entry.attribute, request);
  if (first.faulted) return first;
  if (stage2 === undefined || stages === 1) {
    return { ...first, address: first.address as number as PhysicalAddress };
  }
  const leaf = entry?.stage2 === undefined
    ? lookup.stage2Leaf(stage2, first.address, false)
    : leafAt(entry, entry.stage2, address);
  if (leaf.faulted) return leaf;
  const second = resolveStage2(stage2, leaf, first.address, request, false);
  return second.faulted ? second : { ...second, guarded: first.guarded, ...combineAttributes(first, second) };
}

/** Log2 of the size of the page or block that stage 1 tables have for an address now; 0 when there is none. */
export function presentSizeLog2(
  memory: PhysicalMemory,
  controls: TranslationControls,
  address: SplitAddress,
): number {
  const { stage1, stage2 } = controls;
  const found = stage1.enabled && stage2 === undefined ? rangeOf(stage1, address, false) : undefined;
  if (found === undefined) return 0;
  const leaf = walk(memory, found.range, found.input, 1, false, undefined);
  return leaf.faulted ? 0 : leafSizeLog2(leaf, found.range.granule);
}
