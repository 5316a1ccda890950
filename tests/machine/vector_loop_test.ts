/** `--stop-at vector-loop`: a run ends where an exception loops at its vector, and nothing changes without it. */
import { assertEquals } from "@std/assert";
import type { ConfigurationInput } from "../../machine/configuration.ts";
import type { MachineEvent } from "../../machine/events.ts";
import { ENGINES, Machine } from "../../machine/machine.ts";
import { flatGuest } from "../journal/guest.ts";

/** Guests that end in a loop, by why; each takes an exception of its own first. */
// deno-fmt-ignore
const LOOPS: Readonly<Record<string, string>> = {
  "vectors where there is no memory": "ldr x0, =0x2000000000; msr vbar_el1, x0; isb; svc #0",
  "vectors full of zeros":            "adr x0, zeros; msr vbar_el1, x0; isb; svc #0; .ltorg; .balign 2048; zeros: .space 2048",
  "vectors that are data":            "adr x0, data; msr vbar_el1, x0; isb; brk #0; .ltorg; .balign 2048; data: .fill 512, 4, 0xffffffff",
};

/** Guests that take the same exception again and again, but do something in between. */
// deno-fmt-ignore
const NO_LOOPS: Readonly<Record<string, string>> = {
  "a handler that returns":     "adr x0, v; msr vbar_el1, x0; isb; mov x1, #0; 1: svc #0; b 1b; .balign 2048; v: .space 0x200; eret",
  "a handler that faults late": "adr x0, v; msr vbar_el1, x0; isb; svc #0; .balign 2048; v: .space 0x200; nop; brk #0",
};

function run(source: string, more: ConfigurationInput, engine: string, limit = 3000) {
  const guest = flatGuest(source);
  const machine = new Machine(guest.configuration(more), guest.images, { engine });
  const events: MachineEvent[] = [];
  machine.board.events.add({ classes: ["trap"], observe: (event) => events.push(event) });
  const stop = machine.run(limit);
  return { machine, stop, events, root: machine.stateRoot().root.toHex() };
}

Deno.test("vectorLoopDetected ends a run at the second identical abort, on every engine", () => {
  for (const [why, source] of Object.entries(LOOPS)) {
    const engines = why.endsWith("memory") ? Object.keys(ENGINES) : ["reference"];
    const roots = engines.map((engine) => {
      const { machine, stop, events, root } = run(source, { stopAt: ["vector-loop"] }, engine);
      assertEquals(stop, { reason: "poweredOff", exitCode: 254, cut: false }, why);
      assertEquals(events.map(({ kind }) => kind), [
        "exceptionTaken", // the guest's own
        "exceptionTaken", // the vector's: from here on the state stays
        "exceptionTaken",
        "vectorLoopDetected",
        "machinePoweredOff",
      ], why);
      const [taken, found] = events.slice(2, 4);
      if (taken?.kind !== "exceptionTaken" || found?.kind !== "vectorLoopDetected") throw new Error(why);
      const { vector, syndrome, faultAddress, to } = taken;
      assertEquals([found.vector, found.syndrome, found.faultAddress, found.level], [
        vector,
        syndrome,
        faultAddress,
        to,
      ], why);
      assertEquals(taken.returnAddress, vector);
      return [root, machine.instant];
    });
    for (const root of roots) assertEquals(root, roots[0], why);
  }
});

Deno.test("without --stop-at a loop goes on, and its states and events are what they were", () => {
  for (const [why, source] of Object.entries(LOOPS)) {
    const { stop, events } = run(source, {}, "reference");
    assertEquals(stop.reason, "limit", why);
    assertEquals(events.every(({ kind }) => kind === "exceptionTaken"), true, why);
  }
});

Deno.test("--stop-at vector-loop lets handlers run that get somewhere, and changes no state", () => {
  for (const [why, source] of Object.entries(NO_LOOPS)) {
    const free = run(source, {}, "reference"),
      watched = run(source, { stopAt: ["vector-loop"] }, "reference");
    assertEquals(watched.stop.reason, "limit", why);
    assertEquals(watched.root, free.root, why);
  }
});
