/** Any access to memory: alignment, translation, page crossing, byte order, RAM, devices and monitors. */
import type { PhysicalAddress } from "../address.ts";
import type { Access } from "../ir/operations.ts";
import { isDevice } from "../memory/attributes.ts";
import { type Fault, stage1Fault } from "../memory/fault.ts";
import type { AccessControls, TlbTable } from "../memory/tlb.ts";
import { type SplitAddress, translate, type TranslationRequest } from "../memory/translation.ts";
import { raiseDataAbort, raiseInstructionAbort, raisePcAlignment } from "./abort.ts";
import type { Cpu } from "./cpu.ts";
import { readDevice, writeDevice } from "./device_access.ts";
import type { ExceptionLevel } from "./exception.ts";
import { accessControls } from "./translation_regime.ts";

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
}

type AccessKind = "read" | "write" | "execute";

const PAGE = 4096;
const low32 = (address: bigint): number => Number(BigInt.asUintN(32, address));

/** The halves of a virtual address. */
export function splitAddress(address: bigint): SplitAddress {
  return { high: Number(BigInt.asUintN(32, address >> 32n)), low: low32(address) };
}

/** Controls of an access: LDTR and STTR at EL1 have EL0's privilege but EL1's byte order and alignment checks. */
function levelOf(cpu: Cpu, access: Access): ExceptionLevel {
  return access === "unprivileged" && cpu.el === 1 ? 0 : cpu.el;
}

/** Finds where an access within one page goes, by the TLB or by walking tables; the only place that fills the TLB. */
export function locate(
  cpu: Cpu,
  controls: AccessControls,
  address: bigint,
  kind: AccessKind,
  aligned: boolean,
): Place | Fault {
  const { tlb, surroundings: { memory } } = cpu;
  const split = splitAddress(address);
  const { high, low } = split;
  const context = (high & 0x0080_0000) === 0 ? controls.lowerContext : controls.upperContext;
  const table: TlbTable = tlb[kind];
  const index = table.find(high, low, context);
  if (index >= 0 && (aligned || table.device[index] === 0)) {
    const within = low & (PAGE - 1);
    return {
      faulted: false,
      hostOffset: (table.hostPage[index] as number) + within,
      physical: (table.physicalPage[index] as number) + within,
      secure: false,
    };
  }
  const request: TranslationRequest = { kind, privileged: controls.privileged, aligned };
  const result = translate(memory, controls.translation, split, request);
  if (result.faulted) return result;
  const { address: physical, secure, attribute } = result;
  const target = memory.target(physical, secure);
  if (target === undefined) return stage1Fault("external");
  if (target.kind === "device") return { faulted: false, hostOffset: -1, physical, secure };
  const { region: { device, direct }, hostOffset } = target;
  if (kind === "write" ? device !== undefined : !direct) {
    return { faulted: false, hostOffset: -1, physical, secure };
  }
  tlb.fill(table, high, low, context, hostOffset, physical, isDevice(attribute));
  return { faulted: false, hostOffset, physical, secure };
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

/** The part of an access in one page may have any size. */
const isPowerOfTwo = (size: number): boolean => (size & (size - 1)) === 0;

function readPlace(cpu: Cpu, { hostOffset, physical, secure }: Place, size: number): bigint | Fault {
  if (hostOffset < 0) return readDevice(cpu, physical, size, secure);
  const { view } = cpu.surroundings.memory;
  if (isPowerOfTwo(size)) return readMemory(view, hostOffset, size);
  let value = 0n;
  for (let index = size - 1; index >= 0; index--) {
    value = (value << 8n) | BigInt(view.getUint8(hostOffset + index));
  }
  return value;
}

function writePlace(cpu: Cpu, place: Place, size: number, value: bigint): Fault | undefined {
  const { hostOffset, physical, secure } = place;
  if (hostOffset < 0) return writeDevice(cpu, physical, size, value, secure);
  const { memory } = cpu.surroundings;
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

/** Reverses the bytes of each element of a value. */
function swapElements(value: bigint, size: number, element: number): bigint {
  let result = 0n;
  for (let index = 0; index < size; index++) {
    const mirrored = index - index % element + (element - 1 - index % element);
    result |= ((value >> BigInt(index * 8)) & 0xffn) << BigInt(mirrored * 8);
  }
  return result;
}

/** Bytes of one element, whose order SCTLR_ELx.EE gives: half of an exclusive pair, otherwise the whole access. */
function elementSize(cpu: Cpu, size: number, exclusive: boolean): number {
  const isPair = exclusive && (currentOpcode(cpu) & 0x0020_0000) !== 0;
  return isPair ? size / 2 : size;
}

/** The word at the PC as memory has it now, or −1 where it is not in memory; raises nothing. */
export function currentOpcode(cpu: Cpu): number {
  const place = locate(cpu, accessControls(cpu, cpu.el), cpu.pc, "execute", true);
  return place.faulted || place.hostOffset < 0
    ? -1
    : cpu.surroundings.memory.view.getUint32(place.hostOffset, true);
}

function raiseData(cpu: Cpu, fault: Fault, address: bigint, write: boolean): void {
  const opcode = fault.stage === 2 ? currentOpcode(cpu) : -1;
  raiseDataAbort(cpu, fault, { address, write, opcode });
}

/** Faults on a misaligned access that must be aligned whatever the memory (Arm ARM AArch64.CheckAlignment). */
function refusesAlignment(
  cpu: Cpu,
  address: bigint,
  aligned: boolean,
  access: Access,
  write: boolean,
): boolean {
  const free = (access === "normal" || access === "unprivileged") &&
    !accessControls(cpu, cpu.el).alignmentChecked;
  if (aligned || free) return false;
  raiseData(cpu, stage1Fault("alignment"), address, write);
  return true;
}

/** The one or two pages of an access, all translated before anything is read or written; undefined after a fault. */
function locateAll(
  cpu: Cpu,
  address: bigint,
  size: number,
  access: Access,
  kind: "read" | "write",
): [first: Place, second?: Place] | undefined {
  const aligned = (low32(address) & (size - 1)) === 0;
  if (refusesAlignment(cpu, address, aligned, access, kind === "write")) return undefined;
  const controls = accessControls(cpu, levelOf(cpu, access));
  const first = locate(cpu, controls, address, kind, aligned);
  if (first.faulted) {
    raiseData(cpu, first, address, kind === "write");
    return undefined;
  }
  const inFirst = PAGE - (low32(address) & (PAGE - 1));
  if (size <= inFirst) return [first];
  const next = BigInt.asUintN(64, address + BigInt(inFirst));
  const second = locate(cpu, controls, next, kind, aligned);
  if (!second.faulted) return [first, second];
  raiseData(cpu, second, next, kind === "write");
  return undefined;
}

/** Reads through every check; see `load` in memory_access.ts. */
export function load(cpu: Cpu, address: bigint, size: number, access: Access): bigint {
  const places = locateAll(cpu, address, size, access, "read");
  return places === undefined ? 0n : read(cpu, places, address, size, false);
}

function read(
  cpu: Cpu,
  [first, second]: [Place, Place?],
  address: bigint,
  size: number,
  exclusive: boolean,
): bigint {
  const inFirst = second === undefined ? size : PAGE - (low32(address) & (PAGE - 1));
  let value = readPlace(cpu, first, inFirst);
  if (second !== undefined && typeof value === "bigint") {
    const rest = readPlace(cpu, second, size - inFirst);
    value = typeof rest === "bigint" ? value | (rest << BigInt(inFirst * 8)) : rest;
  }
  if (typeof value !== "bigint") {
    raiseData(cpu, value, address, false);
    return 0n;
  }
  if (!accessControls(cpu, cpu.el).bigEndian) return value;
  return swapElements(value, size, elementSize(cpu, size, exclusive));
}

/** Writes through every check; see `store` in memory_access.ts. */
export function store(cpu: Cpu, address: bigint, size: number, value: bigint, access: Access): void {
  const places = locateAll(cpu, address, size, access, "write");
  if (places !== undefined) write(cpu, places, address, size, value, false);
}

function write(
  cpu: Cpu,
  [first, second]: [Place, Place?],
  address: bigint,
  size: number,
  value: bigint,
  exclusive: boolean,
): void {
  const ordered = accessControls(cpu, cpu.el).bigEndian
    ? swapElements(value, size, elementSize(cpu, size, exclusive))
    : value;
  const inFirst = second === undefined ? size : PAGE - (low32(address) & (PAGE - 1));
  const head = second === undefined ? ordered : BigInt.asUintN(inFirst * 8, ordered);
  let fault = writePlace(cpu, first, inFirst, head);
  if (second !== undefined) fault ??= writePlace(cpu, second, size - inFirst, ordered >> BigInt(inFirst * 8));
  if (fault !== undefined) raiseData(cpu, fault, address, true);
}

/** Load-exclusive; see memory_access.ts. */
export function loadExclusive(cpu: Cpu, address: bigint, size: number, access: Access): bigint {
  const places = locateAll(cpu, address, size, access, "read");
  if (places === undefined) return 0n;
  const value = read(cpu, places, address, size, true);
  if (cpu.pending === undefined) cpu.monitor.set(places[0].physical, size);
  return value;
}

/**
 * Store-exclusive; see memory_access.ts. Alignment is checked first; a closed monitor fails the store before its
 * address is translated, an open one after (Arm ARM AArch64.ExclusiveMonitorsPass; QEMU's order).
 */
export function storeExclusive(
  cpu: Cpu,
  address: bigint,
  size: number,
  value: bigint,
  access: Access,
): bigint {
  const aligned = (low32(address) & (size - 1)) === 0;
  if (refusesAlignment(cpu, address, aligned, access, true) || !cpu.monitor.open) return 1n;
  const places = locateAll(cpu, address, size, access, "write");
  if (places === undefined) return 1n;
  const passed = cpu.monitor.allows(places[0].physical, size);
  cpu.monitor.clear("storeExclusive");
  if (!passed) return 1n;
  write(cpu, places, address, size, value, true);
  return cpu.pending === undefined ? 0n : 1n;
}

/**
 * Gives the PC the form that a branch to it would: without an address tag where the top byte is ignored (Arm ARM
 * BranchAddr). Branches leave tags in; the next fetch, or an interrupt before it, takes them out.
 */
export function untagPc(cpu: Cpu): void {
  const { stage1 } = accessControls(cpu, cpu.el).translation;
  const pc = cpu.pc;
  const negative = stage1.upper !== undefined && ((pc >> 55n) & 1n) === 1n;
  const { topByteIgnored } = negative ? stage1.upper : stage1.lower;
  if (topByteIgnored) {
    cpu.registers.pc = BigInt.asUintN(64, negative ? BigInt.asIntN(56, pc) : BigInt.asUintN(56, pc));
  }
}

/** Fetches through every check; see `fetch` in memory_access.ts. */
export function fetch(cpu: Cpu): number {
  untagPc(cpu);
  if ((cpu.pc & 3n) !== 0n) {
    raisePcAlignment(cpu);
    return -1;
  }
  const place = locate(cpu, accessControls(cpu, cpu.el), cpu.pc, "execute", true);
  if (place.faulted) {
    raiseInstructionAbort(cpu, place);
    return -1;
  }
  const { hostOffset, physical, secure } = place;
  if (hostOffset >= 0) return cpu.surroundings.memory.view.getUint32(hostOffset, true);
  const word = readDevice(cpu, physical, 4, secure);
  if (typeof word === "bigint") return Number(word);
  raiseInstructionAbort(cpu, word);
  return -1;
}
