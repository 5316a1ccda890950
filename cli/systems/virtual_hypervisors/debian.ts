/** Unmodified Debian kernels in virtual machines of two instances. */
import { hostileSource } from "../../../firmware/virtual_hypervisors/hostile.ts";
import type { CheckContext, CheckOutcome, Recorded } from "../scenario.ts";
import { callAt } from "./calls.ts";
import { credentialOf, type InstancePlan, planMachine, type VmPlan } from "./machines.ts";
import { firstDifference, projectedLines, projectionOf } from "./projections.ts";
import { stepsOf } from "./shares.ts";

/** MiB of a Debian. */
const MEGABYTES = 128;

/** What a shell does in place of init: says who it is, works, and turns its machine off. */
function debian(name: string, work = ""): VmPlan {
  const command = `uname -r; echo this is ${name}; ${work}poweroff -f`;
  return {
    name,
    guest: "kernel",
    initrd: "initrd",
    megabytes: MEGABYTES,
    arguments: `console=ttyAMA0 panic=-1 cryptomgr.notests=1 rdinit=/bin/sh -- -c "${command}"`,
  };
}

function instance(number: number, vms: readonly VmPlan[]): InstancePlan {
  return { number, name: `v${number}`, megabytes: 2 * MEGABYTES, vms };
}

/** A machine with instances, run until those named have said who they are and are off. */
async function boot(
  context: CheckContext,
  instances: readonly InstancePlan[],
  script?: readonly string[],
  seconds = 900,
): Promise<Recorded> {
  const images = {
    kernel: Deno.readFileSync(context.guest("linux-cloud/Image")),
    initrd: Deno.readFileSync(context.guest("linux-cloud/initrd.gz")),
  };
  const machine = planMachine({ instances, images, megabytes: 2 * 2 * MEGABYTES + 128 });
  return await context.record({ ...machine, ...script !== undefined && { script }, seconds });
}

function missing({ console }: Recorded, plans: readonly InstancePlan[]): string[] {
  return plans.flatMap(({ name, vms }) =>
    vms.filter((vm) => vm.guest === "kernel").flatMap((vm) => {
      const tag = `[${name}/${vm.name}]`;
      const isWhole = console.includes(`${tag} this is ${vm.name}`) && console.includes(`${tag} [`) &&
        console.split("\n").some((line) => line.startsWith(tag) && line.includes("reboot: Power down"));
      return isWhole ? [] : [`${tag} did not come to its end`];
    })
  );
}

/** One Debian in each instance; with `--all` one of them alone, with the same journal of its own, and replays. */
export async function oneEach(context: CheckContext): Promise<CheckOutcome> {
  const first = instance(1, [debian("one")]), second = instance(2, [debian("two")]);
  const both = await boot(context, [first, second]), failures = missing(both, [first, second]);
  const steps = [...stepsOf(both)].filter(([key]) => key !== "0.0").map(([, count]) => count);
  const figures = { "steps of both": steps.join(" and ") };
  if (!context.all) return { failures, figures };
  const alone = await boot(context, [second]);
  failures.push(...missing(alone, [second]));
  const lines = await projectionOf(context, alone, { instance: 2, vm: 1 });
  const found = await firstDifference(context, lines, projectedLines(context, both, { instance: 2, vm: 1 }));
  if (found !== undefined) failures.push(`line ${found.line} is ${found.right}, alone ${found.left}`);
  failures.push(...await context.replayOn(both, ["threaded", "compiled"]));
  return { failures, figures: { ...figures, "events compared": lines.length } };
}

const CALLS: readonly string[] = [{ call: "list" }, { call: "stat", of: "two" }, { call: "crash" }]
  .map((call) => JSON.stringify({ as: credentialOf("v1"), ...call }));

/** Two instances with two Debians each; then one of them with the others gone, or hostile, and the same journal. */
export async function twoEach(context: CheckContext): Promise<CheckOutcome> {
  const work = "i=0; while [ $i -lt 2000 ]; do i=$((i+1)); done; sleep 1; ";
  const first = instance(1, [debian("one"), debian("two", work)]);
  const second = instance(2, [debian("three"), debian("four", work)]);
  const all = await boot(context, [first, second]);
  const failures = missing(all, [first, second]);
  failures.push(...await context.replayOn(all, ["threaded", "compiled"]));
  const hostile = instance(1, [{ name: "hostile", guest: hostileSource({ gic: 2, calls: CALLS }) }]);
  const end = ['expect "reboot: Power down"', 'expect "reboot: Power down"', "power cut"];
  let compared = 0;
  const others: readonly (readonly [what: string, run: Recorded])[] = [
    ["absent", await boot(context, [second])],
    [
      "hostile",
      await boot(
        context,
        [hostile, second],
        [callAt(10, credentialOf("v1"), { call: "list" }), ...end],
        3000,
      ),
    ],
  ];
  for (const vm of [1, 2]) {
    const lines = await projectionOf(context, all, { instance: 2, vm });
    compared += lines.length;
    for (const [what, run] of others) {
      const left = what === "hostile" ? lines.slice(0, -20) : lines;
      const right = projectedLines(context, run, { instance: 2, vm });
      const found = await firstDifference(
        context,
        left,
        what === "hostile" ? upTo(right, left.length) : right,
      );
      if (found !== undefined) {
        failures.push(
          `${what}, virtual machine ${vm}: line ${found.line} is ${found.right}, with two more ${found.left}`,
        );
      }
    }
  }
  const steps = [...stepsOf(all)].filter(([key]) => key !== "0.0").map(([, count]) => count);
  return { failures, figures: { "steps of each": steps.join(", "), "events compared": compared } };
}

function* upTo(lines: Iterable<string>, count: number): Generator<string> {
  let given = 0;
  for (const line of lines) {
    if (given++ === count) return;
    yield line;
  }
}
