/** A guest that debugs itself: what it prints alone, on QEMU, and under every choice of the monitor. */
import { DEBUG_GUEST_BASE, debugGuestSource } from "../../../firmware/dcc_hypercall/debug_guest.ts";
import { assembleProgram } from "../../../machine/a64/program.ts";
import { ENGINES } from "../../../machine/machine.ts";
import type { CheckContext, CheckOutcome, Recorded } from "../scenario.ts";

/** Ways to build the monitor, by CPU model. */
const MONITORS = {
  "cortex-a57": ["", ",tde=on", ",shadow=off", ",console=on", ",tde=on,console=on"],
  "max": [",trap=tdcc", ",trap=tdcc,tde=on", ",trap=tdcc,shadow=off"],
} as const;
/** So many of each are replayed on every engine; the others with `--all`. */
const REPLAYED = { "cortex-a57": 2, "max": 1 } as const;

type Model = keyof typeof MONITORS;

function guest(hasChannel: boolean): Uint8Array {
  const source = debugGuestSource({ hasChannel });
  return assembleProgram(source, { name: "debug guest", base: DEBUG_GUEST_BASE }).bytes;
}

function record(context: CheckContext, model: Model, monitor?: string): Promise<Recorded> {
  return context.record({
    options: [
      ...["-kernel", "guest", "-m", "32M", "-cpu", model],
      ...monitor === undefined ? [] : ["--monitor", `el2:dcc-hypercall${monitor}`],
    ],
    files: { guest: guest(true) },
  });
}

const linesOf = (console: string): string[] => console.replaceAll("\r", "").trim().split("\n");

/** Where two consoles differ first; undefined where they do not. */
export function firstDifference(one: string, other: string): string | undefined {
  const left = linesOf(one), right = linesOf(other);
  let scenario = "";
  for (let index = 0; index < Math.max(left.length, right.length); index++) {
    if (left[index] !== right[index]) return `scenario ${scenario}: ${left[index]}, then ${right[index]}`;
    if (/^[A-Za-z]$/.test(left[index] ?? "")) scenario = left[index] as string;
  }
  return undefined;
}

/** Breakpoints, watchpoints, steps, BRK and all registers are the guest's own under every choice of the monitor. */
export async function debugsItself(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], figures: Record<string, number> = {};
  for (const model of Object.keys(MONITORS) as Model[]) {
    const bare = await record(context, model);
    figures[`lines on ${model}`] = linesOf(bare.console).length;
    for (const [index, monitor] of MONITORS[model].entries()) {
      const recorded = await record(context, model, monitor), name = `${model}${monitor}`;
      const difference = firstDifference(bare.console, recorded.console);
      if (difference !== undefined) failures.push(`${name}: ${difference}`);
      const engines = context.all || index < REPLAYED[model] ? Object.keys(ENGINES) : [];
      failures.push(...await context.replayOn(recorded, engines));
      figures[`steps with ${name}`] = recorded.end.instant;
    }
  }
  return { failures, figures };
}

/** The same guest, without what QEMU 7.2 lacks, prints the same there. */
export async function debugsItselfOnQemu(context: CheckContext): Promise<CheckOutcome> {
  const files = { guest: guest(false) }, options = ["-M", "virt", "-cpu", "cortex-a57", "-kernel", "guest"];
  const there = await context.qemu({ options, files });
  const here = await context.record({ options: [...options, "-m", "32M"], files });
  const difference = firstDifference(here.console, there.console);
  return {
    failures: difference === undefined ? [] : [`here, then on QEMU: ${difference}`],
    figures: { "lines that are alike": linesOf(there.console).length },
  };
}
