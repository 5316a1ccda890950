/** Checks that nothing but the width of addresses protects the kernel, and that it does: pages, tables, planted faults. */
import { KERNEL_BASE } from "../../../firmware/dual_width/layout.ts";
import { changedKernel } from "../../../firmware/dual_width/kernel.ts";
import { protectionProbe, trespasser, turnTaker } from "../../../firmware/dual_width/programs.ts";
import { eventStream } from "../../../journal/event_stream.ts";
import { Replay } from "../../../journal/replay.ts";
import { hex } from "../../../machine/address.ts";
import type { CheckContext, CheckOutcome, Recorded } from "../scenario.ts";
import { audit } from "./audit.ts";
import { consoleIs, ECHO_OK, ENGINES, FORMS, QUICK_ENGINES, SECRET } from "./common.ts";
import { build, busybox, kernelRanges, outerRanges, recordImage } from "./images.ts";

/** Each page, three times: what the probe counts, and what the machine's own events tell of the same run. */
export async function protects(context: CheckContext): Promise<CheckOutcome> {
  const pages = build({ form: "el2", processes: [trespasser(SECRET)] }).kernelPages;
  const ranges = [...kernelRanges(pages), ...outerRanges()];
  const probed = ranges.flatMap(({ first, count, step }) =>
    Array.from({ length: count }, (_, index) => first + BigInt(index) * step)
  );
  const image = build({ form: "el2", processes: [protectionProbe(ranges)] });
  const recorded = await recordImage(context, "el2", image, { name: "protection" });
  const wanted = (3 * probed.length).toString(16);
  const failures = consoleIs(recorded, `refused ${wanted} of ${wanted}\n`, "the probe");
  const left = new Map<string, number>();
  for (const address of probed) {
    for (const kind of ["0x92000004", "0x92000044", "0x82000004"]) {
      left.set(`${kind} at ${hex(address)}`, (left.get(`${kind} at ${hex(address)}`) ?? 0) + 1);
    }
  }
  for (const event of eventStream(recorded.run, recorded.images, { classes: ["trap"] })) {
    if (event.kind !== "exceptionTaken" || event.from !== 0 || event.syndrome >> 26n === 0x15n) continue;
    const text = `${hex(event.syndrome)} at ${hex(event.faultAddress)}`, count = left.get(text);
    if (count === undefined) failures.push(`instant ${event.instant}: EL0 took ${text}`);
    else if (count === 1) left.delete(text);
    else left.set(text, count - 1);
  }
  for (const missing of left.keys()) failures.push(`EL0 never took ${missing}`);
  for (const page of image.kernelPages) {
    if (!pages.includes(page)) failures.push(`the kernel's page ${hex(page)} was not probed`);
  }
  failures.push(...await context.replayOn(recorded, context.all ? ENGINES : QUICK_ENGINES));
  const figures = { "kernel pages": pages.length, addresses: probed.length, accesses: 3 * probed.length };
  return { failures: failures.slice(0, 10), figures: { ...figures, steps: recorded.end.instant } };
}

/** Instants to look at: after every n-th return to EL0. */
function auditInstants({ run, images }: Recorded, every: number): number[] {
  const instants: number[] = [];
  for (const event of eventStream(run, images, { classes: ["trap"] })) {
    if (event.kind === "exceptionReturned" && event.to === 0) instants.push(event.instant + 1);
  }
  return instants.filter((_, index) => index % every === 0);
}

/** One hierarchy for both regimes, at many instants of a run of two processes. */
export async function hasOneHierarchy(context: CheckContext): Promise<CheckOutcome> {
  const processes = [busybox(context, ECHO_OK), busybox(context, ["sh", "-c", "echo two; echo three"])];
  const recorded = await recordImage(context, "el2", build({ form: "el2", processes, switchAlways: true }));
  const replay = new Replay(recorded.run, recorded.images, context.machineOptions());
  const failures: string[] = [], roots = new Set<bigint>();
  let looks = 0, tables = 0, kernelPages = 0, userPages = 0;
  const look = () => {
    const found = audit(replay.machine);
    failures.push(...found.failures.map((failure) => `instant ${replay.instant}: ${failure}`));
    [looks, tables, kernelPages, userPages] = [looks + 1, found.tables, found.kernelPages, found.userPages];
    roots.add(found.root);
  };
  for (const instant of auditInstants(recorded, context.all ? 1 : 4)) {
    replay.runTo(instant);
    look();
    await context.breathe();
  }
  replay.runToEnd();
  look();
  if (roots.size !== 2) failures.push(`${roots.size} roots were seen, of two processes`);
  return {
    failures: failures.slice(0, 10),
    figures: { looks, tables, "kernel pages": kernelPages, "user pages": userPages },
  };
}

/** Kernels with one thing wrong, and what tells of it. */
// deno-fmt-ignore
const MUTANTS: readonly { readonly name: string; readonly from: string; readonly to: string }[] = [
  { name: "no TLBI of EL1&0 at a switch", from: "tlbi    vmalle1\n.endif",                  to: ".endif" },
  { name: "no TLBI of EL2 at a switch",   from: "tlbi    alle2\n        tlbi    vmalle1", to: "tlbi    vmalle1" },
];

/** Kernels without a TLBI under `--strict tlb`, and one whose EL0 has 48 bits of address. */
export async function catchesFaults(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], figures: Record<string, string> = {};
  for (const { name, from, to } of MUTANTS) {
    const kernel = changedKernel("el2", from, to);
    const image = build({ form: "el2", processes: [turnTaker("A", 4), turnTaker("B", 4)], kernel });
    const recorded = await recordImage(context, "el2", image, { options: ["--strict", "tlb"], seconds: 20 });
    const events = eventStream(recorded.run, recorded.images, { classes: ["detail"] });
    const stale = [...events].find(({ kind }) => kind === "staleTranslationUsed");
    if (stale?.kind !== "staleTranslationUsed") failures.push(`${name}: no old translation was used`);
    else figures[name] = `instant ${stale.instant}, ${stale.access} of ${hex(stale.address)}`;
  }
  const wide = changedKernel("el2", "(1 << 23) | WALKS | 17)", "(1 << 23) | WALKS | 16)");
  const ranges = [{ first: KERNEL_BASE.el2 + 0x80000n, count: 16, step: 4096n }];
  const open = await recordImage(
    context,
    "el2",
    build({ form: "el2", processes: [protectionProbe(ranges)], kernel: wide }),
  );
  if (!open.console.startsWith("refused 0 of 30, not at")) {
    failures.push(`with 48 bits of address for EL0 the probe wrote ${JSON.stringify(open.console)}`);
  }
  figures["TCR_EL1.T0SZ = 16"] = open.console.trim();
  return { failures, figures };
}

/** A process that goes for the kernel, beside one that does not. */
export async function endsTrespassers(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [];
  for (const form of FORMS) {
    const image = build({ form, processes: [trespasser(SECRET), turnTaker("A", 3)] });
    const recorded = await recordImage(context, form, image);
    failures.push(...await context.replayOn(recorded, ENGINES));
    const pattern = new RegExp(
      `^write from the kernel: -e\\nuname into the kernel: -e\\nwrite around the end: -e\\n` +
        `mprotect of the shim: -16\\nmunmap of the shim: -16\\nHVC at EL0: undefined\\n` +
        `pid 1 ended by signal 11: ESR 0x92000004 FAR ${hex(SECRET)} PC 0x400[0-9a-f]{3}\\nc3 by A\\n$`,
    );
    if (!pattern.test(recorded.console)) {
      failures.push(`${form}: it wrote ${JSON.stringify(recorded.console)}`);
    }
  }
  return { failures, figures: {} };
}
