/** Consoles of virtual machines. */
import {
  COMPUTE_SOURCE,
  ECHO_SOURCE,
  greetingSource,
  HALF_SOURCE,
  IDLE_SOURCE,
} from "../../../firmware/virtual_hypervisors/guests.ts";
import { VIRTUAL_HYPERVISORS } from "../../../hypervisor/systems/virtual_hypervisors/options.ts";
import { ENGINES } from "../../../machine/machine.ts";
import type { CheckContext, CheckOutcome } from "../scenario.ts";
import { AS_B, callAt } from "./calls.ts";
import { type InstancePlan, OPERATOR, planMachine } from "./machines.ts";
import { firstDifference, projectionOf } from "./projections.ts";

/** What is typed comes at the virtual machine's own time, whoever else is there; the machine's line goes to the one attached. */
export async function consolesAreTheirOwn(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [],
    echo: InstancePlan = { number: 2, name: "b", vms: [{ name: "echo", guest: ECHO_SOURCE }] };
  const typed = [2_000_000, 2_000_123, 5_000_000, 5_000_000, 9_999_999];
  const script = [
    ...typed.map((at, index) =>
      callAt(5, AS_B, { call: "writeConsole", vm: "echo", text: "abcdq"[index], at })
    ),
    'expect "q"',
    "power cut",
  ];
  const outputs: string[][] = [];
  for (const neighbour of [[], [COMPUTE_SOURCE], [HALF_SOURCE, IDLE_SOURCE]]) {
    const vms = neighbour.map((guest, index) => ({ name: `n${index}`, guest }));
    const recorded = await context.record({
      ...planMachine({ instances: [{ number: 1, name: "a", vms, megabytes: 8 }, echo] }),
      script,
    });
    outputs.push(await projectionOf(context, recorded, { instance: 2, vm: 1 }, ["detail"]));
    if (!/\[b\/echo\] a.b.c.d.q./.test(recorded.console)) {
      failures.push(`the console says ${recorded.console}`);
    }
    if (neighbour.length === 1) failures.push(...await context.replayOn(recorded, Object.keys(ENGINES)));
  }
  const [alone = [], ...others] = outputs;
  for (const lines of others) {
    const found = await firstDifference(context, alone, lines);
    if (found !== undefined) failures.push(`what is typed shows others: ${found.right}, alone ${found.left}`);
  }
  const attach = { as: OPERATOR, call: "attach", instance: 2, vm: "echo" };
  const attached = await context.record({
    ...planMachine({
      instances: [
        {
          number: 1,
          name: "a",
          vms: [{ name: "talks", guest: greetingSource("not attached") }, {
            name: "works",
            guest: COMPUTE_SOURCE,
          }],
        },
        echo,
      ],
      line: "attached",
    }),
    script: [
      `monitor el2 ${VIRTUAL_HYPERVISORS} ${JSON.stringify(attach)}`,
      'send "xyzq"',
      'expect "q"',
      "power cut",
    ],
  });
  if (!/^x.y.z.q/.test(attached.console)) {
    failures.push(`the line, attached, says ${JSON.stringify(attached.console)}`);
  }
  return { failures, figures: { "bytes typed": typed.length + 4, "events compared": alone.length } };
}
