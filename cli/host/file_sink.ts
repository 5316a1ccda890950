/** Files that journals are written to. */
import type { Sink } from "../../journal/storage.ts";
import {
  decodeFileHeader,
  FILE_HEADER_LENGTH,
  type FileFamily,
  JOURNAL_FAMILY,
} from "../../journal/format.ts";
import { JournalFormatError, JournalWriteError } from "../../journal/errors.ts";
import { reasonOf } from "./file_source.ts";

/** Whether a file begins as a journal does, or is empty. */
function isJournal(path: string, family: FileFamily): boolean {
  const file = Deno.openSync(path);
  try {
    const bytes = new Uint8Array(FILE_HEADER_LENGTH);
    const count = file.readSync(bytes) ?? 0;
    if (count > 0) decodeFileHeader(bytes.subarray(0, count), undefined, family);
    return true;
  } catch (error) {
    // A journal of a later build, or one cut within its header, is one all the same.
    return !(error instanceof JournalFormatError) || error.message.includes("no whole block");
  } finally {
    file.close();
  }
}

/** Throws when something else than a journal is there; whether there is a journal. */
function refuseOther(path: string, family: FileFamily): boolean {
  let info: Deno.FileInfo;
  try {
    info = Deno.statSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
  if (info.isDirectory) throw new Deno.errors.IsADirectory();
  if (!info.isFile || info.size === 0) return false;
  if (isJournal(path, family)) return true;
  throw new Error("a file of that name is there and is no journal; give another name");
}

/** Moves an earlier journal of that name out of the way, to `name~`, so that nothing is lost. */
function keepEarlier(path: string, family: FileFamily): void {
  if (refuseOther(path, family)) Deno.renameSync(path, `${path}~`);
}

/** A file that a journal is written to; opened when the first bytes come, so that what fails before leaves no file. */
export class FileSink implements Sink {
  #file: Deno.FsFile | undefined;

  /** Takes the file's path, and what sort of file it is to be. */
  constructor(readonly name: string, private readonly family: FileFamily = JOURNAL_FAMILY) {}

  /** Throws JournalWriteError when a journal could not be written here now; changes nothing. */
  check(): void {
    try {
      const slash = this.name.lastIndexOf("/");
      if (slash > 0 && !Deno.statSync(this.name.slice(0, slash)).isDirectory) {
        throw new Deno.errors.NotADirectory();
      }
      refuseOther(this.name, this.family);
    } catch (error) {
      const missing = error instanceof Deno.errors.NotFound;
      const reason = missing ? "there is no such directory" : reasonOf(error);
      throw new JournalWriteError(this.name, 0, 0, new Error(reason));
    }
  }

  #open(): Deno.FsFile {
    try {
      keepEarlier(this.name, this.family);
      return Deno.openSync(this.name, { write: true, create: true, truncate: true });
    } catch (error) {
      const missing = error instanceof Deno.errors.NotFound;
      throw new Error(missing ? "there is no such directory" : reasonOf(error));
    }
  }

  /** Appends all the bytes, or throws. */
  write(bytes: Uint8Array): void {
    this.#file ??= this.#open();
    try {
      for (let at = 0; at < bytes.length;) at += this.#file.writeSync(bytes.subarray(at));
    } catch (error) {
      throw new Error(reasonOf(error));
    }
  }

  /** Brings the file to the disk. */
  sync(): void {
    try {
      this.#file?.syncDataSync();
    } catch (error) {
      // A pipe or a device has nothing to bring anywhere.
      if (this.#file?.statSync().isFile) throw error;
    }
  }

  /** Closes the file. */
  close(): void {
    this.#file?.close();
    this.#file = undefined;
  }
}
