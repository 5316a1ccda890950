/** Scales that change, time that stands still, ramps, skews and migrations, seen by a guest that waits for its timers. */
import { diff } from "../../../journal/diff.ts";
import { eventStream } from "../../../journal/event_stream.ts";
import {
  TIMER_GUEST_BASE,
  TIMER_GUEST_COUNTS,
  timerGuestSource,
} from "../../../firmware/time_scale/timer_guest.ts";
import { assembleProgram } from "../../../machine/a64/program.ts";
import type { MachineEvent } from "../../../machine/events.ts";
import { InputRefusedError } from "../../../machine/errors.ts";
import { ENGINES } from "../../../machine/machine.ts";
import type { CheckContext, CheckOutcome, Recorded } from "../scenario.ts";
import { type Mark, plotSvg } from "./plot.ts";
import { type CounterRead, followReads, FREQUENCY } from "./reads.ts";

const CPUS = 4, ROUNDS = 128;
const COUNTS_PER_MICROSECOND = FREQUENCY / 1e6;
/** Few enough that not all CPUs have come to wait for their timers. */
const FROZEN_STEPS = 250;
/** Lines of a table of guest time. */
const TABLE_LINES = 500;

/** A guest that ran under changes of its time. */
export interface Watched {
  readonly recorded: Recorded;
  /** Its reads of counters in order. */
  readonly reads: readonly CounterRead[];
  /** What went wrong by its own account, a line for each CPU, by name. */
  readonly counts: readonly Readonly<Record<string, number>>[];
  /** The operator's actions. */
  readonly marks: readonly Mark[];
}

/** Records the guest with a script and reads back what it saw. */
export async function watch(
  context: CheckContext,
  name: string,
  options: string,
  script: readonly string[],
): Promise<Watched> {
  const source = timerGuestSource({ cpus: CPUS, rounds: ROUNDS });
  const { bytes } = assembleProgram(source, { name: "timer guest", base: TIMER_GUEST_BASE });
  const recorded = await context.record({
    name,
    options: [
      ...["-kernel", "guest", "-m", "16M", "-cpu", "max", "-smp", String(CPUS)],
      ...["--monitor", `el2:time-scale${options}`],
    ],
    files: { guest: bytes },
    script,
  });
  const reads: CounterRead[] = [];
  await followReads(context, recorded, (read) => void reads.push(read));
  const counts = recorded.console.trim().split("\r\n").map((line) => {
    const numbers = line.trim().split(" ").map(Number);
    return Object.fromEntries(TIMER_GUEST_COUNTS.map((what, at) => [what, numbers[at] ?? -1]));
  });
  const marks = recorded.run.inputs.map((input): Mark => ({
    at: input.virtualTime / 1000,
    text: input.kind === "monitorCommanded"
      ? input.command.replace("time-scale ", "")
      : input.kind === "timeScaleChanged"
      ? `scale ${input.numerator}/${input.denominator}`
      : input.kind,
  }));
  return { recorded, reads, counts, marks };
}

/** What the guest must not have met; a skew lets its CPUs differ. */
function guestFailures({ counts }: Watched, isSkewed = false): string[] {
  if (counts.length !== CPUS) return [`${counts.length} CPUs reported, not ${CPUS}`];
  return counts.flatMap((count, cpu) =>
    ["early", "status", "value", "apart", ...(isSkewed ? [] : ["backwards"])]
      .filter((what) => count[what] !== 0)
      .map((what) => `cpu${cpu}: ${what}: ${count[what]}, not 0`)
  );
}

/** Reads that are less than one before. */
function stepsBack(reads: readonly CounterRead[]): string[] {
  let before = 0;
  return reads.flatMap(({ instant, guest }) => {
    const back = before - guest;
    before = guest;
    return back > 0 ? [`the guest's time steps back by ${back} counts at instant ${instant}`] : [];
  });
}

/** A table of guest time: how far each read is from the machine's count. */
function writeTable(context: CheckContext, name: string, reads: readonly CounterRead[]): void {
  const every = Math.max(1, Math.ceil(reads.length / TABLE_LINES));
  const lines = reads.filter((_, index) => index % every === 0).map(({ instant, cpu, machine, guest }) =>
    [instant, cpu, machine, guest, guest - machine].join("\t")
  );
  const head = "instant\tcpu\tmachine count\tguest count\tdifference";
  Deno.writeTextFileSync(context.file(`${name}.tsv`), `${[head, ...lines].join("\n")}\n`);
}

function writePlot(context: CheckContext, name: string, title: string, { reads, marks }: Watched): void {
  const points = reads.map(({ machine, guest }) =>
    [machine / COUNTS_PER_MICROSECOND, guest / COUNTS_PER_MICROSECOND] as const
  );
  const end = points.at(-1)?.[0] ?? 0;
  const curves = [{ name: "guest", points }, { name: "scale 1", points: [[0, 0], [end, end]] as const }];
  Deno.writeTextFileSync(context.file(`${name}.svg`), plotSvg(title, curves, marks));
}

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

/** Two runs that differ in their scale alone: the first thing that differs is a counter's value. */
export async function differences(context: CheckContext): Promise<CheckOutcome> {
  const left = await watch(context, "scale-1", ",scale=1", []);
  const right = await watch(context, "scale-4", ",scale=4", []);
  const streams = [left, right].map(({ recorded: { run, images } }) =>
    eventStream(run, images, { classes: ["trap", "device", "detail"] }, context.machineOptions())
  ) as [Generator<MachineEvent>, Generator<MachineEvent>];
  const failures: string[] = [];
  let equal = 0, first: string | undefined;
  while (first === undefined) {
    const [a, b] = streams.map((stream) => stream.next().value as MachineEvent | undefined);
    if (a === undefined || b === undefined) break;
    if (textOf(a) === textOf(b)) equal++;
    else {
      const [one, other] = streams.map((stream, side) => counterRead(stream, (side === 0 ? a : b).instant));
      first = one !== undefined && one.register === other?.register && a.instant === b.instant
        ? `${one.register} at instant ${a.instant}: ${one.value} and ${other.value}`
        : "";
      if (first === "") failures.push(`the first difference is no counter's: ${textOf(a)}, ${textOf(b)}`);
    }
  }
  if (first === undefined) failures.push("the runs do not differ");
  const found = diff(left.recorded, right.recorded, context.machineOptions());
  const what = found.kind === "divergent"
    ? found.sides.map(({ event }) => event?.kind ?? "nothing").join(" and ")
    : found.kind;
  if (found.kind !== "divergent") failures.push(`diff finds no divergent event but ${found.kind}`);
  return {
    failures,
    figures: {
      "events alike before": equal,
      "first difference": first ?? "none",
      "diff's first of traps": what,
    },
  };
}

/** The trapped read of a counter in the step of an instant, from the next event on. */
function counterRead(
  stream: Generator<MachineEvent>,
  instant: number,
): { readonly register: string; readonly value: bigint } | undefined {
  for (const event of stream) {
    if (event.instant !== instant) return undefined;
    if (event.kind === "registerEmulated" && event.register.startsWith("CNT")) return event;
  }
  return undefined;
}

function textOf(event: MachineEvent): string {
  return JSON.stringify(event, (_, value) => typeof value === "bigint" ? `${value}` : value);
}

/** Scales that cannot be are refused before a machine is built, or with the running one untouched. */
export async function refusals(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], said: string[] = [];
  for (const scale of ["0", "-1/4", "40000", "1/100000", "fast"]) {
    try {
      await watch(context, "refused", `,scale=${scale}`, []);
      failures.push(`scale=${scale} was taken`);
    } catch (error) {
      said.push((error as Error).message);
    }
  }
  for (
    const action of [
      "scale 0",
      "scale 70000",
      "monitor el2 time-scale rewind",
      "monitor el2 time-scale skew 0 1x",
    ]
  ) {
    try {
      await watch(context, "refused", "", [`at 20000 ${action}`]);
      failures.push(`${action} was taken`);
    } catch (error) {
      said.push((error as Error).message);
      if (error instanceof InputRefusedError) continue;
    }
  }
  const reasons = [/not positive/, /overflow/, /precision/, /no scale/, /no command/];
  for (const reason of reasons) {
    if (!said.some((text) => reason.test(text))) failures.push(`nothing said ${reason}`);
  }
  return { failures, figures: { refused: said.length } };
}
