/** Compiled regions kept in a folder: a file for each key, checked before it is used; the oldest go when there are too many. */
import { createHash } from "node:crypto";
import type { CompileCache } from "../../machine/engine/compile_request.ts";
import { equalBytes, HASH_LENGTH, sha256 } from "../../machine/sha256.ts";
import { atEnd } from "./endings.ts";
import { reasonOf } from "./file_source.ts";

/** What a file begins with: eight letters, the last of which is the version of the form; then SHA-256 of the rest. */
const MAGIC = new TextEncoder().encode("HSCODE\0\x01");
const HEADER_LENGTH = MAGIC.length + HASH_LENGTH;

/** Bytes of files that may stay at the end of a run. */
const LARGEST_TOTAL = 256 * 2 ** 20;

/** Folders and files of a store: nothing else in its folder is ever touched. */
const FOLDER = /^[0-9a-f]{2}$/;
const FILE = /^[0-9a-f]{62}\.(code|[^.]*tmp)$/;

const SOURCES = new URL("../../machine/", import.meta.url);

/** Paths of the sources below a folder, in an order that is always the same. */
function sourcesIn(folder: URL): URL[] {
  const entries = [...Deno.readDirSync(folder)].sort((a, b) => a.name < b.name ? -1 : 1);
  return entries.flatMap(({ name, isDirectory }) =>
    isDirectory ? sourcesIn(new URL(`${name}/`, folder)) : name.endsWith(".ts") ? [new URL(name, folder)] : []
  );
}

let build: Uint8Array<ArrayBuffer> | undefined;

/** Tells builds apart, whose compilers need not agree: SHA-256 of the machine's sources. */
function buildIdentity(): Uint8Array<ArrayBuffer> {
  if (build !== undefined) return build;
  const hash = createHash("sha256");
  for (const source of sourcesIn(SOURCES)) hash.update(Deno.readFileSync(source));
  return build = Uint8Array.fromHex(hash.digest("hex"));
}

/** The folder of one cache. What fails is told at the end, and from then on nothing is kept; no run fails by it. */
export class CompileStore implements CompileCache {
  /** Why nothing is kept any more. */
  #failure: string | undefined;
  #hasWritten = false;

  /** `largestTotal` is how many bytes of files may stay. */
  constructor(private readonly folder: string, private readonly largestTotal: number = LARGEST_TOTAL) {}

  /** What does not work is not tried again; undefined then. */
  #try<T>(action: () => T): T | undefined {
    if (this.#failure !== undefined) return undefined;
    try {
      return action();
    } catch (error) {
      this.#failure = reasonOf(error);
      return undefined;
    }
  }

  /** Where what is kept for a key is. */
  #placeOf(key: string): { readonly folder: string; readonly name: string; readonly path: string } {
    const hash = sha256(buildIdentity(), new TextEncoder().encode(key)).toHex();
    const folder = `${this.folder}/${hash.slice(0, 2)}`, name = hash.slice(2);
    return { folder, name, path: `${folder}/${name}.code` };
  }

  /** What was put there; undefined when nothing was, or something else is there now. */
  get(key: string): Uint8Array<ArrayBuffer> | undefined {
    return this.#try(() => {
      const { path } = this.#placeOf(key);
      const file = readIfThere(path);
      if (file === undefined || !equalBytes(file.subarray(0, MAGIC.length), MAGIC)) return undefined;
      const bytes = file.subarray(HEADER_LENGTH);
      if (!equalBytes(file.subarray(MAGIC.length, HEADER_LENGTH), sha256(bytes))) return undefined;
      touch(path);
      return bytes;
    });
  }

  /** Keeps it: under another name until it is whole. */
  put(key: string, bytes: Uint8Array<ArrayBuffer>): void {
    this.#try(() => {
      const { folder, name, path } = this.#placeOf(key);
      Deno.mkdirSync(folder, { recursive: true });
      const unfinished = Deno.makeTempFileSync({ dir: folder, prefix: `${name}.`, suffix: "tmp" });
      const file = new Uint8Array(HEADER_LENGTH + bytes.length);
      file.set(MAGIC);
      file.set(sha256(bytes), MAGIC.length);
      file.set(bytes, HEADER_LENGTH);
      try {
        Deno.writeFileSync(unfinished, file);
        Deno.renameSync(unfinished, path);
      } catch (error) {
        removeIfThere(unfinished);
        throw error;
      }
      this.#hasWritten = true;
    });
  }

  /** Removes the files used longest ago where they are too many; what went wrong since the beginning, for the user. */
  close(): string | undefined {
    if (this.#hasWritten) this.#try(() => this.#trim());
    return this.#failure &&
      `Compiled code is not kept in "${this.folder}": ${this.#failure}; the run is none the worse for it`;
  }

  #trim(): void {
    const files = [...Deno.readDirSync(this.folder)].filter(({ name }) => FOLDER.test(name)).flatMap(
      ({ name }) => {
        const folder = `${this.folder}/${name}`;
        return [...Deno.readDirSync(folder)].filter((file) => FILE.test(file.name)).flatMap((file) => {
          const path = `${folder}/${file.name}`, { size, mtime } = Deno.lstatSync(path);
          return [{ path, size, used: mtime?.getTime() ?? 0 }];
        });
      },
    );
    files.sort((a, b) => a.used - b.used);
    let total = files.reduce((sum, { size }) => sum + size, 0);
    for (const { path, size } of files) {
      if (total <= this.largestTotal) return;
      removeIfThere(path);
      total -= size;
    }
  }
}

function readIfThere(path: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Deno.readFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Removes a file, unless someone else has. */
function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** Says that a file was used now, where that may be said. */
function touch(path: string): void {
  try {
    const now = Date.now() / 1000;
    Deno.utimeSync(path, now, now);
  } catch {
    // Someone else's file, or one removed meanwhile: it was of use all the same.
  }
}

/** The process's stores by folder. */
const stores = new Map<string, CompileStore>();

/** The store in a folder, one for all machines of the process. */
export function compileStoreIn(folder: string): CompileStore {
  const store = stores.get(folder) ?? new CompileStore(folder);
  stores.set(folder, store);
  return store;
}

/** Closes all stores; what went wrong with them, for the user. */
function closeCompileStores(): readonly string[] {
  const failures = [...stores.values()].flatMap((store) => store.close() ?? []);
  stores.clear();
  return failures;
}

atEnd(closeCompileStores);
