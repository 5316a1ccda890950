/** Checks by orders: from pens that are not yet asleep, every order of what CPUs do, for each way to wake them. */
import type { PenMutant } from "../../../firmware/mp_mailbox/pen_text.ts";
import type { WakeAction } from "../../../firmware/mp_mailbox/wake_kernel.ts";
import type { CheckContext, CheckOutcome } from "../scenario.ts";
import { type Kind, kindText, wake } from "./machines.ts";
import { OrderExplorer, type Orders } from "./orders.ts";
import { recordWake } from "./small.ts";

/** Ways to wake CPUs 1 and 2. */
// deno-fmt-ignore
const WAYS: Readonly<Record<string, readonly WakeAction[]>> = {
  "1 then 2":           [...wake(1), ...wake(2)],
  "2 then 1":           [...wake(2), ...wake(1)],
  "both written first": [{ kind: "write", cpu: 1 }, { kind: "write", cpu: 2 }, { kind: "wake", cpu: 2 }, { kind: "wake", cpu: 1 }],
  "one SGI for both":   [{ kind: "write", cpu: 1 }, { kind: "write", cpu: 2 }, { kind: "wakeAll", cpus: [1, 2] }],
  "2 woken for nothing": [{ kind: "wakeAll", cpus: [1, 2] }, ...wake(1), ...wake(2)],
};

/** One machine's orders. */
async function explored(
  context: CheckContext,
  kind: Kind,
  actions: readonly WakeAction[],
  more: { readonly mutant?: PenMutant; readonly everyStep?: boolean } = {},
): Promise<Orders> {
  const mutants = more.mutant === undefined ? [] : [more.mutant];
  const { recorded, machine } = await recordWake(context, kind, {
    actions,
    mutants,
    options: ["--until", "400000"],
  });
  const explorer = new OrderExplorer(
    recorded.run,
    recorded.images,
    { ...machine, cpus: kind.cpus },
    {
      ...context.machineOptions("reference"),
      everyStep: more.everyStep ?? false,
      progress: (states) => context.progress(`states of ${kindText(kind)}: ${states}`),
    },
  );
  const found = explorer.explore();
  await context.breathe();
  return found;
}

/** Every order of every way on machines of these kinds leads to the end. */
export async function allOrders(
  context: CheckContext,
  kinds: readonly Kind[],
  ways: readonly string[] = Object.keys(WAYS),
  everyStep = false,
): Promise<CheckOutcome> {
  const failures: string[] = [];
  let states = 0, orders = 0n;
  for (const kind of kinds) {
    for (const way of ways) {
      const found = await explored(context, kind, WAYS[way]!, { everyStep });
      const where = `${kindText(kind)}, ${way}`;
      if (found.stuck > 0) failures.push(`${where}: no way on after CPUs ${found.schedule?.join(" ")}`);
      failures.push(
        ...found.wrong.map((text) => `${where}: ${text}, after CPUs ${found.schedule?.join(" ")}`),
      );
      if (found.orders === 0n) failures.push(`${where}: no order leads to the end`);
      states += found.states;
      orders += found.orders;
    }
  }
  return { failures, figures: { machines: kinds.length * ways.length, states, orders: orders.toString() } };
}

/** CPU 1 is interrupted for nothing, and then woken. */
const WOKEN_TWICE: readonly WakeAction[] = [{ kind: "wake", cpu: 1 }, ...wake(1)];

/** Planted faults of the pen, and how they show with one CPU that is to come. */
// deno-fmt-ignore
const FAULTS: readonly { readonly mutant: PenMutant; readonly shows: "stuck" | RegExp }[] = [
  { mutant: "forgetsToLook",   shows: "stuck" },
  { mutant: "leavesInterface", shows: "stuck" },
  { mutant: "keepsAddress",    shows: /a CPU left with its address there/ },
  { mutant: "clearsEarly",     shows: /a CPU went to 0x0/ },
  { mutant: "readsEarly",      shows: /a CPU went to 0x0/ },
];

/** Each planted fault is found, with the shortest schedule that shows it. */
export async function plantedOrders(context: CheckContext, kind: Kind): Promise<CheckOutcome> {
  const failures: string[] = [], figures: Record<string, string> = {};
  const right = await explored(context, kind, WOKEN_TWICE);
  if (right.stuck > 0 || right.wrong.length > 0) failures.push("the pen itself is at fault");
  figures["no fault"] = `${right.states} states, ${right.orders} orders`;
  for (const { mutant, shows } of FAULTS) {
    const found = await explored(context, kind, WOKEN_TWICE, { mutant });
    const isFound = shows === "stuck" ? found.stuck > 0 : found.wrong.some((text) => shows.test(text));
    if (!isFound) failures.push(`${mutant}: not found in ${found.states} states`);
    figures[mutant] = `${
      shows === "stuck" ? `${found.stuck} states without a way on` : found.wrong.join(", ")
    }; CPUs ${found.schedule?.join(" ") ?? "?"}`;
  }
  return { failures, figures };
}
