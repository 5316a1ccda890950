/** Tests of `hindsight query`. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { elfExecutable } from "../../firmware/elf.ts";
import { ECHO, guestProgram, hindsight, record, TestFolder } from "./support.ts";

Deno.test("query prints, limits and counts matches", async () => {
  using folder = new TestFolder();
  const run = await record(folder, "run", ECHO);
  const symbols = ["--symbols", folder.write("guest.elf", elfExecutable(guestProgram()))];
  const ask = async (...args: string[]) =>
    (await hindsight(["query", run, ...args])).out.trimEnd().split("\n");
  const uart = 'kind == "deviceWritten" && device == "uart0"';
  const all = await ask(uart);
  const events = await hindsight(["events", run, "--kind", "deviceWritten", "--device", "uart0"]);
  assertEquals(`${all.join("\n")}\n`, events.out);
  assertEquals(await ask(uart, "--first"), all.slice(0, 1));
  assertEquals(await ask(uart, "--limit", "3"), all.slice(0, 3));
  assertEquals(await ask(uart, "--last"), all.slice(-1));
  assertEquals(await ask(uart, "--last", "--limit", "2"), all.slice(-2).reverse());
  assertEquals(await ask(uart, "--count"), [String(all.length)]);
  const [second = ""] = (await ask(uart, "--limit", "2", "--json")).slice(1);
  const { instant } = JSON.parse(second);
  assertEquals(await ask(uart, "--next", String(instant)), all.slice(1, 2));
  assertEquals(await ask(uart, "--previous", String(instant)), all.slice(0, 1));
  assertEquals(await ask(uart, "--from", String(instant), "--limit", "1"), all.slice(1, 2));
  assertEquals(await ask(uart, "--to", String(instant)), all.slice(0, 1));
  const counts = await ask(uart, "--count-by", "device,address");
  assertMatch(counts[0]!, /^count +device +address +first +last$/);
  assertMatch(counts[1]!, /^ +\d+ +uart0 +0x9000000 +\d+ +\d+$/);
  const json = (await ask(uart, "--count-by", "address", "--json")).map((line) => JSON.parse(line));
  assertEquals(json.reduce((sum, { count }) => sum + count, 0), all.length);
  const taken = await ask('class == "unknown"', "--count-by", "place", "--json", ...symbols);
  assertEquals(JSON.parse(taken[0]!).place, "undefined");
  const steps = await ask('inside("prompt") && sets("x0")', "--limit", "1", ...symbols);
  assertMatch(steps[0]!, /<prompt> .* x0=0x3e/);
});

Deno.test("query says that nothing matches, and points at what is wrong", async () => {
  using folder = new TestFolder();
  const run = await record(folder, "run", ECHO);
  const ask = (...args: string[]) => hindsight(["query", run, ...args]);
  const none = await ask('kind == "powerCut"');
  assertEquals([none.code, none.out], [1, ""]);
  assertStringIncludes(none.err, "no event of");
  const refusals: readonly (readonly [string[], string])[] = [
    [["devce == 1"], 'Unknown variable: devce. Did you mean "device"?\n\n>    1 | devce == 1\n         ^'],
    [['kind == "deviceRead" && syndrome == 1'], "No kind of event can match"],
    [['kind == "deviceRead"', "--count-by", "devce"], 'Did you mean "device"?'],
    [['kind == "deviceRead"', "--first", "--last"], "--first and --last exclude each other"],
    [['kind == "deviceRead"', "--count-by", ","], "--count-by needs a field"],
    [['inside("x")'], 'symbol("x") needs --symbols FILE'],
  ];
  for (const [args, message] of refusals) {
    const { code, out, err } = await ask(...args);
    assertEquals([code, out], [2, ""], err);
    assertStringIncludes(err, message);
  }
});
