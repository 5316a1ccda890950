/** Events in words are digested, stored and delivered as the same events with values are. */
import { assertEquals } from "@std/assert";
import { History } from "../../journal/history.ts";
import { RowPacker } from "../../journal/row_packer.ts";
import { Clock } from "../../machine/clock.ts";
import { EventHub, type MachineEvent } from "../../machine/events.ts";

/** Values whose halves differ, on both sides of what a signed number holds. */
const FIELDS = {
  exception: "fiq",
  from: 0,
  to: 3,
  syndrome: 0x5600_ffffn,
  faultAddress: 0xffff_8000_1234_5678n,
  faultIpa: 0n,
  returnAddress: 0x7fff_ffff_ffff_fffcn,
  savedState: 0x6000_03c5n,
  vector: 0x8000_0000_0000_0000n,
} as const;

const WORDS = Uint32Array.from(
  Object.values(FIELDS).flatMap((value) => {
    if (typeof value === "string") return [["synchronous", "irq", "fiq", "serror"].indexOf(value), 0];
    const wide = BigInt(value);
    return [Number(wide & 0xffff_ffffn), Number(wide >> 32n)];
  }),
);

function heard(emit: (events: EventHub) => void) {
  const clock = new Clock(), events = new EventHub(clock), history = new History(), rows = new RowPacker();
  const seen: MachineEvent[] = [];
  events.add(history);
  events.add({
    classes: ["trap"],
    observe: () => {},
    observeParts: (...event) => rows.add(...event),
    observeWords: (...event) => rows.addWords(...event),
  });
  events.add({ classes: ["trap"], observe: (event) => void seen.push(event) });
  for (const instant of [0, 0, 127, 128, 65536, 2 ** 33]) {
    clock.instant = instant;
    emit(events);
  }
  let taken = new Uint8Array();
  rows.take(2 ** 34, ({ bytes }) => void (taken = bytes.slice()));
  return { seen, rows: taken, root: history.close(new Uint8Array(32)) };
}

Deno.test("EventHub.emitWords tells what emit tells", () => {
  const values = heard((events) => events.emit("exceptionTaken", 5, FIELDS));
  const words = heard((events) => events.emitWords("exceptionTaken", 5, WORDS));
  assertEquals(words, values);
  assertEquals(values.seen.length, 6);
});
