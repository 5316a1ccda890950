/** Nodes that are no devices in ACPI: what they say is in other tables, in the EFI memory map, or not needed. */
import { type Context } from "./context.ts";
import { gicVersion } from "./interrupts.ts";
import type { MemoryOfTree } from "./convert.ts";
import { type Range, regOf, type TreeNode } from "./tree.ts";

/** What the tables come with. */
export const MEMORY_MAP = "EFI memory map";
/** The device tree that is left: only /chosen. */
export const STUB_TREE = "stub device tree";

/** A kind of node: how it is known, and why it needs no device; without a reason its places say it. */
interface FixedKind {
  readonly matches: (node: TreeNode) => boolean;
  /** For the node, and those below that are not told otherwise. */
  readonly reason?: string;
  readonly below?: string;
}

const named = (...stems: readonly string[]) => (node: TreeNode): boolean =>
  node.parent?.path === "/" && stems.includes(node.stem);
const compatible = (pattern: RegExp) => (node: TreeNode): boolean =>
  node.compatible.some((text) => pattern.test(text));
const isMemory = (node: TreeNode): boolean =>
  node.strings("device_type")[0] === "memory" || named("memory")(node);
const isReserved = named("reserved-memory");

const NO_FUNCTION = "its GIC has no function for it in ACPI";

// deno-fmt-ignore
const KINDS: readonly FixedKind[] = [
  { matches: isMemory },
  { matches: isReserved, below: "a reservation without an address is the operating system's to make" },
  { matches: named("cpus") },
  { matches: named("chosen"), below: "a module that a boot loader starts, not a device" },
  { matches: named("aliases", "__symbols__", "__overrides__", "__local_fixups__"), reason: "names of nodes, which ACPI has its own for" },
  { matches: named("secure-chosen"), reason: "it speaks to Secure software" },
  { matches: compatible(/^arm,psci/) },
  { matches: compatible(/^arm,armv[78]-timer$/) },
  { matches: compatible(/^arm,.*-pmu(v3)?$/), reason: "another performance monitor is in the MADT" },
  { matches: (node) => gicVersion(node) !== undefined, below: NO_FUNCTION },
  { matches: compatible(/^fixed-(clock|factor-clock)$/), reason: "under ACPI firmware keeps clocks as they are" },
  { matches: compatible(/^(xen|linux),(xen|.*-reserved)$/), reason: "its consumer reads the device tree alone" },
];

/** Ranges of memory nodes, each told in the memory map. */
function ranges({ report, tree }: Context, nodes: readonly TreeNode[]): Range[] {
  return nodes.flatMap((node, index) => {
    const reg = regOf(node) ?? [];
    if (reg.length > 0) report.place(node, MEMORY_MAP, index, reg.length);
    else report.list(node, tree.root === node.parent ? "it has no memory" : "it has no address");
    return reg.filter(({ size }) => size > 0n);
  });
}

/** Finds them, and reports; what is left over for devices is not in `fixed`. */
export function listFixed(
  context: Context,
  reservations: readonly { readonly address: bigint; readonly size: bigint }[],
): { readonly fixed: ReadonlySet<TreeNode>; readonly memory: MemoryOfTree } {
  const { tree, report } = context, fixed = new Set<TreeNode>();
  const enabled = tree.nodes.filter((node) => node.isEnabled);
  for (const node of enabled) {
    const kind = KINDS.find(({ matches }) => matches(node));
    if (kind === undefined) continue;
    fixed.add(node);
  }
  const ram = ranges(context, enabled.filter(isMemory));
  const chosen = tree.at("/chosen"), areas = enabled.filter(isReserved).flatMap(({ children }) => children);
  if (chosen !== undefined) report.place(chosen, STUB_TREE, 0, 0);
  const reserved = ranges(context, areas.filter((node) => node.isEnabled && node.has("reg")));
  return {
    fixed,
    memory: {
      ram,
      reserved: [...reserved, ...reservations.map(({ address, size }) => ({ base: address, size }))],
    },
  };
}

/** Gives what is left without a place its reason, after all tables are made. */
export function listRest({ tree, report }: Context): void {
  const told = new Set(
    report.mappings(tree).filter(({ places, reason }) => places.length > 0 || reason !== undefined)
      .map(({ path }) => path),
  );
  for (const node of tree.nodes) {
    if (told.has(node.path)) continue;
    const kind = KINDS.find(({ matches }) => matches(node));
    let above = node.parent;
    while (above !== undefined && KINDS.every(({ matches }) => !matches(above as TreeNode))) {
      above = above.parent;
    }
    const owner = above && KINDS.find(({ matches }) => matches(above as TreeNode));
    const reason = kind?.reason ?? kind?.below ?? owner?.below ?? owner?.reason;
    report.list(node, reason ?? "it has nothing that ACPI has a form for");
  }
}
