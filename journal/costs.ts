/** What a run costs its host: time by what it goes into, and counts; whoever has a clock gives it from outside. */
import type { Machine } from "../machine/machine.ts";
import type { BlockSpan } from "./block.ts";
import type { BlockWriter } from "./recorder.ts";

/**
 * What time goes into: everything before the machine runs; running it, devices included; roots; making, digesting,
 * storing and comparing events; encoding and writing blocks, or decoding them; all else, such as waiting.
 */
export const COST_PARTS = ["start", "engine", "roots", "events", "journal", "rest"] as const;

/** One of them. */
export type CostPart = (typeof COST_PARTS)[number];

/** The host's clock and memory. */
export interface CostSource {
  /** Milliseconds since the process began. */
  now(): number;
  /** Bytes of memory that the process has now. */
  memory(): number;
}

/** What was counted. */
export interface CostCounts {
  /** Roots taken or checked. */
  roots: number;
  /** Events of the classes that somebody listened to. */
  events: number;
  /** Events stored. */
  stored: number;
  /** Blocks written. */
  blocks: number;
}

/** Adds up what a run costs. Each moment belongs to one part, so that the parts make up the whole. */
export class Costs {
  /** Milliseconds by part. */
  readonly milliseconds: Record<CostPart, number> = {
    start: 0,
    engine: 0,
    roots: 0,
    events: 0,
    journal: 0,
    rest: 0,
  };
  /** What was counted so far. */
  readonly counts: CostCounts = { roots: 0, events: 0, stored: 0, blocks: 0 };
  /** The most memory seen, in bytes. */
  memory = 0;
  #machine: Machine | undefined;
  #current: CostPart = "start";
  #since = 0;

  /** Counts from the beginning of the process. */
  constructor(private readonly source: CostSource) {}

  /** Time from now on goes to another part; returns the one that it went to before. */
  spend(part: CostPart): CostPart {
    const now = this.source.now(), before = this.#current;
    this.milliseconds[before] += now - this.#since;
    this.#since = now;
    this.#current = part;
    return before;
  }

  /** Brings the times up to now. */
  update(): void {
    this.spend(this.#current);
    this.lookAtMemory();
  }

  /** Remembers how much memory there is, if it is the most. */
  lookAtMemory(): void {
    this.memory = Math.max(this.memory, this.source.memory());
  }

  /** Pages of memory hashed. */
  get pagesHashed(): number {
    return this.#machine?.pagesHashed ?? 0;
  }

  /** Sees what the machine's events cost. */
  attach(machine: Machine): void {
    this.#machine = machine;
    let before: CostPart = "rest";
    machine.board.events.delivering = (begins, count) => {
      if (!begins) return void this.spend(before);
      before = this.spend("events");
      this.counts.events += count;
    };
    this.spend("rest");
  }
}

/** Does something whose time goes to a part, if somebody wants to know. */
export function spending<T>(costs: Costs | undefined, part: CostPart, act: () => T): T {
  if (costs === undefined) return act();
  const before = costs.spend(part);
  try {
    return act();
  } finally {
    costs.spend(before);
  }
}

/** Sees what writing blocks costs. */
export function meteredWriter(writer: BlockWriter, costs: Costs): BlockWriter {
  return {
    append(kind, payload, span?: BlockSpan) {
      costs.counts.blocks++;
      return spending(costs, "journal", () => writer.append(kind, payload, span));
    },
    appendLater(kind, payload, span) {
      costs.counts.blocks++;
      spending(costs, "journal", () => {
        if (writer.appendLater === undefined) writer.append(kind, payload, span);
        else writer.appendLater(kind, payload, span);
      });
    },
    settle: () => spending(costs, "journal", () => writer.settle?.()),
    finish: () => spending(costs, "journal", () => writer.finish()),
    rooted: (machine, root) => spending(costs, "journal", () => writer.rooted?.(machine, root)),
  };
}
