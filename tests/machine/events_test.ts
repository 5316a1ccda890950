/** Events: the zod union, canonical bytes, and numbering that does not depend on who listens. */
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { ACCESS_LOG_CAPACITY } from "../../machine/access_log.ts";
import { Clock } from "../../machine/clock.ts";
import {
  EVENT_KIND_NAMES,
  type EventClass,
  EventHub,
  eventSchema,
  inputSchema,
  type MachineEvent,
  writeEvent,
} from "../../machine/events.ts";
import { ByteWriter } from "../../machine/layout.ts";

function gather(classes: readonly EventClass[]): MachineEvent[] {
  const clock = new Clock();
  const hub = new EventHub(clock);
  const events: MachineEvent[] = [];
  hub.add({ classes, observe: (event) => events.push(event) });
  hub.emit("timeSkipped", 0, { from: 0, to: 5 });
  hub.emit("deviceRead", 0, { device: "uart", address: 0x9000018, size: 4, value: 0x90n });
  clock.instant++;
  hub.emit("machineReset", 1, {});
  return events;
}

Deno.test("EventHub delivers events of the classes asked for, stamped with instant, cpu and index", () => {
  assertEquals(gather(["device", "trap"]), [
    {
      kind: "deviceRead",
      instant: 0,
      cpu: 0,
      index: 1,
      device: "uart",
      address: 0x9000018,
      size: 4,
      value: 0x90n,
    },
    { kind: "machineReset", instant: 1, cpu: 1, index: 0 },
  ]);
});

Deno.test("EventHub numbers events the same whoever listens", () => {
  const all = gather(["input", "trap", "device", "detail", "step"]);
  assertEquals(gather(["device"]), all.filter(({ kind }) => kind === "deviceRead"));
});

Deno.test("EventHub.emitAccess gives numbers where all take them, and the same event where one does not", () => {
  const hub = new EventHub(new Clock()), seen: unknown[] = [];
  const access = { kind: "deviceRead", cpu: 1, device: "uart", address: 0x9000018, size: 4 } as const;
  hub.add({
    classes: ["device"],
    observe: (event) => seen.push(event),
    observeAccess: (given, instant, index, value) => {
      assert(given === access);
      seen.push({ instant, index, value });
    },
  });
  assert(hub.takesNumbers);
  hub.emitAccess(access, 0xffff_ffff);
  const other = { classes: ["device"] as const, observe: (event: MachineEvent) => seen.push(event) };
  hub.add(other);
  assert(!hub.takesNumbers);
  hub.emitAccess(access, 0xffff_ffff);
  hub.remove(other);
  assert(hub.takesNumbers);
  const event = { ...access, instant: 0, index: 1, value: 0xffff_ffffn };
  assertEquals(seen, [{ instant: 0, index: 0, value: 0xffff_ffff }, event, event]);
});

Deno.test("EventHub.wantsSteps follows observers of steps", () => {
  const hub = new EventHub(new Clock());
  const observer = { classes: ["step"] as const, observe: () => {} };
  assert(!hub.wantsSteps);
  hub.add(observer);
  assert(hub.wantsSteps);
  hub.remove(observer);
  assert(!hub.wantsSteps);
});

Deno.test("eventSchema takes every delivered event and refuses wrong and additional fields", () => {
  for (const event of gather(["detail", "device", "trap"])) {
    assertEquals(eventSchema.parse(event), event);
    assert(!eventSchema.safeParse({ ...event, more: 1 }).success);
    assert(!eventSchema.safeParse({ ...event, instant: -1 }).success);
  }
  assert(!eventSchema.safeParse({ kind: "unheardOf", instant: 0, cpu: 0, index: 0 }).success);
});

Deno.test("inputSchema takes inputs only", () => {
  const address = { instant: 3, cpu: 0, index: 0 };
  assert(inputSchema.safeParse({ kind: "powerCut", ...address, virtualTime: 24 }).success);
  assert(!inputSchema.safeParse({ kind: "machineReset", ...address }).success);
});

Deno.test("writeEvent gives different bytes for events that differ in kind, address or field", () => {
  const bytes = (event: MachineEvent) => {
    const writer = new ByteWriter();
    writeEvent(writer, event);
    return writer.bytes().toHex();
  };
  const base: MachineEvent = { kind: "timeSkipped", instant: 1, cpu: 0, index: 0, from: 2, to: 3 };
  const others = [{ ...base, instant: 2 }, { ...base, cpu: 1 }, { ...base, index: 1 }, { ...base, to: 4 }];
  for (const other of others) assertNotEquals(bytes(base), bytes(other));
  assertEquals(new Set(EVENT_KIND_NAMES).size, EVENT_KIND_NAMES.length);
});

Deno.test("EventHub.emitAccess gathers accesses where all take many, and delivers them before other events", () => {
  const clock = new Clock(), hub = new EventHub(clock), seen: unknown[] = [];
  const access = { kind: "deviceRead", cpu: 1, device: "uart", address: 0x9000018, size: 4 } as const;
  hub.add({
    classes: ["device", "trap"],
    observe: ({ kind, index }) => void seen.push([kind, index]),
    observeAccess: () => assert(false, "they are gathered"),
    observeAccesses: (log) => log.forEach((_, instant, index, value) => seen.push([instant, index, value])),
  });
  hub.emitAccess(access, 1);
  clock.instant = 2 ** 33 + 5;
  hub.emitAccess(access, 2);
  assertEquals(seen, []);
  hub.emit("machineReset", 0, {});
  assertEquals(seen.splice(0), [[0, 0, 1], [2 ** 33 + 5, 0, 2], ["machineReset", 1]]);
  for (let value = 0; value < ACCESS_LOG_CAPACITY; value++) hub.emitAccess(access, value);
  assertEquals(seen.splice(0).length, ACCESS_LOG_CAPACITY, "no more than these are kept");
  hub.emitAccess(access, 7);
  const other = { classes: ["device"] as const, observe: ({ index }: MachineEvent) => void seen.push(index) };
  hub.add(other);
  const index = ACCESS_LOG_CAPACITY + 2;
  assertEquals(seen.splice(0), [[2 ** 33 + 5, index, 7]], "a new observer hears of nothing that was before");
  hub.remove(other);
  hub.emitAccess(access, 8);
  hub.deliver();
  hub.deliver();
  assertEquals(seen, [[2 ** 33 + 5, index + 1, 8]]);
});
