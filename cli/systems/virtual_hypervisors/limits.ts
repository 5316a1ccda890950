/** Limits of instances and groups. */
import { COMPUTE_SOURCE, HALF_SOURCE } from "../../../firmware/virtual_hypervisors/guests.ts";
import type { EventOf } from "../../../machine/events.ts";
import { ENGINES } from "../../../machine/machine.ts";
import type { CheckContext, CheckOutcome } from "../scenario.ts";
import { AS_A, AS_B, callAt, CALLER, otherInstance, trapsOf } from "./calls.ts";
import { type InstancePlan, OPERATOR, planMachine } from "./machines.ts";

/** An instance at its cap is refused memory while another takes its own; groups bound those inside. */
export async function limitsHold(context: CheckContext): Promise<CheckOutcome> {
  const full: InstancePlan = {
    ...CALLER,
    megabytes: 4,
    vms: [{ name: "one", guest: COMPUTE_SOURCE }, { name: "two", guest: HALF_SOURCE }],
  };
  const vm = (name: string, image: string, pages = 512) => ({ call: "createVm", name, image, pages });
  const steps: readonly (readonly [as: string, fields: object, answer: RegExp])[] = [
    [AS_A, vm("more", "guest-one"), /ENOMEM/],
    [AS_B, vm("more", "guest-still"), /ok/],
    [AS_B, { call: "startVm", vm: "more" }, /ok/],
    [AS_A, vm("more", "guest-one"), /ENOMEM/],
    [AS_B, vm("large", "guest-still", 512 * 3), /ok/],
    [AS_B, vm("larger", "guest-still", 512 * 3), /ENOMEM/],
    [AS_A, { call: "createGroup", name: "inner", pages: 5000 }, /EINVAL/],
    [AS_A, { call: "createGroup", name: "inner", pages: 512, devices: 1 }, /ok/],
    [AS_A, { call: "createGroup", name: "innermost", parent: "inner", pages: 513 }, /EINVAL/],
    [AS_A, { call: "deleteVm", vm: "two" }, /EBUSY/],
    [AS_A, { call: "stopVm", vm: "two" }, /ok/],
    [AS_A, { call: "deleteVm", vm: "two" }, /ok/],
    [AS_A, { ...vm("two", "guest-two"), group: "inner" }, /ok/],
    [AS_A, { call: "deleteGroup", group: "inner" }, /EBUSY/],
    [AS_A, { ...vm("three", "guest-two"), group: "inner" }, /ENOMEM/],
    [OPERATOR, { call: "deleteInstance", instance: 2 }, /EBUSY/],
    [
      OPERATOR,
      { call: "limitInstance", instance: 1, limits: { pages: 512 * 40, devices: 9, share: 1 } },
      /ENOMEM/,
    ],
  ];
  const at = (index: number): number => 200_000 + index * 150_000;
  const recorded = await context.record({
    ...planMachine({ instances: [full, otherInstance(8)], until: at(steps.length) + 400_000, megabytes: 48 }),
    script: steps.map(([as, fields], index) => callAt(at(index), as, fields)),
  });
  const answers = [...trapsOf(recorded)].filter((event) =>
    event.kind === "managementCalled" && event.vm === 0
  ) as EventOf<"managementCalled">[];
  const failures = steps.flatMap(([, fields, wanted], index) => {
    const got = answers[index]?.answer ?? "nothing";
    return wanted.test(got) ? [] : [`${JSON.stringify(fields)} gives ${got}, not ${wanted.source}`];
  });
  failures.push(...await context.replayOn(recorded, Object.keys(ENGINES)));
  return { failures, figures: { calls: steps.length } };
}
