/** What the checks of kexec-hypervisor read out of consoles, and what they make of a hand-off that is wrong. */
import { assertEquals } from "@std/assert";
import { createHash } from "node:crypto";
import { judgeHandOff, measurementOf } from "../../../cli/systems/kexec_hypervisor/chains.ts";
import { type HandOff, toldSegments } from "../../../cli/systems/kexec_hypervisor/hand_off.ts";
import { xenLines } from "../../../cli/systems/kexec_hypervisor/kexec_tools.ts";

const digest = (text: string): string => createHash("sha256").update(text).digest("hex");
const line = (name: string, address: string, text: string): string =>
  `segment ${name} 0x${address} 0x${text.length.toString(16)} bytes ${digest(text)}\r\n`;

Deno.test("toldSegments() reads the last load's manifest", () => {
  const refused = line("hypervisor", "41000000", "first");
  const loaded = line("hypervisor", "42000000", "second") + line("second-stage", "43000000", "stage");
  assertEquals(toldSegments(`# load\r\n${refused}kexec_load: EINVAL\r\n${loaded}`), [
    { name: "hypervisor", address: 0x4200_0000, size: 6, digest: digest("second") },
    { name: "second-stage", address: 0x4300_0000, size: 5, digest: digest("stage") },
  ]);
});

Deno.test("measurementOf() extends zeros by each digest but the second stage's own", () => {
  const segments = toldSegments(line("hypervisor", "0", "a") + line("second-stage", "0", "b"));
  const wanted = createHash("sha256").update(new Uint8Array(32)).update(
    createHash("sha256").update("a").digest(),
  );
  assertEquals(measurementOf(segments), wanted.digest("hex"));
});

Deno.test("judgeHandOff() tells wrong memory, phases out of order and CPUs that were not turned on", () => {
  const phases = { load: 1, loaded: 2, shutdown: 3, copy: 4, entry: 5, launch: 6 };
  const handOff = { phases, wrong: [], started: 1 } as unknown as HandOff;
  assertEquals(judgeHandOff(handOff, 2), []);
  assertEquals(judgeHandOff({ ...handOff, wrong: ["segment kernel"] }, 2), ["segment kernel"]);
  assertEquals(judgeHandOff({ ...handOff, phases: { ...phases, launch: undefined } }, 2), [
    "phases are not in order: 1, 2, 3, 4, 5, NaN",
  ]);
  assertEquals(judgeHandOff(handOff, 4), ["1 CPUs were turned on by PSCI after the launch, not 3"]);
});

Deno.test("xenLines() keeps what Xen says of itself without places", () => {
  const said =
    "junk\r\n(XEN) Xen version 4.17\r\r\n(XEN) Loading d0 kernel @ 0000000040200000\r\n(XEN) Brought up 2 CPUs\r\n";
  assertEquals(xenLines(said), ["(XEN) Brought up 2 CPUs"]);
});
