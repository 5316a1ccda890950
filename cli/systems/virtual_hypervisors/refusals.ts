/** Machines, manifests and commands that are refused. */
import { VIRTUAL_HYPERVISORS } from "../../../hypervisor/systems/virtual_hypervisors/options.ts";
import type { CheckContext, CheckOutcome } from "../scenario.ts";
import { AS_A, CALLER } from "./calls.ts";
import { OPERATOR, planMachine } from "./machines.ts";

/** What cannot be is refused with the reason, and nothing runs. */
export async function refusals(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], plain = planMachine({ instances: [CALLER] });
  const manifest = (text: string) => ({
    ...plain,
    files: { ...plain.files, manifest: new TextEncoder().encode(text) },
  });
  const more = (...options: string[]) => ({ ...plain, options: [...plain.options, ...options] });
  const without = plain.options.map((option) => option.replace(/manifest=0x\w+/, "manifest=0x10"));
  const tried: readonly (readonly [
    what: string,
    request: { options: readonly string[]; files: Record<string, Uint8Array> },
    why: RegExp,
  ])[] = [
    ["two PEs", more("-smp", "2"), /one PE/],
    ["strict TLBs", more("--strict", "tlb"), /not partitioned/],
    ["no JSON", manifest("{"), /no JSON/],
    ["no instances", manifest('{"operator":"abcd"}'), /instances/],
    ["a manifest nowhere", { ...plain, options: without }, /no RAM/],
    ["another option", {
      ...plain,
      options: plain.options.map((option) => option.replace("line=tagged", "line=all")),
    }, /line/],
    ["too little memory", manifest(JSON.stringify(tooMuch)), /ENOMEM/],
  ];
  for (const [what, request, why] of tried) {
    try {
      await context.record({ ...request, script: ["power cut"] });
      failures.push(`${what} is not refused`);
    } catch (error) {
      if (!(error instanceof Error && why.test(error.message))) failures.push(`${what}: ${error}`);
    }
  }
  const commands = ["stat", `${VIRTUAL_HYPERVISORS} hello`, "time-scale freeze"];
  for (const command of commands) {
    try {
      await context.record({ ...plain, script: [`at 1000 monitor el2 ${command}`, "power cut"] });
      failures.push(`${command} is not refused`);
    } catch {
      // As it should be.
    }
  }
  return { failures, figures: { refusals: tried.length + commands.length } };
}

const tooMuch = {
  operator: OPERATOR,
  instances: [{
    number: 1,
    name: "a",
    credential: AS_A,
    limits: { pages: 512 * 512, devices: 1, share: 1 },
    images: [],
  }],
};
