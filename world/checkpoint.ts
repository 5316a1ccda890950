/** Checkpoints of worlds: what a world's file keeps at a root so that the world goes on from there; machines' own states are in their journals. */
import { z } from "zod";
import type { Schema } from "../machine/layout.ts";
import type { CourseMark, TimedWorldInput, WorldRoot } from "./course.ts";
import { MOST_NODES } from "./description.ts";
import { type WorldEvent, worldEventSchema } from "./events.ts";
import type { LinksMark } from "./links.ts";
import { WorldHistory } from "./roots.ts";

/** A point of a node that is a machine; its journal has the state. */
export interface MachineCheckpoint {
  /** Tells it from a program's. */
  readonly kind: "machine";
  /** Lives so far. */
  readonly lives: number;
  /** The time to which it has come. */
  readonly now: number;
  /** When it does anything next; null for never. */
  readonly next: number | null;
  /** No CPU could run when it came back. */
  readonly isIdle: boolean;
  /** What its serial line has not sent; null without a line. */
  readonly line: {
    readonly first: number;
    readonly bytes: Uint8Array;
    readonly ready: readonly { readonly time: number; readonly bytes: Uint8Array }[];
  } | null;
  /** Where it is in the present life; null without power. */
  readonly life: {
    /** The world's time at power-on. */
    readonly start: number;
    /** Steps taken. */
    readonly instant: number;
    /** Its own time, to which it may have waited. */
    readonly virtualTime: number;
    /** Inputs that were given to it. */
    readonly inputs: number;
  } | null;
}

/** What a program was told. */
export type ToldCheckpoint =
  | { readonly kind: "woken"; readonly time: number }
  | { readonly kind: "received"; readonly time: number; readonly port: string; readonly bytes: Uint8Array }
  | { readonly kind: "commanded"; readonly time: number; readonly command: string };

/** What a program keeps, by key. */
export type StoredEntries = readonly (readonly [key: string, bytes: Uint8Array])[];

/** A point of a node that is a program. */
export interface ProgramCheckpoint {
  /** Tells it from a machine's. */
  readonly kind: "program";
  /** Lives so far. */
  readonly lives: number;
  /** Events that it made. */
  readonly told: number;
  /** Its time. */
  readonly now: number;
  /** When it is woken; null for never. */
  readonly next: number | null;
  /** What it keeps. */
  readonly store: StoredEntries;
  /** Its state as bytes of the codec. */
  readonly state: Uint8Array;
  /** How its life began, and what it was told in it; null without power. */
  readonly life: {
    readonly time: number;
    readonly store: StoredEntries;
    readonly told: readonly ToldCheckpoint[];
  } | null;
}

/** A point of a node. */
export type MemberCheckpoint = MachineCheckpoint | ProgramCheckpoint;

/** The block after the root of its time. */
export interface WorldCheckpoint extends LinksMark {
  /** The root's time. */
  readonly time: number;
  /** When each node does anything next; null for never. */
  readonly next: readonly (number | null)[];
  /** To what time each has come. */
  readonly reached: readonly number[];
  /** Events at or after its time that were known already. */
  readonly held: readonly WorldEvent[];
  /** The nodes. */
  readonly members: readonly MemberCheckpoint[];
}

const time = z.int().min(0).max(Number.MAX_SAFE_INTEGER), count = z.int().min(0).max(2 ** 32 - 1);
const bytes = z.instanceof(Uint8Array), small = z.int().min(0).max(255);
const entries = z.array(z.tuple([z.string(), bytes]));

const machine = z.strictObject({
  ...{ kind: z.literal("machine"), lives: count, now: time, next: time.nullable(), isIdle: z.boolean() },
  line: z.strictObject({ first: time, bytes, ready: z.array(z.strictObject({ time, bytes })) }).nullable(),
  life: z.strictObject({ start: time, instant: time, virtualTime: time, inputs: count }).nullable(),
});

const told = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("woken"), time }),
  z.strictObject({ kind: z.literal("received"), time, port: z.string(), bytes }),
  z.strictObject({ kind: z.literal("commanded"), time, command: z.string() }),
]);

const program = z.strictObject({
  ...{ kind: z.literal("program"), lives: count, told: count, now: time, next: time.nullable() },
  ...{ store: entries, state: bytes },
  life: z.strictObject({ time, store: entries, told: z.array(told) }).nullable(),
});

const event = z.unknown().transform((value, context): WorldEvent => {
  const parsed = worldEventSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  context.addIssue({ code: "custom", message: parsed.error.issues[0]?.message ?? "is no event" });
  return z.NEVER;
});

/** Schema of a checkpoint's block. */
export const worldCheckpointSchema: Schema<WorldCheckpoint> = z.strictObject({
  time,
  sequences: z.array(z.array(time).max(16)).max(MOST_NODES),
  next: z.array(time.nullable()).max(MOST_NODES),
  reached: z.array(time).max(MOST_NODES),
  inFlight: z.array(z.strictObject({
    ...{ arrival: time, link: count, end: small, to: small, sequence: time, isLost: z.boolean(), bytes },
  })),
  held: z.array(event),
  members: z.array(z.discriminatedUnion("kind", [machine, program])).max(MOST_NODES),
});

/** A time that may be never, as it is stored. */
export const storedTime = (value: number): number | null => value === Infinity ? null : value;
/** The same read. */
export const timeFrom = (value: number | null): number => value ?? Infinity;

/** A course where a root was just taken, as it is stored. */
export function storedCourse(mark: CourseMark, members: readonly MemberCheckpoint[]): WorldCheckpoint {
  const { sequences, next, reached, inFlight, held } = mark, { time } = mark.lastRoot!;
  return { time, sequences, next: next.map(storedTime), reached, inFlight, held, members };
}

/** The mark of a course that stands at a checkpoint, with the inputs that are to come. */
export function courseFrom(
  { time, sequences, next, reached, inFlight, held }: WorldCheckpoint,
  root: WorldRoot,
  inputs: readonly TimedWorldInput[],
): CourseMark {
  const numbered = inputs.map((input, index) => ({ ...input, number: input.number ?? index }));
  return {
    ...{ now: time, sequences, next: next.map(timeFrom), reached, inFlight, held, rootDue: undefined },
    history: new WorldHistory(root.historyRoot),
    inputs: numbered.filter((input) => input.time >= time).sort((a, b) =>
      a.time - b.time || a.number - b.number
    ),
    inputCount: 1 + Math.max(-1, ...numbered.map(({ number }) => number)),
    lastRoot: root,
  };
}
