/** Trees that contradict themselves, each by one change to a board's. */
import {
  cells,
  type DeviceTree,
  DeviceTreeNode,
  sizedCells,
  strings,
  writeDeviceTree,
} from "../../../machine/device_tree.ts";
import { treeOf } from "./boards.ts";

/** A tree that must be refused. */
export interface Refused {
  /** What is wrong. */
  readonly what: string;
  /** Makes it. */
  readonly blob: () => Uint8Array<ArrayBuffer>;
  /** Path that the refusal names, or what stands for it where there is no node. */
  readonly path: string;
  /** Part of the reason. */
  readonly says: string;
}

const board = (change: (root: DeviceTreeNode, tree: DeviceTree) => void) => (): Uint8Array<ArrayBuffer> => {
  const tree = treeOf({ gic: 3, cpus: 2 });
  change(tree.root, tree);
  return writeDeviceTree(tree);
};

const bytes =
  (change: (view: DataView<ArrayBuffer>, blob: Uint8Array<ArrayBuffer>) => void) =>
  (): Uint8Array<ArrayBuffer> => {
    const blob = writeDeviceTree(treeOf({ gic: 3, cpus: 2 }));
    change(new DataView(blob.buffer), blob);
    return blob;
  };

const child = (root: DeviceTreeNode, stem: string): DeviceTreeNode =>
  root.children.find(({ name }) => name.startsWith(stem)) as DeviceTreeNode;

/** An interrupt controller of its own, with interrupts at another. */
function nexus(root: DeviceTreeNode, name: string, phandle: number, parent: number): void {
  root.add(name).set("compatible", strings("acme,mux")).set("interrupt-controller", new Uint8Array(0))
    .set("#interrupt-cells", cells(1)).set("interrupts", cells(1)).set("interrupt-parent", cells(parent))
    .set("phandle", cells(phandle));
}

/** Where the structure block starts, which the header says. */
const STRUCTURE = 8;

/** All of them. */
// deno-fmt-ignore
export const REFUSALS: readonly Refused[] = [
  { what: "another magic number", path: "the tree", says: "magic number", blob: bytes((view) => view.setUint32(0, 1)) },
  { what: "a structure behind the end", path: "the tree", says: "lies outside", blob: bytes((view) => view.setUint32(STRUCTURE, 0x7fff_0000)) },
  { what: "a token that there is not", path: "in node /", says: "token", blob: bytes((view) => view.setUint32(view.getUint32(STRUCTURE) + 8, 7)) },
  { what: "a property that ends behind the blob", path: "in node /", says: "ends early", blob: bytes((view) => view.setUint32(view.getUint32(STRUCTURE) + 12, 0x7fff_ffff)) },
  { what: "an unknown interrupt parent", path: "/pl011@9000000", says: "0x77 is unknown", blob: board((root) => void child(root, "pl011").set("interrupt-parent", cells(0x77))) },
  { what: "an interrupt parent that is none", path: "/pl011@9000000", says: "interrupt parent", blob: board((root) => {
    const memory = child(root, "memory").set("phandle", cells(0x99)).set("#interrupt-cells", cells(3));
    child(root, "pl011").set("interrupt-parent", memory.get("phandle") as Uint8Array);
  }) },
  { what: "controllers that take each other's interrupts", path: "/mux-b", says: "takes interrupts of", blob: board((root) => {
    nexus(root, "mux-a", 0x91, 0x92);
    nexus(root, "mux-b", 0x92, 0x91);
  }) },
  { what: "an interrupt map that leads back", path: "/thing", says: "cycle", blob: board((root) => {
    root.add("map").set("#interrupt-cells", cells(1)).set("#address-cells", cells(0)).set("phandle", cells(0x93))
      .set("interrupt-map", cells(1, 0x93, 1));
    root.add("thing").set("compatible", strings("acme,thing")).set("interrupt-parent", cells(0x93)).set("interrupts", cells(1));
  }) },
  { what: "an interrupt map to nobody", path: "/pcie@10000000", says: "unknown interrupt parent 0x55", blob: board((root) => void child(root, "pcie").set("interrupt-map", cells(0, 0, 0, 1, 0x55, 0))) },
  { what: "two nodes with one phandle", path: "/apb-pclk", says: "is that of", blob: board((root) => void child(root, "pl011").set("phandle", cells(0x8000))) },
  { what: "two CPUs with one MPIDR", path: "/cpus/cpu@1", says: "its MPIDR 0x0 is that of /cpus/cpu@0 too", blob: board((root) => void child(child(root, "cpus"), "cpu@1").set("reg", cells(0))) },
  { what: "an MPIDR with more than affinities", path: "/cpus/cpu@1", says: "no affinities", blob: board((root) => void child(child(root, "cpus"), "cpu@1").set("reg", cells(0x8000_0001))) },
  { what: "a reg of more than 64 bits", path: "/soc/thing", says: "more than 64 bits", blob: board((root) => {
    root.add("soc").set("compatible", strings("simple-bus")).set("#address-cells", cells(3)).set("#size-cells", cells(1)).set("ranges", new Uint8Array(0))
      .add("thing").set("compatible", strings("acme,thing")).set("reg", cells(1, 0, 0x1000, 0x100));
  }) },
  { what: "a reg that ends behind 64 bits", path: "/thing", says: "behind 64 bits", blob: board((root) => void root.add("thing").set("compatible", strings("acme,thing")).set("reg", new Uint8Array([...cells(0xffff_ffff, 0xffff_f000), ...sizedCells(2, 0x2000)]))) },
  { what: "a reg of half a range", path: "/pl011@9000000", says: "no groups of 4", blob: board((root) => void child(root, "pl011").set("reg", cells(0, 1, 2))) },
  { what: "an interrupt that no GIC has", path: "/pl011@9000000", says: "a GIC has no interrupt", blob: board((root) => void child(root, "pl011").set("interrupts", cells(0, 988, 4))) },
  { what: "PSCI by neither HVC nor SMC", path: "/psci", says: "not hvc or smc", blob: board((root) => void child(root, "psci").set("method", strings("svc"))) },
  { what: "no GIC", path: "/", says: "there is no GIC", blob: board((root) => void child(root, "intc").set("status", strings("disabled"))) },
  { what: "no CPU", path: "/", says: "there are no /cpus", blob: board((root) => root.remove(({ name }) => name === "cpus")) },
  { what: "a host with fewer buses than it says", path: "/pcie@10000000", says: "has not the buses", blob: board((root) => void child(root, "pcie").set("reg", sizedCells(2, 0x40_1000_0000, 0x10_0000))) },
];
