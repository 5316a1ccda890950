/** A bare guest that calls services with every kind of argument, on every back end: equal answers and equal events. */
import {
  exerciser,
  type ExerciserCall,
  type ExerciserOptions,
  immediateOf,
  WINDOW,
} from "../../../firmware/rts_upcall/exerciser.ts";
import { variablesOn } from "../../../hypervisor/variable_store/variable_log.ts";
import { diff } from "../../../journal/diff.ts";
import type { MachineEvent } from "../../../machine/events.ts";
import { guidBytes } from "../../../machine/guid.ts";
import type { CheckContext, CheckOutcome, Recorded, RecordRequest } from "../scenario.ts";
import { seeded } from "../random.ts";
import {
  BACK_ENDS,
  type BackEnd,
  backEndText,
  conduitOf,
  diskOf,
  eventText,
  monitorOptions,
  serviceEvents,
} from "./machines.ts";

/** Calls of a run, and runs. */
const CALLS = { quick: 700, all: 3000 } as const, SEEDS = { quick: 1, all: 8 } as const;
/** Where the guest is: behind the device tree, which differs with the monitor. */
const BASE = 0x4040_0000n;
const PAGE = 4096;
const VENDOR = "12345678-9abc-def0-1122-334455667788";

/** The names in the window, by offset: the second lies across two pages that are apart in memory. */
const NAMES = [[0x40, "a"], [PAGE - 6, "across"], [0x100, "third name"], [0x180, ""]] as const;
const VENDORS = [0x20, 0x30] as const;
/** Offsets for results and data, the ends of pages and places of no memory among them. */
const GOOD = [0x400, 0x800, 0xc04, PAGE - 4, 2 * PAGE - 300, 4 * PAGE + 0x200];
const PLACES = [
  ...GOOD,
  ...GOOD,
  ...GOOD,
  ...[0x400, 0x800, 0xc04, PAGE - 4, PAGE - 1, 2 * PAGE - 2, 2 * PAGE - 300, 2 * PAGE, 2 * PAGE + 0x10],
  ...[
    3 * PAGE - 3,
    3 * PAGE,
    4 * PAGE - 8,
    4 * PAGE,
    4 * PAGE + 0x200,
    5 * PAGE - 5,
    5 * PAGE,
    6 * PAGE,
    7 * PAGE,
  ],
];
const SIZES = [0, 1, 4, 16, 100, 1000, 4096, 5000, 0x8000, 0x8001, 2 ** 40];
const ATTRIBUTES = [7, 7, 7, 7, 6, 3, 2, 0, 0x47, 0x17, 0x27, 5, 0x87, 0x107, 0xffff_ffff];
const SERVICES = [
  ...[
    "GetVariable",
    "GetVariable",
    "SetVariable",
    "SetVariable",
    "SetVariable",
    "SetVariable",
    "GetNextVariableName",
  ],
  ...["QueryVariableInfo", "GetTime", "SetTime", "ConvertPointer", "SetVirtualAddressMap", "GetWakeupTime"],
  ...[
    "UpdateCapsule",
    "AllocatePages",
    "GetMemoryMap",
    "Begin",
    "HandleProtocol",
    "FreePool",
    "CalculateCrc32",
  ],
];

function wide(text: string): Uint8Array {
  return Uint8Array.from([...text, "\0"].flatMap((letter) => [letter.charCodeAt(0), 0]));
}

/** Calls drawn from a seed. */
function drawnCalls(seed: number, count: number): ExerciserCall[] {
  const numbers = seeded(seed),
    draw = <T>(list: readonly T[]): T => list[numbers.next().value % list.length] as T;
  const at = (offset: number) => WINDOW + BigInt(offset);
  const pointer = () =>
    draw([0, 1, 2, 3, 4, 5, 6, 7, 8]) === 0 ? BigInt(draw([0, 1, 2 ** 47])) : at(draw(PLACES));
  const size = () => BigInt(draw(SIZES));
  const name = () => draw([0, 1, 2, 3, 4]) === 0 ? pointer() : at(draw(NAMES)[0]);
  const vendor = () => draw([0, 1, 2, 3, 4, 5]) === 0 ? pointer() : at(draw(VENDORS));
  const left = immediateOf("Leave"), half = Math.floor(count / 2);
  return Array.from({ length: count }, (_, index): ExerciserCall => {
    if (index === half) return { immediate: left, arguments: [] };
    const service = draw(SERVICES),
      given = ({
        GetVariable: () => [name(), vendor(), pointer(), pointer(), pointer()],
        SetVariable: () => [name(), vendor(), BigInt(draw(ATTRIBUTES)), size(), pointer()],
        GetNextVariableName: () => [pointer(), name(), vendor()],
        QueryVariableInfo: () => [BigInt(draw(ATTRIBUTES)), pointer(), pointer(), pointer()],
      } as Record<string, () => bigint[]>)[service] ??
        (() => [pointer(), pointer(), size(), pointer(), pointer()]);
    const immediate = draw([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]) === 0
      ? 0x5200 + numbers.next().value % 0xf0
      : immediateOf(service);
    // Not a reset, which ends the run, and no code in place of a stub.
    const isEnding = immediate === immediateOf("ResetSystem");
    return {
      immediate: isEnding ? immediateOf("GetTime") : immediate,
      arguments: given(),
      dump: [at(draw([0x400, 0x800, PAGE - 8, 4 * PAGE])), 8],
    };
  });
}

const CONTENTS: NonNullable<ExerciserOptions["contents"]> = [
  ...NAMES.map(([offset, text]) => [offset, wide(text)] as const),
  [VENDORS[0], guidBytes(VENDOR)],
  [VENDORS[1], guidBytes("8be4df61-93ca-11d2-aa0d-00e098032b8c")],
];

/** A bare guest's run. */
function callsRun(
  context: CheckContext,
  backEnd: BackEnd,
  calls: readonly ExerciserCall[],
  name: string,
): RecordRequest {
  const { caller } = backEnd, conduit = conduitOf(backEnd);
  const { bytes } = exerciser({ level: caller, conduit, calls, base: BASE, contents: CONTENTS });
  return {
    name,
    options: [
      ...["-device", `loader,file=guest,addr=0x${BASE.toString(16)},force-raw=on,cpu-num=0`],
      ...["-m", "16M", "-M", `virt,virtualization=${caller === 2 ? "on" : "off"}`],
      ...monitorOptions(context, backEnd, name),
    ],
    files: { guest: bytes },
  };
}

/** The first place at which two lists of texts differ. */
function firstDifference(left: readonly string[], right: readonly string[]): string | undefined {
  for (let at = 0; at < Math.max(left.length, right.length); at++) {
    if (left[at] !== right[at]) return `${at}: ${left[at] ?? "nothing"} and ${right[at] ?? "nothing"}`;
  }
  return undefined;
}

/** How the level of the caller shows in its events. */
const levelless = (text: string): string => text.replaceAll(/"level":\d/g, '"level":0');

/** The events of the back ends against those of the first. */
function compare(runs: readonly (readonly [BackEnd, Recorded])[]): string[] {
  const [first, ...others] = runs.map(([backEnd, recorded]) => ({
    backEnd,
    recorded,
    events: serviceEvents(recorded).map((event) => eventText(event, backEnd.caller === 1)),
    untimed: serviceEvents(recorded).map((event) => levelless(eventText(event, false))),
  }));
  return others.flatMap(({ backEnd, recorded, events, untimed }) => {
    const what = `${backEndText(first!.backEnd)} and ${backEndText(backEnd)}`;
    const isSame = backEnd.caller === first!.backEnd.caller;
    const found = isSame ? firstDifference(first!.events, events) : firstDifference(first!.untimed, untimed);
    const failures = found === undefined ? [] : [`${what}: event ${found}`];
    if (recorded.console !== first!.recorded.console) failures.push(`${what}: the guest's answers differ`);
    return failures;
  });
}

/** Random calls on all back ends. */
export async function equalStreams(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], statuses = new Map<string, number>();
  const count = context.all ? CALLS.all : CALLS.quick;
  let events = 0;
  for (let seed = 1; seed <= (context.all ? SEEDS.all : SEEDS.quick); seed++) {
    const calls = drawnCalls(seed, count), runs: [BackEnd, Recorded][] = [];
    for (const backEnd of BACK_ENDS) {
      const name = `calls-${seed}-el${backEnd.monitor}-el${backEnd.caller}`;
      runs.push([backEnd, await context.record(callsRun(context, backEnd, calls, name))]);
    }
    failures.push(...compare(runs).map((failure) => `seed ${seed}: ${failure}`));
    const first = runs[0]![1], lines = first.console.trim().split("\n");
    if (lines.length !== count) failures.push(`seed ${seed}: ${lines.length} calls came back, of ${count}`);
    for (const line of lines) statuses.set(line.slice(0, 18), (statuses.get(line.slice(0, 18)) ?? 0) + 1);
    const disks: string[] = [];
    for (const [, recorded] of runs) disks.push((await diskOf(context, recorded)).toHex());
    if (new Set(disks).size !== 1) failures.push(`seed ${seed}: the stores differ`);
    variablesOn(await diskOf(context, first));
    events += serviceEvents(first).length;
    for (const [, recorded] of runs) {
      failures.push(...await context.replayOn(recorded, ["reference", "threaded", "compiled"]));
    }
    await context.breathe();
  }
  const kinds = [...statuses.keys()].length;
  if (kinds < 5) failures.push(`only ${kinds} different statuses: ${[...statuses.keys()].join(", ")}`);
  return {
    failures,
    figures: {
      "seeds": context.all ? SEEDS.all : SEEDS.quick,
      "calls of each": count,
      "events alike": events,
      "statuses": kinds,
    },
  };
}

/** Kinds of events that say how a call came, and not what it was. */
const CONDUIT_EVENTS = new Set(["exceptionTaken", "exceptionReturned", "firmwareCalled"]);

/** All traps of the two back ends of EL1 side by side: what differs is the exceptions by which they are called. */
export async function diffOfBackEnds(context: CheckContext): Promise<CheckOutcome> {
  const calls = drawnCalls(1, 40), failures: string[] = [], differing = new Map<string, number>();
  const [left, right] = [
    await context.record(callsRun(context, BACK_ENDS[0]!, calls, "diff-el2")),
    await context.record(callsRun(context, BACK_ENDS[1]!, calls, "diff-el3")),
  ];
  const [ours, theirs] = [left, right].map((
    { run },
  ) => [...run.stored({ from: 0, to: Infinity, classes: ["trap"] })]);
  for (const [index, one] of ours!.entries()) {
    const other = theirs![index];
    if (other !== undefined && textOf(one) === textOf(other)) continue;
    const isConduit = one.kind === other?.kind && one.instant === other.instant &&
      CONDUIT_EVENTS.has(one.kind);
    if (!isConduit) {
      failures.push(`trap ${index}: ${textOf(one)} and ${other === undefined ? "nothing" : textOf(other)}`);
    }
    differing.set(one.kind, (differing.get(one.kind) ?? 0) + 1);
  }
  if (ours!.length !== theirs!.length) failures.push(`${ours!.length} and ${theirs!.length} traps`);
  const taken = differing.get("exceptionTaken") ?? 0;
  // Each call, and PSCI at the end.
  if (taken !== calls.length + 1) failures.push(`${taken} exceptions differ, of ${calls.length + 1} calls`);
  const found = diff(left, right, context.machineOptions());
  if (found.kind !== "divergent") failures.push(`diff finds ${found.kind}`);
  if (left.end.instant !== right.end.instant) failures.push("the runs are not of one length");
  return {
    failures: failures.slice(0, 8),
    figures: {
      "traps": ours!.length,
      ...Object.fromEntries([...differing].map(([kind, count]) => [`${kind} that differ`, count])),
    },
  };
}

function textOf(event: MachineEvent): string {
  return JSON.stringify(
    event,
    (_, value) =>
      typeof value === "bigint"
        ? `0x${value.toString(16)}`
        : value instanceof Uint8Array
        ? value.toHex()
        : value,
  );
}
