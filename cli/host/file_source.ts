/** Files as sources of journals and of images. */
import type { Source } from "../../journal/storage.ts";
import { CommandError } from "../errors.ts";

/** Why the system could not do what was asked, as a clause for a message. */
export function reasonOf(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "there is no such file";
  if (error instanceof Deno.errors.PermissionDenied) return "permission is denied";
  if (error instanceof Deno.errors.NotCapable) return "Deno was not given permission";
  if (error instanceof Deno.errors.IsADirectory) return "it is a directory";
  if (error instanceof Deno.errors.NotADirectory) return "a part of the path is not a directory";
  const message = error instanceof Error ? error.message : String(error);
  const clause = message.replace(/ \(os error \d+\).*$/s, "");
  return clause.charAt(0).toLowerCase() + clause.slice(1);
}

/** Reads a file whose size is known into a buffer of that size: twice as fast as a buffer that grows. */
function readAtOnce(path: string): Uint8Array {
  using file = Deno.openSync(path);
  const bytes = new Uint8Array(file.statSync().size);
  let filled = 0;
  while (filled < bytes.length) {
    const count = file.readSync(bytes.subarray(filled));
    if (count === null) return bytes.subarray(0, filled);
    filled += count;
  }
  return bytes;
}

/** Reads a whole file; throws CommandError naming it. `what` is what it was to be, such as `kernel`. */
export function readWholeFile(path: string, what: string): Uint8Array {
  try {
    if (Deno.statSync(path).isFile) return readAtOnce(path);
    return Deno.readFileSync(path);
  } catch (error) {
    throw new CommandError(`Cannot read ${what} "${path}": ${reasonOf(error)}`);
  }
}

/** A file opened for reading at any offset. */
export class FileSource implements Source {
  readonly #file: Deno.FsFile;
  /** Length in bytes when it was opened. */
  readonly size: number;

  /** Opens the file; throws CommandError naming it. `what` is what it is to be. */
  constructor(readonly name: string, private readonly what = "journal") {
    try {
      this.#file = Deno.openSync(name);
      const { size, isDirectory } = this.#file.statSync();
      if (isDirectory) throw new Deno.errors.IsADirectory();
      this.size = size;
    } catch (error) {
      throw new CommandError(`Cannot open ${what} "${name}": ${reasonOf(error)}`);
    }
  }

  /**
   * Reads `length` bytes at `offset`, fewer where the file ends, into the first bytes of `place` if there is one; throws
   * CommandError naming the file.
   */
  read(offset: number, length: number, place?: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
    const bytes = place?.subarray(0, length) ?? new Uint8Array(length);
    let filled = 0;
    try {
      this.#file.seekSync(offset, Deno.SeekMode.Start);
      while (filled < length) {
        const count = this.#file.readSync(bytes.subarray(filled));
        if (count === null) break;
        filled += count;
      }
    } catch (error) {
      throw new CommandError(`Cannot read ${this.what} "${this.name}": ${reasonOf(error)}`);
    }
    return bytes.subarray(0, filled);
  }

  /** Closes the file. */
  close(): void {
    this.#file.close();
  }
}
