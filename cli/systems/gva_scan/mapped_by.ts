/** "Which instruction mapped this?": halves a stretch of a recorded run on what a scan of one address finds. */
import type { ScanRun } from "../../../hypervisor/systems/gva_scan/runs.ts";
import { scanAddressSpace } from "../../../hypervisor/systems/gva_scan/scanner.ts";
import { ScanRefusedError } from "../../../hypervisor/systems/gva_scan/halves.ts";
import { CpuTranslationPort } from "../../../hypervisor/systems/gva_scan/translation_port.ts";
import type { Timeline } from "../../../journal/timeline.ts";
import type { EventOf } from "../../../machine/events.ts";
import type { Machine } from "../../../machine/machine.ts";

/** What the CPU whose turn it is finds at one address: the run that begins there, undefined where nothing is. */
export function lookByScan(machine: Machine, gva: bigint): ScanRun | undefined {
  const { events } = machine.board, numbering = events.save();
  let found: ScanRun | undefined;
  try {
    scanAddressSpace(
      new CpuTranslationPort(machine.currentCpu),
      (run) => found ??= run.gva <= gva && gva < run.gva + run.size ? run : undefined,
      { from: gva, limit: 1 },
    );
  } catch (error) {
    if (!(error instanceof ScanRefusedError)) throw error;
  }
  // An AT that aborts is an event, and this look is none of the run's.
  events.restore(numbering);
  return found;
}

/** The step that made an address what it is. */
export interface MappedBy {
  /** The instant of the step. */
  readonly instant: number;
  /** The step, unless it was an interrupt. */
  readonly step: EventOf<"stepRetired"> | undefined;
  /** How often was looked. */
  readonly looks: number;
}

/**
 * The last step between two instants before which a scan of an address gives `isIt` a run that it does not take, and
 * behind which one that it does; found by halving, so that of several such steps it is any.
 */
export function mappedBy(
  timeline: Timeline,
  gva: bigint,
  [low, high]: readonly [from: number, to: number],
  isIt: (run: ScanRun | undefined) => boolean,
): MappedBy {
  let looks = 0;
  while (high - low > 1) {
    const middle = low + Math.floor((high - low) / 2);
    timeline.seek(middle);
    looks++;
    if (isIt(lookByScan(timeline.machine, gva))) high = middle;
    else low = middle;
  }
  const events = timeline.events(low, high);
  return { instant: low, step: events.find((event) => event.kind === "stepRetired"), looks };
}
