/** Translation, loads, stores and fetches where strict models let caches be seen. */
import type { Fault } from "../memory/fault.ts";
import { isDevice } from "../memory/attributes.ts";
import { presentSizeLog2, translateStrictly } from "../memory/strict_translation.ts";
import {
  type SplitAddress,
  translate,
  translateStage1,
  type Translation,
  type TranslationRequest,
} from "../memory/translation.ts";
import type { Stage1Controls, TranslationControls } from "../memory/translation_controls.ts";
import type { Cpu } from "./cpu.ts";
import { parOf } from "./par.ts";
import type { Place } from "./place.ts";
import type { StrictModels } from "./strict_models.ts";

type Outcome = Translation<number> | Fault;

/** Both stages, or the first alone, by the tables as they are. */
function translateNow(
  { surroundings: { memory } }: Cpu,
  controls: TranslationControls,
  address: SplitAddress,
  request: TranslationRequest,
  stages: 1 | 2,
): Outcome {
  return stages === 1
    ? translateStage1(memory, controls, address, request)
    : translate(memory, controls, address, request);
}

/** Nothing that an access or software can see of two outcomes differs. */
function isSame(a: Outcome, b: Outcome): boolean {
  if (a.faulted || b.faulted) return a.faulted && b.faulted && a.ipa === b.ipa && parOf(a) === parOf(b);
  return a.address === b.address && parOf(a) === parOf(b) && a.guarded === b.guarded;
}

function asBigint({ high, low }: SplitAddress): bigint {
  return BigInt(high) << 32n | BigInt(low);
}

/** What a TLB gave is not what the tables have: an event, and another when they have a page of another size. */
function reportStale(
  cpu: Cpu,
  controls: TranslationControls,
  split: SplitAddress,
  kind: TranslationRequest["kind"],
  [used, present]: readonly [Outcome, Outcome],
  usedSizeLog2: number,
): void {
  const { events, memory } = cpu.surroundings;
  const address = asBigint(split);
  const fields = { address, access: kind, used: parOf(used), present: parOf(present) };
  events.emit("staleTranslationUsed", cpu.index, fields);
  const sizeLog2 = presentSizeLog2(memory, controls, split);
  if (sizeLog2 === 0 || sizeLog2 === usedSizeLog2) return;
  reportOverlap(cpu, address, 2 ** usedSizeLog2, 2 ** sizeLog2);
}

function reportOverlap(cpu: Cpu, address: bigint, cachedSize: number, presentSize: number): void {
  const fields = { address, cachedSize, presentSize };
  cpu.surroundings.events.emit("breakBeforeMakeViolated", cpu.index, fields);
}

/** Translates by the TLB model; `isLasting` tells whether the tables agree. */
function translateByTlb(
  cpu: Cpu,
  strict: StrictModels,
  controls: TranslationControls,
  address: SplitAddress,
  request: TranslationRequest,
  stages: 1 | 2,
): Outcome {
  const tlb = strict.tlbs?.[cpu.index];
  if (tlb === undefined) {
    const result = translateNow(cpu, controls, address, request, stages);
    if (strict.reportWalks(cpu.index)) strict.isLasting = false;
    return result;
  }
  const { memory } = cpu.surroundings;
  const { result, usedSizeLog2, overlap } = translateStrictly(
    memory,
    tlb,
    controls,
    address,
    request,
    stages,
  );
  if (strict.reportWalks(cpu.index)) strict.isLasting = false;
  if (overlap !== undefined && !strict.isQuiet) reportOverlap(cpu, asBigint(address), ...overlap);
  if (usedSizeLog2 === 0) return result;
  const present = translateNow(cpu, controls, address, request, stages);
  if (!isSame(result, present)) {
    strict.isLasting = false;
    const outcomes = [result, present] as const;
    if (!strict.isQuiet) reportStale(cpu, controls, address, request.kind, outcomes, usedSizeLog2);
  }
  if (strict.dataCache !== undefined) strict.dataCache.staleWalk = undefined;
  return result;
}

/**
 * Translates an address as the strict models have it, with their events; sets `isLasting`. `controlsNow` gives the
 * controls as the system registers stand when it is called.
 */
export function translateVisibly(
  cpu: Cpu,
  strict: StrictModels,
  controls: TranslationControls,
  address: SplitAddress,
  request: TranslationRequest,
  stages: 1 | 2,
  controlsNow: () => TranslationControls,
): Outcome {
  strict.isLasting = true;
  const result = translateByTlb(cpu, strict, controls, address, request, stages);
  const context = strict.contexts?.[cpu.index];
  if (context?.translates === true) {
    strict.isLasting = false;
    if (!strict.isQuiet) {
      context.check(cpu, () => whereTo(translateNow(cpu, controlsNow(), address, request, stages)));
      if (strict.dataCache !== undefined) strict.dataCache.staleWalk = undefined;
    }
  }
  return result;
}

/** Where an outcome leads, without attributes: those of memory change whenever translation is turned on. */
function whereTo(outcome: Outcome): string {
  return outcome.faulted ? `fault ${parOf(outcome)}` : `${outcome.secure} ${outcome.address}`;
}

/** Inner or outer Write-Back: transient or not, with an allocation hint (Arm ARM MAIR_ELx). */
const isWriteBack = (nibble: number): boolean => nibble > 4 && (nibble & 4) !== 0;

/**
 * Accesses with an attribute go to the strict caches: data when it is Write-Back, inner and outer, fetches when it is
 * cacheable at all; where SCTLR_ELx.C and I allow.
 */
export function isCached(stage1: Stage1Controls, attribute: number, isFetch: boolean): boolean {
  const inner = attribute & 15, outer = attribute >> 4;
  if (isDevice(attribute)) return false;
  if (isFetch) return stage1.fetchCacheable && inner !== 4 && outer !== 4;
  const isAllowed = stage1.dataCacheable || stage1.defaultCacheable;
  return isAllowed && isWriteBack(inner) && isWriteBack(outer);
}

/** Bytes in memory order as a number. */
export function littleEndian(bytes: Uint8Array): bigint {
  let value = 0n;
  for (let index = bytes.length - 1; index >= 0; index--) {
    value = (value << 8n) | BigInt(bytes[index] as number);
  }
  return value;
}

/** The lowest bytes of a number in memory order. */
export function bytesOf(value: bigint, size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, index) => Number((value >> BigInt(index * 8)) & 0xffn));
}

/** Reads 1–16 bytes in one page from the data cache; undefined when memory has to be read. */
export function readVisibly(cpu: Cpu, strict: StrictModels, place: Place, size: number): bigint | undefined {
  const cache = strict.dataCacheFor(cpu.index);
  const { physical, hostOffset, cached } = place;
  if (cached) return cache?.read(physical, size);
  cache?.checkMemory(physical, hostOffset, size);
  return undefined;
}

/** Writes bytes in one page to the data cache; false when they go to memory. */
export function writeVisibly(cpu: Cpu, strict: StrictModels, place: Place, bytes: Uint8Array): boolean {
  const cache = place.cached ? strict.dataCacheFor(cpu.index) : undefined;
  cache?.write(place.physical, bytes, cpu.index);
  return cache !== undefined;
}

/** The word that a fetch from memory gets. */
function heldWord(cpu: Cpu, strict: StrictModels, { physical, hostOffset, cached }: Place): number {
  const { memory } = cpu.surroundings;
  const { dataCache, instructionCaches } = strict;
  if (!cached || !strict.hasCaches) return memory.view.getUint32(hostOffset, true);
  const fetchLine = (address: number, into: Uint8Array): void => {
    const offset = hostOffset - physical + address;
    if (dataCache === undefined) into.set(memory.bytes.subarray(offset, offset + into.length));
    else dataCache.fetch(address, offset, into);
  };
  const cache = instructionCaches?.[cpu.index];
  if (cache !== undefined) return cache.word(physical, fetchLine);
  if (dataCache?.holds(physical) !== true) return memory.view.getUint32(hostOffset, true);
  const word = new Uint8Array(4);
  fetchLine(physical, word);
  return new DataView(word.buffer).getUint32(0, true);
}

/** The word that a fetch from memory gets, with an event when it is not the newest. */
export function fetchVisibly(cpu: Cpu, strict: StrictModels, place: Place): number {
  const { memory, events } = cpu.surroundings;
  const { physical, hostOffset } = place;
  const used = heldWord(cpu, strict, place);
  const present = strict.dataCache?.holds(physical) === true
    ? strict.dataCache.newestWord(physical, hostOffset)
    : memory.view.getUint32(hostOffset, true);
  if (used !== present && !strict.isQuiet) {
    events.emit("staleInstructionFetched", cpu.index, { address: cpu.pc, physical, used, present });
  }
  return used;
}
