/** The graph that a backward slice builds: where a value came from, step by step, back to its origins. */
import type { MachineEvent } from "../machine/events.ts";
import type { Need, Role } from "./slice_needs.ts";

/**
 * What a node is: the value asked for; a step; an exception or interrupt taken; a return from one; firmware's answer; a
 * device's register; memory written by a device; an input; what a CPU has after a reset; bytes of an image; memory that
 * nobody wrote; what the machine itself gives, such as a counter; or something older than was looked at.
 */
export type SliceKind =
  | "target"
  | "step"
  | "exception"
  | "return"
  | "firmware"
  | "device"
  | "dma"
  | "input"
  | "reset"
  | "image"
  | "zero"
  | "machine"
  | "older";

/** The instruction of a step. */
export interface SliceStep {
  /** Its virtual address. */
  readonly pc: bigint;
  /** Its word. */
  readonly opcode: number;
  /** Exception level. */
  readonly level: number;
}

/** One value that a node was made from. */
export interface SliceSource {
  /** Where it was: a register, or bytes of physical memory. */
  readonly what: string;
  /** What it is to the node. */
  readonly role: Role;
  /** The value, where it is known. */
  readonly value: bigint | undefined;
  /** Where it came from. */
  readonly node: SliceNode;
}

/** One thing that happened on the way of a value. */
export interface SliceNode {
  /** Number, from 0; what happened later has a lower one. */
  readonly id: number;
  /** What it is. */
  readonly kind: SliceKind;
  /** When. */
  readonly instant: number;
  /** On which CPU; −1 where it was none. */
  readonly cpu: number;
  /** The fewest links from what was asked for. */
  depth: number;
  /** The instruction, for a step. */
  readonly step?: SliceStep;
  /** The event, for what is one. */
  readonly event?: MachineEvent;
  /** What more there is to say, for people. */
  readonly text?: string;
  /** What it was made from; nothing for an origin. */
  readonly sources: SliceSource[];
  /** Why it has fewer sources than it could: a limit of the request. */
  cut?: "depth" | "width" | "count";
}

/** How much of a slice is wanted. */
export interface SliceLimits {
  /** Links from what was asked for. */
  readonly depth: number;
  /** Sources of one node. */
  readonly width: number;
  /** Nodes in all. */
  readonly count: number;
}

/** Collects nodes. */
export class SliceGraph {
  /** In order of their numbers. */
  readonly nodes: SliceNode[] = [];
  /** When each source was asked for. */
  readonly #orders = new Map<SliceSource, number>();

  /** With these limits. */
  constructor(readonly limits: SliceLimits) {}

  /** Whether no more nodes are wanted. */
  get isFull(): boolean {
    return this.nodes.length >= this.limits.count;
  }

  /** Adds a node. */
  add(
    kind: SliceKind,
    instant: number,
    cpu: number,
    more: Partial<Pick<SliceNode, "step" | "event" | "text">> = {},
  ): SliceNode {
    const node: SliceNode = {
      id: this.nodes.length,
      kind,
      instant,
      cpu,
      depth: Infinity,
      sources: [],
      ...more,
    };
    this.nodes.push(node);
    return node;
  }

  /** Says where a value came from that somebody wanted. */
  link(
    { consumer, role, value, order }: Need<SliceNode>,
    what: string,
    node: SliceNode,
    written?: bigint,
  ): void {
    if (consumer.sources.length >= this.limits.width) {
      consumer.cut = "width";
      if (node.depth === Infinity) node.depth = consumer.depth + 1;
      return;
    }
    node.depth = Math.min(node.depth, consumer.depth + 1);
    const source = { what, role, value: value ?? written, node };
    this.#orders.set(source, order ?? 0);
    consumer.sources.push(source);
  }

  /** Puts the sources of each node in the order in which it has them, whenever they were found. */
  arrange(): void {
    const orderOf = (source: SliceSource): number => this.#orders.get(source) as number;
    for (const { sources } of this.nodes) sources.sort((a, b) => orderOf(a) - orderOf(b));
    this.#orders.clear();
  }

  /** Whether a node's own sources are wanted; marks it where they are not. */
  isFollowed(node: SliceNode): boolean {
    if (node.depth < this.limits.depth) return true;
    node.cut = "depth";
    return false;
  }
}
