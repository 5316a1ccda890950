/** The program of restartable sequences under Debian's kernel: recorded, and stopped at each of its sections. */
import { gunzipSync } from "node:zlib";
import { RSEQ_STRIDE } from "../../../firmware/prda/rseq_program.ts";
import { Course } from "../../../journal/course.ts";
import { Replay } from "../../../journal/replay.ts";
import type { Program } from "../../../machine/a64/program.ts";
import { debuggerMemory } from "../../../machine/debugger_memory.ts";
import { InputRefusedError } from "../../../machine/errors.ts";
import type { Machine } from "../../../machine/machine.ts";
import { CommandError } from "../../errors.ts";
import { cpioArchive, file, fileOfCpio, type TreeNode } from "../../host/guests/file_tree.ts";
import { gzip } from "../../host/guests/initramfs.ts";
import { QUICK_KERNEL } from "../linux_arguments.ts";
import type { CheckContext, QemuRequest, Recorded, RecordRequest } from "../scenario.ts";

/** The guests that it takes a kernel and glibc from. */
const KERNEL = "linux-cloud/Image", TOOLS = "linux-tools/initrd.gz";
const LIBRARIES = ["lib/ld-linux-aarch64.so.1", "lib/libc.so.6"];

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
export interface Line {
  readonly version: string;
  readonly area: number;
  readonly sum: number;
  readonly expected: number;
  readonly aborts: number;
}

/** The program's lines by mode. */
export function linesOf(console: string): ReadonlyMap<string, Line> {
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
export interface Future extends Line {
  /** The boundary. */
  readonly instant: number;
  /** The thread's next instruction there. */
  readonly pc: bigint;
}

/** The program in a machine that runs on from a recorded run. */
export class RseqRun {
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

/** The board, for `hindsight record` and for QEMU, and the file that it names. */
export function boot(
  context: CheckContext,
  program: Program,
): Pick<RecordRequest & QemuRequest, "options" | "files"> {
  const name = "prda-initrd.gz", append = `console=ttyAMA0 ${QUICK_KERNEL} quiet`;
  return {
    options: [
      ...["-M", "virt", "-cpu", "cortex-a57", "-smp", "2", "-m", "256M", "-kernel", context.guest(KERNEL)],
      ...["-initrd", name, "-append", append],
    ],
    files: { [name]: firstRoot(context, program) },
  };
}

/** Records the program on two CPUs. */
export function recordRseq(context: CheckContext, program: Program): Promise<Recorded> {
  return context.record({ name: "rseq", ...boot(context, program) });
}

/** Replays to the first of the program's sections. */
export function start(context: CheckContext, program: Program, { run, images }: Recorded): RseqRun {
  const replay = new Replay(run, images, { ...context.machineOptions(), checkEvents: false });
  replay.machine.watch([{ kind: "execute", address: program.symbols.get("section_begin")! }]);
  if (replay.runTo(run.lastInstant) === undefined) {
    throw new CommandError("prda-rseq never came to its section");
  }
  replay.machine.watch([]);
  return new RseqRun(program, replay.release().machine);
}
