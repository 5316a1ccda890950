/** Tests of `fork`: what it shares with its run, what edits do, and that it is a run like any other. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { RACE_PROGRAM } from "./race.ts";
import { hindsight, type Outcome, TestFolder } from "./support.ts";

const SCRIPT = 'expect "> "\nsend "ab\\r"\nexpect "> "\nsend "t"\nexpect "!"\nsend "q"\n';

/** Records the guest with keys, idle time and a timer. */
async function typed(folder: TestFolder, ...more: string[]): Promise<string> {
  const script = folder.write("run.script", SCRIPT);
  const { code, err } = await hindsight(
    folder.record("run", "--script", script, "--root-interval", "20", ...more),
  );
  assertEquals(code, 0, err);
  return folder.path("run");
}

async function forked(
  folder: TestFolder,
  code: number,
  at: number,
  ...more: string[]
): Promise<Outcome> {
  const args = ["fork", folder.path("run"), "--at", String(at), "-o", folder.path("fork"), ...more];
  const outcome = await hindsight(args);
  assertEquals(outcome.code, code, outcome.err);
  for (const engine of ["reference", "threaded", "compiled"]) {
    const again = await hindsight(["replay", folder.path("fork"), "--engine", engine]);
    assertEquals(again.code, 0, again.err);
  }
  assertEquals((await hindsight(["verify", folder.path("fork")])).code, 0);
  return outcome;
}

for (const depth of ["inputs", "traps", "steps"]) {
  Deno.test(`fork without an edit makes the same journal again, at any instant, at depth ${depth}`, async () => {
    using folder = new TestFolder();
    const run = await typed(folder, "--depth", depth);
    const info = JSON.parse((await hindsight(["info", run, "--json"])).out);
    const last: number = info.lastInstant ?? info.instants ?? 0;
    assert(last > 100, `the run has ${last} steps`);
    for (const at of [0, 1, 39, 40, 41, 77, last - 1]) {
      await forked(folder, 0, at);
      const [left, right] = [run, folder.path("fork")].map((path) => Deno.readFileSync(path));
      // Where an unfinished block was written may differ at depth "steps"; the runs do not.
      if (depth !== "steps") assertEquals(left, right, `at ${at}`);
      const compared = await hindsight(["diff", run, folder.path("fork")]);
      assertEquals(compared.code, 0, compared.out);
    }
  });
}

Deno.test("fork shares its run's blocks byte for byte up to the last root", async () => {
  using folder = new TestFolder();
  const run = await typed(folder);
  const { err } = await forked(folder, 0, 50, "--do", "set cpu0 x9 0x1234");
  const [, blocks] = /shares ([0-9]+) blocks with .* up to instant 40$/m.exec(err) ?? [];
  const [left, right] = [run, folder.path("fork")].map((path) => Deno.readFileSync(path));
  const same = left!.findIndex((byte, at) => byte !== right![at]);
  assert(Number(blocks) > 3 && same > 1000, `${blocks} blocks, ${same} bytes`);
  const compared = await hindsight(["diff", run, folder.path("fork"), "--json"]);
  assertEquals([compared.code, JSON.parse(compared.out).instant], [1, 50]);
});

Deno.test("fork gives what the run was given later, or leaves it out", async () => {
  using folder = new TestFolder();
  await typed(folder);
  const again = await forked(folder, 0, 20, "--do", "set cpu0 x9 1");
  assertEquals(again.out, "> ab\r> t!q");
  const alone = await forked(folder, 0, 20, "--drop-inputs", "--do", 'send "q"');
  assertEquals(alone.out, "> q");
  const resting = await forked(folder, 0, 20, "--drop-inputs");
  assertMatch(resting.err, /nothing is due|rest/);
});

Deno.test("fork tells and leaves out what the machine does not take any more", async () => {
  using folder = new TestFolder();
  const image = folder.write("race.bin", RACE_PROGRAM.bytes);
  const script = folder.write("race.script", "at 1000 switch cpu 1\nat 1400 switch cpu 0\n");
  const recorded = await hindsight(
    ["record", "-kernel", image, "-m", "8", "-smp", "2", "-semihosting", "--script", script].concat(
      ["-o", folder.path("run"), "--root-interval", "500"],
    ),
  );
  assertEquals(recorded.code, 0, recorded.err);
  // Before cpu1 is started: it can take no turn then.
  const outcome = await forked(folder, 0, 8, "--do", "set cpu0 x0 0", "--until", "3000");
  assertMatch(
    outcome.err,
    /input 1 of ".*run" \(cpuSwitchForced at instant 1,000\) is left out: Cannot switch/,
  );
});

Deno.test("fork takes a script from its instant on, and goes on behind the end of a run that was cut short", async () => {
  using folder = new TestFolder();
  assertEquals((await hindsight(folder.record("run", "--until", "30"))).code, 0);
  const script = folder.write("fork.script", 'send "t"\nexpect "!"\nsend "e"\n');
  const outcome = await forked(folder, 7, 30, "--script", script);
  assertEquals(outcome.out, "t!e");
  assertStringIncludes(outcome.err, "forked at instant 30");
});

const MISUSE: readonly (readonly [args: readonly string[], message: RegExp])[] = [
  [[], /fork needs an instant: --at N/],
  [["--at", "5"], /fork needs a journal to write: -o FILE/],
  [["--at", "5000000", "-o", "x"], /--at 5000000: the run ends at instant/],
  [["--at", "5", "-o", "x", "--do", "set cpu0"], /--do "set cpu0": column 9: expected a register's name/],
  [["--at", "5", "-o", "x", "--until", "4"], /--until 4 is before the fork at 5/],
];

for (const [args, message] of MISUSE) {
  Deno.test(`fork ${args.join(" ")} is refused and writes nothing`, async () => {
    using folder = new TestFolder();
    const run = await typed(folder);
    const here = args.map((word) => word === "x" ? folder.path("fork") : word);
    const { code, err } = await hindsight(["fork", run, ...here]);
    assertEquals(code, 2, err);
    assertMatch(err, message);
    assert(![...Deno.readDirSync(folder.path("."))].some(({ name }) => name.startsWith("fork")));
  });
}
