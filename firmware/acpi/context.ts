/** What all parts of a conversion share. */
import type { Names } from "./names.ts";
import type { Report } from "./report.ts";
import type { Tree, TreeNode } from "./tree.ts";

/** Where CPUs that PSCI does not start wait, by index of the CPU (ACPI multiprocessor startup for ARM platforms). */
export interface Parking {
  /** Version of the parking protocol. */
  readonly version: number;
  /** Physical address of each CPU's mailbox, in the order of `/cpus`. */
  readonly mailboxes: readonly number[];
}

/** What can be asked of a conversion. */
export interface ConversionOptions {
  /** CPUs are started by mailboxes; PSCI is then not mentioned in the FADT. */
  readonly parking?: Parking;
  /** `compatible` of nodes that become PRP0001 though they have a counterpart. */
  readonly forcePrp0001?: readonly string[];
  /** There is no screen and no keyboard, only the serial line: FADT says HEADLESS, and DBG2 has the port of SPCR. */
  readonly isHeadless?: boolean;
}

/** A CPU that is to be used. */
export interface Processor {
  /** Its node. */
  readonly node: TreeNode;
  /** MPIDR_EL1's affinity fields. */
  readonly mpidr: bigint;
  /** _UID of its device and of its MADT entry. */
  readonly uid: number;
}

/** A conversion on its way. */
export interface Context {
  /** What is converted. */
  readonly tree: Tree;
  /** How. */
  readonly options: ConversionOptions;
  /** What became of nodes. */
  readonly report: Report;
  /** Names of devices. */
  readonly names: Names;
  /** CPUs that are to be used. */
  readonly processors: readonly Processor[];
  /** The interrupt controller. */
  readonly gic: TreeNode;
  /** Devices by node, such as `\_SB.COM0`. */
  readonly devices: Map<TreeNode, string>;
  /** Numbers for what has a _UID, by what it is. */
  readonly counters: Map<string, number>;
}

/** The next number of a kind, from 0. */
export function nextNumber({ counters }: Context, kind: string): number {
  const number = counters.get(kind) ?? 0;
  counters.set(kind, number + 1);
  return number;
}

/** Nodes that are to be used and compatible with one of these. */
export function enabledNodes({ tree }: Context, ...compatibles: readonly string[]): TreeNode[] {
  return tree.nodes.filter((node) => node.isEnabled && node.is(...compatibles));
}
