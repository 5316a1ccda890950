/**
 * Memory as a monitor reaches it: by physical address, with loads, stores and maintenance of the CPU that it runs on,
 * so that other CPUs' monitors and cached translations, watches, dirty marks and strict caches have their part.
 */
import { hex, type PhysicalAddress } from "../machine/address.ts";
import { SYSTEM_INSTRUCTIONS } from "../machine/a64/system_names.ts";
import { performSystemInstruction } from "../machine/cpu/address_translate.ts";
import type { Cpu } from "../machine/cpu/cpu.ts";
import { MachineInvariantError } from "../machine/errors.ts";
import { PAGE_SIZE, type PhysicalMemory } from "../machine/memory/physical.ts";

/**
 * Who makes an access: the CPU that took an exception to the monitor and is at its level, whose regime leaves addresses
 * as they are; or undefined for what is laid down before CPUs start, as an image loader does.
 */
export type Accessor = Cpu | undefined;

/** The largest access of one load or store, in bytes. */
const WIDEST = 16;

function check(cpu: Cpu, address: number, verb: string): void {
  if (cpu.pending === undefined) return;
  const { syndrome } = cpu.pending;
  cpu.pending = undefined;
  throw new MachineInvariantError(`Cannot ${verb} ${hex(address)} at EL${cpu.el}: syndrome ${hex(syndrome)}`);
}

/** Reads `size` bytes (1–16, aligned) of memory at a physical address. */
export function readPhysical(memory: PhysicalMemory, by: Accessor, address: number, size: number): bigint {
  if (by === undefined) {
    const bytes = memory.readBytes(address as PhysicalAddress, size);
    return bytes.reduceRight((value, byte) => value << 8n | BigInt(byte), 0n);
  }
  const value = by.load(BigInt(address), size, "normal");
  check(by, address, "read");
  return value;
}

/** Writes `size` bytes (1–16, aligned) of memory at a physical address. */
export function writePhysical(
  memory: PhysicalMemory,
  by: Accessor,
  address: number,
  size: number,
  value: bigint,
): void {
  if (by === undefined) {
    const bytes = Uint8Array.from({ length: size }, (_, at) => Number(value >> BigInt(at * 8) & 0xffn));
    memory.writeBytes(address as PhysicalAddress, bytes);
    return;
  }
  by.store(BigInt(address), size, value, "normal");
  check(by, address, "write");
}

/** Writes zeros to a page. */
export function clearPage(memory: PhysicalMemory, by: Accessor, page: number): void {
  if (by === undefined) return memory.writeBytes(page as PhysicalAddress, new Uint8Array(PAGE_SIZE));
  for (let at = 0; at < PAGE_SIZE; at += WIDEST) writePhysical(memory, by, page + at, WIDEST, 0n);
}

/** Copies a page. */
export function copyPage(memory: PhysicalMemory, by: Accessor, to: number, from: number): void {
  for (let at = 0; at < PAGE_SIZE; at += WIDEST) {
    writePhysical(memory, by, to + at, WIDEST, readPhysical(memory, by, from + at, WIDEST));
  }
}

/**
 * Performs AT, DC, IC or TLBI, by its name in LLVM's spelling, as the CPU at its present level. Throws RangeError for
 * a name that none has.
 */
export function performSystem(cpu: Cpu, name: string, operand = 0n): void {
  const instruction = SYSTEM_INSTRUCTIONS[name];
  if (instruction === undefined || !performSystemInstruction(cpu, instruction.encoding, operand)) {
    throw new RangeError(`Cannot perform "${name}": no such system instruction`);
  }
}
