/**
 * The control of prda-alias with real software: per-CPU counters under Debian's kernel and glibc, with restartable
 * sequences and without, and a migration at every boundary of the sequence.
 */
import { gunzipSync } from "node:zlib";
import { RSEQ_STRIDE, rseqProgram } from "../../../firmware/prda/rseq_program.ts";
import { Course } from "../../../journal/course.ts";
import { JournalReader } from "../../../journal/file.ts";
import { Replay } from "../../../journal/replay.ts";
import { RecordedRun } from "../../../journal/run.ts";
import type { Program } from "../../../machine/a64/program.ts";
import { debuggerMemory } from "../../../machine/debugger_memory.ts";
import { InputRefusedError } from "../../../machine/errors.ts";
import type { Machine } from "../../../machine/machine.ts";
import { CommandError } from "../../errors.ts";
import { FileSink } from "../../host/file_sink.ts";
import { FileSource } from "../../host/file_source.ts";
import { cpioArchive, file, fileOfCpio, type TreeNode } from "../../host/guests/file_tree.ts";
import { gzip } from "../../host/guests/initramfs.ts";
import type { CheckContext, CheckOutcome, Recorded, SystemCheck } from "../scenario.ts";
import { forkSchedule } from "./runs.ts";

/** The guests that it takes a kernel and glibc from. */
const KERNEL = "linux-cloud/Image", TOOLS = "linux-tools/initrd.gz";
const LIBRARIES = ["lib/ld-linux-aarch64.so.1", "lib/libc.so.6"];

/** Windows of each mode: victims' sections in which a migrator is ready. */
const WINDOWS = 2, ALL_WINDOWS = 12;

/** Bytes of the least `struct rseq`. */
const LEAST_AREA = 20;

/** What Linux is replayed on. */
const LINUX_ENGINES = ["threaded", "compiled"];

/** Steps for the rest of one mode. */
const REST = 200_000_000;

/** A first root with the program as init, and the libraries of glibc. */
function firstRoot(context: CheckContext, program: Program): Uint8Array {
  const tools = gunzipSync(Deno.readFileSync(context.guest(TOOLS)));
  return gzip(cpioArchive(
    new Map<string, TreeNode>([
      ["dev/console", { kind: "characterDevice", major: 5, minor: 1 }],
      ["init", file(program.bytes, 0o755)],
      ...LIBRARIES.map((path): [string, TreeNode] => [path, file(fileOfCpio(tools, path), 0o755)]),
    ]),
  ));
}

/** What the program says of one mode. */
interface Line {
  readonly version: string;
  readonly area: number;
  readonly sum: number;
  readonly expected: number;
  readonly aborts: number;
}

/** The program's lines by mode. */
function linesOf(console: string): ReadonlyMap<string, Line> {
  const pattern = /prda-rseq (\w+): glibc (\S+), area (\d+), sum (\d+) expected (\d+) aborts (\d+)\r?\n/g;
  return new Map(Array.from(console.matchAll(pattern), ([, mode, version, area, sum, expected, aborts]) => [
    mode!,
    {
      version: version!,
      area: Number(area),
      sum: Number(sum),
      expected: Number(expected),
      aborts: Number(aborts),
    },
  ]));
}

/** What came of a migration at one boundary. */
interface Future extends Line {
  /** The boundary. */
  readonly instant: number;
  /** The thread's next instruction there. */
  readonly pc: bigint;
}

/** The program in a machine that runs on from a recorded run. */
class RseqRun {
  readonly #course: Course;

  constructor(readonly program: Program, machine: Machine) {
    this.#course = new Course(machine, [], { until: Infinity });
  }

  get machine(): Machine {
    return this.#course.machine;
  }

  symbol(name: string): bigint {
    return this.program.symbols.get(name)!;
  }

  /** A variable of the program, whose thread CPU 0 has to be in. */
  #variable(name: string): number {
    const bytes = debuggerMemory(this.machine.board.cpus[0]!).read(this.symbol(name), 4);
    return bytes === undefined ? 0 : new DataView(bytes.buffer).getUint32(0, true);
  }

  /** Goes to the thread's next section on CPU 0 at which the migrator is due on CPU 1; false when the mode has ended. */
  nextWindow(mode: string): boolean {
    const cpu = this.machine.board.cpus[0]!, isRseq = mode === "rseq";
    this.machine.watch([{ kind: "execute", address: this.symbol("section_begin"), cpu: 0 }], true);
    try {
      for (;;) {
        const stop = this.#course.run(this.machine.instant + REST);
        if (stop.reason !== "watched" || linesOf(this.#course.console).has(mode)) return false;
        const isVictim = cpu.registers.x(22) === 0n && (cpu.registers.x(21) !== 0n) === isRseq;
        if (stop.isBegun || !isVictim) continue;
        if (this.#variable("round") - this.#variable("last") >= RSEQ_STRIDE && this.#canSwitch()) return true;
      }
    } finally {
      this.machine.watch([]);
    }
  }

  #canSwitch(): boolean {
    try {
      this.machine.checkInput({ kind: "cpuSwitchForced", target: 1 });
      return true;
    } catch (error) {
      if (error instanceof InputRefusedError) return false;
      throw error;
    }
  }

  /** A forced switch to the migrator at each boundary of the section that CPU 0 is at the beginning of. */
  *boundaries(mode: string): Generator<Future> {
    const cpu = this.machine.board.cpus[0]!, end = this.symbol("section_end");
    for (let isLast = false; !isLast; this.#course.run(this.machine.instant + 1)) {
      const { pc } = cpu, { instant } = this.machine, place = this.#course.place();
      isLast = pc === end;
      if (pc < this.symbol("section_begin") || pc > end) return;
      this.machine.submit({ kind: "cpuSwitchForced", target: 1 });
      yield { instant, pc, ...this.#finish(mode) };
      this.#course.return(place);
    }
  }

  /** Runs until the program has told of a mode. */
  #finish(mode: string): Line {
    const slice = 200_000, end = this.machine.instant + REST;
    for (let isOn = true; isOn && this.machine.instant < end;) {
      isOn = this.#course.run(this.machine.instant + slice).reason === "limit";
      const line = linesOf(this.#course.console).get(mode);
      if (line !== undefined) return line;
    }
    throw new CommandError(`prda-rseq does not end: ${this.#course.console.slice(-200)}`);
  }
}

/** Records the program on two CPUs. */
export function recordRseq(context: CheckContext, program: Program): Promise<Recorded> {
  return context.record({
    name: "rseq",
    options: [
      ...[
        "-kernel",
        context.guest(KERNEL),
        "-initrd",
        "prda-initrd.gz",
        "-append",
        "console=ttyAMA0 panic=-1 quiet",
      ],
      ...["-smp", "2", "-m", "256M", "-no-reboot"],
    ],
    files: { "prda-initrd.gz": firstRoot(context, program) },
  });
}

/** Replays to the first of the program's sections. */
function start(context: CheckContext, program: Program, { run, images }: Recorded): RseqRun {
  const replay = new Replay(run, images, { ...context.machineOptions(), checkEvents: false });
  replay.machine.watch([{ kind: "execute", address: program.symbols.get("section_begin")! }]);
  if (replay.runTo(run.lastInstant) === undefined) {
    throw new CommandError("prda-rseq never came to its section");
  }
  replay.machine.watch([]);
  return new RseqRun(program, replay.release().machine);
}

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
];
