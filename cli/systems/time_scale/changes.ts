/** Scales that change, time that stands still, ramps, skews and migrations, seen by a guest that waits for its timers. */
import { ENGINES } from "../../../machine/machine.ts";
import type { CheckContext, CheckOutcome } from "../scenario.ts";
import type { CounterRead } from "./reads.ts";
import {
  COUNTS_PER_MICROSECOND,
  CPUS,
  guestFailures,
  ROUNDS,
  stepsBack,
  watch,
  writePlot,
  writeTable,
} from "./timer_runs.ts";

/** Few enough that not all CPUs have come to wait for their timers. */
const FROZEN_STEPS = 250;

/** Changes of all kinds in one run, replayed on every engine, with the plot. */
export async function changesOfScale(context: CheckContext): Promise<CheckOutcome> {
  const seen = await watch(context, "changes", "", [
    "at 10000 scale 4",
    "at 20000 scale 1/4",
    "at 34000 monitor el2 time-scale freeze",
    `at ${34000 + FROZEN_STEPS} monitor el2 time-scale thaw`,
    "at 40000 monitor el2 time-scale ramp 4 400",
    "at 52000 scale 1000/1001",
  ]);
  writePlot(context, "guest-time", "Guest time across changes of scale", seen);
  writeTable(context, "guest-time", seen.reads);
  const failures = [
    ...guestFailures(seen),
    ...stepsBack(seen.reads).slice(0, 5),
    ...await context.replayOn(seen.recorded, Object.keys(ENGINES)),
  ];
  if (seen.marks.length !== 6) failures.push(`${seen.marks.length} changes were made, not 6`);
  return {
    failures,
    figures: {
      "reads in order": seen.reads.length,
      "timers waited for": CPUS * ROUNDS,
      plot: context.file("guest-time.svg"),
    },
  };
}

/** Where the guest is ahead of the machine at reads before and after an instant: least and most, in counts. */
function ahead(reads: readonly CounterRead[]): readonly [least: number, most: number] {
  const differences = reads.map(({ machine, guest }) => guest - machine);
  return [Math.min(...differences), Math.max(...differences)];
}

/** Time stands still for a while: the guest is behind by exactly that while. */
export async function freezes(context: CheckContext): Promise<CheckOutcome> {
  const seen = await watch(context, "freeze", "", [
    "at 30000 monitor el2 time-scale freeze",
    `at ${30000 + FROZEN_STEPS} monitor el2 time-scale thaw`,
  ]);
  const [from, to] = seen.recorded.run.inputs.map(({ virtualTime }) => Math.floor(virtualTime / 16)) as [
    number,
    number,
  ];
  const failures = [...guestFailures(seen), ...stepsBack(seen.reads)];
  const within = seen.reads.filter(({ machine }) => machine > from && machine < to);
  if (new Set(within.map(({ guest }) => guest)).size !== 1) failures.push("time moves while it stands still");
  const [least, most] = ahead(seen.reads.filter(({ machine }) => machine > to));
  if (least !== from - to || most !== from - to) {
    failures.push(`the guest is ${-least} to ${-most} counts behind, not ${to - from}`);
  }
  writeTable(context, "freeze", seen.reads);
  return { failures, figures: { "reads while it stood": within.length, "counts behind afterwards": -most } };
}

/** A ramp from 1 to 4: the guest gains the integral of its rate. */
export async function ramps(context: CheckContext): Promise<CheckOutcome> {
  const microseconds = 400, at = 30000;
  const seen = await watch(context, "ramp", "", [`at ${at} monitor el2 time-scale ramp 4 ${microseconds}`]);
  const start = Math.floor((seen.recorded.run.inputs[0]?.virtualTime ?? 0) / 16);
  const end = start + microseconds * COUNTS_PER_MICROSECOND;
  const failures = [...guestFailures(seen), ...stepsBack(seen.reads)];
  // 64 equal pieces through the middle of the line: at its end what the line gives, between it a piece's worth away.
  let worst = 0, after = 0, during = 0;
  for (const { machine, guest } of seen.reads) {
    const x = Math.min(Math.max(machine - start, 0), end - start), rest = Math.max(machine - end, 0);
    const exact = Math.min(machine, start) + x + 1.5 * x * x / (end - start) + 4 * rest;
    const off = Math.abs(guest - exact);
    if (machine > end) after = Math.max(after, off);
    if (machine > start && machine < end) during++;
    worst = Math.max(worst, off);
  }
  if (during === 0) failures.push("nobody looked during the ramp");
  if (worst > (end - start) * 3 / 64 / 8 + 1) failures.push(`a read is ${worst} counts from the ramp`);
  if (after > 2) failures.push(`after the ramp a read is ${after} counts away`);
  writePlot(context, "ramp", "A ramp of scale from 1 to 4", seen);
  writeTable(context, "ramp", seen.reads);
  return {
    failures,
    figures: { "reads during it": during, "furthest read": worst.toFixed(1), "after it": after.toFixed(1) },
  };
}

/** Each CPU is ahead by its skew at every read, and the guest notices. */
export async function skews(context: CheckContext): Promise<CheckOutcome> {
  const skew = [0, 5000, 20000, 100];
  const seen = await watch(context, "skew", `,skew=${skew.join(":")}`, []);
  const failures = guestFailures(seen, true);
  for (const [cpu, counts] of skew.entries()) {
    const [least, most] = ahead(seen.reads.filter((read) => read.cpu === cpu));
    if (least !== counts || most !== counts) {
      failures.push(`cpu${cpu} is ${least} to ${most} counts ahead, not ${counts}`);
    }
  }
  const noticed = seen.counts.reduce((sum, { backwards = 0 }) => sum + backwards, 0);
  if (noticed === 0) failures.push("the guest did not notice");
  writeTable(context, "skew", seen.reads);
  return { failures, figures: { "times the guest noticed": noticed, "counts ahead": skew.join(", ") } };
}

/** Migration to a slower and to a faster host: the guest's count, rate and CNTFRQ stay, its grain is the host's. */
export async function migrations(context: CheckContext): Promise<CheckOutcome> {
  const seen = await watch(context, "migration", "", [
    "at 30000 monitor el2 time-scale migrate 24000000",
    "at 60000 monitor el2 time-scale migrate 100000000",
  ]);
  const failures = [...guestFailures(seen), ...stepsBack(seen.reads)];
  const [first, second] = seen.recorded.run.inputs.map(({ virtualTime }) => virtualTime / 16) as [
    number,
    number,
  ];
  const part = (from: number, to: number) =>
    ahead(seen.reads.filter(({ machine }) => machine >= from && machine < to));
  const parts = [part(0, first), part(first, second), part(second, Infinity)] as const;
  // A count of a 24 MHz host is 2.6 of the guest's: the guest is up to three behind, and never ahead.
  for (const [index, [least, most]] of parts.entries()) {
    const grain = index === 0 ? 0 : 4;
    if (most > 1 || least < -grain) {
      failures.push(`on host ${index + 1} the guest is ${least} to ${most} counts ahead`);
    }
  }
  if (parts[1][0] === 0) failures.push("the slower host's grain does not show");
  writeTable(context, "migration", seen.reads);
  return {
    failures,
    figures: Object.fromEntries(
      ["62.5", "24", "100"].map((host, index) => [`counts ahead on ${host} MHz`, parts[index]!.join(" to ")]),
    ),
  };
}
