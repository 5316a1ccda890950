/** Where a journal's bytes go and come from: two small synchronous interfaces, and both over memory. */
import { JournalReadError, nameOfJournal } from "./errors.ts";

/**
 * What a journal is written to, synchronously and only at its end. A file's is in cli/host. Whatever a method throws
 * reaches the caller as a `JournalWriteError` with that error's message in it.
 */
export interface Sink {
  /** The file's name, for messages. */
  readonly name?: string;
  /** Appends all the bytes, or throws. The caller may change `bytes` afterwards. */
  write(bytes: Uint8Array): void;
  /** Sees to it that what was written survives a loss of power. */
  sync?(): void;
  /** Frees the file. Called once. */
  close(): void;
}

/** What a journal is read from, at any offset. A file's is in cli/host. */
export interface Source {
  /** The file's name, for messages. */
  readonly name?: string;
  /** Length in bytes. */
  readonly size: number;
  /**
   * The bytes at `offset`; exactly `length` of them unless the file came up short. They must stay as they are: payloads
   * are views of them.
   */
  read(offset: number, length: number): Uint8Array;
}

/** A journal in memory: written to as a sink, then read as a source. */
export class MemoryFile implements Sink, Source {
  #bytes = new Uint8Array(4096);
  #size = 0;

  /** Starts with a copy of `bytes`, by default none. */
  constructor(bytes: Uint8Array = new Uint8Array(0)) {
    this.write(bytes);
  }

  /** Length in bytes. */
  get size(): number {
    return this.#size;
  }

  /** A copy of all that was written. */
  get bytes(): Uint8Array {
    return this.#bytes.slice(0, this.#size);
  }

  /** Appends a copy of `bytes`. */
  write(bytes: Uint8Array): void {
    const size = this.#size + bytes.length;
    if (size > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(size, 2 * this.#bytes.length));
      grown.set(this.#bytes.subarray(0, this.#size));
      this.#bytes = grown;
    }
    this.#bytes.set(bytes, this.#size);
    this.#size = size;
  }

  /** A view of `length` bytes at `offset`, fewer where the end comes first. */
  read(offset: number, length: number): Uint8Array {
    return this.#bytes.subarray(Math.min(offset, this.#size), Math.min(offset + length, this.#size));
  }

  /** Does nothing: memory stays. */
  close(): void {}
}

/** Exactly `length` bytes of a source. Throws {@linkcode JournalReadError} if it fails or comes up short. */
export function readExactly(source: Source, offset: number, length: number): Uint8Array {
  const where = `Cannot read ${nameOfJournal(source.name)}: ${length} bytes at offset ${offset}`;
  let bytes: Uint8Array;
  try {
    bytes = source.read(offset, length);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new JournalReadError(`${where}: ${reason}`, { cause });
  }
  if (bytes.length !== length) {
    throw new JournalReadError(
      `${where}: only ${bytes.length} came; the file changed while it was read. Try again.`,
    );
  }
  return bytes;
}
