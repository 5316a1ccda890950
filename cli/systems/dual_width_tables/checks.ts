/** The acceptance of dual-width-tables, criterion by criterion. */
import { KERNEL_BASE, type KernelForm, SHIM } from "../../../firmware/dual_width/layout.ts";
import type { DualWidthImage } from "../../../firmware/dual_width/image.ts";
import { protectionProbe, trespasser, turnTaker } from "../../../firmware/dual_width/programs.ts";
import { eventStream } from "../../../journal/event_stream.ts";
import { Replay } from "../../../journal/replay.ts";
import type { CheckContext, CheckOutcome, Recorded, SystemCheck } from "../scenario.ts";
import { audit, userMemory } from "./audit.ts";
import { exceptionLines, recordedExceptions } from "./exceptions.ts";
import {
  bootOptions,
  build,
  busybox,
  BUSYBOX_GUEST,
  changedKernel,
  IMAGE_FILE,
  kernelRanges,
  outerRanges,
  recordImage,
  withWritableShim,
} from "./images.ts";
import { interruptEverywhere } from "./interrupts.ts";
import { firstDifference, userJournal } from "./user_journal.ts";

const ENGINES = ["reference", "threaded", "compiled"];
const ECHO_OK = ["sh", "-c", "echo ok"];
const SECRET = KERNEL_BASE.el2 + 0x84000n;
const FORMS: readonly KernelForm[] = ["el2", "vhe"];

const number = (value: bigint): string => `0x${value.toString(16)}`;

/** A failure unless a console wrote exactly this. */
function consoleIs({ console }: { readonly console: string }, wanted: string, what: string): string[] {
  return console === wanted
    ? []
    : [`${what} wrote ${JSON.stringify(console)}, not ${JSON.stringify(wanted)}`];
}

async function runsBusybox(context: CheckContext): Promise<CheckOutcome> {
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

/** Each page, three times: what the probe counts, and what the machine's own events tell of the same run. */
async function protects(context: CheckContext): Promise<CheckOutcome> {
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
      left.set(`${kind} at ${number(address)}`, (left.get(`${kind} at ${number(address)}`) ?? 0) + 1);
    }
  }
  for (const event of eventStream(recorded.run, recorded.images, { classes: ["trap"] })) {
    if (event.kind !== "exceptionTaken" || event.from !== 0 || event.syndrome >> 26n === 0x15n) continue;
    const text = `${number(event.syndrome)} at ${number(event.faultAddress)}`, count = left.get(text);
    if (count === undefined) failures.push(`instant ${event.instant}: EL0 took ${text}`);
    else if (count === 1) left.delete(text);
    else left.set(text, count - 1);
  }
  for (const missing of left.keys()) failures.push(`EL0 never took ${missing}`);
  for (const page of image.kernelPages) {
    if (!pages.includes(page)) failures.push(`the kernel's page ${number(page)} was not probed`);
  }
  failures.push(...await context.replayOn(recorded, ["threaded", "compiled"]));
  const figures = { "kernel pages": pages.length, addresses: probed.length, accesses: 3 * probed.length };
  return { failures: failures.slice(0, 10), figures: { ...figures, steps: recorded.end.instant } };
}

/** Instants to look at: after each switch of roots, and the end. */
function auditInstants({ run, images }: Recorded): number[] {
  const instants: number[] = [];
  for (const event of eventStream(run, images, { classes: ["trap"] })) {
    if (event.kind === "exceptionReturned" && event.to === 0) instants.push(event.instant + 1);
  }
  return instants.filter((_, index) => index % 16 === 0);
}

async function hasOneHierarchy(context: CheckContext): Promise<CheckOutcome> {
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
  for (const instant of auditInstants(recorded)) {
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

/** The runs whose journals have to be equal under both forms. */
function twinRuns(context: CheckContext): [string, Omit<Parameters<typeof build>[0], "form">][] {
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
  sides: readonly { readonly machine: Parameters<typeof userMemory>[0]; readonly image: DualWidthImage }[],
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
        `process ${pid}: memory differs at ${number(address + BigInt(at))}: ${a?.[at]} and ${b?.[at]}`,
      );
    }
  }
  return { failures, pages };
}

async function equalsTwin(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], figures: Record<string, number> = {};
  let pages = 0;
  for (const [name, options] of twinRuns(context)) {
    const sides = [];
    for (const form of FORMS) {
      const image = build({ ...options, form }), recorded = await recordImage(context, form, image);
      if (form === "vhe") failures.push(...await context.replayOn(recorded, ["threaded", "compiled"]));
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

async function switchesProcesses(context: CheckContext): Promise<CheckOutcome> {
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
    failures.push(...await context.replayOn(recorded, ["threaded", "compiled"]));
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

/** Kernels with one thing wrong, and what tells of it. */
// deno-fmt-ignore
const MUTANTS: readonly { readonly name: string; readonly from: string; readonly to: string }[] = [
  { name: "no TLBI of EL1&0 at a switch", from: "tlbi    vmalle1\n.endif",                  to: ".endif" },
  { name: "no TLBI of EL2 at a switch",   from: "tlbi    alle2\n        tlbi    vmalle1", to: "tlbi    vmalle1" },
];

async function catchesFaults(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], figures: Record<string, string> = {};
  for (const { name, from, to } of MUTANTS) {
    const kernel = changedKernel("el2", from, to);
    const image = build({ form: "el2", processes: [turnTaker("A", 4), turnTaker("B", 4)], kernel });
    const recorded = await recordImage(context, "el2", image, { options: ["--strict", "tlb"], seconds: 20 });
    const events = eventStream(recorded.run, recorded.images, { classes: ["detail"] });
    const stale = [...events].find(({ kind }) => kind === "staleTranslationUsed");
    if (stale?.kind !== "staleTranslationUsed") failures.push(`${name}: no old translation was used`);
    else figures[name] = `instant ${stale.instant}, ${stale.access} of ${number(stale.address)}`;
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

async function survivesInterrupts(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], figures: Record<string, number> = {};
  for (const form of FORMS) {
    const outcome = await interruptEverywhere(context, form);
    failures.push(...outcome.failures.map((failure) => `${form}: ${failure}`));
    for (const [name, value] of Object.entries(outcome.figures)) figures[`${form}: ${name}`] = value;
  }
  return { failures, figures };
}

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

async function equalsQemu(context: CheckContext): Promise<CheckOutcome> {
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
async function refusesWritableShim(context: CheckContext): Promise<CheckOutcome> {
  const kernel = changedKernel("el2", "b.ne    return_to_user", "b.ne    panic");
  const image = build({ form: "el2", processes: [turnTaker("A", 2)], tickPeriod: 20_000, kernel });
  const bytes = withWritableShim(image), files = { [IMAGE_FILE]: bytes };
  const recorded = await recordImage(context, "el2", { ...image, bytes });
  const wanted = `: ESR 0x8600000f FAR ${number(SHIM + 0x200n)} PC ${number(SHIM + 0x200n)}\n`;
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
  failures.push(...await context.replayOn(recorded, ["threaded", "compiled"]));
  const qemu = await context.qemu({ options: bootOptions("el2"), files });
  failures.push(...consoleIs(qemu, recorded.console, "QEMU"));
  return { failures, figures: { console: recorded.console.trim() } };
}

async function endsTrespassers(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [];
  for (const form of FORMS) {
    const image = build({ form, processes: [trespasser(SECRET), turnTaker("A", 3)] });
    const recorded = await recordImage(context, form, image);
    failures.push(...await context.replayOn(recorded, ENGINES));
    const pattern = new RegExp(
      `^write from the kernel: -e\\nuname into the kernel: -e\\nwrite around the end: -e\\n` +
        `mprotect of the shim: -16\\nmunmap of the shim: -16\\nHVC at EL0: undefined\\n` +
        `pid 1 ended by signal 11: ESR 0x92000004 FAR ${number(SECRET)} PC 0x400[0-9a-f]{3}\\nc3 by A\\n$`,
    );
    if (!pattern.test(recorded.console)) {
      failures.push(`${form}: it wrote ${JSON.stringify(recorded.console)}`);
    }
  }
  return { failures, figures: {} };
}

const needs = [BUSYBOX_GUEST];

/** In order. */
// deno-fmt-ignore
export const CHECKS: readonly SystemCheck[] = [
  { name: "unmodified static busybox runs sh -c 'echo ok' at EL0 under the kernel at EL2", needs, run: runsBusybox },
  { name: "every page of the kernel: EL0's load, store and fetch are translation faults of level 0", run: protects },
  { name: "both regimes walk one hierarchy of tables, in the EL2 format",               needs, run: hasOneHierarchy },
  { name: "the VHE twin's processes see the same: calls, results, faults, console, memory", needs, run: equalsTwin },
  { name: "two processes switch with TLBI, also under all strict models",               needs, run: switchesProcesses },
  { name: "planted faults are caught: each missing TLBI, and a width too many",              run: catchesFaults },
  { name: "an interrupt at each boundary around a system call is taken to EL2, unseen by processes", run: survivesInterrupts },
  { name: "a process that goes for the kernel or the shim is refused or ended, others go on",  run: endsTrespassers },
  { name: "a shim that EL0 can write is not executed by EL1, here and on QEMU",              run: refusesWritableShim },
  { name: "the same bytes on QEMU: console and every exception with its syndrome are equal", needs, run: equalsQemu },
];
