/** Events on their way into a block: the bytes are those of the codec. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { ACCESS_LOG_CAPACITY, AccessLog } from "../../machine/access_log.ts";
import type { DeviceAccess, MachineEvent } from "../../machine/events.ts";
import { WORTH_EXPANDING } from "../../journal/access_bytes.ts";
import { decodeValue, encodeValue } from "../../journal/codec.ts";
import { type EventRow, rowOfEvent } from "../../journal/event_rows.ts";
import { History } from "../../journal/history.ts";
import { RowPacker } from "../../journal/row_packer.ts";

/** The payload, where there is one alone. */
function taken(rows: RowPacker, through: number): Uint8Array {
  const payloads: Uint8Array[] = [];
  rows.take(through, ({ bytes }) => payloads.push(bytes.slice()));
  assertEquals(payloads.length, 1);
  return payloads[0] as Uint8Array;
}

/** Values at the edges of MessagePack's formats. */
const NUMBERS = [
  0,
  1,
  0x1f,
  0x20,
  0x7f,
  0x80,
  0xff,
  0x100,
  0xffff,
  0x1_0000,
  0xffff_ffff,
  2 ** 32,
  2 ** 53 - 1,
];
const WIDE = [0n, 1n, 2n ** 32n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n];

/** Events of all forms of fields: numbers, 64 bits, texts, names, bytes, lists. */
function events(): MachineEvent[] {
  const made: MachineEvent[] = [];
  for (const [index, instant] of NUMBERS.entries()) {
    const value = WIDE[index % WIDE.length] as bigint, at = { instant, cpu: index % 8, index };
    made.push({ kind: "deviceRead", ...at, device: `device${index}`, address: instant, size: 4, value });
    made.push({ kind: "exceptionReturned", ...at, from: 1, to: 0, address: value, state: value });
    const call = { function: 0x8400_0000, arguments: [value, 0n], result: value };
    made.push({ kind: "firmwareCalled", conduit: "smc", ...at, ...call });
    made.push({ kind: "consoleReceived", ...at, virtualTime: instant, bytes: Uint8Array.of(1, 2, index) });
    made.push({ kind: "systemRegisterWritten", ...at, register: "é".repeat(index), value });
    made.push({
      kind: "translationFaulted",
      ...at,
      address: value,
      status: 4,
      level: 3,
      stage: 1,
      write: true,
    });
  }
  return made;
}

/** The same, packed. */
function pack(rows: RowPacker, some: readonly MachineEvent[], through: number): Uint8Array {
  for (const event of some) rows.add(event.kind, event.instant, event.cpu, event.index, { ...event });
  return taken(rows, through);
}

Deno.test("RowPacker gives the bytes that the codec gives for rows", () => {
  const rows = new RowPacker(), all = events();
  for (const count of [0, 1, 15, 16, all.length]) {
    const some = all.slice(0, count);
    const expected = encodeValue({ through: 2 ** 33 + count, rows: some.map(rowOfEvent) });
    assertEquals(pack(rows, some, 2 ** 33 + count), expected, `${count} rows`);
  }
});

Deno.test("RowPacker takes more rows than a short header counts", () => {
  const event: MachineEvent = { kind: "cpuStopped", instant: 7, cpu: 1, index: 0 };
  const many = Array.from({ length: 70_000 }, () => event);
  const rows = new RowPacker();
  assertEquals(pack(rows, many, 8), encodeValue({ through: 8, rows: many.map(rowOfEvent) }));
  assertEquals([rows.count, rows.length, rows.firstInstant], [0, 0, 0]);
});

Deno.test("RowPacker tells what is gathered and refuses what a journal cannot hold", () => {
  const rows = new RowPacker();
  rows.add("cpuStopped", 7, 1, 0, {});
  rows.add("cpuStopped", 9, 1, 0, {});
  assertEquals([rows.count, rows.firstInstant], [2, 7]);
  assertThrows(() => rows.add("deviceRead", 9, 1, 1, { device: "x", address: 1, size: 1 }), TypeError);
});

Deno.test("RowPacker.addAccess gives the row that add gives", () => {
  const whole = new RowPacker(), quick = new RowPacker();
  for (const kind of ["deviceRead", "deviceWritten"] as const) {
    for (const [index, instant] of NUMBERS.entries()) {
      const address = instant, size = 1 << index % 3, device = `device${index}`, cpu = index % 8;
      const value = (NUMBERS[NUMBERS.length - 3 - index % 11] ?? 0) >>> 0;
      const access = { kind, cpu, device, address, size };
      for (const number of [index, 0x1234]) {
        whole.add(kind, instant, cpu, number, { device, address, size, value: BigInt(value) });
        quick.addAccess(access, instant, number, value);
      }
    }
  }
  assertEquals(quick.firstInstant, whole.firstInstant);
  assertEquals(taken(quick, 5), taken(whole, 5));
});

Deno.test("History.observeAccess digests what observeParts does", () => {
  const whole = new History(), quick = new History(), root = new Uint8Array(32);
  for (const instant of NUMBERS) {
    const access = { kind: "deviceRead", cpu: 3, device: "uart0", address: 0x9000018, size: 4 } as const;
    for (const [index, value] of [0, 0x90, 0xffff_ffff].entries()) {
      const { kind, cpu, ...fields } = access;
      whole.observeParts(kind, instant, cpu, index, { ...fields, value: BigInt(value) });
      quick.observeAccess(access, instant, index, value);
    }
  }
  assertEquals(quick.close(root), whole.close(root));
});

/** Accesses of many registers, as a machine would log them, and some whose slots are the same. */
function logOf(count: number): AccessLog {
  const log = new AccessLog();
  const accesses = [...NUMBERS, ...NUMBERS].map((address, index): DeviceAccess => ({
    kind: index % 2 === 0 ? "deviceRead" : "deviceWritten",
    cpu: index * 37 % 256,
    device: "device-".repeat(4).slice(0, index % 32 + 1),
    address: index < NUMBERS.length ? address : 0x9000018 + index % 3 * 0x40_0000,
    size: 1 << index % 3,
  }));
  for (let at = 0; at < count; at++) {
    const instant = at % 3 === 0 ? NUMBERS[at % NUMBERS.length] as number : at;
    const access = accesses[at % 7 === 0 ? (at * 5) % accesses.length : at % 3] as DeviceAccess;
    log.add(access, instant, at % 5 === 0 ? (NUMBERS[at % 11] ?? 0) >>> 0 : 0, (at * 2654435761) >>> 0);
  }
  return log;
}

Deno.test("RowPacker.addAccesses gives the rows that add gives", () => {
  for (const count of [1, WORTH_EXPANDING - 1, WORTH_EXPANDING, ACCESS_LOG_CAPACITY]) {
    const whole = new RowPacker(), quick = new RowPacker(), log = logOf(count);
    for (let time = 1; time <= 2; time++) {
      log.forEach(({ kind, cpu, device, address, size }, instant, index, value) => {
        whole.add(kind, instant, cpu, index, { device, address, size, value: BigInt(value) });
      });
      quick.addAccesses(log);
      assertEquals(quick.firstInstant, whole.firstInstant);
    }
    assertEquals(quick.count, whole.count);
    assertEquals(taken(quick, 5), taken(whole, 5));
  }
});

Deno.test("History.observeAccesses digests what observeParts does", () => {
  const whole = new History(), quick = new History(), root = new Uint8Array(32);
  for (const count of [3, ACCESS_LOG_CAPACITY, WORTH_EXPANDING]) {
    const log = logOf(count);
    log.forEach(({ kind, cpu, device, address, size }, instant, index, value) => {
      whole.observeParts(kind, instant, cpu, index, { device, address, size, value: BigInt(value) });
    });
    quick.observeAccesses(log);
    const next = { kind: "cpuStopped", instant: 3, cpu: 0, index: 0 } as const;
    for (const history of [whole, quick]) history.observe(next);
  }
  assertEquals(quick.peek(root), whole.peek(root));
  assertEquals(quick.close(root), whole.close(root));
});

Deno.test("RowPacker ends long blocks where an instant begins", () => {
  const rows = new RowPacker(), log = new AccessLog();
  const access = { kind: "deviceRead", cpu: 0, device: "uart0", address: 0x9000018, size: 4 } as const;
  const expected: EventRow[] = [];
  for (let at = 0; at < 150_000; at++) {
    const instant = 1000 + Math.floor(at / 3), index = at % 3;
    expected.push(["deviceRead", instant, 0, index, "uart0", 0x9000018, 4, BigInt(at)]);
    if (at < 70_000) rows.addAccess(access, instant, index, at);
    else {
      log.add(access, instant, index, at);
      if (log.count === 1000) {
        rows.addAccesses(log);
        log.clear();
      }
    }
  }
  const found: EventRow[] = [], spans: [number, number][] = [];
  rows.take(60_000, ({ bytes }, first, last) => {
    const block = decodeValue(bytes) as { through: number; rows: EventRow[] };
    assertEquals(block.through, last);
    assertEquals(block.rows[0]?.[1], first);
    assert((block.rows.at(-1)?.[1] as number) <= last && block.rows.length < 40_000);
    found.push(...block.rows);
    spans.push([first, last]);
  });
  assertEquals(found, expected);
  assert(spans.length >= 4);
  spans.forEach(([first], index) =>
    assertEquals(first, index === 0 ? 1000 : (spans[index - 1]?.[1] ?? 0) + 1)
  );
  assertEquals([spans.at(-1)?.[1], rows.count, rows.length], [60_000, 0, 0]);
});
