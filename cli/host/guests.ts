/**
 * Guests: software that Hindsight runs but does not contain, fetched from Debian packages and found by name.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { parseArgs } from "@std/cli";
import { z } from "zod";
import { PackageError, readPackage } from "./debian_package.ts";
import { aptSource, directorySource, mirrorSource, type PackageSource } from "./debian_source.ts";

/** One guest: its package, and which of the package's files it is made of. */
interface Guest {
  /** What it is, for `--list`. */
  readonly summary: string;
  /** Debian's name of the package. */
  readonly package: string;
  /** Debian's name of the package's architecture. */
  readonly architecture: "all" | "arm64";
  /** Local file names and their paths in the package; the first is the image to boot. */
  readonly files: Readonly<Record<string, string>>;
}

/** Every guest there is; a new one is a row here. */
const GUESTS: Readonly<Record<string, Guest>> = {
  "u-boot": {
    summary: "U-Boot boot loader for QEMU's virt machine",
    package: "u-boot-qemu",
    architecture: "all",
    files: {
      "u-boot.bin": "usr/lib/u-boot/qemu_arm64/u-boot.bin",
      "uboot.elf": "usr/lib/u-boot/qemu_arm64/uboot.elf",
    },
  },
};

/** The release that `--mirror` reads. */
const SUITE = "bookworm";
const MANIFEST = "manifest.json";

const Sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const Fetched = z.strictObject({
  package: z.string(),
  version: z.string(),
  architecture: z.string(),
  source: z.enum(["apt", "directory", "mirror"]),
  packageSha256: Sha256,
  files: z.record(z.string(), z.strictObject({ bytes: z.int().min(0), sha256: Sha256 })),
});
const Manifest = z.strictObject({ format: z.literal(1), guests: z.record(z.string(), Fetched) });
type Fetched = z.infer<typeof Fetched>;
type Manifest = z.infer<typeof Manifest>;

/** A guest cannot be named, found or trusted; the message says what to do. */
export class GuestError extends Error {
  /** The class, for whoever prints the error. */
  override name = "GuestError";
}

/** A guest that is here and is what was fetched. */
export interface ResolvedGuest {
  /** Its name in the table of guests. */
  readonly name: string;
  /** Version of the package it came from. */
  readonly version: string;
  /** Path of the image to boot. */
  readonly image: string;
  /** Paths of all its files by their local names. */
  readonly files: Readonly<Record<string, string>>;
}

/** The folder that guests are kept in: `.guests/` of this copy of Hindsight. */
export function guestsFolder(): string {
  return decodeURIComponent(new URL("../../.guests", import.meta.url).pathname);
}

/**
 * Finds a fetched guest and checks its files against the manifest.
 *
 * @throws {GuestError} when there is no such guest, it was not fetched, or a file is not what was fetched
 */
export function resolveGuest(name: string, folder: string = guestsFolder()): ResolvedGuest {
  const guest = guestNamed(name);
  const fetched = readManifest(folder).guests[name];
  const again = `run: deno task guests ${name}`;
  if (!fetched) throw new GuestError(`Guest ${name} is not here; ${again}`);
  const files: Record<string, string> = {};
  for (const file of Object.keys(guest.files)) {
    const path = `${folder}/${name}/${file}`;
    if (hashFile(path) !== fetched.files[file]?.sha256) {
      throw new GuestError(
        `${path} is missing or not what was fetched; remove ${folder}/${name} and ${again}`,
      );
    }
    files[file] = path;
  }
  return { name, version: fetched.version, image: Object.values(files)[0]!, files };
}

function guestNamed(name: string): Guest {
  const guest = Object.hasOwn(GUESTS, name) ? GUESTS[name] : undefined;
  if (!guest) throw new GuestError(`No guest "${name}"; there are: ${Object.keys(GUESTS).join(", ")}`);
  return guest;
}

const hash = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

function hashFile(path: string): string | undefined {
  try {
    return hash(Deno.readFileSync(path));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

function readManifest(folder: string): Manifest {
  const path = `${folder}/${MANIFEST}`;
  let json: string;
  try {
    json = Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return { format: 1, guests: {} };
    throw error;
  }
  try {
    return Manifest.parse(JSON.parse(json));
  } catch {
    throw new GuestError(`${path} is damaged; remove ${folder} and fetch the guests again`);
  }
}

/**
 * Fetches a guest and puts it into the folder, whole or not at all.
 *
 * @throws {PackageError} when the package cannot be got or lacks a file of the guest
 */
export async function fetchGuest(
  name: string,
  source: PackageSource,
  folder: string,
): Promise<ResolvedGuest> {
  const guest = guestNamed(name);
  await Deno.mkdir(folder, { recursive: true });
  const work = await Deno.makeTempDir({ dir: folder, prefix: `.${name}-` });
  try {
    await Deno.mkdir(`${work}/package`);
    const { path, bytes } = await source.fetch(guest.package, guest.architecture, `${work}/package`);
    const { control, files } = await readPackage(path, bytes);
    if (control.get("Package") !== guest.package) {
      throw new PackageError(`${path} holds package ${control.get("Package")}, not ${guest.package}`);
    }
    const fetched: Fetched = {
      package: guest.package,
      version: control.get("Version") ?? "unknown",
      architecture: control.get("Architecture") ?? "unknown",
      source: source.kind,
      packageSha256: hash(bytes),
      files: {},
    };
    await Deno.mkdir(`${work}/guest`);
    for (const [file, inPackage] of Object.entries(guest.files)) {
      const content = files.get(inPackage);
      if (!content) throw new PackageError(`${path} (version ${fetched.version}) has no file ${inPackage}`);
      await Deno.writeFile(`${work}/guest/${file}`, content);
      fetched.files[file] = { bytes: content.length, sha256: hash(content) };
    }
    await install(name, fetched, work, folder);
  } finally {
    await Deno.remove(work, { recursive: true });
  }
  return resolveGuest(name, folder);
}

/** Moves the guest into place, then the manifest that vouches for it; between the two it does not resolve. */
async function install(name: string, fetched: Fetched, work: string, folder: string): Promise<void> {
  const target = `${folder}/${name}`;
  await Deno.rename(target, `${work}/old`).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
  await Deno.rename(`${work}/guest`, target);
  const { guests } = readManifest(folder);
  const manifest = Manifest.parse({ format: 1, guests: { ...guests, [name]: fetched } });
  await Deno.writeTextFile(`${work}/${MANIFEST}`, JSON.stringify(manifest, null, 2) + "\n");
  await Deno.rename(`${work}/${MANIFEST}`, `${folder}/${MANIFEST}`);
}

const HELP = `Fetches guests from Debian packages into .guests/, where they are found by name.

Usage: deno task guests [NAME…] [--from DIR | --mirror URL] [--list] [--json]

  NAME          a guest; all of them by default. One that is here is kept: remove its folder to fetch it anew
  --from DIR    take the packages from a directory of .deb files
  --mirror URL  take them from a Debian mirror, for hosts without apt
  --into DIR    put them elsewhere than .guests/
  --list        list the guests and which are here
  --json        print the result as JSON
  --help        print this

Without --from and --mirror the host's apt is used; root is not needed.
`;

/** What the command line of `deno task guests` asks for. */
interface Request {
  readonly names: readonly string[];
  readonly folder: string;
  readonly source: PackageSource;
  /** Whether the user named a source, which is then asked even for what is here. */
  readonly isSourceNamed: boolean;
  readonly list: boolean;
  readonly json: boolean;
  readonly help: boolean;
}

function parseRequest(args: readonly string[]): Request {
  const given = parseArgs(args, {
    boolean: ["list", "json", "help"],
    string: ["from", "mirror", "into", "_"],
    alias: { help: "h" },
    unknown: (argument, key) => {
      if (key !== undefined) throw new GuestError(`Unknown option ${argument}; see --help`);
    },
  });
  const { from, mirror, into } = given;
  for (const [option, value] of Object.entries({ from, mirror, into })) {
    if (value === "") throw new GuestError(`--${option} needs a value; see --help`);
  }
  if (from !== undefined && mirror !== undefined) {
    throw new GuestError("--from and --mirror exclude each other");
  }
  if (mirror !== undefined && !URL.canParse(mirror)) throw new GuestError(`--mirror ${mirror} is not a URL`);
  const names = given._.length > 0 ? [...new Set(given._.map(String))] : Object.keys(GUESTS);
  names.forEach(guestNamed);
  return {
    names,
    folder: into ?? guestsFolder(),
    source: from !== undefined
      ? directorySource(from)
      : mirror !== undefined
      ? mirrorSource(mirror, SUITE)
      : aptSource(),
    isSourceNamed: from !== undefined || mirror !== undefined,
    list: given.list,
    json: given.json,
    help: given.help,
  };
}

/** The guest if it is here and sound. */
function present(name: string, folder: string): ResolvedGuest | undefined {
  try {
    return resolveGuest(name, folder);
  } catch (error) {
    if (error instanceof GuestError) return undefined;
    throw error;
  }
}

/** Fetches or lists what was asked for, and prints the result. */
async function perform(request: Request): Promise<void> {
  const { names, folder, source } = request;
  const results: ({ name: string; summary: string } & Partial<ResolvedGuest>)[] = [];
  for (const name of names) {
    let guest = request.isSourceNamed && !request.list ? undefined : present(name, folder);
    if (!guest && !request.list) {
      if (Deno.stderr.isTerminal()) {
        console.error(`Fetching ${name} (${source.kind}, package ${guestNamed(name).package}) …`);
      }
      guest = await fetchGuest(name, source, folder);
    }
    results.push({ name, summary: guestNamed(name).summary, ...guest });
  }
  if (request.json) return console.log(JSON.stringify(results, null, 2));
  for (const { name, summary, version, image } of results) {
    console.log(`${name}  ${summary}\n  ${version === undefined ? "not fetched" : `${version}  ${image}`}`);
  }
}

/**
 * Runs the command.
 *
 * @returns the exit code: 0, 1 for failure, 2 for misuse
 */
export async function guestsCommand(args: readonly string[]): Promise<number> {
  let request: Request;
  try {
    request = parseRequest(args);
  } catch (error) {
    if (!(error instanceof GuestError)) throw error;
    console.error(error.message);
    return 2;
  }
  if (request.help) {
    console.log(HELP.trimEnd());
    return 0;
  }
  try {
    await perform(request);
    return 0;
  } catch (error) {
    const isExpected = error instanceof GuestError || error instanceof PackageError;
    const isHost = error instanceof Error && (error.name in Deno.errors || "code" in error);
    if (!isExpected && !isHost) throw error;
    console.error((error as Error).message);
    return 1;
  }
}

if (import.meta.main) Deno.exit(await guestsCommand(Deno.args));
