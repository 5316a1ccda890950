/** Checks that run the same bytes on QEMU. */
import { changedKernel } from "../../../firmware/dual_width/kernel.ts";
import { type KernelForm, SHIM } from "../../../firmware/dual_width/layout.ts";
import { turnTaker } from "../../../firmware/dual_width/programs.ts";
import { eventStream } from "../../../journal/event_stream.ts";
import { hex } from "../../../machine/address.ts";
import type { CheckContext, CheckOutcome } from "../scenario.ts";
import { consoleIs, ENGINES, FORMS } from "./common.ts";
import { exceptionLines, recordedExceptions } from "./exceptions.ts";
import { bootOptions, build, IMAGE_FILE, recordImage, withWritableShim } from "./images.ts";
import { twinRuns } from "./processes.ts";
import { firstDifference } from "./user_journal.ts";

/** Images whose runs on QEMU have to be the same, and the kernel's form. */
function qemuRuns(context: CheckContext): [string, KernelForm, Uint8Array<ArrayBuffer>][] {
  return FORMS.flatMap((form) =>
    twinRuns(context).map(([name, options]): [string, KernelForm, Uint8Array<ArrayBuffer>] => [
      `${form}: ${name}`,
      form,
      build({ ...options, form }).bytes,
    ])
  );
}

/** Console, exceptions and syndromes of every run, on both kernels. */
export async function equalsQemu(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [];
  let exceptions = 0, runs = 0;
  for (const [name, form, bytes] of qemuRuns(context)) {
    const files = { [IMAGE_FILE]: bytes };
    const qemu = await context.qemu({ options: [...bootOptions(form), "-d", "int"], files });
    const recorded = await context.record({ options: bootOptions(form), files });
    failures.push(...consoleIs(recorded, qemu.console, `${name}: this machine`));
    const ours = recordedExceptions(recorded), theirs = exceptionLines(qemu.log);
    const difference = firstDifference(ours, theirs, ["this machine", "QEMU"]);
    if (difference !== undefined) failures.push(`${name}: ${difference}`);
    exceptions += theirs.filter((line) => line.startsWith("Taking")).length;
    runs++;
  }
  if (exceptions < 100) failures.push(`QEMU told of ${exceptions} exceptions only`);
  return { failures, figures: { runs, exceptions } };
}

/** With AP = 0b01 the first system call ends in instruction aborts of EL1, until the timer of EL2 ends them. */
export async function refusesWritableShim(context: CheckContext): Promise<CheckOutcome> {
  const kernel = changedKernel("el2", "b.ne    return_to_user", "b.ne    panic");
  const image = build({ form: "el2", processes: [turnTaker("A", 2)], tickPeriod: 20_000, kernel });
  const bytes = withWritableShim(image), files = { [IMAGE_FILE]: bytes };
  const recorded = await recordImage(context, "el2", { ...image, bytes });
  const wanted = `: ESR 0x8600000f FAR ${hex(SHIM + 0x200n)} PC ${hex(SHIM + 0x200n)}\n`;
  const failures: string[] = [];
  if (!recorded.console.endsWith(wanted)) {
    failures.push(`the kernel wrote ${JSON.stringify(recorded.console)}`);
  }
  const [first] = [...eventStream(recorded.run, recorded.images, { classes: ["trap"] })]
    .filter((event) => event.kind === "exceptionTaken" && event.from === 1 && event.to === 1);
  if (
    first?.kind !== "exceptionTaken" || first.syndrome !== 0x8600_000fn ||
    first.faultAddress !== SHIM + 0x400n
  ) {
    failures.push(
      "EL1's first abort is not an instruction abort, permission fault of level 3, at the shim's vector",
    );
  }
  failures.push(...await context.replayOn(recorded, ENGINES));
  failures.push(...await stopsAtLoop(context));
  const qemu = await context.qemu({ options: bootOptions("el2"), files });
  failures.push(...consoleIs(qemu, recorded.console, "QEMU"));
  return { failures, figures: { console: recorded.console.trim() } };
}

/** Without a timer EL1 would abort for ever: the run can be told to stop there, by an event. */
async function stopsAtLoop(context: CheckContext): Promise<string[]> {
  const image = build({ form: "el2", processes: [turnTaker("A", 2)] });
  const recorded = await recordImage(context, "el2", { ...image, bytes: withWritableShim(image) }, {
    options: ["--stop-at", "vector-loop"],
    seconds: 20,
  });
  const last = [...eventStream(recorded.run, recorded.images, { classes: ["trap"] })]
    .find((event) => event.kind === "vectorLoopDetected");
  if (last?.kind !== "vectorLoopDetected") return ["EL1's loop of aborts was not detected"];
  const { level, syndrome, vector } = last;
  const isRight = level === 1 && syndrome === 0x8600_000fn && vector === SHIM + 0x200n;
  return isRight ? [] : [`the loop is at EL${level}, ESR ${hex(syndrome)}, vector ${hex(vector)}`];
}

/** nG is RES0 in the EL2 format, so a switch needs its TLBIs: without them QEMU goes wrong as `--strict tlb` does. */
export async function needsInvalidation(context: CheckContext): Promise<CheckOutcome> {
  const processes = [turnTaker("A", 4), turnTaker("B", 4)], failures: string[] = [];
  const right = await recordImage(context, "el2", build({ form: "el2", processes }));
  const kernel = changedKernel("el2", "        tlbi    alle2\n        tlbi    vmalle1\n.endif", ".endif");
  const image = build({ form: "el2", processes, kernel }), files = { [IMAGE_FILE]: image.bytes };
  const strict = await recordImage(context, "el2", image, { options: ["--strict", "tlb"], seconds: 20 });
  const qemu = await context.qemu({ options: bootOptions("el2"), files, seconds: 20 });
  for (const [name, { console }] of [["--strict tlb", strict], ["QEMU", qemu]] as const) {
    if (console === right.console) failures.push(`without the TLBIs ${name} shows nothing`);
  }
  const shown = ({ console }: { readonly console: string }) => console.trim().replaceAll("\n", "; ");
  return { failures, figures: { right: shown(right), "--strict tlb": shown(strict), QEMU: shown(qemu) } };
}
