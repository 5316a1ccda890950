/** Memory as a debugger sees it: through a CPU's present translation, without faults. */
import type { PhysicalAddress } from "./address.ts";
import type { Cpu } from "./cpu/cpu.ts";
import { splitAddress } from "./cpu/place.ts";
import { controlsOf, regimeOf } from "./cpu/translation_regime.ts";
import { PAGE_SIZE } from "./memory/physical.ts";
import { translate, type TranslationRequest } from "./memory/translation.ts";
import type { SemihostingMemory } from "./semihosting_memory.ts";

/** A CPU's memory as a debugger at its exception level sees it: what would fault is not there. */
export function debuggerMemory(cpu: Cpu): SemihostingMemory {
  const withoutFault = <T>(access: () => T): T | undefined => {
    const value = access();
    if (cpu.pending === undefined) return value;
    cpu.pending = undefined;
    return undefined;
  };
  return {
    read: (address, size) =>
      withoutFault(() =>
        Uint8Array.from({ length: size }, (_, at) => Number(cpu.load(address + BigInt(at), 1, "normal")))
      ),
    write: (address, bytes) =>
      withoutFault(() => {
        for (const [at, byte] of bytes.entries()) cpu.store(address + BigInt(at), 1, BigInt(byte), "normal");
        return true;
      }) ?? false,
  };
}

/** A debugger looks with the privilege of the level's regime, and no permission stops it. */
const LOOK: TranslationRequest = { kind: "maintain", privileged: true, aligned: true };

/** Where a virtual address leads, by the tables as they stand now. */
export interface DebuggerPlace {
  /** Physical address. */
  readonly physical: PhysicalAddress;
  /** The access would be a Secure one. */
  readonly secure: boolean;
}

/**
 * Translates as the CPU's present level would, whatever permissions say; undefined where nothing is mapped. Changes
 * nothing, leaves no event and fills no TLB: what a strict TLB still holds is not asked.
 */
export function lookUpAddress(cpu: Cpu, address: bigint): DebuggerPlace | undefined {
  const { memory, strict } = cpu.surroundings;
  const controls = controlsOf(cpu, regimeOf(cpu, cpu.el));
  const result = translate(memory, controls, splitAddress(address), LOOK);
  if (strict !== undefined) {
    strict.isQuiet = true;
    strict.reportWalks(cpu.index);
    strict.isQuiet = false;
  }
  return result.faulted ? undefined : { physical: result.address, secure: result.secure };
}

/** The physical address of a virtual one in a CPU's present translation, whatever it may access; undefined where none. */
export function debuggerAddress(cpu: Cpu, address: bigint): number | undefined {
  return lookUpAddress(cpu, address)?.physical;
}

/** Memory at physical addresses up to where there is none: devices are never asked, since reading may change them. */
export function peekPhysical(
  { surroundings: { memory } }: Cpu,
  { physical, secure }: DebuggerPlace,
  size: number,
): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size;) {
    const address = (physical + at) as PhysicalAddress;
    const target = memory.target(address, secure);
    if (target?.kind !== "memory") return bytes.slice(0, at);
    const { base, size: length } = target.region;
    const count = Math.min(size - at, base + length - address);
    bytes.set(memory.viewBytes(address, count), at);
    at += count;
  }
  return bytes;
}

/**
 * Memory at virtual addresses as the CPU sees them, up to the first that leads to none: shorter than `size` then. Never
 * touches a device, and changes nothing of the machine.
 */
export function peekMemory(cpu: Cpu, address: bigint, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size;) {
    const virtual = BigInt.asUintN(64, address + BigInt(at));
    const place = lookUpAddress(cpu, virtual);
    if (place === undefined) return bytes.slice(0, at);
    const count = Math.min(size - at, PAGE_SIZE - Number(virtual & BigInt(PAGE_SIZE - 1)));
    const found = peekPhysical(cpu, place, count);
    bytes.set(found, at);
    at += found.length;
    if (found.length < count) return bytes.slice(0, at);
  }
  return bytes;
}
