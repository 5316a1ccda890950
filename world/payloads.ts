/** What the blocks of a world's file hold: one zod description for each kind. */
import { z } from "zod";
import { HASH_LENGTH } from "../journal/hash.ts";
import { type Depth, DEPTHS } from "../journal/payloads.ts";
import type { Schema } from "../machine/layout.ts";
import type { WorldRoot } from "./course.ts";
import { MOST_NODES, type WorldDescription, worldSchema } from "./description.ts";
import { type WorldEvent, worldEventSchema } from "./events.ts";

/** The first block: all that the world is a function of, but its inputs and images, and how it was recorded. */
export interface WorldManifest {
  /** The world. */
  readonly world: WorldDescription;
  /** How much the members' journals store. */
  readonly depth: Depth;
  /** The build that recorded, for people. */
  readonly recordedBy: string;
}

const time = z.int().min(0).max(Number.MAX_SAFE_INTEGER);
const hash = z.instanceof(Uint8Array).refine((bytes) => bytes.length === HASH_LENGTH, "not a SHA-256");

function asSchema<T>(schema: Schema<T>, what: string): z.ZodType<T> {
  return z.unknown().transform((value, context): T => {
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data;
    const issue = parsed.error.issues[0];
    context.addIssue({ code: "custom", message: `${what}: ${issue?.path.join(".")}: ${issue?.message}` });
    return z.NEVER;
  });
}

/** Schema of the first block; throws ConfigurationError for a machine that this build does not know. */
export const worldManifestSchema: Schema<WorldManifest> = z.strictObject({
  world: asSchema(worldSchema, "world"),
  depth: z.enum(DEPTHS),
  recordedBy: z.string().max(100),
});

/** A manifest as it is stored: what is absent has no key. */
export function storedWorldManifest(manifest: WorldManifest): unknown {
  return JSON.parse(JSON.stringify(manifest));
}

/** A block of events. */
export interface StoredWorldEvents {
  /** Every event before this time is in this block or before it. */
  readonly through: number;
  /** In the total order; inputs given for later may stand before their time. */
  readonly events: readonly WorldEvent[];
}

/** Most events of a block. */
export const MOST_EVENTS = 4096;

/** Schema of a block of events. */
export const worldEventsSchema: Schema<StoredWorldEvents> = z.strictObject({
  through: time,
  events: z.array(asSchema(worldEventSchema, "event")).max(2 * MOST_EVENTS),
});

const root = z.strictObject({
  time,
  stateRoot: hash,
  historyRoot: hash,
  members: z.array(z.strictObject({
    lives: z.int().min(0).max(2 ** 32 - 1),
    isOn: z.boolean(),
    stateRoot: hash,
    historyRoot: hash,
  })).max(MOST_NODES),
});

/** Schema of a root. */
export const worldRootSchema: Schema<WorldRoot> = root;

/** Why a world's recording ended. */
export const WORLD_END_REASONS = ["limit", "resting", "stopped", "console", "operator"] as const;

/** How a world's recording ended, with its last root. */
export interface WorldEnd extends WorldRoot {
  /** Why. */
  readonly reason: (typeof WORLD_END_REASONS)[number];
}

/** Schema of the end. */
export const worldEndSchema: Schema<WorldEnd> = root.extend({ reason: z.enum(WORLD_END_REASONS) });
