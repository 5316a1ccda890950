/** Points of a machine's node: in memory, to return to, and as a world's checkpoint has them. */
import { type MachineCheckpoint, storedTime } from "./checkpoint.ts";
import type { Durable } from "./durable.ts";
import type { WorldEvent } from "./events.ts";
import type { ClockMark } from "./life_clock.ts";
import type { Life, LifeMark } from "./lives.ts";
import type { MemberMark, MemberRoots } from "./member.ts";
import type { SerialLineMark } from "./serial_line.ts";

/** A point of a node that is a machine. */
export interface MachineMark extends MemberMark, ClockMark {
  readonly life: LifeMark | undefined;
  readonly lives: number;
  readonly durable: Durable | undefined;
  readonly last: Pick<MemberRoots, "stateRoot" | "historyRoot">;
  readonly line: SerialLineMark | undefined;
  /** What the first report will tell. */
  readonly events: readonly WorldEvent[];
}

/** What a checkpoint keeps of a node: of how many lives, in which it is, and what its line has not sent. */
export function machineCheckpoint(
  lives: number,
  life: Life | undefined,
  { now, next, isIdle }: ClockMark,
  line: SerialLineMark | undefined,
): MachineCheckpoint {
  return {
    ...{ kind: "machine", lives, now, next: storedTime(next), isIdle },
    line: line === undefined ? null : { ...line, bytes: Uint8Array.from(line.bytes) },
    life: life === undefined ? null : {
      ...{ start: life.start, instant: life.recorder.machine.instant, inputs: life.inputs },
      virtualTime: life.recorder.machine.virtualTime,
    },
  };
}
