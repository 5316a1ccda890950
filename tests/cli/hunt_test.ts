/** Tests of `hunt` on a guest with a race: two CPUs and a counter without a lock. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { RACE_LOST, RACE_PROGRAM } from "./race.ts";
import { hindsight, TestFolder } from "./support.ts";

function args(folder: TestFolder, ...more: string[]): string[] {
  const kernel = folder.write("race.bin", RACE_PROGRAM.bytes);
  const machine = ["-kernel", kernel, "-m", "8", "-smp", "2", "-semihosting", "--quantum", "64"];
  return ["hunt", ...machine, "-o", folder.path("found"), ...more];
}

Deno.test("hunt stops at the first seed that loses an increment, and its journal replays to it", async () => {
  using folder = new TestFolder();
  const { code, out, err } = await hindsight(
    args(folder, "--seeds", "1..100", "--jobs", "1", "--until", RACE_LOST, "--look-every", "1000000"),
  );
  assertEquals(code, 0, err + out);
  const [, seed] = /^Found with seed ([0-9]+), at instant/.exec(out) ?? [];
  assertStringIncludes(out, 'console: "!"');
  const journal = folder.path(`found/seed-${seed}.hindsight`);
  assertStringIncludes(out, `hindsight replay --console ${journal}`);
  const replayed = await hindsight(["replay", journal, "--console"]);
  assertEquals([replayed.code, replayed.out], [0, "!"]);
  const bisected = await hindsight(["bisect", journal, "--when", RACE_LOST]);
  assertEquals(bisected.code, 0, bisected.err);
  // It is what record makes with the seed.
  const [, ...machine] = args(folder, "--until-console", "never", "--schedule-seed", seed!, "--json");
  const at = machine.indexOf("-o");
  const recorded = await hindsight(["record", ...machine.toSpliced(at, 2), "-o", folder.path("r")]);
  const info = JSON.parse((await hindsight(["info", journal, "--json"])).out);
  assertEquals(info.roots.at(-1).historyRoot, JSON.parse(recorded.out).historyRoot);
  // The seeds before it lose nothing, and there are some.
  assert(Number(seed) > 1, `seed ${seed}`);
  const before = await hindsight(
    args(folder, "--seeds", `1..${Number(seed) - 1}`, "--jobs", "1", "--until", RACE_LOST),
  );
  assertEquals([before.code, before.out], [
    1,
    `Not found: ${Number(seed) - 1} ${seed === "2" ? "seed" : "seeds"} tried.\n`,
  ]);
});

Deno.test("hunt finds the same with workers as without", async () => {
  using folder = new TestFolder();
  const more = ["--seeds", "1..20", "--until-console", "!", "--json"];
  const here = JSON.parse((await hindsight(args(folder, ...more, "--jobs", "1"))).out);
  const apart = JSON.parse((await hindsight(args(folder, ...more, "--jobs", "2"))).out);
  assertEquals(apart, here);
  assertEquals(here.found.reason, "console");
});

Deno.test("hunt --all lists every outcome, the rarest first, with a journal of each", async () => {
  using folder = new TestFolder();
  const { code, out } = await hindsight(args(folder, "--seeds", "1..20", "--all", "--jobs", "1", "--json"));
  assertEquals(code, 0);
  const { tried, outcomes } = JSON.parse(out);
  const counts = outcomes.map(({ count }: { count: number }) => count);
  assertEquals(counts.reduce((sum: number, count: number) => sum + count, 0), tried);
  assertEquals(counts, counts.toSorted((a: number, b: number) => a - b));
  assert(outcomes.length >= 2, out);
  for (const { journal, stateRoot, exitCode } of outcomes) {
    const { out } = await hindsight(["replay", journal, "--json"]);
    assertEquals(JSON.parse(out).stateRoot, stateRoot);
    const info = JSON.parse((await hindsight(["info", journal, "--json"])).out);
    assertEquals(info.end.exitCode, exitCode);
  }
  const text = await hindsight(args(folder, "--seeds", "1..20", "--all", "--jobs", "1"));
  assertMatch(
    text.out,
    /^[0-9]+ outcomes of 20 seeds tried:\n +[0-9]+ {2}the guest powered off with exit code/,
  );
});

Deno.test("hunt ends at --limit, and when it is interrupted", async () => {
  using folder = new TestFolder();
  const short = await hindsight(
    args(folder, "--seeds", "5", "--all", "--limit", "50", "--json", "--jobs", "1"),
  );
  assertEquals(JSON.parse(short.out).outcomes[0].instant, 50);
  const interrupted = await hindsight(args(folder, "--seeds", "1..1000", "--all", "--jobs", "1", "--json"), {
    interruptedAt: 400,
    tick: 3,
  });
  const { tried, isInterrupted } = JSON.parse(interrupted.out);
  assertEquals([isInterrupted, tried < 1000], [true, true]);
});

Deno.test("hunt refuses what it cannot hunt", async () => {
  using folder = new TestFolder();
  folder.write("file", "x");
  // deno-fmt-ignore
  const cases: readonly (readonly [more: string[], code: number, message: string])[] = [
    [["--all"],                                           2, "hunt needs seeds: --seeds 1..1000"],
    [["--seeds", "1..9"],                                 2, "hunt needs what to look for"],
    [["--seeds", "9..1", "--all"],                        2, "the range is empty"],
    [["--seeds", "a", "--all"],                           2, 'a range such as 1..1000, not "a"'],
    [["--seeds", "0..4294967296", "--all"],               2, "from 0 to 4294967295"],
    [["--seeds", "0..4294967295", "--all"],               2, "at most 1000000 seeds"],
    [["--seeds", "1..9", "--until", "cpu"],               2, "a predicate needs bool"],
    [["--seeds", "1..9", "--all", "--schedule-seed", "1"], 2, "There is no option --schedule-seed"],
    [["--seeds", "1..9", "--all", "-o", folder.path("file")], 1, "it is a file"],
  ];
  for (const [more, code, message] of cases) {
    const outcome = await hindsight(args(folder, ...more));
    assertEquals(outcome.code, code, `${more.join(" ")}: ${outcome.err}`);
    assertStringIncludes(outcome.err, message);
  }
});
