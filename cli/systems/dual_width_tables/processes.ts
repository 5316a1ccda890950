/** Checks of what processes are given: busybox runs, switches are complete, and the VHE twin is the same to them. */
import type { DualWidthImage, DualWidthOptions } from "../../../firmware/dual_width/image.ts";
import { protectionProbe, trespasser, turnTaker } from "../../../firmware/dual_width/programs.ts";
import { eventStream } from "../../../journal/event_stream.ts";
import { hex } from "../../../machine/address.ts";
import type { Machine } from "../../../machine/machine.ts";
import type { CheckContext, CheckOutcome, Recorded } from "../scenario.ts";
import { userMemory } from "./audit.ts";
import { consoleIs, ECHO_OK, ENGINES, FORMS, SECRET } from "./common.ts";
import { build, busybox, kernelRanges, recordImage } from "./images.ts";
import { interruptEverywhere } from "./interrupts.ts";
import { firstDifference, userJournal } from "./user_journal.ts";

/** The acceptance: an unmodified static shell. */
export async function runsBusybox(context: CheckContext): Promise<CheckOutcome> {
  const image = build({ form: "el2", processes: [busybox(context, ECHO_OK)] });
  const recorded = await recordImage(context, "el2", image, { name: "busybox" });
  const { lines } = userJournal(recorded, "el2", image, context.machineOptions());
  const calls = lines.filter((line) => line.includes(": call "));
  const failures = [
    ...consoleIs(recorded, "ok\n", "busybox"),
    ...await context.replayOn(recorded, ENGINES),
    ...calls.length > 10 ? [] : [`only ${calls.length} system calls were seen`],
  ];
  return { failures, figures: { steps: recorded.end.instant, "system calls": calls.length } };
}

/** The runs whose journals have to be equal under both forms. */
export function twinRuns(context: CheckContext): [string, Omit<DualWidthOptions, "form">][] {
  const pages = build({ form: "el2", processes: [trespasser(SECRET)] }).kernelPages;
  return [
    ["busybox", { processes: [busybox(context, ECHO_OK)] }],
    ["two busyboxes", {
      processes: [
        busybox(context, ECHO_OK),
        busybox(context, ["sh", "-c", "for i in 1 2 3; do echo $i; done"]),
      ],
      switchAlways: true,
    }],
    ["turns", { processes: [turnTaker("A", 40), turnTaker("B", 30)] }],
    ["trespasser", { processes: [trespasser(SECRET), turnTaker("A", 5)] }],
    ["probe", { processes: [protectionProbe(kernelRanges(context.all ? pages : someOf(pages)))] }],
  ];
}

/** The kernel's own pages, and those of devices: enough to compare; all of them are tried elsewhere. */
function someOf(pages: readonly bigint[]): readonly bigint[] {
  return [...pages.slice(0x80, 0xa0), ...pages.slice(-3)];
}

/** Processes of both forms end with the same memory at the same addresses. */
function memoryDifferences(
  sides: readonly { readonly machine: Machine; readonly image: DualWidthImage }[],
): { failures: string[]; pages: number } {
  const failures: string[] = [];
  let pages = 0;
  const [left, right] = sides as [typeof sides[0], typeof sides[0]];
  for (const [index, { pid, root }] of left.image.processes.entries()) {
    const ours = userMemory(left.machine, root);
    const theirs = userMemory(right.machine, right.image.processes[index]!.root);
    pages += ours.size;
    for (const address of new Set([...ours.keys(), ...theirs.keys()])) {
      const [a, b] = [ours.get(address), theirs.get(address)];
      if (a !== undefined && b !== undefined && a.every((byte, at) => byte === b[at])) continue;
      const at = a === undefined || b === undefined ? 0 : a.findIndex((byte, index) => byte !== b[index]);
      failures.push(
        `process ${pid}: memory differs at ${hex(address + BigInt(at))}: ${a?.[at]} and ${b?.[at]}`,
      );
    }
  }
  return { failures, pages };
}

/** The same processes under both kernels: journals and memory. */
export async function equalsTwin(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], figures: Record<string, number> = {};
  let pages = 0;
  for (const [name, options] of twinRuns(context)) {
    const sides = [];
    for (const form of FORMS) {
      const image = build({ ...options, form }), recorded = await recordImage(context, form, image);
      // Other runs are replayed on the engine that recorded them, by looking at what processes see.
      if (form === "vhe" && name === "busybox") failures.push(...await context.replayOn(recorded, ENGINES));
      sides.push({ image, ...userJournal(recorded, form, image, context.machineOptions()) });
    }
    const [el2, vhe] = sides as [typeof sides[0], typeof sides[0]];
    const difference = firstDifference(el2.lines, vhe.lines, ["the kernel without VHE", "its twin"]);
    if (difference !== undefined) failures.push(`${name}: ${difference}`);
    const memory = memoryDifferences(sides);
    failures.push(...memory.failures.map((failure) => `${name}: ${failure}`));
    pages += memory.pages;
    figures[`${name}: lines`] = el2.lines.length;
  }
  return { failures: failures.slice(0, 10), figures: { ...figures, "pages compared": pages } };
}

/** Writes of roots and TLB maintenance, in order, as far as the machine tells of them. */
function switchesOf({ run, images }: Recorded): { switches: number; failures: string[]; stale: string[] } {
  const failures: string[] = [], stale: string[] = [];
  let switches = 0, due: string[] = [];
  for (const event of eventStream(run, images, { classes: ["detail"] })) {
    if (event.kind.startsWith("stale") || event.kind === "breakBeforeMakeViolated") {
      const what = event.kind === "staleRegisterUsed" ? `${event.kind} ${event.register}` : event.kind;
      stale.push(`${what} at instant ${event.instant}`);
    }
    const isRoot = event.kind === "systemRegisterWritten" && event.register === "TTBR0_EL2";
    if (isRoot) {
      switches++;
      due = ["TTBR0_EL1", "ALLE2", "VMALLE1"];
      continue;
    }
    const name = event.kind === "systemRegisterWritten" && event.register === "TTBR0_EL1"
      ? event.register
      : event.kind === "tlbInvalidated"
      ? event.operation
      : undefined;
    // The first root is written at boot, before the tables are used at all.
    if (name === undefined || due.length === 0 || switches < 2) continue;
    const wanted = due.shift();
    if (name !== wanted) failures.push(`instant ${event.instant}: ${name} where ${wanted} is due`);
  }
  if (due.length > 0 && switches > 1) failures.push(`the last switch lacks ${due.join(", ")}`);
  return { switches: switches - 1, failures, stale };
}

/** Two shells that give way at every call; every switch writes both roots and invalidates both regimes. */
export async function switchesProcesses(context: CheckContext): Promise<CheckOutcome> {
  const processes = [busybox(context, ECHO_OK), busybox(context, ["sh", "-c", "echo two; echo three"])];
  const image = build({ form: "el2", processes, switchAlways: true });
  const plain = await recordImage(context, "el2", image, { name: "two" });
  const strict = await recordImage(context, "el2", image, {
    name: "two-strict",
    options: ["--strict", "tlb,icache,dcache,context"],
  });
  const failures: string[] = [];
  for (const recorded of [plain, strict]) {
    failures.push(...consoleIs(recorded, "ok\ntwo\nthree\n", "two busyboxes"));
    failures.push(...await context.replayOn(recorded, ENGINES));
  }
  const { switches, failures: wrong, stale } = switchesOf(strict);
  // The ISB behind the MSR that turns the MMU on is fetched as before: that is how the kernel's half is entered.
  const unexpected = stale.filter((text) => !text.startsWith("staleRegisterUsed SCTLR_EL2 at"));
  failures.push(...wrong, ...unexpected);
  if (stale.length - unexpected.length !== 1) failures.push("the MMU came on otherwise than by one abort");
  if (switches < 20) failures.push(`only ${switches} switches`);
  return {
    failures: failures.slice(0, 10),
    figures: { switches, stale: unexpected.length, steps: plain.end.instant },
  };
}

/** Interrupts at every boundary around a system call, under both kernels. */
export async function survivesInterrupts(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], figures: Record<string, number> = {};
  for (const form of FORMS) {
    const outcome = await interruptEverywhere(context, form);
    failures.push(...outcome.failures.map((failure) => `${form}: ${failure}`));
    for (const [name, value] of Object.entries(outcome.figures)) figures[`${form}: ${name}`] = value;
  }
  return { failures, figures };
}
