/** Tests of the commands that read journals, on recordings of a small guest. */
import { gzipSync } from "node:zlib";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { type Command, COMMON_OPTIONS } from "../../cli/command.ts";
import { COMMANDS } from "../../cli/commands.ts";
import { readOptions } from "../../cli/options.ts";
import { ECHO, guestImage, hindsight, record, TestFolder } from "./support.ts";

Deno.test("every command has a help text with its options and an example", async () => {
  for (const { name } of COMMANDS) {
    const { code, out } = await hindsight([name, "--help"]);
    assertEquals(code, 0);
    assertMatch(out, new RegExp(`^hindsight ${name}`));
    assertMatch(out, /--json/);
    assertMatch(
      out,
      new RegExp(`Examples, after .*:\n(  deno task .*\n)*  deno task hindsight(:net)? ${name} `),
    );
    assertMatch((await hindsight(["--help"])).out, new RegExp(`  ${name} +[A-Z]`));
  }
});

Deno.test("every example's options are those of its command, and its journals are made by examples", async () => {
  const made = new Set<string>();
  const commands = new Map<string, Command>();
  for (const { name, load } of COMMANDS) commands.set(name, await load());
  for (const example of [...commands.values()].flatMap(({ examples }) => examples)) {
    const [, name, rest = ""] =
      /^deno task hindsight(?::net)? (\S+) (.+?)(?: +(?:#|\| dot ).*)?$/.exec(example) ?? [];
    const command = commands.get(name!)!;
    const words = [...rest.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, word]) => quoted ?? word!);
    const options = readOptions(words, [...command.options, ...COMMON_OPTIONS]);
    const least = command.operands.filter((operand) => !operand.startsWith("[")).length;
    assert(options.others.length >= least && options.others.length <= command.operands.length, example);
    const journals = options.others.filter((operand) => operand.endsWith(".hindsight"));
    for (const journal of journals) assert(made.has(journal), `${example}: nothing made ${journal}`);
    const output = options.text("output");
    if (output !== undefined) made.add(output);
  }
});

Deno.test("events gives the same lines stored or derived, at every depth", async () => {
  using folder = new TestFolder();
  const outputs = [];
  for (const depth of ["inputs", "traps", "steps"]) {
    const run = await record(folder, depth, ECHO, "--depth", depth);
    for (const more of [[], ["--derive"]]) {
      outputs.push((await hindsight(["events", run, "--json", "--class", "all", ...more])).out);
    }
  }
  assert(outputs[0]!.length > 1000);
  assertEquals(new Set(outputs).size, 1);
});

Deno.test("events filters by kind, class, CPU, device and instants", async () => {
  using folder = new TestFolder();
  const run = await record(folder, "run", ECHO);
  const lines = async (...more: string[]) =>
    (await hindsight(["events", run, "--json", ...more])).out.split("\n").filter((line) => line !== "").map((
      line,
    ) => JSON.parse(line));
  const all = await lines("--class", "all");
  assertEquals(
    await lines("--kind", "exceptionTaken,exceptionReturned"),
    all.filter(({ kind }) => /^exception/.test(kind)),
  );
  assertEquals((await lines("--kind", "exceptionTaken")).length, 1);
  assertEquals(await lines("--device", "gicd"), all.filter(({ device }) => device === "gicd"));
  assertEquals(
    await lines("--class", "step", "--from", "10", "--to", "20"),
    all.filter(({ kind, instant }) => kind === "stepRetired" && instant >= 10 && instant < 20),
  );
  assertEquals(await lines("--cpu", "1", "--class", "all"), []);
  const text = (await hindsight(["events", run, "--class", "step", "--from", "0", "--to", "2"])).out;
  assertMatch(text, /^ +0 {2}cpu0 {2}EL1 {2}0x0000000040000000 {2}[0-9a-f]{8} {2}ldr x0, 0x40000018/);
  assertMatch(
    (await hindsight(["events", run, "--kind", "exceptionTaken"])).out,
    /exceptionTaken \(unknown reason\)/,
  );
});

Deno.test("state shows registers, memory and the instruction that comes next", async () => {
  using folder = new TestFolder();
  const run = await record(folder, "run", ECHO);
  const { out } = await hindsight(["state", run, "--at", "6", "--memory", "0x40080000,32"]);
  assertMatch(out, /^instant 6 {2}virtual time 0\.000000048 s {2}turn of cpu0/);
  assertMatch(out, /cpu0 {2}on {2}EL1h flags ---- masks DAIF/);
  assertMatch(out, / pc 0x0000000040080000/);
  assertMatch(out, /\n0x0040080000 {2}[0-9a-f ]{48} {2}/);
  assertMatch(out, /next {2}cpu0 {2}EL1 {2}0x0000000040080000 {2}[0-9a-f]{8} {2}ldr x20, /);
});

Deno.test("diff names the first event of a keystroke that came one step later", async () => {
  using folder = new TestFolder();
  const first = await record(folder, "first", 'at 20 send "a"\nexpect "a"\nsend "q"');
  const second = await record(folder, "second", 'at 21 send "a"\nexpect "a"\nsend "q"');
  const { code, out } = await hindsight(["diff", first, second]);
  assertEquals(code, 1);
  assertMatch(out, /^Different: the first divergent event is at instant 20\./);
  assertMatch(out, /> +20 {2}cpu0 {2}consoleReceived virtualTime=160 bytes="a"/);
  assertMatch(out, /> +20 {2}cpu0 {2}EL1 /);
  assertMatch(out, /Not looked for/);
  const json = JSON.parse((await hindsight(["diff", first, second, "--json", "--context", "2"])).out);
  assertEquals([json.kind, json.instant, json.before.length], ["divergent", 20, 2]);
  assertEquals(json.sides[0].event.kind, "consoleReceived");
});

Deno.test("diff of equal runs, of one that ends earlier, and of different machines", async () => {
  using folder = new TestFolder();
  const first = await record(folder, "first", ECHO);
  const same = await record(folder, "same", ECHO, "--depth", "steps");
  const equal = await hindsight(["diff", first, same]);
  assertEquals(equal.code, 0);
  assertMatch(equal.out, /^Equal to the end; 1 root compared\./);
  const shorter = await record(folder, "shorter", "", "--until", "20");
  const length = await hindsight(["diff", shorter, first]);
  assertEquals(length.code, 1);
  assertMatch(
    length.out,
    /^Different in length only: equal up to instant 20, where .*shorter ends; .*first goes on/,
  );
  const larger = await record(folder, "larger", ECHO, "-m", "16");
  const machines = await hindsight(["diff", first, larger]);
  assertEquals(machines.code, 1);
  assertMatch(machines.out, /The machines are not the same:\n.*\n +memory +8 MiB +16 MiB\n/);
  assertMatch(machines.out, /the first divergent event|Different in state only/);
  const roots = await record(folder, "roots", ECHO, "--root-interval", "16");
  const intervals = await hindsight(["diff", first, roots]);
  assertMatch(intervals.out, /roots +every 33554432 steps +every 16 steps[^]*Equal to the end/);
});

Deno.test("diff finds a difference in memory that no event tells", async () => {
  using folder = new TestFolder();
  const image = guestImage().slice();
  const first = await record(folder, "first", ECHO);
  image[image.length - 1]! ^= 1;
  folder.write("other.bin", image);
  const text = folder.write("echo.script", ECHO);
  const other = ["record", "-kernel", folder.path("other.bin"), "-m", "8", "-semihosting", "--script", text];
  assertEquals((await hindsight([...other, "-o", folder.path("other")])).code, 0);
  const { code, out } = await hindsight(["diff", first, folder.path("other")]);
  assertEquals(code, 1);
  assertMatch(out, /Different in state only: all events are equal up to instant .* differ: memory:ram/);
});

Deno.test("bisect finds the step that made an expression true", async () => {
  using folder = new TestFolder();
  const run = await record(folder, "run", ECHO);
  const { code, out } = await hindsight(["bisect", run, "--when", 'register("x22") != 0']);
  assertEquals(code, 0);
  assertMatch(out, /holds from instant 9 on, not at 8/);
  assertMatch(out, / 8 {2}cpu0 {2}EL1 .*ldr x22, /);
  const scanned = await hindsight([
    "bisect",
    run,
    "--when",
    "memory(0x40080000, 4) == 0",
    "--scan",
    "--json",
  ]);
  assertEquals([scanned.code, JSON.parse(scanned.out).kind], [1, "never"]);
  assertMatch((await hindsight(["bisect", run, "--when", "instant >= 0"])).out, /at instant 0 already/);
});

Deno.test("pack makes a journal that replays without any other file", async () => {
  using folder = new TestFolder();
  const run = await record(
    folder,
    "run",
    ECHO,
    "-device",
    `loader,file=${folder.path("guest.bin")},addr=0x40600000,force-raw=on`,
  );
  const packed = folder.path("packed");
  assertEquals((await hindsight(["pack", run, "-o", packed])).code, 0);
  Deno.removeSync(folder.path("guest.bin"));
  assertEquals((await hindsight(["replay", run])).code, 1);
  assertEquals((await hindsight(["replay", packed])).code, 0);
  assertEquals((await hindsight(["verify", packed])).code, 0);
  assertEquals((await hindsight(["diff", packed, packed])).code, 0);
  const info = JSON.parse((await hindsight(["info", packed, "--json"])).out);
  assertEquals(info.images.map(({ role, isInside }: Record<string, unknown>) => [role, isInside]), [
    ["kernel", true],
    ["loader0", true],
  ]);
  const again = await hindsight(["pack", packed, "-o", packed]);
  assertMatch(again.err, /onto itself/);
});

Deno.test("replay finds images by content, and tells both hashes of one that changed", async () => {
  using folder = new TestFolder();
  const run = await record(folder, "run", ECHO);
  const image = guestImage();
  Deno.removeSync(folder.path("guest.bin"));
  const missing = await hindsight(["replay", run]);
  assertEquals(missing.code, 1);
  assertMatch(missing.err, /the kernel ".*guest\.bin" was not found \([0-9]+ bytes, SHA-256 [0-9a-f]{64}\)/);
  folder.write("renamed.bin", image);
  assertEquals((await hindsight(["replay", run])).code, 0, "beside the journal under another name");
  const elsewhere = Deno.makeTempFileSync();
  Deno.renameSync(folder.path("renamed.bin"), elsewhere);
  try {
    assertEquals((await hindsight(["replay", run, "--image", elsewhere])).code, 0);
    assertEquals((await hindsight(["replay", run, "--image", `kernel=${elsewhere}`])).code, 0);
    const role = await hindsight(["replay", run, "--image", `kernal=${elsewhere}`]);
    assertEquals(role.code, 2);
    assertMatch(role.err, /the run has no kernal.*Did you mean "kernel"/);
  } finally {
    Deno.removeSync(elsewhere);
  }
  const changed = image.slice();
  changed[4]! ^= 1;
  folder.write("guest.bin", changed);
  for (const more of [[], ["--image", folder.path("guest.bin")]]) {
    const { code, err } = await hindsight(["replay", run, ...more]);
    assertEquals(code, 1);
    assertMatch(
      err,
      /guest\.bin" is not the kernel that was recorded\.\n {2}recorded: .* SHA-256 [0-9a-f]{64}\n {2}the file: /,
    );
  }
});

Deno.test("a journal cut anywhere is refused, or replays up to its last whole block", async () => {
  using folder = new TestFolder();
  const run = await record(folder, "run", ECHO, "--root-interval", "16", "--depth", "steps");
  const bytes = Deno.readFileSync(run);
  const outcomes = { refused: 0, replayed: 0 };
  for (let cut = 0; cut < bytes.length; cut += Math.ceil(bytes.length / 40)) {
    const path = folder.write("cut", bytes.subarray(0, cut));
    const { code, out, err } = await hindsight(["verify", path]);
    if (code === 0) outcomes.replayed++;
    else outcomes.refused++;
    assertMatch(
      code === 0 ? out : err,
      code === 0 ? /^Sound/ : /it holds no whole block|is not a Hindsight journal/,
    );
    if (code === 0) assertMatch(err, /was cut off while recording|has a torn tail/);
  }
  assert(outcomes.replayed > 20 && outcomes.refused > 0, JSON.stringify(outcomes));
});

Deno.test("events that match nothing say so on standard error", async () => {
  using folder = new TestFolder();
  const run = await record(folder, "run", ECHO);
  for (const more of [[], ["--json"]]) {
    assertEquals(await hindsight(["events", run, "--cpu", "1", ...more]), {
      code: 0,
      out: "",
      err: `hindsight: no event of "${run}" is among those asked for\n`,
    });
  }
});

Deno.test("record unpacks a kernel that is compressed with gzip, and either file replays the run", async () => {
  using folder = new TestFolder();
  const image = guestImage(), packed = new Uint8Array(gzipSync(image));
  const plain = folder.write("guest.bin", image), gz = folder.write("guest.gz", packed);
  const cut = folder.write("cut.gz", packed.subarray(0, packed.length - 20));
  const [one, other] = [folder.path("one"), folder.path("other")];
  for (const [kernel, run] of [[plain, one], [gz, other]] as const) {
    const recorded = await hindsight(["record", "-kernel", kernel, "-o", run, "--until", "5000"]);
    assertEquals(recorded.code, 0, recorded.err);
  }
  assertEquals((await hindsight(["diff", one, other])).code, 0);
  assertEquals((await hindsight(["replay", other, "--image", plain])).code, 0);
  assertEquals((await hindsight(["replay", one, "--image", gz])).code, 0);
  Deno.removeSync(plain);
  Deno.renameSync(gz, folder.path("renamed"));
  assertEquals((await hindsight(["replay", one])).code, 0, "found by what it unpacks to");
  const refused = await hindsight(["record", "-kernel", cut, "-o", folder.path("x"), "--until", "5"]);
  assertEquals(refused.code, 1);
  assertMatch(refused.err, /Cannot unpack kernel ".*cut\.gz": it is compressed with gzip, but /);
});

Deno.test("pack --checkpoints adds states to begin at, and every command says the same", async () => {
  using folder = new TestFolder();
  const run = await record(folder, "plain", ECHO, "--root-interval", "20");
  const quick = folder.path("quick.hindsight"), again = folder.path("again.hindsight");
  const { code, err } = await hindsight(["pack", run, "--checkpoints", "30", "-o", quick]);
  assertEquals([code, err], [0, ""]);
  const { out: info } = await hindsight(["info", quick]);
  assertMatch(info, /checkpoints +\d+ checkpoints to begin at, from instant 40 to 80/);
  assertMatch((await hindsight(["verify", quick])).out, /, \d+ checkpoints the state of its root\.\n$/);
  for (const text of ["state --at 91 --json", "events --from 85 --to 95 --class step"]) {
    const [name = "", ...more] = text.split(" ");
    const [plain, from] = [await hindsight([name, run, ...more]), await hindsight([name, quick, ...more])];
    assertEquals(from, plain, name);
    assertEquals([plain.code, plain.err, plain.out.length > 100], [0, "", true]);
  }
  // Those of before go when others are asked for.
  await hindsight(["pack", quick, "--checkpoints", "100000000", "-o", again]);
  assertEquals((await hindsight(["info", again])).out.includes("to begin at"), false);
});
