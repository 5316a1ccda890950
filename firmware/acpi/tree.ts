/** A device tree as the converter asks about it: paths, phandles, addresses, states (Devicetree Specification 0.4). */
import type { DeviceTree, DeviceTreeNode } from "../../machine/device_tree.ts";

/** A device tree that no ACPI tables can be made of; the message names the node. */
export class DeviceTreeRefusal extends Error {
  /** Name of the class. */
  override name = "DeviceTreeRefusal";
  /** Path of the node. */
  readonly path: string;

  /** `reason` says what is wrong with the node. */
  constructor(path: string, reason: string) {
    super(`Cannot convert the device tree to ACPI: ${path}: ${reason}`);
    this.path = path;
  }
}

/** A range of addresses of 64 bits. */
export interface Range {
  /** First address. */
  readonly base: bigint;
  /** Bytes. */
  readonly size: bigint;
}

const LIMIT_64 = 1n << 64n;
const decoder = new TextDecoder();

/** A node with its place in the tree. */
export class TreeNode {
  /** Path, such as /cpus/cpu@0. */
  readonly path: string;
  /** The node above; undefined for the root. */
  readonly parent: TreeNode | undefined;
  /** The node itself. */
  readonly node: DeviceTreeNode;
  /** The nodes below, in the order of the tree. */
  readonly children: readonly TreeNode[];

  /** A node and, below it, all of its children. */
  constructor(node: DeviceTreeNode, parent?: TreeNode) {
    this.node = node;
    this.parent = parent;
    this.path = parent === undefined ? "/" : `${parent.path === "/" ? "" : parent.path}/${node.name}`;
    this.children = node.children.map((child) => new TreeNode(child, this));
  }

  /** The name without unit address. */
  get stem(): string {
    return this.node.name.split("@")[0] as string;
  }

  /** This node and all below, a parent before its children. */
  *walk(): Generator<TreeNode> {
    yield this;
    for (const child of this.children) yield* child.walk();
  }

  /** There is such a property. */
  has(name: string): boolean {
    return this.node.get(name) !== undefined;
  }

  /** 32-bit cells of a property, none when it is absent; refuses a length that is no multiple of 4. */
  cells(name: string): number[] {
    const value = this.node.get(name) ?? new Uint8Array(0);
    if (value.length % 4 !== 0) this.refuse(`"${name}" has ${value.length} bytes, which are no cells`);
    const view = new DataView(value.buffer, value.byteOffset, value.length);
    return Array.from({ length: value.length / 4 }, (_, index) => view.getUint32(index * 4));
  }

  /** The one cell of a property, or undefined when it is absent; refuses another length. */
  cell(name: string): number | undefined {
    if (!this.has(name)) return undefined;
    const cells = this.cells(name);
    return cells.length === 1 ? cells[0] : this.refuse(`"${name}" has ${cells.length} cells, not one`);
  }

  /** The strings of a property, none when it is absent. */
  strings(name: string): string[] {
    const value = this.node.get(name);
    return value === undefined || value.length === 0
      ? []
      : decoder.decode(value).replace(/\0$/, "").split("\0");
  }

  /** `compatible`, the most specific first. */
  get compatible(): readonly string[] {
    return this.strings("compatible");
  }

  /** It is compatible with one of them. */
  is(...compatibles: readonly string[]): boolean {
    return this.compatible.some((compatible) => compatibles.includes(compatible));
  }

  /** It and all above it are to be used. */
  get isEnabled(): boolean {
    const status = this.strings("status")[0] ?? "okay";
    return (status === "okay" || status === "ok") && (this.parent?.isEnabled ?? true);
  }

  /** `#address-cells` and the like, of 0 to `most`, by which children (or users) write; `initial` when it is absent. */
  count(name: string, initial: number, most = 4): number {
    const count = this.cell(name) ?? initial;
    return count <= most ? count : this.refuse(`"${name}" is ${count}, more than ${most}`);
  }

  /** Refuses the tree for this node. */
  refuse(reason: string): never {
    throw new DeviceTreeRefusal(this.path, reason);
  }
}

/** Consecutive cells as one number; more than 64 bits are refused in the name of a node. */
export function wideCell(node: TreeNode, cells: readonly number[], what: string): bigint {
  const value = cells.reduce((sum, cell) => sum << 32n | BigInt(cell), 0n);
  return value < LIMIT_64 ? value : node.refuse(`${what} 0x${value.toString(16)} has more than 64 bits`);
}

/** Cells in groups of a size; refuses a rest. */
export function cellGroups(node: TreeNode, name: string, size: number): number[][] {
  const cells = node.cells(name);
  if (cells.length === 0) return [];
  if (size === 0 || cells.length % size !== 0) {
    node.refuse(`"${name}" has ${cells.length} cells, which are no groups of ${size}`);
  }
  return Array.from(
    { length: cells.length / size },
    (_, index) => cells.slice(index * size, (index + 1) * size),
  );
}

/** A bus's view: from its children's addresses to its own. */
function translate(bus: TreeNode, { base, size }: Range): Range | undefined {
  const parent = bus.parent as TreeNode;
  const child = bus.count("#address-cells", 2),
    up = parent.count("#address-cells", 2),
    length = bus.count("#size-cells", 1);
  if (!bus.has("ranges")) return undefined;
  const rows = cellGroups(bus, "ranges", child + up + length);
  if (rows.length === 0) return { base, size };
  for (const row of rows) {
    const from = wideCell(bus, row.slice(0, child), "an address of ranges");
    const to = wideCell(bus, row.slice(child, child + up), "an address of ranges");
    const span = wideCell(bus, row.slice(child + up), "a size of ranges");
    if (base >= from && base + size <= from + span) return { base: base - from + to, size };
  }
  return undefined;
}

/**
 * The ranges of `reg` as the processor sees them, undefined where a bus above does not hand them on. Refuses what has more
 * than 64 bits.
 */
export function regOf(node: TreeNode): Range[] | undefined {
  const bus = node.parent;
  if (bus === undefined || !node.has("reg")) return [];
  const address = bus.count("#address-cells", 2), size = bus.count("#size-cells", 1);
  const ranges: Range[] = [];
  for (const row of cellGroups(node, "reg", address + size)) {
    let range: Range | undefined = {
      base: wideCell(node, row.slice(0, address), "the address of reg"),
      size: wideCell(node, row.slice(address), "the size of reg"),
    };
    for (let at = bus; at.parent !== undefined && range !== undefined; at = at.parent) {
      range = translate(at, range);
    }
    if (range === undefined) return undefined;
    if (range.base + range.size > LIMIT_64) node.refuse("its reg ends behind 64 bits of addresses");
    ranges.push(range);
  }
  return ranges;
}

/** A tree with its nodes by path and phandle. */
export class Tree {
  /** The root. */
  readonly root: TreeNode;
  /** All nodes, a parent before its children. */
  readonly nodes: readonly TreeNode[];
  readonly #paths = new Map<string, TreeNode>();
  readonly #phandles = new Map<number, TreeNode>();

  /** Refuses a phandle that two nodes have. */
  constructor(tree: DeviceTree) {
    this.root = new TreeNode(tree.root);
    this.nodes = [...this.root.walk()];
    for (const node of this.nodes) {
      this.#paths.set(node.path, node);
      const phandle = node.cell("phandle") ?? node.cell("linux,phandle");
      if (phandle === undefined) continue;
      const other = this.#phandles.get(phandle);
      if (other !== undefined) {
        node.refuse(`its phandle 0x${phandle.toString(16)} is that of ${other.path} too`);
      }
      this.#phandles.set(phandle, node);
    }
  }

  /** The node with a phandle. */
  withPhandle(phandle: number): TreeNode | undefined {
    return this.#phandles.get(phandle);
  }

  /** The node at a path, or of an alias, without what follows a colon. */
  at(text: string): TreeNode | undefined {
    const [path] = text.split(":") as [string];
    if (path.startsWith("/")) return this.#paths.get(path);
    const [alias, ...rest] = path.split("/") as [string];
    const target = this.#paths.get("/aliases")?.strings(alias)[0];
    return target === undefined ? undefined : this.#paths.get([target, ...rest].join("/"));
  }
}
