/** The probe as a guest: what it prints alone, disturbed, misaligned, in a storm, and under a hypervisor in A64. */
import { assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { kvmHostProgram } from "../../../firmware/exclusive_probe/kvm_host.ts";
import { operationName, PROBE_OPERATIONS } from "../../../firmware/exclusive_probe/operations.ts";
import { type ProbeOptions, probeProgram } from "../../../firmware/exclusive_probe/probe.ts";
import { shimProgram } from "../../../firmware/exclusive_probe/shim.ts";
import { sha256 } from "../../../cli/host/guests/store.ts";
import { type ConfigurationInput, parseConfiguration } from "../../../machine/configuration.ts";
import { Machine } from "../../../machine/machine.ts";

/** Runs an image on the reference engine up to power-off or rest; what the console wrote. */
function run(bytes: Uint8Array, more: ConfigurationInput = {}, ends = "poweredOff"): string {
  const hash = sha256(bytes), kernel = { sha256: hash, size: bytes.length, name: "probe" };
  const configuration = parseConfiguration({ memoryMiB: 16, ...more, boot: { kernel } });
  const machine = new Machine(configuration, new Map([[hash, bytes]]), { engine: "reference" });
  let text = "";
  machine.board.transmitted = (byte) => void (text += String.fromCharCode(byte));
  assertEquals(machine.run(1_000_000).reason, ends, text);
  return text;
}

const probe = (options: ProbeOptions = {}): string => run(probeProgram(options).bytes);

/** The failures that a text tells, by operation. */
const failuresOf = (text: string): Record<string, number> =>
  Object.fromEntries(
    [...text.matchAll(/(el[01] [A-Z0-9_]+) (\d+)\r/g)].map(([, name, count]) => [name, Number(count)]),
  );

Deno.test("probeProgram() finds nothing on a bare machine but what the kernel does for EL0", () => {
  const text = probe({ rounds: 5 });
  const expected = PROBE_OPERATIONS.map((row) => [operationName(row), row.isKernels === true ? 5 : 0]);
  assertEquals(failuresOf(text), Object.fromEntries(expected));
  assertMatch(text, /^rounds 5\r\n/);
  assertStringIncludes(text, "el1 verdict bare\r\n");
  assertStringIncludes(text, "el0 verdict bare\r\n");
});

Deno.test("probeProgram() tells an alignment fault of a word that is misaligned", () => {
  const guest = probeProgram({ misalignment: 2 }), text = run(guest.bytes);
  const far = (guest.symbols.get("target")! + 2n).toString(16).padStart(16, "0");
  assertStringIncludes(text, `alignment fault: ESR_EL1 0x0000000096000021, FAR_EL1 0x${far}`);
});

Deno.test("probeProgram() says that nothing can be told in a storm of interrupts, and is right in a breeze", () => {
  const storm = probe({ period: 5, rounds: 4 });
  assertEquals(Object.values(failuresOf(storm)).every((count) => count === 4), true);
  assertStringIncludes(storm, "el1 verdict inconclusive");
  assertStringIncludes(storm, "el0 verdict inconclusive");
  const breeze = probe({ period: 60 });
  assertStringIncludes(breeze, "el1 verdict bare");
});

Deno.test("probeProgram() works on Device memory, as the machine's choice is", () => {
  assertStringIncludes(probe({ isDevice: true, rounds: 2 }), "el0 verdict bare");
});

Deno.test("probeProgram() rests where nobody takes its call to power off", () => {
  const text = run(probeProgram({ conduit: "smc", rounds: 1 }).bytes, {}, "resting");
  assertMatch(text, /fault: ESR_EL1 0x0000000002000000/);
});

Deno.test("shimProgram() makes the probe find what it traps", () => {
  const guest = probeProgram({ rounds: 3 });
  const text = run(shimProgram(guest, { hcr: 1n << 18n }).bytes, { virtualization: true });
  const failures = failuresOf(text);
  assertEquals([failures["el1 ID_AA64PFR0_EL1"], failures["el1 CTR_EL0"]], [3, 0]);
  assertStringIncludes(text, "el1 verdict virtualized");
  assertStringIncludes(text, "el0 verdict bare");
});

Deno.test("probeProgram() and kvmHostProgram() refuse what does not fit", () => {
  assertThrows(() => probeProgram({ rounds: 0 }), RangeError, "0 rounds");
  assertThrows(() => probeProgram({ rounds: 65536 }), RangeError, "1 to 65535");
  assertThrows(() => probeProgram({ period: -1 }), RangeError, "-1 ticks");
  const guest = probeProgram();
  assertThrows(() => kvmHostProgram({ ...guest, size: 0x20_0001 }), RangeError, "2097153 bytes");
});
