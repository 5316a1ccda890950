/** CPU shares: who has how many instructions of a machine, by groups and virtual machines. */
import { COMPUTE_SOURCE, HALF_SOURCE } from "../../../firmware/virtual_hypervisors/guests.ts";
import type { EventOf } from "../../../machine/events.ts";
import type { CheckContext, CheckOutcome, Recorded } from "../scenario.ts";
import { credentialOf, type InstancePlan, planMachine } from "./machines.ts";

/** Instructions of the whole machine. */
const QUICK = 200_000_000, ALL = 1_000_000_000;
const WITHIN = 0.01;

/** Steps of each virtual machine from an instant on, by `instance.vm`: what lies between two that come. */
export function stepsOf({ run, end }: Recorded, from = 0): Map<string, number> {
  const entered = [...run.stored({ from: 0, to: Infinity, classes: ["trap"] })]
    .filter((event): event is EventOf<"vcpuEntered"> => event.kind === "vcpuEntered");
  const steps = new Map<string, number>();
  for (const [index, { instance, vm, instant }] of entered.entries()) {
    const begins = Math.max(instant, from), ends = Math.max(entered[index + 1]?.instant ?? end.instant, from);
    const key = `${instance}.${vm}`;
    steps.set(key, (steps.get(key) ?? 0) + ends - begins);
  }
  return steps;
}

/** How far each is from its part, in parts of the whole. */
function compare(
  steps: ReadonlyMap<string, number>,
  wanted: Readonly<Record<string, number>>,
  what: string,
  failures: string[],
): number {
  const all = [...steps.values()].reduce((sum, count) => sum + count, 0);
  let worst = 0;
  for (const [key, part] of Object.entries(wanted)) {
    const got = (steps.get(key) ?? 0) / all, off = Math.abs(got / part - 1);
    worst = Math.max(worst, off);
    if (off > WITHIN) {
      failures.push(`${what}: ${key} has ${(got * 100).toFixed(2)} % of the steps, not ${part * 100} %`);
    }
  }
  return worst;
}

/** Two instances 1 : 3; in the second two virtual machines 1 : 2. */
const INSTANCES: readonly InstancePlan[] = [
  { number: 1, name: "a", share: 100, megabytes: 16, vms: [{ name: "one", guest: COMPUTE_SOURCE }] },
  {
    number: 2,
    name: "b",
    share: 300,
    vms: [{ name: "one", guest: COMPUTE_SOURCE, share: 100 }, {
      name: "two",
      guest: COMPUTE_SOURCE,
      share: 200,
    }],
  },
];

/** Shares hold within 1 %, whoever computes; who waits leaves his to the others of his group first. */
export async function sharesHold(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], until = context.all ? ALL : QUICK;
  const plain = await context.record({
    name: "shares",
    ...planMachine({ instances: INSTANCES, until, line: "none" }),
  });
  const worst = compare(
    stepsOf(plain),
    { "1.1": 1 / 4, "2.1": 1 / 4, "2.2": 2 / 4 },
    "all compute",
    failures,
  );
  // A third one of the first instance comes, in a group of its own: nothing of the second's changes.
  const at = until / 4, as = credentialOf("a");
  const calls = [
    { as, call: "createGroup", name: "inner", share: 100 },
    { as, call: "createVm", name: "more", group: "inner", pages: 512, image: "guest-one", share: 10 },
    { as, call: "startVm", vm: "more" },
  ];
  const grown = await context.record({
    ...planMachine({ instances: INSTANCES, until: until + at, line: "none" }),
    script: calls.map((call) => `at ${at} monitor el2 virtual-hypervisors ${JSON.stringify(call)}`),
  });
  const parts = { "1.1": 1 / 8, "1.2": 1 / 8, "2.1": 1 / 4, "2.2": 2 / 4 };
  const grownWorst = compare(
    stepsOf(grown, at + 1_000_000),
    parts,
    "one more in the first instance",
    failures,
  );
  // One that waits half of its time: others have that, by their shares, and it has what it asks for.
  const [first, second] = INSTANCES as readonly [InstancePlan, InstancePlan];
  const waiting = { ...first, share: 300, vms: [{ name: "one", guest: HALF_SOURCE }] };
  const idle = await context.record(
    planMachine({ instances: [waiting, second], until: until / 4, line: "none" }),
  );
  const steps = stepsOf(idle), both = (steps.get("2.1") ?? 0) + (steps.get("2.2") ?? 0);
  const ratio = (steps.get("2.2") ?? 0) / (steps.get("2.1") ?? 1);
  if (Math.abs(ratio / 2 - 1) > WITHIN) {
    failures.push(`beside one that waits they have 1 : ${ratio.toFixed(3)}, not 1 : 2`);
  }
  if (both < until / 4 * 0.5) failures.push("what one that waits does not use is lost");
  failures.push(...await context.replayOn(plain, [context.engine === "threaded" ? "compiled" : "threaded"]));
  const percent = (value: number): string => `${(value * 100).toFixed(3)} %`;
  return {
    failures,
    figures: {
      instructions: until,
      "furthest from its share": percent(worst),
      "with one more": percent(grownWorst),
    },
  };
}
