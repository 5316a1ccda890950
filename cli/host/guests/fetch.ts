/** Fetches guests: their packages, the guests they are made of, and the files made of both. */
import { type DebianPackage, PackageError, readPackage } from "./debian_package.ts";
import type { PackageSource } from "./debian_source.ts";
import { GuestError, type PackageRequest, type ResolvedGuest } from "./guest.ts";
import { installGuest, type Manifest, manifestHash, resolveGuest, sha256 } from "./store.ts";
import { guestNamed } from "./table.ts";

/** The guest if it is here and sound. */
export function present(name: string, folder: string): ResolvedGuest | undefined {
  try {
    return resolveGuest(name, folder);
  } catch (error) {
    if (error instanceof GuestError) return undefined;
    throw error;
  }
}

/**
 * Fetches a guest and puts it into the folder, whole or not at all; the guests it is made of come first.
 *
 * @throws {PackageError} when a package cannot be got or lacks a file of the guest
 */
export async function fetchGuest(
  name: string,
  source: PackageSource,
  folder: string,
): Promise<ResolvedGuest> {
  const guest = guestNamed(name);
  await Deno.mkdir(folder, { recursive: true });
  const guests = new Map<string, ResolvedGuest>();
  for (const other of guest.guests) {
    guests.set(other, present(other, folder) ?? await fetchGuest(other, source, folder));
  }
  const work = await Deno.makeTempDir({ dir: folder, prefix: `.${name}-` });
  try {
    const packages = new Map<string, DebianPackage>(), listed: Manifest["packages"] = [];
    for (const request of guest.packages) {
      const [contents, entry] = await fetchPackage(request, source, work);
      packages.set(request.name, contents);
      listed.push(entry);
    }
    const files = await guest.make({ packages, guests, source, work });
    const origin = {
      version: listed[0]?.version ?? [...guests.values()][0]?.version ?? "unknown",
      recipe: guest.recipe,
      source: source.kind,
      packages: listed,
      guests: Object.fromEntries(guest.guests.map((other) => [other, manifestHash(other, folder)!])),
    };
    await installGuest(name, files, origin, work, folder);
  } finally {
    await Deno.remove(work, { recursive: true });
  }
  return resolveGuest(name, folder);
}

/** Gets a package, or for a metapackage what it stands for. */
async function fetchPackage(
  { name, architecture, isMeta }: PackageRequest,
  source: PackageSource,
  work: string,
): Promise<[DebianPackage, Manifest["packages"][number]]> {
  const directory = await Deno.makeTempDir({ dir: work });
  const { path, bytes } = await source.fetch(name, architecture, directory);
  const contents = await readPackage(path, bytes);
  const { control } = contents;
  if (control.get("Package") !== name) {
    throw new PackageError(`${path} holds package ${control.get("Package")}, not ${name}`);
  }
  if (isMeta) {
    const meant = /^[a-z0-9][a-z0-9+.-]+/.exec(control.get("Depends") ?? "")?.[0];
    if (meant === undefined) throw new PackageError(`${path} depends on nothing`);
    return await fetchPackage({ name: meant, architecture, isMeta: false }, source, work);
  }
  await Deno.remove(directory, { recursive: true });
  return [contents, {
    name,
    version: control.get("Version") ?? "unknown",
    architecture: control.get("Architecture") ?? "unknown",
    sha256: sha256(bytes),
  }];
}
