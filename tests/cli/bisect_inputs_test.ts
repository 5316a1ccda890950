/** Tests of `bisect --inputs` on a guest with a race. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { RACE_LOST, RACE_PROGRAM } from "./race.ts";
import { hindsight, TestFolder } from "./support.ts";

const MACHINE = ["-m", "8", "-smp", "2", "-semihosting"];

Deno.test("bisect --inputs finds the one switch that loses an increment, and records the run with it alone", async () => {
  using folder = new TestFolder();
  const lines = ["at 50 inject irq 40", 'at 60 send "x"', "at 440 switch cpu 1", "at 900 inject irq 50"];
  const script = folder.write("race.script", lines.join("\n"));
  const kernel = folder.write("race.bin", RACE_PROGRAM.bytes);
  const args = ["record", "-kernel", kernel, ...MACHINE, "--script", script, "-o", folder.path("run")];
  assertEquals((await hindsight(args)).out, "!");
  const least = folder.path("least");
  const found = await hindsight(["bisect", folder.path("run"), "--inputs", "-o", least]);
  assertEquals(found.code, 0, found.err);
  assertMatch(found.out, /^1 of 4 inputs is enough, and cannot be left out/);
  assertMatch(found.out, / 440 {2}cpu0 {2}cpuSwitchForced .*target=1$/m);
  assertStringIncludes(found.out, 'without:  the guest powered off with exit code 0; console: "="');
  const replayed = await hindsight(["replay", "--console", least]);
  assertEquals([replayed.code, replayed.out], [0, "!"]);
  const listed = await hindsight(["events", least, "--class", "input", "--json"]);
  assertEquals(listed.out.trim().split("\n").map((line) => JSON.parse(line).instant), [440]);
  const none = await hindsight(["bisect", least, "--inputs", "--when", "instant < 0"]);
  assertEquals([none.code, none.out.slice(0, 23)], [1, "The run ends alike with"]);
});

Deno.test("bisect --inputs --leave-out turns makes the turns of a seeded schedule inputs, and finds those that matter", async () => {
  using folder = new TestFolder();
  const kernel = folder.write("race.bin", RACE_PROGRAM.bytes);
  const schedule = ["--quantum", "64", "--schedule-seed", "7"];
  const args = ["record", "-kernel", kernel, ...MACHINE, ...schedule, "-o", folder.path("run")];
  assertEquals((await hindsight(args)).out, "!");
  const bisect = ["bisect", folder.path("run"), "--inputs", "--leave-out", "turns", "--when", RACE_LOST];
  const found = await hindsight([...bisect, "-o", folder.path("least"), "--json"]);
  assertEquals(found.code, 0, found.err);
  const { inputs, candidates, outcome, without } = JSON.parse(found.out);
  assertEquals([outcome.held, without.held], [[true], [false]]);
  assertEquals(inputs.length > 0 && inputs.length < candidates, true, `${inputs.length} of ${candidates}`);
  const replayed = await hindsight(["replay", "--console", folder.path("least")]);
  assertEquals([replayed.code, replayed.out], [0, "!"]);
});
