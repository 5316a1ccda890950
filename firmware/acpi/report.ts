/** What became of every node of a device tree: places in tables, or a reason; and what had to be left out. */
import type { Tree, TreeNode } from "./tree.ts";

/** Bytes of a table. */
export interface Place {
  /** Signature of the table, or what else the tables come with: `EFI memory map`, `stub device tree`. */
  readonly table: string;
  /** Offset of the first byte. */
  readonly offset: number;
  /** Bytes. */
  readonly size: number;
}

/** What became of a node. */
export interface NodeMapping {
  /** Its path. */
  readonly path: string;
  /** What was made of it; empty when it has only a reason. */
  readonly places: readonly Place[];
  /** The device in the namespace, such as `\_SB.COM0`. */
  readonly device?: string;
  /** Why it is in no table, or why an operating system will not use what is. */
  readonly reason?: string;
}

/** A property that ACPI has no form for. */
export interface Omission {
  /** Path of the node. */
  readonly path: string;
  /** Name of the property. */
  readonly property: string;
  /** Why. */
  readonly reason: string;
}

/** A device that could not have the name that its node suggests. */
export interface Renaming {
  /** Path of the node. */
  readonly path: string;
  /** What its name suggests. */
  readonly wanted: string;
  /** What it is called. */
  readonly name: string;
}

/** Collects what became of nodes. */
export class Report {
  /** Properties left out. */
  readonly omissions: Omission[] = [];
  /** Devices renamed. */
  readonly renamings: Renaming[] = [];
  readonly #places = new Map<string, Place[]>();
  readonly #reasons = new Map<string, string>();
  readonly #devices = new Map<string, string>();

  /** Something was made of a node. */
  place(node: TreeNode, table: string, offset: number, size: number): void {
    this.placeAt(node.path, table, offset, size);
  }

  /** The same, by path. */
  placeAt(path: string, table: string, offset: number, size: number): void {
    const places = this.#places.get(path) ?? [];
    places.push({ table, offset, size });
    this.#places.set(path, places);
  }

  /** A node is in no table, or will not be used; the first reason counts. */
  list(node: TreeNode, reason: string): void {
    if (!this.#reasons.has(node.path)) this.#reasons.set(node.path, reason);
  }

  /** A node and all below are in no table. */
  listAll(node: TreeNode, reason: string): void {
    for (const below of node.walk()) this.list(below, reason);
  }

  /** A node became a device. */
  device(node: TreeNode, path: string): void {
    this.#devices.set(node.path, path);
  }

  /** A property was left out. */
  omit(node: TreeNode, property: string, reason: string): void {
    this.omissions.push({ path: node.path, property, reason });
  }

  /** All nodes of a tree, in its order. */
  mappings(tree: Tree): NodeMapping[] {
    return tree.nodes.map(({ path }) => {
      const device = this.#devices.get(path), reason = this.#reasons.get(path);
      return {
        path,
        places: this.#places.get(path) ?? [],
        ...(device === undefined ? {} : { device }),
        ...(reason === undefined ? {} : { reason }),
      };
    });
  }
}
