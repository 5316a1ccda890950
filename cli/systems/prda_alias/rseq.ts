/**
 * The control of prda-alias with real software: per-CPU counters under Debian's kernel and glibc, with restartable
 * sequences and without, and a migration at every boundary of the sequence.
 */
import { rseqProgram } from "../../../firmware/prda/rseq_program.ts";
import { JournalReader } from "../../../journal/file.ts";
import { Replay } from "../../../journal/replay.ts";
import { RecordedRun } from "../../../journal/run.ts";
import { FileSink } from "../../host/file_sink.ts";
import { FileSource } from "../../host/file_source.ts";
import type { CheckContext, CheckOutcome, Recorded, SystemCheck } from "../scenario.ts";
import { boot, type Future, linesOf, recordRseq, type RseqRun, start } from "./rseq_run.ts";
import { forkSchedule } from "./runs.ts";

/** Windows of each mode: victims' sections in which a migrator is ready. */
const WINDOWS = 2, ALL_WINDOWS = 12;

/** Bytes of the least `struct rseq`. */
const LEAST_AREA = 20;

/** What Linux is replayed on. */
const LINUX_ENGINES = ["threaded", "compiled"];

/** What is wrong with one future of a mode. */
function wrongWith(
  mode: string,
  { sum, expected, aborts, pc }: Future,
  section: readonly [bigint, bigint],
): string | undefined {
  if (mode !== "rseq") return undefined;
  if (sum !== expected) return `sum ${sum}, not ${expected}`;
  const isInside = pc >= section[0] && pc < section[1];
  return isInside && aborts === 0 ? "the sequence was not aborted" : undefined;
}

/** What the boundaries of one mode have shown. */
interface ModeResult {
  readonly failures: string[];
  readonly futures: Future[];
  readonly lost: Future[];
}

/** Every boundary of some of a mode's sections. */
async function explore(context: CheckContext, rseq: RseqRun, mode: string): Promise<ModeResult> {
  const failures: string[] = [], futures: Future[] = [], lost: Future[] = [];
  const section = [rseq.symbol("section_begin"), rseq.symbol("section_end")] as const;
  let windows = 0;
  while (windows < (context.all ? ALL_WINDOWS : WINDOWS) && rseq.nextWindow(mode)) {
    windows++;
    for (const future of rseq.boundaries(mode)) {
      futures.push(future);
      context.progress(`${mode}: boundaries`, futures.length);
      await context.breathe();
      const wrong = wrongWith(mode, future, section);
      if (wrong !== undefined) {
        failures.push(`${mode}, migrated at ${future.instant}, before 0x${future.pc.toString(16)}: ${wrong}`);
      }
      if (future.sum !== future.expected) lost.push(future);
      if (future.version !== "2.36" || future.area < LEAST_AREA) {
        failures.push(`glibc ${future.version} has an area of ${future.area} bytes`);
      }
    }
  }
  if (windows === 0) failures.push(`${mode}: no section at which the migrator was due`);
  return { failures, futures, lost };
}

async function control(context: CheckContext): Promise<CheckOutcome> {
  const program = rseqProgram(), recorded = await recordRseq(context, program);
  const rseq = start(context, program, recorded), begin = rseq.symbol("section_begin");
  const results = [];
  for (const mode of ["rseq", "plain"]) results.push({ mode, ...await explore(context, rseq, mode) });
  const failures = results.flatMap((result) => result.failures), lost = results.at(-1)!.lost;
  if (lost.length === 0) failures.push("without sequences no increment was lost");
  const offsets = new Set(lost.map(({ pc }) => `+${pc - begin}`));
  const figures = Object.fromEntries(results.flatMap(({ mode, futures, lost }) => [
    [`${mode}: boundaries`, futures.length],
    [`${mode}: aborts`, futures.reduce((sum, { aborts }) => sum + aborts, 0)],
    [`${mode}: runs with losses`, lost.length],
  ]));
  return { failures, figures: { ...figures, "lost when migrated at": [...offsets].join(" ") } };
}

/** A journal of the one switch that loses an increment: all of it is replayed, on the engines for Linux. */
async function journals(context: CheckContext): Promise<CheckOutcome> {
  const program = rseqProgram(), recorded = await recordRseq(context, program);
  const failures = await context.replayOn(recorded, LINUX_ENGINES);
  for (const [mode, { sum, expected }] of linesOf(recorded.console)) {
    if (sum !== expected) failures.push(`${mode}: without a switch the sum is ${sum}, not ${expected}`);
  }
  const { lost: [first] } = await explore(context, start(context, program, recorded), "plain");
  if (first === undefined) return { failures: [...failures, "no increment was lost"], figures: {} };
  const path = context.file("rseq-lost.hindsight");
  const input = { kind: "cpuSwitchForced", target: 1 } as const;
  forkSchedule(
    recorded,
    [{ instant: first.instant, input }],
    new FileSink(path),
    context.machineOptions(),
    Infinity,
  );
  const run = new RecordedRun(JournalReader.open(new FileSource(path)));
  const forked = { ...recorded, path, run };
  failures.push(...await context.replayOn(forked, LINUX_ENGINES));
  if (run.inputs.length !== 1) failures.push(`${path} has ${run.inputs.length} inputs, not one`);
  const line = linesOf(consoleOf(context, forked)).get("plain");
  if (line?.sum !== first.sum) failures.push(`${path}: the sum is ${line?.sum}, and was ${first.sum}`);
  return { failures, figures: { instant: first.instant, sum: first.sum, expected: first.expected } };
}

/** What a run's console wrote. */
function consoleOf(context: CheckContext, { run, images }: Recorded): string {
  const replay = new Replay(run, images, { ...context.machineOptions(), checkEvents: false });
  let console = "";
  replay.machine.board.transmitted = (byte) => void (console += String.fromCharCode(byte));
  replay.runToEnd();
  return console;
}

/** The same files on QEMU, whose CPUs run at once: sequences lose nothing there either. */
async function onQemu(context: CheckContext): Promise<CheckOutcome> {
  const { console } = await context.qemu({ ...boot(context, rseqProgram()), seconds: 120 });
  const line = linesOf(console).get("rseq");
  const isRight = line !== undefined && line.sum === line.expected && line.version === "2.36";
  const failures = isRight ? [] : [`on QEMU: ${line === undefined ? "nothing" : JSON.stringify(line)}`];
  return {
    failures,
    figures: { sum: line?.sum ?? -1, expected: line?.expected ?? -1, aborts: line?.aborts ?? -1 },
  };
}

/** These checks, in order. */
export const RSEQ_CHECKS: readonly SystemCheck[] = [
  {
    name:
      "Debian and glibc 2.36: a migration at every boundary of a restartable sequence loses nothing; without it, it does",
    needs: ["linux-cloud", "linux-tools"],
    run: control,
  },
  {
    name:
      "the runs of the restartable sequences, and of the one switch that loses an increment, replay to the same roots",
    isLong: true,
    needs: ["linux-cloud", "linux-tools"],
    run: journals,
  },
  {
    name: "the same kernel, glibc and program lose nothing on QEMU in restartable sequences",
    isLong: true,
    needs: ["linux-cloud", "linux-tools"],
    run: onQemu,
  },
];
