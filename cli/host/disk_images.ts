/** Image files of disks: opened by their format, hashed once, and read chunk by chunk with each chunk checked. */
import { Buffer } from "node:buffer";
import type { DiskImage } from "../../machine/storage/block.ts";
import {
  chunkCount,
  chunkHash,
  chunkLength,
  imageHash,
  SECTOR_SIZE,
  zeroChunk,
} from "../../machine/storage/image.ts";
import { CommandError } from "../errors.ts";
import type { DiskFormat } from "../machine_request.ts";
import { FileSource } from "./file_source.ts";
import { Qcow2Image, QCOW_MAGIC } from "./qcow2.ts";

/** The bytes of an image file. */
export interface ImageSource {
  /** The file's name, for messages. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** Reads `length` bytes at `offset`, fewer where the file ends, into `place` if there is one and it helps. */
  read(offset: number, length: number, place?: Uint8Array<ArrayBuffer>): Uint8Array;
}

/** What a guest sees of an image, before it has a hash. */
interface Contents {
  readonly size: number;
  /** As `ImageSource.read`. */
  read(offset: number, length: number, place?: Uint8Array<ArrayBuffer>): Uint8Array;
  /** Zero for sure, without reading. */
  isHole(offset: number, length: number): boolean;
}

/** A raw file: its bytes, with zeros to a whole number of sectors. */
class RawImage implements Contents {
  readonly size: number;
  constructor(private readonly source: ImageSource) {
    this.size = Math.ceil(source.size / SECTOR_SIZE) * SECTOR_SIZE;
  }
  read(offset: number, length: number, place?: Uint8Array<ArrayBuffer>): Uint8Array {
    const read = this.source.read(offset, length, place);
    // Short only at the end of a file that is no whole number of sectors, or that lost its end since.
    if (read.length === length) return read;
    const bytes = new Uint8Array(length);
    bytes.set(read);
    return bytes;
  }
  isHole(): boolean {
    return false;
  }
}

/** Formats that are known by their first bytes and cannot be read here. */
// deno-fmt-ignore
const FOREIGN: readonly (readonly [name: string, offset: number, magic: string])[] = [
  ["a VMDK",       0,  "KDMV"],
  ["a VMDK",       0,  "# Disk DescriptorFile"],
  ["a VHDX",       0,  "vhdxfile"],
  ["a VHD",        0,  "conectix"],
  ["a VDI",        64, "\x7f\x10\xda\xbe"],
  ["a QED",        0,  "QED\0"],
  ["a LUKS",       0,  "LUKS\xba\xbe"],
  ["a Parallels",  0,  "WithoutFreeSpace"],
  ["a Parallels",  0,  "WithouFreSpacExt"],
];

/** The format of a file by its first bytes, as QEMU tells them; throws CommandError for one that cannot be read here. */
function probe(source: ImageSource): DiskFormat {
  const head = Buffer.from(source.read(0, 128));
  const isVersion1 = head.length >= 8 && head.readUInt32BE(4) === 1;
  if (head.length >= 4 && head.readUInt32BE(0) === QCOW_MAGIC && !isVersion1) return "qcow2";
  const foreign = head.length >= 4 && head.readUInt32BE(0) === QCOW_MAGIC
    ? "a qcow version 1"
    : FOREIGN.find(([, offset, magic]) => head.toString("latin1", offset, offset + magic.length) === magic)
      ?.[0];
  if (foreign === undefined) return "raw";
  throw new CommandError(
    `Cannot use disk image "${source.name}": it is ${foreign} image; convert it with ` +
      `qemu-img convert -O qcow2 "${source.name}" disk.qcow2 (format=raw takes its bytes as they are)`,
  );
}

/** Chunks of 1 MiB kept in memory, of each image: guests have caches of their own. */
const CACHED_CHUNKS = 32;

const HASH_SIZE = 32;

/** An image file with the hash of each chunk: a chunk that is not what was hashed is never given out. */
export class FileImage implements DiskImage {
  /** Bytes. */
  readonly size: number;
  /** SHA-256 over the chunks' SHA-256: the name of its contents. */
  readonly sha256: string;
  readonly #hashes: Uint8Array;
  readonly #isZero: Uint8Array;
  /** The chunks used last, oldest first. */
  readonly #cache = new Map<number, Uint8Array>();

  /** Hashes the contents. */
  constructor(private readonly name: string, private readonly contents: Contents) {
    this.size = contents.size;
    const count = chunkCount(this.size);
    this.#hashes = new Uint8Array(count * HASH_SIZE);
    this.#isZero = new Uint8Array(count);
    // One place for all chunks: memory that is new has to be cleared by the system first, which takes longer.
    const place = new Uint8Array(zeroChunk().length);
    for (let index = 0; index < count; index++) {
      const chunk = this.#read(index, place);
      this.#isZero[index] = chunk === zeroChunk() ? 1 : 0;
      this.#hashes.set(chunkHash(chunk), index * HASH_SIZE);
    }
    this.sha256 = imageHash([this.#hashes]);
  }

  #read(index: number, place?: Uint8Array<ArrayBuffer>): Uint8Array {
    const length = chunkLength(this.size, index);
    const offset = index * zeroChunk().length;
    const isWhole = length === zeroChunk().length;
    if (isWhole && this.contents.isHole(offset, length)) return zeroChunk();
    const bytes = this.contents.read(offset, length, place);
    return isWhole && Buffer.compare(bytes, zeroChunk()) === 0 ? zeroChunk() : bytes;
  }

  /** The bytes of a chunk; throws CommandError when they are no longer what was hashed. */
  chunk(index: number): Uint8Array {
    if (this.#isZero[index] === 1) return zeroChunk();
    const bytes = this.#cache.get(index) ?? this.#checked(index);
    this.#cache.delete(index);
    this.#cache.set(index, bytes);
    if (this.#cache.size > CACHED_CHUNKS) this.#cache.delete(this.#cache.keys().next().value as number);
    return bytes;
  }

  #checked(index: number): Uint8Array {
    const bytes = this.#read(index);
    const at = index * HASH_SIZE;
    if (Buffer.compare(chunkHash(bytes), this.#hashes.subarray(at, at + HASH_SIZE)) === 0) return bytes;
    throw new CommandError(
      `The disk image "${this.name}" was changed while it was in use: MiB ${index} is not what it was at power-on`,
    );
  }
}

/** A file's contents as a guest sees them, not hashed yet. */
export interface OpenedImage {
  /** Bytes of the disk. */
  readonly size: number;
  /** How it was read. */
  readonly format: DiskFormat;
  /** Reads all of it and hashes it. */
  hash(): FileImage;
  /** Closes the file; not to be called once it is in use. */
  close(): void;
}

/**
 * Opens an image file, which stays open; the format is told by the first bytes when none is given. Throws CommandError
 * naming the file and what is wrong with it.
 */
export function openDiskImage(path: string, format?: DiskFormat): OpenedImage {
  const source = new FileSource(path, "disk image");
  try {
    if (source.size === 0) throw new CommandError(`Cannot use disk image "${path}": it is empty`);
    const actual = format ?? probe(source);
    if (actual === "qcow2") refuseOther(source);
    const contents = actual === "qcow2" ? new Qcow2Image(source) : new RawImage(source);
    const close = () => source.close();
    return { size: contents.size, format: actual, hash: () => new FileImage(path, contents), close };
  } catch (error) {
    source.close();
    throw error;
  }
}

/**
 * The file as the disk of that size and hash, in whichever format makes it that; undefined when it is not. Throws
 * CommandError for a file that cannot be read, or not as the format that it seems to have.
 */
export function matchDiskImage(path: string, size: number, sha256: string): FileImage | undefined {
  // Raw first: whatever it looks like, somebody may have said format=raw.
  for (const format of ["raw", undefined] as const) {
    const opened = openDiskImage(path, format);
    const isNew = format === "raw" || opened.format !== "raw";
    const image = isNew && opened.size === size ? opened.hash() : undefined;
    if (image?.sha256 === sha256) return image;
    opened.close();
  }
  return undefined;
}

function refuseOther(source: ImageSource): void {
  const head = Buffer.from(source.read(0, 4));
  if (head.length === 4 && head.readUInt32BE(0) === QCOW_MAGIC) return;
  throw new CommandError(
    `Cannot use disk image "${source.name}": it is no qcow2 image; leave format=qcow2 out`,
  );
}
