/** Finds the shared libraries that programs of packages need, as the dynamic loader would. */
import { type DebianPackage, PackageError } from "./debian_package.ts";
import { section } from "./elf_section.ts";
import { file, type TreeNode } from "./file_tree.ts";

/** Where the loader looks: all libraries go where the programs' interpreter is looked for. */
const LIBRARY_FOLDER = "lib";
/** Where packages have them; the last is known to programs of systemd alone. */
const FOLDERS = ["lib/aarch64-linux-gnu", "usr/lib/aarch64-linux-gnu", "usr/lib/aarch64-linux-gnu/systemd"];
const DT_NEEDED = 1, DYNAMIC_ENTRY_BYTES = 16;

/** The names behind DT_NEEDED of a program or library. */
function neededNames(elf: Uint8Array): string[] {
  const dynamic = section(elf, ".dynamic"), names = section(elf, ".dynstr");
  const view = new DataView(dynamic.buffer, dynamic.byteOffset, dynamic.length);
  const found: string[] = [];
  for (let at = 0; at < dynamic.length; at += DYNAMIC_ENTRY_BYTES) {
    if (view.getBigUint64(at, true) !== BigInt(DT_NEEDED)) continue;
    const start = Number(view.getBigUint64(at + 8, true));
    found.push(new TextDecoder().decode(names.subarray(start, names.indexOf(0, start))));
  }
  return found;
}

/**
 * Programs and every library that they need, each at `bin/` or `lib/` and nowhere else.
 *
 * @param programs paths in the packages
 * @param plugins paths of what programs load by name: they stay where they are, and have their libraries too
 * @throws {PackageError} for a program or a library that no package has
 */
export function programsWithLibraries(
  packages: readonly DebianPackage[],
  programs: readonly string[],
  plugins: readonly string[] = [],
): Map<string, TreeNode> {
  const tree = new Map<string, TreeNode>();
  const take = (path: string, content: Uint8Array): void => {
    if (tree.has(path)) return;
    tree.set(path, file(content, 0o755));
    for (const library of neededNames(content)) {
      take(`${LIBRARY_FOLDER}/${library}`, findLibrary(packages, library, path));
    }
  };
  const contentOf = (path: string): Uint8Array => {
    const content = packages.map(({ files }) => files.get(path)).find((content) => content !== undefined);
    if (content === undefined) throw new PackageError(`No package has the program ${path}`);
    return content;
  };
  for (const path of programs) take(`bin/${path.slice(path.lastIndexOf("/") + 1)}`, contentOf(path));
  for (const path of plugins) take(path, contentOf(path));
  return tree;
}

/** A library by the name that programs know it by, which is a file or a link beside the file. */
function findLibrary(packages: readonly DebianPackage[], name: string, user: string): Uint8Array {
  for (const { files, links } of packages) {
    for (const folder of FOLDERS) {
      const path = `${folder}/${name}`, target = links.get(path);
      const content = files.get(target === undefined ? path : `${folder}/${target}`);
      if (content !== undefined) return content;
    }
  }
  throw new PackageError(`No package has the library ${name}, which ${user} needs`);
}
