/** The variable store: a loss of power at every write, with every part of what was not flushed. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  type LogDevice,
  memoryLog,
  SMALLEST_LOG,
  type Variable,
  variableDisk,
  VariableLog,
  variablesOn,
} from "../../../hypervisor/variable_store/variable_log.ts";

const VENDOR = "8be4df61-93ca-11d2-aa0d-00e098032b8c", SECTOR = 512;

const variable = (name: string, fill: number, size: number): Variable => (
  { vendor: VENDOR, name, attributes: 7, data: new Uint8Array(size).fill(fill) }
);

const textOf = (variables: Iterable<Variable>): string =>
  [...variables].map(({ name, data }) => `${name}=${data[0]}x${data.length}`).join(" ");

/** A device that tells of every operation, in order. */
type Operation = { readonly offset: number; readonly sector: Uint8Array } | "flush";

function watched(
  bytes: Uint8Array<ArrayBuffer>,
): { readonly device: LogDevice; readonly operations: Operation[] } {
  const operations: Operation[] = [], memory = memoryLog(bytes);
  const device: LogDevice = {
    ...memory,
    write(offset, sector) {
      operations.push({ offset, sector: sector.slice() });
      memory.write(offset, sector);
    },
    flush: () => void operations.push("flush"),
  };
  return { device, operations };
}

/**
 * All that a disk can be when the power fails at any place among operations: what was flushed before is there; of the
 * writes since, any subset is, and one of them may be torn at any of some bytes.
 */
function* diskAfterCuts(
  before: Uint8Array,
  operations: readonly Operation[],
): Generator<Uint8Array<ArrayBuffer>> {
  const durable = before.slice();
  let pending: { readonly offset: number; readonly sector: Uint8Array }[] = [];
  const put = (bytes: Uint8Array, { offset, sector }: (typeof pending)[number], count = SECTOR) =>
    bytes.set(sector.subarray(0, count), offset);
  for (const operation of [...operations, "end" as const]) {
    for (let subset = 0; subset < 1 << pending.length; subset++) {
      const disk = durable.slice();
      for (const [index, write] of pending.entries()) if (subset >> index & 1) put(disk, write);
      yield disk;
    }
    for (const torn of pending) {
      for (const count of [1, 8, 15, 16, 17, 40, 256, 511]) {
        const disk = durable.slice();
        for (const write of pending) put(disk, write, write === torn ? count : SECTOR);
        yield disk;
      }
    }
    if (operation === "end") return;
    if (operation !== "flush") pending.push(operation);
    else {
      for (const write of pending) put(durable, write);
      pending = [];
    }
  }
}

Deno.test("VariableLog keeps what was set, in order, and loses what was deleted", () => {
  const bytes = new Uint8Array(SMALLEST_LOG), log = new VariableLog(memoryLog(bytes));
  assertEquals([log.capacity, log.free, textOf(log.variables)], [7440, 7440, ""]);
  assert(log.set(variable("a", 1, 10)));
  assert(log.set(variable("b", 2, 1000)));
  assert(log.set(variable("c", 3, 1)));
  assert(log.set(variable("a", 4, 20)));
  assert(log.set(variable("b", 0, 0)));
  assertEquals(textOf(variablesOn(bytes)), "a=4x20 c=3x1");
  assertEquals(log.free, 7440 - 2 * 496);
  assertEquals(log.get(VENDOR, "a")?.data.length, 20);
  assertEquals(log.get(VENDOR, "b"), undefined);
  assertThrows(() => new VariableLog(memoryLog(new Uint8Array(512))), RangeError, "16384 bytes or more");
});

Deno.test("VariableLog has the old or the new value after a loss of power at any write", () => {
  let bytes: Uint8Array<ArrayBuffer> = variableDisk(SMALLEST_LOG, [variable("fixed", 9, 600)]),
    cuts = 0,
    moved = 0;
  for (let step = 0; step < 24; step++) {
    const name = `v${step % 2}`, size = step % 5 === 4 ? 0 : 200 + step * 60;
    const old = textOf(variablesOn(bytes)), before = bytes.slice();
    const { device, operations } = watched(bytes);
    assert(new VariableLog(device).set(variable(name, step + 1, size)));
    const now = textOf(variablesOn(bytes));
    if (operations.filter((operation) => operation === "flush").length === 2) moved++;
    for (const disk of diskAfterCuts(before, operations)) {
      const found = textOf(variablesOn(disk));
      assert(found === old || found === now, `step ${step}: ${found} is neither ${old} nor ${now}`);
      cuts++;
    }
    // The next step starts from a disk on which a part of a write that never counted is left.
    const torn = [...diskAfterCuts(before, operations)].find((disk) => textOf(variablesOn(disk)) === old);
    const left = torn!.slice(), again = new VariableLog(memoryLog(left));
    assert(again.set(variable(name, step + 1, size)));
    assertEquals(textOf(variablesOn(left)), now);
    bytes = left;
  }
  assert(moved >= 2, `${moved} moves to the other area`);
  assert(cuts > 2000, `${cuts} cuts`);
});

Deno.test("VariableLog refuses what does not fit, deletes when full, and takes no data for a record", () => {
  const bytes = new Uint8Array(SMALLEST_LOG), log = new VariableLog(memoryLog(bytes));
  // Contents that look like sectors of the log do not become any, wherever they lie.
  const forged = variableDisk(SMALLEST_LOG, [variable("forged", 1, 4)]).slice(SECTOR, 2 * SECTOR);
  for (let shift = 0; shift < 2; shift++) {
    const data = new Uint8Array(2600);
    for (let at = 496 - 28 - 6; at + SECTOR < data.length; at += 496) data.set(forged.subarray(0, 496), at);
    assert(log.set({ vendor: VENDOR, name: `f${shift}`, attributes: 7, data }));
  }
  assertEquals(textOf(variablesOn(bytes)).includes("forged"), false);
  assert(log.set(variable("g", 5, 900)));
  assertEquals(log.set(variable("h", 6, 900)), false);
  assertEquals(log.set(variable("g", 6, 3000)), false);
  assertEquals(log.get(VENDOR, "g")?.data[0], 5);
  assert(log.set(variable("g", 7, 950)), "its own place is free for it");
  for (const name of ["f0", "f1", "g"]) assert(log.set(variable(name, 0, 0)), name);
  assertEquals(textOf(variablesOn(bytes)), "");
});

Deno.test("VariableLog tells damage from a loss of power", () => {
  const bytes = variableDisk(SMALLEST_LOG, [variable("a", 1, 4), variable("b", 2, 4), variable("c", 3, 4)]);
  const start = bytes.findIndex((_, at) => at % SECTOR === 0 && bytes[at + 4] === 2);
  bytes[start + 30]! ^= 1;
  assertThrows(() => variablesOn(bytes), RangeError, "damaged");
  bytes[start + 30]! ^= 1;
  bytes[start + 2 * SECTOR + 30]! ^= 1;
  assertEquals(textOf(variablesOn(bytes)), "a=1x4 b=2x4");
});
