/** Checks of prda-alias: what goes wrong with the naive scheme is found, kept as a journal, replayed, and made minimal. */
import { Course } from "../../../journal/course.ts";
import { Explorer } from "../../../journal/explore.ts";
import { JournalReader } from "../../../journal/file.ts";
import { beforeCandidates, minimizeInputs } from "../../../journal/minimize.ts";
import { compilePredicate } from "../../../journal/predicate.ts";
import { inputOf, Replay } from "../../../journal/replay.ts";
import { RecordedRun } from "../../../journal/run.ts";
import { type PrdaKernel, tickInterrupt } from "../../../firmware/prda/kernel.ts";
import type { InputEvent } from "../../../machine/events.ts";
import type { MachineOptions } from "../../../machine/machine.ts";
import { FileSink } from "../../host/file_sink.ts";
import { FileSource } from "../../host/file_source.ts";
import type { CheckContext, CheckOutcome, SystemCheck } from "../scenario.ts";
import { type Checked, checkRun } from "./accesses.ts";
import { exploreAll, exploring, outcomeText } from "./preemption.ts";
import { ENGINES, forkSchedule, type KernelRun, recordKernel, UNTIL } from "./runs.ts";
import { type Action, ScheduleExplorer } from "./schedules.ts";

/** The expression for `bisect --inputs --when` that holds where increments were lost. */
export function lostExpression({ program: { symbols }, expected }: PrdaKernel): string {
  return `memory(${symbols.get("sum")}, 8) != ${expected}`;
}

/** The smallest part of a run's inputs with which increments are lost; none where they are not. */
export function minimalInputs(
  { kernel, run, images }: { readonly kernel: PrdaKernel } & Pick<KernelRun["recorded"], "run" | "images">,
  options: MachineOptions,
): readonly InputEvent[] {
  const found = minimizeInputs(beforeCandidates(run, images, () => true, options), {
    until: UNTIL,
    conditions: [compilePredicate(lostExpression(kernel))],
    keyOf: ({ held }) => String(held[0]),
  });
  return found.kind === "found" && found.outcome.held[0] === true ? found.inputs : [];
}

/** Which of some inputs can be left out without the loss going away. */
export function superfluous(
  { kernel, run, images }: { readonly kernel: PrdaKernel } & Pick<KernelRun["recorded"], "run" | "images">,
  inputs: readonly InputEvent[],
  options: MachineOptions,
): InputEvent[] {
  const { machine } = beforeCandidates(run, images, () => true, options);
  const course = new Course(machine, [], {
    until: UNTIL,
    conditions: [compilePredicate(lostExpression(kernel))],
  });
  const start = course.place();
  const isLost = (given: readonly InputEvent[]): boolean => {
    course.return(start);
    course.inputs = given;
    return course.runToEnd().held[0] === true;
  };
  if (!isLost(inputs)) return [...inputs];
  return inputs.filter((input) => isLost(inputs.filter((other) => other !== input)));
}

/** A tick of a PE's timer. */
type Tick = Pick<Action, "instant" | "input">;

/** Ticks of a random schedule, most schedules tried, and steps of the report at the end of a run. */
const TICKS = 12, MOST_SEEDS = 400, REPORT = 1500;

/** Ticks at random places of a run (a linear congruential generator, Knuth's constants). */
function randomTicks(
  seed: number,
  count: number,
  from: number,
  to: number,
  pes: number,
): Tick[] {
  let state = BigInt(seed);
  const draw = (bound: number): number => {
    state = (state * 6364136223846793005n + 1442695040888963407n) & 0xffff_ffff_ffff_ffffn;
    return Number((state >> 33n) % BigInt(bound));
  };
  return Array.from({ length: count }, () => ({
    instant: from + draw(to - from),
    input: { kind: "interruptInjected", interrupt: tickInterrupt(draw(pes)) } as const,
  })).sort((a, b) => a.instant - b.instant);
}

/** A journal of a schedule, in the system's folder. */
export function keep(
  context: CheckContext,
  name: string,
  { recorded }: KernelRun,
  schedule: readonly Tick[],
): RecordedRun {
  const path = context.file(`${name}.hindsight`);
  forkSchedule(recorded, schedule, new FileSink(path), context.machineOptions());
  return new RecordedRun(JournalReader.open(new FileSource(path)));
}

/** Replays a run on every engine; what was not as recorded. */
export function replayAll(
  context: CheckContext,
  run: RecordedRun,
  { recorded: { images } }: KernelRun,
  name: string,
): string[] {
  return ENGINES.flatMap((engine) => {
    try {
      new Replay(run, images, context.machineOptions(engine)).runToEnd();
      return [];
    } catch (error) {
      return [`${name} on the ${engine} engine: ${(error as Error).message}`];
    }
  });
}

/** The journal of a violation of the naive scheme. */
const nameOfJournal = (violation: string): string => `naive-${violation.replaceAll(/\W+/g, "-")}`;

/** Writes what the checker saw of a journal beside it: a line for each access, and for each change of a pending preemption. */
function keepAccesses(
  context: CheckContext,
  name: string,
  { accesses, wrongOwners, pendings }: Checked,
): void {
  const causes = new Map(wrongOwners.map(({ access, cause }) => [access, cause]));
  const lines = [...accesses.map((access) => ({ ...access, wrongOwner: causes.get(access) })), ...pendings]
    .sort((a, b) => a.instant - b.instant)
    .map((line) => `${JSON.stringify(line, hexadecimal)}\n`);
  Deno.writeTextFileSync(context.file(`${name}.accesses.jsonl`), lines.join(""));
}

const hexadecimal = (_key: string, value: unknown): unknown =>
  typeof value === "bigint" ? `0x${value.toString(16)}` : value;

async function found(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [],
    kernelRun = await recordKernel(context, { scheme: "naive" }, { name: "naive" });
  const { kernel, recorded: { images } } = kernelRun;
  const { counts, first } = await exploreAll(context, kernelRun, exploring(context, 1));
  for (const [violation, outcome] of first) {
    if (violation === "") continue;
    const run = keep(context, nameOfJournal(violation), kernelRun, outcome.schedule);
    failures.push(...replayAll(context, run, kernelRun, violation));
    const again = checkRun(run, images, kernel, context.machineOptions());
    keepAccesses(context, nameOfJournal(violation), again);
    const isSame = again.sum === outcome.sum &&
      JSON.stringify(again.wrongOwners, hexadecimal) === JSON.stringify(outcome.wrongOwners, hexadecimal);
    if (!isSame) failures.push(`${violation}: its own journal shows something else: sum ${again.sum}`);
  }
  for (const violation of ["wrong owner", "wrong owner, increments lost"]) {
    if (!first.has(violation)) failures.push(`no boundary was found at which there is a ${violation}`);
  }
  failures.push(...agreement(context, kernelRun));
  return {
    failures,
    figures: Object.fromEntries([...counts].map(([name, count]) => [name || "right", count])),
  };
}

/** Compares with the explorer of `hindsight explore`, which knows nothing of areas: where increments are lost when PE 0 is preempted. */
function agreement(context: CheckContext, { kernel, recorded: { run, images } }: KernelRun): string[] {
  const own = new ScheduleExplorer(run, images, kernel, exploring(context, 1));
  const explorer = new Explorer(run, images, {
    ...exploring(context, 1),
    from: own.instant,
    injections: [{ kind: "interruptInjected", interrupt: tickInterrupt(0) }],
    conditions: [compilePredicate(lostExpression(kernel))],
  });
  const lost = new Map<number, boolean>();
  for (const { instant, outcome } of explorer.explore(own.instant, run.lastInstant - 1)) {
    lost.set(instant, outcome.held[0] === true);
  }
  const differing = [...own.explore()].filter(({ schedule: [action], sum }) =>
    action?.pe === 0 && lost.get(action.instant) !== (sum !== kernel.expected)
  );
  return differing.map((outcome) => `explore and the schedules differ: ${outcomeText(outcome)}`);
}

/** A tick as it stands in a journal: what is not known of it does not matter to a course. */
const tickEvent = ({ instant, input }: Tick): InputEvent =>
  ({ ...input, instant, index: 0, cpu: 0, virtualTime: 0 }) as InputEvent;

/** Random schedules of a run that lose increments, by their seeds. */
function* losing(
  { kernel, recorded: { run, images } }: KernelRun,
  options: MachineOptions,
): Generator<[number, Tick[]]> {
  const { course, instant } = new ScheduleExplorer(run, images, kernel, {
    ...options,
    actions: 0,
    until: UNTIL,
  });
  course.machine.watch([]);
  const start = course.place(), isLost = compilePredicate(lostExpression(kernel));
  for (let seed = 1; seed <= MOST_SEEDS; seed++) {
    const ticks = randomTicks(seed, TICKS, instant, run.lastInstant - REPORT, kernel.options.pes);
    course.return(start);
    course.inputs = ticks.map(tickEvent);
    const { reason } = course.runToEnd();
    if (reason === "poweredOff" && isLost(course.machine)) yield [seed, ticks];
  }
}

async function minimal(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], figures: Record<string, number | string> = {};
  const kernelRun = await recordKernel(context, { scheme: "naive", threads: 3, rounds: 4 }, {
    name: "naive-three",
  });
  const { kernel, recorded: { images } } = kernelRun, options = context.machineOptions();
  const wanted = context.all ? 9 : 4;
  let kept = 0;
  for (const [seed, ticks] of losing(kernelRun, exploring(context, 0))) {
    const noisy = keep(context, `naive-random-${++kept}`, kernelRun, ticks);
    const inputs = minimalInputs({ kernel, run: noisy, images }, options);
    if (inputs.length === 0) {
      failures.push(`seed ${seed}: the journal of what lost an increment has not lost one`);
    }
    const left = superfluous({ kernel, run: noisy, images }, inputs, options);
    if (left.length > 0) {
      failures.push(`seed ${seed}: of ${inputs.length} inputs ${left.length} can be left out`);
    }
    const run = keep(
      context,
      `naive-minimal-${kept}`,
      kernelRun,
      inputs.map((event) => ({ instant: event.instant, input: inputOf(event) })),
    );
    failures.push(...replayAll(context, run, kernelRun, `seed ${seed}`));
    const { sum, wrongOwners } = checkRun(run, images, kernel, options);
    if (sum === kernel.expected) failures.push(`seed ${seed}: the minimal journal is right`);
    // A thread that is back on its PE when it stores loses what was counted there meanwhile.
    const where = wrongOwners.length === 0 ? ", each access of the own area" : "";
    figures[`seed ${seed}`] = `${inputs.length} of ${ticks.length} ticks${where}`;
    await context.breathe();
    if (kept === wanted) break;
  }
  if (kept < wanted) failures.push(`of ${MOST_SEEDS} random schedules only ${kept} lost increments`);
  return { failures, figures };
}

/** These checks, in order. */
export const VIOLATION_CHECKS: readonly SystemCheck[] = [
  {
    name:
      "the naive scheme reaches another PE's area at some boundary; its journal replays to the same root on every engine",
    run: found,
  },
  {
    name:
      "random schedules that lose increments are reduced to minimal ones, of which no input can be left out",
    run: minimal,
  },
];
