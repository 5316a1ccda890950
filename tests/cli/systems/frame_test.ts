/** The frame of the systems: the table, checks that record and replay, results that are kept, and the command. */
import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { UsageError } from "../../../cli/errors.ts";
import { SkippedError } from "../../../cli/systems/qemu.ts";
import { type CheckResult, ResultsFile } from "../../../cli/systems/results.ts";
import { type RunOptions, runSystem } from "../../../cli/systems/runner.ts";
import type { Recorded, SystemCheck, SystemScenario } from "../../../cli/systems/scenario.ts";
import { statusOf, systemNamed, SYSTEMS } from "../../../cli/systems/table.ts";
import { FakeHost, guestImage, hindsight } from "../support.ts";

/** A scenario of a few checks. */
const scenarioOf = (...checks: SystemCheck[]): SystemScenario => ({ slug: "sample", explain: "", checks });

/** Carries out checks in a folder of their own, which is removed. */
async function carryOut(
  checks: readonly SystemCheck[],
  options: Partial<RunOptions> = {},
  folder = Deno.makeTempDirSync(),
): Promise<CheckResult[]> {
  try {
    return await runSystem(scenarioOf(...checks), {
      ...{ host: new FakeHost(), folder, results: new ResultsFile(folder), engine: "threaded" },
      ...{ all: false, again: false, only: [], signal: new AbortController().signal, told: () => {} },
      ...options,
    });
  } finally {
    if (options.results === undefined) Deno.removeSync(folder, { recursive: true });
  }
}

const OPTIONS = ["-kernel", "guest.bin", "-m", "8", "-semihosting"];
const SCRIPT = ['expect "> "', 'send "au"', 'expect "au"', 'send "q"'];

Deno.test("SYSTEMS has 22 rows by number, each slug once, with publications", () => {
  assertEquals(SYSTEMS.map(({ number }) => number), Array.from({ length: 22 }, (_, index) => index + 1));
  assertEquals(new Set(SYSTEMS.map(({ slug }) => slug)).size, 22);
  for (const { publications, slug } of SYSTEMS) {
    assert(publications.length > 0, slug);
    for (const publication of publications) assertMatch(publication, /^US\d{8,11}[AB]\d$/);
  }
});

Deno.test("every built system loads under its own slug, with checks of different names", async () => {
  for (const { slug, load } of SYSTEMS) {
    if (load === undefined) continue;
    const scenario = await load();
    assertEquals(scenario.slug, slug);
    assert(scenario.explain.trim().length > 200, `${slug} is not explained`);
    assert(scenario.checks.length > 0, slug);
    assertEquals(new Set(scenario.checks.map(({ name }) => name)).size, scenario.checks.length, slug);
  }
});

Deno.test("systemNamed() takes slugs and numbers, and suggests", () => {
  assertEquals(systemNamed("7").slug, "exclusive-probe");
  assertThrows(() => systemNamed("exclusive-prob"), UsageError, "exclusive-probe");
});

Deno.test("a check records with files made in memory, in a file and in memory, and replays on every engine", async () => {
  const folder = Deno.makeTempDirSync(), files = { "guest.bin": guestImage() };
  try {
    const [result] = await carryOut(
      [{
        name: "equal",
        async run(context) {
          const request = { options: OPTIONS, files, script: SCRIPT };
          const inFile: Recorded = await context.record({ name: "run", ...request });
          const inMemory = await context.record({ ...request, engine: "compiled" });
          assertEquals(inFile.console, "> auq");
          assertEquals(inFile.end.stateRoot, inMemory.end.stateRoot);
          assertEquals(inFile.end.historyRoot, inMemory.end.historyRoot);
          const failures = await context.replayOn(inFile, ["reference", "threaded", "compiled"]);
          return { failures, figures: { steps: inFile.end.instant } };
        },
      }],
      { folder, results: new ResultsFile(folder) },
      folder,
    );
    assertEquals(result?.failures, []);
    // The journal has its images inside.
    const { code, err } = await hindsight(["replay", `${folder}/sample/run.hindsight`]);
    assertEquals(code, 0, err);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("a check fails with what it throws: a script not done, a replay that differs, a missing guest", async () => {
  const files = { "guest.bin": guestImage() };
  const results = await carryOut([
    {
      name: "script",
      async run(context) {
        await context.record({ options: OPTIONS, files, script: ['expect "> "', 'expect "never"'] });
        return { failures: [], figures: {} };
      },
    },
    {
      name: "replay",
      async run(context) {
        const recorded = await context.record({ options: OPTIONS, files, script: SCRIPT });
        const changed = guestImage().slice();
        changed[changed.length - 1]! ^= 1;
        const images = new Map([...recorded.images.keys()].map((hash) => [hash, changed]));
        return { failures: await context.replayOn({ ...recorded, images }, ["threaded"]), figures: {} };
      },
    },
    { name: "guest", needs: ["no-such-guest"], run: () => Promise.reject(new Error("not reached")) },
    { name: "defect", run: () => Promise.reject(new TypeError("oops")) },
    { name: "skipped", run: () => Promise.reject(new SkippedError("needs QEMU")) },
  ]);
  assertEquals(results.map(({ status }) => status), ["failed", "failed", "failed", "failed", "skipped"]);
  const texts = results.map(({ failures }) => failures.join("\n"));
  assertMatch(texts[0]!, /"never" never came/);
  assertMatch(texts[1]!, /the run on the threaded engine: /);
  assertMatch(texts[2]!, /deno task guests no-such-guest/);
  assertMatch(texts[3]!, /defect of Hindsight: TypeError: oops/);
});

Deno.test("runSystem() leaves long checks out unless asked for, and what passed before with --all", async () => {
  const folder = Deno.makeTempDirSync(), ran: string[] = [];
  const check = (name: string, isLong: boolean, failures: string[] = []): SystemCheck => ({
    name,
    isLong,
    run: () => {
      ran.push(name);
      return Promise.resolve({ failures, figures: { n: 1 } });
    },
  });
  const checks = [check("short", false), check("long", true), check("bad", true, ["it is bad"])];
  const run = (options: Partial<RunOptions>) => {
    ran.length = 0;
    return carryOut(checks, { folder, results: new ResultsFile(folder), ...options }, folder);
  };
  try {
    await run({});
    assertEquals(ran, ["short"]);
    await run({ all: true });
    assertEquals(ran, ["short", "long", "bad"]);
    const results = await run({ all: true });
    assertEquals(ran, ["bad"]);
    assertEquals(results.map(({ status }) => status), ["passed", "passed", "failed"]);
    await run({ all: true, again: true });
    assertEquals(ran, ["short", "long", "bad"]);
    await run({ only: ["lon"] });
    assertEquals(ran, ["long"]);
    const ending = new AbortController();
    ending.abort(new Error("interrupted"));
    const breathes: SystemCheck = {
      name: "breathes",
      run: (context) => context.breathe().then(() => ({ failures: [], figures: {} })),
    };
    await assertRejects(() => carryOut([breathes], { signal: ending.signal }), Error, "interrupted");
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("system list, explain and run tell of all systems, and refuse what there is not", async () => {
  const listed = await hindsight(["system", "list", "--json"]);
  assertEquals(listed.code, 0, listed.err);
  assertEquals(JSON.parse(listed.out).length, 22);
  assertEquals((await hindsight(["system", "list"])).out.trim().split("\n").length, 22);
  const explained = await hindsight(["system", "explain", "exclusive-probe"]);
  assertMatch(explained.out, /US20190213095A1/);
  const planned = SYSTEMS.filter((row) => statusOf(row) === "planned").slice(0, 1);
  const refused: [args: string[], code: number, message: RegExp][] = [
    [["explain", "exclusive-prob"], 2, /no system "exclusive-prob". Did you mean "exclusive-probe"/],
    [["run", "nothing-like-it"], 2, /no system "nothing-like-it"/],
    [["run"], 2, /needs a system/],
    [["lits"], 2, /list/],
    [["list", "7"], 2, /takes no name/],
    ...planned.map(({ slug }): [string[], number, RegExp] => [["run", slug], 1, /planned/]),
  ];
  for (const [args, code, message] of refused) {
    const outcome = await hindsight(["system", ...args]);
    assertEquals(outcome.code, code, args.join(" "));
    assertMatch(outcome.err, message);
    assertEquals(outcome.out, "");
  }
});
