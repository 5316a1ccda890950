/** What a small realm is to write, whatever happened to its hosts: exactly one of its copies goes on to the end. */
import type { CheckContext } from "../scenario.ts";
import { Lab, type LifeOptions, type Lived, WEST } from "./migrations.ts";
import type { HostsOptions } from "./worlds.ts";

/** What one life of a host wrote, and when. */
interface Segment {
  readonly node: number;
  readonly first: number;
  last: number;
  text: string;
}

function segmentsOf({ writes, events }: Pick<Lived, "writes" | "events">): Segment[] {
  const segments: Segment[] = [], current = new Map<number, Segment>();
  const powerOns = events.filter((event) => event.kind === "nodePoweredOn" && event.cause !== "start");
  let next = 0;
  for (const { time, node, text } of writes) {
    for (; next < powerOns.length && powerOns[next]!.time <= time; next++) {
      current.delete((powerOns[next] as { node: number }).node);
    }
    const segment = current.get(node);
    if (segment !== undefined) {
      segment.text += text;
      segment.last = time;
      continue;
    }
    const begun = { node, first: time, last: time, text };
    segments.push(begun);
    current.set(node, begun);
  }
  return segments;
}

/**
 * What is wrong with how a realm lived whose hosts lost power, or undefined: what was written between two losses of power
 * is part of what it writes alone, it is written by one at a time, and exactly one, the last, goes on to the end.
 */
export function wrongAfterPower(lived: Pick<Lived, "writes" | "events">, alone: string): string | undefined {
  const segments = segmentsOf(lived), told = segments.map(({ node, text }) => `${node}:${text}`).join(" ");
  const ends = segments.filter(({ text }) => alone.endsWith(text) && text.length > 1);
  if (ends.length !== 1) return `${ends.length} copies of it went on to the end (${told})`;
  const strange = segments.find(({ text }) => !alone.includes(text));
  if (strange !== undefined) return `"${strange.text}" is no part of what it writes alone (${told})`;
  const both = segments.some((one) =>
    segments.some((other) => other !== one && other.first <= one.last && one.first <= other.last)
  );
  if (both) return `two wrote at one time (${told})`;
  return ends[0] === segments.at(-1) ? undefined : `something ran behind the end (${told})`;
}

/** Lives of one kind of realm, compared with what it writes alone. */
export class Comparison {
  /** What it writes alone. */
  readonly alone: string;
  /** What was wrong. */
  readonly failures: string[] = [];
  /** How often it ended where. */
  readonly ends = { east: 0, west: 0 };
  readonly #lab: Lab;

  /** Lives one alone. */
  constructor(context: CheckContext, private readonly hosts: HostsOptions = {}) {
    this.#lab = new Lab(context.machineOptions());
    this.alone = this.#lab.live([], { hosts }).consoles[0];
  }

  /** Lives one with inputs, and notes what is wrong with it; `options.hosts` in place of the usual ones. */
  live(what: string, inputs: Parameters<Lab["live"]>[0], options: LifeOptions = {}): Lived {
    const lived = this.#lab.live(inputs, { hosts: this.hosts, ...options });
    const { consoles: [east, west], writes } = lived, text = writes.map((one) => one.text).join("");
    const isPowered = inputs.some(({ input }) => input.kind === "power");
    const wrong = isPowered ? wrongAfterPower(lived, this.alone) : text === this.alone ? undefined : (
      `"${east}" and "${west}" in place of "${this.alone}"`
    );
    if (wrong !== undefined) this.failures.push(`${what}: ${wrong}`);
    this.ends[writes.at(-1)?.node === WEST ? "west" : "east"]++;
    return lived;
  }
}
