/** Files that have holes where there are zeros. */
import { CommandError } from "../errors.ts";
import { reasonOf } from "./file_source.ts";

/** Bytes read and written at once; a piece of zeros becomes a hole. */
const PIECE = 2 ** 16;

/**
 * Writes a file of `size` bytes out of pieces that `read` gives; returns how many bytes were written. An earlier file of
 * that name is replaced once the new one is whole, so that it may be what `read` reads. Throws CommandError naming the
 * file, and what `read` throws.
 */
export function writeSparseFile(
  path: string,
  size: number,
  read: (offset: number, length: number) => Uint8Array,
): number {
  const part = `${path}.part`;
  let written = 0;
  let isReading = false;
  try {
    using file = Deno.openSync(part, { create: true, truncate: true, write: true });
    file.truncateSync(size);
    for (let offset = 0; offset < size; offset += PIECE) {
      isReading = true;
      const bytes = read(offset, Math.min(PIECE, size - offset));
      isReading = false;
      if (bytes.every((byte) => byte === 0)) continue;
      file.seekSync(offset, Deno.SeekMode.Start);
      for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
      written += bytes.length;
    }
    file.syncSync();
    Deno.renameSync(part, path);
  } catch (error) {
    try {
      Deno.removeSync(part);
    } catch {
      // It may never have been made; the first error is the one to report.
    }
    if (isReading) throw error;
    throw new CommandError(`Cannot write "${path}": ${reasonOf(error)}`);
  }
  return written;
}
