/** Reads Debian packages: the outer `ar` archive, the tar archives in it, and the fields of its control file. */
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { run, SubprocessError } from "../subprocess.ts";

/** The largest archive taken out of a package, in bytes. */
const MAX_ARCHIVE_BYTES = 2 ** 30;
const AR_MAGIC = "!<arch>\n";
const AR_HEADER_BYTES = 60, TAR_BLOCK_BYTES = 512;

/** A package or an index of packages cannot be got or read; the message names it. */
export class PackageError extends Error {
  /** The class, for whoever prints the error. */
  override name = "PackageError";
}

/** A package in memory. */
export interface DebianPackage {
  /** The fields of its control file, such as `Package` and `Version`. */
  readonly control: ReadonlyMap<string, string>;
  /** Its regular files by path, without a leading `./` or `/`. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** The targets of its symbolic links by path, as they are written. */
  readonly links: ReadonlyMap<string, string>;
}

/** Regular files and symbolic links of an archive. */
type Archive = Pick<DebianPackage, "files" | "links">;

/**
 * Reads a package of format 2 (deb(5)).
 *
 * @param path of the `.deb` file
 * @param bytes what is in it
 * @throws {PackageError} when it is cut, malformed, or compressed in a way this host cannot undo
 */
export async function readPackage(path: string, bytes: Uint8Array): Promise<DebianPackage> {
  const members = readAr(path, bytes);
  if (!text(members.get("debian-binary") ?? new Uint8Array()).startsWith("2.")) {
    throw new PackageError(`${path} is not a Debian package of format 2`);
  }
  const fields = readTar(path, await unpackMember(path, members, "control.tar", "--ctrl-tarfile"));
  const control = fields.files.get("control");
  if (!control) throw new PackageError(`${path} has no control file`);
  const data = readTar(path, await unpackMember(path, members, "data.tar", "--fsys-tarfile"));
  return { control: parseParagraph(text(control)), ...data };
}

/** Parses the fields of one paragraph of deb822 text, without continuation lines. */
export function parseParagraph(paragraph: string): Map<string, string> {
  const fields = paragraph.matchAll(/^([!-9;-~]+):[ \t]*(.*)$/gm);
  return new Map([...fields].map(([, name, value]) => [name!, value!.trim()]));
}

/**
 * Undoes the compression that the name's ending tells: `.gz`, `.zst`, `.xz`, or none.
 *
 * @throws {PackageError} when the bytes are damaged, or `xz` is needed and fails
 */
export async function decompress(name: string, bytes: Uint8Array): Promise<Uint8Array> {
  try {
    if (name.endsWith(".gz")) return plain(gunzipSync(bytes, { maxOutputLength: MAX_ARCHIVE_BYTES }));
    if (name.endsWith(".zst")) {
      return plain(zstdDecompressSync(bytes, { maxOutputLength: MAX_ARCHIVE_BYTES }));
    }
    if (name.endsWith(".xz")) return await run(["xz", "--decompress", "--stdout"], { input: bytes });
    return bytes;
  } catch (error) {
    throw new PackageError(`Cannot decompress ${name}: ${(error as Error).message}`, { cause: error });
  }
}

/** A Node buffer as what it extends. */
const plain = ({ buffer, byteOffset, length }: Uint8Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, length);
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** The tar archive `name` in a package, whatever its compression; `dpkg-deb` stands in for a missing `xz`. */
async function unpackMember(
  path: string,
  members: Map<string, Uint8Array>,
  name: string,
  dpkgOption: string,
): Promise<Uint8Array> {
  const found = [...members].find(([member]) => member === name || member.startsWith(`${name}.`));
  if (!found) throw new PackageError(`${path} has no ${name}`);
  try {
    return await decompress(...found);
  } catch (error) {
    const reason = (error as Error).cause;
    if (!(reason instanceof SubprocessError && reason.isMissing)) {
      throw new PackageError(`${path}: ${(error as Error).message}`);
    }
    return await run(["dpkg-deb", dpkgOption, path]).catch(() => {
      throw new PackageError(`Cannot unpack ${path}: install xz-utils or dpkg`);
    });
  }
}

/** Reads an `ar` archive (deb(5): plain names, decimal sizes, members at even offsets). */
function readAr(path: string, bytes: Uint8Array): Map<string, Uint8Array> {
  if (text(bytes.subarray(0, AR_MAGIC.length)) !== AR_MAGIC) {
    throw new PackageError(`${path} is not a Debian package`);
  }
  const members = new Map<string, Uint8Array>();
  for (let at = AR_MAGIC.length; at < bytes.length;) {
    const header = text(bytes.subarray(at, at + AR_HEADER_BYTES));
    const name = header.slice(0, 16).trim().replace(/\/$/, ""), size = header.slice(48, 58).trim();
    const start = at + AR_HEADER_BYTES, end = start + Number(size);
    if (start > bytes.length) throw new PackageError(`${path} is cut at byte ${bytes.length}`);
    if (!/^\d+$/.test(size) || !header.endsWith("`\n")) {
      throw new PackageError(`${path}: bad ar header at byte ${at}`);
    }
    if (end > bytes.length) {
      throw new PackageError(`${path} is cut: ${name} ends at byte ${end} of ${bytes.length}`);
    }
    members.set(name, bytes.subarray(start, end));
    at = end + end % 2;
  }
  return members;
}

/** Reads the files and links of a tar archive; entries whose name needs an extension header are left out. */
function readTar(path: string, bytes: Uint8Array): Archive {
  const files = new Map<string, Uint8Array>(), links = new Map<string, string>();
  let isRenamed = false;
  for (let at = 0; at < bytes.length;) {
    const header = bytes.subarray(at, at + TAR_BLOCK_BYTES);
    if (header.every((byte) => byte === 0)) break; // the end is marked by empty blocks
    const field = (offset: number, length: number): string =>
      text(header.subarray(offset, offset + length)).replace(/\0[^]*/, "").trim();
    const name = field(0, 100).replace(/^(\.?\/)+/, ""), size = field(124, 12), type = field(156, 1);
    const start = at + TAR_BLOCK_BYTES, end = start + parseInt(size, 8);
    if (!/^[0-7]+$/.test(size)) throw new PackageError(`${path}: bad tar header at byte ${at}`);
    if (end > bytes.length) {
      throw new PackageError(`${path} is cut: ${name} ends at byte ${end} of ${bytes.length}`);
    }
    if ((type === "0" || type === "") && !isRenamed) files.set(name, bytes.subarray(start, end));
    if (type === "2" && !isRenamed) links.set(name, field(157, 100));
    isRenamed = type === "L" || type === "x"; // the next entry's real name is in this one's data
    at = start + Math.ceil((end - start) / TAR_BLOCK_BYTES) * TAR_BLOCK_BYTES;
  }
  return { files, links };
}
