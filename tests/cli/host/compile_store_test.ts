/** Compiled code in a folder: what is whole comes back, what is not is replaced, and there is never too much. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { CompileStore } from "../../../cli/host/compile_store.ts";
import { assembleProgram } from "../../../machine/a64/program.ts";
import { hindsight, TestFolder } from "../support.ts";

const KEYS = ["a", "b", "c", "d"].map((digit) => digit.repeat(64));
const BYTES = Uint8Array.from({ length: 1000 }, (_, index) => index * 7 & 0xff);

/** The files of a store, without what else is there. */
function filesIn(folder: string): string[] {
  return [...Deno.readDirSync(folder)].filter(({ isDirectory }) => isDirectory).flatMap(({ name }) =>
    [...Deno.readDirSync(`${folder}/${name}`)].map((file) => `${folder}/${name}/${file.name}`)
  ).filter((path) => path.endsWith(".code"));
}

Deno.test("CompileStore gives back what was put there, in another process too", () => {
  using folder = new TestFolder();
  const path = folder.path("cache"), store = new CompileStore(path);
  assertEquals(store.get(KEYS[0]!), undefined);
  store.put(KEYS[0]!, BYTES);
  store.put(KEYS[1]!, new Uint8Array());
  for (const each of [store, new CompileStore(path)]) {
    assertEquals(each.get(KEYS[0]!), BYTES);
    assertEquals(each.get(KEYS[1]!), new Uint8Array());
    assertEquals(each.get(KEYS[2]!), undefined);
    assertEquals(each.close(), undefined);
  }
  assertEquals(filesIn(path).length, 2);
});

Deno.test("CompileStore ignores a file that is not whole, and replaces it", () => {
  using folder = new TestFolder();
  const path = folder.path("cache"), store = new CompileStore(path);
  store.put(KEYS[0]!, BYTES);
  const [file] = filesIn(path) as [string], whole = Deno.readFileSync(file);
  const flipped = (at: number): Uint8Array => whole.with(at, whole[at]! ^ 1);
  // The magic, the version, the hash, the first byte and the last.
  const damages = [0, 7, 8, 39, 40, whole.length - 1].map(flipped);
  for (const damaged of [...damages, whole.slice(0, -1), whole.slice(0, 20), new Uint8Array()]) {
    Deno.writeFileSync(file, damaged);
    assertEquals(store.get(KEYS[0]!), undefined, `${damaged.length} bytes`);
    store.put(KEYS[0]!, BYTES);
    assertEquals(Deno.readFileSync(file), whole);
  }
  assertEquals([store.get(KEYS[0]!), store.close()], [BYTES, undefined]);
});

Deno.test("CompileStore removes what was used longest ago until the rest fits, and nothing of anybody else's", () => {
  using folder = new TestFolder();
  const path = folder.path("cache"), store = new CompileStore(path, 2500);
  for (const key of KEYS.slice(0, 3)) store.put(key, BYTES);
  filesIn(path).forEach((file) => Deno.utimeSync(file, 1000, 1000));
  assertEquals(store.get(KEYS[0]!), BYTES);
  const [some] = filesIn(path) as [string], other = some.replace(/[^/]*$/, "notes.txt");
  for (const place of [other, `${path}/mine`]) Deno.writeFileSync(place, new Uint8Array(5000));
  for (const file of [other, `${path}/mine`]) Deno.utimeSync(file, 10, 10);
  const unfinished = some.replace(/\.code$/, ".0123456789abcdeftmp");
  Deno.writeFileSync(unfinished, BYTES);
  Deno.utimeSync(unfinished, 900, 900);
  store.put(KEYS[3]!, BYTES);
  assertEquals(store.close(), undefined);
  assertEquals([Deno.statSync(other).size, Deno.statSync(`${path}/mine`).size], [5000, 5000]);
  assertEquals(
    [...Deno.readDirSync(some.replace(/\/[^/]*$/, ""))].some(({ name }) => name.endsWith("tmp")),
    false,
  );
  const later = new CompileStore(path, 2500);
  assertEquals(KEYS.map((key) => later.get(key) !== undefined), [true, false, false, true]);
});

/** Counts to 300,000 and powers off. */
const COUNTS = `
        ldr     x1, =300000
again:  add     x2, x2, #3
        subs    x1, x1, #1
        b.ne    again
        ldr     x0, =0x84000008
        hvc     #0
`;

/** Runs it on the compiled engine with a cache: the value printed. */
async function counted(folder: TestFolder, cache: string, compile = "sync") {
  const { bytes } = assembleProgram(COUNTS, { name: "guest", base: 0x40080000n });
  const kernel = folder.path("counts.bin");
  Deno.writeFileSync(kernel, bytes);
  const { code, out, err } = await hindsight(
    // deno-fmt-ignore
    ["run", "-kernel", kernel, "-m", "8", "--engine", "compiled", "--compile", compile, "--compile-cache", cache, "--costs", "--json"],
  );
  assertEquals(code, 0, err);
  const { stateRoot, costs } = JSON.parse(out);
  return { err, stateRoot, code: costs.code };
}

Deno.test("run --compile-cache finds in a second run what the first compiled", async () => {
  using folder = new TestFolder();
  const cache = folder.path("cache");
  const first = await counted(folder, cache), second = await counted(folder, cache);
  assert(first.code.modules > 0, JSON.stringify(first));
  assertEquals(first.code.cachedModules, 0);
  assertEquals(second.code, { ...first.code, cachedModules: first.code.modules });
  assertEquals([second.stateRoot, second.err], [first.stateRoot, first.err]);
});

Deno.test("run --compile-cache says once that its folder cannot be used, and runs all the same", async () => {
  using folder = new TestFolder();
  const file = folder.write("file", "not a folder"), cache = folder.path("cache");
  const { stateRoot } = await counted(folder, cache), { stateRoot: same, err } = await counted(folder, file);
  assertEquals(same, stateRoot);
  assertMatch(err, /Compiled code is not kept in ".*file": a part of the path is not a directory/);
  assertEquals(err.match(/is not kept/g)?.length, 1);
});
