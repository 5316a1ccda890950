/** Cold starts: from the start of a process to the first instruction of a guest, and to U-Boot's prompt. */
import { assembleProgram } from "../machine/a64/program.ts";
import { scriptText } from "../tests/boots/hindsight.ts";
import type { Step } from "../tests/boots/rows.ts";
import { type Cost, runProgram } from "./process.ts";
import { print, type Request, showProgress } from "./request.ts";
import { PLAIN, type Runner } from "./runners.ts";
import { digits, median, tableLines } from "./statistics.ts";

/** A guest whose third instruction writes to the console; then it powers off. */
const FIRST_BYTE = `
        mov     x0, #0x9000000
        mov     w1, #'x'
        strb    w1, [x0]
        ldr     x0, =0x84000008                 // SYSTEM_OFF
        hvc     #0
        .ltorg
`;
const BASE = 0x40080000n;

const U_BOOT = ".guests/u-boot/u-boot.bin", PROMPT = "\n=> ";
/** The key is typed before U-Boot looks for it, so that nobody counts down. */
const STOPPED: readonly Step[] = [{ expect: "Loading Environment" }, { send: " " }, { expect: PROMPT }];

/** A start whose time is wanted: options, what is typed, and the text that ends it. */
interface Start {
  readonly name: string;
  readonly options: readonly string[];
  readonly steps: readonly Step[];
  readonly marker: string;
}

/** A start on each runner. */
export interface StartTimes {
  /** What was started. */
  readonly name: string;
  /** Medians of seconds by runner. */
  readonly seconds: Readonly<Record<string, number>>;
  /** Medians of the most memory (bytes) by runner. */
  readonly peakBytes: Readonly<Record<string, number>>;
}

function isThere(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

async function startOn(runner: Runner, { options, steps, marker }: Start, folder: string): Promise<Cost> {
  const script = `${folder}/script`;
  Deno.writeTextFileSync(script, scriptText(steps));
  const typed = steps.length > 0;
  const machine = ["-M", "virt", "-cpu", "cortex-a57", ...options];
  if (runner.isOurs && typed) machine.push("--script", script);
  const watch = { marker, isEndedAtMarker: true, limit: 120 };
  return await runProgram(
    runner.command(machine, folder),
    runner.isOurs || !typed ? watch : { ...watch, steps },
  );
}

async function measure(start: Start, runners: readonly Runner[], runs: number): Promise<StartTimes> {
  const costs = new Map<string, Cost[]>();
  for (let run = 0; run <= runs; run++) {
    for (const runner of runners) {
      showProgress(`${start.name}: run ${run} of ${runs}, ${runner.name}`);
      const folder = await Deno.makeTempDir({ prefix: "hindsight-bench-" });
      const cost = await startOn(runner, start, folder).finally(() =>
        Deno.remove(folder, { recursive: true })
      );
      if (!cost.isInstalled) continue;
      if (cost.markerSeconds === undefined) {
        throw new Error(
          `${start.name} on ${runner.name}: ${JSON.stringify(start.marker)} never came:\n` +
            cost.output.slice(-400) + cost.errors,
        );
      }
      if (run === 0) costs.set(runner.name, []); // the first fills the caches of the host
      else costs.get(runner.name)?.push(cost);
    }
  }
  const of = (value: (cost: Cost) => number | undefined) =>
    Object.fromEntries(
      [...costs].map(([name, all]) => [name, median(all.map((cost) => value(cost) ?? NaN))]),
    );
  return {
    name: start.name,
    seconds: of(({ markerSeconds }) => markerSeconds),
    peakBytes: of(({ peakBytes }) => peakBytes),
  };
}

/** Prints seconds by runner, times QEMU's first; `--runs` times each. */
export async function measureStarts(request: Request, runners: readonly Runner[]): Promise<StartTimes[]> {
  const folder = await Deno.makeTempDir({ prefix: "hindsight-bench-" }), kernel = `${folder}/first.bin`;
  Deno.writeFileSync(kernel, assembleProgram(FIRST_BYTE, { name: "first", base: BASE }).bytes);
  const starts: Start[] = [
    { name: "first instruction", options: ["-kernel", kernel], steps: [], marker: "x" },
  ];
  if (isThere(U_BOOT)) {
    starts.push({ name: "U-Boot's prompt", options: ["-bios", U_BOOT], steps: STOPPED, marker: PROMPT });
  } else print(request, "  U-Boot is not measured: `deno task guests u-boot` brings it");
  const table: StartTimes[] = [];
  try {
    for (const start of starts) table.push(await measure(start, runners, request.runs));
  } finally {
    showProgress("");
    await Deno.remove(folder, { recursive: true });
  }
  const ours = runners.filter(({ isOurs }) => isOurs);
  const rows = table.map(({ name, seconds, peakBytes }) => [
    name,
    ...ours.map((engine) => digits((seconds[engine.name] ?? NaN) / (seconds[PLAIN] ?? NaN))),
    ...runners.map((runner) => digits(seconds[runner.name])),
    ...ours.map((engine) => digits((peakBytes[engine.name] ?? NaN) / 2 ** 20)),
  ]);
  const head = [
    "time to the",
    ...ours.map(({ name }) => `${name}/${PLAIN}`),
    ...runners.map(({ name }) => `${name} s`),
    ...ours.map(({ name }) => `${name} MiB`),
  ];
  for (const line of tableLines([head, ...rows])) print(request, `  ${line}`);
  return table;
}
