/** `hindsight rewind`: screens, searches and jumps of runs with one console and with several; the keys of its view. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { ConsoleHistory } from "../../cli/console_history.ts";
import { keysOf, rewindOnTerminal, RewindView } from "../../cli/rewind_view.ts";
import { echoGuest } from "../../firmware/serial_consoles/echo_guest.ts";
import type { Machine } from "../../machine/machine.ts";
import { ECHO, FakeHost, hindsight, record, TestFolder } from "./support.ts";

Deno.test("rewind finds what several consoles wrote, shown or not, and shows screen and machine there", async () => {
  using folder = new TestFolder();
  const run = folder.path("consoles");
  const script = folder.write(
    "script",
    'at 60000 send "\\u0007\\u00023ac"\nat 90000 send "\\u0007\\u00022 dq"\n',
  );
  const made = await hindsight([
    ...["record", "-kernel", folder.write("echo.bin", echoGuest(true).bytes), "-m", "64M", "-o", run],
    ...["-M", "virt,uart1=on", "--monitor", "el2:serial-consoles", "--script", script],
  ]);
  assertEquals(made.code, 0, made.err);
  assertStringIncludes(made.out, "Consoles");
  const found = await hindsight(["rewind", run, "--search", "/[0-9a-f]{2} 71/", "--json"]);
  const { instant, lastInstant, console, text } = JSON.parse(found.out);
  assertEquals([console, text], ["log", "20 64 71 "]);
  const before = await hindsight(["rewind", run, "--console", "log", "--at", String(lastInstant), "--json"]);
  assertEquals(JSON.parse(before.out).rows[0], "20 64 7");
  const jump = await hindsight(["rewind", run, "--search", "64 71", "--jump"]);
  assertMatch(jump.out, /^20 64 71\n/);
  assertMatch(jump.out, new RegExp(`cpu0[^]*--at ${instant}`));
});

Deno.test("rewind works on any run, by its line", async () => {
  using folder = new TestFolder();
  const run = await record(folder, "plain", ECHO);
  const { out } = await hindsight(["rewind", run, "--search", "au", "--json"]);
  const [first] = out.trim().split("\n").map((line) => JSON.parse(line));
  assertEquals(first.console, "line");
  const screen = await hindsight(["rewind", run, "--at", String(first.instant)]);
  assert(!screen.out.includes("au"));
  for (
    const [args, code, said] of [
      [["--search", "nothing of it"], 1, /never printed/],
      [["--console", "shall"], 2, /line/],
      [["--search", "/(/"], 2, /--search \/\(\//],
      [["--jump"], 2, /--search/],
      [["--at", "99999999999"], 2, /--at/],
    ] as const
  ) {
    const outcome = await hindsight(["rewind", run, ...args]);
    assertEquals(outcome.code, code, outcome.err);
    assertMatch(outcome.err, said);
  }
});

/** A history of lines, one every hundred instants. */
function history(lines: readonly string[]): ConsoleHistory {
  const machine = { instant: 0, virtualTime: 0, board: { monitors: [], transmitted: (_byte: number) => {} } };
  const made = new ConsoleHistory(machine as unknown as Machine);
  for (const [index, line] of lines.entries()) {
    machine.instant = 100 * index;
    for (const character of `${line}\r\n`) {
      machine.board.transmitted(character.charCodeAt(0));
      machine.instant++;
    }
  }
  return made;
}

Deno.test("RewindView goes by lines, searches both ways, and chooses where to jump", async () => {
  const lines = Array.from({ length: 30 }, (_, index) => `line ${index}`);
  const view = new RewindView(history(lines), "line");
  const press = (...keys: string[]): number => {
    for (const key of keys) view.key(key);
    return view.instant;
  };
  assertEquals(press(), Infinity);
  assertEquals(press("left"), 2900);
  assertEquals(press("up"), 1900);
  assertEquals(press("home"), 0);
  assertEquals(press("left", "right", "right"), 200);
  assertEquals(press("/", ..."ne 7", "\x7f", "8", "\r"), 900);
  assertEquals(press("n"), 900);
  assertStringIncludes(view.grid().text(25), "not printed later");
  assertEquals(press("end", "N"), 900);
  assertEquals(press("9", "1", "down"), 1900);
  assertEquals([view.key("\r"), view.key("q")], ["jump", "end"]);
  assertEquals(keysOf("a\x1b[D\x1b[1~\x1bOA"), ["a", "left", "home", "up"]);
  const host = new FakeHost({ isTerminal: true, typed: [[1, "\x1b[H\x1b[C"], [2, "\r"]] });
  assertEquals(await rewindOnTerminal(history(lines), "line", host), 100);
  assertStringIncludes(host.out, "line 28");
  assertEquals(host.isRaw, false);
});
