/** What two scales make different, and what no scale can be. */
import { diff } from "../../../journal/diff.ts";
import { eventStream } from "../../../journal/event_stream.ts";
import type { MachineEvent } from "../../../machine/events.ts";
import type { CheckContext, CheckOutcome } from "../scenario.ts";
import { watch } from "./timer_runs.ts";

/** Two runs that differ in their scale alone: the first thing that differs is a counter's value. */
export async function differences(context: CheckContext): Promise<CheckOutcome> {
  const left = await watch(context, "scale-1", ",scale=1", []);
  const right = await watch(context, "scale-4", ",scale=4", []);
  const streams = [left, right].map(({ recorded: { run, images } }) =>
    eventStream(run, images, { classes: ["trap", "device", "detail"] }, context.machineOptions())
  ) as [Generator<MachineEvent>, Generator<MachineEvent>];
  const failures: string[] = [];
  let equal = 0, first: string | undefined;
  while (first === undefined) {
    const [a, b] = streams.map((stream) => stream.next().value as MachineEvent | undefined);
    if (a === undefined || b === undefined) break;
    if (textOf(a) === textOf(b)) equal++;
    else {
      const [one, other] = streams.map((stream, side) => counterRead(stream, (side === 0 ? a : b).instant));
      first = one !== undefined && one.register === other?.register && a.instant === b.instant
        ? `${one.register} at instant ${a.instant}: ${one.value} and ${other.value}`
        : "";
      if (first === "") failures.push(`the first difference is no counter's: ${textOf(a)}, ${textOf(b)}`);
    }
  }
  if (first === undefined) failures.push("the runs do not differ");
  const found = diff(left.recorded, right.recorded, context.machineOptions());
  const what = found.kind === "divergent"
    ? found.sides.map(({ event }) => event?.kind ?? "nothing").join(" and ")
    : found.kind;
  if (found.kind !== "divergent") failures.push(`diff finds no divergent event but ${found.kind}`);
  return {
    failures,
    figures: {
      "events alike before": equal,
      "first difference": first ?? "none",
      "diff's first of traps": what,
    },
  };
}

/** The trapped read of a counter in the step of an instant, from the next event on. */
function counterRead(
  stream: Generator<MachineEvent>,
  instant: number,
): { readonly register: string; readonly value: bigint } | undefined {
  for (const event of stream) {
    if (event.instant !== instant) return undefined;
    if (event.kind === "registerEmulated" && event.register.startsWith("CNT")) return event;
  }
  return undefined;
}

function textOf(event: MachineEvent): string {
  return JSON.stringify(event, (_, value) => typeof value === "bigint" ? `${value}` : value);
}

/** Scales that cannot be are refused before a machine is built, or with the running one untouched. */
export async function refusals(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], said: string[] = [];
  for (const scale of ["0", "-1/4", "40000", "1/100000", "fast"]) {
    try {
      await watch(context, "refused", `,scale=${scale}`, []);
      failures.push(`scale=${scale} was taken`);
    } catch (error) {
      said.push((error as Error).message);
    }
  }
  for (
    const action of [
      "scale 0",
      "scale 70000",
      "monitor el2 time-scale rewind",
      "monitor el2 time-scale skew 0 1x",
    ]
  ) {
    try {
      await watch(context, "refused", "", [`at 20000 ${action}`]);
      failures.push(`${action} was taken`);
    } catch (error) {
      said.push((error as Error).message);
    }
  }
  const reasons = [/not positive/, /overflow/, /precision/, /no scale/, /no command/];
  for (const reason of reasons) {
    if (!said.some((text) => reason.test(text))) failures.push(`nothing said ${reason}`);
  }
  return { failures, figures: { refused: said.length } };
}
