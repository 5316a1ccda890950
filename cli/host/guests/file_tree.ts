/** Trees of files that images are made of, and the cpio archive of one that Linux takes as its first root. */

/** A node of a tree; permissions are the low nine bits of a Unix mode. */
export type TreeNode =
  | { readonly kind: "file"; readonly content: Uint8Array; readonly permissions: number }
  | { readonly kind: "link"; readonly target: string }
  | { readonly kind: "directory" }
  | { readonly kind: "characterDevice"; readonly major: number; readonly minor: number };

/** Nodes by path, without a leading slash; folders on the way are implied. */
export type FileTree = ReadonlyMap<string, TreeNode>;

/** A file that anyone may read, and run if asked. */
export function file(content: Uint8Array | string, permissions = 0o644): TreeNode {
  return {
    kind: "file",
    content: typeof content === "string" ? new TextEncoder().encode(content) : content,
    permissions,
  };
}

/** A symbolic link. */
export const link = (target: string): TreeNode => ({ kind: "link", target });

/** The tree with every folder that its paths imply, sorted by path: a folder comes before what is in it. */
export function completed(tree: FileTree): [path: string, node: TreeNode][] {
  const all = new Map<string, TreeNode>();
  for (const path of tree.keys()) {
    for (let at = path.indexOf("/"); at > 0; at = path.indexOf("/", at + 1)) {
      all.set(path.slice(0, at), { kind: "directory" });
    }
  }
  for (const [path, node] of tree) all.set(path, node);
  return [...all].sort(([left], [right]) => left < right ? -1 : 1);
}

/** File type bits of a Unix mode (inode(7)). */
const TYPE_BITS = { file: 0o100000, link: 0o120000, directory: 0o040000, characterDevice: 0o020000 } as const;

const CPIO_MAGIC = "070701", CPIO_TRAILER = "TRAILER!!!", CPIO_ALIGNMENT = 4, CPIO_BLOCK_BYTES = 512;

/**
 * The cpio archive of a tree, in the format "newc" (Linux, driver-api/early-userspace/buffer-format). The same tree
 * gives the same bytes: sorted, owned by root, of time 0.
 */
export function cpioArchive(tree: FileTree): Uint8Array {
  const parts: Uint8Array[] = [];
  let length = 0;
  const append = (bytes: Uint8Array, alignment: number): void => {
    const padding = -(length + bytes.length) & (alignment - 1);
    parts.push(bytes, new Uint8Array(padding));
    length += bytes.length + padding;
  };
  const entry = (inode: number, path: string, node: TreeNode | undefined): void => {
    const content = contentOf(node);
    append(cpioHeader(inode, path, node, content.length), CPIO_ALIGNMENT);
    append(content, CPIO_ALIGNMENT);
  };
  completed(tree).forEach(([path, node], index) => entry(index + 1, path, node));
  entry(0, CPIO_TRAILER, undefined);
  append(new Uint8Array(), CPIO_BLOCK_BYTES);
  return concatenated(parts);
}

function contentOf(node: TreeNode | undefined): Uint8Array {
  if (node?.kind === "file") return node.content;
  return node?.kind === "link" ? new TextEncoder().encode(node.target) : new Uint8Array();
}

function modeOf(node: TreeNode): number {
  const permissions = { file: 0o644, link: 0o777, directory: 0o755, characterDevice: 0o600 }[node.kind];
  return TYPE_BITS[node.kind] | (node.kind === "file" ? node.permissions : permissions);
}

/** Thirteen numbers of eight hexadecimal digits after the magic, then the path with its ending zero. */
function cpioHeader(inode: number, path: string, node: TreeNode | undefined, bytes: number): Uint8Array {
  const name = new TextEncoder().encode(`${path}\0`);
  const [major, minor] = node?.kind === "characterDevice" ? [node.major, node.minor] : [0, 0];
  const mode = node === undefined ? 0 : modeOf(node), owner = 0, links = 1, time = 0, checksum = 0;
  const fields = [
    ...[inode, mode, owner, owner, links, time, bytes],
    ...[0, 0, major, minor, name.length, checksum],
  ].map((value) => value.toString(16).toUpperCase().padStart(8, "0"));
  return concatenated([new TextEncoder().encode(CPIO_MAGIC + fields.join("")), name]);
}

/**
 * Contents of the file at `path` in cpio archives of the format "newc", as `cpioArchive` makes them, one behind the
 * other. Throws RangeError for bytes that are none, and for archives without that file.
 */
export function fileOfCpio(archives: Uint8Array, path: string): Uint8Array {
  const text = (from: number, size: number) => new TextDecoder().decode(archives.subarray(from, from + size));
  const aligned = (at: number) => at + (-at & (CPIO_ALIGNMENT - 1));
  for (let at = 0; at < archives.length;) {
    if (text(at, CPIO_MAGIC.length) !== CPIO_MAGIC) {
      throw new RangeError(`Cannot read a cpio archive: no header of the format newc at byte ${at}`);
    }
    const field = (index: number) => Number.parseInt(text(at + CPIO_MAGIC.length + 8 * index, 8), 16);
    const headerSize = CPIO_MAGIC.length + 8 * 13, nameSize = field(11), size = field(6);
    const name = text(at + headerSize, nameSize - 1), from = aligned(at + headerSize + nameSize);
    if (name === path) return archives.subarray(from, from + size);
    at = aligned(from + size);
    if (name === CPIO_TRAILER) { while (archives[at] === 0) at++; } // filled up to the next one
  }
  throw new RangeError(`The cpio archive has no file "${path}"`);
}

/** Puts byte strings one behind the other. */
export function concatenated(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
