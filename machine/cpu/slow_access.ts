/** Any access to memory: alignment, translation, page crossing, byte order, RAM, devices and monitors. */
import type { Access } from "../ir/operations.ts";
import { type Fault, stage1Fault } from "../memory/fault.ts";
import { PAGE_SIZE as PAGE } from "../memory/physical.ts";
import { raiseDataAbort, raiseInstructionAbort, raisePcAlignment } from "./abort.ts";
import { checkWatchpoints } from "./breakpoints.ts";
import type { Cpu } from "./cpu.ts";
import { readDevice } from "./device_access.ts";
import type { ExceptionLevel } from "./exception.ts";
import { currentOpcode, fetchWord, locate, low32, type Place, readPlace, writePlace } from "./place.ts";
import { accessControls, isInHost } from "./translation_regime.ts";

/**
 * The level whose controls are those of an access: unless PSTATE.UAO is 1, LDTR and STTR at EL1 and at EL2 of a host have EL0's privilege but
 * their own level's byte order and alignment checks.
 */
export function accessLevel(cpu: Cpu, access: Access): ExceptionLevel {
  if (access !== "unprivileged" || cpu.uao) return cpu.el;
  return cpu.el === 1 || (cpu.el === 2 && isInHost(cpu)) ? 0 : cpu.el;
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

/** Bytes of the elements of accesses that are not one element. */
const LANE_BYTES: Partial<Record<Access, number>> = { lanes8: 1, lanes16: 2, lanes32: 4 };

/** Bytes of one element, which is aligned on its own and whose order SCTLR_ELx.EE gives. */
function elementSize(size: number, access: Access): number {
  return LANE_BYTES[access] ?? size;
}

/** LDXP, STXP and CASP: each half is in byte order, though the pair is aligned as a whole. */
function isPair(cpu: Cpu, access: Access): boolean {
  return (access === "exclusive" || access === "atomic") &&
    (currentOpcode(cpu) & 0x3fa0_0000) === 0x0820_0000;
}

/** A value of registers as it is in memory, or the other way round. */
function inByteOrder(cpu: Cpu, value: bigint, size: number, access: Access): bigint {
  if (!accessControls(cpu, cpu.el).bigEndian) return value;
  return swapElements(value, size, isPair(cpu, access) ? size / 2 : elementSize(size, access));
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
  const needsNone = access === "normal" || access === "unprivileged" || LANE_BYTES[access] !== undefined;
  const free = needsNone && !accessControls(cpu, cpu.el).alignmentChecked;
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
  const aligned = (low32(address) & (elementSize(size, access) - 1)) === 0;
  if (refusesAlignment(cpu, address, aligned, access, kind === "write")) return undefined;
  const controls = accessControls(cpu, accessLevel(cpu, access));
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

/**
 * The page of an access that reads and then writes: both are allowed before either is done. The fault that a read would
 * find is reported as one of a read, unless stage 1 forbids the write: it comes before stage 2 (Arm ARM
 * AArch64.TranslateAddressForAtomicAccess; ESR_ELx.WnR).
 */
function locateUpdate(cpu: Cpu, address: bigint, size: number): [Place] | undefined {
  const aligned = (low32(address) & (size - 1)) === 0;
  if (refusesAlignment(cpu, address, aligned, "atomic", false)) return undefined;
  const controls = accessControls(cpu, cpu.el);
  const read = locate(cpu, controls, address, "read", aligned);
  const write = locate(cpu, controls, address, "write", aligned);
  if (!read.faulted && !write.faulted) return [read];
  const isWrite = write.faulted && (!read.faulted || write.stage < read.stage);
  raiseData(cpu, (isWrite ? write : read) as Fault, address, isWrite);
  return undefined;
}

/** A watchpoint matches an access whose places are known: it comes after all faults of translation (Arm ARM D1.12.4). */
function isWatched(cpu: Cpu, address: bigint, size: number, access: Access, write: boolean): boolean {
  return cpu.armed !== undefined &&
    checkWatchpoints(cpu, { address, size, write, level: accessLevel(cpu, access) });
}

/** Reads through every check; see `load` in memory_access.ts. */
export function load(cpu: Cpu, address: bigint, size: number, access: Access): bigint {
  const places = access === "atomic"
    ? locateUpdate(cpu, address, size)
    : locateAll(cpu, address, size, access, "read");
  if (places === undefined || isWatched(cpu, address, size, access, false)) return 0n;
  // An update is a write as well.
  if (access === "atomic" && isWatched(cpu, address, size, access, true)) return 0n;
  return read(cpu, places, address, size, access);
}

function read(
  cpu: Cpu,
  [first, second]: [Place, Place?],
  address: bigint,
  size: number,
  access: Access,
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
  cpu.watches?.accessed(cpu, false, address, size, [first, second]);
  return inByteOrder(cpu, value, size, access);
}

/** Writes through every check; see `store` in memory_access.ts. */
export function store(cpu: Cpu, address: bigint, size: number, value: bigint, access: Access): void {
  const places = locateAll(cpu, address, size, access, "write");
  if (places === undefined || isWatched(cpu, address, size, access, true)) return;
  write(cpu, places, address, size, value, access);
}

function write(
  cpu: Cpu,
  [first, second]: [Place, Place?],
  address: bigint,
  size: number,
  value: bigint,
  access: Access,
): void {
  const ordered = inByteOrder(cpu, value, size, access);
  const inFirst = second === undefined ? size : PAGE - (low32(address) & (PAGE - 1));
  const head = second === undefined ? ordered : BigInt.asUintN(inFirst * 8, ordered);
  let fault = writePlace(cpu, first, inFirst, head);
  if (second !== undefined) fault ??= writePlace(cpu, second, size - inFirst, ordered >> BigInt(inFirst * 8));
  if (fault !== undefined) return raiseData(cpu, fault, address, true);
  cpu.watches?.accessed(cpu, true, address, size, [first, second]);
}

/** Load-exclusive; see memory_access.ts. */
export function loadExclusive(cpu: Cpu, address: bigint, size: number, access: Access): bigint {
  const places = locateAll(cpu, address, size, access, "read");
  if (places === undefined || isWatched(cpu, address, size, access, false)) return 0n;
  const value = read(cpu, places, address, size, "exclusive");
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
  if (!passed || isWatched(cpu, address, size, access, true)) return 1n;
  write(cpu, places, address, size, value, "exclusive");
  return cpu.pending === undefined ? 0n : 1n;
}

/**
 * Gives the PC the form that a branch to it would: without an address tag where the top byte is ignored (Arm ARM
 * BranchAddr). Branches leave tags in; the next fetch, or an interrupt before it, takes them out.
 */
export function untagPc(cpu: Cpu): void {
  const pc = fetchAddress(cpu);
  if (pc !== cpu.pc) cpu.registers.pc = pc;
}

/** The PC in that form. */
function fetchAddress(cpu: Cpu): bigint {
  const { stage1 } = accessControls(cpu, cpu.el).translation;
  const pc = cpu.pc;
  const negative = stage1.upper !== undefined && ((pc >> 55n) & 1n) === 1n;
  const { topByteIgnoredByFetch } = negative ? stage1.upper : stage1.lower;
  if (!topByteIgnoredByFetch) return pc;
  return BigInt.asUintN(64, negative ? BigInt.asIntN(56, pc) : BigInt.asUintN(56, pc));
}

/** The instruction at the PC can be fetched; a look that changes nothing. Where strict models could tell, it is taken to be. */
export function isFetchable(cpu: Cpu): boolean {
  if ((cpu.pc & 3n) !== 0n) return false;
  if (cpu.surroundings.strict !== undefined) return true;
  return !locate(cpu, accessControls(cpu, cpu.el), fetchAddress(cpu), "execute", true).faulted;
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
  if (hostOffset >= 0) return fetchWord(cpu, place);
  const word = readDevice(cpu, physical, 4, secure);
  if (typeof word === "bigint") return Number(word);
  raiseInstructionAbort(cpu, word);
  return -1;
}
