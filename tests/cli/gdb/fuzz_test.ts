/** Malformed packets: a session survives them or closes. */
import { assert, assertEquals } from "@std/assert";
import { GdbSession } from "../../../cli/gdb/session.ts";
import { SEED, seededRandom } from "../../journal/support.ts";
import { fuzzSessions } from "./fuzz.ts";
import { Client, counterClient, counterRun } from "./support.ts";

Deno.test("a session survives malformed packets, and the run stays what it was", () => {
  const first = counterClient(), { target } = first.session;
  const { closed } = fuzzSessions(1500, seededRandom(SEED), () => new Client(target));
  assert(closed > 0 && first.session instanceof GdbSession, `seed ${SEED}`);
  const last = new Client(target);
  last.ask("c");
  assertEquals(target.machine.stateRoot().root, counterRun().end.stateRoot, `seed ${SEED}`);
});
