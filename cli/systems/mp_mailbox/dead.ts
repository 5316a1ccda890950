/** CPUs that are described and do not come: PSCI refuses them, or starts them in vain. They are left out, the others come. */
import { MAILBOX_PREFIX } from "../../../firmware/mp_mailbox/loader.ts";
import { WOKEN } from "../../../firmware/mp_mailbox/wake_kernel.ts";
import type { CheckContext, CheckOutcome } from "../scenario.ts";
import { type Kind, kindText, type WakeOptions } from "./machines.ts";
import { boardTree } from "./refusals.ts";
import { type Described, recordWake, tableFailures } from "./small.ts";
import { smallAcpi } from "./small_acpi.ts";

/** Tables with one CPU more than there is. */
function oneMore(kind: Kind): WakeOptions & Described {
  const described = kind.cpus + 1, dead = [kind.cpus];
  if (kind.by === "tree") return { tree: boardTree({ ...kind, cpus: described }), described, dead };
  const cpus = Array.from({ length: described }, (_, mpidr) => ({ mpidr }));
  return { acpi: smallAcpi(kind, { cpus }), described, dead };
}

async function look(
  context: CheckContext,
  kind: Kind,
  more: WakeOptions & Described,
  what: string,
): Promise<string[]> {
  const failures: string[] = [],
    fail = (text: string) => failures.push(`${kindText(kind)}, ${what}: ${text}`);
  const dead = more.dead ?? [], others = Array.from({ length: kind.cpus - 1 }, (_, index) => index + 1);
  const run = await recordWake(context, kind, {
    ...more,
    coming: others.filter((cpu) => !dead.includes(cpu)),
  });
  const { console } = run.recorded;
  for (const cpu of dead) {
    const line = `${MAILBOX_PREFIX}cpu 0x${cpu.toString(16).padStart(16, "0")} is dead`;
    if (!console.includes(line)) fail(`it does not say that CPU ${cpu} is dead: ${JSON.stringify(console)}`);
  }
  if (!console.includes(WOKEN)) fail("the others do not come");
  tableFailures(context, run, more).forEach(fail);
  if (more.mutants !== undefined) return failures;
  const qemu = await context.qemu({ options: run.machine.options, files: run.machine.files });
  if (qemu.console !== console) fail(`on QEMU it says ${JSON.stringify(qemu.console)}`);
  return failures;
}

/** CPUs that PSCI does not know. */
export async function refusedCores(context: CheckContext, kinds: readonly Kind[]): Promise<CheckOutcome> {
  const failures: string[] = [];
  for (const kind of kinds) failures.push(...await look(context, kind, oneMore(kind), "one more"));
  return { failures, figures: { machines: kinds.length } };
}

/** A CPU that is started and never says that it is there, as long as the loader waits. */
export async function hungCores(context: CheckContext, kinds: readonly Kind[]): Promise<CheckOutcome> {
  const failures: string[] = [];
  for (const kind of kinds) {
    failures.push(...await look(context, kind, { mutants: ["hangs"], dead: [2], hung: 1 }, "one hangs"));
  }
  return { failures, figures: { machines: kinds.length } };
}
