/** Device trees made at random from those of boards: each gives valid tables, or a refusal that names one of its nodes. */
import { convertDeviceTree, DeviceTreeRefusal } from "../../../firmware/acpi/convert.ts";
import { type PlacedTables, placeTables } from "../../../firmware/acpi/table.ts";
import { validateTables } from "../../../firmware/acpi/validate.ts";
import {
  cells,
  type DeviceTree,
  DeviceTreeNode,
  EMPTY,
  sizedCells,
  strings,
  writeDeviceTree,
} from "../../../machine/device_tree.ts";
import { parseDeviceTree } from "../../../machine/device_tree_reader.ts";
import { ConfigurationError } from "../../../machine/errors.ts";
import { KINDS, RAM, treeOf } from "./boards.ts";

/** What a number below another is drawn from. */
type Draw = (below: number) => number;

/** Numbers of a seed (xorshift). */
function drawFrom(seed: number): Draw {
  let state = (seed * 0x9e37_79b1 >>> 0) || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state = (state ^ state << 5) >>> 0;
    return state % below;
  };
}

const one = <T>(draw: Draw, values: readonly T[]): T => values[draw(values.length)] as T;

/** What the converter knows, and some that it does not. */
// deno-fmt-ignore
const COMPATIBLES = [
  "arm,pl011", "arm,pl061", "virtio,mmio", "qemu,fw-cfg-mmio", "pci-host-ecam-generic", "simple-bus", "fixed-clock",
  "gpio-keys", "gpio-leds", "acme,thing", "arm,gic-v3", "arm,gic-v3-its", "arm,cortex-a15-gic", "arm,gic-v2m-frame",
  "arm,psci-1.0", "arm,armv8-timer", "arm,armv8-pmuv3", "arm,primecell", "ns16550a", "cfi-flash", "syscon",
];
// deno-fmt-ignore
const PROPERTIES = [
  "reg", "interrupts", "interrupt-parent", "interrupts-extended", "interrupt-map", "interrupt-map-mask", "interrupt-controller",
  "#interrupt-cells", "#address-cells", "#size-cells", "ranges", "phandle", "status", "compatible", "gpios", "enable-gpios",
  "gpio-controller", "#gpio-cells", "clocks", "clock-names", "vcc-supply", "local-mac-address", "label", "reg-shift",
  "dma-coherent", "msi-map", "msi-parent", "bus-range", "linux,pci-domain", "stdout-path", "method", "device_type", "always-on",
  "interrupt-names", "#redistributor-regions", "cpu", "acme,values", "acme,names",
];
const NAMES = [
  "uart",
  "gpio",
  "soc",
  "keys",
  "poweroff",
  "led",
  "9p",
  "thing",
  "thing-two",
  "cpu",
  "memory",
  "clock",
  "bus",
];

function value(draw: Draw, name: string): Uint8Array {
  const small = (): number =>
    one(draw, [0, 1, 2, 3, 4, draw(64), draw(0x1_0000), 0x8000 + draw(16), 0xffff_ffff]);
  if (name === "compatible") {
    return strings(...Array.from({ length: 1 + draw(2) }, () => one(draw, COMPATIBLES)));
  }
  if (name === "status") return strings(one(draw, ["okay", "ok", "disabled", "fail", ""]));
  if (name === "method") return strings(one(draw, ["hvc", "smc", "svc"]));
  if (name === "device_type") return strings(one(draw, ["cpu", "memory", "pci", "serial"]));
  switch (draw(6)) {
    case 0:
      return EMPTY;
    case 1:
      return Uint8Array.from({ length: draw(40) }, () => draw(256));
    case 2:
      return strings(...Array.from({ length: 1 + draw(3) }, () => one(draw, NAMES)));
    case 3:
      return sizedCells(2, draw(2 ** 30) * one(draw, [1, 4096, 2 ** 20]), 0x1000);
    default:
      return cells(...Array.from({ length: 1 + draw(9) }, small));
  }
}

const all = (node: DeviceTreeNode): DeviceTreeNode[] => [node, ...node.children.flatMap(all)];

/** A node or a property is added, changed, moved or taken away. */
function mutate(draw: Draw, root: DeviceTreeNode): void {
  const nodes = all(root), node = one(draw, nodes);
  switch (draw(8)) {
    case 0: {
      const name = `${one(draw, NAMES)}${one(draw, ["", `@${draw(0x1000).toString(16)}`])}`;
      if (node.child(name) !== undefined) return;
      const added = node.add(name).set("compatible", value(draw, "compatible"));
      for (let count = draw(4); count > 0; count--) {
        const property = one(draw, PROPERTIES);
        added.set(property, value(draw, property));
      }
      return;
    }
    case 1:
      return node.remove(() => draw(4) === 0);
    case 2:
      node.properties.splice(draw(node.properties.length + 1), 1);
      return;
    case 3: {
      const other = one(draw, nodes),
        copied = one(draw, node.properties.length > 0 ? node.properties : [{ name: "reg", value: EMPTY }]);
      other.set(copied.name, Uint8Array.from(copied.value));
      return;
    }
    case 4: {
      const property = node.properties[draw(Math.max(1, node.properties.length))];
      if (property === undefined || property.value.length === 0) return;
      const bytes = Uint8Array.from(property.value);
      bytes[draw(bytes.length)] = one(draw, [0, 1, 0xff, draw(256)]);
      property.value = bytes;
      return;
    }
    default: {
      const property = one(draw, PROPERTIES);
      node.set(property, value(draw, property));
    }
  }
}

/** The tree of a seed, as bytes: of one in eight, some bytes are changed afterwards. */
export function randomBlob(seed: number): Uint8Array<ArrayBuffer> {
  const draw = drawFrom(seed), tree: DeviceTree = treeOf(one(draw, KINDS));
  for (let count = 1 + draw(6); count > 0; count--) mutate(draw, tree.root);
  const bytes = writeDeviceTree(tree);
  for (let count = draw(8) === 0 ? 1 + draw(4) : 0; count > 0; count--) {
    bytes[draw(one(draw, [64, bytes.length]))] = draw(256);
  }
  return bytes;
}

/** What came of a tree. */
export interface FuzzOutcome {
  /** The tables of a tree that could be converted. */
  readonly placed?: PlacedTables;
  /** The path that a refusal names; undefined for bytes that are no tree. */
  readonly refused?: string | undefined;
  /** What must not be. */
  readonly failures: readonly string[];
}

/** Converts a tree, and checks what comes of it. */
export function convertRandom(bytes: Uint8Array): FuzzOutcome {
  let tree: DeviceTree;
  try {
    tree = parseDeviceTree(bytes, "a tree");
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    // What is wrong with the header is in no node.
    return { refused: error.message.match(/, in node (.*)$/)?.[1], failures: [] };
  }
  try {
    const { tables, nodes } = convertDeviceTree(tree), placed = placeTables(tables, RAM.base);
    const problems = validateTables({ base: placed.rsdp, bytes: placed.bytes }, placed.rsdp);
    const lost = nodes.filter(({ places, reason }) => places.length === 0 && reason === undefined);
    return {
      placed,
      failures: [...problems, ...lost.map(({ path }) => `${path} is neither mapped nor listed`)],
    };
  } catch (error) {
    if (!(error instanceof DeviceTreeRefusal)) throw error;
    const isThere = paths(tree.root, "").has(error.path);
    return {
      refused: error.path,
      failures: isThere ? [] : [`the refusal names ${error.path}, which there is not`],
    };
  }
}

function paths(node: DeviceTreeNode, above: string): Set<string> {
  const path = node.name === "" && above === "" ? "" : `${above}/${node.name}`;
  return new Set([path === "" ? "/" : path, ...node.children.flatMap((child) => [...paths(child, path)])]);
}
