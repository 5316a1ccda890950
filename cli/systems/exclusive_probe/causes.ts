/** Every failing store is attributed to one event and one exception, and they are those that the trap rules predict. */
import { operationName, PROBE_OPERATIONS } from "../../../firmware/exclusive_probe/operations.ts";
import type { ProbeOptions } from "../../../firmware/exclusive_probe/probe.ts";
import type { CheckContext, CheckOutcome, SystemCheck } from "../scenario.ts";
import { attributedStores, unexplained } from "./attribution.ts";
import { guestOn, MACHINES, probe, type ProbedMachine, recordProbe } from "./machines.ts";
import { trapLevel } from "./prediction.ts";
import { parseReport } from "./report.ts";

/** A timer and another CPU disturb the probe. */
const GUEST: ProbeOptions = { rounds: 12, isContended: true, period: 53 };
const OPTIONS = ["-smp", "2", "--schedule-seed", "7", "--quantum", "97"];
/** What makes a store fail that nothing trapped. */
const ACCIDENTS = ["interrupt", "other CPU"];
/** The cause of a failure, by the level to which the operation traps. */
const CAUSES: Readonly<Record<1 | 2 | 3, string>> = { 1: "UNDEFINED", 2: "trap to EL2", 3: "trap to EL3" };

async function attribute(
  context: CheckContext,
  machine: ProbedMachine,
  causes: Map<string, number>,
): Promise<string[]> {
  const recorded = await recordProbe(context, machine, GUEST, { options: OPTIONS, engine: "reference" });
  const report = parseReport(recorded.console, PROBE_OPERATIONS),
    guest = guestOn(machine, GUEST);
  const stores = attributedStores(recorded, probe(guest), guest, context.machineOptions("reference"));
  const failures = unexplained(stores);
  for (const operation of PROBE_OPERATIONS) {
    const name = operationName(operation), own = stores.filter((store) => store.operation === name);
    const failed = own.filter(({ status }) => status !== 0), to = trapLevel(operation, machine.controls);
    if (own.length !== GUEST.rounds) failures.push(`${name}: ${own.length} stores, not ${GUEST.rounds}`);
    if (failed.length !== report.failures.get(name)) {
      failures.push(
        `${name}: ${failed.length} stores failed, the guest counted ${report.failures.get(name)}`,
      );
    }
    for (const { cause, instant } of failed) {
      causes.set(cause, (causes.get(cause) ?? 0) + 1);
      if (cause !== (to === undefined ? undefined : CAUSES[to]) && !ACCIDENTS.includes(cause)) {
        failures.push(`${name}, store at instant ${instant}: it failed by ${cause}`);
      }
    }
  }
  return failures.map((line) => `${machine.name}: ${line}`);
}

async function attributeAll(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], causes = new Map<string, number>();
  for (const machine of MACHINES) failures.push(...await attribute(context, machine, causes));
  for (const cause of [...Object.values(CAUSES), ...ACCIDENTS]) {
    if (!causes.has(cause)) failures.push(`no store failed by ${cause}: the check shows nothing of it`);
  }
  return { failures, figures: Object.fromEntries(causes) };
}

/** The checks. */
export const CAUSE_CHECKS: readonly SystemCheck[] = [
  {
    name: "each failing store is explained by one exclusiveCleared event and the exception behind it",
    run: attributeAll,
  },
];
