/** Open files of semihosting, and how a call fails; the files are the console and a constant, never the host's. */

/** Error numbers that SYS_ERRNO gives, as Linux has them. */
// deno-fmt-ignore
export const ERROR = { ENOENT: 2, E2BIG: 7, EBADF: 9, EACCES: 13, EFAULT: 14, EINVAL: 22, EMFILE: 24, ESPIPE: 29, ENOSYS: 38 } as const;

/** A call fails with an error number; never leaves semihosting. */
export class SemihostingError extends Error {
  /** `errno` is what SYS_ERRNO gives from now on. */
  constructor(readonly errno: number) {
    super();
  }
}

/** Ends a call with an error. */
export function fail(name: keyof typeof ERROR): never {
  throw new SemihostingError(ERROR[name]);
}

/** What a handle stands for: the console's input or output, or `:semihosting-features`. */
export interface OpenFile {
  /** Which file, or none. */
  file: "closed" | "input" | "output" | "features";
  /** Next byte to read, in files that have positions. */
  position: number;
}

/** Most handles at a time. */
export const HANDLE_LIMIT = 64;

/** Handles by number, from 1. */
export class FileTable {
  /** The handle of number n is at n − 1. */
  files: OpenFile[] = [];

  /** Opens a file under the lowest free number; the call fails when all are taken. */
  open(file: "input" | "output" | "features"): bigint {
    const free = this.files.findIndex((handle) => handle.file === "closed");
    const index = free < 0 ? this.files.length : free;
    if (index === HANDLE_LIMIT) fail("EMFILE");
    this.files[index] = { file, position: 0 };
    return BigInt(index + 1);
  }

  /** The open file of that number, or undefined. */
  find(number: bigint): OpenFile | undefined {
    const handle = number <= BigInt(HANDLE_LIMIT) ? this.files[Number(number) - 1] : undefined;
    return handle?.file === "closed" ? undefined : handle;
  }

  /** The open file of that number; the call fails when there is none. */
  require(number: bigint): OpenFile {
    return this.find(number) ?? fail("EBADF");
  }
}
