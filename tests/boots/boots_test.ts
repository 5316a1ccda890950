/** The matrix of boots is one that `record` can read, and its results are kept and printed as they are. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { readOptions } from "../../cli/options.ts";
import { machineRequest, QEMU_OPTIONS } from "../../cli/qemu_options.ts";
import { parseScript } from "../../cli/script.ts";
import { scriptText } from "./hindsight.ts";
import { readResults, type Result, table, writeResults } from "./results.ts";
import { BOOTS, machineOptions } from "./rows.ts";

const HOST = { secondsNow: () => 0, randomSeed: () => 0 };

Deno.test("BOOTS have names of their own, options that are read as meant, and scripts that end in power-off", () => {
  assertEquals(new Set(BOOTS.map(({ name }) => name)).size, BOOTS.length);
  for (const boot of BOOTS) {
    const args = [...machineOptions(boot), ...boot.options];
    const { configuration, endsAtReset } = machineRequest(readOptions(args, QEMU_OPTIONS), HOST);
    const { cpuModel, cpus, gicVersion, secure, virtualization } = configuration;
    assertEquals([cpuModel, cpus, gicVersion], [boot.cpu, boot.smp, boot.gic], boot.name);
    assertEquals(secure === true ? 3 : virtualization === true ? 2 : 1, boot.level, boot.name);
    assert(endsAtReset, boot.name);
    const script = scriptText(boot.steps);
    parseScript(script, boot.name);
    assert(script.endsWith('send "poweroff -f\\r"\n'), boot.name);
  }
});

Deno.test("BOOTS cover what must boot", () => {
  const cloud = BOOTS.filter(({ guest }) => guest === "Linux cloud").filter(({ name }) => name !== "wget");
  const machines = new Set(cloud.map(({ cpu, gic, smp, level }) => `${cpu} ${gic} ${smp} ${level}`));
  assertEquals(machines.size, 2 * 2 * 4 * 2);
  assert(BOOTS.filter(({ isQuick }) => isQuick).length >= 5);
});

const RESULT: Result = {
  name: "a",
  guest: "Linux",
  machine: "max, GICv3, 4 CPU, EL2",
  steps: 2_000_000_000,
  milliseconds: 9_000,
  qemuMilliseconds: 3_000,
  replayedOn: ["threaded"],
  journalBytes: 12_345,
};

Deno.test("writeResults() keeps results that readResults() finds, and table() prints them", async () => {
  const folder = await Deno.makeTempDir();
  try {
    assertEquals(readResults(folder).size, 0);
    const results = new Map([["a", RESULT], ["b", {
      ...RESULT,
      name: "b",
      failure: "no marker",
      steps: undefined,
    }]]);
    writeResults(folder, results as Map<string, Result>);
    assertEquals(readResults(folder).get("a"), RESULT);
    assertEquals(readResults(folder).get("b")?.failure, "no marker");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  const text = table([RESULT, { ...RESULT, name: "b", failure: "no marker" }]);
  assertStringIncludes(text, "reached  2000    9.0     3.0     3.0    threaded         12345");
  assertStringIncludes(text, "FAILED");
});
