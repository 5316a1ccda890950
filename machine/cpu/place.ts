/** Where an access within one page goes: found by the TLB or by walking tables, then read or written. */
import type { PhysicalAddress } from "../address.ts";
import { isDevice } from "../memory/attributes.ts";
import { type Fault, stage1Fault } from "../memory/fault.ts";
import { type AccessControls, type TlbTable, WATCHED_CONTEXT, WRITE_CONTEXT } from "../memory/tlb.ts";
import { type MemoryRegion, PAGE_SIZE } from "../memory/physical.ts";
import {
  type SplitAddress,
  translate,
  type Translation,
  type TranslationRequest,
} from "../memory/translation.ts";
import { isPageWatched } from "./breakpoints.ts";
import type { Cpu } from "./cpu.ts";
import type { ExceptionLevel } from "./exception.ts";
import { readDevice, writeDevice } from "./device_access.ts";
import {
  bytesOf,
  fetchVisibly,
  isCached,
  readVisibly,
  translateVisibly,
  writeVisibly,
} from "./strict_access.ts";
import type { StrictModels } from "./strict_models.ts";
import { accessControls, controlsOf, regimeOf } from "./translation_regime.ts";

/** Where one access within a page goes. */
export interface Place {
  /** Distinguishes a place from a fault. */
  readonly faulted: false;
  /** Offset in the machine's memory, or −1 when a device must answer, if anything does. */
  readonly hostOffset: number;
  /** Physical address. */
  readonly physical: number;
  /** Security state of the access on the bus. */
  readonly secure: boolean;
  /** The page is guarded (FEAT_BTI). */
  readonly guarded: boolean;
  /** Accesses go to the strict caches. */
  readonly cached: boolean;
}

/** What a TLB table is for. */
export type AccessKind = "read" | "write" | "execute";

const WIDE = new BigUint64Array(1);
const HALVES = new Uint32Array(WIDE.buffer);

/** The halves of a virtual address, without arithmetic on bigints. */
export function splitAddress(address: bigint): SplitAddress {
  WIDE[0] = address;
  return { high: HALVES[1] as number, low: HALVES[0] as number };
}

/** Bits 31–0 of a virtual address. */
export function low32(address: bigint): number {
  WIDE[0] = address;
  return HALVES[0] as number;
}

/** Finds where an access within one page goes, by the TLB or by walking tables; the only place that fills the TLB. */
export function locate(
  cpu: Cpu,
  controls: AccessControls,
  address: bigint,
  kind: AccessKind,
  aligned: boolean,
): Place | Fault {
  const { tlb, surroundings: { memory, strict } } = cpu;
  const split = splitAddress(address);
  const { high, low } = split;
  const plain = (high & 0x0080_0000) === 0 ? controls.lowerContext : controls.upperContext;
  const watches = kind === "execute" ? undefined : cpu.watches;
  const isWatched = kind !== "execute" &&
    (isPageWatched(cpu, address) || watches?.isVirtualPage(kind, high, low) === true);
  const context = isWatched ? plain | WATCHED_CONTEXT : plain;
  const table: TlbTable = tlb[kind];
  let index = table.find(high, low, context);
  if (index < 0 && kind !== "execute" && watches?.hasPhysical(kind) === true) {
    index = table.find(high, low, plain | WATCHED_CONTEXT);
  }
  const mayHit = strict === undefined || strict.contexts?.[cpu.index]?.translates !== true;
  if (mayHit && index >= 0 && (aligned || !table.mustAlign(index))) {
    const within = low & (PAGE_SIZE - 1);
    return {
      faulted: false,
      hostOffset: table.hostPage(index) + within,
      physical: (table.physicalPage[index] as number) + within,
      secure: false,
      guarded: table.isGuarded(index),
      cached: strict !== undefined && table.isCached(index),
    };
  }
  const known = aligned && strict === undefined ? elsewhereEntry(cpu, high, low, context, kind) : -1;
  if (known >= 0) {
    const physical = (tlb.elsewhere.physicalPage[known] as number) + (low & (PAGE_SIZE - 1));
    return { faulted: false, hostOffset: -1, physical, secure: false, guarded: false, cached: false };
  }
  const { privileged, pan } = controls;
  const request: TranslationRequest = { kind, privileged, pan, aligned };
  const result = strict === undefined
    ? translate(memory, controls.translation, split, request)
    : translateAccess(cpu, strict, controls, split, request);
  if (result.faulted) return result;
  const { address: physical, secure, guarded, attribute, descriptor } = result;
  const target = memory.target(physical, secure);
  if (target === undefined) return stage1Fault("external");
  const isFrameWatched = kind !== "execute" && watches?.isPhysicalPage(kind, physical) === true;
  const entered = isFrameWatched ? plain | WATCHED_CONTEXT : context;
  const elsewhere: Place = { faulted: false, hostOffset: -1, physical, secure, guarded, cached: false };
  if (target.kind === "device" || !isDirect(target.region, kind)) {
    const isKept = aligned && !secure && strict === undefined && kind !== "execute";
    if (isKept) {
      tlb.fill(tlb.elsewhere, high, low, contextElsewhere(entered, kind), 0, physical, descriptor, true);
    }
    return elsewhere;
  }
  const { hostOffset } = target;
  const cached = strict !== undefined && strict.hasCaches &&
    isCached(controls.translation.stage1, attribute, kind === "execute");
  if (strict === undefined || strict.isLasting) {
    const mustAlign = isDevice(attribute) || controls.alignmentChecked;
    const filled = tlb.fill(table, high, low, entered, hostOffset, physical, descriptor, mustAlign, guarded);
    if (cached) table.markCached(filled);
  }
  return { faulted: false, hostOffset, physical, secure, guarded, cached };
}

/** What plain accesses want, by kind, then by privilege and PAN as bits 0 and 1. */
const PLAIN: Readonly<Record<AccessKind, readonly TranslationRequest[]>> = {
  read: plainRequests("read"),
  write: plainRequests("write"),
  execute: plainRequests("execute"),
};

function plainRequests(kind: AccessKind): readonly TranslationRequest[] {
  return [0, 1, 2, 3].map((bits) => ({
    kind,
    privileged: (bits & 1) !== 0,
    pan: (bits & 2) !== 0,
    aligned: true,
  }));
}

/**
 * The entry of a page for aligned accesses that have the privilege of a level, entered if it has to be; −1 where there
 * is more to such an access of `size` bytes than bytes in memory: a fault, a device, watchpoints, bytes that someone
 * watches, strict models, big-endian data.
 */
export function pageEntry(
  cpu: Cpu,
  high: number,
  low: number,
  kind: AccessKind,
  level: ExceptionLevel = cpu.el,
  size = 1,
): number {
  const { tlb, surroundings: { memory, strict } } = cpu, table = tlb[kind];
  const context = tlb.contexts[level << 1 | high >>> 23 & 1] as number;
  const controls = tlb.levels[level];
  if (context === 0 || tlb.contexts[cpu.el << 1] === 0 || controls === undefined) return -1;
  if (cpu.armed !== undefined || strict !== undefined) return -1;
  const known = table.find(high, low, context);
  if (known >= 0) return known;
  const watches = kind === "execute" ? undefined : cpu.watches;
  if (kind !== "execute" && watches !== undefined) {
    const other = table.find(high, low, context | WATCHED_CONTEXT);
    if (other >= 0) {
      return watches.isWatched(kind, high, low, size, table.physicalPage[other] as number) ? -1 : other;
    }
    if (watches.isVirtualPage(kind, high, low)) return -1;
  }
  if (elsewhereEntry(cpu, high, low, context, kind) >= 0) return -1;
  // Fetches take a tag out of the address first.
  const top = high >>> 23;
  if (kind === "execute" && top !== 0 && top !== 0x1ff) return -1;
  const request = PLAIN[kind][(controls.privileged ? 1 : 0) | (controls.pan ? 2 : 0)] as TranslationRequest;
  const result = translate(memory, controls.translation, { high, low }, request);
  if (result.faulted) return -1;
  if (kind !== "execute" && watches?.isPhysicalPage(kind, result.address) === true) return -1;
  return enterPage(cpu, controls, high, low, context, kind, result);
}

/** Enters a page in the TLB, if it is memory that such accesses reach directly; the entry, or −1. */
function enterPage(
  { tlb, surroundings: { memory } }: Cpu,
  controls: AccessControls,
  high: number,
  low: number,
  context: number,
  kind: AccessKind,
  { address, secure, attribute, descriptor, guarded }: Translation<PhysicalAddress>,
): number {
  const target = memory.target(address, secure);
  if (target?.kind !== "memory" || !isDirect(target.region, kind)) return -1;
  const mustAlign = isDevice(attribute) || controls.alignmentChecked;
  return tlb.fill(tlb[kind], high, low, context, target.hostOffset, address, descriptor, mustAlign, guarded);
}

/** Accesses of a kind reach the bytes of a region. */
function isDirect({ device, direct }: MemoryRegion, kind: AccessKind): boolean {
  return kind === "write" ? device === undefined : direct;
}

/** The context of a page in the table of what is not memory. */
function contextElsewhere(context: number, kind: AccessKind): number {
  return kind === "write" ? context | WRITE_CONTEXT : context;
}

/** The entry of a page of which it is known that memory does not answer aligned accesses there; or −1. */
function elsewhereEntry({ tlb }: Cpu, high: number, low: number, context: number, kind: AccessKind): number {
  return kind === "execute" ? -1 : tlb.elsewhere.find(high, low, contextElsewhere(context, kind));
}

/**
 * The physical address of an aligned access of the present level in a page of which it is known that memory does not
 * answer there; −1 where that is not known.
 */
export function addressElsewhere(cpu: Cpu, high: number, low: number, kind: AccessKind): number {
  const { tlb, surroundings: { strict } } = cpu;
  if (cpu.armed !== undefined || strict !== undefined) return -1;
  const context = tlb.contexts[cpu.el << 1 | high >>> 23 & 1] as number;
  const known = context === 0 ? -1 : elsewhereEntry(cpu, high, low, context, kind);
  return known < 0 ? -1 : (tlb.elsewhere.physicalPage[known] as number) + (low & (PAGE_SIZE - 1));
}

/** The translation of an access where strict models have a say. */
function translateAccess(
  cpu: Cpu,
  strict: StrictModels,
  { translation, privileged }: AccessControls,
  address: SplitAddress,
  request: TranslationRequest,
): Translation<PhysicalAddress> | Fault {
  const level = privileged ? cpu.el : 0;
  const controlsNow = () => controlsOf(cpu, regimeOf(cpu, level));
  return translateVisibly(cpu, strict, translation, address, request, 2, controlsNow) as
    | Translation<PhysicalAddress>
    | Fault;
}

/** Reads 1, 2, 4, 8 or 16 bytes at an offset of the machine's memory. */
export function readMemory(view: DataView, offset: number, size: number): bigint {
  switch (size) {
    case 8:
      return view.getBigUint64(offset, true);
    case 4:
      return BigInt(view.getUint32(offset, true));
    case 1:
      return BigInt(view.getUint8(offset));
    case 2:
      return BigInt(view.getUint16(offset, true));
    default:
      return view.getBigUint64(offset, true) | (view.getBigUint64(offset + 8, true) << 64n);
  }
}

/** Writes a value of 1, 2, 4, 8 or 16 bytes at an offset of the machine's memory. */
export function writeMemory(view: DataView, offset: number, size: number, value: bigint): void {
  switch (size) {
    case 8:
      view.setBigUint64(offset, value, true);
      break;
    case 4:
      view.setUint32(offset, Number(value), true);
      break;
    case 1:
      view.setUint8(offset, Number(value));
      break;
    case 2:
      view.setUint16(offset, Number(value), true);
      break;
    default:
      view.setBigUint64(offset, value, true);
      view.setBigUint64(offset + 8, value >> 64n, true);
  }
}

/** Copies 1, 2, 4, 8 or 16 bytes from one offset of the machine's memory to another that they do not overlap. */
export function copyBytes(view: DataView, from: number, to: number, size: number): void {
  if (size === 1) view.setUint8(to, view.getUint8(from));
  else if (size === 2) view.setUint16(to, view.getUint16(from, true), true);
  else for (let at = 0; at < size; at += 4) view.setUint32(to + at, view.getUint32(from + at, true), true);
}

/** The part of an access in one page may have any size. */
const isPowerOfTwo = (size: number): boolean => (size & (size - 1)) === 0;

/** Reads 1–16 bytes, all in the page; the fault of a device that does not answer. */
export function readPlace(cpu: Cpu, place: Place, size: number): bigint | Fault {
  const { hostOffset, physical, secure } = place;
  if (hostOffset < 0) return readDevice(cpu, physical, size, secure);
  const { memory: { view }, strict } = cpu.surroundings;
  const visible = strict && readVisibly(cpu, strict, place, size);
  if (visible !== undefined) return visible;
  if (isPowerOfTwo(size)) return readMemory(view, hostOffset, size);
  let value = 0n;
  for (let index = size - 1; index >= 0; index--) {
    value = (value << 8n) | BigInt(view.getUint8(hostOffset + index));
  }
  return value;
}

/** Writes 1–16 bytes, all in the page. */
export function writePlace(cpu: Cpu, place: Place, size: number, value: bigint): Fault | undefined {
  const { hostOffset, physical, secure } = place;
  if (hostOffset < 0) return writeDevice(cpu, physical, size, value, secure);
  const { memory, strict } = cpu.surroundings;
  if (strict !== undefined && writeVisibly(cpu, strict, place, bytesOf(value, size))) return undefined;
  memory.markWritten(hostOffset, size, physical as PhysicalAddress, cpu.index);
  if (isPowerOfTwo(size)) {
    writeMemory(memory.view, hostOffset, size, value);
    return undefined;
  }
  for (let index = 0; index < size; index++) {
    memory.view.setUint8(hostOffset + index, Number((value >> BigInt(index * 8)) & 0xffn));
  }
  return undefined;
}

/** Looks at the page of the instruction at the PC, which was fetched: raises nothing and leaves no event. */
function lookAtCode<T>(cpu: Cpu, look: (place: Place | Fault) => T): T {
  const { strict } = cpu.surroundings;
  if (strict !== undefined) strict.isQuiet = true;
  const result = look(locate(cpu, accessControls(cpu, cpu.el), cpu.pc, "execute", true));
  if (strict !== undefined) strict.isQuiet = false;
  return result;
}

/** The page of the instruction at the PC is guarded: it was fetched, so its translation is known (FEAT_BTI). */
export function isGuarded(cpu: Cpu): boolean {
  return lookAtCode(cpu, (place) => !place.faulted && place.guarded);
}

/** The word at the PC as it was fetched, or −1 where it is not in memory. */
export function currentOpcode(cpu: Cpu): number {
  return lookAtCode(
    cpu,
    (place) => place.faulted || place.hostOffset < 0 ? -1 : fetchWord(cpu, place),
  );
}

/** The word of an instruction in memory. */
export function fetchWord(cpu: Cpu, place: Place): number {
  const { memory, strict } = cpu.surroundings;
  return strict === undefined
    ? memory.view.getUint32(place.hostOffset, true)
    : fetchVisibly(cpu, strict, place);
}
