/** Where the clusters of a qcow2 image are: its L1 and L2 tables, checked as a whole when the image is opened. */
import type { ImageSource } from "./disk_images.ts";
import type { Qcow2Header, Refuse } from "./qcow2.ts";

/** Where a cluster's contents are. */
export type Cluster =
  /** Nowhere: it is zero. */
  | { readonly kind: "zero" }
  /** In the file as they are. */
  | { readonly kind: "data"; readonly offset: number }
  /** Compressed, with bytes of no meaning behind. */
  | { readonly kind: "compressed"; readonly offset: number; readonly length: number };

const ZERO: Cluster = { kind: "zero" };

const OFFSET_MASK = 0x00ff_ffff_ffff_fe00n;
const COPIED = 1n << 63n;
const COMPRESSED = 1n << 62n;
const READS_ZERO = 1n;

/** L2 tables kept, together at most this many bytes. */
const CACHED = 2 ** 23;

/** What a cluster of the file is taken by; several compressed ones may share it. */
const TAKEN = { free: 0, table: 1, data: 2, compressed: 3 } as const;

/** Marks of the file's clusters, in pages made where they are needed. */
class FileClusters {
  readonly #pages = new Map<number, Uint8Array>();
  static readonly #PAGE = 4096;

  /** Marks a cluster; false when it is taken already by what cannot share it. */
  take(cluster: number, by: number): boolean {
    const number = Math.floor(cluster / FileClusters.#PAGE), within = cluster % FileClusters.#PAGE;
    let page = this.#pages.get(number);
    if (page === undefined) this.#pages.set(number, page = new Uint8Array(FileClusters.#PAGE));
    const taken = page[within];
    page[within] = by;
    return taken === TAKEN.free || (taken === TAKEN.compressed && by === TAKEN.compressed);
  }
}

/** The clusters of an image's disk, by number. */
export class Qcow2Clusters {
  readonly #entries: number;
  /** Offsets of L2 tables, 0 where there is none. */
  readonly #l1: Float64Array;
  readonly #tables = new Map<number, DataView>();

  /** Reads and checks every table; throws what `refuse` makes. */
  constructor(
    private readonly source: ImageSource,
    private readonly header: Qcow2Header,
    private readonly refuse: Refuse,
  ) {
    this.#entries = header.clusterSize / 8;
    this.#l1 = new Float64Array(header.l1Size);
    const file = new FileClusters();
    this.#takeTables(file);
    this.#readL1(file);
    const count = Math.ceil(header.size / header.clusterSize);
    for (let first = 0; first < count; first += this.#entries) {
      if (this.#l1[first / this.#entries] === 0) continue;
      const last = Math.min(first + this.#entries, count);
      for (let index = first; index < last; index++) this.#takeCluster(file, index);
    }
  }

  /** Header, refcount table and L1 table must not lie on one another. */
  #takeTables(file: FileClusters): void {
    const { clusterSize, l1Offset, l1Size, refcountOffset, refcountSize } = this.header;
    const ranges = [
      ["header", 0, 0, 1],
      ["refcount_table_offset", 48, refcountOffset, refcountSize],
      ["l1_table_offset", 40, l1Offset, l1Size * 8],
    ] as const;
    for (const [field, at, offset, length] of ranges) {
      for (
        let cluster = offset / clusterSize;
        cluster < Math.ceil((offset + length) / clusterSize);
        cluster++
      ) {
        if (!file.take(cluster, TAKEN.table)) {
          throw this.refuse(field, at, `is ${offset}: the table overlaps another`);
        }
      }
    }
  }

  #readL1(file: FileClusters): void {
    const { clusterSize, l1Offset, l1Size } = this.header;
    const bytes = this.source.read(l1Offset, l1Size * 8);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let index = 0; index < l1Size; index++) {
      const entry = view.getBigUint64(index * 8);
      if (entry === 0n) continue;
      const at = l1Offset + index * 8;
      const offset = Number(entry & OFFSET_MASK);
      if ((entry & ~(OFFSET_MASK | COPIED)) !== 0n) throw this.refuse("L1 entry", at, "has reserved bits");
      this.#l1[index] = this.#checked("L2 table", at, offset, clusterSize);
      if (offset !== 0 && !file.take(offset / clusterSize, TAKEN.table)) {
        throw this.refuse("L1 entry", at, `names ${offset}: the L2 table overlaps another table`);
      }
    }
  }

  /** An offset named by an entry at `at`: aligned, and `length` bytes of it in the file. */
  #checked(what: string, at: number, offset: number, length: number): number {
    if (offset % this.header.clusterSize !== 0) {
      throw this.refuse("entry", at, `names ${offset} for its ${what}: not a multiple of the cluster size`);
    }
    if (offset + length > this.source.size) {
      throw this.refuse("entry", at, `names ${offset} for its ${what}: past the end of the file`);
    }
    return offset;
  }

  /** Checks the place of a cluster. */
  #takeCluster(file: FileClusters, index: number): void {
    const cluster = this.at(index);
    if (cluster.kind === "zero") return;
    const { clusterSize } = this.header;
    const isData = cluster.kind === "data";
    const at = this.#entryOffset(index);
    // The file may end within its last cluster.
    if (isData) this.#checked("cluster", at, cluster.offset, 1);
    const end = cluster.offset + (isData ? clusterSize : cluster.length);
    for (let place = Math.floor(cluster.offset / clusterSize); place * clusterSize < end; place++) {
      if (file.take(place, isData ? TAKEN.data : TAKEN.compressed)) continue;
      throw this.refuse(
        "L2 entry",
        at,
        `names ${cluster.offset}: the cluster overlaps a table or another cluster`,
      );
    }
  }

  #entryOffset(index: number): number {
    return (this.#l1[Math.floor(index / this.#entries)] as number) + (index % this.#entries) * 8;
  }

  /** Where a cluster's contents are. */
  at(index: number): Cluster {
    const table = this.#table(Math.floor(index / this.#entries));
    if (table === undefined) return ZERO;
    const entry = table.getBigUint64((index % this.#entries) * 8);
    if (entry === 0n) return ZERO;
    if ((entry & COMPRESSED) !== 0n) return this.#compressed(entry, index);
    if ((entry & ~(OFFSET_MASK | COPIED | READS_ZERO)) !== 0n) {
      throw this.refuse("L2 entry", this.#entryOffset(index), "has reserved bits");
    }
    if ((entry & READS_ZERO) !== 0n) {
      if (this.header.version > 2) return ZERO;
      throw this.refuse("L2 entry", this.#entryOffset(index), "is marked as zero, which version 2 cannot");
    }
    const offset = Number(entry & OFFSET_MASK);
    return offset === 0 ? ZERO : { kind: "data", offset };
  }

  /** Host offset in the low bits, above them the number of 512-byte sectors after the first. */
  #compressed(entry: bigint, index: number): Cluster {
    const offsetBits = BigInt(62 - (Math.log2(this.header.clusterSize) - 8));
    const offset = Number(entry & ((1n << offsetBits) - 1n));
    const sectors = Number((entry & (COMPRESSED - 1n)) >> offsetBits);
    if (offset >= this.source.size) {
      throw this.refuse("L2 entry", this.#entryOffset(index), `names ${offset}: past the end of the file`);
    }
    const end = Math.min((Math.floor(offset / 512) + sectors + 1) * 512, this.source.size);
    return { kind: "compressed", offset, length: end - offset };
  }

  #table(index: number): DataView | undefined {
    const offset = this.#l1[index] as number;
    if (offset === 0) return undefined;
    const present = this.#tables.get(index);
    if (present !== undefined) return present;
    const { clusterSize } = this.header;
    if (this.#tables.size * clusterSize >= CACHED) this.#tables.clear();
    const bytes = this.source.read(offset, clusterSize);
    const table = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#tables.set(index, table);
    return table;
  }
}
