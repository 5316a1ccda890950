/** Calls from a table by each trigger: the same effects; and random register files, which never reach what is not the caller's. */
import {
  BUFFER_PAGES,
  type Call,
  CALL_RESULTS,
  CALL_TABLE,
  type CallResult,
  CALLS_BASE,
  callsGuest,
  callTable,
  type CallTrigger,
  MENDED_FRAME,
  readResults,
  resultBytes,
  STRETCH,
} from "../../../firmware/unified_backdoor/calls_guest.ts";
import { diff } from "../../../journal/diff.ts";
import { eventStream } from "../../../journal/event_stream.ts";
import { Timeline } from "../../../journal/timeline.ts";
import { physicalAddress } from "../../../machine/address.ts";
import type { MachineEvent } from "../../../machine/events.ts";
import type { Machine } from "../../../machine/machine.ts";
import type { CheckContext, CheckOutcome, Recorded } from "../scenario.ts";
import { followCalls } from "./page_map.ts";
import { randomCalls } from "./random_calls.ts";

/** Systems with which a trigger works. */
const MONITOR = "el2:dcc-hypercall,unified-backdoor,guestinfo=k=v";
/** Files that the options name. */
const GUEST = "guest", TABLE = "table";

/** Records the calls of a table. */
export function recordCalls(
  context: CheckContext,
  trigger: CallTrigger,
  calls: readonly Call[],
  more: { readonly name?: string; readonly monitor?: string; readonly script?: readonly string[] } = {},
): Promise<Recorded> {
  const { monitor = MONITOR, ...rest } = more;
  return context.record({
    ...rest,
    options: [
      ...["-kernel", GUEST, "-m", "64M", "--monitor", monitor],
      ...["-device", `loader,file=${TABLE},addr=0x${CALL_TABLE.toString(16)},force-raw=on`],
    ],
    files: { [GUEST]: callsGuest(trigger).bytes, [TABLE]: callTable(calls) },
  });
}

/** The machine at the end of a run. */
export function lastMachine(context: CheckContext, { run, images }: Recorded): Machine {
  const timeline = new Timeline(run, images, context.machineOptions());
  timeline.seek(run.lastInstant);
  return timeline.machine;
}

/** What the calls left. */
export function resultsOf(machine: Machine, calls: number): CallResult[] {
  return readResults(
    machine.board.memory.readBytes(physicalAddress(CALL_RESULTS), resultBytes(calls)).slice(),
  );
}

function textOf(value: unknown): string {
  return JSON.stringify(value, (_, item) => typeof item === "bigint" ? `0x${item.toString(16)}` : item);
}

/** What an event says but for what the trigger itself is: its own exception, its name, HVC's return behind itself. */
function withoutTrigger(event: MachineEvent): string | undefined {
  const { index: _, ...rest } = event;
  if (event.kind === "exceptionTaken" && event.to === 2) return undefined;
  if (event.kind === "debugChannelTrapped") return undefined;
  return textOf(event.kind === "backdoorCalled" ? { ...rest, trigger: "" } : rest);
}

/** The traps of a run without what the trigger itself is. */
function effectsOf({ run, images }: Recorded): string[] {
  const found: string[] = [];
  for (const event of eventStream(run, images, { classes: ["trap", "device"] })) {
    const text = withoutTrigger(event);
    if (text !== undefined) found.push(text);
  }
  return found;
}

const PAGE = 4096;
/** The word of the image by which triggers differ is in this page. */
const STUB_PAGE = Number(CALLS_BASE) + PAGE;

/** Pages of memory in which two machines differ. */
function differingPages(left: Machine, right: Machine, from: number, to: number): number[] {
  const found: number[] = [];
  for (let at = from; at < to; at += PAGE) {
    const [a, b] = [left, right].map(({ board }) =>
      board.memory.readBytes(physicalAddress(at), PAGE).slice()
    );
    if (a!.some((byte, index) => byte !== b![index])) found.push(at);
  }
  return found;
}

const RAM = 0x4000_0000, RAM_SIZE = 0x0400_0000;

/** What two runs of one table by two triggers differ in. */
function triggerDifferences(context: CheckContext, left: Recorded, right: Recorded): string[] {
  const failures: string[] = [], [a, b] = [effectsOf(left), effectsOf(right)];
  const at = a.findIndex((text, index) => text !== b[index]);
  if (at >= 0 || a.length !== b.length) {
    failures.push(`effect ${at}: ${a[at]} and ${b[at]}; there are ${a.length} and ${b.length}`);
  }
  const [one, other] = [left, right].map((run) => lastMachine(context, run)) as [Machine, Machine];
  const pages = differingPages(one, other, RAM, RAM + RAM_SIZE).filter((page) => page !== STUB_PAGE);
  if (pages.length > 0) {
    failures.push(`memory differs at ${pages.slice(0, 4).map((page) => page.toString(16))}`);
  }
  const difference = diff(left, right, context.machineOptions());
  const [first] = difference.kind === "divergent" ? difference.sides : [];
  if (first?.event?.kind !== "exceptionTaken" || first.event.to !== 2) {
    failures.push(`diff first finds ${difference.kind} ${first?.event?.kind}`);
  }
  return failures;
}

/** One table by all triggers, at EL1 by three, at both levels by two. */
export async function sameEffects(context: CheckContext): Promise<CheckOutcome> {
  const count = context.all ? 5000 : 1000, failures: string[] = [];
  const record = (trigger: CallTrigger, levels: readonly (0 | 1)[]) =>
    recordCalls(context, trigger, randomCalls(5, count, levels));
  const [hvc, ...others] = [await record("hvc", [1]), await record("mrs", [1]), await record("brk", [1])];
  for (const other of others) failures.push(...triggerDifferences(context, hvc!, other!));
  const [mrs, brk] = [await record("mrs", [0, 1]), await record("brk", [0, 1])];
  failures.push(...triggerDifferences(context, mrs, brk));
  const effects = effectsOf(mrs).length;
  if (effects < 2 * count) failures.push(`there are only ${effects} effects`);
  return { failures, figures: { "calls by each trigger": count, "effects compared": effects } };
}

/** Frames that a guest's calls may have changed: those that a caller can write, and what the guest itself writes. */
function changeablePages(calls: number): Set<number> {
  const pages = new Set<number>();
  for (const { access, physical } of BUFFER_PAGES) {
    if (physical !== undefined && access.some((text) => text.includes("w"))) pages.add(physical);
  }
  pages.add(MENDED_FRAME);
  for (let at = 0; at < STRETCH.size; at += PAGE) pages.add(STRETCH.physical + at);
  for (let at = CALL_RESULTS; at < CALL_RESULTS + resultBytes(calls); at += PAGE) pages.add(at);
  return pages;
}

/** The guest's tables of translation: the page that it mends, and mends back. */
const TABLES = { from: 0x4010_0000, to: 0x4011_0000 };

/** Random register files from both levels: the host goes on, and memory is only where the map of pages says. */
export async function randomFiles(context: CheckContext): Promise<CheckOutcome> {
  const count = context.all ? 100_000 : 2000, seed = 86, failures: string[] = [];
  const calls = randomCalls(seed, count, [0, 1]);
  const recorded = await recordCalls(context, "mrs", calls, { name: "random-calls" });
  if (!recorded.console.includes("done")) failures.push("the guest did not come to its end");
  const found = followCalls(eventStream(recorded.run, recorded.images, { classes: ["trap"] }));
  failures.push(...found.violations.slice(0, 10));
  for (const outcome of ["answered", "unknown", "continued", "faulted", "undefined"]) {
    if (found.outcomes[outcome] === undefined) failures.push(`no call was ${outcome}: they show little`);
  }
  if (found.messages < count / 200) failures.push(`only ${found.messages} messages came whole`);
  const timeline = new Timeline(recorded.run, recorded.images, context.machineOptions());
  const before = (at: number) => timeline.machine.board.memory.readBytes(physicalAddress(at), PAGE).slice();
  timeline.seek(recorded.run.firstInstant);
  const first = new Map<number, Uint8Array>();
  for (let at = RAM; at < RAM + RAM_SIZE; at += PAGE) first.set(at, before(at));
  timeline.seek(recorded.run.lastInstant);
  const allowed = changeablePages(count),
    reserve = timeline.machine.board.monitors.length > 0 ? 0x43a0_0000 : RAM;
  let changed = 0;
  for (const [at, bytes] of first) {
    if (at >= reserve || (at >= TABLES.from && at < TABLES.to)) continue; // the monitor's own, and the guest's tables
    const now = before(at);
    if (!now.some((byte, index) => byte !== bytes[index])) continue;
    changed++;
    if (!allowed.has(at)) failures.push(`the page 0x${at.toString(16)} changed`);
  }
  const results = resultsOf(timeline.machine, count);
  failures.push(...await context.replayOn(recorded, ["reference", "threaded", "compiled"]));
  return {
    failures: failures.slice(0, 20),
    figures: {
      "register files": count,
      seed,
      ...found.outcomes,
      "messages that came whole": found.messages,
      "bytes moved": found.bytes,
      "pages changed": changed,
      "faults mended by the guest": results.reduce((sum, { mended }) => sum + mended, 0),
    },
  };
}
