/** Properties of a node without counterpart: device properties of a _DSD, and the resources they name (_DSD guide; DSD rules). */
import {
  type Aml,
  integer,
  isString,
  marked,
  name as named,
  nameString,
  pack,
  PACKAGE_MAX,
  string,
  uuid,
} from "./aml.ts";
import { type Context } from "./context.ts";
import { segmentOf, shortestName } from "./names.ts";
import { gpioDescriptor } from "./resources.ts";
import type { TreeNode } from "./tree.ts";

/** Device properties, and data nodes below a device. */
const DEVICE_PROPERTIES = "daffd814-6eba-4d8c-8a91-bc9bbf4aa301";
const HIERARCHICAL_DATA = "dbb8e3e6-5886-4ba6-8795-1319f52a966b";

/** What resources, other objects and the tree itself tell. */
const STRUCTURAL = new Set([
  "reg",
  "reg-names",
  "interrupts",
  "interrupts-extended",
  "interrupt-parent",
  "interrupt-controller",
  "interrupt-map",
  "interrupt-map-mask",
  "ranges",
  "dma-ranges",
  "dma-coherent",
  "dma-noncoherent",
  "status",
  "phandle",
  "linux,phandle",
  "name",
]);

/** Properties that are bytes, not cells or strings. */
const BYTES = new Set(["local-mac-address", "mac-address", "address-bits", "rng-seed", "kaslr-seed"]);

/** What properties with phandles refer to: the property that counts the cells behind each (undefined: none). */
// deno-fmt-ignore
const REFERENCES: readonly (readonly [name: RegExp, cells: string | undefined])[] = [
  [/^clocks$|^assigned-clocks$|^assigned-clock-parents$/, "#clock-cells"],
  [/^resets$/, "#reset-cells"], [/^power-domains$/, "#power-domain-cells"], [/^dmas$/, "#dma-cells"],
  [/^phys$/, "#phy-cells"], [/^mboxes$/, "#mbox-cells"], [/^pwms$/, "#pwm-cells"], [/^io-channels$/, "#io-channel-cells"],
  [/^iommus$/, "#iommu-cells"], [/^thermal-sensors$/, "#thermal-sensor-cells"], [/^msi-parent$/, "#msi-cells"],
  [/-supply$|^pinctrl-\d+$|^remote-endpoint$|^cpu$|^memory-region$|^operating-points-v2$|^next-level-cache$/, undefined],
];

const GPIOS = /(^|-)gpios?$/;

/** What a device's properties become. */
export interface DeviceProperties {
  /** Descriptors that its _CRS has besides. */
  readonly descriptors: readonly Uint8Array[];
  /** The _DSD and the data nodes, as terms of the device. */
  readonly terms: readonly Aml[];
}

/** Strings of a property, when it is some: printed characters, each string ended by a zero. */
export function stringsIn(value: Uint8Array): string[] | undefined {
  if (value.length < 2 || value.at(-1) !== 0) return undefined;
  const texts = String.fromCharCode(...value.subarray(0, -1)).split("\0");
  return texts.every((text) => text !== "" && isString(text)) ? texts : undefined;
}

function listOf(values: readonly Aml[]): Aml {
  return values.length === 1 ? values[0] as Aml : pack(...values);
}

/** A property's value as data; a text says why there is none. */
export function propertyData(name: string, value: Uint8Array): Aml | string {
  if (value.length === 0) return integer(1);
  const texts = BYTES.has(name) ? undefined : stringsIn(value);
  const numbers = BYTES.has(name) ? [...value] : cellsIn(value);
  if ((texts ?? numbers)?.length as number > PACKAGE_MAX) return `it has more than ${PACKAGE_MAX} values`;
  // compatible is a list even of one; of others Linux reads both.
  if (texts !== undefined) {
    return name === "compatible" ? pack(...texts.map(string)) : listOf(texts.map(string));
  }
  if (numbers === undefined) return "its bytes are neither strings nor cells";
  return BYTES.has(name) ? pack(...numbers.map(integer)) : listOf(numbers.map(integer));
}

function cellsIn(value: Uint8Array): number[] | undefined {
  if (value.length % 4 !== 0) return undefined;
  const view = new DataView(value.buffer, value.byteOffset, value.length);
  return Array.from({ length: value.length / 4 }, (_, index) => view.getUint32(4 * index));
}

/** The properties of one device while they are made. */
export class PropertyWriter {
  readonly #context: Context;
  readonly #owner: TreeNode;
  readonly #path: string;
  readonly #descriptors: Uint8Array[] = [];
  readonly #terms: Aml[] = [];
  #gpios = 0;
  #dataNodes = 0;

  /** `path` is the device's, such as `\_SB.GPIO`. */
  constructor(context: Context, owner: TreeNode, path: string) {
    this.#context = context;
    this.#owner = owner;
    this.#path = path;
  }

  /** All of them. */
  write(): DeviceProperties {
    const sections = this.#sections(this.#owner);
    this.#terms.unshift(named("_DSD", pack(...sections)));
    return { descriptors: this.#descriptors, terms: this.#terms };
  }

  /** A node's properties, and its children as data nodes. */
  #sections(node: TreeNode): Aml[] {
    const { report } = this.#context, rows: Aml[] = [];
    for (const { name, value } of node.node.properties) {
      if (STRUCTURAL.has(name) || name.startsWith("#")) continue;
      const data = this.#value(node, name, value);
      if (typeof data === "string") report.omit(node, name, data);
      else if (!isString(name)) report.omit(node, name, "its name has characters that no String has");
      else rows.push(pack(string(name), data));
    }
    if (rows.length > PACKAGE_MAX) node.refuse(`it has ${rows.length} properties, more than a Package holds`);
    const children = node.children.flatMap((child) => this.#dataNode(child) ?? []);
    return [
      uuid(DEVICE_PROPERTIES),
      pack(...rows),
      ...(children.length === 0 ? [] : [uuid(HIERARCHICAL_DATA), pack(...children)]),
    ];
  }

  #dataNode(node: TreeNode): Aml | undefined {
    const { report, names } = this.#context;
    if (!node.isEnabled) return undefined;
    if (node.has("compatible") || node.has("reg")) {
      report.listAll(node, `the bus of ${this.#owner.path} has no counterpart in ACPI`);
      return undefined;
    }
    if (this.#dataNodes++ >= PACKAGE_MAX) {
      return node.refuse("its device has more data nodes than a Package holds");
    }
    const segment = names.take(segmentOf(node.stem), node, report);
    this.#terms.push(marked(node.path, named(segment, pack(...this.#sections(node)))));
    report.device(node, `${this.#path}.${segment}`);
    return pack(string(node.node.name), string(segment));
  }

  #value(node: TreeNode, name: string, value: Uint8Array): Aml | string {
    if (GPIOS.test(name)) return this.#gpioReferences(node, name);
    const known = REFERENCES.find(([pattern]) => pattern.test(name));
    return known === undefined ? propertyData(name, value) : this.#references(node, name, known[1]);
  }

  /** Phandles, each with its cells; a text says why they cannot be told. */
  #targets(
    node: TreeNode,
    name: string,
    counter: string | undefined,
  ): { target: TreeNode; cells: number[] }[] | string {
    const cells = node.cells(name), found: { target: TreeNode; cells: number[] }[] = [];
    for (let at = 0; at < cells.length;) {
      const phandle = cells[at++] as number, target = this.#context.tree.withPhandle(phandle);
      if (target === undefined) return `no node has the phandle 0x${phandle.toString(16)}`;
      const count = counter === undefined ? 0 : target.count(counter, 0, 8);
      found.push({ target, cells: cells.slice(at, at += count) });
      if (at > cells.length) return `it ends within the cells for ${target.path}`;
    }
    return found;
  }

  #references(node: TreeNode, name: string, counter: string | undefined): Aml | string {
    const targets = this.#targets(node, name, counter);
    if (typeof targets === "string") return targets;
    const elements: Aml[] = [];
    for (const { target, cells } of targets) {
      const device = this.#context.devices.get(target);
      if (device === undefined) return `it refers to ${target.path}, which is no device in ACPI`;
      elements.push(nameString(shortestName(this.#path, device)), ...cells.map(integer));
    }
    if (elements.length > PACKAGE_MAX) return `it has more than ${PACKAGE_MAX} values`;
    return elements.length === 0 ? "it refers to nothing" : pack(...elements);
  }

  /** A GPIO's line becomes a resource, and the property names the resource: <device, index, pin of it, active low>. */
  #gpioReferences(node: TreeNode, name: string): Aml | string {
    const targets = this.#targets(node, name, "#gpio-cells");
    if (typeof targets === "string") return targets;
    const rows: Aml[] = [], descriptors: Uint8Array[] = [];
    for (const { target, cells: [line = 0, flags = 0] } of targets) {
      const device = this.#context.devices.get(target);
      if (device === undefined) return `it refers to ${target.path}, which is no device in ACPI`;
      if (line > 0xffff) return `line ${line} of ${target.path} has more than 16 bits`;
      descriptors.push(gpioDescriptor(device, line));
      rows.push(
        nameString(shortestName(this.#path, this.#path)),
        integer(this.#gpios + rows.length / 4),
        integer(0),
        integer(flags & 1),
      );
    }
    if (rows.length > PACKAGE_MAX) return `it has more than ${PACKAGE_MAX} values`;
    this.#gpios += descriptors.length;
    this.#descriptors.push(...descriptors);
    return rows.length === 0 ? "it refers to nothing" : pack(...rows);
  }
}
