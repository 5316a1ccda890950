/** `--monitor` as it is written. */
import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { configurationLines } from "../../cli/configuration_text.ts";
import { parseConfiguration } from "../../machine/configuration.ts";
import { parseMonitor } from "../../cli/monitor_option.ts";
import { UsageError } from "../../cli/errors.ts";

Deno.test("parseMonitor reads a level, systems, and options for the system before", () => {
  assertEquals(parseMonitor("el2"), { level: 2, systems: [] });
  assertEquals(parseMonitor("el3:one,two,a=1,b=x,,y,three"), {
    level: 3,
    systems: [
      { name: "one", options: {} },
      { name: "two", options: { a: "1", b: "x,y" } },
      { name: "three", options: {} },
    ],
  });
});

Deno.test("parseMonitor refuses what it cannot read, and says what to write", () => {
  for (
    const [text, why] of [
      ["stdio", "Ctrl-A c"],
      ["el1:x", "--monitor el2:SYSTEM"],
      ["el2:", "no name of a system"],
      ["el2:a=1", "is for no system"],
      ["el2:x,a=1,a=2", "given a twice"],
      ["el2:X", "no name of a system"],
    ] as const
  ) {
    const error = assertThrows(() => parseMonitor(text), UsageError);
    assertStringIncludes(error.message, why);
  }
});

Deno.test("configurationLines tells a machine's monitors as the option is written", () => {
  const monitors = [parseMonitor("el2:time-scale,scale=1/4,gva-scan"), parseMonitor("el3")];
  const lines = configurationLines(parseConfiguration({ monitors }));
  assertEquals(lines.get("monitor el2"), "time-scale,scale=1/4,gva-scan");
  assertEquals(lines.get("monitor el3"), "hosts its guest");
});
