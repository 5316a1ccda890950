/** What a program keeps without power: bytes by key, of which copies share what is equal. */
import { equalBytes, sha256 } from "../journal/hash.ts";
import type { ByteWriter } from "../machine/layout.ts";

/** Bytes by key, as they were. */
export type Store = ReadonlyMap<string, Uint8Array>;

const MOST_STORED = 64 << 20;
const encoder = new TextEncoder();

/** A program's own, which it may write at any time. */
export class ProgramStore {
  /** The program's. */
  readonly entries: Map<string, Uint8Array> = new Map();
  /** What it was when anybody looked last. */
  #known: Store = new Map();

  /** A copy of what it is, of which values that are as they were are shared with the last one. */
  copy(): Store {
    return this.#known = new Map([...this.entries].map(([key, bytes]) => {
      const other = this.#known.get(key);
      return [key, other !== undefined && equalBytes(other, bytes) ? other : bytes.slice()];
    }));
  }

  /** Has what is in a copy. */
  put(store: Store): void {
    this.entries.clear();
    for (const [key, bytes] of store) this.entries.set(key, bytes.slice());
    this.#known = store;
  }

  /** Has what is in a copy; then the next one shares with that. */
  is(store: Store): boolean {
    const isSame = this.entries.size === store.size && [...this.entries].every(([key, bytes]) => {
      const other = store.get(key);
      return other !== undefined && equalBytes(bytes, other);
    });
    if (isSame) this.#known = store;
    return isSame;
  }

  /** Writes it for a root, by keys in order. Throws RangeError for too many bytes. */
  write(writer: ByteWriter, name: string): void {
    const stored = [...this.entries].sort(([a], [b]) => a < b ? -1 : 1);
    const size = stored.reduce((sum, [, { length }]) => sum + length, 0);
    if (size > MOST_STORED) {
      throw new RangeError(`Node "${name}" stores ${size} bytes, more than ${MOST_STORED}`);
    }
    for (const [key, bytes] of stored) {
      const word = encoder.encode(key);
      writer.u32(word.length);
      writer.raw(word);
      writer.raw(sha256(bytes));
    }
  }
}
