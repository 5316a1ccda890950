/** Flattened device trees: a tree that is edited the way libfdt edits one, and written to a blob. */

/** A property: a name and bytes; numbers in it are big-endian. */
export interface DeviceTreeProperty {
  /** Name, such as `compatible`. */
  readonly name: string;
  /** Value in the blob's byte order. */
  value: Uint8Array;
}

/**
 * A node. As in libfdt, a new property becomes the first of its node and a new child the first of its parent, so
 * that building a tree in QEMU's order of calls gives QEMU's order in the blob.
 */
export class DeviceTreeNode {
  /** Properties in the order of the blob. */
  readonly properties: DeviceTreeProperty[] = [];
  /** Children in the order of the blob. */
  readonly children: DeviceTreeNode[] = [];

  /** `name` has its unit address, such as `pl011@9000000`; the root's is empty. */
  constructor(readonly name: string) {}

  /** The value of a property, or undefined. */
  get(name: string): Uint8Array | undefined {
    return this.properties.find((property) => property.name === name)?.value;
  }

  /** Sets a property: an old one keeps its place, a new one goes to the front. Returns the node. */
  set(name: string, value: Uint8Array): this {
    const old = this.properties.find((property) => property.name === name);
    if (old === undefined) this.properties.unshift({ name, value });
    else old.value = value;
    return this;
  }

  /** The child of that full name, or undefined. */
  child(name: string): DeviceTreeNode | undefined {
    return this.children.find((child) => child.name === name);
  }

  /** Adds a child in front; throws RangeError when there is one of that name. */
  add(name: string): DeviceTreeNode {
    if (this.child(name) !== undefined) throw new RangeError(`Cannot add node "${name}": it exists`);
    const node = new DeviceTreeNode(name);
    this.children.unshift(node);
    return node;
  }

  /** The child of that name, added in front when there is none. */
  require(name: string): DeviceTreeNode {
    return this.child(name) ?? this.add(name);
  }

  /** Removes the children for which `matches` holds. */
  remove(matches: (child: DeviceTreeNode) => boolean): void {
    for (let index = this.children.length - 1; index >= 0; index--) {
      if (matches(this.children[index] as DeviceTreeNode)) this.children.splice(index, 1);
    }
  }
}

/** A whole tree. */
export interface DeviceTree {
  /** The root node. */
  readonly root: DeviceTreeNode;
  /** Memory that the client program must leave alone. */
  readonly reservations: readonly { readonly address: bigint; readonly size: bigint }[];
  /** Physical id of the boot CPU. */
  readonly bootCpu: number;
}

/** The value of a property without one, such as `dma-coherent`. */
export const EMPTY: Uint8Array = new Uint8Array(0);

/** 32-bit cells, big-endian. */
export function cells(...values: number[]): Uint8Array {
  const bytes = new Uint8Array(values.length * 4);
  const view = new DataView(bytes.buffer);
  for (const [index, value] of values.entries()) view.setUint32(index * 4, value);
  return bytes;
}

/** Numbers below 2^53, each as `count` cells. */
export function sizedCells(count: number, ...values: number[]): Uint8Array {
  return cells(...values.flatMap((value) => {
    const low = value % 0x1_0000_0000;
    const rest = [Math.floor(value / 0x1_0000_0000), low];
    return count === 1 ? [low] : [...Array<number>(count - 2).fill(0), ...rest];
  }));
}

/** Strings, each with its terminating zero. */
export function strings(...values: string[]): Uint8Array {
  return new TextEncoder().encode(values.map((value) => value + "\0").join(""));
}

/** Numbers of the blob format (Devicetree Specification 0.4, chapter 5). */
// deno-fmt-ignore
export const FORMAT = {
  MAGIC: 0xd00dfeed, VERSION: 17, LAST_COMPATIBLE_VERSION: 16, HEADER_SIZE: 40,
  BEGIN_NODE: 1, END_NODE: 2, PROPERTY: 3, NOP: 4, END: 9,
} as const;

function align(value: number, to: number): number {
  return Math.ceil(value / to) * to;
}

/** The two blocks of a blob that depend on the nodes. */
class BlobWriter {
  readonly structure: number[] = [];
  readonly strings: number[] = [];
  #offsets = new Map<string, number>();

  #word(value: number): void {
    this.structure.push(value >>> 24, value >>> 16 & 255, value >>> 8 & 255, value & 255);
  }

  #padded(bytes: Uint8Array): void {
    for (const byte of bytes) this.structure.push(byte);
    while (this.structure.length % 4 !== 0) this.structure.push(0);
  }

  #stringOffset(name: string): number {
    const known = this.#offsets.get(name);
    if (known !== undefined) return known;
    const offset = this.strings.length;
    this.#offsets.set(name, offset);
    this.strings.push(...strings(name));
    return offset;
  }

  node(node: DeviceTreeNode): void {
    this.#word(FORMAT.BEGIN_NODE);
    this.#padded(strings(node.name));
    for (const { name, value } of node.properties) {
      this.#word(FORMAT.PROPERTY);
      this.#word(value.length);
      this.#word(this.#stringOffset(name));
      this.#padded(value);
    }
    for (const child of node.children) this.node(child);
    this.#word(FORMAT.END_NODE);
  }

  end(): void {
    this.#word(FORMAT.END);
  }
}

/**
 * Writes a tree as a version 17 blob. With `totalSize`, the blob is padded with zeros to that many bytes, its
 * `totalsize`, which leaves the client program room to edit; throws RangeError when the tree needs more.
 */
export function writeDeviceTree(tree: DeviceTree, totalSize?: number): Uint8Array<ArrayBuffer> {
  const writer = new BlobWriter();
  writer.node(tree.root);
  writer.end();
  const reservationsAt = align(FORMAT.HEADER_SIZE, 8);
  const structureAt = reservationsAt + (tree.reservations.length + 1) * 16;
  const stringsAt = structureAt + writer.structure.length;
  const used = stringsAt + writer.strings.length;
  const size = totalSize ?? used;
  if (used > size) throw new RangeError(`Cannot write a device tree of ${used} bytes in ${size}`);
  const bytes = new Uint8Array(size);
  // deno-fmt-ignore
  const header = [
    FORMAT.MAGIC, size, structureAt, stringsAt, reservationsAt, FORMAT.VERSION, FORMAT.LAST_COMPATIBLE_VERSION, tree.bootCpu,
    writer.strings.length, writer.structure.length,
  ];
  bytes.set(cells(...header));
  const view = new DataView(bytes.buffer);
  for (const [index, { address, size }] of tree.reservations.entries()) {
    view.setBigUint64(reservationsAt + index * 16, address);
    view.setBigUint64(reservationsAt + index * 16 + 8, size);
  }
  bytes.set(writer.structure, structureAt);
  bytes.set(writer.strings, stringsAt);
  return bytes;
}
