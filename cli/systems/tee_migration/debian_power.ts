/** tee-migration's check of losses of power with Debian: a realm at work whose sealed state is on its hosts' disks. */
import type { TimedWorldInput } from "../../../world/course.ts";
import type { CheckContext, CheckOutcome } from "../scenario.ts";
import { replayed } from "./debian_replay.ts";
import { typed } from "./debian_work.ts";
import { commanded, EAST, powered, WEST } from "./migrations.ts";
import { type Moment, PoweredWork } from "./powered_work.ts";

/** Rounds of work, and how much of it is done when the realm is told to move. */
const ROUNDS = 4, PART = 0.3;
/** How long a host is without power: less than the protocol's time-out of 200 ms, and more. */
const SHORT = 20_000_000, LONG = 600_000_000;
/** Nanoseconds behind an event at which power is lost: whatever was done at it is done. */
const BEHIND = 8;
/** Nanoseconds after the realm's arrival when it is well at work there. */
const AT_WORK = 200_000_000;

/** Who loses power, and for how long. */
type Loss = Readonly<Record<number, number>>;
const LOSSES: readonly (readonly [who: string, ...losses: readonly Loss[]])[] = [
  ["the source", { [EAST]: SHORT }],
  ["the destination", { [WEST]: SHORT }],
  // In turns one is back first, and the other.
  ["both", { [EAST]: LONG, [WEST]: SHORT }, { [EAST]: SHORT, [WEST]: LONG }],
];

/** Power that is lost at a time, and comes back. */
function lost(time: number, loss: Loss): TimedWorldInput[] {
  return Object.entries(loss).flatMap(([node, length]) => [
    powered(time, Number(node), false),
    powered(time + length, Number(node), true),
  ]);
}

/** The events of the protocol at which power is lost, by name: one of each kind, and one when the realm is at work again. */
function cutsOf(moments: readonly Moment[]): Map<string, number> {
  const times = new Map<string, number>();
  const taken = moments.filter(({ step }) => step === "piecesTaken");
  const middle = taken[Math.floor(taken.length / 2)];
  for (const moment of [...moments.filter(({ step }) => !step.startsWith("pieces")), middle]) {
    if (moment !== undefined && !times.has(moment.step)) times.set(moment.step, moment.time + BEHIND);
  }
  const resumed = times.get("resumed");
  if (resumed !== undefined) times.set("at work again", resumed + AT_WORK);
  // What happens at the time of another needs no loss of its own.
  return new Map(
    [...times].filter(([, time], at, all) => all.findIndex(([, other]) => other === time) === at),
  );
}

/** Whether the check finds hosts of which one commits and forgets that it did. */
async function findsPlanted(context: CheckContext): Promise<string[]> {
  const realm = new PoweredWork(context, { cpus: 1, hasDisk: true, planted: "no-record" });
  await realm.begin(ROUNDS);
  const at = Math.floor(realm.start + PART * realm.time), move = commanded(at, EAST, "migrate");
  await realm.live([move]);
  const time = cutsOf(realm.moments).get("committed") ?? 0;
  const { wrong } = await realm.live([move, ...lost(time, { [EAST]: SHORT })]);
  return wrong.some((what) => /2 copies|at one time/.test(what))
    ? []
    : [`no-record was planted, and not found: ${wrong.join("; ") || "nothing was"}`];
}

/** Debian's hosts lose power at every kind of event of the protocol: one realm goes on, to what it writes alone. */
export async function debianPowerLosses(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], ends = { east: 0, west: 0 }, figures: Record<string, number> = {};
  const realm = new PoweredWork(context, { cpus: 1, hasDisk: true });
  await realm.begin(ROUNDS);
  const at = Math.floor(realm.start + PART * realm.time), move = commanded(at, EAST, "migrate");
  failures.push(...(await realm.live([move])).wrong.map((what) => `undisturbed: ${what}`));
  const cuts = cutsOf(realm.moments), sealed = cuts.get("copySealed") ?? Infinity;
  let count = 0, reboots = 0, roots = 0;
  for (const [index, [step, time]] of [...cuts].entries()) {
    for (const [who, ...losses] of LOSSES) {
      const inputs = [move, ...lost(time, losses[index % losses.length]!)];
      // Without a copy a realm that loses power is one that is powered on.
      const isAnew = time < sealed && who !== "the destination";
      const life = await (isAnew ? realm.liveAnew(inputs, ROUNDS) : realm.live(inputs));
      failures.push(...life.wrong.map((what) => `${who} without power at "${step}", ${time} ns: ${what}`));
      ends[life.end === WEST ? "west" : "east"]++;
      if (isAnew) reboots++;
      if (who === "both" && ["prepared", "committed"].includes(step)) {
        const given = [typed(realm.start, EAST, ROUNDS), ...inputs];
        const found = await replayed(context, realm.hosts, given, life);
        failures.push(...found.wrong.map((what) => `${who} without power at "${step}": ${what}`));
        roots += found.roots;
      }
      context.progress("losses of power", ++count, cuts.size * LOSSES.length);
    }
  }
  if (ends.east === 0 || ends.west === 0) failures.push("the realm ended at one host always");
  if (roots === 0) failures.push("no life was replayed");
  failures.push(...await findsPlanted(context));
  Object.assign(figures, { events: cuts.size, losses: count, ...ends, reboots, "roots replayed": roots });
  return { failures, figures };
}
