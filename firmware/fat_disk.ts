/** A disk with one FAT16 partition, as UEFI and U-Boot look for their applications on (FAT specification 1.03; UEFI 2.10, 5.2.1 and 13.3). */
import { ByteWriter } from "../machine/layout.ts";

const SECTOR = 512, SECTORS_PER_CLUSTER = 8, CLUSTER = SECTOR * SECTORS_PER_CLUSTER;
const PARTITION_START = 2048, ROOT_ENTRIES = 512, ENTRY_SIZE = 32;
/** Clusters of FAT16. */
const LEAST_CLUSTERS = 4096, MOST_CLUSTERS = 65524;
const DIRECTORY = 0x10, FILE = 0x20, END_OF_CHAIN = 0xffff;
/** 2026-01-01, in the date format of FAT. */
const DATE = (2026 - 1980) << 9 | 1 << 5 | 1;

/** A file or a directory. */
interface Node {
  readonly children: Map<string, Node>;
  readonly contents: Uint8Array | undefined;
}

/** The 11 characters of an entry; throws RangeError for what is no such name. */
function shortName(name: string): string {
  const match = /^([A-Z0-9_-]{1,8})(?:\.([A-Z0-9_-]{1,3}))?$/.exec(name);
  if (match === null) {
    throw new RangeError(`Cannot name a file "${name}": not 8 and 3 of A to Z, 0 to 9, "-" and "_"`);
  }
  return (match[1] as string).padEnd(8) + (match[2] ?? "").padEnd(3);
}

function treeOf(files: ReadonlyMap<string, Uint8Array>): Node {
  const root: Node = { children: new Map(), contents: undefined };
  for (const [path, contents] of files) {
    const names = path.split("/"), last = names.pop() as string;
    let node = root;
    for (const name of names) {
      const next: Node = node.children.get(name) ?? { children: new Map(), contents: undefined };
      node.children.set(name, next);
      node = next;
    }
    node.children.set(last, { children: new Map(), contents });
  }
  return root;
}

/** Clusters are given out one after the other, each chain in a row. */
class Volume {
  readonly #fat: number[] = [0xfff8, END_OF_CHAIN];
  readonly #clusters: Uint8Array[] = [];

  /** Puts bytes there, and tells the first cluster; 0 for none. */
  add(bytes: Uint8Array): number {
    const count = Math.ceil(bytes.length / CLUSTER), first = this.#fat.length;
    for (let index = 0; index < count; index++) {
      this.#fat.push(index === count - 1 ? END_OF_CHAIN : first + index + 1);
    }
    const padded = new Uint8Array(count * CLUSTER);
    padded.set(bytes);
    this.#clusters.push(padded);
    return count === 0 ? 0 : first;
  }

  /** A directory has to know its own cluster before its contents are there. */
  reserve(): { readonly cluster: number; fill(bytes: Uint8Array): void } {
    const bytes = new Uint8Array(CLUSTER), cluster = this.#fat.length;
    this.#fat.push(END_OF_CHAIN);
    this.#clusters.push(bytes);
    return { cluster, fill: (contents) => bytes.set(contents) };
  }

  /** The partition with this root directory. */
  bytes(root: Uint8Array): Uint8Array[] {
    const used = this.#fat.length - 2, clusters = Math.max(LEAST_CLUSTERS, used);
    if (clusters > MOST_CLUSTERS) {
      throw new RangeError(`Cannot make a disk of ${clusters} clusters: FAT16 has ${MOST_CLUSTERS}`);
    }
    const fatSectors = Math.ceil((clusters + 2) * 2 / SECTOR);
    const fat = new DataView(new ArrayBuffer(fatSectors * SECTOR));
    this.#fat.forEach((next, index) => fat.setUint16(index * 2, next, true));
    const table = new Uint8Array(fat.buffer), rootSectors = ROOT_ENTRIES * ENTRY_SIZE / SECTOR;
    const total = 1 + 2 * fatSectors + rootSectors + clusters * SECTORS_PER_CLUSTER;
    const padding = new Uint8Array((clusters - used) * CLUSTER),
      rootArea = new Uint8Array(rootSectors * SECTOR);
    rootArea.set(root);
    return [bootSector(fatSectors, total), table, table, rootArea, ...this.#clusters, padding];
  }
}

function bootSector(fatSectors: number, total: number): Uint8Array {
  const sector = new Uint8Array(SECTOR), view = new DataView(sector.buffer);
  const put = (at: number, ...bytes: number[]) => sector.set(bytes, at);
  const text = (at: number, value: string) => sector.set(new TextEncoder().encode(value), at);
  put(0, 0xeb, 0x3c, 0x90);
  text(3, "HINDSIGH");
  view.setUint16(11, SECTOR, true);
  put(13, SECTORS_PER_CLUSTER);
  view.setUint16(14, 1, true); // reserved sectors
  put(16, 2); // tables
  view.setUint16(17, ROOT_ENTRIES, true);
  put(21, 0xf8); // fixed disk
  view.setUint16(22, fatSectors, true);
  view.setUint16(24, 63, true); // geometry
  view.setUint16(26, 255, true);
  view.setUint32(28, PARTITION_START, true);
  view.setUint32(32, total, true);
  put(36, 0x80, 0, 0x29);
  view.setUint32(39, 0x68696e64, true);
  text(43, "HINDSIGHT  FAT16   ");
  put(510, 0x55, 0xaa);
  return sector;
}

/** A table with one partition, active, of the type that UEFI looks for. */
function masterBootRecord(sectors: number): Uint8Array {
  const bytes = new Uint8Array(PARTITION_START * SECTOR), view = new DataView(bytes.buffer);
  view.setUint32(440, 0x68696e64, true);
  view.setUint8(446, 0x80);
  view.setUint8(446 + 4, 0xef);
  view.setUint32(446 + 8, PARTITION_START, true);
  view.setUint32(446 + 12, sectors, true);
  view.setUint16(510, 0xaa55, true);
  return bytes;
}

function entry(name: string, attributes: number, cluster: number, size: number): Uint8Array {
  const writer = new ByteWriter();
  writer.raw(new TextEncoder().encode(name));
  writer.u8(attributes);
  writer.raw(new Uint8Array(4));
  writer.u16(DATE);
  writer.u16(DATE);
  writer.raw(new Uint8Array(4));
  writer.u16(DATE);
  writer.u16(cluster);
  writer.u32(size);
  return writer.bytes();
}

function directory(volume: Volume, node: Node, self: number | undefined, parent: number): Uint8Array {
  const entries = self === undefined
    ? []
    : [entry(".".padEnd(11), DIRECTORY, self, 0), entry("..".padEnd(11), DIRECTORY, parent, 0)];
  for (const [name, child] of node.children) {
    if (child.contents !== undefined) {
      entries.push(entry(shortName(name), FILE, volume.add(child.contents), child.contents.length));
      continue;
    }
    const place = volume.reserve();
    place.fill(directory(volume, child, place.cluster, self ?? 0));
    entries.push(entry(shortName(name), DIRECTORY, place.cluster, 0));
  }
  if (entries.length > CLUSTER / ENTRY_SIZE) {
    throw new RangeError(`Cannot make a directory of ${entries.length} entries`);
  }
  return concatenated(entries);
}

function concatenated(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/**
 * A disk with files, by paths of names in capitals with "/" between, such as `EFI/BOOT/BOOTAA64.EFI`, which firmware starts
 * by itself. Throws RangeError for other names, and for more than 255 MiB.
 */
export function fatDisk(files: ReadonlyMap<string, Uint8Array>): Uint8Array<ArrayBuffer> {
  const volume = new Volume();
  const root = directory(volume, treeOf(files), undefined, 0);
  const partition = concatenated(volume.bytes(root));
  return concatenated([masterBootRecord(partition.length / SECTOR), partition]);
}
