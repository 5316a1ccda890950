/** Where an access within one page goes: found by the TLB or by walking tables, then read or written. */
import type { PhysicalAddress } from "../address.ts";
import { isDevice } from "../memory/attributes.ts";
import { type Fault, stage1Fault } from "../memory/fault.ts";
import type { AccessControls, TlbTable } from "../memory/tlb.ts";
import { PAGE_SIZE } from "../memory/physical.ts";
import { type SplitAddress, translate, type TranslationRequest } from "../memory/translation.ts";
import type { Cpu } from "./cpu.ts";
import { readDevice, writeDevice } from "./device_access.ts";
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
  /** The page is guarded (FEAT_BTI). */
  readonly guarded: boolean;
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
  const { tlb, surroundings: { memory } } = cpu;
  const split = splitAddress(address);
  const { high, low } = split;
  const context = (high & 0x0080_0000) === 0 ? controls.lowerContext : controls.upperContext;
  const table: TlbTable = tlb[kind];
  const index = table.find(high, low, context);
  if (index >= 0 && (aligned || !table.isDevice(index))) {
    const within = low & (PAGE_SIZE - 1);
    return {
      faulted: false,
      hostOffset: table.hostPage(index) + within,
      physical: (table.physicalPage[index] as number) + within,
      secure: false,
      guarded: table.isGuarded(index),
    };
  }
  const { privileged, pan } = controls;
  const request: TranslationRequest = { kind, privileged, pan, aligned };
  const result = translate(memory, controls.translation, split, request);
  if (result.faulted) return result;
  const { address: physical, secure, guarded, attribute } = result;
  const target = memory.target(physical, secure);
  if (target === undefined) return stage1Fault("external");
  const elsewhere: Place = { faulted: false, hostOffset: -1, physical, secure, guarded };
  if (target.kind === "device") return elsewhere;
  const { region: { device, direct }, hostOffset } = target;
  if (kind === "write" ? device !== undefined : !direct) return elsewhere;
  tlb.fill(table, high, low, context, hostOffset, physical, isDevice(attribute), guarded);
  return { faulted: false, hostOffset, physical, secure, guarded };
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

/** Reads 1–16 bytes, all in the page; the fault of a device that does not answer. */
export function readPlace(cpu: Cpu, { hostOffset, physical, secure }: Place, size: number): bigint | Fault {
  if (hostOffset < 0) return readDevice(cpu, physical, size, secure);
  const { view } = cpu.surroundings.memory;
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

/** The page of the instruction at the PC is guarded: it was fetched, so its translation is known (FEAT_BTI). */
export function isGuarded(cpu: Cpu): boolean {
  const place = locate(cpu, accessControls(cpu, cpu.el), cpu.pc, "execute", true);
  return !place.faulted && place.guarded;
}

/** The word at the PC as memory has it now, or −1 where it is not in memory; raises nothing. */
export function currentOpcode(cpu: Cpu): number {
  const place = locate(cpu, accessControls(cpu, cpu.el), cpu.pc, "execute", true);
  return place.faulted || place.hostOffset < 0
    ? -1
    : cpu.surroundings.memory.view.getUint32(place.hostOffset, true);
}
