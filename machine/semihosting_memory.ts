/** The guest's memory as semihosting calls see it: any range, through pieces that lie within one page. */
import { fail } from "./semihosting_files.ts";

/** The caller's memory, through its present translation and without regard to permissions. */
export interface SemihostingMemory {
  /** Reads bytes that lie within one page of 4 KiB; undefined when there is no memory. */
  read(address: bigint, size: number): Uint8Array | undefined;
  /** Writes bytes that lie within one page of 4 KiB; false when there is no memory. */
  write(address: bigint, bytes: Uint8Array): boolean;
}

const PAGE = 4096n;

/** Most bytes moved by one call, so that a step stays short. */
export const TRANSFER_LIMIT = 65536;

function* pieces(address: bigint, size: number): Generator<{ at: bigint; from: number; to: number }> {
  for (let from = 0; from < size;) {
    const at = BigInt.asUintN(64, address + BigInt(from));
    const to = Math.min(size, from + Number(PAGE - at % PAGE));
    yield { at, from, to };
    from = to;
  }
}

/** Reads a range; the call fails when part of it is not memory. */
export function readBytes(memory: SemihostingMemory, address: bigint, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (const { at, from, to } of pieces(address, size)) {
    bytes.set(memory.read(at, to - from) ?? fail("EFAULT"), from);
  }
  return bytes;
}

/** Writes a range; the call fails when part of it is not memory. */
export function writeBytes(memory: SemihostingMemory, address: bigint, bytes: Uint8Array): void {
  for (const { at, from, to } of pieces(address, bytes.length)) {
    if (!memory.write(at, bytes.subarray(from, to))) fail("EFAULT");
  }
}

/** The bytes before the first zero byte, TRANSFER_LIMIT at most. */
export function readString(memory: SemihostingMemory, address: bigint): Uint8Array {
  const bytes: number[] = [];
  for (const { at, from, to } of pieces(address, TRANSFER_LIMIT)) {
    const part = memory.read(at, to - from) ?? fail("EFAULT");
    const end = part.indexOf(0);
    for (const byte of end < 0 ? part : part.subarray(0, end)) bytes.push(byte);
    if (end >= 0) break;
  }
  return Uint8Array.from(bytes);
}

/** Reads `count` 64-bit words. */
export function readWords(memory: SemihostingMemory, address: bigint, count: number): bigint[] {
  const bytes = readBytes(memory, address, count * 8);
  const view = new DataView(bytes.buffer);
  return Array.from({ length: count }, (_, index) => view.getBigUint64(index * 8, true));
}

/** Writes 64-bit words. */
export function writeWords(memory: SemihostingMemory, address: bigint, ...words: bigint[]): void {
  const bytes = new Uint8Array(words.length * 8);
  const view = new DataView(bytes.buffer);
  for (const [index, word] of words.entries()) view.setBigUint64(index * 8, word, true);
  writeBytes(memory, address, bytes);
}
