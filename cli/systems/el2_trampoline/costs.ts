/** What a switch costs, counted from the journal: instructions of each kind between the exception and the return. */
import type { TrampolineImage } from "../../../firmware/el2_trampoline/image.ts";
import { eventStream } from "../../../journal/event_stream.ts";
import type { CheckContext, CheckOutcome, Recorded, SystemCheck } from "../scenario.ts";
import { type SmallRun, smallRun } from "./machines.ts";

/** Kinds of instructions, by what their bits must be; an instruction is of the first that fits (Arm ARM C4.1). */
// deno-fmt-ignore
const KINDS: readonly (readonly [name: string, mask: number, bits: number])[] = [
  ["ISB",  0xffff_f0ff, 0xd503_30df],
  ["DSB",  0xffff_f0ff, 0xd503_309f],
  ["TLBI", 0xfff8_f000, 0xd508_8000],
  ["MSR",  0xfff0_0000, 0xd510_0000],
  ["MRS",  0xfff0_0000, 0xd530_0000],
  ["HVC",  0xffe0_001f, 0xd400_0002],
  ["ERET", 0xffff_ffff, 0xd69f_03e0],
  ["load or store", 0x0a00_0000, 0x0800_0000],
  ["other", 0, 0],
];

/** One direction. */
export type Direction = "enter" | "leave";

/** A switch in the journal: from the instant of the exception to that of the return, both included. */
export interface SwitchSpan {
  readonly direction: Direction;
  readonly from: number;
  readonly to: number;
}

/** EC of HVC, and the class of SVC. */
const EC_HVC = 0x16n, EC_SVC = 0x15n;
const MOST_BOUNCE = 8;

/**
 * The switches of a run, by its stored traps: an exception to EL2 after which EL2 returns into the other world, which is
 * told by the place that it returns to. With a redirection vector the exception is the one that it bounces.
 */
export function switchSpans({ run }: Recorded, image: TrampolineImage): SwitchSpan[] {
  const from = image.program.symbols.get("vmkernel") as bigint, to = from + 0x1_0000n;
  const isVmkernels = (address: bigint) => address >= from && address < to;
  const spans: SwitchSpan[] = [];
  let taken: { instant: number; isVmkernels: boolean } | undefined, bounced = -1;
  for (const event of run.stored({ from: 0, to: Infinity, classes: ["trap"] })) {
    if (event.kind === "exceptionTaken" && event.to === 1 && event.syndrome >> 26n === EC_SVC) {
      bounced = event.instant;
    }
    if (event.kind === "exceptionTaken" && event.to === 2 && event.from < 2) {
      const isBounce = bounced >= 0 && event.syndrome >> 26n === EC_HVC &&
        event.instant - bounced < MOST_BOUNCE;
      taken = { instant: isBounce ? bounced : event.instant, isVmkernels: isVmkernels(event.returnAddress) };
    } else if (event.kind === "exceptionReturned" && event.from === 2 && taken !== undefined) {
      const isBack = isVmkernels(event.address);
      if (taken.isVmkernels !== isBack) {
        spans.push({ direction: isBack ? "leave" : "enter", from: taken.instant, to: event.instant });
      }
      taken = undefined;
    } else if (event.kind === "exceptionReturned" && event.from === 1) {
      const last = spans.at(-1);
      const isOnward = last?.direction === "leave" && event.instant - last.to < MOST_BOUNCE;
      if (isOnward) spans[spans.length - 1] = { ...last, to: event.instant };
    }
  }
  return spans;
}

/** Counts of switches, in their order; one pass over all steps of the run. */
export function costsOf({ run, images }: Recorded, spans: readonly SwitchSpan[]): Record<string, number>[] {
  const costs = spans.map(() => Object.fromEntries(KINDS.map(([name]) => [name, 0])));
  let at = 0;
  for (const event of eventStream(run, images, { classes: ["step"] })) {
    if (event.kind !== "stepRetired") continue;
    while (at < spans.length && event.instant > (spans[at] as SwitchSpan).to) at++;
    const span = spans[at];
    if (span === undefined) break;
    // What the exception is taken from is the request itself.
    if (event.instant <= span.from) continue;
    const [name = "other"] = KINDS.find(([, mask, bits]) => ((event.opcode & mask) >>> 0) === bits) ?? [];
    (costs[at] as Record<string, number>)[name]!++;
  }
  return costs;
}

/** The forms whose costs are compared, on the CPU that has all of them, and the plain one on the smaller. */
// deno-fmt-ignore
export const COMPARED: Readonly<Record<string, Omit<SmallRun, "rounds">>> = {
  "plain, cortex-a57":       {},
  "plain, max":              { pauth: true },
  "redirection, cortex-a57": { form: "redirection" },
  "redirection, max":        { pauth: true, form: "redirection" },
  "TLB tags, max":           { pauth: true, form: "tags" },
};

const ROUNDS = 16;

function texts(counts: Readonly<Record<string, number>>): string {
  const all = Object.values(counts).reduce((sum, count) => sum + count, 0);
  const kinds = Object.entries(counts).filter(([, count]) => count > 0).map(([name, count]) =>
    `${count} ${name}`
  );
  return `${all} instructions: ${kinds.join(", ")}`;
}

async function costTable(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], figures: Record<string, string> = {};
  const tlbi = new Map<string, number>();
  for (const [name, run] of Object.entries(COMPARED)) {
    const { image, ...request } = smallRun({ ...run, rounds: ROUNDS });
    const recorded = await context.record(request), spans = switchSpans(recorded, image);
    const costs = costsOf(recorded, spans);
    for (const direction of ["enter", "leave"] as const) {
      // The last is left by PSCI, the others by the same call: those are the same instructions, whatever registers hold.
      const counted = costs.filter((_, index) => spans[index]?.direction === direction).slice(0, ROUNDS)
        .map((cost) => JSON.stringify(cost));
      const [first = "{}"] = counted;
      if (counted.some((text) => text !== first)) {
        failures.push(`${name}: switches to ${direction} differ in cost`);
      }
      if (counted.length < ROUNDS) {
        failures.push(`${name}: there are ${counted.length} switches to ${direction}`);
      }
      const counts = JSON.parse(first) as Record<string, number>;
      figures[`${name}: ${direction}`] = texts(counts);
      tlbi.set(`${name}: ${direction}`, counts["TLBI"] ?? 0);
      await context.breathe();
    }
  }
  for (const [name, count] of tlbi) {
    const expected = name.startsWith("TLB tags") ? 0 : 1;
    if (count !== expected) failures.push(`${name}: ${count} TLBI, not ${expected}`);
  }
  return { failures, figures };
}

/** The checks. */
export const COST_CHECKS: readonly SystemCheck[] = [
  { name: "what a switch of each form costs, from the journal", run: costTable },
];
