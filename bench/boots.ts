/** How long Debian takes to boot to userspace and power off, recorded, beside QEMU in the same run; and its memory. */
import { type Boot, BOOTS, machineOptions } from "../tests/boots/rows.ts";
import { COSTS_OPTIONS, costsIn, costsText, type CostsValue } from "./costs.ts";
import { type Cost, runProgram } from "./process.ts";
import { hostText, print, type Request, showProgress, UsageError } from "./request.ts";
import { PLAIN, RECORDING, type Runner, runnersFor } from "./runners.ts";
import { digits, median } from "./statistics.ts";

/** Shown above the figures. */
export const question =
  "time of a Debian boot to userspace and off, recording at the default depth, over QEMU's, by turns";

/** Boots of `deno task boots` that are measured when none is named, and those that can be. */
const USUAL = ["cloud-cortex-a57-gic2-smp1-el1", "cloud-max-gic2-smp1-el1"];
const KNOWN: readonly Boot[] = BOOTS.filter(({ name, options }) =>
  name.startsWith("cloud-") && !options.includes("-drive")
);
/** What the kernel says when userspace begins. */
const MARKER = "Run /init as init process";
/** Userspace powers off by itself: QEMU 7.2 with rr=record garbles what is typed, and waits for the rest. */
const OFF = ["-append", 'console=ttyAMA0 panic=-1 hindsight.run="poweroff -f"'];
const MIB = 2 ** 20;

/** A boot on one runner. */
interface BootTimes {
  /** Seconds of each run, start of the process and power-off included. */
  readonly seconds: readonly number[];
  /** Seconds of each run up to userspace. */
  readonly userspaceSeconds: readonly number[];
  /** Processor seconds of each run, all threads included. */
  readonly cpuSeconds: readonly number[];
  /** The most memory of any run, in bytes. */
  readonly peakBytes: number;
  /** Time over that of QEMU plain; NaN where that is not installed. */
  readonly ratio: number;
  /** The same up to userspace. */
  readonly userspaceRatio: number;
  /** As `ratio`, by processor time. */
  readonly cpuRatio: number;
}

function chosen(names: readonly string[]): Boot[] {
  const asked = names.length === 0 ? USUAL : names;
  const rows = KNOWN.filter(({ name }) => asked.some((start) => name.startsWith(start)));
  if (rows.length === 0) {
    throw new UsageError(
      `There is no boot "${names.join(", ")}": use ${KNOWN.map(({ name }) => name).join(", ")}`,
    );
  }
  return rows;
}

async function bootOn(runner: Runner, boot: Boot, more: readonly string[] = []): Promise<Cost> {
  const folder = await Deno.makeTempDir({ prefix: "hindsight-bench-" });
  try {
    const machine = [...machineOptions(boot), ...boot.options, ...OFF];
    const command = runner.command(runner.isOurs ? [...machine, ...more] : machine, folder);
    const cost = await runProgram(command, { marker: MARKER, limit: 600 });
    if (cost.isInstalled && cost.markerSeconds === undefined && more.length === 0) {
      throw new Error(
        `${boot.name} on ${runner.name} never said "${MARKER}":\n${cost.output.slice(-600)}${cost.errors}`,
      );
    }
    return cost;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function measure(
  boot: Boot,
  runners: readonly Runner[],
  runs: number,
): Promise<Map<string, BootTimes>> {
  const costs = new Map<string, Cost[]>();
  for (let run = 1; run <= runs; run++) {
    for (const runner of runners) {
      showProgress(`${boot.name}: run ${run} of ${runs}, ${runner.name}`);
      const cost = await bootOn(runner, boot);
      if (cost.isInstalled) costs.set(runner.name, [...costs.get(runner.name) ?? [], cost]);
    }
  }
  showProgress("");
  const whole = ({ seconds }: Cost): number => seconds;
  const userspace = ({ markerSeconds }: Cost): number => markerSeconds ?? NaN;
  const plain = costs.get(PLAIN) ?? [];
  const over = (all: readonly Cost[], time: (cost: Cost) => number): number =>
    median(all.map(time)) / median(plain.map(time));
  return new Map([...costs].map(([name, all]) => [name, {
    seconds: all.map(whole),
    userspaceSeconds: all.map(userspace),
    cpuSeconds: all.map(({ cpuSeconds }) => cpuSeconds),
    peakBytes: Math.max(...all.map(({ peakBytes }) => peakBytes)),
    ratio: over(all, whole),
    userspaceRatio: over(all, userspace),
    cpuRatio: over(all, ({ cpuSeconds }) => cpuSeconds),
  }]));
}

/** MiB of RAM that the guest of a boot has. */
function memoryOf({ options }: Boot): number {
  const text = options[options.indexOf("-m") + 1] ?? "";
  return parseInt(text) * (text.endsWith("G") ? 1024 : 1);
}

const NAME = 34, CELL = 21;

function line(name: string, cells: readonly string[]): string {
  return `  ${name.padEnd(NAME)}${cells.map((cell) => cell.padStart(CELL)).join("")}`.trimEnd();
}

/** Prints a row for each boot; gives all that it found. */
export async function run(request: Request): Promise<unknown> {
  const boots = chosen(request.workloads), runners = runnersFor(request.engines);
  const ours = runners.filter(({ isOurs }) => isOurs);
  print(request, `  ${hostText()}; median of ${request.runs}`);
  print(
    request,
    `  time over QEMU's (up to userspace, by processor time); seconds (up to userspace); memory at most, beside the guest's RAM`,
  );
  const head = [...ours.map(({ name }) => `${name}/${PLAIN}`), ...runners.map(({ name }) => `${name} s`)];
  print(request, line("", [...head, ...ours.map(({ name }) => `${name} MiB`), "RAM MiB"]));
  const found: unknown[] = [];
  for (const boot of boots) {
    // QEMU refuses to record more than one CPU.
    const able = runners.filter(({ name }) => name !== RECORDING || boot.smp === 1);
    const times = await measure(boot, able, request.runs);
    const several = (...[first = NaN, ...others]: (number | undefined)[]): string =>
      Number.isNaN(first) ? "" : `${digits(first)} (${others.map((value) => digits(value)).join(", ")})`;
    const cells = [
      ...ours.map(({ name }) =>
        several(
          times.get(name)?.ratio,
          times.get(name)?.userspaceRatio,
          times.get(name)?.cpuRatio,
        )
      ),
      ...runners.map(({ name }) =>
        several(median(times.get(name)?.seconds ?? []), median(times.get(name)?.userspaceSeconds ?? []))
      ),
      ...ours.map(({ name }) => digits((times.get(name)?.peakBytes ?? NaN) / MIB)),
      String(memoryOf(boot)),
    ];
    print(request, line(boot.name, cells));
    const costs: Record<string, CostsValue> = {};
    for (const runner of ours) {
      showProgress(`${boot.name}: costs of ${runner.name}`);
      const value = costs[runner.name] = costsIn(await bootOn(runner, boot, COSTS_OPTIONS));
      showProgress("");
      print(request, `    ${runner.name}: ${costsText(value)}`);
    }
    found.push({ name: boot.name, memoryMiB: memoryOf(boot), runners: Object.fromEntries(times), costs });
  }
  return found;
}
