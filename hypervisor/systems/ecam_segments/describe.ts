/** Writes segments into what a guest is told of its machine: the device tree in memory, or ACPI tables made of it. */
import { tablesOf } from "../../../machine/acpi_tables.ts";
import { hex, type PhysicalAddress } from "../../../machine/address.ts";
import { isMemory, RAM_BASE } from "../../../machine/board.ts";
import { type DeviceTree, FORMAT, writeDeviceTree } from "../../../machine/device_tree.ts";
import { parseDeviceTree } from "../../../machine/device_tree_reader.ts";
import { ConfigurationError } from "../../../machine/errors.ts";
import type { PhysicalMemory } from "../../../machine/memory/physical.ts";
import type { MonitorSite } from "../../../machine/monitor.ts";
import { describeSegments } from "./device_tree.ts";
import type { RootPortPlace, Segment } from "./segments.ts";
import type { SegmentOptions } from "./options.ts";

/** Loaders put a tree at such multiples. */
const ALIGNMENT = 2 ** 21;

/** What is to be described. */
export interface Description {
  /** Where. */
  readonly site: MonitorSite;
  /** The root ports. */
  readonly places: readonly RootPortPlace[];
  /** The segments. */
  readonly segments: readonly Segment[];
  /** `tree` and `acpi`. */
  readonly options: SegmentOptions;
  /** Memory behind a tree that grows has to be free; a reset leaves there what was described before. */
  readonly checks: boolean;
}

/** Does it. Throws ConfigurationError where there is no tree, one of another board, or no room. */
export function describe({ site, places, segments, options, checks }: Description): void {
  const { memory } = site, at = treeAt(site, options.tree);
  if (at === undefined) return;
  const size = word(memory, at + 4);
  const tree = parseDeviceTree(memory.readBytes(at as PhysicalAddress, size), "the device tree in memory");
  try {
    describeSegments(tree, places, segments);
  } catch (error) {
    throw new ConfigurationError(
      `Cannot write segments into the tree at ${hex(at)}: ${(error as Error).message}`,
    );
  }
  if (options.acpi !== undefined) return describeByAcpi(memory, tree, options.acpi);
  const bytes = writeDeviceTree(tree);
  const more = memory.readBytes(at + size as PhysicalAddress, Math.max(0, bytes.length - size));
  if (checks && more.some((byte) => byte !== 0)) {
    throw new ConfigurationError(
      `Cannot write segments into the tree at ${hex(at)}: there is no room behind it`,
    );
  }
  memory.writeBytes(at as PhysicalAddress, bytes);
}

function describeByAcpi(memory: PhysicalMemory, tree: DeviceTree, at: number): void {
  const bytes = tablesOf(tree, at);
  try {
    memory.writeBytes(at as PhysicalAddress, bytes);
  } catch {
    throw new ConfigurationError(
      `Cannot put ACPI tables at ${hex(at)}: there is no RAM for ${bytes.length} bytes`,
    );
  }
}

function word(memory: PhysicalMemory, at: number): number {
  const bytes = memory.readBytes(at as PhysicalAddress, 4);
  return new DataView(bytes.buffer).getUint32(0);
}

/** Where the tree is; undefined for none. */
function treeAt({ board, memory }: MonitorSite, tree: SegmentOptions["tree"]): number | undefined {
  if (tree === "none") return undefined;
  if (typeof tree === "number") {
    if (isTree(memory, tree)) return tree;
    throw new ConfigurationError(`Cannot write segments: there is no device tree at tree=${hex(tree)}`);
  }
  const ram = board.rows.find((row) => row.base === RAM_BASE && isMemory(row));
  const end = RAM_BASE + (ram?.size ?? 0);
  for (let at: number = RAM_BASE; at < end; at += ALIGNMENT) if (isTree(memory, at)) return at;
  return undefined;
}

function isTree(memory: PhysicalMemory, at: number): boolean {
  try {
    return word(memory, at) === FORMAT.MAGIC;
  } catch {
    return false;
  }
}
