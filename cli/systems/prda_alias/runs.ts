/** Runs of the PRDA kernel: recorded, forked by a schedule, read from their reports. */
import { type PrdaKernel, prdaKernel, type PrdaKernelOptions } from "../../../firmware/prda/kernel.ts";
import { fork } from "../../../journal/fork.ts";
import type { RunEnd } from "../../../journal/payloads.ts";
import type { RecordedRun } from "../../../journal/run.ts";
import type { Sink } from "../../../journal/storage.ts";
import type { MachineImages } from "../../../machine/compose.ts";
import type { MachineOptions } from "../../../machine/machine.ts";
import type { CheckContext, Recorded, RecordRequest } from "../scenario.ts";
import type { Action } from "./schedules.ts";

/** What every run is replayed on. */
export const ENGINES = ["reference", "threaded", "compiled"];

/** Steps that no run without a timer comes to. */
export const UNTIL = 200_000;

const IMAGE = "prda.bin";

/** A kernel and a run of it. */
export interface KernelRun {
  readonly kernel: PrdaKernel;
  readonly recorded: Recorded;
}

/** The board that a kernel needs, as options of `hindsight record` and of QEMU. */
export function boardOptions({ options: { scheme, level, pes } }: PrdaKernel): string[] {
  const cpu = scheme === "aliasAtomic" ? "max" : "cortex-a57"; // which has no FEAT_LSE
  return [
    ...["-M", `virt,virtualization=${level === 2 ? "on" : "off"}`, "-cpu", cpu],
    ...["-smp", String(pes), "-m", "128", "-kernel", IMAGE],
  ];
}

/** The kernel as a file, by the name that `boardOptions` has. */
export const kernelFile = ({ program }: PrdaKernel): Record<string, Uint8Array> => ({
  [IMAGE]: program.bytes,
});

/** A kernel's labels as `nm` prints them, for `--symbols`. */
const symbolText = ({ program: { symbols } }: PrdaKernel): string =>
  [...symbols].map(([name, value]) => `${value.toString(16).padStart(16, "0")} T ${name}\n`).join("");

/** Builds a kernel and records it to its end; beside a journal, its symbols. Throws as building and recording do. */
export async function recordKernel(
  context: CheckContext,
  options: PrdaKernelOptions,
  request: Partial<RecordRequest> = {},
): Promise<KernelRun> {
  const kernel = prdaKernel(options), { name } = request;
  if (name !== undefined) Deno.writeTextFileSync(context.file(`${name}.map`), symbolText(kernel));
  const recorded = await context.record({
    ...request,
    options: [...boardOptions(kernel), ...request.options ?? []],
    files: kernelFile(kernel),
  });
  return { kernel, recorded };
}

/** A number of the kernel's report; −1 without it. */
export function reported(console: string, name: string): number {
  return Number(new RegExp(` ${name} (\\d+)`).exec(console)?.[1] ?? -1);
}

/** Forks a run where a schedule begins, and records what comes of it to the end, or `until`. Throws as forking does. */
export function forkSchedule(
  { run, images }: { readonly run: RecordedRun; readonly images: MachineImages },
  schedule: readonly Pick<Action, "instant" | "input">[],
  sink: Sink,
  options: MachineOptions,
  until = UNTIL,
): RunEnd {
  const { recorder } = fork(run, images, schedule[0]!.instant, sink, options);
  let isOn = true;
  const goTo = (instant: number): void => {
    while (isOn && recorder.machine.instant < instant) {
      const { reason } = recorder.run(instant);
      isOn = reason === "limit" || reason === "requested";
    }
  };
  for (const { instant, input } of schedule) {
    goTo(instant);
    if (isOn) recorder.submit(input);
  }
  goTo(until);
  return recorder.finish(isOn ? "instant" : "poweredOff");
}
