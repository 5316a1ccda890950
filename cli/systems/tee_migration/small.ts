/** tee-migration's checks with a small realm: random instants, crashes, meddling links, refusals. */
import { CANARY } from "../../../firmware/tee_migration/realm.ts";
import type { CheckContext, CheckOutcome } from "../scenario.ts";
import { commanded, EAST, type LifeOptions, live, type Lived, type Meddling, WEST } from "./migrations.ts";
import { hosts } from "./worlds.ts";

/** When the realm is told to move in checks that are about something else. */
const MOVE_AT = 1_000_000;
/** How long it runs alone, in nanoseconds. */
const ALONE = 5_200_000;

const moving = (at = MOVE_AT) => commanded(at, EAST, "migrate");

/** What the realm writes alone, and a way to say that it wrote something else. */
function reference(options: LifeOptions) {
  const [alone] = live([], options).consoles;
  const failures: string[] = [], ends = { east: 0, west: 0 };
  const compare = ({ consoles: [east, west] }: Lived, what: string): void => {
    if (east + west !== alone) failures.push(`${what}: "${east}" and "${west}" in place of "${alone}"`);
    ends[west === "" ? "east" : "west"]++;
  };
  return { alone, failures, ends, compare };
}

/** Wherever it is when it moves, it writes what it writes alone. */
export async function randomInstants(context: CheckContext): Promise<CheckOutcome> {
  const options = context.machineOptions(), { failures, ends, compare } = reference(options);
  const count = context.all ? 500 : 50;
  for (let index = 0, random = 9; index < count; index++) {
    random = (Math.imul(random, 1_664_525) + 1_013_904_223) >>> 0;
    const at = Math.floor(random / 2 ** 32 * ALONE);
    compare(live([moving(at)], options), `moved at ${at} ns`);
    await context.breathe();
  }
  return { failures, figures: { instants: count, ...ends } };
}

/** Either agent crashes before each message that it takes, and at each one that it sends. */
export async function crashes(context: CheckContext): Promise<CheckOutcome> {
  const options = context.machineOptions(), { failures, ends, compare } = reference(options);
  const { events } = live([moving()], options);
  const times = new Set(events.filter((event) => "sequence" in event).map(({ time }) => time));
  for (const time of times) {
    for (const node of [EAST, WEST]) {
      for (const later of [0, 8]) {
        compare(
          live([moving(), commanded(time + later, node, "crash")], options),
          `crash of node ${node} at ${time + later} ns`,
        );
      }
    }
    await context.breathe();
  }
  if (ends.east === 0 || ends.west === 0) {
    failures.push("the realm ended at one host always: the crashes came too late or too early");
  }
  return { failures, figures: { crashes: times.size * 4, ...ends } };
}

/** What a link can do to a message. */
const WAYS: Readonly<Record<string, (bytes: Uint8Array) => readonly Uint8Array[]>> = {
  "tampered with": (bytes) => [bytes.map((byte, at) => at === bytes.length - 1 ? byte ^ 1 : byte)],
  "with another head": (bytes) => [bytes.map((byte, at) => at === 5 ? byte ^ 1 : byte)],
  cut: (bytes) => [bytes.slice(0, bytes.length >> 1)],
  lost: () => [],
  "sent twice": (bytes) => [bytes, bytes],
};

/** Every message of both directions, in every way. */
export async function meddling(context: CheckContext): Promise<CheckOutcome> {
  const options = context.machineOptions(), { failures, ends, compare } = reference(options);
  const count = [0, 0];
  live([moving()], { ...options, meddle: (bytes, fromSource) => (count[fromSource ? 0 : 1]!++, [bytes]) });
  let tried = 0;
  for (const [way, change] of Object.entries(WAYS)) {
    for (const [direction, messages] of count.entries()) {
      for (let number = 0; number < messages; number++) {
        const meddle: Meddling = (bytes, fromSource, at) =>
          fromSource === (direction === 0) && at === number ? change(bytes) : [bytes];
        compare(
          live([moving()], { ...options, meddle }),
          `message ${number} ${direction === 0 ? "to" : "from"} the destination ${way}`,
        );
        tried++;
      }
    }
    await context.breathe();
  }
  return { failures, figures: { tried, ...ends } };
}

/** A policy that is not met, and a host without the key: no page is sent. */
export function refusals(context: CheckContext): Promise<CheckOutcome> {
  const options = context.machineOptions(), { failures, compare, alone } = reference(options);
  const worlds = {
    "a policy that is not met": hosts({ features: "CRC32+LSE" }),
    "a host without the key": hosts({ cluster: ["our cluster's key", "another's key, not ours"] }),
  };
  for (const [what, world] of Object.entries(worlds)) {
    const lived = live([moving(100_000)], { ...options, world });
    compare(lived, what);
    const large = lived.events.filter((event) => event.kind === "messageSent" && event.size > 4096);
    if (large.length > 0) failures.push(`${what}: pages were sent`);
    if (lived.consoles[EAST] !== alone) failures.push(`${what}: the realm moved`);
  }
  return Promise.resolve({ failures, figures: { refusals: Object.keys(worlds).length } });
}

/** What the realm knows is in no message. */
export function canary(context: CheckContext): Promise<CheckOutcome> {
  const options = context.machineOptions(), { failures, compare } = reference(options);
  let bytes = 0;
  const meddle: Meddling = (message) => {
    bytes += message.length;
    if (message.toHex().includes(CANARY.slice(0, 16))) failures.push("the canary was on the link");
    return [message];
  };
  compare(live([moving()], { ...options, meddle }), "watched");
  if (bytes < 20_000) failures.push(`only ${bytes} bytes were on the link: no pages`);
  return Promise.resolve({ failures, figures: { bytes } });
}
