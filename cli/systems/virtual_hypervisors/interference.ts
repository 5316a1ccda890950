/** Non-interference: a witness's projected journal with nobody else there, with neighbours of all kinds, and with planted leaks. */
import {
  COMPUTE_SOURCE,
  DIRTY_SOURCE,
  HALF_SOURCE,
  IDLE_SOURCE,
} from "../../../firmware/virtual_hypervisors/guests.ts";
import { hostileSource } from "../../../firmware/virtual_hypervisors/hostile.ts";
import { FAREWELL, witnessSource } from "../../../firmware/virtual_hypervisors/witness.ts";
import { VIRTUAL_HYPERVISORS } from "../../../hypervisor/systems/virtual_hypervisors/options.ts";
import { type Leak, LEAKS } from "../../../hypervisor/systems/virtual_hypervisors/options.ts";
import type { EventClass } from "../../../machine/events.ts";
import { ENGINES } from "../../../machine/machine.ts";
import type { CheckContext, CheckOutcome, Recorded } from "../scenario.ts";
import { credentialOf, planMachine, type VmPlan } from "./machines.ts";
import { firstDifference, type Owner, projectedLines, projectionOf } from "./projections.ts";

/** The witness is the one virtual machine of the second instance. */
const WITNESS: Owner = { instance: 2, vm: 1 };
type Gic = 2 | 3;

/** Calls that the hostile neighbour makes: its own, wrong ones, and some that mean the witness. */
const CALLS: readonly string[] = [
  { call: "list" },
  { call: "createGroup", name: "g", pages: 512 },
  { call: "createVm", name: "more", pages: 512, image: "guest-n0" },
  { call: "createVm", name: "huge", pages: 512 * 1024, image: "guest-n0" },
  { call: "stat", of: "v0123456789ab" },
  { call: "stopVm", vm: "v0123456789ab" },
  { call: "crash" },
].map((call) => JSON.stringify({ as: credentialOf("a"), ...call }))
  .concat(JSON.stringify({ as: credentialOf("bb"), call: "list" }), '{"as":', "[]");

/** Who else is there, by the names of checks. */
const neighbours = (gic: Gic): Readonly<Record<string, readonly string[]>> => ({
  absent: [],
  idle: [IDLE_SOURCE],
  computing: [COMPUTE_SOURCE],
  "half idle": [HALF_SOURCE],
  hostile: [hostileSource({ gic, calls: CALLS })],
  gone: [DIRTY_SOURCE, COMPUTE_SOURCE],
  crowd: [hostileSource({ gic, calls: CALLS }), COMPUTE_SOURCE, HALF_SOURCE, IDLE_SOURCE],
});

/** The run ends with the witness's last word: nobody waits for neighbours. */
const SCRIPT: readonly string[] = [`expect "${FAREWELL}"`, "power cut"];

interface WitnessRun {
  readonly gic: Gic;
  readonly rounds: number;
  readonly neighbour: string;
  readonly leak?: Leak;
  /** It comes when a neighbour has been there and gone. */
  readonly isLate?: boolean;
}

/** When a late witness is turned on. */
const LATE = 300_000;

function runWitness(
  context: CheckContext,
  { gic, rounds, neighbour, leak, isLate = false }: WitnessRun,
): Promise<Recorded> {
  const sources = neighbours(gic)[neighbour] ?? [];
  const vms = sources.map((guest, at): VmPlan => ({ name: `n${at}`, guest }));
  const { options, files } = planMachine({
    gic,
    ...leak !== undefined && { leak },
    instances: [
      { number: 1, name: "a", megabytes: 12, vms },
      {
        number: 2,
        name: "bb",
        vms: [{ name: "witness", guest: witnessSource({ rounds, gic }), isOff: isLate }],
      },
    ],
  });
  const start = JSON.stringify({ as: credentialOf("bb"), call: "startVm", vm: "witness" });
  const late = isLate ? [`at ${LATE} monitor el2 ${VIRTUAL_HYPERVISORS} ${start}`] : [];
  return context.record({ options, files, script: [...late, ...SCRIPT] });
}

/** A run with a witness; what is wrong with it by itself goes to `failures`. */
async function witnessed(context: CheckContext, run: WitnessRun, failures: string[]): Promise<Recorded> {
  const recorded = await runWitness(context, run);
  const text = `with ${run.neighbour} neighbours and GICv${run.gic}`;
  if (!recorded.console.includes(FAREWELL)) {
    failures.push(`${text} the witness did not come to its end in ${recorded.end.instant} steps`);
  }
  if (run.leak === undefined) failures.push(...await engines(context, recorded, text));
  return recorded;
}

/** Every engine gives what was recorded. */
async function engines(context: CheckContext, recorded: Recorded, text: string): Promise<string[]> {
  if (!context.all && !/hostile/.test(text)) return [];
  return (await context.replayOn(recorded, Object.keys(ENGINES))).map((failure) => `${text}: ${failure}`);
}

/** With every kind of neighbour the witness's journal is the same, byte for byte. */
export async function sameWithAll(context: CheckContext, gic: Gic): Promise<CheckOutcome> {
  const rounds = context.all ? 60 : 16, failures: string[] = [];
  const absent = await witnessed(context, { gic, rounds, neighbour: "absent" }, failures);
  const alone = await projectionOf(context, absent, WITNESS, ["detail"]);
  const others = Object.keys(neighbours(gic)).filter((name) => name !== "absent")
    .filter((name) => context.all || ["idle", "computing", "hostile"].includes(name));
  for (const neighbour of others) {
    const recorded = await witnessed(context, { gic, rounds, neighbour }, failures);
    const found = await firstDifference(
      context,
      alone,
      projectedLines(context, recorded, WITNESS, ["detail"]),
    );
    if (found !== undefined) {
      failures.push(`${neighbour}: line ${found.line} is ${found.right}, alone ${found.left}`);
    }
  }
  const ticks = alone.filter((line) => line.includes('"vcpuTicked"')).length;
  if (ticks < 3) failures.push(`the witness could be preempted at ${ticks} places only`);
  return {
    failures,
    figures: { neighbours: others.join(", "), "events compared": alone.length, "places to preempt": ticks },
  };
}

/** Classes with every instruction. */
const EVERYTHING: readonly EventClass[] = ["detail", "step"];

/** The same with every instruction, register and access. */
export async function sameStepByStep(context: CheckContext): Promise<CheckOutcome> {
  const gic = 2, rounds = context.all ? 24 : 6, failures: string[] = [];
  const absent = await witnessed(context, { gic, rounds, neighbour: "absent" }, failures);
  const alone = await projectionOf(context, absent, WITNESS, EVERYTHING);
  const recorded = await witnessed(context, { gic, rounds, neighbour: "hostile" }, failures);
  const found = await firstDifference(context, alone, projectedLines(context, recorded, WITNESS, EVERYTHING));
  if (found !== undefined) failures.push(`line ${found.line} is ${found.right}, alone ${found.left}`);
  const steps = alone.filter((line) => line.includes('"stepRetired"')).length;
  return { failures, figures: { "instructions compared": steps, "lines compared": alone.length } };
}

/** What the first line that differs must be about, by leak. */
const FOUND: Readonly<Record<Leak, RegExp>> = {
  counter: /"stepRetired"|"vcpuTicked"|"exceptionTaken"/,
  quantum: /"vcpuTicked"|"exceptionTaken"/,
  register: /"stepRetired"/,
  phase: /"stepRetired"|"exceptionTaken"|"vcpuTicked"/,
  memory: /"stepRetired"/,
};

/** Memory shows when somebody had it before. */
const GONE = { neighbour: "gone", isLate: true } as const;

/** A leak that is planted shows, and the first line that differs is where it does. */
export async function leaksAreFound(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], figures: Record<string, string> = {}, fixed = { gic: 2, rounds: 6 } as const;
  const absent = await witnessed(context, { ...fixed, neighbour: "absent" }, failures);
  const alone = await projectionOf(context, absent, WITNESS, EVERYTHING);
  const differs = (recorded: Recorded) =>
    firstDifference(context, alone, projectedLines(context, recorded, WITNESS, EVERYTHING));
  for (const leak of LEAKS) {
    const past = leak === "memory" ? GONE : { neighbour: "hostile" };
    const found = await differs(await witnessed(context, { ...fixed, leak, ...past }, []));
    if (found === undefined || !FOUND[leak].test(found.right)) {
      failures.push(
        `a planted leak (${leak}) shows ${found === undefined ? "nowhere" : `at ${found.right}`}`,
      );
    }
    figures[leak] = found === undefined ? "not found" : placeOf(found.right);
  }
  const found = await differs(await witnessed(context, { ...fixed, ...GONE }, failures));
  if (found !== undefined) failures.push(`late, without a leak: ${found.right}, alone ${found.left}`);
  return { failures, figures };
}

/** Kind and own instant of a line. */
function placeOf(line: string): string {
  const { kind, instant, pc } = JSON.parse(line) as { kind: string; instant: number; pc?: string };
  return `${kind} at its instant ${instant}${pc === undefined ? "" : `, pc ${pc}`}`;
}
