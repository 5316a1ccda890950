/** Tests of `explore`: outcomes equal to those of running every future whole, found where they are, with journals. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { RACE_LOST, RACE_PROGRAM } from "./race.ts";
import { hindsight, TestFolder } from "./support.ts";

interface Report {
  readonly futures: number;
  readonly steps: number;
  readonly withoutAny: { readonly console: string };
  readonly outcomes: readonly {
    readonly reason: string;
    readonly exitCode: number;
    readonly console: string;
    readonly held: readonly boolean[];
    readonly count: number;
    readonly futures: readonly (readonly [number, string])[];
    readonly journal: string | null;
  }[];
}

async function race(folder: TestFolder): Promise<string> {
  const image = folder.write("race.bin", RACE_PROGRAM.bytes);
  const machine = ["-kernel", image, "-m", "8", "-smp", "2", "-semihosting", "--root-interval", "500"];
  const { code, err } = await hindsight(["record", ...machine, "-o", folder.path("run")]);
  assertEquals(code, 0, err);
  return folder.path("run");
}

async function explored(...args: string[]): Promise<Report> {
  const { code, out, err } = await hindsight(["explore", ...args, "--json"]);
  assertEquals(code, 0, err);
  return JSON.parse(out);
}

const plain = ({ outcomes }: Report) => outcomes.map((outcome) => ({ ...outcome, journal: null }));

Deno.test("explore finds the boundaries where a switch loses an increment, and a journal of each outcome", async () => {
  using folder = new TestFolder();
  const run = await race(folder);
  const window = ["--from", "400", "--to", "460", "--inject", "switch:1", "--when", RACE_LOST];
  const report = await explored(run, ...window, "--jobs", "1", "-o", folder.path("outcomes"));
  assertEquals(report.futures, 61);
  assertEquals(report.withoutAny.console, "=");
  const [lost, kept] = report.outcomes;
  assertEquals([lost?.exitCode, lost?.console, lost?.held], [3, "!", [true]]);
  assertEquals([kept?.exitCode, kept?.console, kept?.held], [0, "=", [false]]);
  // From the load of the counter to its store: 15 boundaries.
  assertEquals(lost?.futures.map(([instant]) => instant), Array.from({ length: 15 }, (_, at) => 434 + at));
  for (const { journal, console } of report.outcomes) {
    for (const engine of ["reference", "threaded", "compiled"]) {
      const replayed = await hindsight(["replay", "--console", journal!, "--engine", engine]);
      assertEquals([replayed.code, replayed.out], [0, console], replayed.err);
    }
  }
});

Deno.test("explore has the same outcomes with workers, without pruning, and on every engine", async () => {
  using folder = new TestFolder();
  const run = await race(folder);
  const args = [
    run,
    "--from",
    "400",
    "--to",
    "450",
    "--inject",
    "switch",
    "--inject",
    "irq:40",
    "--when",
    RACE_LOST,
  ];
  const expected = plain(await explored(...args, "--jobs", "1", "--no-prune", "--engine", "reference"));
  assert(expected.length >= 2);
  for (const more of [["--jobs", "2"], ["--jobs", "1"], ["--jobs", "1", "--engine", "threaded"]]) {
    assertEquals(plain(await explored(...args, ...more)), expected, more.join(" "));
  }
});

Deno.test("explore leaves futures whose states meet, and has the same outcomes as without", async () => {
  using folder = new TestFolder();
  const script = folder.write(
    "run.script",
    'expect "> "\\nsend "abt"\\nexpect "!"\\nsend "q"\\n'.replaceAll("\\n", "\n"),
  );
  const recorded = await hindsight(folder.record("run", "--script", script));
  assertEquals(recorded.code, 0, recorded.err);
  // Interrupts are masked in the guest, which sleeps: when one came does not matter soon after.
  const window = ["--from", "7", "--to", "80", "--inject", "irq:33", "--inject", 'send "x"', "--jobs", "1"];
  const pruned = await explored(folder.path("run"), ...window);
  const whole = await explored(folder.path("run"), ...window, "--no-prune");
  assertEquals(plain(pruned), plain(whole));
  assert(pruned.steps * 2 < whole.steps, `${pruned.steps} of ${whole.steps} steps`);
});

const MISUSE: readonly (readonly [args: readonly string[], message: RegExp])[] = [
  [["--inject", "switch"], /explore needs a window: --from A --to B/],
  [["--from", "9", "--to", "8", "--inject", "switch"], /--to 8 is before --from 9/],
  [["--from", "9", "--to", "10"], /explore needs what to inject: --inject irq:33/],
  [["--from", "9", "--to", "99999999", "--inject", "irq:1"], /at most 10,000,000 boundaries/],
  [["--from", "9", "--to", "9999999", "--inject", "irq:1"], /--to 9999999: the run ends at instant/],
  [["--from", "9", "--to", "10", "--inject", "jump"], /--inject "jump": column 1: there is no "jump"/],
  [["--from", "9", "--to", "10", "--inject", "irq:1", "--until", "5"], /--until 5 is before --to 10/],
];

for (const [args, message] of MISUSE) {
  Deno.test(`explore ${args.join(" ")} is refused`, async () => {
    using folder = new TestFolder();
    const { code, err } = await hindsight(["explore", await race(folder), ...args]);
    assertEquals(code, 2, err);
    assertMatch(err, message);
  });
}
