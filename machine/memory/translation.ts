/** Address translation: stage 1 of every regime, stage 2, and both together (Arm ARM D8, AArch64.FullTranslate). */
import type { IntermediateAddress, PhysicalAddress } from "../address.ts";
import {
  combineAttributes,
  DEFAULT_CACHEABLE,
  DEVICE_NGNRNE,
  FETCH_CACHEABLE,
  isDevice,
  type MemoryAttributes,
  NON_CACHEABLE,
  stage2Attribute,
} from "./attributes.ts";
import { type Fault, type FaultKind, stage1Fault, stage2Fault } from "./fault.ts";
import type { PhysicalMemory } from "./physical.ts";
import {
  type Leaf,
  type LocateTable,
  powerOf2,
  TABLE_NO_EL0,
  TABLE_NS,
  TABLE_PXN,
  TABLE_READ_ONLY,
  TABLE_XN,
  walk,
} from "./table_walk.ts";
import type {
  AddressRange,
  Stage1Controls,
  Stage2Controls,
  TranslationControls,
} from "./translation_controls.ts";

/** What an access wants. */
export interface TranslationRequest {
  /** `maintain` is cache maintenance above EL0, which no permission stops. */
  readonly kind: "read" | "write" | "execute" | "maintain";
  /** Made with the privilege of the regime's higher level rather than EL0's. */
  readonly privileged: boolean;
  /** PSTATE.PAN is 1: as a privileged access of data it may not go where EL0 may read; false when absent. */
  readonly pan?: boolean;
  /** Aligned to its size; a misaligned access to Device memory faults, as does DC ZVA there. */
  readonly aligned: boolean;
}

/** A virtual address in two halves, so that no bigint is needed; both unsigned. */
export interface SplitAddress {
  /** Bits 63–32. */
  readonly high: number;
  /** Bits 31–0. */
  readonly low: number;
}

/** Where an access goes after one stage or both. */
export interface Translation<Address> extends MemoryAttributes {
  /** Distinguishes a result from a fault. */
  readonly faulted: false;
  /** The output address. */
  readonly address: Address;
  /** It lies in Secure memory. */
  readonly secure: boolean;
  /** Branches into the page must lead to instructions made for it (GP of the descriptor, FEAT_BTI). */
  readonly guarded: boolean;
  /** Offset in the machine's memory of stage 1's last descriptor; −1 without one, or where stage 2 has a say. */
  readonly descriptor: number;
}

/** The tables that translate a virtual address, and what they are given of it. */
export interface TranslatedRange {
  /** What TTBR0 or TTBR1 describe. */
  readonly range: AddressRange;
  /** The bits that the tables resolve. */
  readonly input: number;
}

/** Whether the top byte of an address of the range counts (Arm ARM EffectiveTBI). */
function isTopIgnored(range: AddressRange, isFetch: boolean): boolean {
  return isFetch ? range.topByteIgnoredByFetch : range.topByteIgnored;
}

/** Chooses TTBR0 or TTBR1 and gives the bits that the tables resolve; undefined between the ranges. */
export function rangeOf(
  stage1: Stage1Controls,
  { high, low }: SplitAddress,
  isFetch: boolean,
): TranslatedRange | undefined {
  const useUpper = stage1.upper !== undefined && (high & 0x0080_0000) !== 0;
  const range = useUpper ? stage1.upper : stage1.lower;
  const flip = useUpper ? 0xffff_ffff : 0;
  const top = (high ^ flip) & (isTopIgnored(range, isFetch) ? 0x00ff_ffff : 0xffff_ffff);
  const distance = (top >>> 0) * 0x1_0000_0000 + ((low ^ flip) >>> 0);
  const size = powerOf2(range.inputSize);
  if (distance >= size) return undefined;
  return { range, input: useUpper ? size - 1 - distance : distance };
}

/** Stage 1 off: the address is its own translation (Arm ARM AArch64.TranslateAddressS1Off). */
export function stage1Off(
  { stage1, physicalSize }: TranslationControls,
  { high, low }: SplitAddress,
  request: TranslationRequest,
): Translation<IntermediateAddress> | Fault {
  const range = stage1.upper !== undefined && (high & 0x0080_0000) !== 0 ? stage1.upper : stage1.lower;
  const top = (isTopIgnored(range, request.kind === "execute") ? high & 0x00ff_ffff : high) >>> 0;
  if (top >= 2 ** (physicalSize - 32)) return stage1Fault("addressSize");
  const address = (top * 0x1_0000_0000 + low) as IntermediateAddress;
  const attributes = stage1.defaultCacheable
    ? DEFAULT_CACHEABLE
    : request.kind !== "execute"
    ? DEVICE_NGNRNE
    : stage1.fetchCacheable
    ? FETCH_CACHEABLE
    : NON_CACHEABLE;
  if (!request.aligned && isDevice(attributes.attribute)) return stage1Fault("alignment");
  return { faulted: false, address, secure: stage1.secure, guarded: false, descriptor: -1, ...attributes };
}

/** GP, bit 50 of a block or page descriptor. */
const GUARDED = 1 << 18;

/** Whether stage 1 forbids the access (Arm ARM AArch64.CheckPermission). */
function stage1Forbids(
  stage1: Stage1Controls,
  leaf: Leaf,
  request: TranslationRequest,
  secure: boolean,
): boolean {
  const { low, high, tables } = leaf;
  const readOnly = (low & 0x80) !== 0 || (tables & TABLE_READ_ONLY) !== 0;
  const executeNever = (high & 0x0040_0000) !== 0 || (tables & TABLE_XN) !== 0;
  const { kind, privileged } = request;
  if (kind === "maintain") return false;
  if (kind === "execute" && stage1.secureFetchOnly && !secure) return true;
  if (!stage1.withEl0) {
    if (kind === "execute") return executeNever || (!readOnly && stage1.writeExecuteNever);
    return kind === "write" && readOnly;
  }
  const userReads = (low & 0x40) !== 0 && (tables & TABLE_NO_EL0) === 0;
  const userWrites = userReads && !readOnly;
  if (kind !== "execute" && privileged && request.pan === true && userReads) return true;
  if (kind === "read") return !privileged && !userReads;
  if (kind === "write") return privileged ? readOnly : !userWrites;
  if (!privileged) return executeNever || (userWrites && stage1.writeExecuteNever);
  const privilegedNever = (high & 0x0020_0000) !== 0 || (tables & TABLE_PXN) !== 0;
  // What EL0 can write, EL1 never executes.
  return privilegedNever || userWrites || (!readOnly && stage1.writeExecuteNever);
}

/**
 * Stage 1 alone. Its table walks still go through stage 2 where that is enabled. The result is a physical address
 * when stage 2 is not.
 */
export function translateStage1(
  memory: PhysicalMemory,
  controls: TranslationControls,
  address: SplitAddress,
  request: TranslationRequest,
): Translation<IntermediateAddress> | Fault {
  const { stage1, stage2 } = controls;
  if (!stage1.enabled) return stage1Off(controls, address, request);
  const found = rangeOf(stage1, address, request.kind === "execute");
  if (found === undefined) return stage1Fault("translation");
  const locate = stage2 === undefined ? undefined : tableLocator(memory, stage2);
  const leaf = walk(memory, found.range, found.input, 1, false, locate);
  if (leaf.faulted) return leaf;
  return resolveStage1(stage1, leaf, attributeOf(stage1, leaf), request);
}

/** The attribute that MAIR_ELx gives a leaf of stage 1. */
export function attributeOf({ attributes }: Stage1Controls, { low }: Leaf): number {
  return attributes[(low >> 2) & 7] as number;
}

/** What a leaf of stage 1 with an attribute means for an access. */
export function resolveStage1(
  stage1: Stage1Controls,
  leaf: Leaf,
  attribute: number,
  request: TranslationRequest,
): Translation<IntermediateAddress> | Fault {
  const { low, high, level, tables } = leaf;
  const secure = stage1.secure && (low & 0x20) === 0 && (tables & TABLE_NS) === 0;
  if ((low & 0x400) === 0) return stage1Fault("accessFlag", level);
  if (!request.aligned && isDevice(attribute)) return stage1Fault("alignment");
  if (stage1Forbids(stage1, leaf, request, secure)) return stage1Fault("permission", level);
  return {
    faulted: false,
    address: leaf.address as IntermediateAddress,
    secure,
    guarded: (high & GUARDED) !== 0,
    descriptor: leaf.descriptor,
    attribute,
    shareability: (low >> 8) & 3,
  };
}

/** How stage 1 tables are read through stage 2. */
export const TABLE_READ: TranslationRequest = { kind: "read", privileged: true, aligned: true };

/** Where a stage 1 table is: the translation of its address by stage 2. */
function tableLocator(memory: PhysicalMemory, stage2: Stage2Controls): LocateTable {
  return (address) => {
    const result = translateStage2(memory, stage2, address as IntermediateAddress, TABLE_READ, true);
    return result.faulted ? result : result.address;
  };
}

/** Stage 2 of an intermediate physical address; `onWalk` when stage 1 wants to read a descriptor there. */
export function translateStage2(
  memory: PhysicalMemory,
  stage2: Stage2Controls,
  ipa: IntermediateAddress,
  request: TranslationRequest,
  onWalk: boolean,
): Translation<PhysicalAddress> | Fault {
  const leaf = walkStage2(memory, stage2, ipa, onWalk);
  return leaf.faulted ? leaf : resolveStage2(stage2, leaf, ipa, request, onWalk);
}

/** The leaf that stage 2 tables have for an intermediate physical address. */
export function walkStage2(
  memory: PhysicalMemory,
  stage2: Stage2Controls,
  ipa: IntermediateAddress,
  onWalk: boolean,
): Leaf | Fault {
  if (ipa >= 2 ** stage2.inputSize) return stage2Fault("translation", 0, ipa, onWalk);
  return walk(memory, stage2, ipa, 2, onWalk, undefined);
}

/** What a leaf of stage 2 means for an access. */
export function resolveStage2(
  stage2: Stage2Controls,
  leaf: Leaf,
  ipa: IntermediateAddress,
  request: TranslationRequest,
  onWalk: boolean,
): Translation<PhysicalAddress> | Fault {
  const fault = (kind: FaultKind, level: number) => stage2Fault(kind, level, ipa, onWalk);
  const { low, high, level } = leaf;
  if ((low & 0x400) === 0) return fault("accessFlag", level);
  const disabled = request.kind === "execute" ? stage2.fetchNonCacheable : stage2.dataNonCacheable;
  const attribute = stage2Attribute((low >> 2) & 15, disabled);
  if (!request.aligned && isDevice(attribute)) return fault("alignment", level);
  if (stage2Forbids(low, high, request)) return fault("permission", level);
  if (onWalk && isDevice(attribute) && stage2.protectedWalks) return fault("permission", level);
  return {
    faulted: false,
    address: leaf.address as PhysicalAddress,
    secure: false,
    guarded: false,
    descriptor: -1,
    attribute,
    shareability: (low >> 8) & 3,
  };
}

/** S2AP and XN (Arm ARM AArch64.CheckS2Permission). */
function stage2Forbids(low: number, high: number, { kind }: TranslationRequest): boolean {
  switch (kind) {
    case "read":
      return (low & 0x40) === 0;
    case "write":
      return (low & 0x80) === 0;
    case "execute":
      return (high & 0x0040_0000) !== 0;
    case "maintain":
      return false;
  }
}

/** Both stages: the physical address of a virtual one with combined attributes, or the first fault. */
export function translate(
  memory: PhysicalMemory,
  controls: TranslationControls,
  address: SplitAddress,
  request: TranslationRequest,
): Translation<PhysicalAddress> | Fault {
  const first = translateStage1(memory, controls, address, request);
  if (first.faulted) return first;
  const { stage2 } = controls;
  // An intermediate address is a physical one then.
  if (stage2 === undefined) return first as Translation<number> as Translation<PhysicalAddress>;
  const second = translateStage2(memory, stage2, first.address, request, false);
  if (second.faulted) return second;
  return { ...second, guarded: first.guarded, ...combineAttributes(first, second) };
}
