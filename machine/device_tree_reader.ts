/** Reading of flattened device trees that come from outside. */
import { hex } from "./address.ts";
import { type DeviceTree, DeviceTreeNode, type DeviceTreeProperty, FORMAT } from "./device_tree.ts";
import { ConfigurationError } from "./errors.ts";

/** Bounds of what is read. */
const MAXIMUM_SIZE = 16 * 2 ** 20;
const MAXIMUM_DEPTH = 64;

/** What is wrong with a blob; becomes a ConfigurationError that names the file. */
class MalformedTree extends Error {
  /** Path of the innermost node that was being read, once one is. */
  path: string | undefined;
}

function refuse(reason: string): never {
  throw new MalformedTree(reason);
}

/** Bounds-checked reading of one block of a blob. */
class BlobReader {
  at: number;
  #view: DataView;

  constructor(readonly bytes: Uint8Array, readonly block: string, start: number, readonly end: number) {
    if (start > end || end > bytes.length) refuse(`its ${block} block lies outside the file`);
    this.at = start;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  take(count: number): number {
    const at = this.at;
    if (count > this.end - at) refuse(`its ${this.block} block ends early, at offset ${hex(at)}`);
    this.at += count;
    return at;
  }

  word(): number {
    return this.#view.getUint32(this.take(4));
  }

  doubleWord(): bigint {
    return this.#view.getBigUint64(this.take(8));
  }

  /** A zero-terminated name: at most 255 printable characters. */
  name(): string {
    const start = this.at;
    let name = "";
    for (;;) {
      const byte = this.bytes[this.take(1)] as number;
      if (byte === 0) return name;
      if (byte <= 0x20 || byte >= 0x7f || name.length === 255) {
        refuse(`there is no name at offset ${hex(start)}`);
      }
      name += String.fromCharCode(byte);
    }
  }

  /** Skips to a multiple of `count`, a power of 2, from `start`. */
  alignTo(count: number, start: number): void {
    this.take(-(this.at - start) & (count - 1));
  }
}

interface Header {
  readonly structure: BlobReader;
  readonly reservations: BlobReader;
  readonly stringsAt: number;
  readonly stringsEnd: number;
  readonly bootCpu: number;
}

function parseHeader(bytes: Uint8Array): Header {
  if (bytes.length < FORMAT.HEADER_SIZE) refuse(`it has ${bytes.length} bytes, less than a header`);
  const header = new BlobReader(bytes, "header", 0, FORMAT.HEADER_SIZE);
  if (header.word() !== FORMAT.MAGIC) refuse("it does not start with the magic number d0 0d fe ed");
  const totalSize = header.word();
  if (totalSize > bytes.length) refuse(`it is cut: ${bytes.length} of ${totalSize} bytes are there`);
  if (totalSize > MAXIMUM_SIZE) refuse(`it has ${totalSize} bytes, more than ${MAXIMUM_SIZE}`);
  const [structureAt, stringsAt, reservationsAt] = [header.word(), header.word(), header.word()];
  const version = header.word();
  const lastCompatible = header.word();
  if (version < FORMAT.VERSION || lastCompatible > FORMAT.VERSION) {
    refuse(`it has version ${version}, compatible with ${lastCompatible}; version ${FORMAT.VERSION} is read`);
  }
  const bootCpu = header.word();
  const stringsEnd = stringsAt + header.word();
  const structureEnd = structureAt + header.word();
  if (stringsEnd > totalSize) refuse("its strings block lies outside the file");
  const structure = new BlobReader(bytes, "structure", structureAt, Math.min(structureEnd, totalSize));
  const reservations = new BlobReader(bytes, "reservation", reservationsAt, totalSize);
  return { structure, reservations, stringsAt, stringsEnd, bootCpu };
}

/** One node after its BEGIN_NODE token; `above` is the path of its parent, undefined for the root. */
function parseNode(header: Header, depth: number, above?: string): DeviceTreeNode {
  if (depth > MAXIMUM_DEPTH) refuse(`its nodes are nested deeper than ${MAXIMUM_DEPTH}`);
  const { structure } = header;
  const start = structure.at;
  const node = new DeviceTreeNode(structure.name());
  const path = above === undefined ? "/" : `${above === "/" ? "" : above}/${node.name}`;
  try {
    structure.alignTo(4, start);
    parseContents(header, depth, node, path);
  } catch (error) {
    if (error instanceof MalformedTree) error.path ??= path;
    throw error;
  }
  return node;
}

/** Properties and children of a node, with its END_NODE token. */
function parseContents(header: Header, depth: number, node: DeviceTreeNode, path: string): void {
  const { structure } = header;
  const names = new Set<string>();
  for (;;) {
    const at = structure.at;
    const token = structure.word();
    if (token === FORMAT.END_NODE) return;
    if (token === FORMAT.BEGIN_NODE) {
      const child = parseNode(header, depth + 1, path);
      if (names.has(`/${child.name}`)) refuse(`node "${child.name}" is there twice`);
      names.add(`/${child.name}`);
      node.children.push(child);
    } else if (token === FORMAT.PROPERTY) {
      const property = parseProperty(header);
      if (names.has(property.name)) refuse(`property "${property.name}" of "${node.name}" is there twice`);
      names.add(property.name);
      node.properties.push(property);
    } else if (token !== FORMAT.NOP) refuse(`the token at offset ${hex(at)} is ${hex(token)}`);
  }
}

function parseProperty({ structure, stringsAt, stringsEnd }: Header): DeviceTreeProperty {
  const length = structure.word();
  const nameAt = stringsAt + structure.word();
  const name = new BlobReader(structure.bytes, "strings", nameAt, stringsEnd).name();
  const start = structure.take(length);
  const value = new Uint8Array(structure.bytes.subarray(start, start + length));
  structure.alignTo(4, start);
  return { name, value };
}

function parse(bytes: Uint8Array): DeviceTree {
  const header = parseHeader(bytes);
  const reservations = [];
  for (;;) {
    const [address, size] = [header.reservations.doubleWord(), header.reservations.doubleWord()];
    if (address === 0n && size === 0n) break;
    reservations.push({ address, size });
  }
  let token = header.structure.word();
  while (token === FORMAT.NOP) token = header.structure.word();
  if (token !== FORMAT.BEGIN_NODE) refuse("its structure block does not start with the root node");
  return { root: parseNode(header, 0), reservations, bootCpu: header.bootCpu };
}

/**
 * Reads an untrusted blob of version 17; `what` names it in messages. Throws ConfigurationError that says what is
 * wrong and where.
 */
export function parseDeviceTree(bytes: Uint8Array, what: string): DeviceTree {
  try {
    return parse(bytes);
  } catch (error) {
    if (!(error instanceof MalformedTree)) throw error;
    const place = error.path === undefined ? "" : `, in node ${error.path}`;
    throw new ConfigurationError(`Cannot load ${what}: ${error.message}${place}`);
  }
}
