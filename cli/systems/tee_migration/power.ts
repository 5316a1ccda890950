/** tee-migration's checks of crashes and losses of power, at every event of the protocol. */
import type { CheckContext, CheckOutcome } from "../scenario.ts";
import type { TimedWorldInput } from "../../../world/course.ts";
import { commanded, EAST, type Lived, powered, WEST } from "./migrations.ts";
import { Comparison } from "./verdict.ts";
import type { HostsOptions } from "./worlds.ts";

/** When the realm is told to move. */
const MOVE_AT = 1_000_000;
const moving = commanded(MOVE_AT, EAST, "migrate");
/** Shorter than any timeout, and longer than the protocol's. */
const SHORT = 50_000, LONG = 12_000_000;

/** Times at which a message is sent or arrives: whatever agents do is done at one of them. */
function protocolTimes({ events }: Lived): number[] {
  return [...new Set(events.filter((event) => "sequence" in event).map(({ time }) => time))];
}

/** Either agent crashes before each message that it takes, and at each one that it sends. */
export async function crashes(context: CheckContext): Promise<CheckOutcome> {
  const realm = new Comparison(context), { ends, failures } = realm;
  const times = protocolTimes(realm.live("undisturbed", [moving]));
  let count = 0;
  for (const time of times) {
    for (const node of [EAST, WEST]) {
      for (const later of [0, 8]) {
        realm.live(`crash of node ${node} at ${time + later} ns`, [
          moving,
          commanded(time + later, node, "crash"),
        ]);
        count++;
      }
    }
    await context.breathe();
  }
  if (ends.east === 0 || ends.west === 0) {
    failures.push("the realm ended at one host always: the crashes came too late or too early");
  }
  return { failures, figures: { crashes: count, ...ends } };
}

/** Cuts of power of either host or both at a time, and how it comes back. */
function* cuts(
  time: number,
  all: boolean,
): Generator<readonly [what: string, inputs: readonly TimedWorldInput[]]> {
  const cut = (node: number, away: number) => [powered(time, node, false), powered(time + away, node, true)];
  for (const [node, name] of [[EAST, "source"], [WEST, "destination"]] as const) {
    yield [`the ${name} was away for a moment`, cut(node, SHORT)];
    if (all) yield [`the ${name} was away for long`, cut(node, LONG)];
  }
  if (all) yield ["both were away", [...cut(EAST, SHORT), ...cut(WEST, SHORT)]];
  yield ["both were away, the source came first", [...cut(EAST, SHORT), ...cut(WEST, LONG)]];
  yield ["both were away, the destination came first", [...cut(EAST, LONG), ...cut(WEST, SHORT)]];
}

/** Power is lost at every event of the protocol, by either host or both, and comes back in every order. */
export async function powerLosses(context: CheckContext): Promise<CheckOutcome> {
  const realm = new Comparison(context, { hasDisk: true }), { ends, failures } = realm;
  const times = protocolTimes(realm.live("undisturbed", [moving]));
  const laters = context.all ? [0, 8, 4000, 50_000] : [8];
  let count = 0;
  for (const [index, time] of times.entries()) {
    for (const later of laters) {
      for (const [what, inputs] of cuts(time + later, context.all)) {
        realm.live(`at ${time + later} ns ${what}`, [moving, ...inputs]);
        count++;
      }
      await context.breathe();
    }
    context.progress("events", index + 1, times.length);
  }
  if (ends.east === 0 || ends.west === 0) failures.push("the realm ended at one host always");
  return { failures, figures: { events: times.length, cuts: count, ...ends } };
}

/** The first thing wrong when either host loses power for a moment, with faults planted in them. */
export function lossWith(context: CheckContext, planted: HostsOptions["planted"]): string[] {
  const realm = new Comparison(context, { hasDisk: true, ...planted === undefined ? {} : { planted } });
  const times = protocolTimes(realm.live("undisturbed", [moving]));
  for (const time of times.toReversed()) {
    for (const node of [EAST, WEST]) {
      const cut = [powered(time + 8, node, false), powered(time + 8 + SHORT, node, true)];
      realm.live(`at ${time + 8} ns node ${node} was away`, [moving, ...cut]);
      if (realm.failures.length > 0) return realm.failures;
    }
  }
  return [];
}

/** The same, and the realm moves again while the one before may still be answered. */
export async function movesBack(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], figures: Record<string, number> = { journeys: 0 };
  for (const [what, hosts] of [["one CPU", {}], ["two CPUs", { cpus: 2 }]] as const) {
    const realm = new Comparison(context, hosts), count = context.all ? 100 : 6;
    for (let index = 0, random = 77; index < count; index++) {
      random = (Math.imul(random, 1_664_525) + 1_013_904_223) >>> 0;
      const first = 300_000 + random % 900_000, back = first + 900_000 + (random >>> 8) % 600_000;
      const again = back + 900_000 + (random >>> 4) % 600_000;
      const journey = [commanded(first, EAST, "migrate"), commanded(back, WEST, "migrate")];
      const { told } = realm.live(`${what}, there at ${first} ns, back at ${back} ns`, [
        ...journey,
        commanded(again, EAST, "migrate"),
      ]);
      const epochs = told.filter((event) => event.kind === "teeMigrationStepped" && event.step === "resumed");
      if (epochs.map(({ epoch }) => epoch).join() !== "0,1,2") {
        failures.push(
          `${what}, there at ${first}: it was resumed ${epochs.length} times, not in epochs 0, 1, 2`,
        );
      }
      figures.journeys!++;
      await context.breathe();
    }
    failures.push(...realm.failures);
  }
  return { failures, figures };
}
