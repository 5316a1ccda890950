/** Checks of prda-alias: every schedule of two actions of two threads, and the minimal ones of those that are wrong. */
import type { CheckContext, CheckOutcome, SystemCheck } from "../scenario.ts";
import { exploring, outcomeText } from "./preemption.ts";
import { recordKernel } from "./runs.ts";
import { ScheduleExplorer, type ScheduleOutcome, violationOf } from "./schedules.ts";
import { keep, replayAll, superfluous } from "./violation.ts";

/** Two threads, two actions each at every boundary; schedules that are wrong although none of their parts is. */
async function interleavings(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], figures: Record<string, number | string> = {};
  const rounds = context.all ? 2 : 1;
  const schemes = [
    "naive",
    "alias",
    ...context.all ? ["deferralFlag", "deferralTable", "aliasPlain"] as const : [],
  ] as const;
  for (const scheme of schemes) {
    const kernelRun = await recordKernel(context, { scheme, threads: 2, rounds }, {
      name: `${scheme}-pairs`,
    });
    const { kernel, recorded: { run, images } } = kernelRun;
    const explorer = new ScheduleExplorer(run, images, kernel, {
      ...exploring(context, 2),
      hasSwitches: true,
    });
    const wrong = new Map<string, ScheduleOutcome>();
    let futures = 0;
    for (const outcome of explorer.explore()) {
      if (violationOf(outcome, kernel) !== undefined) wrong.set(nameOf(outcome.schedule), outcome);
      if (++futures % 64 === 0) {
        context.progress(`${scheme}: futures`, futures);
        await context.breathe();
      }
    }
    const least = [...wrong.values()].filter(({ schedule }) =>
      schedule.every((_, index) => !wrong.has(nameOf(schedule.toSpliced(index, 1))))
    );
    figures[scheme] = `${futures} futures, ${wrong.size} wrong, ${least.length} of them minimal`;
    const isRight = scheme !== "naive" && scheme !== "aliasPlain";
    if (isRight && wrong.size > 0) failures.push(`${scheme}: ${outcomeText([...wrong.values()][0]!)}`);
    if (isRight) continue;
    const example = least.find(({ sum }) => sum !== kernel.expected);
    if (example === undefined) {
      failures.push(`${scheme}: no minimal schedule loses an increment`);
      continue;
    }
    const counterExample = keep(context, `${scheme}-counter-example`, kernelRun, example.schedule);
    failures.push(...replayAll(context, counterExample, kernelRun, `${scheme}'s counter-example`));
    const left = superfluous(
      { kernel, run: counterExample, images },
      counterExample.inputs,
      exploring(context, 0),
    );
    if (left.length > 0) {
      failures.push(`${scheme}: of its counter-example ${left.length} actions can be left out`);
    }
    figures[`${scheme}'s counter-example`] = outcomeText(example);
  }
  return { failures, figures };
}

const nameOf = (schedule: ScheduleOutcome["schedule"]): string =>
  schedule.map(({ instant, input }) => JSON.stringify([instant, input])).join();

/** This check. */
export const INTERLEAVING_CHECKS: readonly SystemCheck[] = [
  {
    name:
      "all schedules of two preemptions or switches of two threads, and the minimal ones of those that are wrong",
    run: interleavings,
  },
];
