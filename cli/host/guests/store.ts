/** The folder of guests: each in a folder of its own, with a manifest that vouches for its files. */
import { createHash } from "node:crypto";
import { z } from "zod";
import { GuestError, type GuestFiles, type ResolvedGuest } from "./guest.ts";
import { guestNamed } from "./table.ts";

const MANIFEST = "manifest.json";

const Sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const Manifest = z.strictObject({
  format: z.literal(2),
  version: z.string(),
  recipe: z.int().min(0),
  source: z.enum(["apt", "directory", "mirror"]),
  packages: z.array(
    z.strictObject({ name: z.string(), version: z.string(), architecture: z.string(), sha256: Sha256 }),
  ),
  /** The other guests that this one was made of, by the SHA-256 of their manifests. */
  guests: z.record(z.string(), Sha256),
  files: z.record(z.string(), z.strictObject({ bytes: z.int().min(0), sha256: Sha256 })),
});
/** Where a guest came from, and what its files were when they came. */
export type Manifest = z.infer<typeof Manifest>;

/** The folder that guests are kept in: `.guests/` of this copy of Hindsight. */
export function guestsFolder(): string {
  return decodeURIComponent(new URL("../../../.guests", import.meta.url).pathname);
}

/** SHA-256 as 64 hexadecimal digits. */
export const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/**
 * Finds a guest and checks its files against the manifest.
 *
 * @throws {GuestError} when there is no such guest, it was not fetched, a file is not what was fetched, or what it was
 * made of is not what is here now
 */
export function resolveGuest(name: string, folder: string = guestsFolder()): ResolvedGuest {
  const guest = guestNamed(name), manifest = readManifest(name, folder);
  const again = `run: deno task guests ${name}`;
  if (!manifest) throw new GuestError(`Guest ${name} is not here; ${again}`);
  if (manifest.recipe !== guest.recipe) {
    throw new GuestError(`Guest ${name} was made by another recipe; ${again}`);
  }
  for (const other of guest.guests) {
    if (manifestHash(other, folder) !== manifest.guests[other]) {
      throw new GuestError(`Guest ${name} was made of another ${other} than what is here; ${again}`);
    }
  }
  const files: Record<string, string> = {};
  for (const [file, { sha256: expected }] of Object.entries(manifest.files)) {
    const path = `${folder}/${name}/${file}`, bytes = readIfThere(path);
    if (bytes === undefined || sha256(bytes) !== expected) {
      throw new GuestError(
        `${path} is missing or not what was fetched; remove ${folder}/${name} and ${again}`,
      );
    }
    files[file] = path;
  }
  return { name, version: manifest.version, image: Object.values(files)[0]!, files };
}

function readIfThere(path: string): Uint8Array | undefined {
  try {
    return Deno.readFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return undefined;
    throw error;
  }
}

function readManifest(name: string, folder: string): Manifest | undefined {
  const path = `${folder}/${name}/${MANIFEST}`, bytes = readIfThere(path);
  if (bytes === undefined) return undefined;
  try {
    return Manifest.parse(JSON.parse(new TextDecoder().decode(bytes)));
  } catch {
    throw new GuestError(
      `${path} is damaged; remove ${folder}/${name} and run: deno task guests ${name}`,
    );
  }
}

/** The SHA-256 of a guest's manifest, which stands for all that is in the guest. */
export function manifestHash(name: string, folder: string): string | undefined {
  const bytes = readIfThere(`${folder}/${name}/${MANIFEST}`);
  return bytes === undefined ? undefined : sha256(bytes);
}

/** Puts a guest into the folder, whole or not at all; what was there before is replaced. */
export async function installGuest(
  name: string,
  files: GuestFiles,
  origin: Omit<Manifest, "format" | "files">,
  work: string,
  folder: string,
): Promise<void> {
  const made = `${work}/guest`, target = `${folder}/${name}`;
  await Deno.mkdir(made);
  const listed: Manifest["files"] = {};
  for (const [file, content] of files) {
    await Deno.writeFile(`${made}/${file}`, content);
    listed[file] = { bytes: content.length, sha256: sha256(content) };
  }
  const manifest = Manifest.parse({ format: 2, ...origin, files: listed });
  await Deno.writeTextFile(`${made}/${MANIFEST}`, JSON.stringify(manifest, null, 2) + "\n");
  await Deno.rename(target, `${work}/old`).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
  await Deno.rename(made, target);
}
