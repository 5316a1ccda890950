/** The bridge-space loader on every engine: its switches, what it refuses, and what a missing TLBI does. */
import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import {
  BARE_FIRMWARE_AT,
  BARE_LOADER_AT,
  BARE_TABLES_AT,
  type BareFirmware,
  bareFirmware,
  bareTables,
} from "../../../firmware/bridge_space/bare_firmware.ts";
import {
  bridgeFile,
  coreOffset,
  coreSizes,
  MOST_PAIRS,
  type Mutant,
  MUTANTS,
  mutated,
  type Pair,
  parameterPage,
  REASONS,
  refusalOf,
} from "../../../firmware/bridge_space/image.ts";
import { Machine } from "../../../machine/machine.ts";
import type { MachineEvent } from "../../../machine/events.ts";
import { placedBoard } from "../loader/guest.ts";

const A = 0x5600_4000n, PAGE = 0x1000n;

interface Run {
  readonly lines: readonly string[];
  readonly events: readonly MachineEvent[];
  readonly instant: number;
  readonly root: string;
}

function run(
  pairs: readonly Pair[],
  firmware: BareFirmware,
  { engine = "threaded", mutant, strict = true }: { engine?: string; mutant?: Mutant; strict?: boolean } = {},
): Run {
  const file = bridgeFile(pairs);
  const flat = (bytes: Uint8Array<ArrayBuffer>) => ({ bytes }) as never;
  const { configuration, images } = placedBoard([
    { program: bareFirmware(firmware), at: BARE_FIRMWARE_AT },
    { program: flat(bareTables(firmware)), at: BARE_TABLES_AT },
    { program: flat(mutant === undefined ? file : mutated(file, mutant)), at: BARE_LOADER_AT },
  ], {
    memoryMiB: 512,
    virtualization: firmware.level === 2,
    strictModels: strict ? ["tlb"] : [],
  });
  const machine = new Machine(configuration, images, { engine });
  const events: MachineEvent[] = [];
  let console = "";
  machine.board.transmitted = (byte) => (console += String.fromCharCode(byte));
  machine.board.events.add({ classes: ["trap", "detail"], observe: (event) => void events.push(event) });
  const { reason } = machine.run(2_000_000);
  assertEquals(reason, "poweredOff", console);
  const lines = console.split("\r\n").filter((line) => /^bridge: (?!parameters)/.test(line));
  return { lines, events, instant: machine.instant, root: machine.stateRoot().root.toHex() };
}

const refused = (reason: keyof typeof REASONS) =>
  `bridge: refused, reason ${REASONS[reason].toString(16).padStart(16, "0")}`;

Deno.test("bridgeFile goes to VA_b and back by four TTBR0 writes, MMU on, no exception, on every engine", () => {
  for (const level of [1, 2] as const) {
    const engines = level === 1 ? ["threaded", "compiled"] : ["threaded", "reference"];
    const runs = engines.map((engine) =>
      run([{ from: A, to: 0x12_3456_7000n }, { from: A, to: A - 3n * PAGE }], { level }, { engine })
    );
    for (const { lines, root, instant } of runs) {
      assertEquals([root, instant], [runs[0]!.root, runs[0]!.instant]);
      assertEquals(lines.length, 3, lines.join("\n"));
      assertMatch(lines[0]!, /^bridge: el=.* b=0000001234567000 .* at=0000001234567000 /);
      assertMatch(lines[1]!, /^bridge: el=.* b=0000000056001000 .* at=0000000056001000 /);
    }
    const { events } = runs[0]!,
      loader = events.findIndex((event) =>
        event.kind === "systemRegisterWritten" && event.register.startsWith("SCTLR") &&
        (event.value & 1n) === 1n
      );
    const after = events.slice(loader + 1);
    const written = (name: string) =>
      after.filter((event) => event.kind === "systemRegisterWritten" && event.register.startsWith(name))
        .length;
    assertEquals([written("TTBR0"), written("SCTLR"), written("TCR"), written("MAIR")], [8, 0, 0, 0]);
    assertEquals(
      after.filter(({ kind }) => kind === "exceptionTaken" || kind === "staleTranslationUsed"),
      [],
    );
  }
});

Deno.test("bridgeFile takes two bridges where the copies of the switch code would overlap, if it may", () => {
  const { lines } = run([
    { from: A, to: A - PAGE, mayTakeTwo: true },
    { from: A, to: A - PAGE },
    { from: A, to: A - 2n * PAGE },
    { from: A, to: A - 2n * PAGE, startsKernel: true },
  ], { level: 1 });
  assertMatch(lines[0]!, / b=0000000056003000 c=0000008056003000 .* at=0000000056003000 /);
  assertEquals(lines[1], refused("OVERLAP"));
  assertMatch(lines[2]!, / b=0000000056002000 c=0000000000000000 /);
  assertEquals(lines[3], refused("NO_KERNEL"));
});

Deno.test("bridgeFile refuses pairs as refusalOf says, for other widths too", () => {
  const { image, window } = coreSizes();
  for (const inputBits of [39]) {
    const limit = 1n << BigInt(inputBits);
    const pairs: Pair[] = [
      { from: A, to: A },
      { from: A, to: A + PAGE },
      { from: A, to: A + BigInt(window) - PAGE },
      { from: A, to: A + BigInt(window) },
      { from: A, to: limit - BigInt(image) },
      { from: A, to: limit - BigInt(image) + PAGE },
      { from: A, to: (1n << 64n) - PAGE },
      { from: A, to: 0x0900_0000n },
      { from: A, to: 0x0900_1000n },
      { from: A, to: 0x0900_0000n - BigInt(image) },
      { from: A, to: A + 8n },
      { from: A + 8n, to: A },
      { from: 0x5000_0000n, to: A },
      { from: 0x6000_0000n - BigInt(window), to: 0n },
      { from: 0x6000_0000n - BigInt(window) + PAGE, to: 0n },
      { from: (1n << 64n) - PAGE, to: 0n },
    ];
    const { lines } = run(pairs, { level: 1, inputBits });
    const expected = pairs.map((pair) => refusalOf(pair, inputBits));
    assertEquals(
      lines.slice(0, -1).map((line) => line.startsWith("bridge: el=") ? "handed over" : line),
      expected.map((refusal) => refusal === undefined ? "handed over" : refused(refusal)),
    );
    assertEquals(new Set(expected).size, 7);
  }
});

Deno.test("bridgeFile refuses firmware whose space it cannot take over", () => {
  const pair = { from: A, to: 0x12_3456_7000n };
  assertEquals(run([pair], { level: 1, isMmuOn: false }).lines[0], refused("MMU_OFF"));
  assertEquals(run([pair], { level: 2, granule: 16 }).lines[0], refused("GRANULE"));
  assertEquals(run([pair], { level: 1, mair: 0x0404_0404_0404_ff04n }).lines[0], refused("ATTRIBUTES"));
});

Deno.test("bridgeFile without the first TLBI fetches by the old space's translation, and its vectors tell", () => {
  for (const level of [2] as const) {
    const pair = { from: A, to: 0x5800_3000n }, mutant = MUTANTS.noFirstTlbi(level);
    const landing = pair.to + BigInt(coreOffset(`landing_el${level}`));
    const expected = `bridge: emergency esr=0000000002000000 elr=${
      landing.toString(16).padStart(16, "0")
    } far=`;
    const { lines, events } = run([pair], { level }, { mutant });
    assertEquals(lines[0]!.slice(0, expected.length), expected);
    const stale = events.find((event) => event.kind === "staleTranslationUsed");
    assertEquals(stale?.kind === "staleTranslationUsed" && [stale.address, stale.access], [
      landing,
      "execute",
    ]);
    // Where nothing is kept that nobody invalidates, it goes well.
    assertEquals(run([pair], { level }, { mutant, strict: false }).lines.length, 2);
  }
});

Deno.test("bridgeFile prints the syndrome of an abort on the bridge, by vectors in S3", () => {
  const pair = { from: A, to: 0x12_3456_7000n }, mutant = MUTANTS.mappingMissing(1);
  const landing = (pair.to + BigInt(coreOffset("landing_el1"))).toString(16).padStart(16, "0");
  const { lines } = run([pair], { level: 1 }, { mutant });
  assertMatch(
    lines[0]!,
    new RegExp(`^bridge: emergency esr=0000000086000005 elr=${landing} far=${landing} `),
  );
});

Deno.test("parameterPage refuses more pairs than fit", () => {
  assertThrows(
    () => parameterPage(Array(MOST_PAIRS + 1).fill({ from: A, to: 0n })),
    RangeError,
    `at most ${MOST_PAIRS}`,
  );
});
