/** The links of a world: what their ends have sent, and the messages that are under way on them. */
import { sha256 } from "../journal/hash.ts";
import { ByteWriter } from "../machine/layout.ts";
import type { LinkDescription, WorldDescription } from "./description.ts";
import type { WorldEvent } from "./events.ts";
import type { Delivery, Sent } from "./member.ts";

/** A message on its way. */
export interface InFlight {
  /** When it arrives. */
  readonly arrival: number;
  /** The link. */
  readonly link: number;
  /** The end that sent it. */
  readonly end: number;
  /** The end to which it comes. */
  readonly to: number;
  /** How many the sending end had sent before. */
  readonly sequence: number;
  /** It will not arrive. */
  readonly isLost: boolean;
  /** What it says. */
  readonly bytes: Uint8Array;
}

/** Messages in the order in which they arrive. */
export function compareInFlight(a: InFlight, b: InFlight): number {
  return a.arrival - b.arrival || a.link - b.link || a.end - b.end || a.sequence - b.sequence || a.to - b.to;
}

/** All that links keep at a time. */
export interface LinksMark {
  /** Messages that each end of each link has sent. */
  readonly sequences: readonly (readonly number[])[];
  /** Messages under way. */
  readonly inFlight: readonly InFlight[];
}

/** A message that comes to its time. */
export interface Arrival {
  /** Number of the node to which it comes. */
  readonly node: number;
  /** It does not. */
  readonly isLost: boolean;
  /** What comes. */
  readonly delivery: Delivery & { readonly kind: "message" };
}

/** Whether a message is lost on its way to an end: drawn from the seed and its own address. */
function isLost(
  seed: number,
  link: number,
  { lossPerMillion }: LinkDescription,
  at: readonly number[],
): boolean {
  if (lossPerMillion === 0) return false;
  const writer = new ByteWriter();
  for (const value of [seed, link, ...at]) writer.u53(value);
  const bytes = sha256(writer.view());
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0) % 1_000_000 < lossPerMillion;
}

/** Carries messages from end to end. */
export class Links {
  readonly #routes = new Map<string, { readonly link: number; readonly end: number }>();
  #sequences: number[][];
  #inFlight: InFlight[] = [];

  /** Nothing is under way. */
  constructor(private readonly description: WorldDescription) {
    const { links } = description;
    this.#sequences = links.map(({ ends }) => ends.map(() => 0));
    for (const [link, { ends }] of links.entries()) {
      for (const [end, { node, port }] of ends.entries()) this.#routes.set(`${node}:${port}`, { link, end });
    }
  }

  /** When the next message arrives; Infinity without one. */
  get next(): number {
    return Math.min(...this.#inFlight.map(({ arrival }) => arrival));
  }

  /** Takes what a node sent; gives the event, if there is a link at the port. */
  send(node: number, { port, time, bytes }: Sent): WorldEvent | undefined {
    const { nodes, links, seed } = this.description;
    const route = this.#routes.get(`${nodes[node]!.name}:${port}`);
    if (route === undefined) return undefined;
    const { link, end } = route, description = links[link]!, sequence = this.#sequences[link]![end]!++;
    const { latency, ends } = description;
    for (const to of ends.keys()) {
      if (to === end) continue;
      const lost = isLost(seed, link, description, [end, sequence, to]);
      this.#inFlight.push({ arrival: time + latency, link, end, to, sequence, isLost: lost, bytes });
    }
    return {
      ...{ kind: "messageSent", time, node, link, end, sequence, size: bytes.length, digest: sha256(bytes) },
    };
  }

  /** Takes off what arrives before a time, in order. */
  take(until: number): readonly Arrival[] {
    this.#inFlight.sort(compareInFlight);
    const first = this.#inFlight.findIndex(({ arrival }) => arrival >= until);
    const { nodes, links } = this.description;
    return this.#inFlight.splice(0, first < 0 ? this.#inFlight.length : first).map(
      ({ arrival: time, link, end, to, sequence, isLost, bytes }) => {
        const { kind: carries, ends } = links[link]!, { node, port } = ends[to]!;
        return {
          node: nodes.findIndex(({ name }) => name === node),
          isLost,
          delivery: { kind: "message", time, carries, port, link, end, sequence, bytes },
        };
      },
    );
  }

  /** Remembers what is under way. */
  mark(): LinksMark {
    return { sequences: this.#sequences.map((ends) => [...ends]), inFlight: [...this.#inFlight] };
  }

  /** Has what was under way then. */
  returnTo({ sequences, inFlight }: LinksMark): void {
    this.#sequences = sequences.map((ends) => [...ends]);
    this.#inFlight = [...inFlight];
  }
}
