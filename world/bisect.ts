/** Bisect along a world: the first time at which it goes wrong, with what happened then. */
import type { WorldEvent } from "./events.ts";
import { SAMPLES, type WorldSearch } from "./search.ts";
import type { WorldSession } from "./session.ts";
import type { WorldTimeline } from "./timeline.ts";

/** What bisect along a world found. */
export type WorldBisection =
  | { readonly kind: "never" | "always"; readonly looks: number }
  | {
    readonly kind: "found";
    /** It does not hold when everything before `time` − 1 has happened, and holds when what happens then has. */
    readonly time: number;
    /** What happened between the nodes in that nanosecond, in the world's order. */
    readonly events: readonly WorldEvent[];
    /** The nodes that did something in it: a machine took steps, or an event is theirs. */
    readonly nodes: readonly number[];
    /** How often it was looked at. */
    readonly looks: number;
  };

/**
 * Finds where something begins to hold of a world: it is looked at in places all over, and where it holds first the
 * interval is halved down to a nanosecond. `holds` looks at the world and changes nothing. Throws what `WorldTimeline.at`
 * throws.
 */
export function* bisectTime(
  timeline: WorldTimeline,
  holds: (session: WorldSession) => boolean,
  samples: number = SAMPLES,
): Generator<WorldSearch, WorldBisection> {
  const { lastTime } = timeline.run;
  let looks = 0;
  const look = (time: number): boolean => (looks++, holds(timeline.at(time)));
  if (look(0)) return { kind: "always", looks };
  let low = 0, high = -1;
  for (let sample = 1; sample <= samples && high < 0; sample++) {
    const time = Math.floor(lastTime * sample / samples);
    if (look(time)) high = time;
    else low = time;
    yield { doing: "looking", done: looks };
  }
  if (high < 0) return { kind: "never", looks };
  while (high - low > 1) {
    const middle = low + Math.floor((high - low) / 2);
    if (look(middle)) high = middle;
    else low = middle;
    yield { doing: "halving", done: looks };
  }
  return { kind: "found", time: high, looks, ...whatHappened(timeline, low, high) };
}

/** Events from one time to another, and the nodes that are not as they were. */
function whatHappened(
  timeline: WorldTimeline,
  low: number,
  high: number,
): { readonly events: readonly WorldEvent[]; readonly nodes: readonly number[] } {
  const events = timeline.run.events.filter(({ time }) => time >= low && time < high);
  const [before, after] = [low, high].map((time) => {
    const session = timeline.at(time);
    return session.world.nodes.map((_, node) => session.machineOf(node)?.instant);
  });
  const nodes = before!.flatMap((instant, node) =>
    instant === after![node] && !events.some((event) => event.node === node) ? [] : [node]
  );
  return { events, nodes };
}
