/** How benchmarks read their command line, run programs and count. */
import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { runProgram } from "../../bench/process.ts";
import { parseRequest, UsageError } from "../../bench/request.ts";
import { FAST_ENGINES, runnersFor } from "../../bench/runners.ts";
import { digits, geometricMean, median, tableLines } from "../../bench/statistics.ts";

const KNOWN = ["engines", "boots"];

Deno.test("parseRequest takes names, engines and workloads", () => {
  const request = parseRequest(
    ["engines", "--runs", "3", "--engine", "reference", "--workload", "hash", "--workload", "sort", "--json"],
    KNOWN,
  );
  assertEquals(request, {
    benchmarks: ["engines"],
    runs: 3,
    engines: ["reference"],
    workloads: ["hash", "sort"],
    tellsCosts: false,
    isJson: true,
    isHelp: false,
  });
});

Deno.test("parseRequest leaves the reference engine out unless it is named", () => {
  assertEquals(parseRequest([], KNOWN).engines, FAST_ENGINES);
  assertEquals(FAST_ENGINES.includes("reference"), false);
});

Deno.test("parseRequest refuses what it does not know", () => {
  for (const args of [["--rans", "3"], ["engine"], ["--runs", "0"], ["--runs", "x"]]) {
    assertThrows(() => parseRequest(args, KNOWN), UsageError);
  }
});

Deno.test("runnersFor refuses an engine that there is not, and names those that there are", () => {
  assertThrows(() => runnersFor(["quick"]), RangeError, "reference or threaded");
});

Deno.test("median takes the middle or the mean of two", () => {
  assertEquals(median([5, 1, 3]), 3);
  assertEquals(median([4, 1, 3, 2]), 2.5);
  assertEquals(median([]), NaN);
});

Deno.test("geometricMean leaves out what was not measured", () => {
  assertEquals(geometricMean([2, NaN, -1, 8]).toFixed(6), "4.000000");
});

Deno.test("digits writes nothing for what was not measured", () => {
  assertEquals([digits(NaN), digits(undefined), digits(0.04567), digits(12345.6)], [
    "",
    "",
    "0.0457",
    "12346",
  ]);
});

Deno.test("tableLines aligns numbers to the right", () => {
  assertEquals(tableLines([["", "a"], ["name", "12"]]), ["       a", "name  12"]);
});

Deno.test("runProgram says that a program is not installed", async () => {
  const cost = await runProgram({ program: "hindsight-no-such-program", args: [] });
  assertEquals(cost.isInstalled, false);
});

Deno.test("runProgram types behind what it waits for and notes when the marker came", async () => {
  const script = `
    const bytes = new Uint8Array(9);
    console.log("name?");
    const length = await Deno.stdin.read(bytes);
    console.log("hello " + new TextDecoder().decode(bytes.subarray(0, length)));
    console.error("done");
    await new Promise((done) => setTimeout(done, 300)); // long enough for a look at its memory`;
  const cost = await runProgram(
    { program: Deno.execPath(), args: ["eval", script] },
    { steps: [{ expect: "name?" }, { send: "arm" }], marker: "hello arm" },
  );
  assertMatch(cost.output, /^name\?\nhello arm\n$/);
  assertEquals(cost.errors, "done\n");
  assertEquals(cost.markerSeconds !== undefined && cost.markerSeconds <= cost.seconds, true);
  assertEquals(cost.peakBytes > 2 ** 20, true);
});
