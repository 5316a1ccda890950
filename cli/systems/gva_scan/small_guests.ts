/** Scans of a guest that changes its tables in known ways, with every granule and on every engine. */
import { mappingGuest } from "../../../firmware/gva_scan/mapping_guest.ts";
import type { GranuleShift } from "../../../firmware/loader/translation_layout.ts";
import { granuleText } from "../../../firmware/loader/translation_tables.ts";
import { Timeline } from "../../../journal/timeline.ts";
import { ENGINES } from "../../../machine/machine.ts";
import type { CheckContext, CheckOutcome, Recorded } from "../scenario.ts";
import { lookByScan, mappedBy } from "./mapped_by.ts";
import { boundOf, countOf, failuresOf, type ObservedScan, observeScans } from "./observed.ts";
import { changeText, diffScans, type ScanChange } from "./scan_diff.ts";

const SCAN = "monitor el2 gva-scan";

/** Records the guest, scanned before and behind its changes. */
function record(context: CheckContext, granule: GranuleShift, program: Uint8Array): Promise<Recorded> {
  const name = `mapping-${granuleText(granule)}`;
  return context.record({
    name,
    options: ["-kernel", "guest", "-cpu", "max", "-m", "64M", "--monitor", "el2:gva-scan"],
    files: { guest: program },
    script: ['expect "a"', SCAN, 'expect "b"', SCAN],
  });
}

/** What the changes must be, by label of the store. */
const KINDS: Readonly<Record<string, ScanChange["kind"]>> = {
  mapping: "mapped",
  unmapping: "unmapped",
  moving: "moved",
  changing: "changed",
};

/** Every granule: both scans are as the tables, on all engines, with equal roots. */
export async function checkGranules(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], figures: Record<string, string> = {};
  for (const granule of [12, 14, 16] as const) {
    const recorded = await record(context, granule, mappingGuest(granule).program.bytes);
    for (const engine of Object.keys(ENGINES)) {
      const scans = await observeScans(recorded, context.machineOptions(engine), () => context.breathe());
      if (scans.length !== 2) {
        failures.push(`${granuleText(granule)}: there are ${scans.length} scans, not 2`);
      }
      const wrong = scans.flatMap((scan) => failuresOf(scan, granule));
      failures.push(...wrong.map((line) => `${granuleText(granule)}, ${engine}: ${line}`));
      figures[`AT with ${granuleText(granule)}`] = scans.map(countText(granule)).join(", ");
    }
  }
  return { failures, figures };
}

const countText = (granule: GranuleShift) => (scan: ObservedScan): string =>
  `${countOf(scan)} (bound ${boundOf(scan, granule)})`;

/** The difference of the two scans is what the guest did, and each is traced to its own store. */
export async function checkMappedBy(context: CheckContext): Promise<CheckOutcome> {
  const { program, changes } = mappingGuest(12), failures: string[] = [];
  const recorded = await record(context, 12, program.bytes), options = context.machineOptions();
  const [before, after] = await observeScans(recorded, options, () => context.breathe());
  const found = diffScans(before!.runs, after!.runs), figures: Record<string, string> = {};
  if (found.length !== changes.size) {
    failures.push(`there are ${found.length} changes: ${found.map(changeText).join("; ")}`);
  }
  const timeline = new Timeline(recorded.run, recorded.images, options);
  for (const [label, address] of changes) {
    const change = found.find(({ before, after }) => (before ?? after)?.gva === address);
    if (change?.kind !== KINDS[label]) failures.push(`${label}: the scans tell of ${change?.kind}`);
    timeline.seek(after!.instant);
    const wanted = lookByScan(timeline.machine, address);
    const isIt = (run: typeof wanted) =>
      run?.ipa === wanted?.ipa && run?.attributes === wanted?.attributes && run?.state === wanted?.state;
    const { step, looks, instant } = mappedBy(timeline, address, [before!.instant, after!.instant], isIt);
    const pc = step?.pc, store = program.symbols.get(label);
    if (pc !== store) {
      failures.push(`${label}: traced to pc ${pc?.toString(16)}, the store is ${store?.toString(16)}`);
    }
    figures[label] = `instant ${instant}, pc 0x${pc?.toString(16)}, ${looks} looks`;
  }
  return { failures, figures };
}
