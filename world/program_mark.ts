/** Points of a program's node: in memory, to return to, and as a world's checkpoint has them. */
import { type ProgramCheckpoint, storedTime, timeFrom, type ToldCheckpoint } from "./checkpoint.ts";
import type { WorldEvent } from "./events.ts";
import type { MemberMark, Sent } from "./member.ts";
import type { Store } from "./program_store.ts";

/** A chain of what was told, the last first: marks share what came before. */
export interface Chain {
  readonly told: ToldCheckpoint;
  readonly before: Chain | undefined;
}

/** How a life began. */
export interface Beginning {
  readonly time: number;
  readonly store: Store;
}

/** A point of a node that is a program. */
export interface ProgramMark extends MemberMark {
  readonly beginning: Beginning | undefined;
  readonly chain: Chain | undefined;
  readonly lives: number;
  readonly told: number;
  readonly now: number;
  readonly next: number;
  readonly store: Store;
  readonly state: Uint8Array;
  /** What the first report will tell. */
  readonly events: readonly WorldEvent[];
  readonly sent: readonly Sent[];
}

/** What a chain has, the first first. */
export function toldIn(chain: Chain | undefined): readonly ToldCheckpoint[] {
  const all: ToldCheckpoint[] = [];
  for (let link = chain; link !== undefined; link = link.before) all.push(link.told);
  return all.reverse();
}

/** A mark as a checkpoint has it. */
export function programCheckpoint(
  { beginning, chain, lives, told, now, next, store, state }: ProgramMark,
): ProgramCheckpoint {
  return {
    ...{ kind: "program", lives, told, now, next: storedTime(next), store: [...store], state },
    life: beginning === undefined
      ? null
      : { time: beginning.time, store: [...beginning.store], told: toldIn(chain) },
  };
}

/** A checkpoint as a mark. */
export function programMark({ life, lives, told, now, next, store, state }: ProgramCheckpoint): ProgramMark {
  return {
    ...{ lives, told, now, next: timeFrom(next), store: new Map(store), state, events: [], sent: [] },
    beginning: life === null ? undefined : { time: life.time, store: new Map(life.store) },
    chain: life?.told.reduce<Chain | undefined>((before, told) => ({ told, before }), undefined),
  };
}
