/** Tests of `run`, its flight recorder, and `console`. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { keptOf } from "../../cli/run.ts";
import { ConsoleLines } from "../../cli/console.ts";
import { hindsight, TestFolder } from "./support.ts";

/** The options of a run of the guest. */
function machine(folder: TestFolder, ...more: string[]): string[] {
  return ["run", "-kernel", folder.path("guest.bin"), "-m", "8", "-semihosting", ...more];
}

/** Runs a command that has to work, and its standard output. */
async function output(args: readonly string[]): Promise<string> {
  const { code, out, err } = await hindsight(args);
  assertEquals(code, 0, `${args.join(" ")}: ${err}`);
  return out;
}

/** Types `t` 40 times, each 10 ms, and powers off. */
const SCRIPT = `expect "> "\n${'send "t"\nexpect "t!"\n'.repeat(40)}send "q"\n`;

Deno.test("run shows the console, leaves nothing behind, and ends with the guest's exit code", async () => {
  using folder = new TestFolder();
  const before = [...Deno.readDirSync(folder.path(""))].length;
  const off = await hindsight(machine(folder), { typed: [[0, "abq"]] });
  assertEquals([off.code, off.out], [0, "> abq"]);
  assertMatch(off.err, /^hindsight: the guest powered off with exit code 0 after .* of virtual time\n$/);
  const { code } = await hindsight(machine(folder), { typed: [[0, "e"]] });
  assertEquals(code, 7);
  assertEquals([...Deno.readDirSync(folder.path(""))].length, before);
});

Deno.test("run reaches the state that record reaches", async () => {
  using folder = new TestFolder();
  const script = folder.write("s", SCRIPT);
  const plain = JSON.parse(await output(machine(folder, "--script", script, "--json")));
  const recorded = JSON.parse(await output(folder.record("r", "--script", script, "--json")));
  assertEquals([plain.instant, plain.stateRoot], [recorded.instant, recorded.stateRoot]);
  assertEquals("output" in plain, false);
});

Deno.test("run --keep-last writes a journal that begins at a checkpoint, for every command", async () => {
  using folder = new TestFolder();
  const script = folder.write("s", SCRIPT);
  const last = folder.path("last");
  const more = ["--script", script, "--root-interval", "64"];
  const kept = JSON.parse(
    await output(machine(folder, ...more, "--keep-last", "100ms", "-o", last, "--json")),
  );
  const whole = JSON.parse(await output(folder.record("whole", ...more, "--json")));
  assertEquals([kept.stateRoot, kept.historyRoot], [whole.stateRoot, whole.historyRoot]);
  assertEquals([kept.output, kept.bytes], [last, Deno.statSync(last).size]);
  const info = JSON.parse(await output(["info", last, "--json"]));
  assert(info.firstInstant > 0 && info.firstInstant % 64 === 0, `begins at ${info.firstInstant}`);
  assertStringIncludes(await output(["info", last]), "a checkpoint at instant");
  assertStringIncludes(await output(["replay", last]), "Equal");
  assertStringIncludes(await output(["verify", last]), "Sound");
  assertStringIncludes(await output(["diff", last, folder.path("whole")]), "Equal");
  const at = String(info.firstInstant + 3);
  assertEquals(
    await output(["state", last, "--at", at]),
    await output(["state", folder.path("whole"), "--at", at]),
  );
  assertEquals(
    await output(["events", last, "--class", "all", "--from", at]),
    await output(["events", folder.path("whole"), "--class", "all", "--from", at]),
  );
  assertEquals(
    await output(["console", last, "--instants", "--from", at]),
    await output(["console", folder.path("whole"), "--instants", "--from", at]),
  );
  assertStringIncludes(await output(["bisect", last, "--when", `instant >= ${at}`]), "holds from instant");
  assertStringIncludes(
    await output(["bisect", last, "--when", "instant > 1"]),
    "already, where the run begins",
  );
  await output(["pack", last, "-o", folder.path("packed")]);
  Deno.removeSync(folder.path("guest.bin"));
  assertStringIncludes(await output(["replay", folder.path("packed")]), "Equal");
  for (const line of ["state --at 1", "events --from 1", "events --to 1", "console --from 1"]) {
    const [command = "", ...rest] = line.split(" ");
    const { code, err } = await hindsight([command, folder.path("packed"), ...rest]);
    assertEquals(code, 2, line);
    assertStringIncludes(
      err,
      ` 1: the run begins at instant ${info.firstInstant}; what came before was not kept`,
    );
  }
});

Deno.test("run --keep-last ends on a panic, on a condition and on an interrupt, and keeps the journal", async () => {
  using folder = new TestFolder();
  const keep = (name: string, ...more: string[]) =>
    machine(folder, "--keep-last", "1s", "-o", folder.path(name), "--json", ...more);
  const panic = await hindsight(keep("p", "--panic", "ab"), { typed: [[0, "xabt"], [1, "yz"]] });
  assertEquals([panic.code, JSON.parse(panic.out).reason], [0, "console"]);
  // 0.2 s after the text, not at once: what is typed after it is there too.
  assertStringIncludes(await output(["console", folder.path("p")]), "> xabt!");
  const script = folder.write("s", SCRIPT);
  const found = await hindsight(
    keep("c", "--script", script, "--save-when", "time > 100000000", "--look-every", "100"),
  );
  const end = JSON.parse(found.out);
  assertEquals([found.code, end.reason, end.instant % 100], [1, "condition", 0]);
  assertStringIncludes(await output(["info", folder.path("c")]), "the condition that was waited for held");
  const interrupted = await hindsight(keep("i"), { isTerminal: true, interruptedAt: 40 });
  assertEquals([interrupted.code, JSON.parse(interrupted.out).reason], [0, "operator"]);
  for (const name of ["p", "c", "i"]) {
    assertStringIncludes(await output(["replay", folder.path(name)]), "Equal");
  }
});

Deno.test("run refuses what it cannot keep, and looks at the output's place before it begins", async () => {
  using folder = new TestFolder();
  folder.write("notes", "dear to somebody");
  // deno-fmt-ignore
  const cases: readonly (readonly [args: string[], code: number, message: string])[] = [
    [["--keep-last", "60s"],                                    2, "go together"],
    [["-o", folder.path("x")],                                  2, "`hindsight record` keeps a whole run"],
    [["--keep-last", "soon", "-o", folder.path("x")],           2, 'such as 60s, 500ms or 1_000_000, not "soon"'],
    [["--keep-last", "0s", "-o", folder.path("x")],             2, "no time to keep"],
    [["--keep-last", "1s", "-o", folder.path("no/x")],          1, "there is no such directory"],
    [["--keep-last", "1s", "-o", folder.path("")],              1, "it is a directory"],
    [["--keep-last", "1s", "-o", folder.path("notes")],         1, "is there and is no journal"],
    [["--save-when", "instant"],                                2, "a predicate needs bool"],
    [["--save-when", "instant == 1", "--look-every", "0"],      2, "--look-every takes a whole number from 1"],
  ];
  for (const [args, code, message] of cases) {
    const outcome = await hindsight(machine(folder, ...args));
    assertEquals(outcome.code, code, args.join(" "));
    assertStringIncludes(outcome.err, message);
  }
});

Deno.test("keptOf reads times and steps", () => {
  assertEquals(keptOf("60s"), { unit: "nanoseconds", count: 60e9 });
  assertEquals(keptOf("1.5ms"), { unit: "nanoseconds", count: 1_500_000 });
  assertEquals(keptOf("20us"), { unit: "nanoseconds", count: 20_000 });
  assertEquals(keptOf("1_000"), { unit: "steps", count: 1000 });
});

Deno.test("console prints what was written, and lines with their instants, times and CPUs", async () => {
  using folder = new TestFolder();
  const script = folder.write("s", 'expect "> "\nsend "a\\rt"\nexpect "!"\nsend "q"\n');
  const { out } = await hindsight(folder.record("r", "--script", script));
  const run = folder.path("r");
  assertEquals(await output(["console", run]), out);
  const [first, ...others] = (await output(["console", run, "--json"])).trim().split("\n");
  const line = JSON.parse(first!);
  assertEquals([line.cpu, others.length], [0, 0]);
  const at = JSON.parse(await output(["state", run, "--at", String(line.instant), "--json"]));
  assertEquals(at.virtualTime, line.virtualTime);
  assertEquals(
    at.next.some(({ kind, device }: { kind: string; device: string }) =>
      kind === "deviceWritten" && device === "uart0"
    ),
    true,
  );
  assertMatch(
    await output(["console", run, "--instants", "--cpu"]),
    /^ +[0-9][0-9  ,_]* +.* s {2}cpu0 {2}> a\r?/,
  );
  assertEquals(await output(["console", run, "--from", String(line.instant + 1)]), out.slice(1));
  assertEquals(await output(["console", run, "--to", String(line.instant + 1)]), out.slice(0, 1));
  const { code, err } = await hindsight(["console", run, "--from", "9", "--to", "8"]);
  assertEquals(code, 2);
  assertStringIncludes(err, "--to 8 comes before --from 9");
});

Deno.test("ConsoleLines cuts at line feeds, and endless lines", () => {
  const lines: string[] = [];
  const cut = new ConsoleLines(({ instant, bytes }) => void lines.push(`${instant}:${bytes.length}`));
  let instant = 0;
  const push = (text: string) => {
    for (const byte of new TextEncoder().encode(text)) {
      cut.push(byte, () => ({ instant, virtualTime: 0, cpu: 0 }));
      instant++;
    }
  };
  push("ab\r\n\nc");
  cut.flush();
  cut.flush();
  push("x".repeat(65537));
  cut.flush();
  assertEquals(lines, ["0:4", "4:1", "5:1", "6:65536", "65542:1"]);
});
