/** UEFI's runtime services by upcalls: pointers of every kind, both levels, the store's promises, what is refused. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { EXERCISER_BASE, EXERCISER_STUBS, WINDOW } from "../../../../firmware/rts_upcall/exerciser.ts";
import { variableDisk, variablesOn } from "../../../../hypervisor/variable_store/variable_log.ts";
import { ConfigurationError } from "../../../../machine/errors.ts";
import type { MachineEvent } from "../../../../machine/events.ts";
import { ENGINES } from "../../../../machine/machine.ts";
import { call, exercise, type ExerciseOptions, quads, VENDOR, VENDOR_BYTES, wide } from "./support.ts";

/** Places in the window: its first two pages lie apart in memory. */
const at = (offset: number): bigint => WINDOW + BigInt(offset);
const VENDOR_AT = 0x000,
  NAME_AT = 0x020,
  OTHER_AT = 0x040,
  SIZE_AT = 0x080,
  BIG_AT = 0x088,
  ATTRIBUTES_AT = 0x090;
const DATA_AT = 0x0a0, OUT_AT = 0x200, ACROSS = 0xffa, READ_ONLY = 0x2000, UNMAPPED = 0x3000, AFTER = 0x4000;
const UART = 0x5000, NOWHERE = 0x6000, FLASH = 0x7000;

const CONTENTS: ExerciseOptions["contents"] = [
  [VENDOR_AT, VENDOR_BYTES],
  [NAME_AT, wide("Name")],
  [OTHER_AT, wide("Other")],
  [SIZE_AT, quads(4)],
  [BIG_AT, quads(0x1000)],
  [DATA_AT, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)],
  // A name, a GUID and a size across the end of a page, and a name that ends on a page's last byte.
  [ACROSS, wide("Across")],
  [READ_ONLY, Uint8Array.from([...wide("RO"), ...new Uint8Array(2), ...VENDOR_BYTES])],
  [0x2ff8, wide("End")],
  [AFTER, quads(0x100)],
  [UART - 4, Uint8Array.of(0x41, 0, 0x42, 0)],
];

const run = (calls: Parameters<typeof exercise>[0], options: ExerciseOptions = {}) =>
  exercise(calls, { contents: CONTENTS, ...options });

const set = (name: number, data: number, size: number, attributes = 7) =>
  call("SetVariable", [at(name), at(VENDOR_AT), attributes, size, at(data)]);
const get = (name: number, size: number, data: number, attributes = ATTRIBUTES_AT, dump = 8) =>
  call("GetVariable", [at(name), at(VENDOR_AT), at(attributes), at(size), at(data)], [at(data), dump]);

/** Calls with pointers of every kind. */
const POINTERS = [
  set(NAME_AT, DATA_AT, 8),
  get(NAME_AT, BIG_AT, OUT_AT),
  get(NAME_AT, SIZE_AT, OUT_AT + 16), // 4 bytes are too few: the size that it takes
  call("GetVariable", [at(NAME_AT), at(VENDOR_AT), 0n, at(SIZE_AT), 0n], [at(SIZE_AT), 8]), // 8 are enough, but where?
  set(ACROSS, 0xffc, 8), // name and data across two pages that lie apart
  get(ACROSS, BIG_AT, 0xffd),
  set(0x2ff8, READ_ONLY, 4), // read-only memory can be read
  get(NAME_AT, BIG_AT, READ_ONLY), // and not be written
  get(NAME_AT, READ_ONLY, OUT_AT, ATTRIBUTES_AT), // nor can a size be there
  set(UNMAPPED, DATA_AT, 8),
  set(NAME_AT, UNMAPPED - 4, 8), // the second page is not there
  get(NAME_AT, BIG_AT, UNMAPPED - 4, ATTRIBUTES_AT, 0),
  get(NAME_AT, BIG_AT, UART - 4, ATTRIBUTES_AT, 4), // a page that can be written, then none: nothing is
  call("GetVariable", [at(UART - 4), at(VENDOR_AT), 0, at(BIG_AT), at(OUT_AT)]), // a name that runs out of memory
  call("GetVariable", [at(NAME_AT), at(-8), 0, at(BIG_AT), at(OUT_AT)]),
  call("GetVariable", [0, at(VENDOR_AT), 0, at(BIG_AT), at(OUT_AT)]),
  call("GetTime", [at(UART), 0]),
  call("GetTime", [at(NOWHERE), 0]),
  call("GetTime", [at(FLASH), 0]),
  call("GetTime", [0xffff_ffff_ffff_fff8n, 0]),
  call("GetTime", [at(UNMAPPED - 8), 0]),
  call("QueryVariableInfo", [7, at(OUT_AT), at(READ_ONLY), at(OUT_AT + 8)], [at(OUT_AT), 8]),
  call("GetTime", [at(AFTER + 8), at(0xffc)], [at(AFTER + 8), 16]),
  call("SetVariable", [at(NAME_AT), at(VENDOR_AT), 7, 1n << 63n, at(DATA_AT)]),
  { immediate: 0x52aa, arguments: [1n] },
];

const INVALID = "INVALID_PARAMETER";
const NEW_YEAR = "ea07010100000000" + "00000000ff070000";
const POINTER_RESULTS = [
  "SUCCESS",
  "SUCCESS 0102030405060708",
  "BUFFER_TOO_SMALL 0000000000000000",
  `${INVALID} 0800000000000000`,
  "SUCCESS",
  "SUCCESS 6300630072006f00".replace("6300630072006f00", "SLICE"),
  "SUCCESS",
  `${INVALID} 52004f0000000000`,
  `${INVALID} 0102030405060708`,
  ...Array<string>(3).fill(INVALID),
  `${INVALID} 41004200`,
  ...Array<string>(8).fill(INVALID),
  `${INVALID} 0102030405060708`,
  `SUCCESS ${NEW_YEAR}`,
  INVALID,
  "UNSUPPORTED",
];

Deno.test("rts-upcall reaches pointers page by page and refuses what is not there, alike at EL2 and EL3, on every engine", () => {
  const variants: ExerciseOptions[] = [
    ...Object.keys(ENGINES).map((engine) => ({ engine })),
    { monitor: 3 },
    { monitor: 3, level: 2 },
    { monitor: 3, level: 2, isHost: true },
  ];
  const runs = variants.map((variant) => run(POINTERS, variant));
  const first = runs[0]!;
  assertEquals(first.end.reason, "poweredOff");
  const expected = [...POINTER_RESULTS];
  // The name's bytes from its second on, as they lay across the pages, then came back to one byte further.
  const bytes = [...wide("Across")].slice(2, 10).map((byte) => byte.toString(16).padStart(2, "0")).join("");
  expected[5] = `SUCCESS ${bytes}`;
  assertEquals(first.results, expected);
  const names = variablesOn(first.disk).map(({ name, data }) => `${name}:${data.length}`);
  assertEquals(names, ["Name:8", "Across:8", "End:4"]);
  for (const other of runs.slice(1, 3)) assertEquals([other.end, other.root()], [first.end, first.root()]);
  // The level of the caller is all that two back ends may differ in.
  const streamOf = (events: readonly MachineEvent[]) => events.map((event) => ({ ...event, level: 0 }));
  for (const [index, other] of runs.entries()) {
    assertEquals(other.results, first.results, JSON.stringify(variants[index]));
    if (variants[index]!.level === 2) continue;
    assertEquals(other.events, first.events);
    assertEquals(other.end.instant, first.end.instant);
  }
  assertEquals(
    streamOf(runs[4]!.events).map(({ kind }) => kind),
    streamOf(first.events).map(({ kind }) => kind),
  );
});

Deno.test("rts-upcall keeps PAR_EL1, tells what changed, and nothing that the guest writes into stubs changes the store", () => {
  const calls = [set(NAME_AT, DATA_AT, 8), call("GetTime", [at(UNMAPPED), 0])];
  const { events, results, par, disk } = run(calls);
  assertEquals([results, par], [["SUCCESS", INVALID], 0n]);
  const written = events.find((event) => event.kind === "variableWritten")!;
  assert(written.kind === "variableWritten");
  const { vendor, name, attributes, before, after } = written;
  assertEquals([vendor, name, attributes, [...before], [...after]], [VENDOR, "Name", 7, [], [
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    8,
  ]]);
  const stubs = new Uint8Array(16).map((_, index) => [0xc0, 0x03, 0x5f, 0xd6][index % 4]!); // RET, RET, …
  const patched = run([set(NAME_AT, OUT_AT, 8), ...calls], {
    disk: disk.slice(),
    inputs: [{ kind: "memoryPatched", address: Number(EXERCISER_BASE + EXERCISER_STUBS), bytes: stubs }],
  });
  assertEquals([patched.end.reason, patched.events.length, patched.disk], ["poweredOff", 0, disk]);
});

Deno.test("SetVariable and its kin keep UEFI's rules of attributes, before and after boot services end", () => {
  const NON_VOLATILE = 1, BOOT = 2, RUNTIME = 4, APPEND = 0x40;
  const calls = [
    set(NAME_AT, DATA_AT, 4, NON_VOLATILE | BOOT), // not to be seen later
    set(OTHER_AT, DATA_AT, 4, BOOT | RUNTIME), // to be read later, and gone with power
    ...[0x10, 0x20, 0x80, 0x8].map((bit) => set(NAME_AT, DATA_AT, 4, 7 | bit)),
    set(NAME_AT, DATA_AT, 4, NON_VOLATILE | RUNTIME),
    set(NAME_AT, DATA_AT, 4, 0x107),
    set(NAME_AT, DATA_AT, 4, 7), // other attributes than before
    call("ConvertPointer", [0, at(BIG_AT)]),
    call("SetVirtualAddressMap", [48, 48, 1, at(OUT_AT)]),
    call("Leave", []),
    call("Leave", []),
    call("Begin", [at(OUT_AT)]),
    call("AllocatePages", [0, 2, 1, at(OUT_AT)]),
    get(NAME_AT, BIG_AT, OUT_AT),
    set(NAME_AT, DATA_AT, 4, 7),
    get(OTHER_AT, BIG_AT, OUT_AT, ATTRIBUTES_AT, 4),
    set(OTHER_AT, DATA_AT, 0),
    set(OTHER_AT, DATA_AT, 4, 6),
    set(ACROSS, DATA_AT, 4),
    set(ACROSS, DATA_AT, 4), // the same: nothing is written
    set(ACROSS, DATA_AT, 2, 7 | APPEND),
    call("GetVariable", [at(ACROSS), at(VENDOR_AT), at(ATTRIBUTES_AT), at(AFTER), at(OUT_AT)], [
      at(OUT_AT),
      6,
    ]),
    call("SetVirtualAddressMap", [48, 48, 1, at(OUT_AT)]),
    set(ACROSS, DATA_AT, 0),
    set(ACROSS, DATA_AT, 0),
    call("UpdateCapsule", []),
    call("ResetSystem", [9]),
    call("ResetSystem", [2]),
  ];
  const { results, disk, events } = run(calls);
  assertEquals(results, [
    ...["SUCCESS", "SUCCESS", ...Array<string>(4).fill("UNSUPPORTED"), INVALID, INVALID, INVALID],
    ...["NOT_FOUND", "UNSUPPORTED", "SUCCESS", "UNSUPPORTED", "UNSUPPORTED", "UNSUPPORTED"],
    ...["NOT_FOUND 0000000000000000", "WRITE_PROTECTED", "SUCCESS 01020304", "WRITE_PROTECTED", INVALID],
    ...["SUCCESS", "SUCCESS", "SUCCESS", "SUCCESS 010203040102", "UNSUPPORTED", "SUCCESS", "NOT_FOUND"],
    ...["UNSUPPORTED", INVALID],
  ]);
  assertEquals(variablesOn(disk).map(({ name }) => name), ["Name"]);
  const changes = events.flatMap((event) => event.kind === "variableWritten" ? [event] : []);
  assertEquals(changes.map(({ name, before, after }) => `${name}:${before.length}>${after.length}`), [
    "Name:0>4",
    "Other:0>4",
    "Across:0>4",
    "Across:4>6",
    "Across:6>0",
  ]);
});

Deno.test("GetNextVariableName goes through all, and says how much room it takes; QueryVariableInfo what is left", () => {
  const variables = ["B", "Name", "Long name"].map((name) => (
    { vendor: VENDOR, name, attributes: name === "B" ? 3 : 7, data: Uint8Array.of(9) }
  ));
  const next = (dump: number) =>
    call("GetNextVariableName", [at(AFTER), at(OUT_AT), at(VENDOR_AT)], [at(OUT_AT), dump]);
  const { results } = run([
    call("Leave", []),
    next(12),
    call("GetNextVariableName", [at(SIZE_AT), at(OUT_AT), at(VENDOR_AT)], [at(SIZE_AT), 1]), // no room for its own name
    call("SetMem", []),
    { ...next(20), arguments: [at(BIG_AT), at(OUT_AT), at(VENDOR_AT)] },
    { ...next(2), arguments: [at(BIG_AT), at(OUT_AT), at(VENDOR_AT)] },
    call("QueryVariableInfo", [7, at(OUT_AT), at(OUT_AT + 8), at(OUT_AT + 16)], [at(OUT_AT), 24]),
    call("QueryVariableInfo", [3, at(OUT_AT), at(OUT_AT + 8), at(OUT_AT + 16)]),
  ], { disk: variableDisk(0x4000, variables) });
  const hex = (text: string) => [...wide(text)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  assertEquals(results, [
    "SUCCESS",
    `SUCCESS ${hex("Name")}0000`,
    `${INVALID} 04`,
    "UNSUPPORTED",
    `SUCCESS ${hex("Long name")}`,
    `NOT_FOUND ${hex("Long name").slice(0, 4)}`,
    `SUCCESS ${
      [7440, 7440 - 3 * 496, 7412].map((value) => {
        return [...quads(value)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
      }).join("")
    }`,
    INVALID,
  ]);
});

Deno.test("a full store refuses with EFI_OUT_OF_RESOURCES and keeps what it had", () => {
  const big = { vendor: VENDOR, name: "Name", attributes: 7, data: new Uint8Array(7000).fill(5) };
  const { results, disk } = run([
    set(OTHER_AT, 0, 0x800),
    get(OTHER_AT, BIG_AT, OUT_AT, ATTRIBUTES_AT, 1),
    set(NAME_AT, DATA_AT, 0),
    set(OTHER_AT, 0, 0x800),
  ], { disk: variableDisk(0x4000, [big]) });
  assertEquals(results.map((line) => line.split(" ")[0]), [
    "OUT_OF_RESOURCES",
    "NOT_FOUND",
    "SUCCESS",
    "SUCCESS",
  ]);
  assertEquals(variablesOn(disk).map(({ name }) => name), ["Other"]);
});

Deno.test("SetTime and GetTime have the clock of the board, with the zone that was set", () => {
  const time = (year: number, month: number, day: number, zone: number, daylight = 0): Uint8Array => {
    const bytes = new Uint8Array(16), view = new DataView(bytes.buffer);
    view.setUint16(0, year, true);
    bytes.set([month, day, 23, 59, 58], 2);
    view.setInt16(12, zone, true);
    view.setUint8(14, daylight);
    return bytes;
  };
  const { results } = exercise([
    call("SetTime", [at(0x00)]),
    call("GetTime", [at(OUT_AT), 0], [at(OUT_AT), 16]),
    call("SetTime", [at(0x10)]),
    call("SetTime", [at(0x20)]),
    call("SetTime", [at(0x30)]),
    call("SetTime", [at(0x40)]),
    call("GetTime", [at(OUT_AT), at(0x100)], [at(0x100), 12]),
    call("GetWakeupTime", [at(OUT_AT), at(OUT_AT), at(OUT_AT)]),
  ], {
    contents: [
      [0x00, time(2024, 2, 29, -60, 3)],
      [0x10, time(2023, 2, 29, 0)],
      [0x20, time(1969, 1, 1, 0)],
      [0x30, time(2026, 13, 1, 0)],
      [0x40, time(2030, 1, 1, 0x7ff)],
    ],
  });
  assertEquals(results, [
    "SUCCESS",
    `SUCCESS ${"e807021d173b3a00" + "00000000c4ff0300"}`,
    ...Array<string>(3).fill(INVALID),
    "SUCCESS",
    "SUCCESS 0100000080f0fa0201000000",
    "UNSUPPORTED",
  ]);
});

Deno.test("a loss of power at any operation of the disk leaves the old or the new value, in the machine too", () => {
  const old = { vendor: VENDOR, name: "Name", attributes: 7, data: Uint8Array.of(9, 9) };
  const found = Array.from({ length: 5 }, (_, operations) => {
    const { disk, end, results } = run(
      [set(NAME_AT, DATA_AT, 8), set(NAME_AT, 0, 1200), set(NAME_AT, 0, 0)],
      {
        disk: variableDisk(0x4000, [old]),
        inputs: [{ kind: "monitorCommanded", level: 2, command: `rts-upcall fail-power ${operations}` }],
      },
    );
    assertEquals(end.reason, "poweredOff");
    return `${results.length} ${variablesOn(disk)[0]?.data.length}`;
  });
  // A record of one sector and its flush; one of three.
  assertEquals(found, ["0 2", "0 2", "1 8", "1 8", "1 8"]);
});

Deno.test("rts-upcall says what it cannot be set up with, and what it cannot be told", () => {
  const inputs = (command: string) => [{ kind: "monitorCommanded" as const, level: 2, command }];
  assertThrows(() => run([], { inputs: inputs("rts-upcall fail-power x") }), Error, "fail-power N");
  assertThrows(() => run([], { disk: new Uint8Array(512) }), ConfigurationError, "of 16384 at least");
});
