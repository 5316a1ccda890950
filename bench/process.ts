/** Runs a program as a user would, and says what it cost: time, processor time, memory, and when it wrote a text. */
import type { Step } from "../tests/boots/rows.ts";

/** A command line. */
export interface Command {
  /** Name or path of the program. */
  readonly program: string;
  /** Its arguments. */
  readonly args: readonly string[];
}

/** What is typed, and what is looked for. */
export interface Watch {
  /** Texts to wait for on standard output and to type on standard input, in order; nothing when absent. */
  readonly steps?: readonly Step[];
  /** The text whose time is wanted. */
  readonly marker?: string;
  /** Whether the program is ended when it wrote the marker. */
  readonly isEndedAtMarker?: boolean;
  /** Seconds after which it is killed. */
  readonly limit?: number;
}

/** What a program did and cost. */
export interface Cost {
  /** Seconds from before its start to its end. */
  readonly seconds: number;
  /** Seconds of processor time, of all its threads, in steps of 10 ms. */
  readonly cpuSeconds: number;
  /** The most memory it held (resident set), in bytes. */
  readonly peakBytes: number;
  /** Seconds from before its start to the marker, where it came. */
  readonly markerSeconds: number | undefined;
  /** Its standard output. */
  readonly output: string;
  /** Its standard error. */
  readonly errors: string;
  /** Whether it was there to be run. */
  readonly isInstalled: boolean;
}

/** Milliseconds between two looks at a process's memory, and seconds that one may take by default. */
const LOOK = 50, LIMIT = 600;
/** Of `/proc`: clock ticks in a second; places of processor time of waited-for children behind the name. */
const TICKS = 100, CHILDREN_USER = 13, CHILDREN_SYSTEM = 14;

/** Processor seconds of all children that have ended; 0 where the system does not tell. */
function secondsOfChildren(): number {
  try {
    const fields = Deno.readTextFileSync("/proc/self/stat").replace(/^.*\) /s, "").split(" ");
    return (Number(fields[CHILDREN_USER]) + Number(fields[CHILDREN_SYSTEM])) / TICKS;
  } catch {
    return 0;
  }
}

function peakOf(pid: number): number {
  try {
    const text = Deno.readTextFileSync(`/proc/${pid}/status`);
    return Number(/^VmHWM:\s+(\d+) kB/m.exec(text)?.[1] ?? 0) * 1024;
  } catch {
    return 0; // it has ended
  }
}

const MISSING: Cost = {
  ...{ seconds: NaN, cpuSeconds: NaN, peakBytes: NaN, markerSeconds: undefined },
  ...{ output: "", errors: "", isInstalled: false },
};

/** Runs a program to its end, one at a time; nothing of it is shown. */
export async function runProgram({ program, args }: Command, watch: Watch = {}): Promise<Cost> {
  const before = secondsOfChildren(), started = performance.now();
  const since = (): number => (performance.now() - started) / 1000;
  let process: Deno.ChildProcess;
  try {
    const stdin = watch.steps === undefined ? "null" : "piped";
    process = new Deno.Command(program, { args: [...args], stdin, stdout: "piped", stderr: "piped" }).spawn();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return MISSING;
    throw error;
  }
  let peakBytes = 0;
  const looks = setInterval(() => peakBytes = Math.max(peakBytes, peakOf(process.pid)), LOOK);
  const timeout = setTimeout(() => process.kill("SIGKILL"), 1000 * (watch.limit ?? LIMIT));
  const errors = new Response(process.stderr).text();
  try {
    const { output, markerSeconds } = await follow(process, watch, since);
    await process.status;
    const seconds = since(), cpuSeconds = secondsOfChildren() - before;
    return { seconds, cpuSeconds, peakBytes, markerSeconds, output, errors: await errors, isInstalled: true };
  } finally {
    clearInterval(looks);
    clearTimeout(timeout);
  }
}

/** Types what is to be typed, and notes when the marker came. */
async function follow(
  process: Deno.ChildProcess,
  { steps, marker, isEndedAtMarker = false }: Watch,
  since: () => number,
): Promise<{ output: string; markerSeconds: number | undefined }> {
  const keyboard = steps === undefined ? undefined : process.stdin.getWriter();
  const left = [...steps ?? []];
  let output = "", seen = 0, markerSeconds: number | undefined;
  for await (const chunk of process.stdout.pipeThrough(new TextDecoderStream())) {
    output += chunk;
    for (let step = left[0]; step !== undefined; step = left[0]) {
      if ("send" in step) await keyboard?.write(new TextEncoder().encode(step.send)).catch(() => {});
      else {
        const found = output.indexOf(step.expect, seen);
        if (found < 0) break;
        seen = found + step.expect.length;
      }
      left.shift();
    }
    if (markerSeconds === undefined && marker !== undefined && output.includes(marker)) {
      markerSeconds = since();
      if (isEndedAtMarker) process.kill("SIGKILL");
    }
  }
  await keyboard?.close().catch(() => {});
  return { output, markerSeconds };
}
