/** The same scan by A64 code at EL2: what it prints here, on QEMU, and what the monitor's scanner finds in its state. */
import { scanGuest } from "../../../firmware/gva_scan/scan_guest.ts";
import type { GranuleShift } from "../../../firmware/loader/translation_layout.ts";
import { granuleText } from "../../../firmware/loader/translation_tables.ts";
import { runText, type ScanRun } from "../../../hypervisor/systems/gva_scan/runs.ts";
import { scanAddressSpace } from "../../../hypervisor/systems/gva_scan/scanner.ts";
import { CpuTranslationPort } from "../../../hypervisor/systems/gva_scan/translation_port.ts";
import { Replay } from "../../../journal/replay.ts";
import { ENGINES } from "../../../machine/machine.ts";
import type { CheckContext, CheckOutcome, Recorded } from "../scenario.ts";

/** A guest's name, granule and whether stage 2 is on. */
type Variant = readonly [name: string, granule: GranuleShift, withStage2: boolean];

const VARIANTS: readonly Variant[] = ([12, 14, 16] as const).flatMap((granule) =>
  [false, true].map((withStage2): Variant => [
    `twin-${granuleText(granule)}${withStage2 ? "-stage2" : ""}`,
    granule,
    withStage2,
  ])
);

const MACHINE = ["-M", "virt,virtualization=on", "-cpu", "max", "-m", "64M", "-kernel", "guest"];

/** A line of the guest: a letter, then numbers. */
interface Line {
  readonly letter: string;
  readonly numbers: readonly bigint[];
}

function linesOf(console: string): Line[] {
  return console.replaceAll("\r", "").trim().split("\n").map((line) => {
    const [letter = "", ...numbers] = line.split(" ");
    return { letter, numbers: numbers.map((digits) => BigInt(`0x${digits}`)) };
  });
}

const ADDRESS = (1n << 48n) - (1n << 12n), ATTRIBUTES = (255n << 56n) | (3n << 7n) | (1n << 9n);

/** What a run must be where the guest wrote a line. */
function expected({ letter, numbers: [gva = 0n, first = 0n, both = 0n] }: Line): ScanRun {
  const empty = { gva, size: 0n, ipa: 0n, pa: 0n, attributes: 0n };
  if (letter === "H") return { ...empty, state: "hole" };
  if (letter === "F") return { ...empty, state: "unaccessed" };
  const ipa = first & ADDRESS, kind = both >> 3n & 15n;
  if ((both & 1n) === 0n) {
    return { ...empty, state: "mapped", ipa, pa: both & ADDRESS, attributes: both & ATTRIBUTES };
  }
  return { ...empty, state: kind === 1n ? "unbacked" : "protected", ipa, attributes: first & ATTRIBUTES };
}

/** What is wrong between the lines of the guest and the runs of a scan of the same tables. */
export function compareLines(console: string, runs: readonly ScanRun[], granule: number): string[] {
  const failures: string[] = [], lines = linesOf(console);
  for (const line of lines.filter(({ letter }) => letter !== "N")) {
    const wanted = expected(line);
    const run = runs.find(({ gva, size }) => gva <= wanted.gva && wanted.gva < gva + size);
    const along = run === undefined ? 0n : wanted.gva - run.gva;
    const isSame = run !== undefined && run.state === wanted.state && run.attributes === wanted.attributes &&
      (wanted.ipa === 0n || run.ipa + along === wanted.ipa) &&
      (wanted.pa === 0n || run.pa + along === wanted.pa);
    if (!isSame) failures.push(`the guest has ${runText(wanted)}, the scan ${run && runText(run)}`);
  }
  const asked = runs.filter(({ state }) => ["mapped", "unbacked", "protected"].includes(state))
    .reduce((sum, { size }) => sum + size, 0n) >> BigInt(granule);
  const counted = lines.find(({ letter }) => letter === "N")?.numbers[1];
  if (counted !== asked) failures.push(`the guest counts ${counted} mapped granules, the scan ${asked}`);
  return failures;
}

/** The scan of the state in which a recorded guest ended. */
function scanAtEnd({ run, images }: Recorded, context: CheckContext): { runs: ScanRun[]; count: number } {
  const replay = new Replay(run, images, context.machineOptions()), runs: ScanRun[] = [];
  replay.runToEnd();
  const port = new CpuTranslationPort(replay.machine.board.cpus[0]!);
  const { stage1, stage2 } = scanAddressSpace(port, (run) => void runs.push(run));
  return { runs, count: stage1 + stage2 };
}

function record(context: CheckContext, [name, granule, withStage2]: Variant): Promise<Recorded> {
  const guest = scanGuest(granule, withStage2).bytes;
  return context.record({ name, options: MACHINE, files: { guest } });
}

/** Here: the guest's own scan is the monitor's, and replays on the engines. */
export async function checkTwin(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], figures: Record<string, string> = {};
  for (const variant of VARIANTS) {
    const [name, granule] = variant, recorded = await record(context, variant);
    const { runs, count } = scanAtEnd(recorded, context);
    failures.push(...compareLines(recorded.console, runs, granule).map((line) => `${name}: ${line}`));
    const engines = Object.keys(ENGINES).filter((engine) => granule === 12 || engine !== "reference");
    failures.push(...await context.replayOn(recorded, engines));
    const [stage1 = 0n, stage2 = 0n] = linesOf(recorded.console).at(-1)?.numbers ?? [];
    figures[name] = `${count} AT, ${stage1 + stage2} granule by granule, ${runs.length} runs`;
  }
  return { failures, figures };
}

/** On QEMU: the same bytes write the same lines. */
export async function checkTwinOnQemu(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [];
  let lines = 0;
  for (const variant of VARIANTS) {
    const [name, granule, withStage2] = variant, guest = scanGuest(granule, withStage2).bytes;
    const theirs = (await context.qemu({ options: MACHINE, files: { guest } })).console.trim().split(/\r?\n/);
    const ours = (await record(context, variant)).console.trim().split(/\r?\n/);
    for (let at = 0; at < Math.max(ours.length, theirs.length); at++) {
      if (ours[at] === theirs[at]) lines++;
      else failures.push(`${name}, line ${at + 1}: here ${ours[at]}, on QEMU ${theirs[at]}`);
    }
  }
  return { failures: failures.slice(0, 20), figures: { "lines of PAR_EL1 that agree": lines } };
}
