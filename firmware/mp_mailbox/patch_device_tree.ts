/** What mp-mailbox makes of a device tree, as a pure function: the loader on the guest must come to the same bytes. */
import { type DeviceTree, type DeviceTreeNode, FORMAT } from "../../machine/device_tree.ts";
import { parseDeviceTree } from "../../machine/device_tree_reader.ts";
import { MAILBOX } from "./page.ts";
import { ADDED_STRINGS } from "./rewrite_text.ts";

/** A CPU after the loader has tried to start it. */
export interface ParkedCpu {
  /** Its number: the affinity of MPIDR_EL1. */
  readonly number: bigint;
  /** Physical address of the page that it waits in; undefined when it never came. */
  readonly page: bigint | undefined;
}

/** What the loader did. */
export interface Parking {
  /** The CPU that runs the loader. */
  readonly boot: bigint;
  /** All others that the tables describe. */
  readonly cpus: readonly ParkedCpu[];
  /** Where pages were taken, from there on. */
  readonly mailboxes: { readonly address: bigint; readonly size: bigint };
}

/** A property with the place of its name in the strings. */
interface Property {
  readonly nameAt: number;
  readonly name: string;
  readonly value: Uint8Array;
}

/** An edit: the properties of a node, from those it has. */
type Edit = (path: string, properties: readonly Property[]) => readonly Property[];

const encoder = new TextEncoder();
const text = (value: string): Uint8Array => encoder.encode(`${value}\0`);

/** Copies a structure block, token by token, with other properties. */
class StructureCopy {
  readonly #view: DataView;
  readonly #written: number[] = [];
  #at = 0;

  constructor(
    private readonly structure: Uint8Array,
    private readonly strings: Uint8Array,
    private readonly edit: Edit,
  ) {
    this.#view = new DataView(structure.buffer, structure.byteOffset, structure.byteLength);
  }

  /** The copy. */
  copy(): Uint8Array {
    this.#skipNops();
    this.#node("");
    this.#skipNops();
    this.#word(FORMAT.END);
    return Uint8Array.from(this.#written);
  }

  #word(value: number): void {
    this.#written.push(value >>> 24, value >>> 16 & 255, value >>> 8 & 255, value & 255);
  }

  #bytes(bytes: Uint8Array): void {
    for (const byte of bytes) this.#written.push(byte);
    while (this.#written.length % 4 !== 0) this.#written.push(0);
  }

  #skipNops(): void {
    while (this.#view.getUint32(this.#at) === FORMAT.NOP) this.#at += 4;
  }

  #text(bytes: Uint8Array, at: number): string {
    return new TextDecoder().decode(bytes.subarray(at, bytes.indexOf(0, at)));
  }

  #node(parent: string): void {
    const name = this.#text(this.structure, this.#at + 4), path = `${parent}/${name}`;
    this.#at += 4 + (name.length + 4 & ~3);
    this.#word(FORMAT.BEGIN_NODE);
    this.#bytes(text(name));
    const properties: Property[] = [];
    for (this.#skipNops(); this.#view.getUint32(this.#at) === FORMAT.PROPERTY; this.#skipNops()) {
      const length = this.#view.getUint32(this.#at + 4), nameAt = this.#view.getUint32(this.#at + 8);
      const value = this.structure.subarray(this.#at + 12, this.#at + 12 + length);
      properties.push({ nameAt, name: this.#text(this.strings, nameAt), value });
      this.#at += 12 + (length + 3 & ~3);
    }
    for (const { nameAt, value } of this.edit(path.replace(/^\/(?=\/)/, ""), properties)) {
      this.#word(FORMAT.PROPERTY);
      this.#word(value.length);
      this.#word(nameAt);
      this.#bytes(value);
    }
    while (this.#view.getUint32(this.#at) === FORMAT.BEGIN_NODE) {
      this.#node(path);
      this.#skipNops();
    }
    this.#at += 4;
    this.#word(FORMAT.END_NODE);
  }
}

/** A copy with other properties and reservations; `what` names the tree in messages. */
function edited(
  bytes: Uint8Array,
  reservations: DeviceTree["reservations"],
  editOf: (added: (name: string, value: Uint8Array) => Property) => Edit,
): Uint8Array<ArrayBuffer> {
  const tree = parseDeviceTree(bytes, "a device tree"), view = new DataView(bytes.buffer, bytes.byteOffset);
  const block = (at: number, size: number): Uint8Array => {
    const start = view.getUint32(at);
    return bytes.subarray(start, start + view.getUint32(size));
  };
  const oldStrings = block(12, 32);
  const strings = Uint8Array.from([...oldStrings, ...encoder.encode(ADDED_STRINGS)]);
  const edit = editOf((name, value) => ({
    name,
    value,
    nameAt: oldStrings.length + ADDED_STRINGS.indexOf(`${name}\0`),
  }));
  const structure = new StructureCopy(block(8, 36), strings, edit).copy();
  const kept = [...tree.reservations, ...reservations, { address: 0n, size: 0n }];
  const structureAt = FORMAT.HEADER_SIZE + kept.length * 16, stringsAt = structureAt + structure.length;
  const copy = new Uint8Array(stringsAt + strings.length), header = new DataView(copy.buffer);
  // deno-fmt-ignore
  const words = [
    FORMAT.MAGIC, copy.length, structureAt, stringsAt, FORMAT.HEADER_SIZE, FORMAT.VERSION, FORMAT.LAST_COMPATIBLE_VERSION,
    tree.bootCpu, strings.length, structure.length,
  ];
  for (const [index, word] of words.entries()) header.setUint32(index * 4, word);
  for (const [index, { address, size }] of kept.entries()) {
    header.setBigUint64(FORMAT.HEADER_SIZE + index * 16, address);
    header.setBigUint64(FORMAT.HEADER_SIZE + index * 16 + 8, size);
  }
  copy.set(structure, structureAt);
  copy.set(strings, stringsAt);
  return copy;
}

const isText = (value: Uint8Array | undefined, wanted: string): boolean =>
  value !== undefined && new TextDecoder().decode(value).split("\0").includes(wanted);

/** A CPU's number, of a node /cpus/…; undefined for a node that is none, or known to be dead. */
function numberOf(properties: readonly Property[]): bigint | undefined {
  const get = (name: string) => properties.find((property) => property.name === name)?.value;
  if (!isText(get("device_type"), "cpu") || isText(get("status"), "fail")) return undefined;
  return get("reg")?.reduce((number, byte) => number << 8n | BigInt(byte), 0n);
}

/**
 * The tree in which CPUs wait at mailboxes: `enable-method = "spin-table"` with the page's word as `cpu-release-addr`;
 * those that are dead have `status = "fail"`, and nothing enables the boot CPU. The mailboxes are reserved. Throws
 * ConfigurationError for a tree that is damaged.
 */
export function parkDeviceTree(bytes: Uint8Array, parking: Parking): Uint8Array<ArrayBuffer> {
  const { boot, cpus, mailboxes: { address, size } } = parking;
  return edited(bytes, size === 0n ? [] : [{ address, size }], (added) => (path, properties) => {
    const number = /^\/cpus\/[^/]+$/.test(path) ? numberOf(properties) : undefined;
    const without = (...names: string[]) => properties.filter(({ name }) => !names.includes(name));
    if (number === undefined) return properties;
    if (number === boot) return without("enable-method");
    const cpu = cpus.find((one) => one.number === number);
    if (cpu === undefined) return properties;
    if (cpu.page === undefined) return [added("status", text("fail")), ...without("status")];
    const word = new Uint8Array(8);
    new DataView(word.buffer).setBigUint64(0, cpu.page + BigInt(MAILBOX.ADDRESS));
    return [
      added("enable-method", text("spin-table")),
      added("cpu-release-addr", word),
      ...without("enable-method", "cpu-release-addr"),
    ];
  });
}

/**
 * The tree for a kernel that is to use one CPU: the same, but for ` nosmp` at the end of the command line. Throws
 * ConfigurationError for a tree that is damaged.
 */
export function singleDeviceTree(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return edited(bytes, [], (added) => (path, properties) => {
    if (path !== "/chosen") return properties;
    if (!properties.some(({ name }) => name === "bootargs")) {
      return [added("bootargs", text("nosmp")), ...properties];
    }
    return properties.map((property) => {
      if (property.name !== "bootargs") return property;
      const start = property.value.subarray(0, Math.max(0, property.value.length - 1));
      return added("bootargs", Uint8Array.from([...start, ...text(" nosmp")]));
    });
  });
}

/** CPUs of a tree by number, with how they are enabled: what a kernel sees. */
export function cpusOf(bytes: Uint8Array): ReadonlyMap<bigint, DeviceTreeNode> {
  const cpus = parseDeviceTree(bytes, "a device tree").root.child("cpus")?.children ?? [];
  return new Map(
    cpus.filter((node) => isText(node.get("device_type"), "cpu")).map((node) => [
      node.get("reg")!.reduce((number, byte) => number << 8n | BigInt(byte), 0n),
      node,
    ]),
  );
}
