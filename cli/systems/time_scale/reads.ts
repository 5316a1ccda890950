/** What a guest under time-scale read of its counters, beside the machine's own count: from a replay on another engine. */
import { Replay } from "../../../journal/replay.ts";
import type { MachineEvent } from "../../../machine/events.ts";
import { REPLAY_SLICE } from "../../replay.ts";
import type { CheckContext, Recorded } from "../scenario.ts";

/** Virtual nanoseconds of a count of the machine's. */
const COUNT_NANOSECONDS = 16;

/** Counts per second of every guest's counter (CNTFRQ_EL0). */
export const FREQUENCY = 62_500_000;

/** One trapped read of a counter. */
export interface CounterRead {
  /** CPU that read. */
  readonly cpu: number;
  /** Its instant. */
  readonly instant: number;
  /** The machine's count in that step. */
  readonly machine: number;
  /** What the guest got. */
  readonly guest: number;
}

/** A fraction of whole numbers. */
export type Fraction = readonly [numerator: number, denominator: number];

const COUNTERS: readonly string[] = ["CNTPCT_EL0", "CNTPCTSS_EL0", "CNTVCT_EL0", "CNTVCTSS_EL0"];

/**
 * Replays a run on another engine than it was recorded on, with all its roots checked, and calls `seen` for every
 * trapped read of a counter. Throws DivergenceError where the replay differs.
 */
export async function followReads(
  context: CheckContext,
  recorded: Recorded,
  seen: (read: CounterRead) => void,
): Promise<void> {
  const { run, images } = recorded;
  const engine = recorded.engine === "threaded" ? "compiled" : "threaded";
  const replay = new Replay(run, images, context.machineOptions(engine));
  const { machine } = replay;
  machine.board.events.add({
    classes: ["detail"],
    observe: (event: MachineEvent) => {
      if (event.kind !== "registerEmulated" || !COUNTERS.includes(event.register)) return;
      const { cpu, instant, value } = event;
      seen({
        cpu,
        instant,
        machine: Math.floor(machine.virtualTime / COUNT_NANOSECONDS),
        guest: Number(value),
      });
    },
  });
  while (replay.instant < run.lastInstant) {
    replay.runTo(Math.min(run.lastInstant, replay.instant + REPLAY_SLICE));
    context.progress(`replaying on the ${engine} engine`, replay.instant, run.lastInstant);
    await context.breathe();
  }
  replay.runToEnd();
}

/** How far a read is from a count of the machine's times a scale, in counts of the guest, below and above. */
export function offBy({ machine, guest }: CounterRead, [numerator, denominator]: Fraction): number {
  const exact = BigInt(machine) * BigInt(numerator) / BigInt(denominator);
  return Number(BigInt(guest) - exact);
}
