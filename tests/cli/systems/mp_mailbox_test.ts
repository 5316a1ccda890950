/** mp-mailbox's checks: what following a handshake finds in a pen at fault, and that a loader and TypeScript agree. */
import { assertEquals, assertMatch } from "@std/assert";
import { Context } from "../../../cli/systems/context.ts";
import type { Kind } from "../../../cli/systems/mp_mailbox/machines.ts";
import {
  followWake,
  handshakeFailures,
  recordWake,
  tableFailures,
} from "../../../cli/systems/mp_mailbox/small.ts";
import type { PenMutant } from "../../../firmware/mp_mailbox/pen_text.ts";
import { FakeHost } from "../support.ts";

const KIND: Kind = { by: "acpi", gic: 2, level: 1, cpus: 2 };

function testContext(): Context {
  const { signal } = new AbortController(), host = new FakeHost();
  return new Context({ host, folder: "unused", engine: "reference", all: false, signal, title: "" });
}

/** What following the handshakes of a pen finds. */
async function violationsOf(mutant: PenMutant | undefined): Promise<string[]> {
  const context = testContext(), mutants = mutant === undefined ? [] : [mutant];
  const run = await recordWake(context, KIND, { mutants, options: ["--until", "60000"] });
  if (mutant === undefined) assertEquals(tableFailures(context, run), []);
  return handshakeFailures(await followWake(context, run), KIND.cpus);
}

Deno.test("followHandshakes() finds nothing in the pen, and each planted fault", async () => {
  assertEquals(await violationsOf(undefined), []);
  assertMatch((await violationsOf("keepsAddress"))[0] ?? "", /CPU 1 branched while hasAddress/);
  assertMatch((await violationsOf("clearsEarly"))[0] ?? "", /CPU 1 addressCleared while chosen/);
  assertMatch((await violationsOf("readsEarly"))[0] ?? "", /CPU 1 addressRead while awake/);
  assertMatch((await violationsOf("keepsInterrupt"))[0] ?? "", /CPU 1 has not acknowledged what woke it/);
  assertMatch((await violationsOf("leavesInterface"))[0] ?? "", /CPU 1 is asleep at the end/);
});
