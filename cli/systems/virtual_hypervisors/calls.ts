/** Calls to management planes, and two instances that make them. */
import { COMPUTE_SOURCE, HALF_SOURCE, IDLE_SOURCE } from "../../../firmware/virtual_hypervisors/guests.ts";
import { witnessSource } from "../../../firmware/virtual_hypervisors/witness.ts";
import { VIRTUAL_HYPERVISORS } from "../../../hypervisor/systems/virtual_hypervisors/options.ts";
import type { EventOf, MachineEvent } from "../../../machine/events.ts";
import type { Recorded } from "../scenario.ts";
import { credentialOf, type InstancePlan } from "./machines.ts";

/** Their credentials. */
export const AS_A: string = credentialOf("a"), AS_B: string = credentialOf("b");

/** A line of a script that makes a call at an instant. */
export const callAt = (instant: number, as: string, fields: object): string =>
  `at ${instant} monitor el2 ${VIRTUAL_HYPERVISORS} ${JSON.stringify({ as, ...fields })}`;

/** Events of the monitor's. */
export const trapsOf = ({ run }: Recorded): Iterable<MachineEvent> =>
  run.stored({ from: 0, to: Infinity, classes: ["trap"] });

/** Calls from outside and what they came to, in order. */
export function callsOf(recorded: Recorded, instance: number): EventOf<"managementCalled">[] {
  return [...trapsOf(recorded)]
    .filter((event): event is EventOf<"managementCalled"> => event.kind === "managementCalled")
    .filter((event) => event.instance === instance && event.vm === 0);
}

/** The other instance: a witness that tells of all that it sees, and one that waits. */
export const otherInstance = (rounds: number): InstancePlan => ({
  number: 2,
  name: "b",
  megabytes: 16,
  vms: [{ name: "witness", guest: witnessSource({ rounds, gic: 2 }) }, { name: "still", guest: IDLE_SOURCE }],
});

/** Who makes calls. */
export const CALLER: InstancePlan = {
  number: 1,
  name: "a",
  megabytes: 12,
  devices: 5,
  vms: [{ name: "one", guest: COMPUTE_SOURCE }, { name: "two", guest: HALF_SOURCE, isOff: true }],
};
