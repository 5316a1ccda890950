/** Image files: read for a recording, found again by content for a replay. */
import { createHash } from "node:crypto";
import type { MachineImages } from "../../machine/compose.ts";
import {
  type ImageReference,
  type MachineConfiguration,
  parseConfiguration,
} from "../../machine/configuration.ts";
import type { DiskImage } from "../../machine/storage/block.ts";
import { CommandError, UsageError } from "../errors.ts";
import { IMAGE_ROLES, type MachineRequest } from "../machine_request.ts";
import { suggestion } from "../suggest.ts";
import { readWholeFile } from "./file_source.ts";
import { GuestError, guestsFolder, resolveGuest } from "./guests.ts";
import { loadPeripherals } from "./peripheral_files.ts";

/** SHA-256 as 64 hexadecimal digits. */
function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** The file that a name stands for: a path, or else a guest fetched by `deno task guests`. */
function pathOf(name: string): string {
  if (exists(name) || !/^[a-z0-9-]+$/.test(name)) return name;
  try {
    return resolveGuest(name).image;
  } catch (error) {
    if (error instanceof GuestError && error.message.startsWith("No guest")) return name;
    throw error;
  }
}

/** A machine that can be built. */
export interface LoadedMachine {
  /** Its configuration, with images by content. */
  readonly configuration: MachineConfiguration;
  /** Their bytes. */
  readonly images: MachineImages;
}

/** Reads the files that a request names. Throws CommandError for one that cannot be read, ConfigurationError. */
export function loadMachine(request: MachineRequest): LoadedMachine {
  const images = new Map<string, Uint8Array | DiskImage>();
  const load = (name: string, what: string): ImageReference => {
    const path = pathOf(name);
    const bytes = readWholeFile(path, what);
    const hash = sha256(bytes);
    images.set(hash, bytes);
    return { sha256: hash, size: bytes.length, name: path };
  };
  const boot: Record<string, unknown> = { append: request.append };
  for (const role of IMAGE_ROLES) {
    const name = request.files[role];
    if (name !== undefined) boot[role] = load(name, role);
  }
  boot["loaders"] = request.loaders.map((loader) => {
    if (loader.kind !== "image") return loader;
    const { file, ...entry } = loader;
    return { ...entry, image: load(file, "loader file") };
  });
  boot["guestModules"] = request.guestModules.map(({ file, ...module }) => (
    { ...module, image: load(file, `guest's ${module.kind}`) }
  ));
  boot["pflash"] = request.flash.map((name) => load(name, "flash file"));
  const plugged = loadPeripherals(request, load, images);
  return { configuration: parseConfiguration({ ...request.configuration, ...plugged, boot }), images };
}

/** An image that a run needs, by the names under which the user knows it. */
export interface NeededImage extends ImageReference {
  /** `bios`, `kernel`, `initrd`, `dtb`, or `loader0` and so on. */
  readonly role: string;
}

/** The images of a configuration that are files, by role; disks are not among them. */
export function neededImages({ boot, networks }: MachineConfiguration): NeededImage[] {
  const needed: NeededImage[] = [];
  for (const role of IMAGE_ROLES) {
    const reference = boot[role];
    if (reference !== undefined) needed.push({ ...reference, role });
  }
  for (const [index, loader] of boot.loaders.entries()) {
    if (loader.kind === "image") needed.push({ ...loader.image, role: `loader${index}` });
  }
  for (const [index, image] of boot.pflash.entries()) needed.push({ ...image, role: `pflash${index}` });
  for (const [index, { image }] of boot.guestModules.entries()) {
    needed.push({ ...image, role: `guest${index}` });
  }
  const served = networks.flatMap((network) => network.kind === "user" ? network.files : []);
  for (const [index, { image }] of served.entries()) needed.push({ ...image, role: `served${index}` });
  return needed;
}

function mismatch(
  { role, sha256: expected, size }: NeededImage,
  path: string,
  bytes: Uint8Array,
): CommandError {
  return new CommandError(
    `Cannot replay: "${path}" is not the ${role} that was recorded.\n` +
      `  recorded: ${size} bytes, SHA-256 ${expected}\n` +
      `  the file: ${bytes.length} bytes, SHA-256 ${sha256(bytes)}\n` +
      `Give the right file with --image FILE.`,
  );
}

/** Takes the files of `--image`: `FILE`, or `ROLE=FILE`. */
function takeGiven(
  needed: readonly NeededImage[],
  given: readonly string[],
  found: Map<string, Uint8Array>,
): void {
  const roles = needed.map(({ role }) => role);
  for (const argument of given) {
    const [, role, named] = /^([a-z]+[0-9]*)=(.*)$/s.exec(argument) ?? [];
    const path = named ?? argument;
    const bytes = readWholeFile(path, "image");
    const hash = sha256(bytes);
    if (role !== undefined && !roles.includes(role)) {
      throw new UsageError(
        `--image ${argument}: the run has no ${role}; it has ${roles.join(", ") || "no images"}` +
          suggestion(role, roles),
      );
    }
    const wanted = needed.find((image) => role === undefined ? image.sha256 === hash : image.role === role);
    if (wanted?.sha256 === hash) found.set(hash, bytes);
    else if (wanted !== undefined || needed.length === 1) throw mismatch(wanted ?? needed[0]!, path, bytes);
    else {throw new CommandError(
        `Cannot use --image "${path}": none of the run's images has its SHA-256 ${hash}`,
      );}
  }
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

/** Looks where the file was, then for any file of that size and content beside it, here and among the guests. */
function search(image: NeededImage, journal: string): Uint8Array | undefined {
  const folder = journal.includes("/") ? journal.slice(0, journal.lastIndexOf("/")) || "/" : ".";
  const places = new Set([".", folder]);
  const candidates = [image.name, ...[...places].flatMap((place) => [...filesBelow(place, 0)])];
  for (const path of [...candidates, ...filesBelow(guestsFolder())]) {
    try {
      if (path === "" || Deno.statSync(path).size !== image.size) continue;
      const bytes = Deno.readFileSync(path);
      if (sha256(bytes) === image.sha256) return bytes;
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
  packed: ReadonlyMap<string, Uint8Array>,
  given: readonly string[],
  journal: string,
): MachineImages {
  const found = new Map(packed);
  const needed = neededImages(configuration);
  takeGiven(needed, given, found);
  for (const image of needed) {
    if (found.has(image.sha256)) continue;
    const bytes = search(image, journal);
    if (bytes === undefined) {
      if (exists(image.name)) throw mismatch(image, image.name, readWholeFile(image.name, image.role));
      throw new CommandError(
        `Cannot replay: the ${image.role} "${image.name}" was not found ` +
          `(${image.size} bytes, SHA-256 ${image.sha256}). Give it with --image FILE.`,
      );
    }
    found.set(image.sha256, bytes);
  }
  return found;
}
