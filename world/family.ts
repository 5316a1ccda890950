/** The file of a world: blocks as in a machine's journal, in a family of its own with a format of its own. */
import { familyMagic, type FileFamily } from "../journal/format.ts";

/**
 * The format that this build writes: what `payloads.ts`, `events.ts` and `description.ts` say. Raising it takes an
 * upcaster and a file of the old format in the fixtures.
 */
export const WORLD_FORMAT = 2;

/** Files of worlds. */
export const WORLD_FAMILY: FileFamily = {
  what: "the file of a Hindsight world",
  suffix: ".hsworld",
  magic: familyMagic("HINDWORLD"),
  format: WORLD_FORMAT,
  // 1 to 2: checkpoint blocks may follow root blocks; nothing old changed.
  upcasters: new Map([[1, (_kind, payload) => payload]]),
  kinds: ["configuration", "events", "roots", "checkpoint", "end", "member", "index"],
};

/** A life of a node as the span of its blocks names it. */
export function numberOfLife(node: number, life: number): number {
  return node * 2 ** 32 + life;
}
