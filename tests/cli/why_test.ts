/** Tests of `hindsight why` and `hindsight who-wrote`. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { elfExecutable } from "../../firmware/elf.ts";
import { nvmeGuest } from "./nvme_guest.ts";
import { ECHO, guestProgram, hindsight, record, TestFolder } from "./support.ts";

/** The instant of the last event that a query finds. */
async function lastOf(run: string, expression: string): Promise<number> {
  const { out } = await hindsight(["query", run, expression, "--last", "--json"]);
  return JSON.parse(out).instant;
}

Deno.test("why prints a tree, JSON and a graph, with symbols", async () => {
  using folder = new TestFolder();
  const run = await record(folder, "run", ECHO);
  const symbols = ["--symbols", folder.write("guest.elf", elfExecutable(guestProgram()))];
  const at = await lastOf(run, 'kind == "deviceWritten" && device == "uart0" && value == 0x75');
  const ask = (...args: string[]) => hindsight(["why", run, "w0", "--at", String(at), ...args]);
  const tree = await ask(...symbols);
  assertEquals([tree.code, tree.err], [0, ""]);
  const lines = tree.out.trimEnd().split("\n");
  assertEquals(lines[0], `w0 = 0x75 of cpu0, instant ${at}`);
  assertMatch(
    lines[1]!,
    /^x0 = 0x75 {2}← {2}#1 \d+ {2}cpu0 {2}EL1 {2}0x400800[0-9a-f]+ <next\+0x8> {2}ldr w0, \[x20\]$/,
  );
  assertMatch(
    lines[2]!,
    /^\[0x9000000, 4\] = 0x75 {2}← {2}#2 .* deviceRead device=uart0 .* value=0x75 {2}uart0 at 0x9000000$/,
  );
  assertMatch(lines[3]!, /^console {2}← {2}#3 \d+ {2}input {2}consoleReceived .* bytes="au\\r"$/);
  assertMatch(lines[4]!, /^3 nodes, 3 links deep; looked at \d+ steps in 1 window, 0 searches for writers/);
  const value = JSON.parse((await ask("--json", ...symbols)).out);
  assertEquals([value.instant, value.cpu, value.value, value.nodes.length], [at, 0, "0x75", 4]);
  const [root, step] = value.nodes;
  assertEquals(root.sources, [{ what: "x0", role: "value", value: "0x75", node: 1 }]);
  assertEquals([step.instruction, step.symbol], ["ldr w0, [x20]", "next+0x8"]);
  const { out: graph } = await ask("--dot", "--address", "--control");
  assertMatch(graph, /^digraph why \{\n/);
  assertStringIncludes(graph, `n0 [shape=doubleoctagon, label="w0 = 0x75 of cpu0, instant ${at}"];`);
  assertStringIncludes(graph, 'n1 -> n0 [style=solid, label="x0 = 0x75"];');
  assertMatch(graph, /n\d+ -> n1 \[style=dashed, label="x20 = 0x9000000"\];/);
  assertMatch(graph, /n\d+ -> n1 \[style=dotted, label="pc"\];/);
  assertMatch(graph, /label="[^"]*tbnz [^"]*"/);
  assertMatch(graph, /\n\}\n$/);
});

Deno.test("why and who-wrote tell of memory that a disk's controller wrote, with the offset", async () => {
  using folder = new TestFolder();
  folder.write("guest.bin", nvmeGuest());
  const contents = new Uint8Array(3 << 20);
  contents.fill(0x5a, 2 << 20);
  folder.write("disk.img", contents);
  const run = folder.path("run");
  const drive = `file=${folder.path("disk.img")},if=none,id=n0`;
  folder.write("cut.script", 'expect "Z!"\npower cut\n');
  const recorded = await hindsight(
    folder.record("run", "-drive", drive, "-device", "nvme,drive=n0", "--script", folder.path("cut.script")),
  );
  assertEquals(recorded.code, 0, recorded.err);
  const at = await lastOf(run, 'kind == "deviceWritten" && device == "uart0" && value == 0x5a');
  const why = await hindsight(["why", run, "x0", "--at", String(at)]);
  assertMatch(why.out, /x0 = 0x5a {2}← .* ldrb w0, \[x1\]\n/);
  assertMatch(
    why.out,
    /\[0x40204000, 1\] = 0x5a {2}← .* DMA .*device=\S+ .* from disk n0, offset 0x200000\n/,
  );
  const wrote = await hindsight(["who-wrote", run, "physical:0x40204000,4"]);
  assertMatch(wrote.out, /\[0x40204000, 4\] {2}0x0 → 0x5a5a5a5a {2}← .* from disk n0, offset 0x200000\n/);
  const wroteLast = JSON.parse((await hindsight(["who-wrote", run, "physical:0x40204000,4", "--json"])).out);
  assertEquals(
    wroteLast.writers.map(({ kind, before, after }: Record<string, unknown>) => [kind, before, after]),
    [
      ["dma", "0x0", "0x5a5a5a5a"],
    ],
  );
});

Deno.test("who-wrote names the step, its symbol, and the values before and after", async () => {
  using folder = new TestFolder();
  const run = await record(folder, "run", ECHO);
  const symbols = ["--symbols", folder.write("guest.elf", elfExecutable(guestProgram()))];
  const ask = (...args: string[]) => hindsight(["who-wrote", run, ...args, ...symbols]);
  const vbar = await ask("vbar_el1");
  assertMatch(vbar.out, /^vbar_el1 = 0x40080800 <vectors> of cpu0, instant \d+\n/);
  assertMatch(
    vbar.out,
    /\nVBAR_EL1 {2}0x0 → 0x40080800 {2}← {2}\d+ {2}cpu0 {2}EL1 {2}0x40080010 <start\+0x10> {2}msr VBAR_EL1, x0\n$/,
  );
  const code = await ask("code,8");
  assertMatch(
    code.out,
    /^code,8 = 0x20026 at physical 0x[0-9a-f]+, instant \d+\n\[0x[0-9a-f]+, 8\] {2}is 0x20026 {2}← {2}0 {2}boot image {2}kernel "[^"]*guest\.bin", offset 0x[0-9a-f]+\n$/,
  );
});

Deno.test("why and who-wrote say what they cannot answer", async () => {
  using folder = new TestFolder();
  const run = await record(folder, "run", ECHO);
  const refusals: readonly (readonly [string[], string])[] = [
    [["why", run, "x0"], "why needs an instant: --at N"],
    [["why", run, "x99", "--at", "10"], 'There is no register "x99"'],
    [["why", run, "x0", "--at", "99999999"], "the run ends at instant"],
    [["why", run, "0x9000000", "--at", "20"], "it begins at 0x40000000"],
    [["why", run, "x0", "--at", "20", "--cpu", "3"], "There is no cpu 3: the machine has 1"],
    [["who-wrote", run, "0x40080000,99"], "BYTES takes a whole number from 1 to 64"],
    [["who-wrote", run, "word,4"], 'symbol("word") needs --symbols FILE'],
    [["who-wrote", run, ",4"], "is neither a register nor ADDRESS[,BYTES]"],
    [["who-wrote", run, "0x1ffffffffffffffff"], "has more than 64 bits"],
  ];
  for (const [args, message] of refusals) {
    const { code, out, err } = await hindsight(args);
    assertEquals([code, out], [2, ""], err);
    assertStringIncludes(err, message);
  }
});
