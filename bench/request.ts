/** What a benchmark is asked for, and where it tells what it finds. */
import { parseArgs } from "@std/cli";
import { FAST_ENGINES, versionOfQemu } from "./runners.ts";

/** What a benchmark is asked for. */
export interface Request {
  /** Names of benchmarks; all when there are none. */
  readonly benchmarks: readonly string[];
  /** Runs whose median is taken. */
  readonly runs: number;
  /** Names of engines. */
  readonly engines: readonly string[];
  /** Names of workloads; all when there are none. */
  readonly workloads: readonly string[];
  /** Whether workloads tell what their recordings go into, by a run more. */
  readonly tellsCosts: boolean;
  /** Whether results are printed as JSON, and nothing else. */
  readonly isJson: boolean;
  /** Whether help is wanted. */
  readonly isHelp: boolean;
}

/** What is wrong with a command line. */
export class UsageError extends Error {
  /** Name of the class. */
  override name = "UsageError";
}

/** Reads a command line; throws UsageError. */
export function parseRequest(args: readonly string[], known: readonly string[]): Request {
  const given = parseArgs(args, {
    boolean: ["costs", "json", "help"],
    string: ["runs", "engine", "workload", "_"],
    collect: ["engine", "workload"],
    default: { runs: "5" },
    unknown: (argument, key) => {
      if (key !== undefined) throw new UsageError(`Unknown option ${argument}; see --help`);
    },
  });
  const benchmarks = given._.map(String), runs = Number(given.runs);
  for (const name of benchmarks) {
    if (!known.includes(name)) {
      throw new UsageError(`There is no benchmark "${name}": use ${known.join(", ")}`);
    }
  }
  if (!(Number.isInteger(runs) && runs > 0)) {
    throw new UsageError(`--runs ${given.runs} is not a number of runs: use 1 or more`);
  }
  const engines = given.engine.map(String), workloads = given.workload.map(String);
  return {
    ...{ benchmarks, runs, workloads },
    engines: engines.length > 0 ? engines : FAST_ENGINES,
    tellsCosts: given.costs,
    isJson: given.json,
    isHelp: given.help,
  };
}

/** Prints a line, unless JSON is wanted. */
export function print({ isJson }: Request, line: string): void {
  if (!isJson) console.log(line);
}

const CLEAR = "\r\x1b[K";

/** Shows on a terminal what is being measured; an empty text takes it away. */
export function showProgress(text: string): void {
  if (Deno.stderr.isTerminal()) Deno.stderr.writeSync(new TextEncoder().encode(CLEAR + text));
}

/** What was measured on, at present: load tells whether others used the processors. */
export function describeHost(): Readonly<Record<string, unknown>> {
  const load = Deno.build.os === "windows" ? [] : Deno.loadavg().map((value) => Number(value.toFixed(2)));
  return {
    deno: Deno.version.deno,
    qemu: versionOfQemu() ?? null,
    processors: navigator.hardwareConcurrency,
    load,
  };
}

/** The same in words. */
export function hostText(): string {
  const { deno, qemu, processors, load } = describeHost();
  const peer = qemu === null
    ? "QEMU is not installed (Debian: qemu-system-arm): its columns stay empty"
    : `QEMU ${qemu}`;
  return `Deno ${deno}, ${peer}; ${processors} processors, load ${(load as number[]).join(" ")}`;
}
