/**
 * The suite as a few isolates instead of one per file: `deno test` gives each file an isolate, which loads and compiles
 * the machine again, a quarter of a second each. A shard imports its share of the files, so that they have that in common.
 */

/** Shards there are. */
export const SHARDS = 6;

/** The shards' turns at taking a file: those that run last take fewer, so that all cores are done at about one time. */
const TURNS = [0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 0, 1];

/** Files that end in `_test.ts` in a folder and those inside, in order of names. */
function testsIn(folder: URL): string[] {
  const entries = [...Deno.readDirSync(folder)].sort((a, b) => a.name < b.name ? -1 : 1);
  return entries.flatMap(({ name, isDirectory }) => {
    if (isDirectory) return testsIn(new URL(`${name}/`, folder));
    return name.endsWith("_test.ts") ? [new URL(name, folder).href] : [];
  });
}

/** Registers the tests of a shard, from 0 on. Throws RangeError when there is no such shard. */
export async function importShard(shard: number): Promise<void> {
  if (!(Number.isInteger(shard) && shard >= 0 && shard < SHARDS)) {
    throw new RangeError(`There is no shard ${shard} of ${SHARDS}`);
  }
  const files = testsIn(new URL("./", import.meta.url));
  for (const [at, file] of files.entries()) if (TURNS[at % TURNS.length] === shard) await import(file);
}
