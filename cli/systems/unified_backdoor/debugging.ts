/** Debug exceptions under MDCR_EL2.TDE: what a guest has of them is what it has without a monitor, and on QEMU. */
import { debugGuest } from "../../../firmware/unified_backdoor/debug_guest.ts";
import { ENGINES } from "../../../machine/machine.ts";
import type { CheckContext, CheckOutcome } from "../scenario.ts";

const OPTIONS = ["-kernel", "guest", "-m", "16M"];

function firstDifference(found: string, wanted: string): string | undefined {
  const [ours, theirs] = [found, wanted].map((text) => text.replaceAll("\r", "").trimEnd().split("\n"));
  const at = theirs!.findIndex((line, index) => line !== ours![index]);
  if (at < 0 && ours!.length === theirs!.length) return undefined;
  return `line ${at}: ${ours![Math.max(at, 0)]}, not ${theirs![Math.max(at, 0)]}`;
}

/** Breakpoints, watchpoints, software steps and BRKs at both levels. */
export async function debugExceptions(context: CheckContext): Promise<CheckOutcome> {
  const files = { guest: debugGuest().bytes }, failures: string[] = [];
  const plain = await context.record({ options: OPTIONS, files });
  const lines = plain.console.trimEnd().split("\n");
  if (lines.length < 90) failures.push(`the guest wrote only ${lines.length} lines`);
  for (const systems of ["unified-backdoor", "dcc-hypercall,unified-backdoor", "unified-backdoor,brk=off"]) {
    const run = await context.record({ options: [...OPTIONS, "--monitor", `el2:${systems}`], files });
    const difference = firstDifference(run.console, plain.console);
    if (difference !== undefined) failures.push(`${systems}: ${difference}`);
    if (systems.includes("dcc")) failures.push(...await context.replayOn(run, Object.keys(ENGINES)));
  }
  return { failures, figures: { "lines alike": lines.length } };
}

/** The same on QEMU. */
export async function debugExceptionsOnQemu(context: CheckContext): Promise<CheckOutcome> {
  const files = { guest: debugGuest().bytes };
  const plain = await context.record({ options: OPTIONS, files });
  const { console } = await context.qemu({
    options: ["-M", "virt", "-cpu", "cortex-a57", "-nographic", ...OPTIONS],
    files,
  });
  const difference = firstDifference(plain.console, console);
  return {
    failures: difference === undefined ? [] : [`against QEMU: ${difference}`],
    figures: { "lines alike": plain.console.trimEnd().split("\n").length },
  };
}
