/** tee-migration's checks with a small realm: random instants, links that meddle, refusals, the transcript. */
import { createHash, verify } from "node:crypto";
import { transcriptBytes, transcriptKey } from "../../../hypervisor/systems/tee_migration/transcript.ts";
import type { CheckContext, CheckOutcome } from "../scenario.ts";
import { commanded, EAST, type Lived, type Meddling, type Told, WEST } from "./migrations.ts";
import { Comparison } from "./verdict.ts";

/** When the realm is told to move in checks that are about something else. */
const MOVE_AT = 1_000_000;
/** So early that a timeout comes before its end. */
const EARLY = 100_000;
/** How long it runs alone, in nanoseconds. */
const ALONE = 5_200_000;

const moving = (at = MOVE_AT) => commanded(at, EAST, "migrate");

/** Wherever it is when it moves, it writes what it writes alone. */
export async function randomInstants(context: CheckContext): Promise<CheckOutcome> {
  const figures: Record<string, number> = {}, failures: string[] = [];
  for (const cpus of [1, 2] as const) {
    const realm = new Comparison(context, { cpus }), count = context.all ? 250 : 25;
    for (let index = 0, random = 9; index < count; index++) {
      random = (Math.imul(random, 1_664_525) + 1_013_904_223) >>> 0;
      const at = Math.floor(random / 2 ** 32 * ALONE);
      realm.live(`${cpus} CPUs, moved at ${at} ns`, [moving(at)]);
      await context.breathe();
    }
    failures.push(...realm.failures);
    figures[`moved with ${cpus} CPUs`] = realm.ends.west;
    if (realm.ends.west < count / 2) failures.push(`${cpus} CPUs: it moved only ${realm.ends.west} times`);
  }
  return { failures, figures };
}

/** What a link can do to a message, and what is to become of it where it carries pieces. */
const WAYS: Readonly<Record<string, (bytes: Uint8Array) => readonly Uint8Array[]>> = {
  "tampered with": (bytes) => [bytes.map((byte, at) => at === bytes.length - 1 ? byte ^ 1 : byte)],
  "with another head": (bytes) => [bytes.map((byte, at) => at === 5 ? byte ^ 1 : byte)],
  cut: (bytes) => [bytes.slice(0, bytes.length >> 1)],
  lost: () => [],
  "sent twice": (bytes) => [bytes, bytes],
};

const stepsOf = ({ told }: Lived): string[] =>
  told.flatMap((event) => event.kind === "teeMigrationStepped" ? [`${event.role} ${event.step}`] : []);

/** Every message of both directions, in every way. */
export async function meddling(context: CheckContext): Promise<CheckOutcome> {
  const realm = new Comparison(context), { failures, ends } = realm;
  const sent: [Uint8Array[], Uint8Array[]] = [[], []];
  const watched = realm.live("watched", [moving()], {
    meddle: (bytes, fromSource) => (sent[fromSource ? 0 : 1].push(bytes), [bytes]),
  });
  if (!stepsOf(watched).includes("destination resumed")) failures.push("undisturbed it was not resumed");
  let tried = 0;
  for (const [way, change] of Object.entries(WAYS)) {
    for (const [direction, messages] of sent.entries()) {
      for (const number of messages.keys()) {
        const meddle: Meddling = (bytes, fromSource, at) =>
          fromSource === (direction === 0) && at === number ? change(bytes) : [bytes];
        const where = direction === 0 ? "to" : "from";
        realm.live(`message ${number} ${where} the destination ${way}`, [moving()], { meddle });
        tried++;
      }
    }
    await context.breathe();
  }
  failures.push(...piecesMeddled(realm, sent[0]), ...replayed(realm, sent[0]));
  return { failures, figures: { tried, ...ends } };
}

/** Pieces tampered with, reordered, replayed or cut: the destination's realm is destroyed and the source's goes on. */
function piecesMeddled(realm: Comparison, sent: readonly Uint8Array[]): string[] {
  const failures: string[] = [], first = 2;
  const ways: Readonly<Record<string, Meddling>> = {
    tampered: (bytes, from, at) => from && at === first ? WAYS["tampered with"]!(bytes) : [bytes],
    replayed: (bytes, from, at) => from && at === first ? [bytes, bytes] : [bytes],
    // The end comes before the pieces.
    reordered: (bytes, from, at) => !from || at < first ? [bytes] : at === first ? [] : [bytes, sent[first]!],
    truncated: (bytes, from, at) => from && at === first ? WAYS.cut!(bytes) : [bytes],
  };
  for (const [way, meddle] of Object.entries(ways)) {
    const steps = stepsOf(realm.live(`pieces ${way}`, [moving()], { meddle }));
    const wanted = ["destination violated", "destination teeDestroyed", "source rolledBack"];
    // What is sent again only after the source gave up is late, and not looked at.
    const isDestroyed = wanted.slice(way === "reordered" ? 1 : 0).every((step) => steps.includes(step));
    if (!isDestroyed || steps.includes("destination resumed")) {
      failures.push(`pieces ${way}: ${steps.join(", ")}`);
    }
  }
  return failures;
}

/** A whole recorded session, played again behind the commit: its epoch is past. */
function replayed(realm: Comparison, sent: readonly Uint8Array[]): string[] {
  const again: Meddling = (bytes, from, at) => from && at === sent.length - 1 ? [bytes, ...sent] : [bytes];
  const steps = stepsOf(realm.live("a session played again", [moving()], { meddle: again }));
  const resumed = steps.filter((step) => step === "destination resumed").length;
  const isRefused = steps.includes("destination resumeRefused");
  return resumed === 1 && isRefused ? [] : [`an epoch was resumed ${resumed} times, refused: ${isRefused}`];
}

/** A policy that is not met, a host without the key, a peer that is not there, a realm that is not at rest. */
export function refusals(context: CheckContext): Promise<CheckOutcome> {
  const realm = new Comparison(context), { failures } = realm;
  const worlds = {
    "a policy that is not met": { features: "CRC32+LSE" },
    "a host without the key": { cluster: ["our cluster's key", "another's key, not ours"] as const },
  };
  const stays = (what: string, lived: Lived): void => {
    const large = lived.events.filter((event) => event.kind === "messageSent" && event.size > 4096);
    if (large.length > 0) failures.push(`${what}: pages were sent`);
    if (lived.consoles[EAST] !== realm.alone) failures.push(`${what}: the realm moved`);
    if (!stepsOf(lived).includes("source rolledBack")) failures.push(`${what}: nothing was rolled back`);
  };
  for (const [what, hosts] of Object.entries(worlds)) {
    stays(what, realm.live(what, [moving(EARLY)], { hosts }));
  }
  stays("nobody answers", realm.live("nobody answers", [moving(EARLY)], { meddle: () => [] }));
  // UARTIMSC.TXIM is set by the operator's reach: the serial line is being written to, for good.
  const busy = realm.live("no rest", [moving(EARLY)], { hosts: { isRestless: true } });
  if (
    !busy.told.some((event) => event.kind === "teeMigrationStepped" && /cannot be frozen/.test(event.detail))
  ) {
    failures.push("no rest: it was not that the realm could not be frozen");
  }
  stays("no rest", busy);
  return Promise.resolve({ failures, figures: { refusals: Object.keys(worlds).length + 2 } });
}

/** Both agents sign the same transcript, and it is that of what was on the link. */
export function transcripts(context: CheckContext): Promise<CheckOutcome> {
  const realm = new Comparison(context), { failures } = realm;
  let chains = ["00".repeat(32), "00".repeat(32)], messages = 0;
  const { told } = realm.live("signed", [moving()], {
    meddle: (bytes, fromSource) => {
      const which = fromSource ? 0 : 1, before = Uint8Array.fromHex(chains[which]!);
      // The last message of the destination tells that it is done, and is behind what is signed.
      if (bytes[0] !== 9) {
        chains = chains.with(which, createHash("sha256").update(before).update(bytes).digest("hex"));
        messages++;
      }
      return [bytes];
    },
  });
  const signed = told.filter((event): event is Told & { kind: "transcriptSigned" } =>
    event.kind === "transcriptSigned"
  );
  if (signed.map(({ node }) => node).toSorted().join() !== `${EAST},${WEST}`) {
    failures.push("not both agents signed");
  }
  const cluster = createHash("sha256").update("our cluster's key").digest();
  for (const { role, epoch, attempt, signature, ...said } of signed) {
    if (said.fromSource.toHex() !== chains[0] || said.fromDestination.toHex() !== chains[1]) {
      failures.push(`the ${role} signed something else than what was on the link`);
    }
    const what = transcriptBytes(epoch, attempt, said), key = transcriptKey(cluster, role);
    if (!verify(null, what, key, signature)) failures.push(`the ${role}'s signature does not verify`);
    const other = what.map((byte, at) => at === 20 ? byte ^ 1 : byte);
    if (verify(null, other, key, signature)) failures.push(`the ${role}'s signature verifies anything`);
  }
  return Promise.resolve({ failures, figures: { messages, signatures: signed.length } });
}
