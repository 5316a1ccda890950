/** Malformed messages of the Debug Adapter Protocol: a session survives them or closes. */
import { assert, assertEquals } from "@std/assert";
import type { DapSession } from "../../../cli/dap/session.ts";
import { SEED } from "../../journal/support.ts";
import { fractions, fuzzSessions } from "./fuzz.ts";
import { Client, recorded } from "./support.ts";

Deno.test("a session of an editor survives malformed messages, and the run stays what it was", () => {
  const open = recorded(`
start:  mov     x0, #5
loop:   sub     x0, x0, #1
        adr     x1, cell
        str     x0, [x1]
        cbnz    x0, loop
        ldr     x0, =0x84000008
        hvc     #0
        .ltorg
cell:   .quad   0
`);
  // A run is opened once: what many sessions do to it must not show.
  const opened = open(), root = (): string => opened.timeline.machine.stateRoot().root.toHex();
  opened.timeline.seek(opened.timeline.lastInstant);
  const before = root();
  const clients: Client[] = [];
  const begin = (): DapSession => {
    clients.push(new Client(() => opened).launch());
    return clients.at(-1)!.session;
  };
  const { closed } = fuzzSessions(2000, fractions(SEED), begin);
  const defects = clients.flatMap(({ received }) => received).filter((message) =>
    JSON.stringify(message).includes("defect of Hindsight")
  );
  assertEquals(defects, [], `seed ${SEED}`);
  opened.timeline.seek(opened.timeline.lastInstant);
  assertEquals(root(), before, `seed ${SEED}`);
  assert(closed > 0, `seed ${SEED}`);
});
