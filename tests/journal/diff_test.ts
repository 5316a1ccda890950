/** Diff and bisect on two recordings of a guest, the second with a CPU switch that loses an increment. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { bisect } from "../../journal/bisect.ts";
import { diff } from "../../journal/diff.ts";
import { eventStream } from "../../journal/event_stream.ts";
import { PredicateError } from "../../journal/errors.ts";
import { compilePredicate } from "../../journal/predicate.ts";
import type { EventOf } from "../../machine/events.ts";
import { counterGuest, recordGuest } from "./guest.ts";

const guest = counterGuest();
const right = recordGuest(guest);
const symbol = (name: string) => guest.program.symbols.get(name)!;

/** The instant after cpu1's tenth load of the counter. */
const instant = ([...eventStream(right.run, guest.images, { classes: ["step"] })] as EventOf<"stepRetired">[])
  .filter(({ cpu, pc }) => cpu === 1 && pc === symbol("load1"))[9]!.instant + 1;
const wrong = recordGuest(guest, { inputs: [{ instant, input: { kind: "cpuSwitchForced", target: 0 } }] });
const sideOf = ({ run }: typeof right) => ({ run, images: guest.images });

Deno.test("diff names the injected switch as the first divergent event", () => {
  const found = diff(sideOf(right), sideOf(wrong));
  assert(found.kind === "divergent");
  assertEquals(found.instant, instant);
  const [left, other] = found.sides;
  assertEquals(other.event?.kind, "cpuSwitchForced");
  assertEquals(left.event?.kind, "stepRetired");
  assertEquals(left.before, other.before);
  assertEquals([left.replay.instant, other.replay.instant], [instant, instant]);
});

Deno.test("diff says that a run equals itself, and a prefix is only shorter", () => {
  assertEquals(diff(sideOf(right), sideOf(right)).kind, "equal");
  const prefix = recordGuest(guest, { limit: 1500 });
  assertEquals(diff(sideOf(prefix), sideOf(right)), {
    kind: "length",
    lastInstants: [1500, right.end.instant],
  });
});

Deno.test("bisect finds the step from which the books do not balance, and scan finds the same", () => {
  assert(wrong.console.includes("counter 299, expected 300"));
  const at = (name: string) => `memory(0x${symbol(name).toString(16)}, 8)`;
  const predicate = compilePredicate(`${at("counter")} < ${at("tally0")} + ${at("tally1")}`);
  const found = bisect(wrong.run, guest.images, predicate);
  assert(found.kind === "found");
  const step = found.events.at(-1) as EventOf<"stepRetired">;
  assertEquals([step.kind, step.pc, step.instant], ["stepRetired", symbol("store1"), found.instant - 1]);
  const never = bisect(right.run, guest.images, predicate);
  assertEquals([never.kind, never.kind === "never" && never.lastInstant], ["never", right.end.instant]);
  const scanned = bisect(wrong.run, guest.images, predicate, { scan: true });
  assert(scanned.kind === "found");
  assertEquals(scanned.instant, found.instant);
});

Deno.test("bisect finds an instant and a register's value", () => {
  const found = bisect(right.run, guest.images, compilePredicate("instant >= 1234"));
  assert(found.kind === "found");
  assertEquals(found.instant, 1234);
  const mmu = bisect(right.run, guest.images, compilePredicate('register("SCTLR_EL1", 0) % 2 == 1'));
  assert(mmu.kind === "found");
  assertEquals(
    mmu.events.find(({ kind }) => kind === "systemRegisterWritten")?.kind,
    "systemRegisterWritten",
  );
});

Deno.test("compilePredicate points into what it cannot use", () => {
  const wrongs = ["memory(1, ", 'memory("x", 4) == 1', "instant", "nothing == 1", "instant = 5"];
  for (const expression of wrongs) assertThrows(() => compilePredicate(expression), PredicateError);
  const unread = compilePredicate("memory(0x100000000000, 8) == 1");
  assertThrows(
    () => bisect(right.run, guest.images, unread),
    PredicateError,
    "There is no memory at 0x100000000000",
  );
  const unknown = compilePredicate('register("x31") == 1');
  assertThrows(() => bisect(right.run, guest.images, unknown), PredicateError, 'There is no register "x31"');
});
