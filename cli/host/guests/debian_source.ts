/** Where Debian packages come from: the host's apt, a directory of `.deb` files, or a mirror. */
import { createHash } from "node:crypto";
import { decompress, PackageError, parseParagraph } from "./debian_package.ts";
import { run, SubprocessError } from "../subprocess.ts";

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
  /**
   * Gets a source package and unpacks it, patched as Debian builds it, into the folder `unpacked` that it makes.
   *
   * @throws {PackageError} when it cannot be had
   */
  fetchSource(name: string, directory: string, unpacked: string): Promise<void>;
  /** Removes what was kept for the next package. */
  close(): Promise<void>;
}

const ADVICE = "pass --from DIR with the .deb file in it, or --mirror URL";
const MAX_INDEX_BYTES = 2 ** 27, MAX_PACKAGE_BYTES = 2 ** 30;
const TIMEOUT_MILLISECONDS = 300_000;

/** Debian's name of this host's architecture. */
const HOST_ARCHITECTURE = Deno.build.arch === "aarch64" ? "arm64" : "amd64";

/** The host's apt: as it stands, or with package lists of its own where those are missing or for another architecture. */
export function aptSource(): PackageSource {
  const lists = new OwnLists();
  return {
    kind: "apt",
    async fetch(name, architecture, directory) {
      const isForeign = architecture !== "all" && architecture !== HOST_ARCHITECTURE;
      const asItStands = isForeign
        ? undefined
        : await failureOf(run(["apt-get", "download", name], { directory }));
      if (isForeign || asItStands?.isMissing === false) {
        const withOwnLists = await failureOf(
          lists.run(isForeign ? architecture : HOST_ARCHITECTURE, ["download", name], directory),
        );
        // The first failure tells more: without lists every package is unknown.
        if (withOwnLists) refuse(name, (asItStands ?? withOwnLists).message);
      } else if (asItStands) refuse(name, asItStands.message);
      return await readOnlyPackage(name, directory);
    },
    async fetchSource(name, directory, unpacked) {
      const failure = await failureOf(lists.run("source", ["source", "--download-only", name], directory));
      if (failure) refuse(name, failure.message);
      await unpackSource(name, directory, unpacked);
    },
    close: () => lists.remove(),
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

/** Where the host says what its mirrors are (sources.list(5)). */
const APT_SOURCES = ["/etc/apt/sources.list", "/etc/apt/sources.list.d"];

/**
 * Package lists apart from the host's, in folders of the moment: they need neither root nor a change to the host.
 * There is a folder for each architecture, and one for sources.
 */
class OwnLists {
  readonly #folders = new Map<string, string>();

  /** Runs apt-get with lists of an architecture, or of `source` packages. */
  async run(kind: string, command: readonly string[], directory: string): Promise<void> {
    let folder = this.#folders.get(kind);
    const isNew = folder === undefined;
    if (folder === undefined) {
      folder = await Deno.makeTempDir({ prefix: "hindsight-apt-" });
      this.#folders.set(kind, folder);
    }
    const options = [
      `Dir::State::Lists=${folder}`,
      `Dir::Cache=${folder}`,
      "Debug::NoLocking=1",
      "APT::Sandbox::User=",
      ...(kind === "source"
        ? [`Dir::Etc::SourceParts=${folder}/sources`, "Dir::Etc::SourceList=/dev/null"]
        : [`APT::Architecture=${kind}`, `APT::Architectures=${kind}`]),
    ];
    const apt = ["apt-get", ...options.flatMap((option) => ["-o", option])];
    if (isNew) {
      if (kind === "source") await writeSourceLists(`${folder}/sources`);
      await run([...apt, "update"]);
    }
    await run([...apt, ...command], { directory });
  }

  /** Removes the folders. */
  async remove(): Promise<void> {
    for (const folder of this.#folders.values()) await Deno.remove(folder, { recursive: true });
    this.#folders.clear();
  }
}

/** The host's mirrors, asked for source packages. */
async function writeSourceLists(folder: string): Promise<void> {
  await Deno.mkdir(folder);
  for (const place of APT_SOURCES) {
    const { isDirectory } = await Deno.stat(place).catch(() => ({ isDirectory: undefined }));
    if (isDirectory === undefined) continue;
    const names = isDirectory ? [...Deno.readDirSync(place)].map(({ name }) => `${place}/${name}`) : [place];
    for (const path of names.filter((path) => /\.(list|sources)$/.test(path))) {
      const text = await Deno.readTextFile(path);
      const asSources = text.replace(/^Types:.*$/gm, "Types: deb-src").replace(/^deb(?=\s)/gm, "deb-src");
      await Deno.writeTextFile(`${folder}/${path.slice(path.lastIndexOf("/") + 1)}`, asSources);
    }
  }
}

/** Unpacks the one source package `name` in a directory. */
async function unpackSource(name: string, directory: string, unpacked: string): Promise<void> {
  const path = await onlyFile(name, ".dsc", directory);
  const failure = await failureOf(run(["dpkg-source", "--no-check", "--extract", path, unpacked]));
  if (failure) throw new PackageError(`Cannot unpack ${path}: ${failure.message}; it needs dpkg-dev`);
}

/** A directory with `.deb` files and source packages, named as apt and mirrors name them. */
export function directorySource(from: string): PackageSource {
  return {
    kind: "directory",
    fetch: (name) => readOnlyPackage(name, from),
    fetchSource: (name, _directory, unpacked) => unpackSource(name, from, unpacked),
    close: () => Promise.resolve(),
  };
}

async function readOnlyPackage(name: string, directory: string): Promise<FetchedPackage> {
  const path = await onlyFile(name, ".deb", directory);
  return { path, bytes: await Deno.readFile(path) };
}

/** The path of the one file `name_*` with an ending in a directory. */
async function onlyFile(name: string, ending: string, directory: string): Promise<string> {
  const found: string[] = [];
  try {
    for await (const entry of Deno.readDir(directory)) {
      if (entry.name.startsWith(`${name}_`) && entry.name.endsWith(ending)) found.push(entry.name);
    }
  } catch (error) {
    throw new PackageError(`Cannot read directory ${directory}: ${(error as Error).message}`);
  }
  const [file] = found.sort();
  if (file === undefined) {
    throw new PackageError(`No package ${name} in ${directory}: expected a file ${name}_*${ending}`);
  }
  if (found.length > 1) {
    throw new PackageError(`Several packages ${name} in ${directory}: keep one of ${found.join(", ")}`);
  }
  return `${directory}/${file}`;
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
    fetchSource(name) {
      throw new PackageError(`Source packages are not taken from mirrors: ${name} needs apt or --from DIR`);
    },
    close: () => Promise.resolve(),
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
