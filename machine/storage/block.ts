/** What a disk is to the controller in front of it, and what the bytes underneath are to the disk. */

/** Bytes of a chunk: images are hashed and read chunk by chunk. */
export const IMAGE_CHUNK_SIZE = 2 ** 20;

/**
 * The contents of an image named by content, read-only: SHA-256 over the SHA-256 of each of its chunks in order. The
 * host's side reads files behind it and checks each chunk on its first use.
 */
export interface DiskImage {
  /** Bytes. */
  readonly size: number;
  /**
   * The bytes of a chunk, IMAGE_CHUNK_SIZE of them but for the last; not to be changed by the caller. Throws an error
   * that names the file when the chunk is no longer what was hashed.
   */
  chunk(index: number): Uint8Array;
}

/** A disk as its controller sees it. Ranges must lie within `size`; RangeError otherwise. */
export interface BlockDevice {
  /** `-drive id=`; also the name of its section and in events. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** Writes are refused by whoever is in front of it. */
  readonly readOnly: boolean;
  /** Copies bytes out: what was last written, be it durable or not. */
  read(offset: number, length: number): Uint8Array<ArrayBuffer>;
  /** Writes bytes: volatile until `flush`. */
  write(offset: number, bytes: Uint8Array): void;
  /** Writes zeros, however many, at no cost in memory: volatile as what `write` writes. */
  writeZeroes(offset: number, length: number): void;
  /** Makes all that was written durable: it survives a power cut. */
  flush(): void;
}
