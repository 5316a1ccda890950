/** Tests of `hindsight world`: a described world is recorded, replayed, forked, compared and taken apart. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { PING_PONG_IMAGES, pingPong } from "../world/guests.ts";
import { hindsight, TestFolder } from "./support.ts";

/** The test's world as a file. */
function describe(folder: TestFolder, more: Record<string, unknown> = {}): string {
  const nodes = pingPong().nodes.map((node) => {
    if (node.kind === "program") return { name: node.name, program: node.program, options: node.options };
    const bytes = PING_PONG_IMAGES.get(node.configuration.boot.kernel!.sha256) as Uint8Array;
    const kernel = folder.write(`${node.name}.bin`, bytes);
    const args = [
      "-kernel",
      kernel,
      "-m",
      "16",
      "-netdev",
      "link,id=n0",
      "-device",
      "virtio-net-device,netdev=n0",
    ];
    return { name: node.name, machine: [...args, "-global", "virtio-mmio.force-legacy=off"] };
  });
  const links = pingPong().links.map(({ ends, latency, ...link }) => ({
    ...link,
    ends: ends.map(({ node, port }) => `${node}:${port}`),
    latency: `${latency / 1000}us`,
  }));
  return folder.write("world.json", JSON.stringify({ nodes, links, rootInterval: "500us", ...more }));
}

Deno.test("world records what a file describes, and everything else reads it", async () => {
  using folder = new TestFolder();
  const file = describe(folder, { inputs: [{ at: "1.2ms", node: "ping", do: 'send "?"' }] });
  const [w, cut, journal] = ["w.hsworld", "cut.hsworld", "pong.hindsight"].map((name) => folder.path(name));
  const world = (...args: string[]) => hindsight(["world", ...args, "--engine", "threaded"]);
  const recorded = await world("record", file, "--until", "2ms", "-o", w!, "--checkpoints", "1ms", "--json");
  const end = JSON.parse(recorded.out);
  assertEquals([recorded.code, end.reason, end.time], [0, "limit", 2_000_000]);
  const replayed = JSON.parse((await world("replay", w!, "--slice", "7us", "--json")).out);
  assertEquals([replayed.equal, replayed.historyRoot], [true, end.historyRoot]);
  const later = JSON.parse((await world("replay", w!, "--from", "1.7ms", "--json")).out);
  assertEquals([later.equal, later.from, later.historyRoot], [true, 1_000_000, end.historyRoot]);
  const late = await world("fork", w!, "--at", "1.5ms", "--until", "2ms", "-o", cut!);
  assertStringIncludes(late.err, "recorded from 0.001 s on");
  assertEquals((await world("diff", w!, cut!)).code, 0);
  const lines =
    (await hindsight(["world", "events", w!, "--node", "pong", "--kind", "nodePoweredOff", "--json"])).out;
  assertEquals(
    lines,
    '{"time":400000,"node":"pong","kind":"nodePoweredOff","life":0,"cause":"link","exitCode":0}\n',
  );
  assertStringIncludes((await hindsight(["world", "events", w!])).out, "inputGiven        typed 1 byte");
  assertEquals(
    (await world("fork", w!, "--at", "800us", "--do", "900us:pong:power off", "--until", "2ms", "-o", cut!))
      .code,
    0,
  );
  const differing = await world("diff", w!, cut!);
  assertEquals(differing.code, 1);
  assertStringIncludes(differing.out, "pong.1 where one ends, 0.0009 s of the world");
  assertEquals((await hindsight(["world", "extract", w!, "pong.1", "-o", journal!])).code, 0);
  assertEquals((await hindsight(["replay", journal!, "--engine", "threaded"])).code, 0);
  const found = await world("bisect", w!, "ping", "--when", 'register("x26") == 100', "--json");
  assertEquals([found.code, JSON.parse(found.out).life], [0, "ping.0"]);
  const came = JSON.parse((await world("bisect", w!, "--text", "ping:-", "--samples", "8", "--json")).out);
  assertEquals([came.kind, came.nodes], ["found", ["ping"]]);
  const needed = await world("bisect", w!, "--inputs", "--text", "ping:?", "--until", "2ms");
  assertStringIncludes(needed.out, "It takes 1 of 1 input for ping:?; without them: nothing of it");
  const against = await world("bisect", cut!, w!, "--inputs", "--text", "ping:Z", "--until", "2ms");
  assertEquals(
    [against.code, against.out],
    [1, "With and without its 1 input: nothing of it.\n"],
    against.err,
  );
  const cuts = ["--cut", "ping", "--from", "700us", "--to", "900us", "--off", "1us", "--for", "100us"];
  const windows = await world("bisect", w!, ...cuts, "--text", "ping:A", "--samples", "2", "--json");
  assertEquals([windows.code, JSON.parse(windows.out).windows.length], [0, 1], windows.err);
  assertEquals(JSON.parse((await hindsight(["world", "info", w!, "--json"])).out).lives.length, 3);
});

Deno.test("world replays and forks from a checkpoint, whatever the number of threads", async () => {
  using folder = new TestFolder();
  const whole = folder.path("whole.hsworld"), until = ["--until", "2ms", "--checkpoints", "500us"];
  const world = (...args: string[]) => hindsight(["world", ...args, "--engine", "threaded"]);
  const recorded = await world("record", describe(folder), ...until, "-o", whole, "--json");
  const { historyRoot } = JSON.parse(recorded.out), forks: Uint8Array[] = [];
  const checked: unknown[] = [];
  for (const threads of ["0", "2"]) {
    const replayed = await world("replay", whole, "--from", "1.7ms", "--threads", threads, "--json");
    const { equal, from, rootsChecked, ...end } = JSON.parse(replayed.out);
    checked.push([equal, from, rootsChecked, end.historyRoot]);
  }
  assertEquals(checked, Array(2).fill([true, 1_500_000, 2, historyRoot]));
  for (const threads of ["0", "2"]) {
    const file = folder.path(`${threads}.hsworld`), edit = ["--at", "1.2ms", "--do", "1.6ms:ping:power off"];
    const { err } = await world("fork", whole, ...edit, ...until, "--threads", threads, "-o", file);
    assertStringIncludes(err, "recorded from 0.001 s on");
    forks.push(Deno.readFileSync(file));
  }
  assertEquals(forks[1], forks[0]);
});

Deno.test("world says what is wrong", async () => {
  using folder = new TestFolder();
  const file = describe(folder), missing = folder.path("none.hsworld");
  const bad = folder.write("bad.json", '{"nodes":[{"name":"a"}]}');
  const whole = folder.path("whole.hsworld");
  await hindsight(["world", "record", file, "--until", "1us", "-o", whole]);
  const cases: [string[], number, string][] = [
    [["play", file], 2, 'not "play"'],
    [["record", file], 2, "-o FILE"],
    [["record", bad, "-o", missing], 2, "either a `machine`"],
    [["record", file, "-o", missing, "--do", "1ms:none:power off"], 2, 'there is no node "none"'],
    [["record", file, "-o", missing, "--until", "soon"], 2, '"soon" is no time'],
    [["bisect", whole, "--text", "x"], 2, "--text takes NODE:TEXT"],
    [["bisect", whole, whole, "--text", "ping:x"], 2, "for --inputs alone"],
    [["bisect", whole, "--inputs"], 2, "needs what to look for"],
    [["bisect", whole, "--cut", "none", "--text", "ping:x"], 2, 'there is no node "none"'],
    [["replay", file], 1, "it is not the file of a Hindsight world"],
    [["replay", missing], 1, "there is no such file"],
  ];
  for (const [args, code, message] of cases) {
    const result = await hindsight(["world", ...args]);
    assertEquals([result.code, result.err.includes(message)], [code, true], result.err);
  }
});
