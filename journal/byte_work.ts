/** Work on many bytes that another thread may do meanwhile: what comes of it is the same, whoever does it. */
import { createHash } from "node:crypto";
import type { PackedPayload } from "./packing.ts";

/** A SHA-256 of bytes that come one after another. */
export interface EventDigest {
  /** Adds bytes, which the caller may change afterwards. */
  update(bytes: Uint8Array): void;
  /** The digest of all of them; nothing else may be asked of it afterwards. */
  digest(): Uint8Array;
  /** One that goes on independently. Throws RangeError where another thread has the digest. */
  copy(): EventDigest;
}

/** Whoever does such work; it refuses what is not worth it, or what it has no room for. */
export interface ByteWork {
  /** A digest, which has to be ended before the next is given; undefined: it has to be made here. */
  digest(): EventDigest | undefined;
  /**
   * Begins to pack a payload (`packPayload`), of which it takes a copy. The function waits for the result and is to be
   * called once, in the order of the requests; undefined: it has to be packed here.
   */
  pack(raw: Uint8Array, level: number): (() => PackedPayload) | undefined;
}

/** A digest that is made here. */
export function digestHere(hash = createHash("sha256")): EventDigest {
  return {
    update: (bytes) => void hash.update(bytes),
    digest: () => hash.digest(),
    copy: () => digestHere(hash.copy()),
  };
}
