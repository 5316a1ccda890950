/** Tests of recording: what ends it, who types, and that each recording replays to the same state. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { type FakeOptions, hindsight, type Outcome, TestFolder } from "./support.ts";

/** Records the guest, expects the exit code, and replays and verifies what was recorded. */
async function recorded(
  folder: TestFolder,
  code: number,
  more: readonly string[],
  process: FakeOptions = {},
): Promise<Outcome & { info: Record<string, unknown> }> {
  const outcome = await hindsight(folder.record("run", ...more), process);
  assertEquals(outcome.code, code, outcome.err);
  for (const command of ["replay", "verify"]) {
    const again = await hindsight([command, folder.path("run"), "--json"]);
    assertEquals(again.code, 0, `${command}: ${again.err}`);
  }
  const replayed = await hindsight(["replay", folder.path("run"), "--console"]);
  if (!more.includes("--json") && process.breaksAfter === undefined) assertEquals(replayed.out, outcome.out);
  const info = JSON.parse((await hindsight(["info", folder.path("run"), "--json"])).out);
  return { ...outcome, info };
}

/** A script's file. */
function script(folder: TestFolder, text: string): string[] {
  return ["--script", folder.write("run.script", text)];
}

/** The inputs of the run: instant, virtual time, kind and bytes. */
async function inputs(folder: TestFolder): Promise<[number, number, string][]> {
  const { out } = await hindsight(["events", folder.path("run"), "--class", "input", "--json"]);
  return out.trim().split("\n").filter((line) => line !== "").map((line) => {
    const { instant, virtualTime, kind, bytes } = JSON.parse(line);
    return [instant, virtualTime, bytes ?? kind];
  });
}

Deno.test("record carries out a script and ends with the guest's power-off", async () => {
  using folder = new TestFolder();
  const text = 'expect "> "\nsend "ab\\r"\nexpect "> "\nsend "t"\nexpect "!"\nsend "q"\n';
  const { out, err, info } = await recorded(folder, 0, script(folder, text));
  assertEquals(out, "> ab\r> t!q");
  assertMatch(
    err,
    /the guest powered off with exit code 0 after [0-9,]+ steps, 0\.0100[0-9]+ s of virtual time/,
  );
  assertEquals(info["end"], { reason: "poweredOff", exitCode: 0 });
});

Deno.test("record's exit code is the guest's", async () => {
  using folder = new TestFolder();
  const { info } = await recorded(folder, 7, script(folder, 'send "e"'));
  assertEquals(info["end"], { reason: "poweredOff", exitCode: 7 });
});

Deno.test("record stamps what follows an expect at the step after the matching byte, however slices fall", async () => {
  using folder = new TestFolder();
  const text = 'expect "> "\nsend "abc\\r"\nexpect "c\\r> "\nsend "q"\n';
  const stamps = [];
  for (const tick of [0.001, 5, 1000]) {
    await recorded(folder, 0, script(folder, text), { tick });
    const { out } = await hindsight(["events", folder.path("run"), "--kind", "deviceWritten", "--json"]);
    const spaces = out.split("\n").filter((line) =>
      line.includes('"address":150994944,"size":4,"value":"0x20"')
    );
    const written = spaces.map((line) => JSON.parse(line).instant);
    const given = await inputs(folder);
    assertEquals(given.map(([instant]) => instant), written.map((instant) => instant + 1));
    stamps.push(given);
  }
  assertEquals(stamps[1], stamps[0]);
  assertEquals(stamps[2], stamps[0]);
});

Deno.test("record does what a script has for exact instants", async () => {
  using folder = new TestFolder();
  const text =
    'at 400 power cut\nat 10 poke 0x40000000 0xab\nat 15 set cpu0 x27 0x1b\nat 20 send "x"\nat 20 inject irq 40\n';
  const { info } = await recorded(folder, 1, script(folder, text));
  assertEquals((await inputs(folder)).map(([instant, , what]) => [instant, what]), [
    [10, "ab"],
    [15, "registerPatched"],
    [20, "78"],
    [20, "interruptInjected"],
  ]);
  assertEquals(info["end"], { reason: "resting", exitCode: 0 }, "the guest sleeps before instant 400");
  const early = text.replace("at 400", "at 25");
  assertEquals((await recorded(folder, 0, script(folder, early))).info["end"], {
    reason: "powerCut",
    exitCode: 0,
  });
  const { out } = await hindsight([
    "state",
    folder.path("run"),
    "--at",
    "25",
    "--json",
    "--memory",
    "0x40000000,1",
  ]);
  const state = JSON.parse(out);
  assertEquals([state.memory[0].bytes, state.cpus[0].registers.x27], ["ab", "0x1b"]);
});

Deno.test("record ends at a text, at an instant, at a reset and at rest", async () => {
  using folder = new TestFolder();
  const byText = await recorded(folder, 0, [...script(folder, 'send "ab\\r"'), "--until-console", "\\r> "]);
  assertEquals([byText.out, byText.info["end"]], ["> ab\r> ", { reason: "console", exitCode: 0 }]);
  const byInstant = await recorded(folder, 0, ["--until", "21"]);
  assertEquals([byInstant.info["lastInstant"], byInstant.info["end"]], [21, {
    reason: "instant",
    exitCode: 0,
  }]);
  const atStart = await recorded(folder, 0, ["--until", "0"]);
  assertEquals(atStart.info["lastInstant"], 0);
  const byReset = await recorded(folder, 0, [...script(folder, 'send "r"'), "-no-reboot"]);
  assertEquals(byReset.info["end"], { reason: "reset", exitCode: 0 });
  const rebooted = await recorded(folder, 0, script(folder, 'send "r"\nexpect "r> "\nsend "q"'));
  assertEquals([rebooted.out, rebooted.info["end"]], ["> r> q", { reason: "poweredOff", exitCode: 0 }]);
  const atRest = await recorded(folder, 0, script(folder, 'send "a"'));
  assertEquals(atRest.info["end"], { reason: "resting", exitCode: 0 });
  assertMatch(atRest.err, /the machine rested, with nothing due/);
});

// deno-fmt-ignore
const UNREACHED: readonly (readonly [text: string, more: string[], message: RegExp])[] = [
  ['expect "login:"\nsend "x"',    [],                 /run\.script:1: "login:" never came \(the machine rested/],
  ['\nsend "q"\nexpect "no"',      [],                 /run\.script:3: "no" never came \(the guest powered off/],
  ['expect "no"',                  ["--until", "500"], /run\.script:1: "no" never came/],
  ["at 99999 power cut",           [],                 /run\.script:1: instant 99999 was not reached/],
  ["at 20 switch cpu 3",           [],                 /run\.script:1: There is no cpu3/],
  ["at 20 poke 0x1000000000 0x00", [],                 /run\.script:1: Cannot patch 0x1000000000: there is no memory/],
  ["at 20 set cpu0 x99 1",         [],                 /run\.script:1: There is no register "x99"/],
  ["at 20 scale 2",                [],                 /run\.script:1: Cannot change a time scale/],
];

Deno.test("record names the line that a script did not come to, and keeps the recording", async () => {
  using folder = new TestFolder();
  for (const [text, more, message] of UNREACHED) {
    const { err } = await recorded(folder, 1, [...script(folder, text), ...more]);
    assertMatch(err, message);
    assertMatch(err, /the recording is kept/);
  }
  const { err } = await recorded(folder, 1, ["--until-console", "login:"], { typed: [[0, "q"]] });
  assertMatch(err, /--until-console: "login:" never came/);
});

Deno.test("record takes bytes from a pipe as they come and ends at rest when there are no more", async () => {
  using folder = new TestFolder();
  const { out, info } = await recorded(folder, 0, [], { typed: [[0, "ab\r"], [500, "c"]] });
  assertEquals([out, info["end"]], ["> ab\r> c", { reason: "resting", exitCode: 0 }]);
  const none = await recorded(folder, 0, []);
  assertEquals([none.out, none.info["end"]], ["> ", { reason: "resting", exitCode: 0 }]);
});

Deno.test("record at a terminal paces idle time, and stamps a key that cuts it at its own time", async () => {
  using folder = new TestFolder();
  const typed: [number, string][] = [[100, "t"], [105, "x"], [1000, "\x01x"]];
  const { out, info } = await recorded(folder, 0, [], { isTerminal: true, typed, tick: 0.01 });
  assertEquals([out, info["end"]], ["> t!x", { reason: "operator", exitCode: 0 }]);
  const stamps = (await inputs(folder)).map(([, time, what]) => [Math.round(time / 1e6), what]);
  assertEquals(stamps, [[100, "74"], [105, "78"]], "milliseconds of virtual time");
});

Deno.test("record without pacing skips idle time", async () => {
  using folder = new TestFolder();
  const typed: [number, string][] = [[100, "t"], [1000, "\x01x"]];
  const { out } = await recorded(folder, 0, ["--pace", "off"], { isTerminal: true, typed });
  assertEquals(out, "> t!");
  assert((await inputs(folder))[0]![1] < 1e6, "rest before the first key took no virtual time");
});

Deno.test("record takes the operator's commands, and one refused leaves no trace in the history", async () => {
  using folder = new TestFolder();
  const typed: [number, string][] = [
    [100, "t"],
    [103, "\x01cswitch cpu 0\r"],
    [104, "injct irq 40\r"],
    [105, "inject irq 40\r"],
    [106, "poke 0x40000000 0xabcd\r\r"],
    [300, "x"],
    [400, "\x01cpower cut\r"],
  ];
  const { err, info } = await recorded(folder, 0, [], { isTerminal: true, typed, tick: 0.01 });
  assertMatch(err, /Cannot switch to cpu0: it is off or waiting\r\n\(hindsight\) injct irq 40\r\n/);
  assertMatch(err, /made interrupt 40 pending at instant [0-9]+\r\n\(hindsight\) poke/);
  assertMatch(err, /wrote 2 bytes at 0x40000000 at instant [0-9]+\r\n/);
  assertMatch(err, /cut the power at instant [0-9]+\r\n(?!.*\(hindsight\))/);
  assertEquals(info["end"], { reason: "powerCut", exitCode: 0 });
  assertEquals((await inputs(folder)).map(([, , what]) => what), [
    "74",
    "interruptInjected",
    "cdab",
    "78",
    "powerCut",
  ]);
});

Deno.test("record ends cleanly at an interrupt, running, waiting or at rest", async () => {
  using folder = new TestFolder();
  for (const isTerminal of [false, true]) {
    for (const interruptedAt of [0, 102, 5000]) {
      const process = { typed: [[100, "t"], [9000, "q"]] as [number, string][], interruptedAt, isTerminal };
      const { info } = await recorded(folder, 0, [], process);
      assertEquals(info["end"], { reason: "operator", exitCode: 0 });
    }
  }
});

Deno.test("record ends without a word, and the journal properly, when nobody reads the console", async () => {
  using folder = new TestFolder();
  const { out, err, info } = await recorded(folder, 0, script(folder, 'send "abc\\r"'), { breaksAfter: 1 });
  assertEquals([out, err, info["finished"]], ["", "", true]);
});

Deno.test("record --strict makes the models part of the configuration, in order and once", async () => {
  using folder = new TestFolder();
  const { info } = await recorded(folder, 0, [
    ...script(folder, 'expect "> "\nsend "q"\n'),
    "--strict",
    "context,tlb,context",
  ]);
  assertEquals((info["configuration"] as Record<string, unknown>)["strictModels"], ["tlb", "context"]);
});

Deno.test("record gives the same roots with and without pacing, and with quanta drawn from a seed", async () => {
  using folder = new TestFolder();
  const text = 'expect "> "\nsend "t"\nexpect "!"\nsend "q"\n';
  const roots = [];
  for (
    const more of [["--pace", "off"], ["--pace", "on"], ["--depth", "steps"], ["--root-interval", "1000"]]
  ) {
    const { out } = await recorded(folder, 0, [...script(folder, text), "--json", ...more]);
    roots.push(JSON.parse(out).stateRoot);
  }
  assertEquals(new Set(roots).size, 1);
  await recorded(folder, 0, [
    ...script(folder, text),
    "--schedule-seed",
    "5",
    "--quantum",
    "64",
    "-smp",
    "2",
  ]);
});

Deno.test("record, run and replay --costs tell where the time went, and change nothing", async () => {
  using folder = new TestFolder();
  const more = [...script(folder, 'send "abq"\n'), "--json"];
  const plain = await recorded(folder, 0, more);
  const { costs, bytes: _, ...rest } = JSON.parse((await recorded(folder, 0, [...more, "--costs"])).out);
  const { bytes: _bytes, ...expected } = JSON.parse(plain.out);
  assertEquals(rest, expected);
  const { seconds, parts, roots, pagesHashed, events, eventsStored, blocks, memoryPeak, guestMemory } = costs;
  const sum = (Object.values(parts) as number[]).reduce((total, part) => total + part, 0);
  assert(Math.abs(sum - seconds) < 0.01 && memoryPeak > 0, JSON.stringify(costs));
  assert(pagesHashed > 0 && events > 2 && events === eventsStored && blocks > 3, JSON.stringify(costs));
  assertEquals([roots, guestMemory], [1, 8 * 2 ** 20]);
  const { out, err } = await hindsight(["replay", folder.path("run"), "--costs"]);
  assertMatch(out, /^Equal/);
  assertMatch(err, /costs .* engine .* roots .*\(1, \d+ pages? hashed\).*\n.*memory at most/);
});

Deno.test("record --stop-at vector-loop ends where an exception loops at its vector, and says so", async () => {
  using folder = new TestFolder();
  // movz x0, #0x2000, lsl #32; msr vbar_el1, x0; isb; svc #0: nothing is at the vector.
  const words = new Uint32Array([0xd2c4_0000, 0xd518_c000, 0xd503_3fdf, 0xd400_0001]);
  const kernel = folder.write("loop.bin", new Uint8Array(words.buffer));
  const options = ["record", "-kernel", kernel, "-m", "8", "-o", folder.path("loop")];
  const { code, err } = await hindsight([...options, "--stop-at", "vector-loop"]);
  assertEquals(code, 254, err);
  const said =
    "the guest powered off with exit code 254: an exception loops at its vector (vectorLoopDetected)";
  assert(err.includes(said), err);
  assert((await hindsight(["info", folder.path("loop")])).out.includes(said));
  assertEquals((await hindsight(["replay", folder.path("loop"), "--json"])).code, 0);
  const { out } = await hindsight(["events", folder.path("loop"), "--kind", "vectorLoopDetected"]);
  assertEquals(out.trim().split("\n").length, 1, out);
  const wrong = await hindsight([...options, "--stop-at", "vector"]);
  assertEquals(wrong.code, 2);
  assertMatch(wrong.err, /vector-loop/);
});
