/** What the peer serves: the configuration's files by path, and lists of its folders. */
import { ConfigurationError } from "../../errors.ts";
import { type DiskImage, IMAGE_CHUNK_SIZE } from "../../storage/block.ts";

/** Contents that are read in parts. */
export interface Content {
  /** What HTTP says it is. */
  readonly type: string;
  /** Bytes. */
  readonly size: number;
  /** Copies bytes out of a range that lies within `size`. */
  read(offset: number, length: number): Uint8Array<ArrayBuffer>;
}

/** A file as the configuration has it. */
export interface ServedFile {
  /** Without a leading slash. */
  readonly path: string;
  /** Its bytes, or those of an image that is read chunk by chunk. */
  readonly contents: Uint8Array | DiskImage;
}

const encoder = new TextEncoder();

function contentOf(contents: Uint8Array | DiskImage, type: string): Content {
  if (contents instanceof Uint8Array) {
    const read = (offset: number, length: number) =>
      new Uint8Array(contents.subarray(offset, offset + length));
    return { type, size: contents.length, read };
  }
  const read = (offset: number, length: number) => {
    const bytes = new Uint8Array(length);
    for (let done = 0; done < length;) {
      const at = offset + done, within = at % IMAGE_CHUNK_SIZE;
      const chunk = contents.chunk(Math.floor(at / IMAGE_CHUNK_SIZE));
      const part = chunk.subarray(within, within + length - done);
      bytes.set(part, done);
      done += part.length;
    }
    return bytes;
  };
  return { type, size: contents.size, read };
}

/** The names in every folder, in the order of the files; a folder's own name ends with a slash, the root's is empty. */
function foldersOf(paths: Iterable<string>): Map<string, Set<string>> {
  const folders = new Map<string, Set<string>>([["", new Set()]]);
  for (const path of paths) {
    for (let end = path.length; end > 0;) {
      const slash = path.lastIndexOf("/", end - 2);
      const folder = path.slice(0, slash + 1);
      const names = folders.get(folder) ?? new Set();
      folders.set(folder, names.add(path.slice(slash + 1, end)));
      end = slash + 1;
    }
  }
  return folders;
}

/** Files and lists of folders, numbered; a number is part of the state of who reads. */
export class PeerFiles {
  readonly #contents: Content[] = [];
  readonly #files = new Map<string, number>();
  readonly #folders = new Map<string, number>();

  /** Throws ConfigurationError when two files have one path. */
  constructor(files: readonly ServedFile[]) {
    for (const { path, contents } of files) {
      if (this.#files.has(path)) {
        throw new ConfigurationError(
          `Cannot serve two files as "${path}": leave one out, or name it otherwise`,
        );
      }
      this.#files.set(path, this.#contents.push(contentOf(contents, "application/octet-stream")) - 1);
    }
    for (const [folder, names] of foldersOf(this.#files.keys())) {
      const list = encoder.encode(Array.from(names, (name) => `${name}\n`).join(""));
      this.#folders.set(folder, this.#contents.push(contentOf(list, "text/plain; charset=utf-8")) - 1);
    }
  }

  /** The number of a file, leading slashes ignored; undefined when there is none. */
  file(path: string): number | undefined {
    return this.#files.get(path.replace(/^\/+/, ""));
  }

  /** The number of a folder's list of names, one a line; undefined when there is no such folder. */
  folder(path: string): number | undefined {
    const name = path.replace(/^\/+|\/+$/g, "");
    return this.#folders.get(name === "" ? "" : `${name}/`);
  }

  /** Contents by number; throws RangeError when there is none, as in a state that is not this machine's. */
  content(index: number): Content {
    const content = this.#contents[index];
    if (content === undefined) {
      throw new RangeError(`Cannot serve content ${index}: there are ${this.#contents.length}`);
    }
    return content;
  }
}
