/**
 * The guest's buffer of a string instruction: elements at virtual addresses, each translated as the caller's own access
 * would be (AT S12E0R, S12E0W, S12E1R or S12E1W by the caller's level, page by page), upwards or downwards.
 */
import type { Cpu } from "../../../machine/cpu/cpu.ts";
import { type GuestAccessFault, readGuest, writeGuest } from "../../guest_memory.ts";

/** Elements at addresses. */
export interface GuestBuffer {
  /** The CPU, at its monitor's level. */
  readonly cpu: Cpu;
  /** Whose translation. */
  readonly stage: "s12e0" | "s12e1";
  /** Of the first element. */
  readonly address: bigint;
  /** Bytes of an element. */
  readonly size: number;
  /** From one element's address to the next, `size` or −`size`. */
  readonly step: number;
}

/** How far an access came. */
export interface BufferAccess {
  /** Bytes of the whole elements that were accessed. */
  readonly bytes: Uint8Array;
  /** Why it ended before the last. */
  readonly fault?: GuestAccessFault;
}

function upwards({ size, step }: GuestBuffer): boolean {
  return size === step;
}

function elementAt({ address, step }: GuestBuffer, index: number): bigint {
  return BigInt.asUintN(64, address + BigInt(index * step));
}

/** Reads `count` elements, in order. */
export function readElements(buffer: GuestBuffer, count: number): BufferAccess {
  const { cpu, stage, address, size } = buffer;
  if (upwards(buffer)) {
    const all = readGuest(cpu, stage, address, count * size);
    if (all instanceof Uint8Array) return { bytes: all };
    const whole = all.done - all.done % size;
    return { bytes: readGuest(cpu, stage, address, whole) as Uint8Array, fault: all };
  }
  const bytes = new Uint8Array(count * size);
  for (let index = 0; index < count; index++) {
    const element = readGuest(cpu, stage, elementAt(buffer, index), size);
    if (!(element instanceof Uint8Array)) return { bytes: bytes.slice(0, index * size), fault: element };
    bytes.set(element, index * size);
  }
  return { bytes };
}

/** Writes elements, in order; of one that faults, the part before its page's end may be written, and will be again. */
export function writeElements(buffer: GuestBuffer, bytes: Uint8Array): BufferAccess {
  const { cpu, stage, address, size } = buffer;
  if (upwards(buffer)) {
    const fault = writeGuest(cpu, stage, address, bytes);
    if (fault === undefined) return { bytes };
    return { bytes: bytes.slice(0, fault.done - fault.done % size), fault };
  }
  for (let at = 0; at < bytes.length; at += size) {
    const fault = writeGuest(cpu, stage, elementAt(buffer, at / size), bytes.subarray(at, at + size));
    if (fault !== undefined) return { bytes: bytes.slice(0, at), fault };
  }
  return { bytes };
}
