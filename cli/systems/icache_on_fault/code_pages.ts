/** The guest that writes, calls and rewrites pages of code, under the pager and every strict cache. */
import { codePages, type CodePagesOptions, codePagesOutput } from "../../../firmware/code_pages.ts";
import { bisect } from "../../../journal/bisect.ts";
import type { Cpu } from "../../../machine/cpu/cpu.ts";
import { hex, type PhysicalAddress } from "../../../machine/address.ts";
import { lookUpAddress } from "../../../machine/debugger_memory.ts";
import type { EventOf } from "../../../machine/events.ts";
import { ENGINES, type Machine } from "../../../machine/machine.ts";
import type { CheckContext, CheckOutcome, Recorded } from "../scenario.ts";
import { EVERYTHING, failuresOf, historyOf, type PageHistory } from "./history.ts";

/** A recording of the guest. */
interface Request {
  readonly name: string;
  readonly guest: CodePagesOptions;
  /** Options of the system, `undefined` for no monitor. */
  readonly system: string | undefined;
  readonly strict: string;
  /** Where it ends; by itself when absent. */
  readonly until?: number;
}

function recordGuest(
  context: CheckContext,
  { name, guest, system, strict, until }: Request,
): Promise<Recorded> {
  const monitor = system === undefined ? [] : ["--monitor", `el2:icache-on-fault,${system}`];
  return context.record({
    name,
    options: [
      ...["-kernel", "guest", "-m", "32M", "--strict", strict, "--root-interval", "65536", ...monitor],
      ...(until === undefined ? [] : ["--until", String(until)]),
    ],
    files: { guest: codePages(guest).bytes },
  });
}

/** The engines beside the one that follows the events. */
function otherEngines(used: string): string[] {
  return Object.keys(ENGINES).filter((engine) => engine !== used);
}

/** Runs in which nothing may be stale. */
// deno-fmt-ignore
const RUNS: readonly Request[] = [
  { name: "pages-whole",  guest: { calls: 512,  caches: false }, system: "every=500,seed=3",             strict: "icache" },
  { name: "pages-cached", guest: { calls: 512,  caches: true },  system: "every=500,seed=4",             strict: "tlb,icache,dcache,context" },
  { name: "pages-lazy",   guest: { calls: 512,  caches: true },  system: "every=500,seed=5,policy=lazy", strict: "icache,dcache" },
];

/** No stale instruction, the same output as without a pager, and as the model of the program; equal on all engines. */
export async function checkPages(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], figures: Record<string, number | string> = {};
  for (const request of RUNS) {
    const paged = await recordGuest(context, request);
    const plain = await recordGuest(context, {
      ...request,
      name: `${request.name}-unpaged`,
      system: undefined,
    });
    const expected = codePagesOutput(request.guest).join("\n") + "\n";
    for (const [name, { console }] of [["paged", paged], ["un-paged", plain]] as const) {
      if (console !== expected) {
        failures.push(`${request.name}, ${name}: the output is ${JSON.stringify(console)}`);
      }
    }
    const history = await historyOf(context, paged, context.machineOptions("threaded"));
    failures.push(
      ...failuresOf(request.name, history),
      ...await context.replayOn(paged, otherEngines("threaded")),
    );
    const { evicted, moved } = history.counts;
    if (Math.min(evicted, moved) < 10) {
      failures.push(`${request.name}: ${evicted} evicted and ${moved} moved only`);
    }
    if (request.system?.includes("lazy") && history.writableCode.length > 0) {
      failures.push(`${request.name}: writable code: ${history.writableCode[0]}`);
    }
    figures[request.name] = linesText(history);
  }
  return { failures, figures };
}

/** Maintenance beside what a monitor without ranges would do. */
export function linesText({ counts }: PageHistory): string {
  const { faults, evicted, moved, executable, dataOnly, dataLines, instructionLines } = counts;
  const all = executable * (EVERYTHING.data + EVERYTHING.instruction);
  return `${faults} faults, ${evicted} evicted, ${moved} moved; ${dataLines} + ${instructionLines} lines ` +
    `maintained for ${executable} executable mappings (${all} by flushing everything), ${dataOnly} for data alone`;
}

/** The same bytes on QEMU print the same. */
export async function checkQemu(context: CheckContext): Promise<CheckOutcome> {
  const guest: CodePagesOptions = { calls: 4096, caches: true }, expected = codePagesOutput(guest);
  const { console } = await context.qemu({
    options: ["-M", "virt", "-cpu", "cortex-a57", "-m", "32M", "-kernel", "guest"],
    files: { guest: codePages(guest).bytes },
  });
  const lines = console.split(/\r?\n/).filter((line) => line !== "");
  const failures = lines.join() === expected.join() ? [] : [`QEMU prints ${lines.join(" ")}`];
  return { failures, figures: { lines: lines.length } };
}

/** What was stale, and the mapping that is to blame. */
export interface Located {
  /** The first stale fetch. */
  readonly stale: EventOf<"staleInstructionFetched">;
  /** The step that made it possible: instant after it, and its mapping. */
  readonly instant: number;
  readonly mapping: EventOf<"stage2Mapped"> | undefined;
}

/** The address of the fetch leads to its word, and a fetch would get another than the newest. */
function isStale(
  machine: Machine,
  { cpu: index, address, physical }: EventOf<"staleInstructionFetched">,
): boolean {
  const cpu = machine.board.cpus[index] as Cpu, { memory, strict } = cpu.surroundings;
  if (strict === undefined || lookUpAddress(cpu, address)?.physical !== physical) return false;
  const hostOffset = memory.hostOffset(physical as PhysicalAddress, 4), word = new Uint8Array(4);
  const inMemory = memory.view.getUint32(hostOffset, true), data = strict.dataCache;
  data?.fetch(physical, hostOffset, word);
  const unified = data === undefined ? inMemory : new DataView(word.buffer).getUint32(0, true);
  const held = strict.instructionCaches?.[index]?.peek(physical) ?? -1;
  const newest = data?.holds(physical) === true ? data.newestWord(physical, hostOffset) : inMemory;
  return (held < 0 ? unified : held) !== newest;
}

/**
 * Bisects a run with a stale fetch for the step from which on it was bound to happen; `recordUntil` records the run up
 * to an instant, so that it ends where the next step is the stale one.
 */
export async function locate(
  context: CheckContext,
  { stale: [first] }: PageHistory,
  recordUntil: (instant: number) => Promise<Recorded>,
): Promise<Located | undefined> {
  if (first === undefined) return undefined;
  const { event: stale } = first;
  const { run, images } = await recordUntil(stale.instant);
  const found = bisect(run, images, (machine) => isStale(machine, stale), context.machineOptions("threaded"));
  if (found.kind !== "found") return { stale, instant: -1, mapping: undefined };
  const mapping = found.events.find((event): event is EventOf<"stage2Mapped"> =>
    event.kind === "stage2Mapped"
  );
  return { stale, instant: found.instant, mapping };
}

/** What must be true of what was located, and the figures. */
export function judge(name: string, located: Located | undefined): CheckOutcome {
  if (located === undefined) return { failures: [`${name}: no stale instruction was fetched`], figures: {} };
  const { stale, instant, mapping } = located, frame = BigInt(Math.floor(stale.physical / 4096) * 4096);
  const figures = {
    [`${name}: stale at`]: `${hex(stale.address)}, instant ${stale.instant}: ${hex(stale.used)} for ${
      hex(stale.present)
    }`,
    [`${name}: mapped by`]: mapping === undefined
      ? "nothing"
      : `the fault at instant ${mapping.instant}: ${hex(mapping.ipa)} at ${hex(mapping.physical)}`,
  };
  const failures = mapping?.physical === frame && mapping.execute && instant <= stale.instant
    ? []
    : [`${name}: bisect found instant ${instant}, where ${hex(frame)} is not mapped`];
  return { failures, figures };
}

/** Faults planted in the monitor. */
// deno-fmt-ignore
const MUTANTS: readonly Request[] = [
  { name: "without-ic", guest: { calls: 1024, caches: false }, system: "every=500,seed=3,omit=ic", strict: "icache",        until: 40_000 },
  { name: "without-dc", guest: { calls: 1024, caches: true },  system: "every=500,seed=3,omit=dc", strict: "icache,dcache", until: 40_000 },
];

/** Each planted fault shows as a stale instruction, twice at the same place, and bisect names the mapping. */
export async function checkMutants(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], figures: Record<string, number | string> = {};
  for (const request of MUTANTS) {
    const mutant = await recordGuest(context, request);
    const again = await recordGuest(context, { ...request, name: `${request.name}-again` });
    if (again.end.historyRoot?.toHex() !== mutant.end.historyRoot?.toHex()) {
      failures.push(`${request.name}: a second run differs`);
    }
    const history = await historyOf(context, mutant, context.machineOptions("threaded"));
    const shorter = (until: number) =>
      recordGuest(context, { ...request, name: `${request.name}-located`, until });
    const outcome = judge(request.name, await locate(context, history, shorter));
    failures.push(...outcome.failures, ...await context.replayOn(mutant, ["reference"]));
    Object.assign(figures, outcome.figures);
    const sound = { ...request, name: `${request.name}-sound`, system: "every=500,seed=3" };
    const right = await historyOf(
      context,
      await recordGuest(context, sound),
      context.machineOptions("threaded"),
    );
    failures.push(...failuresOf(sound.name, right));
  }
  return { failures, figures };
}

/** Range by range against everything, counted in two runs of the same guest. */
export async function checkLines(context: CheckContext): Promise<CheckOutcome> {
  const guest: CodePagesOptions = { calls: 512, caches: false };
  const history = async (flush: string) => {
    const request = {
      name: `lines-${flush}`,
      guest,
      system: `every=4000,seed=3,flush=${flush}`,
      strict: "icache",
    };
    return await historyOf(context, await recordGuest(context, request), context.machineOptions("threaded"));
  };
  const range = await history("range"), everything = await history("everything");
  const failures = [...failuresOf("range", range), ...failuresOf("everything", everything)];
  const sum = ({ counts }: PageHistory) => counts.dataLines + counts.instructionLines;
  const expected = everything.counts.executable * (EVERYTHING.data + EVERYTHING.instruction);
  if (sum(everything) !== expected) failures.push(`everything: ${sum(everything)} lines, not ${expected}`);
  if (sum(range) * 10 > sum(everything)) failures.push("ranges save less than nine tenths");
  return {
    failures,
    figures: { "lines by range": sum(range), "lines by flushing everything": sum(everything) },
  };
}
