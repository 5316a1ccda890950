/** The scans of a recorded run, each beside what the tables say in a snapshot of its instant. */
import { runJson, runText, type ScanRun } from "../../../hypervisor/systems/gva_scan/runs.ts";
import type { Cpu } from "../../../machine/cpu/cpu.ts";
import { peekSystemRegister } from "../../../machine/cpu/system_registers.ts";
import type { PhysicalAddress } from "../../../machine/address.ts";
import type { EventOf, MachineEvent } from "../../../machine/events.ts";
import type { Machine, MachineOptions } from "../../../machine/machine.ts";
import { Replay } from "../../../journal/replay.ts";
import type { Recorded } from "../scenario.ts";
import { type ReadMemory, type Walked, type WalkedRegisters, walkTables } from "./table_walker.ts";

/** One scan. */
export interface ObservedScan {
  /** Where it was. */
  readonly instant: number;
  /** What it found. */
  readonly runs: readonly ScanRun[];
  /** What it took. */
  readonly summary: Omit<EventOf<"addressSpaceScanned">, "kind" | "instant" | "index">;
  /** The tables, by another hand. */
  readonly walked: Walked;
}

/** The registers that say where the tables are. */
// deno-fmt-ignore
const REGISTERS: readonly (keyof WalkedRegisters)[] = [
  "SCTLR_EL1", "TCR_EL1", "TTBR0_EL1", "TTBR1_EL1", "MAIR_EL1", "HCR_EL2", "VTCR_EL2", "VTTBR_EL2", "ID_AA64MMFR0_EL1",
];

function registersOf(cpu: Cpu): WalkedRegisters {
  const { el2 } = cpu.features;
  const values = REGISTERS.map((name) => [
    name,
    name.endsWith("_EL2") && !el2 ? 0n : peekSystemRegister(cpu, name),
  ]);
  return Object.fromEntries(values) as WalkedRegisters;
}

/** Memory as it is in a snapshot of the present state, whatever the machine does afterwards. */
function frozenMemory(machine: Machine): ReadMemory {
  const { pages } = machine.snapshot(), { memory } = machine.board;
  const views = new Map<number, DataView | undefined>();
  const viewOf = (page: number): DataView | undefined => {
    if (!views.has(page)) {
      const bytes = pages.get(page);
      views.set(page, bytes && new DataView(bytes.buffer, bytes.byteOffset, bytes.length));
    }
    return views.get(page);
  };
  return (address) => {
    const offset = memory.hostOffset(Number(address) as PhysicalAddress, 8);
    if (offset < 0) return undefined;
    return viewOf(offset >>> 12)?.getBigUint64(offset & 4095, true) ?? 0n;
  };
}

/** The address spaces of all CPUs at the present instant, by their tables. */
export function walkAll(machine: Machine): () => Walked[] {
  const registers = machine.board.cpus.map(registersOf), read = frozenMemory(machine);
  return () => registers.map((each) => walkTables(each, read));
}

/** A run of a scan without what only its event has. */
function runOf({ gva, size, state, ipa, pa, attributes }: EventOf<"addressRangeScanned">): ScanRun {
  return { gva, size: BigInt(size), state, ipa, pa, attributes };
}

/**
 * Replays a run, and gives each scan that an operator asked for with the tables' own story of its instant. Throws
 * DivergenceError where the replay is not what was recorded.
 */
export async function observeScans(
  { run, images }: Recorded,
  options: MachineOptions,
  breathe: (instant: number) => Promise<void>,
): Promise<ObservedScan[]> {
  const replay = new Replay(run, images, options), { machine } = replay, { events } = machine.board;
  const scans: ObservedScan[] = [];
  for (const input of run.inputs) {
    if (input.kind !== "monitorCommanded" || input.instant < replay.instant) continue;
    for (let next = replay.instant; next < input.instant; await breathe(next)) {
      next = Math.min(next + SLICE, input.instant);
      replay.runTo(next);
    }
    const walkLater = walkAll(machine), seen: MachineEvent[] = [];
    const observer = {
      classes: ["detail" as const],
      observe: (event: MachineEvent) => void seen.push(event),
    };
    events.add(observer);
    replay.runTo(input.instant + 1);
    events.remove(observer);
    scans.push(...scansOf(seen, walkLater()));
  }
  replay.runToEnd();
  return scans;
}

const SLICE = 2 ** 25;

/** Scans by their events: runs, and the summary behind them. */
function scansOf(seen: readonly MachineEvent[], walked: readonly Walked[]): ObservedScan[] {
  const scans: ObservedScan[] = [];
  let runs: ScanRun[] = [];
  for (const event of seen) {
    if (event.kind === "addressRangeScanned") runs.push(runOf(event));
    if (event.kind !== "addressSpaceScanned") continue;
    const { instant, cpu } = event;
    scans.push({ instant, runs, summary: event, walked: walked[cpu]! });
    runs = [];
  }
  return scans;
}

/** Lines of one list that the other has not, at most ten of each. */
export function differences(left: readonly ScanRun[], right: readonly ScanRun[]): string[] {
  const texts = [left.map(runText), right.map(runText)] as const;
  const [ofLeft, ofRight] = [new Set(texts[0]), new Set(texts[1])];
  const only = (lines: readonly string[], others: ReadonlySet<string>, who: string) =>
    lines.filter((line) => !others.has(line)).slice(0, 10).map((line) => `only ${who}: ${line}`);
  return [...only(texts[0], ofRight, "by AT"), ...only(texts[1], ofLeft, "in the tables")];
}

/** What is wrong with a scan: runs that the tables do not have, or more AT instructions than the bound. */
export function failuresOf(scan: ObservedScan, granule = 12): string[] {
  const where = `the scan at instant ${scan.instant}`;
  const failures = differences(scan.runs, scan.walked.runs).map((line) => `${where}: ${line}`);
  const count = countOf(scan), bound = boundOf(scan, granule);
  if (!scan.summary.isComplete) failures.push(`${where} ended before its end`);
  if (count > bound) {
    failures.push(`${where} took ${count} AT; descriptors of all tables + leaves are ${bound}`);
  }
  return failures;
}

/** AT instructions of a scan. */
export function countOf({ summary }: ObservedScan): number {
  return summary.stage1 + summary.stage2;
}

/** The most that it may take: the descriptors of all tables, 512 each with 4 KiB granules, and the leaves. */
export function boundOf({ walked }: ObservedScan, granule = 12): number {
  return 2 ** (granule - 3) * walked.tables + walked.leaves;
}

/** A file of scans: JSON, with numbers as texts. */
export function scansJson(scans: readonly ObservedScan[]): string {
  const values = scans.map(({ instant, runs, summary }) => ({
    instant,
    cpu: summary.cpu,
    at: { s1e1r: summary.stage1, s12e1r: summary.stage2 },
    runs: runs.map(runJson),
  }));
  return `${JSON.stringify(values, undefined, 2)}\n`;
}
