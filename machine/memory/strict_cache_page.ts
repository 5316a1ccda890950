/** A page of cache lines, as the strict data and instruction caches hold them. */
import { PAGE_SIZE } from "./physical.ts";

/** Bytes of a cache line, of every cache (CTR_EL0). */
export const LINE_SIZE = 64;
/** Lines of a page. */
export const LINES: number = PAGE_SIZE / LINE_SIZE;

/** The page of an address, and where the address is in it. */
export function pageOf(address: number): [page: number, within: number] {
  const within = address % PAGE_SIZE;
  return [(address - within) / PAGE_SIZE, within];
}

/** Bytes in memory order as a number. */
export function littleEndian(view: DataView, at: number, size: number): bigint {
  if (size === 8) return view.getBigUint64(at, true);
  if (size === 4) return BigInt(view.getUint32(at, true));
  let value = 0n;
  for (let index = size - 1; index >= 0; index--) value = value << 8n | BigInt(view.getUint8(at + index));
  return value;
}

/** Bytes of the lines that `isWanted`, one after another. */
export function packLines(bytes: Uint8Array, isWanted: (line: number) => boolean): Uint8Array {
  const wanted = Array.from({ length: LINES }, (_, line) => line).filter(isWanted);
  const packed = new Uint8Array(wanted.length * LINE_SIZE);
  for (const [index, line] of wanted.entries()) {
    packed.set(bytes.subarray(line * LINE_SIZE, (line + 1) * LINE_SIZE), index * LINE_SIZE);
  }
  return packed;
}

/** Undoes `packLines` into a page; throws RangeError when the bytes are not those of the lines wanted. */
export function unpackLines(page: Uint8Array, packed: Uint8Array, isWanted: (line: number) => boolean): void {
  let at = 0;
  for (let line = 0; line < LINES; line++) {
    if (!isWanted(line)) continue;
    const bytes = packed.subarray(at, at += LINE_SIZE);
    if (bytes.length !== LINE_SIZE) throw new RangeError("Cannot restore a cache: a line is missing");
    page.set(bytes, line * LINE_SIZE);
  }
  if (at !== packed.length) throw new RangeError("Cannot restore a cache: there are bytes of no line");
}
