/** The race: an interrupt at every step boundary of the probe; the naive probe is wrong in some futures, the repeated in none. */
import type { MachineOptions } from "../../../machine/machine.ts";
import type { Input } from "../../../machine/events.ts";
import { operationName, PROBE_OPERATIONS } from "../../../firmware/exclusive_probe/operations.ts";
import type { ProbeOptions } from "../../../firmware/exclusive_probe/probe.ts";
import { eventStream } from "../../../journal/event_stream.ts";
import { Explorer } from "../../../journal/explore.ts";
import { beforeCandidates, minimizeInputs } from "../../../journal/minimize.ts";
import type { CheckContext, CheckOutcome, Recorded, SystemCheck } from "../scenario.ts";
import { attributedStores, ProbeMap, unexplained } from "./attribution.ts";
import { guestOn, MACHINES, probe, type ProbedMachine, recordProbe } from "./machines.ts";
import { parseReport, type ProbeReport, type Verdict } from "./report.ts";

const [BARE, MONITORED] = [MACHINES[0]!, MACHINES[1]!];
/** One round believes its only try; these many rounds do not. */
const NAIVE: ProbeOptions = { rounds: 1, takesInterrupts: true };
const REPEATED = { quick: 6, all: 16 };
/** The UART's interrupt, which the UART itself does not raise: the probe polls. */
const INTERRUPT = 33;
const INJECTION: Input = { kind: "interruptInjected", interrupt: INTERRUPT };
/** The engine of short runs. */
const ENGINE = "reference";
/** Most failures that are told. */
const MOST_TOLD = 20;
/** More than a quarter of a control's rounds, or more than half of another operation's. */
const MANY = { control: 4, other: 2 };

/** Step boundaries at which an interrupt would close the monitor, by the operation of the pair. */
type OpenBoundaries = ReadonlyMap<number, string>;

/** Where the probe's own run has its monitor open and an interrupt would be taken, and where its first row begins. */
function openBoundaries(
  recorded: Recorded,
  machine: ProbedMachine,
  guest: ProbeOptions,
  options: MachineOptions,
): { readonly open: OpenBoundaries; readonly start: number } {
  const program = probe(guestOn(machine, guest)), begin = program.symbols.get("probe")!;
  const stores = attributedStores(recorded, program, guest, options);
  const pcs = new Map<number, bigint>(), set: number[] = [];
  const classes = ["detail", "step"] as const, { run, images } = recorded;
  for (const event of eventStream(run, images, { classes }, { ...options, checkEvents: false })) {
    if (event.kind === "exclusiveSet") set.push(event.instant);
    else if (event.kind === "stepRetired") pcs.set(event.instant, event.pc);
  }
  const map = new ProbeMap(program, guest), open = new Map<number, string>();
  for (const [index, { operation, cleared }] of stores.entries()) {
    for (let at = set[index]! + 1; at <= cleared[0]!.instant; at++) {
      // Otherwise it is the guest's handler, which masks its interrupts, but not those of a monitor (HCR_EL2.IMO).
      if (machine !== BARE || map.isInPair(pcs.get(at)!)) open.set(at, operation);
    }
  }
  return { open, start: [...pcs].find(([, pc]) => pc === begin)![0] };
}

/** The verdict of a level by its failures. */
function verdictOf(failures: ReadonlyMap<string, number>, rounds: number, level: 0 | 1): Verdict {
  const many = (operation: typeof PROBE_OPERATIONS[number], part: number): boolean =>
    part * failures.get(operationName(operation))! > rounds;
  const own = PROBE_OPERATIONS.filter((operation) => operation.level === level);
  if (own.some((operation) => operation.register === undefined && many(operation, MANY.control))) {
    return "inconclusive";
  }
  const counted = own.filter(({ register, isKernels }) => register !== undefined && isKernels !== true);
  return counted.some((operation) => many(operation, MANY.other)) ? "virtualized" : "bare";
}

/** What the probe is to say when one more store of an operation fails. */
function expectedReport({ rounds, failures }: ProbeReport, operation: string | undefined): ProbeReport {
  const changed = new Map(failures);
  // A store that fails anyway fails once.
  if (operation !== undefined) changed.set(operation, Math.min(rounds, changed.get(operation)! + 1));
  return {
    rounds,
    failures: changed,
    verdicts: { 0: verdictOf(changed, rounds, 0), 1: verdictOf(changed, rounds, 1) },
  };
}

/** What all futures of a probe come to. */
interface Explored {
  readonly recorded: Recorded;
  readonly start: number;
  readonly open: OpenBoundaries;
  /** Boundaries with a wrong verdict. */
  readonly wrong: readonly number[];
  readonly futures: number;
  readonly failures: readonly string[];
}

/** What of a report is not as expected, in a line; undefined when nothing is. */
function difference(report: ProbeReport, expected: ProbeReport): string | undefined {
  const counts = [...expected.failures].filter(([name, count]) => report.failures.get(name) !== count)
    .map(([name, count]) => `${name} failed ${report.failures.get(name)} times, not ${count}`);
  const verdicts = ([1, 0] as const).filter((level) => report.verdicts[level] !== expected.verdicts[level])
    .map((level) =>
      `the verdict on EL${level} is ${report.verdicts[level]}, not ${expected.verdicts[level]}`
    );
  return counts.length + verdicts.length === 0 ? undefined : [...counts, ...verdicts].join("; ");
}

/** Explores every boundary from the first operation to the end; compares each future with what is to come of it. */
async function explore(
  context: CheckContext,
  machine: ProbedMachine,
  guest: ProbeOptions,
): Promise<Explored> {
  const recorded = await recordProbe(context, machine, guest, { engine: ENGINE }), { run, images } = recorded;
  const options = context.machineOptions(ENGINE), base = parseReport(recorded.console, PROBE_OPERATIONS);
  const { open, start } = openBoundaries(recorded, machine, guest, options);
  const last = run.lastInstant - 1, until = 2 * run.lastInstant;
  const explorer = new Explorer(run, images, { ...options, from: start, until, injections: [INJECTION] });
  const wrong: number[] = [], failures: string[] = [];
  let futures = 0;
  for (const { instant, outcome } of explorer.explore(start, last)) {
    if (++futures % 64 === 0) {
      context.progress(`boundaries of ${guest.rounds} rounds`, futures, last - start + 1);
      await context.breathe();
    }
    if (outcome.reason !== "poweredOff") {
      failures.push(
        `an interrupt at boundary ${instant}: the guest did not power off, but ${outcome.reason}`,
      );
      continue;
    }
    const report = parseReport(outcome.console, PROBE_OPERATIONS), between = open.get(instant);
    const differs = difference(report, expectedReport(base, between));
    if (differs !== undefined) {
      failures.push(
        `an interrupt at boundary ${instant} (${between ?? "the monitor is closed"}): ${differs}`,
      );
    }
    if (report.verdicts[0] !== base.verdicts[0] || report.verdicts[1] !== base.verdicts[1]) {
      wrong.push(instant);
    }
  }
  return { recorded, start, open, wrong, futures, failures };
}

/** Records the probe with interrupts at boundaries, in order. */
function recordInterrupted(
  context: CheckContext,
  machine: ProbedMachine,
  guest: ProbeOptions,
  interrupts: readonly (readonly [at: number, interrupt: number])[],
  name?: string,
): Promise<Recorded> {
  const script = interrupts.map(([at, interrupt]) => `at ${at} inject irq ${interrupt}`);
  return recordProbe(context, machine, guest, {
    script,
    engine: ENGINE,
    ...name === undefined ? {} : { name },
  });
}

/** What is wrong with the explanation of a future: its failing store is to be the interrupt's, at that very boundary. */
async function explained(
  context: CheckContext,
  machine: ProbedMachine,
  guest: ProbeOptions,
  at: number,
  isOpen: boolean,
): Promise<string[]> {
  const recorded = await recordInterrupted(context, machine, guest, [[at, INTERRUPT]]),
    program = probe(guestOn(machine, guest));
  const stores = attributedStores(recorded, program, guest, context.machineOptions(ENGINE));
  const failures = unexplained(stores), interrupted = stores.filter(({ cause }) => cause === "interrupt");
  if (interrupted.length !== (isOpen ? 1 : 0)) {
    failures.push(`${interrupted.length} stores failed by the interrupt`);
  }
  for (const { exception } of interrupted) {
    if (exception?.instant !== at) failures.push(`its exception is at instant ${exception?.instant}`);
  }
  return failures.map((line) => `an interrupt at boundary ${at}: ${line}`);
}

/** The journal of the naive probe being wrong. */
const nameOf = (machine: ProbedMachine): string => machine === BARE ? "naive-wrong" : "naive-wrong-monitored";

async function naive(context: CheckContext, machine: ProbedMachine): Promise<CheckOutcome> {
  const found = await explore(context, machine, NAIVE), failures = [...found.failures];
  const { open, wrong, start, recorded } = found;
  if (wrong.length === 0) failures.push("the naive probe was never wrong");
  const explanations = context.all
    ? Array.from({ length: recorded.run.lastInstant - start }, (_, index) => start + index)
    : [...open.keys()];
  for (const [index, at] of explanations.entries()) {
    context.progress("explaining futures", index + 1, explanations.length);
    failures.push(...await explained(context, machine, NAIVE, at, open.has(at)));
  }
  const [at = start] = wrong.filter((instant) => !open.get(instant)?.endsWith("NOP"));
  const named = await recordInterrupted(context, machine, NAIVE, [[at, INTERRUPT]], nameOf(machine));
  const verdicts = parseReport(named.console, PROBE_OPERATIONS).verdicts;
  if (verdicts[1] !== "virtualized") {
    failures.push(`the schedule "at ${at} inject irq ${INTERRUPT}" gives ${verdicts[1]}`);
  }
  failures.push(...await context.replayOn(named, ["reference", "threaded", "compiled"]));
  const figures = {
    ...{ boundaries: found.futures, open: open.size, wrong: wrong.length, explained: explanations.length },
    schedule: `at ${at} inject irq ${INTERRUPT}`,
  };
  return { failures: failures.slice(0, MOST_TOLD), figures };
}

async function repeated(context: CheckContext): Promise<CheckOutcome> {
  const rounds = context.all ? REPEATED.all : REPEATED.quick;
  const { futures, open, wrong, failures, recorded } = await explore(context, BARE, {
    rounds,
    takesInterrupts: true,
  });
  const all = [...failures, ...wrong.map((at) => `an interrupt at boundary ${at} makes the verdict wrong`)];
  all.push(...await context.replayOn(recorded, ["threaded", "compiled"]));
  return {
    failures: all.slice(0, MOST_TOLD),
    figures: { rounds, boundaries: futures, open: open.size, wrong: wrong.length },
  };
}

async function bisected(context: CheckContext): Promise<CheckOutcome> {
  const base = await recordProbe(context, BARE, NAIVE, { engine: ENGINE }),
    options = context.machineOptions(ENGINE);
  const { open } = openBoundaries(base, BARE, NAIVE, options), failures: string[] = [];
  const culprit = [...open].find(([, operation]) => operation === "el1 CTR_EL0")![0];
  // As a fuzzer would have tried them: most are of interrupts that the probe has not enabled, one comes too late.
  const fuzzed = await recordInterrupted(context, BARE, NAIVE, [
    ...[[culprit - 40, 70], [culprit - 9, 71], [culprit, INTERRUPT], [culprit + 5, 72]] as const,
    ...[[culprit + 900, 73], [base.run.lastInstant - 20, INTERRUPT]] as const,
  ], "naive-fuzzed");
  const { run, images } = fuzzed, given = beforeCandidates(run, images, () => true, options);
  const found = minimizeInputs(given, {
    until: 2 * run.lastInstant,
    progress: (tries) => context.progress("leaving interrupts out", tries),
    keyOf: ({ console }) => /el1 verdict (\w+)/.exec(console)?.[1] ?? "none",
  });
  const inputs = found.kind === "found" ? found.inputs.map(({ instant }) => instant) : [];
  if (inputs.length !== 1 || inputs[0] !== culprit) {
    failures.push(
      `the inputs that matter are said to be at ${inputs.join(", ") || "no instant"}, not at ${culprit}`,
    );
  }
  const tries = found.kind === "found" ? found.tries : 0;
  return { failures, figures: { inputs: run.inputs.length, tries, culprit } };
}

/** The checks. */
export const RACE_CHECKS: readonly SystemCheck[] = [
  {
    name: "an interrupt at every step boundary: the naive probe is wrong just where its monitor is open",
    run: (context) => naive(context, BARE),
  },
  {
    name: "the same below an idle monitor, which takes the interrupts first",
    isLong: true,
    run: (context) => naive(context, MONITORED),
  },
  { name: "an interrupt at every step boundary: the repeated probe is never wrong", run: repeated },
  { name: "the interrupt that makes the naive probe wrong is found again among others", run: bisected },
];
