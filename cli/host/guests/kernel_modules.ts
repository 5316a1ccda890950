/** Modules of a Linux kernel: what each needs, by what it says itself, and the order in which to load some. */
import { PackageError } from "./debian_package.ts";
import { section } from "./elf_section.ts";

/** The file name of a module, without what Linux takes for equal: `virtio-rng` is `virtio_rng`. */
const canonical = (name: string): string => name.replaceAll("-", "_");

/** Paths of the modules of a kernel, by canonical name. */
export function modulePaths(files: ReadonlyMap<string, Uint8Array>): Map<string, string> {
  const found = [...files.keys()].filter((path) => path.endsWith(".ko"));
  return new Map(found.map((path) => [canonical(path.slice(path.lastIndexOf("/") + 1, -3)), path]));
}

/**
 * The modules wanted and all they depend on, each behind what it needs. Those that the kernel has built in are left out.
 *
 * @param files of the kernel's package: the modules and `modules.builtin`
 * @throws {PackageError} when the kernel has a module neither as a file nor built in
 */
export function moduleClosure(
  files: ReadonlyMap<string, Uint8Array>,
  wanted: readonly string[],
): Map<string, Uint8Array> {
  const paths = modulePaths(files), builtIn = builtInModules(files);
  const ordered = new Map<string, Uint8Array>();
  const visit = (name: string): void => {
    const path = paths.get(canonical(name));
    if (path === undefined) {
      if (builtIn.has(canonical(name))) return;
      throw new PackageError(`The kernel has no module ${name}`);
    }
    if (ordered.has(path)) return;
    const content = files.get(path)!;
    dependencies(content).forEach(visit);
    ordered.set(path, content);
  };
  wanted.forEach(visit);
  return ordered;
}

function builtInModules(files: ReadonlyMap<string, Uint8Array>): Set<string> {
  const path = [...files.keys()].find((path) => path.endsWith("/modules.builtin"));
  const lines = path === undefined ? [] : new TextDecoder().decode(files.get(path)).split("\n");
  return new Set(lines.map((line) => canonical(line.slice(line.lastIndexOf("/") + 1).replace(/\.ko$/, ""))));
}

/** The names behind `depends=` in the section `.modinfo`. */
function dependencies(module: Uint8Array): string[] {
  const text = new TextDecoder("latin1").decode(section(module, ".modinfo"));
  const line = text.split("\0").find((line) => line.startsWith("depends="));
  return line === undefined ? [] : line.slice("depends=".length).split(",").filter((name) => name !== "");
}
