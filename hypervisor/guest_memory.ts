/**
 * A guest's virtual memory as its monitor reaches it: AT S12E1R or S1E2R page by page, PAR_EL1 kept for the guest, then
 * accesses by physical address (Arm ARM C5.4, PAR_EL1).
 */
import type { IntermediateAddress, PhysicalAddress } from "../machine/address.ts";
import type { Cpu } from "../machine/cpu/cpu.ts";
import { splitAddress } from "../machine/cpu/place.ts";
import { INDEX } from "../machine/cpu/system_register_index.ts";
import { controlsOf } from "../machine/cpu/translation_regime.ts";
import { PAGE_SIZE } from "../machine/memory/physical.ts";
import { walk } from "../machine/memory/table_walk.ts";
import { rangeOf, TABLE_READ, translateStage2 } from "../machine/memory/translation.ts";
import { performSystem, readPhysical, writePhysical } from "./own_memory.ts";

/** Whose translation an address is given to: of EL0 or EL1 by both stages, by the first alone, or that of EL2. */
export type GuestStage = "s12e0" | "s12e1" | "s1e1" | "s1e2";

/** What an AT instruction found: an output address, or PAR_EL1, undefined where the walk met an external abort. */
export type GuestPlace =
  | { readonly faulted: false; readonly address: number }
  | { readonly faulted: true; readonly par: bigint | undefined };

const FAULT = 1n, OUTPUT = (1n << 48n) - 4096n;

/** Where a virtual address of the guest leads; the CPU is at its monitor's level. Leaves PAR_EL1 as it was. */
export function translateGuest(cpu: Cpu, stage: GuestStage, address: bigint, write = false): GuestPlace {
  const { system } = cpu.registers;
  const before = system[INDEX.PAR_EL1] as bigint, pending = cpu.pending;
  cpu.pending = undefined;
  performSystem(cpu, `at ${stage}${write ? "w" : "r"}`, address);
  const isAbort = cpu.pending !== undefined, par = system[INDEX.PAR_EL1] as bigint;
  cpu.pending = pending;
  system[INDEX.PAR_EL1] = before;
  if (isAbort) return { faulted: true, par: undefined };
  if ((par & FAULT) !== 0n) return { faulted: true, par };
  return { faulted: false, address: Number(par & OUTPUT) + Number(address & 0xfffn) };
}

/**
 * Level of the stage 1 table that stage 2 does not let a walk of EL1&0 read, 0–3, whose stage 2 fault has a level of its
 * own in the syndrome; undefined when the walk ends otherwise now.
 */
export function tableLevel(cpu: Cpu, address: bigint, isFetch: boolean): number | undefined {
  const { memory } = cpu.surroundings, { stage1, stage2 } = controlsOf(cpu, "EL1&0");
  const found = stage1.enabled ? rangeOf(stage1, splitAddress(address), isFetch) : undefined;
  if (found === undefined || stage2 === undefined) return undefined;
  let level = found.range.level - 1, isMet = false;
  walk(memory, found.range, found.input, 1, false, (table) => {
    level++;
    const place = translateStage2(memory, stage2, table as IntermediateAddress, TABLE_READ, true);
    isMet = place.faulted;
    return place.faulted ? place : place.address;
  });
  return isMet ? level : undefined;
}

/** An access to guest memory that could not be done, and what was done before. */
export interface GuestAccessFault {
  /** Virtual address of the first byte that could not be accessed. */
  readonly address: bigint;
  /** Bytes before it that were. */
  readonly done: number;
  /** PAR_EL1 of the fault; undefined where there is no memory. */
  readonly par: bigint | undefined;
}

/** Calls `access` for the part of a range in each page, in order; the fault that ends it. */
function byPage(
  cpu: Cpu,
  stage: GuestStage,
  range: { readonly address: bigint; readonly size: number; readonly write: boolean },
  access: (physical: number, at: number, count: number) => void,
): GuestAccessFault | undefined {
  const { memory } = cpu.surroundings;
  for (let done = 0; done < range.size;) {
    const address = BigInt.asUintN(64, range.address + BigInt(done));
    const place = translateGuest(cpu, stage, address, range.write);
    if (place.faulted) return { address, done, par: place.par };
    const count = Math.min(range.size - done, PAGE_SIZE - Number(address & 0xfffn));
    // Reading a device would change it. What stage 1 says of memory does not matter: it may be off.
    if (memory.directOffset(place.address as PhysicalAddress, false) < 0) {
      return { address, done, par: undefined };
    }
    access(place.address, done, count);
    done += count;
  }
  return undefined;
}

/** The largest naturally aligned piece at an address, 1–8 bytes. */
function pieceAt(address: number, rest: number): number {
  let piece = 8;
  while (piece > rest || address % piece !== 0) piece /= 2;
  return piece;
}

/** Reads `size` bytes of guest memory, or the fault. */
export function readGuest(
  cpu: Cpu,
  stage: GuestStage,
  address: bigint,
  size: number,
): Uint8Array<ArrayBuffer> | GuestAccessFault {
  const { memory } = cpu.surroundings, bytes = new Uint8Array(size), view = new DataView(bytes.buffer);
  const fault = byPage(cpu, stage, { address, size, write: false }, (physical, start, count) => {
    for (let at = 0; at < count;) {
      const piece = pieceAt(physical + at, count - at);
      const value = readPhysical(memory, cpu, physical + at, piece);
      for (let byte = 0; byte < piece; byte++) {
        view.setUint8(start + at + byte, Number(value >> BigInt(byte * 8) & 0xffn));
      }
      at += piece;
    }
  });
  return fault ?? bytes;
}

/** Writes bytes to guest memory, up to the first page that cannot be written; the fault then. */
export function writeGuest(
  cpu: Cpu,
  stage: GuestStage,
  address: bigint,
  bytes: Uint8Array,
): GuestAccessFault | undefined {
  const { memory } = cpu.surroundings;
  return byPage(cpu, stage, { address, size: bytes.length, write: true }, (physical, start, count) => {
    for (let at = 0; at < count;) {
      const piece = pieceAt(physical + at, count - at);
      let value = 0n;
      for (let byte = piece - 1; byte >= 0; byte--) {
        value = value << 8n | BigInt(bytes[start + at + byte] as number);
      }
      writePhysical(memory, cpu, physical + at, piece, value);
      at += piece;
    }
  });
}
