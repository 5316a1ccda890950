/** Image files, read for a recording. */
import "../../firmware/install.ts";
import "../../hypervisor/install.ts";
import { createHash } from "node:crypto";
import { gunzipSync } from "node:zlib";
import type { MachineImages } from "../../machine/compose.ts";
import {
  type ImageReference,
  type MachineConfiguration,
  parseConfiguration,
} from "../../machine/configuration.ts";
import type { DiskImage } from "../../machine/storage/block.ts";
import { CommandError } from "../errors.ts";
import { IMAGE_ROLES, type MachineRequest } from "../machine_request.ts";
import { readWholeFile } from "./file_source.ts";
import { GuestError } from "./guests/guest.ts";
import { resolveGuest } from "./guests/store.ts";
import { loadPeripherals } from "./peripheral_files.ts";

/** SHA-256 as 64 hexadecimal digits. */
export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** The role whose file may be compressed with gzip. */
export const KERNEL = "kernel";
/** Most bytes that a compressed kernel may become, as in QEMU 7.2 (LOAD_IMAGE_MAX_GUNZIP_BYTES). */
const MOST_UNPACKED = 2 ** 28;

/** A file's bytes; a kernel is unpacked, so that a run does not depend on how it was compressed. */
export function readImage(path: string, role: string): Uint8Array {
  const bytes = readWholeFile(path, role);
  if (role !== KERNEL || bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  try {
    return new Uint8Array(gunzipSync(bytes, { maxOutputLength: MOST_UNPACKED }));
  } catch (error) {
    throw new CommandError(
      `Cannot unpack kernel "${path}": it is compressed with gzip, but ${(error as Error).message}`,
    );
  }
}

/** A file is there. */
export function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** The file that a name stands for: a path, or else a guest fetched by `deno task guests`, or a file of one. */
function pathOf(name: string): string {
  const [, guest, file] = /^([a-z0-9-]+)(?:\/([\w.-]+))?$/.exec(name) ?? [];
  if (guest === undefined || exists(name)) return name;
  try {
    const { image, files } = resolveGuest(guest);
    return file === undefined ? image : files[file] ?? name;
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
  /** Those of them that are no files. */
  readonly made: MachineImages;
}

/**
 * Reads the files that a request names, but for those of which the bytes are given. Throws CommandError for one that
 * cannot be read, ConfigurationError.
 */
export function loadMachine(
  request: MachineRequest,
  given: Readonly<Record<string, Uint8Array>> = {},
): LoadedMachine {
  const images = new Map<string, Uint8Array | DiskImage>();
  const made = new Map<string, Uint8Array>();
  const load = (name: string, what: string): ImageReference => {
    const isGiven = Object.hasOwn(given, name), path = isGiven ? name : pathOf(name);
    const bytes = isGiven ? given[name]! : readImage(path, what);
    const hash = sha256(bytes);
    images.set(hash, bytes);
    if (isGiven) made.set(hash, bytes);
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
  boot["firmwareFiles"] = request.firmwareFiles.map((entry) => {
    if (entry.kind === "text") return entry;
    const { file, ...named } = entry;
    return { ...named, image: load(file, "fw_cfg file") };
  });
  boot["pflash"] = request.flash.map(({ file, readOnly }) => ({ ...load(file, "flash file"), readOnly }));
  const plugged = loadPeripherals(request, load, images);
  const configuration = parseConfiguration({ ...request.configuration, ...plugged, boot });
  return { configuration, images, made };
}
