/** Where Debian packages come from: the host's apt, a directory of `.deb` files, or a mirror. */
import { createHash } from "node:crypto";
import { decompress, PackageError, parseParagraph } from "./debian_package.ts";
import { run, SubprocessError } from "./subprocess.ts";

/** A package as it was got. */
export interface FetchedPackage {
  /** Its path on this host. */
  readonly path: string;
  /** What is in it. */
  readonly bytes: Uint8Array;
}

/** A way to get packages; `directory` is where downloads may be put. */
export interface PackageSource {
  /** What it is called in the manifest. */
  readonly kind: "apt" | "directory" | "mirror";
  /**
   * Gets a package by its name and Debian architecture (`all`, `arm64`).
   *
   * @throws {PackageError} when it cannot be had
   */
  fetch(name: string, architecture: string, directory: string): Promise<FetchedPackage>;
}

const ADVICE = "pass --from DIR with the .deb file in it, or --mirror URL";
const MAX_INDEX_BYTES = 2 ** 27, MAX_PACKAGE_BYTES = 2 ** 30;
const TIMEOUT_MILLISECONDS = 300_000;

/** Debian's name of this host's architecture. */
const HOST_ARCHITECTURE = Deno.build.arch === "aarch64" ? "arm64" : "amd64";

/** The host's apt: as it stands, or with package lists of its own where those are missing or for another architecture. */
export function aptSource(): PackageSource {
  return {
    kind: "apt",
    async fetch(name, architecture, directory) {
      const isForeign = architecture !== "all" && architecture !== HOST_ARCHITECTURE;
      const asItStands = isForeign
        ? undefined
        : await failureOf(run(["apt-get", "download", name], { directory }));
      if (isForeign || asItStands?.isMissing === false) {
        const withOwnLists = await failureOf(downloadWithOwnLists(name, architecture, directory));
        // The first failure tells more: without lists every package is unknown.
        if (withOwnLists) refuse(name, (asItStands ?? withOwnLists).message);
      } else if (asItStands) refuse(name, asItStands.message);
      return await readOnlyPackage(name, directory);
    },
  };
}

function refuse(name: string, reason: string): never {
  throw new PackageError(`Cannot fetch package ${name}: ${reason}\nCheck the network, or ${ADVICE}`);
}

/** The failure of a program, or undefined when it ended well. */
async function failureOf(running: Promise<unknown>): Promise<SubprocessError | undefined> {
  try {
    await running;
    return undefined;
  } catch (error) {
    if (error instanceof SubprocessError) return error;
    throw error;
  }
}

/** Works without root, and where the host never ran `apt-get update`. */
async function downloadWithOwnLists(name: string, architecture: string, directory: string): Promise<void> {
  const state = await Deno.makeTempDir({ prefix: "hindsight-apt-" });
  const options = [
    `Dir::State::Lists=${state}`,
    `Dir::Cache=${state}`,
    "Debug::NoLocking=1",
    "APT::Sandbox::User=",
  ];
  if (architecture !== "all") {
    options.push(`APT::Architecture=${architecture}`, `APT::Architectures=${architecture}`);
  }
  const apt = ["apt-get", ...options.flatMap((option) => ["-o", option])];
  try {
    await run([...apt, "update"]);
    await run([...apt, "download", name], { directory });
  } finally {
    await Deno.remove(state, { recursive: true });
  }
}

/** A directory with `.deb` files, named as apt and mirrors name them. */
export function directorySource(from: string): PackageSource {
  return { kind: "directory", fetch: (name) => readOnlyPackage(name, from) };
}

/** The one file `name_*.deb` in a directory. */
async function readOnlyPackage(name: string, directory: string): Promise<FetchedPackage> {
  const found: string[] = [];
  try {
    for await (const entry of Deno.readDir(directory)) {
      if (entry.name.startsWith(`${name}_`) && entry.name.endsWith(".deb")) found.push(entry.name);
    }
  } catch (error) {
    throw new PackageError(`Cannot read directory ${directory}: ${(error as Error).message}`);
  }
  const [file] = found.sort();
  if (file === undefined) {
    throw new PackageError(`No package ${name} in ${directory}: expected a file ${name}_*.deb`);
  }
  if (found.length > 1) {
    throw new PackageError(`Several packages ${name} in ${directory}: keep one of ${found.join(", ")}`);
  }
  const path = `${directory}/${file}`;
  return { path, bytes: await Deno.readFile(path) };
}

/**
 * A Debian mirror. The package's SHA-256 is checked against the mirror's index, and the index against nothing: what
 * signs it is apt's to know, so prefer apt where it exists.
 *
 * @param url base of the mirror: the address that `dists/` is under
 * @param suite the release, such as `bookworm`
 */
export function mirrorSource(url: string, suite: string): PackageSource {
  const base = url.replace(/\/*$/, "/");
  return {
    kind: "mirror",
    async fetch(name, architecture, directory) {
      const folder = `${base}dists/${suite}/main/binary-${
        architecture === "all" ? HOST_ARCHITECTURE : architecture
      }/`;
      const entry = findEntry(await fetchIndex(folder), name);
      const filename = entry?.get("Filename"), expected = entry?.get("SHA256");
      if (!filename || !expected) throw new PackageError(`No package ${name} in ${folder}Packages`);
      const bytes = await download(new URL(filename, base), MAX_PACKAGE_BYTES);
      const found = createHash("sha256").update(bytes).digest("hex");
      if (found !== expected) {
        throw new PackageError(`${base}${filename} has SHA-256 ${found}, but the index says ${expected}`);
      }
      const path = `${directory}/${name}.deb`;
      await Deno.writeFile(path, bytes);
      return { path, bytes };
    },
  };
}

/** The list of packages in a mirror's folder; xz needs a program of the host, so gzip comes first. */
async function fetchIndex(folder: string): Promise<string> {
  const fetchAs = async (file: string): Promise<string> =>
    new TextDecoder().decode(await decompress(file, await download(new URL(file, folder), MAX_INDEX_BYTES)));
  return await fetchAs("Packages.gz").catch(() => fetchAs("Packages.xz"));
}

/** The paragraph of a package; those of an index are ended by empty lines, and each starts with the name. */
function findEntry(index: string, name: string): Map<string, string> | undefined {
  const start = `\n${index}`.indexOf(`\nPackage: ${name}\n`), end = index.indexOf("\n\n", start);
  if (start < 0) return undefined;
  return parseParagraph(index.slice(start, end < 0 ? index.length : end));
}

/** Reads a URL, at most so many bytes. */
async function download(url: URL, maxBytes: number): Promise<Uint8Array> {
  const fail = (reason: string): never => {
    throw new PackageError(`Cannot fetch ${url}: ${reason}`);
  };
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MILLISECONDS) });
    if (!response.ok || !response.body) fail(`the server answered ${response.status} ${response.statusText}`);
    const chunks: Uint8Array<ArrayBuffer>[] = [];
    let length = 0;
    for await (const chunk of response.body!) {
      length += chunk.length;
      if (length > maxBytes) fail(`it is larger than ${maxBytes} bytes`);
      chunks.push(chunk);
    }
    return new Uint8Array(await new Blob(chunks).arrayBuffer());
  } catch (error) {
    if (error instanceof PackageError) throw error;
    return fail((error as Error).message);
  }
}
