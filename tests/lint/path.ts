/** Paths as the lint rules see them: relative to the repository, with forward slashes. */

const ROOT = new URL("../../", import.meta.url);

/** The path of a linted file from the repository's root; a relative one counts from there already. */
export function repositoryPath(filename: string): string {
  if (!filename.startsWith("/") && !filename.startsWith("file:")) return filename;
  const path = filename.startsWith("file:") ? new URL(filename).pathname : filename;
  const root = decodeURIComponent(ROOT.pathname);
  return path.startsWith(root) ? path.slice(root.length) : path;
}

/** The repository path that a relative specifier in the file `from` means. */
export function resolveSpecifier(from: string, specifier: string): string {
  return new URL(specifier, `file:///${from}`).pathname.slice(1);
}
