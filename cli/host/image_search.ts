/** Images found again for a replay, by content: in the journal, where they were, beside it, here and among the guests. */
import type { MachineImages } from "../../machine/compose.ts";
import type { ImageReference, MachineConfiguration } from "../../machine/configuration.ts";
import type { DiskImage } from "../../machine/storage/block.ts";
import { CommandError, UsageError } from "../errors.ts";
import { IMAGE_ROLES } from "../machine_request.ts";
import { suggestion } from "../suggest.ts";
import { matchDiskImage, openDiskImage } from "./disk_images.ts";
import { guestsFolder } from "./guests/store.ts";
import { exists, KERNEL, readImage, sha256 } from "./image_files.ts";

/** An image that a run needs, by the names under which the user knows it. */
export interface NeededImage extends ImageReference {
  /** `bios`, `kernel`, `initrd`, `dtb`, `loader0` and so on, or the id of a drive. */
  readonly role: string;
  /** Its hash is that of a disk: the file may be in any format that gives these contents. */
  readonly isDisk: boolean;
}

/** The images of a configuration, by role. */
export function neededImages({ boot, drives, networks }: MachineConfiguration): NeededImage[] {
  const needed: NeededImage[] = [];
  const add = (role: string, { sha256, size, name }: ImageReference, isDisk = false): void =>
    void needed.push({ sha256, size, name, role, isDisk });
  for (const role of IMAGE_ROLES) {
    const reference = boot[role];
    if (reference !== undefined) add(role, reference);
  }
  for (const [index, loader] of boot.loaders.entries()) {
    if (loader.kind === "image") add(`loader${index}`, loader.image);
  }
  for (const [index, image] of boot.pflash.entries()) add(`pflash${index}`, image);
  for (const [index, { image }] of boot.guestModules.entries()) add(`guest${index}`, image);
  for (const [index, file] of boot.firmwareFiles.entries()) {
    if (file.kind === "image") add(`fwcfg${index}`, file.image);
  }
  const served = networks.flatMap((network) => network.kind === "user" ? network.files : []);
  for (const [index, { image }] of served.entries()) add(`served${index}`, image);
  for (const { id, image } of drives) add(id, image, true);
  return needed;
}

type Contents = Uint8Array | DiskImage;

/** A file that is not the image wanted: what it is instead. */
function mismatch({ role, sha256: expected, size, isDisk }: NeededImage, path: string): CommandError {
  const { size: actual, hash } = isDisk ? diskFacts(path) : fileFacts(path, role);
  const what = isDisk ? "SHA-256 over its MiBs" : "SHA-256";
  return new CommandError(
    `Cannot replay: "${path}" is not the ${role} that was recorded.\n` +
      `  recorded: ${size} bytes, ${what} ${expected}\n` +
      `  the file: ${actual} bytes, ${what} ${hash}\n` +
      `Give the right file with --image ${isDisk ? `${role}=` : ""}FILE.`,
  );
}

function fileFacts(path: string, what: string): { size: number; hash: string } {
  const bytes = readImage(path, what);
  return { size: bytes.length, hash: sha256(bytes) };
}

function diskFacts(path: string): { size: number; hash: string } {
  const { size, sha256: hash } = openDiskImage(path).hash();
  return { size, hash };
}

/** A file's contents if they are those of an image; throws CommandError when it cannot be read. */
function contentsIfEqual(
  path: string,
  { isDisk, size, sha256: expected, role }: NeededImage,
): Contents | undefined {
  if (isDisk) return matchDiskImage(path, size, expected);
  const actual = sizeOf(path);
  if (actual !== undefined && actual !== size && role !== KERNEL) return undefined;
  const bytes = readImage(path, role);
  return sha256(bytes) === expected ? bytes : undefined;
}

function sizeOf(path: string): number | undefined {
  try {
    return Deno.statSync(path).size;
  } catch {
    return undefined;
  }
}

/** The image that an argument of `--image` names, `ROLE=FILE`, if it does, and the file. */
function roleOf(
  argument: string,
  needed: readonly NeededImage[],
): { readonly path: string; readonly wanted: NeededImage | undefined } {
  const [, role, path = ""] = /^([a-z][a-z0-9_.-]*)=(.*)$/is.exec(argument) ?? [];
  if (role === undefined) return { path: argument, wanted: undefined };
  const wanted = needed.find((image) => image.role === role);
  if (wanted !== undefined) return { path, wanted };
  if (exists(argument)) return { path: argument, wanted: undefined };
  const roles = needed.map(({ role }) => role);
  throw new UsageError(
    `--image ${argument}: the run has no ${role}; it has ${roles.join(", ") || "no images"}` +
      suggestion(role, roles),
  );
}

/** Takes the files of `--image`: `FILE`, or `ROLE=FILE`. */
function takeGiven(
  needed: readonly NeededImage[],
  given: readonly string[],
  found: Map<string, Contents>,
): void {
  for (const argument of given) {
    const { path, wanted } = roleOf(argument, needed);
    const candidates = wanted === undefined ? needed : [wanted];
    const matching = candidates.map((image) => ({ image, contents: contentsIfEqual(path, image) }))
      .find(({ contents }) => contents !== undefined);
    if (matching?.contents !== undefined) found.set(matching.image.sha256, matching.contents);
    else if (candidates.length === 1) throw mismatch(candidates[0]!, path);
    else throw refuseUnknown(path);
  }
}

function refuseUnknown(path: string): CommandError {
  return new CommandError(
    `Cannot use --image "${path}": none of the run's images has its SHA-256 ${fileFacts(path, "image").hash}`,
  );
}

/** Files in and one folder below a directory, none when it cannot be read. */
function* filesBelow(directory: string, depth = 1): Generator<string> {
  let entries: Deno.DirEntry[];
  try {
    entries = [...Deno.readDirSync(directory)].sort((a, b) => a.name < b.name ? -1 : 1);
  } catch {
    return;
  }
  for (const { name, isFile, isDirectory } of entries) {
    if (isFile) yield `${directory}/${name}`;
    else if (isDirectory && depth > 0) yield* filesBelow(`${directory}/${name}`, depth - 1);
  }
}

/** Whether a file can have an image's contents, by its size or by what the end of a compressed kernel says of it. */
function mayBe(path: string, { role, size, isDisk }: NeededImage): boolean {
  if (isDisk || sizeOf(path) === size) return true;
  if (role !== KERNEL) return false;
  using file = Deno.openSync(path);
  const [magic, rest] = [new Uint8Array(2), new Uint8Array(4)];
  file.readSync(magic);
  if (magic[0] !== 0x1f || magic[1] !== 0x8b) return false;
  // RFC 1952: ISIZE, the size modulo 2^32.
  file.seekSync(-4, Deno.SeekMode.End);
  file.readSync(rest);
  return new DataView(rest.buffer).getUint32(0, true) === size;
}

/** Looks where the file was, then for any file of that content beside it, here and among the guests. */
function search(image: NeededImage, journal: string): Contents | undefined {
  const folder = journal.includes("/") ? journal.slice(0, journal.lastIndexOf("/")) || "/" : ".";
  const places = new Set([".", folder]);
  const candidates = [image.name, ...[...places].flatMap((place) => [...filesBelow(place, 0)])];
  for (const path of [...candidates, ...filesBelow(guestsFolder())]) {
    try {
      if (path === "" || !mayBe(path, image)) continue;
      const contents = contentsIfEqual(path, image);
      if (contents !== undefined) return contents;
    } catch {
      // What cannot be read is not it.
    }
  }
  return undefined;
}

/**
 * Finds the images of a run: inside the journal, among the files given, or by content where they were, beside the
 * journal, here and in the guests' folder. Throws CommandError naming the image, and both hashes where a file of its
 * name has other contents.
 */
export function findImages(
  configuration: MachineConfiguration,
  packed: MachineImages,
  given: readonly string[],
  journal: string,
): MachineImages {
  const found = new Map(packed);
  const needed = neededImages(configuration);
  takeGiven(needed, given, found);
  for (const image of needed) {
    if (found.has(image.sha256)) continue;
    const contents = search(image, journal);
    if (contents === undefined) {
      if (exists(image.name)) throw mismatch(image, image.name);
      throw new CommandError(
        `Cannot replay: the ${image.role} "${image.name}" was not found ` +
          `(${image.size} bytes, SHA-256 ${image.sha256}). Give it with --image ${
            image.isDisk ? `${image.role}=` : ""
          }FILE.`,
      );
    }
    found.set(image.sha256, contents);
  }
  return found;
}
