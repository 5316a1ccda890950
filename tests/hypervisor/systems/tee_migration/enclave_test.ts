/** Programs in TEEs: headers, policies, an enclave under a monitor at EL3, instructions emulated there, misuse. */
import { assertEquals, assertThrows } from "@std/assert";
import "../../../../hypervisor/install.ts";
import { enclaveHost } from "../../../../firmware/tee_migration/enclave_host.ts";
import {
  EXTENSIONS_FEATURES,
  EXTENSIONS_SOURCE,
  programImage,
  TICKER_SOURCE,
  TRESPASSES,
} from "../../../../firmware/tee_migration/enclave_programs.ts";
import { enclaveRuntime } from "../../../../firmware/tee_migration/enclave_runtime.ts";
import {
  alignmentOf,
  imageBytes,
  pagesOf,
  parseHeader,
  placedBytes,
  placeOf,
} from "../../../../hypervisor/systems/tee_migration/enclave/program_image.ts";
import { policyOf, unmet } from "../../../../hypervisor/systems/tee_migration/enclave/program_policy.ts";
import {
  decodeProgram,
  encodeProgram,
  firstState,
} from "../../../../hypervisor/systems/tee_migration/enclave/program_state.ts";
import { type ConfigurationInput, parseConfiguration } from "../../../../machine/configuration.ts";
import { ConfigurationError, InputRefusedError } from "../../../../machine/errors.ts";
import { Machine } from "../../../../machine/machine.ts";

const image = programImage(TICKER_SOURCE), header = parseHeader(image);

Deno.test("parseHeader tells ranges apart, and what is wrong with a header", () => {
  assertEquals(header.ranges.map(({ base, size, writable }) => [base, size, writable]), [
    [0x40_0000_0000, 0x1000, false],
    [0x40_0001_0000, 0x6000, true],
  ]);
  assertEquals([imageBytes(header), alignmentOf(header), [...pagesOf(header)].length], [0x2000, 0x10000, 7]);
  assertEquals([placedBytes(header, 0x1000), placedBytes(header, 0x10000)], [0x7000, 0x20000]);
  assertEquals(placeOf(header, 0x40_0001_0008, 0x1000), 0x1008);
  assertEquals(placeOf(header, 0x40_0001_0008, 0x10000), 0x10008);
  assertEquals(placeOf(header, 0x40_0000_2000, 0x1000), undefined);
  assertEquals(alignmentOf(parseHeader(programImage(TICKER_SOURCE, { dataAt: 0x4000n }))), 0x4000);
  const wrong: readonly (readonly [at: number, word: bigint, message: string])[] = [
    [0, 0n, "no program"],
    [0x18, 9n, "9 ranges"],
    [0x80, 0x1000n, "not of whole pages"],
    [0x88, 0x800n, "not of whole pages"],
    [0x98, 3n, "unknown permission"],
    [0x90, 1n << 40n, "not in the image"],
    [0xa0, 0x40_0000_0000n, "not in order"],
    [0xa8, 1n << 24n, "outside the window"],
    [0x40, 0x4f_4f4fn, "nobody knows"],
  ];
  for (const [at, word, message] of wrong) {
    const bytes = image.slice();
    new DataView(bytes.buffer).setBigUint64(at, word, true);
    assertThrows(() => parseHeader(bytes), RangeError, message);
  }
  assertThrows(() => parseHeader(image.slice(0, 100)), RangeError, "cut");
});

Deno.test("a program's state is read as it was written, and nothing else is one", () => {
  const state = {
    ...firstState({ header: image.slice(0, 0x200), measurement: new Uint8Array(32) }),
    flags: 5n << 28n,
  };
  const bytes = encodeProgram(state);
  assertEquals(decodeProgram(bytes).state, state);
  for (const cut of [0, 100, bytes.length - 1]) assertThrows(() => decodeProgram(bytes.slice(0, cut)));
  assertThrows(() => decodeProgram(encodeProgram({ ...state, x: state.x.slice(1) })), RangeError, "missing");
});

Deno.test("unmet names what a place lacks", () => {
  const place = {
    type: "E",
    model: "cortex-a57",
    hasShims: true,
    granule: 0x10000,
    memory: 1 << 23,
  } as const;
  const policy = { ...policyOf(header, "R"), features: ["LSE"], allowsShims: true };
  assertEquals(unmet(policy, place), undefined);
  assertEquals(unmet({ ...policy, allowsShims: false }, place), "this machine could only emulate LSE");
  assertEquals(unmet({ ...policy, features: ["BTI", "LSE"] }, place), "this machine lacks BTI");
  assertEquals(unmet(policy, { ...place, hasShims: false }), "this machine lacks LSE");
  assertEquals(
    unmet({ ...policy, alignment: 0x4000 }, place),
    "memory of two permissions would share a page of 64 KiB",
  );
  assertEquals(unmet({ ...policy, memoryMiB: 9 }, place), "it needs 9 MiB");
  assertEquals(unmet({ ...policy, teeType: "R" }, place), "it must stay in a TEE of type R");
});

const HOST = { role: "source", cluster: "a cluster's key" };

function machineOf(
  guest: Uint8Array,
  level: 2 | 3,
  options: Readonly<Record<string, string>>,
  more: ConfigurationInput = {},
): Machine {
  const configuration = parseConfiguration({
    ...{
      memoryMiB: 16,
      secureRam: level === 3,
      boot: { kernel: { sha256: "1".repeat(64), size: guest.length, name: "guest" } },
    },
    monitors: [{ level, systems: [{ name: "tee-migration", options: { ...HOST, ...options } }] }],
    ...more,
  });
  return new Machine(configuration, new Map([["1".repeat(64), guest]]));
}

function written(machine: Machine, until = 600_000): string {
  let text = "";
  machine.board.transmitted = (byte) => void (text += String.fromCharCode(byte));
  machine.run(until);
  return text;
}

Deno.test("a program writes the same in an enclave and in a realm, through a snapshot too", () => {
  const wanted = "kedpcoapcnjcpbdjfeobhblpma8530d619b2f83eef.";
  for (const [guest, level] of [[enclaveHost(image), 3], [enclaveRuntime(image), 2]] as const) {
    const options = level === 2 ? { form: "program" } : {};
    const machine = machineOf(guest, level, options), before = written(machine, 60_000);
    const other = machineOf(guest, level, options);
    other.restore(machine.snapshot());
    assertEquals(before + written(other), wanted);
  }
});

Deno.test("an enclave with extensions is emulated, and one that trespasses is ended", () => {
  const guest = enclaveHost(
    programImage(EXTENSIONS_SOURCE, { features: EXTENSIONS_FEATURES, allowsShims: true }),
  );
  assertEquals(written(machineOf(guest, 3, { shims: "on" })), "gcgaemkaomciagmimckiomimcofecb7540b5580ca6.");
  const source = `start: ${TRESPASSES["an SMC"]}\nmov x0, #0\nsvc #0\n`;
  assertEquals(written(machineOf(enclaveHost(programImage(source)), 3, {})), "F@");
});

Deno.test("hosts of programs refuse machines and commands that are none for them", () => {
  const guest = enclaveHost(image);
  assertThrows(() => machineOf(guest, 3, {}, { secureRam: false }), ConfigurationError, "add secure-ram=on");
  assertThrows(() => machineOf(guest, 3, { granule: "16K" }), ConfigurationError, "has no pages of 16 KiB");
  assertThrows(() => machineOf(guest, 3, { granule: "8K" }), ConfigurationError, "granule");
  assertThrows(() => machineOf(guest, 2, { form: "program" }, { cpus: 2 }), ConfigurationError, "use -smp 1");
  assertThrows(
    () => machineOf(guest, 2, { form: "part" }),
    ConfigurationError,
    "there are machine and program",
  );
  const machine = machineOf(guest, 3, {}), [monitor] = machine.board.monitors, cpu = machine.board.cpus[0]!;
  const command = (words: string) => () => monitor!.prepareCommand(cpu, `tee-migration ${words}`);
  assertThrows(command("migrate"), InputRefusedError, "there is no program here");
  assertThrows(command("go"), InputRefusedError, "takes the command");
  machine.run(20_000);
  command("migrate")()();
  assertThrows(command("migrate"), InputRefusedError, "a migration is under way");
});
