/** What the journal of a paged run says of every page: which frame it had, what was allowed, what was maintained before. */
import { eventStream } from "../../../journal/event_stream.ts";
import { Timeline } from "../../../journal/timeline.ts";
import { hex, type PhysicalAddress } from "../../../machine/address.ts";
import type { EventOf, MachineEvent } from "../../../machine/events.ts";
import type { MachineOptions } from "../../../machine/machine.ts";
import type { CheckContext, Recorded } from "../scenario.ts";

/** Lines of the caches of a Cortex-A57, by CCSIDR_EL1: what flushing everything takes for one page. */
export const EVERYTHING = { data: 512 + 32_768, instruction: 768 } as const;

/** Pages of devices and of flash are below. */
const RAM = 0x4000_0000n;

/** A page as its guest has it. */
interface Mapping {
  readonly physical: bigint;
  readonly write: boolean;
  readonly execute: boolean;
}

/** A fetch that was not of the newest instruction. */
export interface StaleFetch {
  /** What was told of it. */
  readonly event: EventOf<"staleInstructionFetched">;
  /** Instant of the step in which the page was mapped at the frame; −1 where nobody has. */
  readonly mappedAt: number;
}

/** Follows the pages of a run through its events. */
export class PageHistory {
  /** Pages that the guest has. */
  readonly #pages = new Map<bigint, Mapping>();
  readonly #frames = new Map<bigint, bigint>();
  readonly #mappedAt = new Map<bigint, number>();
  /** Frames maintained in the present step, for data and for instructions. */
  #maintained = { instant: -1, data: new Set<bigint>(), instruction: new Set<bigint>() };
  /** Rules that were broken, a line each. */
  readonly violations: string[] = [];
  /** Pages that were writable and executable at once. */
  readonly writableCode: string[] = [];
  /** Fetches of instructions that were not the newest. */
  readonly stale: StaleFetch[] = [];
  /** Other events that strict models or the monitor have for what should not be. */
  readonly others: string[] = [];
  /** How often each thing was. */
  readonly counts = {
    faults: 0,
    walks: 0,
    permissions: 0,
    executable: 0,
    dataOnly: 0,
    evicted: 0,
    moved: 0,
    dataLines: 0,
    instructionLines: 0,
  };

  /** Takes the next event. */
  take(event: MachineEvent): void {
    const { counts } = this;
    switch (event.kind) {
      case "stage2Faulted":
        counts.faults++;
        if (event.onWalk) counts.walks++;
        if (event.reason === "permission") counts.permissions++;
        break;
      case "rangeMaintained":
        if (event.cache === "data") counts.dataLines += event.lines;
        else counts.instructionLines += event.lines;
        this.#step(event.instant)[event.cache].add(event.physical);
        break;
      case "stage2Mapped":
        this.#mapped(event);
        break;
      case "stage2Unmapped":
        counts[event.reason]++;
        this.#unmapped(event);
        break;
      case "staleInstructionFetched":
        this.stale.push({
          event,
          mappedAt: this.#mappedAt.get(BigInt(event.physical - event.physical % 4096)) ?? -1,
        });
        break;
      case "staleTranslationUsed":
      case "staleDataRead":
      case "staleDataWritten":
      case "breakBeforeMakeViolated":
      case "monitorStopped":
        this.others.push(`${event.kind} at instant ${event.instant}`);
    }
  }

  #step(instant: number): { readonly data: Set<bigint>; readonly instruction: Set<bigint> } {
    if (this.#maintained.instant !== instant) {
      this.#maintained = { instant, data: new Set(), instruction: new Set() };
    }
    return this.#maintained;
  }

  #mapped({ instant, ipa, physical, write, execute }: EventOf<"stage2Mapped">): void {
    const before = this.#pages.get(ipa), other = this.#frames.get(physical);
    const place = `${hex(ipa)} at ${hex(physical)}, instant ${instant}`;
    if (other !== undefined && other !== ipa) {
      this.violations.push(`${place}: the frame was that of ${hex(other)} still`);
    }
    if (execute && ipa < RAM && ipa >= 0x0800_0000n) {
      this.violations.push(`${place}: a device was made executable`);
    }
    if (execute) this.counts.executable++;
    else this.counts.dataOnly++;
    if (execute && before?.execute !== true) {
      const { data, instruction } = this.#step(instant), everything = instruction.has(0n);
      if (!everything && !(data.has(physical) && instruction.has(physical))) {
        this.violations.push(`${place}: executable without maintenance`);
      }
    }
    if (write && execute) this.writableCode.push(place);
    this.#pages.set(ipa, { physical, write, execute });
    this.#frames.set(physical, ipa);
    this.#mappedAt.set(physical, instant);
  }

  #unmapped({ instant, ipa, from }: EventOf<"stage2Unmapped">): void {
    const known = this.#pages.get(ipa);
    if (known?.physical !== from) {
      this.violations.push(`${hex(ipa)} left ${hex(from)} at ${instant}, where it was not`);
    }
    this.#pages.delete(ipa);
    this.#frames.delete(from);
  }
}

/** Replays a run with an engine, which checks it, and follows its pages. Throws DivergenceError as replays do. */
export async function historyOf(
  context: CheckContext,
  { run, images }: Recorded,
  options: MachineOptions,
): Promise<PageHistory> {
  const history = new PageHistory();
  let reached = 0;
  const stream = eventStream(run, images, { classes: ["trap", "detail"] }, {
    ...options,
    derive: true,
    progress: (instant) => reached = instant,
  });
  let count = 0;
  for (const event of stream) {
    history.take(event);
    if (++count % 4096 === 0) {
      context.progress("following pages", reached, run.lastInstant);
      await context.breathe();
    }
  }
  return history;
}

/**
 * Of the stale fetches of a run those that the guest did not bring about itself. A guest's own has the word that the
 * frame had when the page was mapped: then only the guest can have written another since, and not maintained it yet.
 */
export function notOwn(
  { run, images }: Recorded,
  stale: readonly StaleFetch[],
  options: MachineOptions,
): StaleFetch[] {
  const timeline = new Timeline(run, images, options);
  return stale.filter(({ event: { physical, used }, mappedAt }) => {
    if (mappedAt < 0) return true;
    timeline.seek(mappedAt + 1);
    const { memory } = timeline.machine.board;
    return memory.view.getUint32(memory.hostOffset(physical as PhysicalAddress, 4), true) !== used;
  });
}

/** What to say of a history that has to be without fault. */
export function failuresOf(name: string, { violations, stale, others }: PageHistory): string[] {
  const lines = [...violations, ...others];
  const [first] = stale;
  if (first !== undefined) {
    const { address, instant } = first.event;
    lines.push(`${stale.length} stale instructions, the first at ${hex(address)}, instant ${instant}`);
  }
  return lines.slice(0, 10).map((line) => `${name}: ${line}`);
}
