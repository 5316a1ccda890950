/** Bisect along a run, in its three ways, which agree; and between two runs. */
import { assert, assertEquals } from "@std/assert";
import { bisect, type Bisection } from "../../journal/bisect.ts";
import { bisectRuns } from "../../journal/bisect_runs.ts";
import { compilePredicate, compileTraced } from "../../journal/predicate.ts";
import type { EventOf, Input } from "../../machine/events.ts";
import { counterGuest, flatGuest, recordGuest } from "./guest.ts";

const guest = counterGuest();
const run = recordGuest(guest);
const symbol = (name: string) => guest.program.symbols.get(name)!;
const at = (name: string) => `memory(0x${symbol(name).toString(16)}, 8)`;

function instantOf(found: Bisection): number {
  assert(found.kind === "found", found.kind);
  return found.instant;
}

Deno.test("bisect by watching finds what a scan finds, looking only when what is read was written", () => {
  for (
    const expression of [`${at("counter")} == 100`, `${at("counter")} % 64 == 63`, `${at("tally1")} > 140`]
  ) {
    const watched = bisect(run.run, guest.images, compileTraced(expression));
    const scanned = bisect(run.run, guest.images, compileTraced(expression), { scan: true });
    assertEquals(instantOf(watched), instantOf(scanned), expression);
    assertEquals([watched.effort.method, scanned.effort.method], ["watch", "scan"]);
    assert(watched.effort.looks < scanned.effort.looks / 5, `${watched.effort.looks} looks`);
    assert(watched.kind === "found");
    assertEquals((watched.events.at(-1) as EventOf<"stepRetired">).memory.some(({ write }) => write), true);
  }
});

Deno.test("bisect watches through pointers that change", () => {
  const pointers = flatGuest(`
        adr     x0, first
        adr     x1, second
        adr     x2, pointer
        str     x0, [x2]
        mov     x3, #1
        str     x3, [x1]                        // the pointer is not there yet
        mov     x3, #7
        str     x3, [x1]
now:    str     x1, [x2]
        str     x3, [x0]
        ldr     x0, =0x84000008
        hvc     #0
        .align  3
pointer: .quad  0
first:   .quad  0
second:  .quad  0
`);
  const recorded = recordGuest(pointers, { machine: { cpus: 1 } });
  const pointer = `memory(0x${pointers.program.symbols.get("pointer")!.toString(16)}, 8)`;
  const expression = `${pointer} != 0 && memory(${pointer}, 8) == 7`;
  const found = bisect(recorded.run, pointers.images, compileTraced(expression));
  assert(found.kind === "found");
  assertEquals(found.effort.method, "watch");
  assertEquals((found.events.at(-1) as EventOf<"stepRetired">).pc, pointers.program.symbols.get("now"));
});

Deno.test("bisect by watching finds a patch, which no CPU writes", () => {
  const input: Input = { kind: "memoryPatched", address: 0x40400000, bytes: Uint8Array.of(5) };
  const patched = recordGuest(guest, { inputs: [{ instant: 777, input }] });
  const found = bisect(patched.run, guest.images, compileTraced("memory(0x40400000, 1) == 5"));
  assertEquals([instantOf(found), found.effort.method], [778, "watch"]);
});

Deno.test("bisect halves what reads registers, and says whether it seems to stay true", () => {
  const clock = bisect(run.run, guest.images, compileTraced("instant >= 1234"));
  assertEquals([instantOf(clock), clock.effort.method, clock.effort.changes], [1234, "halve", 1]);
  const system = compileTraced('register("SCTLR_EL1", 0) % 2 == 1');
  const [halved, scanned] = [{}, { scan: true }].map((options) =>
    bisect(run.run, guest.images, system, options)
  );
  assertEquals(instantOf(halved!), instantOf(scanned!));
  const comesAndGoes = bisect(run.run, guest.images, compilePredicate("instant % 1000 >= 500"));
  assertEquals(instantOf(comesAndGoes), 500);
  assert(comesAndGoes.effort.changes > 1);
});

Deno.test("bisect says never, and always", () => {
  for (
    const [expression, method] of [[`${at("counter")} > 100000`, "watch"], ["cpu > 7", "halve"]] as const
  ) {
    const never = bisect(run.run, guest.images, compileTraced(expression));
    assertEquals([never.kind, never.effort.method], ["never", method]);
  }
  assertEquals(bisect(run.run, guest.images, compileTraced("instant >= 0")).kind, "always");
});

Deno.test("bisectRuns names where runs part, and the inputs that differ", () => {
  const type = (text: string): Input => ({ kind: "consoleReceived", bytes: new TextEncoder().encode(text) });
  const one = recordGuest(guest, {
    inputs: [{ instant: 100, input: type("a") }, { instant: 900, input: type("b") }],
  });
  const other = recordGuest(guest, {
    inputs: [
      { instant: 100, input: type("a") },
      { instant: 905, input: type("b") },
      { instant: 1000, input: { kind: "cpuSwitchForced", target: 0 } },
    ],
  });
  const side = (recorded: typeof one) => ({ run: recorded.run, images: guest.images });
  const { difference, inputs, equalInputs } = bisectRuns(side(one), side(other));
  assert(difference.kind === "divergent");
  assertEquals([difference.instant, equalInputs], [900, 1]);
  assertEquals(inputs.map(({ left, right, isTiming }) => [left?.instant, right?.instant, isTiming]), [
    [900, 905, true],
    [undefined, 1000, false],
  ]);
  assertEquals(bisectRuns(side(one), side(one)), {
    difference: { kind: "equal", rootsCompared: 1 },
    equalInputs: 2,
    inputs: [],
  });
});
