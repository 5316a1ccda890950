/** The truth table: on each machine, at both levels, under many schedules, the probe finds what the trap rules predict. */
import type { ProbeOptions } from "../../../firmware/exclusive_probe/probe.ts";
import { operationName, PROBE_OPERATIONS } from "../../../firmware/exclusive_probe/operations.ts";
import { ENGINES } from "../../../machine/machine.ts";
import type { CheckContext, CheckOutcome, SystemCheck } from "../scenario.ts";
import { MACHINES, recordProbe } from "./machines.ts";
import { mismatches, trapLevel } from "./prediction.ts";
import { parseReport } from "./report.ts";

/** Schedules of the quick check, of all together, and of each long check: what passed is not done again. */
const SCHEDULES = { quick: 16, all: 1000, long: 100 };
/** Periods of the timer that interrupts the probe, in ticks of the counter: two steps each. */
const PERIODS = [41, 59, 83, 127, 191, 307];
/** Machines beyond those of the sheet are tried on each of so many schedules. */
const EXTRA_EVERY = 8;
/** Runs are short: the engine that needs no code to be generated is the fastest. The others replay some of them. */
const ENGINE = "reference";
/** Most failures that are told. */
const MOST_TOLD = 20;

/** A schedule: a seed for the turns of two CPUs, one of which stores next to the word, and a timer. */
function schedule(seed: number): { readonly guest: ProbeOptions; readonly options: readonly string[] } {
  return {
    guest: { rounds: 16, isContended: true, period: PERIODS[seed % PERIODS.length]! },
    options: ["-smp", "2", "--schedule-seed", String(seed), "--quantum", String(64 + 37 * (seed % 29))],
  };
}

/** Compares the table on some schedules, from a seed on. */
async function truthTable(context: CheckContext, first: number, schedules: number): Promise<CheckOutcome> {
  const failures: string[] = [];
  let noise = 0, compared = 0, mismatched = 0;
  for (let seed = first; seed < first + schedules; seed++) {
    context.progress("schedule", seed - first + 1, schedules);
    const { guest, options } = schedule(seed);
    for (const machine of MACHINES) {
      if (machine.isExtra === true && seed % EXTRA_EVERY !== 0) continue;
      const { console } = await recordProbe(context, machine, guest, { options, engine: ENGINE });
      const report = parseReport(console, PROBE_OPERATIONS);
      const wrong = mismatches(report, PROBE_OPERATIONS, machine.controls);
      compared += PROBE_OPERATIONS.length + 2;
      mismatched += wrong.length;
      for (const operation of PROBE_OPERATIONS) {
        if (trapLevel(operation, machine.controls) === undefined) {
          noise += report.failures.get(operationName(operation))!;
        }
      }
      failures.push(...wrong.map((line) => `${machine.name}, schedule ${seed}: ${line}`));
    }
  }
  if (noise === 0) failures.push("no schedule made a store fail by accident: they show nothing");
  const figures = {
    machines: MACHINES.length,
    schedules,
    compared,
    mismatches: mismatched,
    accidents: noise,
  };
  return { failures: failures.slice(0, MOST_TOLD), figures };
}

async function replays(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], engines = Object.keys(ENGINES);
  let steps = 0;
  for (const [index, machine] of MACHINES.entries()) {
    const { guest, options } = schedule(index);
    const name = machine.name.toLowerCase().replaceAll(" ", "-");
    const recorded = await recordProbe(context, machine, guest, { name, options });
    steps += recorded.end.instant;
    failures.push(...await context.replayOn(recorded, engines));
  }
  return { failures, figures: { runs: MACHINES.length, engines: engines.join(" "), steps } };
}

const TABLE = "the truth table of every machine and level is the predicted one";

/** The checks. */
export const TRUTH_CHECKS: readonly SystemCheck[] = [
  {
    name: `${TABLE}, on ${SCHEDULES.quick} schedules`,
    run: (context) => truthTable(context, 0, SCHEDULES.quick),
  },
  { name: "a run on every machine replays with equal roots on every engine", run: replays },
  ...Array.from({ length: SCHEDULES.all / SCHEDULES.long }, (_, index): SystemCheck => {
    const first = index * SCHEDULES.long;
    return {
      name: `${TABLE}, on schedules ${first} to ${first + SCHEDULES.long - 1}`,
      isLong: true,
      run: (context) => truthTable(context, first, SCHEDULES.long),
    };
  }),
];
