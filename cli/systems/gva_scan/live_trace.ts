/** "Which instruction mapped this?", asked of a live Debian: the store of a kernel's descriptor between two scans. */
import { Timeline } from "../../../journal/timeline.ts";
import type { EventOf } from "../../../machine/events.ts";
import type { CheckContext, CheckOutcome } from "../scenario.ts";
import { recordLinux } from "./live_linux.ts";
import { mappedBy } from "./mapped_by.ts";
import { observeScans } from "./observed.ts";
import { changeText, diffScans, type ScanChange } from "./scan_diff.ts";

/** How many changes are traced. */
const MOST_TRACED = 4;
const ADDRESS = (1n << 48n) - (1n << 12n), PAGE = 3n;

/** Pages that the kernel mapped for itself; user addresses come and go with TTBR0_EL1. */
function kernelPages(changes: readonly ScanChange[]): ScanChange[] {
  return changes.filter(({ kind, after }) =>
    kind === "mapped" && after?.state === "mapped" && after.gva >> 63n === 1n
  );
}

/** Whether a step stores a page descriptor that leads to an address. */
function storesDescriptor({ memory }: EventOf<"stepRetired">, ipa: bigint): boolean {
  return memory.some(({ write, size, value }) => {
    if (!write) return false;
    for (let at = 0; at + 8 <= size; at += 8) {
      const word = new DataView(value.buffer, value.byteOffset + at, 8).getBigUint64(0, true);
      if ((word & ADDRESS) === ipa && (word & PAGE) === PAGE) return true;
    }
    return false;
  });
}

/** Traces what the kernel mapped between two moments of its boot, the later one at the prompt, to the stores that did it. */
export async function checkLinuxTrace(context: CheckContext): Promise<CheckOutcome> {
  const recorded = await recordLinux(context, [], "debian-trace"), options = context.machineOptions();
  const scans = await observeScans(recorded, options, (instant) => {
    context.progress("replaying", instant, recorded.run.lastInstant);
    return context.breathe();
  });
  const [before, after] = [scans[1]!, scans[2]!], failures: string[] = [];
  const pages = kernelPages(diffScans(before.runs, after.runs));
  if (pages.length === 0) failures.push("the kernel mapped nothing between the two scans");
  const timeline = new Timeline(recorded.run, recorded.images, options);
  const figures: Record<string, string | number> = { "kernel ranges mapped": pages.length };
  for (const change of pages.slice(0, MOST_TRACED)) {
    const { gva, ipa } = change.after!;
    const { step, instant, looks } = mappedBy(
      timeline,
      gva,
      [before.instant, after.instant],
      (run) => run?.state === "mapped" && run.ipa === ipa,
    );
    if (step === undefined || !storesDescriptor(step, ipa)) {
      failures.push(`${changeText(change)}: traced to instant ${instant}, which stores no such descriptor`);
    }
    figures[`0x${gva.toString(16)}`] = `instant ${instant}, pc 0x${step?.pc.toString(16)}, ${looks} looks`;
    await context.breathe();
  }
  return { failures, figures };
}
