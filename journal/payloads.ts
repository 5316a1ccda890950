/** What the blocks of a journal hold: one zod description for each kind of payload. */
import { z } from "zod";
import { type MachineConfiguration, parseConfiguration } from "../machine/configuration.ts";
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
export const manifestSchema: z.ZodType<Manifest> = z.strictObject({
  configuration: z.unknown().transform(parseConfiguration),
  depth: z.enum(DEPTHS),
  recordedBy: z.string().max(100),
});

/** A manifest as it is stored: what is absent has no key. */
export function storedManifest(manifest: Manifest): unknown {
  return JSON.parse(JSON.stringify(manifest));
}

/** A block of stored events, or of inputs: complete up to `through`. */
export const eventsSchema = z.strictObject({
  /** Every stored event of an instant below this one is in this block or before it. */
  through: instant,
  /** Rows of journal/event_rows.ts, in order. */
  rows: z.array(z.array(z.unknown())).max(1 << 20),
});

/** A root block. */
export const rootSchema = z.strictObject({
  /** The state after this many steps, before that step boundary. */
  instant,
  /** Virtual time there, in nanoseconds. */
  virtualTime: instant,
  /** Root of the whole state. */
  stateRoot: hash,
  /** History root: of everything up to here. */
  historyRoot: hash,
  /** The hashes that make up the state root, to name what differs. */
  parts: z.array(z.strictObject({ name: z.string().max(64), hash })).max(1024),
});

/** Why a run ended. */
export const END_REASONS = [
  "poweredOff",
  "powerCut",
  "reset",
  "resting",
  "console",
  "instant",
  "operator",
] as const;

/** The end block: a root, and how the run ended. */
export const endSchema = rootSchema.extend({
  reason: z.enum(END_REASONS),
  /** Exit code of the guest, 0 when it gave none. */
  exitCode: z.int().min(0).max(0xffffffff),
  /** The machine was waiting, with virtual time moved on to `virtualTime` at the end. */
  waiting: z.boolean(),
});

/** A root as stored. */
export type StoredRoot = z.infer<typeof rootSchema>;
/** How a run ended. */
export type RunEnd = z.infer<typeof endSchema>;
