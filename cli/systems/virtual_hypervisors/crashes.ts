/** Management planes that crash. */
import { FAREWELL } from "../../../firmware/virtual_hypervisors/witness.ts";
import type { CheckContext, CheckOutcome } from "../scenario.ts";
import { AS_A, AS_B, callAt, CALLER, callsOf, otherInstance, trapsOf } from "./calls.ts";
import { OPERATOR, planMachine } from "./machines.ts";
import { firstDifference, projectedLines, projectionOf } from "./projections.ts";

/** A management plane crashes: its virtual machines know nothing of it, and it is there again. */
export async function planesCrash(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], machine = planMachine({ instances: [CALLER, otherInstance(16)] });
  const end = [`expect "${FAREWELL}"`, "power cut"];
  const quiet = await context.record({ ...machine, script: end });
  const crashes = [
    callAt(100_000, AS_B, { call: "list" }),
    callAt(150_000, OPERATOR, { call: "crashPlane", instance: 2 }),
    callAt(200_000, AS_A, { call: "list" }),
    callAt(250_000, AS_B, { call: "list" }),
    callAt(300_000, AS_B, { call: "list" }),
    callAt(350_000, AS_B, { call: "crash" }),
    callAt(400_000, AS_B, { call: "stat", of: "witness" }),
    callAt(450_000, AS_B, { call: "stat", of: "witness" }),
    callAt(500_000, AS_B, { call: "startVm", vm: "witness" }),
  ];
  const crashed = await context.record({ ...machine, script: [...crashes, ...end] });
  const lines = await projectionOf(context, quiet, { instance: 2, vm: 1 }, ["detail"]);
  const found = await firstDifference(
    context,
    lines,
    projectedLines(context, crashed, { instance: 2, vm: 1 }, ["detail"]),
  );
  if (found !== undefined) failures.push(`a crash shows: ${found.right}, without ${found.left}`);
  const [first, refused, again, , second, third, start] = callsOf(crashed, 2).map(({ answer }) => answer);
  const handle = (text = "") => /"witness","handle":"(\w+)"/.exec(text)?.[1];
  if (refused !== '{"error":"EIO"}' || second !== '{"error":"EIO"}') {
    failures.push(`a plane that crashed says ${refused}, ${second}`);
  }
  if (handle(again) === undefined || handle(again) === handle(first)) failures.push(`anew it says ${again}`);
  if (!third?.includes('"on"') || start !== '{"error":"EBUSY"}') {
    failures.push(`its virtual machine is ${third}, ${start}`);
  }
  if (!callsOf(crashed, 1)[0]?.answer.startsWith('{"ok"')) failures.push("the other's plane crashed, too");
  const told = [...trapsOf(crashed)].filter(({ kind }) => kind === "managementPlaneChanged").length;
  if (told !== 4) failures.push(`${told} changes of planes were told, not 4`);
  return { failures, figures: { crashes: 2, "events compared": lines.length } };
}
