/** Event rows: every kind survives the journal's codec and zod; what is no event is refused. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { decodeValue, encodeValue } from "../../journal/codec.ts";
import { eventToJson } from "../../journal/event_json.ts";
import { eventOfRow, isRowOf, rowOfEvent } from "../../journal/event_rows.ts";
import type { MachineEvent } from "../../machine/events.ts";

const EVENTS: readonly MachineEvent[] = [
  { kind: "consoleReceived", instant: 1, cpu: 0, index: 0, virtualTime: 8, bytes: new Uint8Array([13, 255]) },
  {
    kind: "registerPatched",
    instant: 2,
    cpu: 0,
    index: 0,
    virtualTime: 16,
    target: 1,
    register: "x0",
    value: 2n ** 64n - 1n,
  },
  {
    kind: "deviceRead",
    instant: 3,
    cpu: 1,
    index: 2,
    device: "uart0",
    address: 0x9000018,
    size: 4,
    value: 0n,
  },
  {
    kind: "firmwareCalled",
    instant: 4,
    cpu: 0,
    index: 0,
    conduit: "hvc",
    function: 0xc4000003,
    arguments: [1n, 2n ** 63n, 0n],
    result: 0n,
  },
  { kind: "machineReset", instant: 2 ** 53 - 1, cpu: 7, index: 0 },
];

Deno.test("rowOfEvent and eventOfRow carry every event through the codec", () => {
  for (const event of EVENTS) assertEquals(eventOfRow(decodeValue(encodeValue(rowOfEvent(event)))), event);
});

Deno.test("eventOfRow refuses unknown kinds, missing and additional fields, and values out of range", () => {
  const row = rowOfEvent(EVENTS[2] as MachineEvent);
  for (const wrong of [[], ["deviceRead"], ["unheardOf", 0, 0, 0], row.slice(0, -1), [...row, 1], 5, null]) {
    assertThrows(() => eventOfRow(wrong));
  }
  assertThrows(() => eventOfRow(row.with(1, -1)));
  assertThrows(() => eventOfRow(row.with(6, "4")));
});

Deno.test("eventToJson writes 64-bit values as hexadecimal and bytes as digits, stored or not", () => {
  const [received, patched] = EVENTS as [MachineEvent, MachineEvent];
  const line = '{"kind":"consoleReceived","instant":1,"cpu":0,"index":0,"virtualTime":8,"bytes":"0dff"}';
  assertEquals(eventToJson(received), line);
  assertEquals(eventToJson(eventOfRow(decodeValue(encodeValue(rowOfEvent(received))))), line);
  assertEquals(
    eventToJson(patched),
    '{"kind":"registerPatched","instant":2,"cpu":0,"index":0,"virtualTime":16,"target":1,"register":"x0",' +
      '"value":"0xffffffffffffffff"}',
  );
});

Deno.test("isRowOf tells the row of an event from every other", () => {
  const event = {
    ...{ kind: "firmwareCalled", instant: 5, cpu: 1, index: 2 } as const,
    ...{ conduit: "smc" as const, function: 7, arguments: [1n, 2n], result: 3n },
  };
  const { kind, instant, cpu, index, ...fields } = event;
  const row = rowOfEvent(event);
  const isRow = (other: readonly unknown[]) => isRowOf(other, kind, instant, cpu, index, fields);
  assert(isRow(row));
  for (let at = 0; at < row.length; at++) {
    for (const value of [null, 1n, [1n], [1n, 4n], "hvc"]) assert(!isRow(row.with(at, value)), `${at}`);
  }
  assert(!isRow(row.slice(0, -1)) && !isRow([...row, 0]));
  const bytes = { virtualTime: 1, bytes: Uint8Array.of(1, 2) };
  const typed = (...some: number[]) => ["consoleReceived", 5, 1, 2, 1, Uint8Array.of(...some)];
  assert(isRowOf(typed(1, 2), "consoleReceived", 5, 1, 2, bytes));
  assert(!isRowOf(typed(1, 3), "consoleReceived", 5, 1, 2, bytes));
});
