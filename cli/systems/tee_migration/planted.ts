/** tee-migration's check of its checks: each finds the fault that is planted for it. */
import type { CheckContext, CheckOutcome } from "../scenario.ts";
import { watch } from "./host_checks.ts";
import { commanded, EAST, type Meddling } from "./migrations.ts";
import { lossWith } from "./power.ts";
import { Comparison } from "./verdict.ts";
import type { HostsOptions } from "./worlds.ts";

/** Number of the type of message by which a destination asks for the commit. */
const PREPARED = 7;

/** What is wrong with a realm that moves between hosts with a fault. */
function movedWith(context: CheckContext, planted: "no-state" | "no-commit", meddle?: Meddling): string[] {
  const realm = new Comparison(context);
  realm.live(planted, [commanded(1_000_000, EAST, "migrate")], {
    hosts: { planted: [planted, planted] },
    ...meddle === undefined ? {} : { meddle },
  });
  return realm.failures;
}

/** Each of the checks finds the fault that is planted for it. */
export async function plantedFaults(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], found: string[] = [];
  const seen = (planted: string, what: readonly string[], wanted: RegExp): void => {
    if (what.some((line) => wanted.test(line))) found.push(planted);
    else failures.push(`${planted} was planted, and not found: ${what.join("; ") || "nothing was"}`);
  };
  const watched = {
    "no-denial": /could read|were denied/,
    "no-wipe": /could read|something in them/,
    "plain-page": /on the link/,
  };
  for (const [planted, wanted] of Object.entries(watched) as ["no-wipe", RegExp][]) {
    const hosts: HostsOptions = { hasHost: true, hasDisk: true, planted: [planted, planted] };
    seen(
      planted,
      (await watch(context, hosts, planted === "no-wipe" ? undefined : 4_000_000)).failures,
      wanted,
    );
  }
  // An answer that never comes: the source rolls back, and a destination that did not wait for its word runs as well.
  const silent: Meddling = (bytes, fromSource) => !fromSource && bytes[0] === PREPARED ? [] : [bytes];
  seen("no-state", movedWith(context, "no-state"), /in place of/);
  seen("no-commit", movedWith(context, "no-commit", silent), /in place of/);
  await context.breathe();
  seen("no-seal", lossWith(context, [undefined, "no-seal"]), /0 copies/);
  seen("no-record", lossWith(context, ["no-record", undefined]), /2 copies|one time/);
  await context.breathe();
  return { failures, figures: { planted: found.join(" ") } };
}
