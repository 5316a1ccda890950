/** Modules kept between runs: they are found for what they were made of, for nothing else, and change no result. */
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { CachedCompiler } from "../../../machine/engine/compile_cache.ts";
import type {
  CompileCache,
  CompilePage,
  CompileSetup,
  CompileStatistics,
  RegionCompiler,
  RegionCompilerFactory,
} from "../../../machine/engine/compile_request.ts";
import { CompiledEngine } from "../../../machine/engine/compiled.ts";
import { Machine } from "../../../machine/machine.ts";
import { flatGuest } from "../../journal/guest.ts";
import { EAGER } from "./eager.ts";
import { LateCompiler } from "./late_compiler.ts";

/** Calls a function in each of two other pages in turn, again and again. */
const THREE_PAGES = `
        mov     x19, #0
again:  bl      first
        bl      second
        b       again
        .balign 4096
first:  add     x19, x19, #1
        eor     x20, x20, x19
        ret
        .balign 4096
second: add     x19, x19, #2
        eor     x21, x21, x19, lsl #3
        ret
`;

/** A cache in memory. */
class MemoryCache implements CompileCache {
  readonly kept = new Map<string, Uint8Array<ArrayBuffer>>();
  puts = 0;

  get(key: string): Uint8Array<ArrayBuffer> | undefined {
    return this.kept.get(key);
  }

  put(key: string, bytes: Uint8Array<ArrayBuffer>): void {
    this.kept.set(key, bytes);
    this.puts++;
  }
}

/** Runs a program to an instant, in pieces, and compares with the reference engine there. */
function assertRuns(
  source: string,
  cache: CompileCache,
  { piece = 60_000, compile = "sync" as "sync" | RegionCompilerFactory } = {},
): CompileStatistics {
  const guest = flatGuest(source), configuration = guest.configuration();
  const reference = new Machine(configuration, guest.images, { engine: "reference" });
  const engine = new CompiledEngine(compile, EAGER, cache);
  const compiled = Object.assign(new Machine(configuration, guest.images), { engine });
  reference.run(60_000);
  for (let limit = piece; limit < 60_000; limit += piece) compiled.run(limit);
  compiled.run(60_000);
  assertEquals(compiled.stateRoot(), reference.stateRoot());
  return engine.compiled as CompileStatistics;
}

Deno.test("CompiledEngine finds all its modules in the cache that a run like this one filled, however it is cut", () => {
  const cache = new MemoryCache(), first = assertRuns(THREE_PAGES, cache);
  assert(first.modules >= 3, `${first.modules} modules`);
  assertEquals([first.cachedModules, cache.puts], [0, first.modules]);
  for (const piece of [60_000, 7001]) {
    const { cachedModules, ...again } = assertRuns(THREE_PAGES, cache, { piece });
    assertEquals({ ...again, cachedModules: 0 }, first, `in pieces of ${piece}`);
    assertEquals(cachedModules, first.modules);
  }
  assertEquals(cache.puts, first.modules);
});

Deno.test("CompiledEngine compiles what has other words than what is in the cache", () => {
  const cache = new MemoryCache(), { modules } = assertRuns(THREE_PAGES, cache);
  const other = assertRuns(THREE_PAGES.replace("x19, x19, #2", "x19, x19, #5"), cache);
  assert(other.cachedModules > 0 && other.cachedModules < other.modules, JSON.stringify(other));
  assertEquals(cache.puts, modules + other.modules - other.cachedModules);
});

Deno.test("CompiledEngine compiles again what the cache gives broken", () => {
  const cache = new MemoryCache(), { modules } = assertRuns(THREE_PAGES, cache);
  const whole = new Map(cache.kept);
  // deno-fmt-ignore
  const damages: readonly ((bytes: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>)[] = [
    ()      => new Uint8Array(),
    (bytes) => bytes.slice(0, 100),                            // within the first page
    (bytes) => bytes.slice(0, bytes.length - 1),               // the module's end is gone
    (bytes) => Uint8Array.from([0xff, 0xff, ...bytes.slice(2)]), // more entries than there are
    (bytes) => bytes.fill(0, 2, 200),                          // entries without instructions
  ];
  damages.forEach((damage, index) => {
    for (const [key, bytes] of whole) cache.kept.set(key, damage(bytes.slice()));
    const { cachedModules } = assertRuns(THREE_PAGES, cache);
    assertEquals([cachedModules, cache.puts], [0, modules * (index + 2)], `damage ${index}`);
    assertEquals(cache.kept, whole);
  });
});

Deno.test("CompiledEngine keeps what a compiler gave late", () => {
  const cache = new MemoryCache();
  let takes = 0;
  const compile: RegionCompilerFactory = (_, immediate) =>
    new LateCompiler(immediate, () => ++takes % 7 === 0);
  const { modules } = assertRuns(THREE_PAGES, cache, { compile, piece: 3000 });
  assert(modules >= 3 && cache.puts >= modules, `${modules} modules, ${cache.puts} kept`);
  assert(assertRuns(THREE_PAGES, cache).cachedModules > 0);
});

Deno.test("CachedCompiler asks for another key where anything is different that a result depends on", () => {
  const keys: string[] = [];
  const cache: CompileCache = { get: (key) => void keys.push(key), put: () => {} };
  const nobody: RegionCompiler = { request: () => {}, take: () => [] };
  const page: CompilePage = {
    address: 0x4000_1000n,
    guarded: false,
    words: new Uint32Array(1024),
    known: new Uint8Array(1024),
  };
  const layout: CompileSetup["layout"] = {
    shared: 4096,
    pageFlags: 8192,
    cpu: { state: 0, tlb: 64 },
    isStrict: false,
    regions: { arena: 1, sides: 2 },
    hasBranchTypes: false,
    hasFineGrainedTraps: false,
    nanosecondsPerStep: 8,
  };
  const setup: CompileSetup = { model: "cortex-a57", layout, memoryPages: 100 };
  const ask = (pages: readonly CompilePage[], of = setup): void =>
    new CachedCompiler(of, cache, nobody).request({ number: keys.length, pages });
  ask([page]);
  ask([{ ...page, address: 0x4000_2000n }]);
  ask([{ ...page, guarded: true }]);
  ask([{ ...page, words: page.words.with(1023, 1) }]);
  ask([{ ...page, known: page.known.with(1023, 1) }]);
  ask([page, page]);
  ask([page], { ...setup, model: "max" });
  ask([page], { ...setup, memoryPages: 101 });
  ask([page], { ...setup, layout: { ...layout, cpu: undefined } });
  ask([page], { ...setup, layout: { ...layout, regions: { arena: 1, sides: 3 } } });
  assertEquals(new Set(keys).size, 10);
  ask([{ ...page, words: page.words.slice(), known: page.known.slice() }], structuredClone(setup));
  assertEquals(keys.at(-1), keys[0]);
  assertNotEquals(keys.at(-1), keys[1]);
});
