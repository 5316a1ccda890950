/** Images in qcow2, versions 2 and 3, read-only (QEMU docs/interop/qcow2). */
import { CommandError } from "../errors.ts";
import type { ImageSource } from "./disk_images.ts";
import { Qcow2Clusters } from "./qcow2_clusters.ts";
import { inflateCluster } from "./qcow2_compression.ts";

/** The first four bytes, "QFI" and 0xfb, as a big-endian number. */
export const QCOW_MAGIC = 0x514649fb;

/** Most bytes of an L1 table, as in QEMU. */
const MAXIMUM_L1 = 32 * 2 ** 20;
/** Most bytes of a refcount table, as in QEMU. */
const MAXIMUM_REFCOUNTS = 8 * 2 ** 20;

/** What an image says of itself, checked. */
export interface Qcow2Header {
  /** 2 or 3. */
  readonly version: number;
  /** Bytes of a cluster: 512 to 2 MiB. */
  readonly clusterSize: number;
  /** Bytes of the disk, whole sectors. */
  readonly size: number;
  /** Entries of the L1 table that matter. */
  readonly l1Size: number;
  /** Where it is in the file. */
  readonly l1Offset: number;
  /** Where the refcount table is in the file. */
  readonly refcountOffset: number;
  /** Bytes of it. */
  readonly refcountSize: number;
  /** How compressed clusters are compressed. */
  readonly compression: "zlib" | "zstd";
}

/** Refuses an image: file, field and offset, why, and what to do. */
export type Refuse = (field: string, offset: number, why: string, remedy?: string) => CommandError;

const CONVERT = "make another image of it with qemu-img convert -O qcow2";

function refuser(name: string): Refuse {
  return (field, offset, why, remedy = CONVERT) =>
    new CommandError(`Cannot use disk image "${name}": qcow2 ${field} at offset ${offset} ${why}; ${remedy}`);
}

/** Incompatible features by bit: what they mean here. */
// deno-fmt-ignore
const INCOMPATIBLE: readonly (readonly [why: string, remedy: string] | undefined)[] = [
  ["says that the image was not closed (dirty)",             "repair it with qemu-img check -r all"],
  ["says that the image is corrupt",                         "repair it with qemu-img check -r all"],
  ["says that the data are in another file",                 CONVERT],
  undefined, // the compression type is not zlib
  ["says that clusters have subclusters (extended L2)",      "make one without: qemu-img convert -O qcow2 -o extended_l2=off"],
];
const COMPRESSION_TYPE = 3;

/** Fields of the header by name. */
// deno-fmt-ignore
const AT = {
  version: 4, backingFile: 8, clusterBits: 20, size: 24, encryption: 32, l1Size: 36, l1Offset: 40,
  refcountOffset: 48, refcountClusters: 56, incompatible: 72, headerLength: 100, compression: 104,
} as const;
const HEADER_2 = 72;
const HEADER_3 = 104;

/** Reads and checks the header; throws CommandError naming file, field and offset. */
function readHeader(source: ImageSource, refuse: Refuse): Qcow2Header {
  const bytes = new Uint8Array(HEADER_3 + 8);
  bytes.set(source.read(0, bytes.length));
  const view = new DataView(bytes.buffer);
  const wide = (at: number, field: string): number => {
    const value = view.getBigUint64(at);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) {
      throw refuse(field, at, `is 0x${value.toString(16)}, out of range`);
    }
    return Number(value);
  };
  const version = view.getUint32(AT.version);
  if (version !== 2 && version !== 3) throw refuse("version", AT.version, `is ${version}, not 2 or 3`);
  if (source.size < (version === 2 ? HEADER_2 : HEADER_3)) throw refuse("header", 0, "is cut off");
  if (view.getBigUint64(AT.backingFile) !== 0n) {
    throw refuse("backing file", AT.backingFile, "is there: the image holds only what differs from it");
  }
  const clusterBits = view.getUint32(AT.clusterBits);
  if (clusterBits < 9 || clusterBits > 21) {
    throw refuse("cluster_bits", AT.clusterBits, `is ${clusterBits}, not 9 to 21`);
  }
  const encryption = view.getUint32(AT.encryption);
  if (encryption !== 0) {
    throw refuse("crypt_method", AT.encryption, `is ${encryption}: the image is encrypted`);
  }
  const clusterSize = 2 ** clusterBits;
  const header = {
    version,
    clusterSize,
    size: wide(AT.size, "size"),
    l1Size: view.getUint32(AT.l1Size),
    l1Offset: wide(AT.l1Offset, "l1_table_offset"),
    refcountOffset: wide(AT.refcountOffset, "refcount_table_offset"),
    refcountSize: view.getUint32(AT.refcountClusters) * clusterSize,
    compression: version === 3 ? readFeatures(view, clusterSize, refuse) : "zlib" as const,
  };
  return checkGeometry(header, source, refuse);
}

/** Version 3's features; the compression type among them. */
function readFeatures(view: DataView, clusterSize: number, refuse: Refuse): "zlib" | "zstd" {
  const length = view.getUint32(AT.headerLength);
  if (length < HEADER_3 || length % 8 !== 0 || length > clusterSize) {
    throw refuse("header_length", AT.headerLength, `is ${length}`);
  }
  const features = view.getBigUint64(AT.incompatible);
  for (let bit = 0; bit < 64; bit++) {
    if ((features >> BigInt(bit) & 1n) === 0n || bit === COMPRESSION_TYPE) continue;
    const [why, remedy] = INCOMPATIBLE[bit] ?? [`has bit ${bit}, a feature that is not known`];
    throw refuse("incompatible_features", AT.incompatible, why, remedy);
  }
  const type = length > AT.compression ? view.getUint8(AT.compression) : 0;
  const isMarked = (features >> BigInt(COMPRESSION_TYPE) & 1n) !== 0n;
  if (type > 1) throw refuse("compression_type", AT.compression, `is ${type}, not 0 (zlib) or 1 (zstd)`);
  if (isMarked !== (type !== 0)) {
    throw refuse("compression_type", AT.compression, "and its bit in incompatible_features differ");
  }
  return type === 0 ? "zlib" : "zstd";
}

/** The size is one that a disk can have, and the tables are where tables can be. */
function checkGeometry(header: Qcow2Header, source: ImageSource, refuse: Refuse): Qcow2Header {
  const { clusterSize, size, l1Offset, refcountOffset, refcountSize } = header;
  if (size === 0 || size % 512 !== 0 || size > 2 ** 40) {
    throw refuse(
      "size",
      AT.size,
      `is ${size}: not whole sectors of 512 bytes up to 1 TiB`,
      "resize it with qemu-img resize",
    );
  }
  const needed = Math.ceil(size / (clusterSize * (clusterSize / 8)));
  if (header.l1Size * 8 > MAXIMUM_L1) {
    throw refuse("l1_size", AT.l1Size, `is ${header.l1Size}: the table is too large`);
  }
  if (refcountSize > MAXIMUM_REFCOUNTS) {
    throw refuse(
      "refcount_table_clusters",
      AT.refcountClusters,
      `is ${refcountSize / clusterSize}: the table is too large`,
    );
  }
  if (header.l1Size < needed) {
    throw refuse("l1_size", AT.l1Size, `is ${header.l1Size}: the disk needs ${needed}`);
  }
  const inFile = (field: string, at: number, offset: number, length: number): void => {
    if (offset % clusterSize !== 0) {
      throw refuse(field, at, `is ${offset}: not a multiple of the cluster size`);
    }
    if (offset === 0 || offset + length > source.size) {
      throw refuse(field, at, `is ${offset}: the table is not in the file`);
    }
  };
  inFile("l1_table_offset", AT.l1Offset, l1Offset, needed * 8);
  inFile("refcount_table_offset", AT.refcountOffset, refcountOffset, refcountSize);
  return { ...header, l1Size: needed };
}

/** The guest-visible contents of a qcow2 image. */
export class Qcow2Image {
  /** Bytes of the disk. */
  readonly size: number;
  readonly #header: Qcow2Header;
  readonly #clusters: Qcow2Clusters;
  readonly #refuse: Refuse;

  /** Checks header and all tables; throws CommandError naming the file, the field, its offset and what to do. */
  constructor(private readonly source: ImageSource) {
    this.#refuse = refuser(source.name);
    this.#header = readHeader(source, this.#refuse);
    this.#clusters = new Qcow2Clusters(source, this.#header, this.#refuse);
    this.size = this.#header.size;
  }

  /** Whether a range is zero for sure: nothing is stored for it. */
  isHole(offset: number, length: number): boolean {
    const { clusterSize } = this.#header;
    const last = Math.floor((offset + length - 1) / clusterSize);
    for (let index = Math.floor(offset / clusterSize); index <= last; index++) {
      if (this.#clusters.at(index).kind !== "zero") return false;
    }
    return true;
  }

  /** Reads `length` bytes at `offset`, both within the disk; throws CommandError for clusters that do not decompress. */
  read(offset: number, length: number): Uint8Array {
    const { clusterSize } = this.#header;
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length;) {
      const from = (offset + at) % clusterSize;
      const count = Math.min(length - at, clusterSize - from);
      this.#readCluster((offset + at - from) / clusterSize, from, bytes.subarray(at, at + count));
      at += count;
    }
    return bytes;
  }

  /** Part of a cluster from byte `from` on, into zeros. What is past the file's end in its last cluster is zero. */
  #readCluster(index: number, from: number, target: Uint8Array): void {
    const cluster = this.#clusters.at(index);
    if (cluster.kind === "data") target.set(this.source.read(cluster.offset + from, target.length));
    if (cluster.kind !== "compressed") return;
    const stored = this.source.read(cluster.offset, cluster.length);
    const bytes = inflateCluster(this.#header.compression, stored, this.#header.clusterSize);
    if (bytes === undefined) {
      throw this.#refuse(
        "compressed cluster",
        cluster.offset,
        "does not decompress to a whole cluster",
        "make the image again from its source",
      );
    }
    target.set(bytes.subarray(from, from + target.length));
  }
}
