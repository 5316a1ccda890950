/** Tests of `export` as a command. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { ECHO, hindsight, record, TestFolder } from "./support.ts";

Deno.test("export writes each format to a file, or to standard output, the same", async () => {
  using folder = new TestFolder();
  const run = await record(folder, "run", ECHO);
  for (
    const [format, beginning] of [["tarmac", /^0 clk R cpsr /], ["perfetto", /^\{"display/], [
      "qemu-log",
      /^-+\nIN: /,
    ]] as const
  ) {
    const file = folder.path(`out.${format}`);
    const { code, err, out } = await hindsight(["export", run, "--format", format, "-o", file]);
    assertEquals([code, out], [0, ""], err);
    assertMatch(err, /out\..*" has instants 0 to [0-9]+, [0-9,.]+ (bytes|kB)/);
    const text = Deno.readTextFileSync(file);
    assertMatch(text, beginning);
    assertEquals((await hindsight(["export", run, "--format", format])).out, text);
  }
  const part = await hindsight(["export", run, "--format", "tarmac", "--from", "10", "--to", "20"]);
  assertEquals(part.out.match(/ IT /g)?.length, 10);
  const told = await hindsight(["export", run, "--format", "tarmac", "-o", folder.path("x"), "--json"]);
  const { size, ...rest } = JSON.parse(told.out);
  assert(size > 1000);
  assertEquals(Object.keys(rest), ["format", "output", "from", "to"]);
});

Deno.test("export refuses what it cannot do", async () => {
  using folder = new TestFolder();
  const run = await record(folder, "run", ECHO);
  const wrongs: [string[], number, RegExp][] = [
    [[], 2, /export needs a format: --format tarmac\|perfetto\|qemu-log/],
    [["--format", "tarmak"], 2, /Did you mean "tarmac"/],
    [["--format", "tarmac", "--from", "9999999"], 2, /the run ends at instant/],
    [["--format", "tarmac", "--from", "9", "--to", "9"], 2, /--to 9 is not after the first instant, 9/],
    [["--format", "tarmac", "-o", run], 2, /that is the journal/],
    [["--format", "tarmac", "-o", folder.path("none/x")], 1, /Cannot write /],
  ];
  for (const [more, expected, message] of wrongs) {
    const { code, err } = await hindsight(["export", run, ...more]);
    assertEquals(code, expected, more.join(" "));
    assertMatch(err, message);
  }
});
