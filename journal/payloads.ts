/** What the blocks of a journal hold: one zod description for each kind of payload. */
import { z } from "zod";
import { type MachineConfiguration, parseConfiguration } from "../machine/configuration.ts";
import type { Schema } from "../machine/layout.ts";
import { HASH_LENGTH } from "./hash.ts";

/** How much of a run is stored; the rest is derived. */
export const DEPTHS = ["inputs", "traps", "steps"] as const;

/** A depth of recording. */
export type Depth = (typeof DEPTHS)[number];

const instant = z.int().min(0).max(Number.MAX_SAFE_INTEGER);
const hash: z.ZodType<Uint8Array> = z.instanceof(Uint8Array).refine(
  (bytes) => bytes.length === HASH_LENGTH,
  "not a SHA-256",
);

/** All that a run is a function of, but its inputs, and how it was recorded: the first block. */
export interface Manifest {
  /** What the machine is; images are named in it by content. */
  readonly configuration: MachineConfiguration;
  /** How much is stored. */
  readonly depth: Depth;
  /** The build that recorded, for people. */
  readonly recordedBy: string;
}

/** The first block's schema; the configuration is checked by the machine's own parser, which throws ConfigurationError. */
export const manifestSchema: Schema<Manifest> = z.strictObject({
  configuration: z.unknown().transform(parseConfiguration),
  depth: z.enum(DEPTHS),
  recordedBy: z.string().max(100),
});

/** A manifest as it is stored: what is absent has no key. */
export function storedManifest(manifest: Manifest): unknown {
  return JSON.parse(JSON.stringify(manifest));
}

/** A block of stored events, inputs among them. */
export interface StoredEvents {
  /** Every stored event of an instant below this one is in this block or before it. */
  readonly through: number;
  /** Rows of journal/event_rows.ts, in order. */
  readonly rows: readonly (readonly unknown[])[];
}

/** Schema of a block of events. */
export const eventsSchema: Schema<StoredEvents> = z.strictObject({
  through: instant,
  rows: z.array(z.array(z.unknown())).max(1 << 20),
});

/** A root as stored. */
export interface StoredRoot {
  /** The state after this many steps, before that step boundary. */
  readonly instant: number;
  /** Virtual time there, in nanoseconds. */
  readonly virtualTime: number;
  /** Root of the whole state. */
  readonly stateRoot: Uint8Array;
  /** History root: of everything up to here. */
  readonly historyRoot: Uint8Array;
  /** The hashes that make up the state root, to name what differs; a file has those that `changedParts` leaves. */
  readonly parts: readonly { readonly name: string; readonly hash: Uint8Array }[];
}

const root = z.strictObject({
  instant,
  virtualTime: instant,
  stateRoot: hash,
  historyRoot: hash,
  parts: z.array(z.strictObject({ name: z.string().max(64), hash })).max(1024),
});

/** Schema of a root block. */
export const rootSchema: Schema<StoredRoot> = root;

/** Why a run ended. */
export const END_REASONS = [
  "poweredOff",
  "powerCut",
  "reset",
  "resting",
  "console",
  "condition",
  "instant",
  "operator",
] as const;

/** How a run ended, with its last root. */
export interface RunEnd extends StoredRoot {
  /** Why it ended. */
  readonly reason: (typeof END_REASONS)[number];
  /** Exit code of the guest, 0 when it gave none. */
  readonly exitCode: number;
  /** The machine was waiting, with virtual time moved on to `virtualTime` at the end. */
  readonly waiting: boolean;
}

/** Schema of the end block. */
export const endSchema: Schema<RunEnd> = root.extend({
  reason: z.enum(END_REASONS),
  exitCode: z.int().min(0).max(0xffffffff),
  waiting: z.boolean(),
});
