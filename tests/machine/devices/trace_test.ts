/** The device models answer thousands of random accesses as QEMU did when they were recorded. */
import { assert, assertThrows } from "@std/assert";
import { readTrace, replayTrace } from "./trace.ts";
import { TRACE_NAMES, TRACE_TARGETS } from "./trace_targets.ts";

for (const name of TRACE_NAMES) {
  Deno.test(`the ${name} trace: our model answers as QEMU did`, async () => {
    assert(replayTrace(name, await readTrace(name), TRACE_TARGETS[name]()) >= 500);
  });
}

Deno.test("replayTrace names the step that differs", () => {
  const lines = ["# a comment", "w 4 9000024 12", "r 4 9000024 13"];
  assertThrows(
    () => replayTrace("uart", lines, TRACE_TARGETS.uart_pl011()),
    Error,
    "uart, step 1: r 4 9000024 13",
  );
  const levels = ["w 4 8000000 3 1000"];
  assertThrows(() => replayTrace("gic", levels, TRACE_TARGETS.gic_v2()), Error, "gic, step 0");
});
