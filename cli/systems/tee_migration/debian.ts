/** tee-migration's check with Debian: a shell's long work with sha256sum beside a host, moved at random instants of it. */
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import type { CheckContext, CheckOutcome } from "../scenario.ts";
import { Work } from "./debian_work.ts";

/** What became of an instant, kept so that a set that was stopped goes on. */
type Done = Readonly<
  Record<string, { readonly isWhole: boolean; readonly hasMoved: boolean; readonly seconds: number }>
>;

/** Debian moves at one random instant, or with --all at 50. */
export async function debianMoves(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], count = context.all ? 50 : 1, seed = 21, rounds = context.all ? 12 : 4;
  const realm = new Work(context, { cpus: 1 });
  await realm.begin(rounds);
  const digest = createHash("sha256").update(realm.alone).digest("hex").slice(0, 16);
  const path = context.file(`debian-${context.engine}-${digest}-${Math.floor(realm.time)}.json`);
  let done: Done = context.all && existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : {};
  let random = seed;
  for (let index = 0; index < count; index++) {
    random = (Math.imul(random, 1_664_525) + 1_013_904_223) >>> 0;
    const at = Math.floor(random / 2 ** 32 * realm.time * 0.95);
    if (done[at] === undefined) {
      const start = performance.now(), { text, east, west } = await realm.moved(at);
      const seconds = Math.round(performance.now() - start) / 1000;
      done = {
        ...done,
        [at]: { isWhole: text === realm.alone, hasMoved: west > 0 && east < realm.alone.length, seconds },
      };
      if (context.all) writeFileSync(path, JSON.stringify(done));
      if (text !== realm.alone) {
        context.progress(`moved at ${at} ns it wrote ${JSON.stringify(text.slice(-200))}`);
      }
    }
    const { isWhole, hasMoved } = done[at]!;
    if (!isWhole) {
      failures.push(`moved ${at} ns after it was typed, the work wrote something else (seed ${seed})`);
    }
    if (!hasMoved) failures.push(`moved ${at} ns after it was typed, it stayed where it was`);
    context.progress("instants", index + 1, count);
  }
  const seconds = Object.values(done).map((one) => one.seconds);
  const figures = {
    ...{ instants: count, "work ms": Math.round(realm.time / 1e6), bytes: realm.alone.length, digest },
    "seconds each": (seconds.reduce((sum, one) => sum + one, 0) / seconds.length).toFixed(1),
  };
  return { failures, figures };
}

/** Debian with two CPUs at work moves, while it is at it. */
export async function debianOfTwo(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], realm = new Work(context, { cpus: 2 }), count = 3;
  await realm.begin(6);
  for (let index = 0; index < count; index++) {
    const { text, east, west } = await realm.moved(Math.floor(realm.time * (index + 1) / (count + 1)));
    if (text !== realm.alone) {
      failures.push(`moved after ${index + 1} of ${count + 1} parts, it wrote something else`);
    }
    if (west === 0 || east >= realm.alone.length) failures.push(`it did not move after ${index + 1} parts`);
    context.progress("instants", index + 1, count);
  }
  return { failures, figures: { instants: count, "work ms": Math.round(realm.time / 1e6) } };
}
