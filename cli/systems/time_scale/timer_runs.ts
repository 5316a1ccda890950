/** Runs of the guest that waits for its timers, under changes of its time, and what it saw of them. */
import {
  TIMER_GUEST_BASE,
  TIMER_GUEST_COUNTS,
  timerGuestSource,
} from "../../../firmware/time_scale/timer_guest.ts";
import { assembleProgram } from "../../../machine/a64/program.ts";
import type { CheckContext, Recorded } from "../scenario.ts";
import { type Mark, plotSvg } from "./plot.ts";
import { type CounterRead, followReads, FREQUENCY } from "./reads.ts";

/** CPUs of the guest, and what each does. */
export const CPUS = 4, ROUNDS = 128;
/** Counts of a counter in a microsecond. */
export const COUNTS_PER_MICROSECOND: number = FREQUENCY / 1e6;
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
export function guestFailures({ counts }: Watched, isSkewed = false): string[] {
  if (counts.length !== CPUS) return [`${counts.length} CPUs reported, not ${CPUS}`];
  return counts.flatMap((count, cpu) =>
    ["early", "status", "value", "apart", ...(isSkewed ? [] : ["backwards"])]
      .filter((what) => count[what] !== 0)
      .map((what) => `cpu${cpu}: ${what}: ${count[what]}, not 0`)
  );
}

/** Reads that are less than one before. */
export function stepsBack(reads: readonly CounterRead[]): string[] {
  let before = 0;
  return reads.flatMap(({ instant, guest }) => {
    const back = before - guest;
    before = guest;
    return back > 0 ? [`the guest's time steps back by ${back} counts at instant ${instant}`] : [];
  });
}

/** A table of guest time: how far each read is from the machine's count. */
export function writeTable(context: CheckContext, name: string, reads: readonly CounterRead[]): void {
  const every = Math.max(1, Math.ceil(reads.length / TABLE_LINES));
  const lines = reads.filter((_, index) => index % every === 0).map(({ instant, cpu, machine, guest }) =>
    [instant, cpu, machine, guest, guest - machine].join("\t")
  );
  const head = "instant\tcpu\tmachine count\tguest count\tdifference";
  Deno.writeTextFileSync(context.file(`${name}.tsv`), `${[head, ...lines].join("\n")}\n`);
}

/** The plot NAME.svg of guest time. */
export function writePlot(
  context: CheckContext,
  name: string,
  title: string,
  { reads, marks }: Watched,
): void {
  const points = reads.map(({ machine, guest }) =>
    [machine / COUNTS_PER_MICROSECOND, guest / COUNTS_PER_MICROSECOND] as const
  );
  const end = points.at(-1)?.[0] ?? 0;
  const curves = [{ name: "guest", points }, { name: "scale 1", points: [[0, 0], [end, end]] as const }];
  Deno.writeTextFileSync(context.file(`${name}.svg`), plotSvg(title, curves, marks));
}
