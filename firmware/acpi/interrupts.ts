/** Interrupts of a device tree's nodes: who takes them, and their global system interrupts (Devicetree Spec. 2.4; GIC binding). */
import type { Signalling } from "./resources.ts";
import { cellGroups, type Tree, type TreeNode } from "./tree.ts";

/** An interrupt of a node. */
export interface Interrupt {
  /** The controller that takes it. */
  readonly controller: TreeNode;
  /** What the controller's binding says of it. */
  readonly specifier: readonly number[];
}

/** An interrupt of the GIC. */
export interface GlobalInterrupt extends Signalling {
  /** Its global system interrupt, which is the GIC's INTID. */
  readonly gsi: number;
}

/** `compatible` of the controllers that the MADT describes. */
// deno-fmt-ignore
export const GICS: Readonly<Record<string, 2 | 3>> = {
  "arm,gic-v3": 3, "arm,cortex-a15-gic": 2, "arm,cortex-a9-gic": 2, "arm,cortex-a7-gic": 2, "arm,gic-400": 2,
};

/** INTIDs by the first cell of a specifier: SPI, PPI, extended SPI, extended PPI. */
const INTIDS = [{ first: 32, count: 988 }, { first: 16, count: 16 }, { first: 4096, count: 1024 }, {
  first: 1056,
  count: 64,
}];

/** Trigger flags of a specifier, in its low four bits. */
const SIGNALLING: Readonly<Record<number, Signalling>> = {
  1: { edge: true, low: false },
  2: { edge: true, low: true },
  3: { edge: true, low: false, both: true },
  4: { edge: false, low: false },
  8: { edge: false, low: true },
};

/** Signalling by trigger flags; undefined for flags that name none. */
export function signalling(flags: number): Signalling | undefined {
  return SIGNALLING[flags & 0xf];
}

/** The node is a controller or hands interrupts on. */
const takesInterrupts = (node: TreeNode): boolean =>
  node.has("interrupt-controller") || node.has("interrupt-map");

/** The node that takes what a node's `interrupts` say; refuses when there is none. */
export function interruptParent(tree: Tree, node: TreeNode): TreeNode {
  const seen = new Set<TreeNode>();
  for (let at = node;;) {
    if (seen.has(at)) node.refuse("its interrupt-parent leads back to itself");
    seen.add(at);
    const [phandle] = at.cells("interrupt-parent");
    const next = phandle === undefined ? at.parent : tree.withPhandle(phandle);
    if (next === undefined) {
      node.refuse(
        phandle === undefined
          ? "it has interrupts and no interrupt parent"
          : `its interrupt parent 0x${phandle.toString(16)} is unknown`,
      );
    }
    if (next.has("#interrupt-cells")) {
      if (!takesInterrupts(next)) node.refuse(`its interrupt parent ${next.path} takes no interrupts`);
      return next;
    }
    at = next;
  }
}

/** Follows interrupt-maps to a controller; undefined where a map has no row for it. */
export function routeInterrupt(
  tree: Tree,
  user: TreeNode,
  taker: TreeNode,
  unit: readonly number[],
  specifier: readonly number[],
): Interrupt | undefined {
  const seen = new Set<TreeNode>();
  for (let at = taker, address = unit, wanted = specifier;;) {
    if (!at.has("interrupt-map")) return { controller: at, specifier: wanted };
    if (seen.has(at)) user.refuse(`its interrupts go around in a cycle at ${at.path}`);
    seen.add(at);
    const row = mapRows(tree, at).find(({ match }) => {
      const mask = at.has("interrupt-map-mask")
        ? at.cells("interrupt-map-mask")
        : match.map(() => 0xffff_ffff);
      return [...address, ...wanted].every((cell, index) =>
        ((cell & (mask[index] ?? 0xffff_ffff)) >>> 0) === (match[index] ?? 0)
      );
    });
    if (row === undefined) return undefined;
    ({ parent: at, unit: address, specifier: wanted } = row);
  }
}

/** A row of an interrupt-map. */
interface MapRow {
  readonly match: readonly number[];
  readonly parent: TreeNode;
  readonly unit: readonly number[];
  readonly specifier: readonly number[];
}

function mapRows(tree: Tree, nexus: TreeNode): MapRow[] {
  const cells = nexus.cells("interrupt-map"), rows: MapRow[] = [];
  const matched = nexus.count("#address-cells", 0) + nexus.count("#interrupt-cells", 1);
  for (let at = 0; at < cells.length;) {
    const match = cells.slice(at, at += matched), phandle = cells[at++];
    const parent = phandle === undefined ? undefined : tree.withPhandle(phandle);
    if (parent === undefined || !parent.has("#interrupt-cells") || !takesInterrupts(parent)) {
      nexus.refuse(`its interrupt-map names an unknown interrupt parent 0x${(phandle ?? 0).toString(16)}`);
    }
    const unit = cells.slice(at, at += parent.count("#address-cells", 0));
    const specifier = cells.slice(at, at += parent.count("#interrupt-cells", 1));
    if (at > cells.length) nexus.refuse("its interrupt-map ends within a row");
    rows.push({ match, parent, unit, specifier });
  }
  return rows;
}

/** What takes a node's interrupts, and they; maps without a row for one leave it out. */
export function interruptsOf(tree: Tree, node: TreeNode): Interrupt[] {
  if (node.has("interrupts-extended")) return extended(tree, node);
  if (!node.has("interrupts") || node.cells("interrupts").length === 0) return [];
  const taker = interruptParent(tree, node), size = taker.count("#interrupt-cells", 1);
  const unit = node.has("reg") ? node.cells("reg").slice(0, taker.count("#address-cells", 0)) : [];
  return cellGroups(node, "interrupts", size).flatMap((specifier) =>
    routeInterrupt(tree, node, taker, unit, specifier) ?? []
  );
}

function extended(tree: Tree, node: TreeNode): Interrupt[] {
  const cells = node.cells("interrupts-extended"), found: Interrupt[] = [];
  for (let at = 0; at < cells.length;) {
    const phandle = cells[at++] as number, taker = tree.withPhandle(phandle);
    if (taker === undefined || !taker.has("#interrupt-cells") || !takesInterrupts(taker)) {
      node.refuse(`its interrupt parent 0x${phandle.toString(16)} is unknown`);
    }
    const specifier = cells.slice(at, at += taker.count("#interrupt-cells", 1));
    if (at > cells.length) node.refuse("its interrupts-extended end within an interrupt");
    const routed = routeInterrupt(tree, node, taker, [], specifier);
    if (routed !== undefined) found.push(routed);
  }
  return found;
}

/** The controller's version, when it is a GIC that the MADT describes. */
export function gicVersion(node: TreeNode): 2 | 3 | undefined {
  const known = node.compatible.find((compatible) => compatible in GICS);
  return known === undefined ? undefined : GICS[known];
}

/** A GIC's interrupt; undefined when another controller takes it. Refuses numbers that a GIC has not. */
export function globalInterrupt(
  user: TreeNode,
  { controller, specifier }: Interrupt,
): GlobalInterrupt | undefined {
  if (gicVersion(controller) === undefined) return undefined;
  if (specifier.length < 3) {
    controller.refuse(`a GIC's #interrupt-cells are 3 or more, not ${specifier.length}`);
  }
  const [kind, number, flags] = specifier as [number, number, number];
  const space = INTIDS[kind];
  if (space === undefined || number >= space.count) {
    user.refuse(`a GIC has no interrupt <${specifier.join(" ")}>`);
  }
  return { gsi: space.first + number, ...(signalling(flags) ?? { edge: false, low: false }) };
}

/**
 * Walks from every controller that is in use up to the one above; refuses controllers that take each other's interrupts.
 */
export function refuseInterruptCycles(tree: Tree): void {
  for (const node of tree.nodes) {
    if (!node.isEnabled || !takesInterrupts(node) || gicVersion(node) !== undefined) continue;
    if (!node.has("interrupts") && !node.has("interrupts-extended")) continue;
    const seen = new Set<TreeNode>([node]);
    for (let at = node; at.has("interrupts") || at.has("interrupts-extended");) {
      const next = interruptsOf(tree, at)[0]?.controller;
      if (next === undefined || gicVersion(next) !== undefined) break;
      if (seen.has(next)) node.refuse(`it takes interrupts of ${next.path}, which takes its own`);
      seen.add(next);
      at = next;
    }
  }
}
