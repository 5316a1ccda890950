/** What a world is made of: nodes, the links between them, a seed; described by zod, since files and journals are not trusted. */
import { z } from "zod";
import { type MachineConfiguration, parseConfiguration } from "../machine/configuration.ts";
import type { Schema } from "../machine/layout.ts";
import { WorldError } from "./errors.ts";

/**
 * What a link carries: Ethernet frames between cards whose networks lead outside, bytes of the serial consoles,
 * messages of monitors and programs, or power, switched by a program.
 */
export const LINK_KINDS = ["network", "serial", "message", "power"] as const;

/** What a link carries. */
export type LinkKind = (typeof LINK_KINDS)[number];

/** A node that is a machine. */
export interface MachineNode {
  /** Tells it from a program. */
  readonly kind: "machine";
  /** Its name, in all messages. */
  readonly name: string;
  /** It has no power until an input or a link gives it. */
  readonly isOff: boolean;
  /** What machine it is; its clock begins at the world's time when it is powered on. */
  readonly configuration: MachineConfiguration;
}

/** A node that is a program in TypeScript. */
export interface ProgramNode {
  /** Tells it from a machine. */
  readonly kind: "program";
  /** Its name, in all messages. */
  readonly name: string;
  /** It has no power until an input or a link gives it. */
  readonly isOff: boolean;
  /** Which one (`NodeProgram.name`). */
  readonly program: string;
  /** How it is set up; the program's own schema reads it. */
  readonly options: unknown;
}

/** A node. */
export type NodeDescription = MachineNode | ProgramNode;

/** One end of a link. */
export interface LinkEnd {
  /** Name of the node. */
  readonly node: string;
  /** Of a machine: `-netdev id=`, a monitor's port, `console` or `power`; of a program: whatever it calls it. */
  readonly port: string;
}

/** A link: what one end sends, all others get. */
export interface LinkDescription {
  /** Its name, in all messages. */
  readonly name: string;
  /** What it carries. */
  readonly kind: LinkKind;
  /** Two ends, or more of a network, which then is a hub. */
  readonly ends: readonly LinkEnd[];
  /** Nanoseconds from sending to arrival, at least MINIMUM_LATENCY. */
  readonly latency: number;
  /** Of a million messages, how many are lost on the way to each end, drawn from the seed. */
  readonly lossPerMillion: number;
}

/** All that a world is a function of, but its inputs and images. */
export interface WorldDescription {
  /** Nodes in order; the order is part of the total order of events. */
  readonly nodes: readonly NodeDescription[];
  /** Links in order. */
  readonly links: readonly LinkDescription[];
  /** What is drawn is drawn from it. */
  readonly seed: number;
  /** Nanoseconds between two roots, while anything happens. */
  readonly rootInterval: number;
}

/** Least latency of a link, in nanoseconds: it bounds the steps in which times advance together. */
export const MINIMUM_LATENCY = 1000;
/** Default latency of a link: 100 µs. */
export const DEFAULT_LATENCY = 100_000;
/** Default interval of roots: 100 ms. */
export const DEFAULT_ROOT_INTERVAL = 100_000_000;
/** How far times advance together where there are no links: 10 ms. */
export const UNLINKED_LOOKAHEAD = 10_000_000;
/** Most nodes, and most links. */
export const MOST_NODES = 64;

const SECOND = 1_000_000_000;
const name = z.string().regex(/^[a-z][a-z0-9-]{0,27}$/, "not a name of lower-case letters, digits and -");
const port = z.string().regex(/^[A-Za-z][A-Za-z0-9_.-]{0,31}$/, "not a port's name");
const isOff = z.boolean().default(false);
const end = z.strictObject({ node: z.string().max(28), port });

const node = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("machine"),
    name,
    isOff,
    configuration: z.unknown().transform(parseConfiguration),
  }),
  z.strictObject({
    kind: z.literal("program"),
    name,
    isOff,
    program: z.string().max(64),
    options: z.json().default({}),
  }),
]);

const link = z.strictObject({
  name,
  kind: z.enum(LINK_KINDS),
  ends: z.array(end).min(2, "a link has two ends").max(16),
  latency: z.int().min(MINIMUM_LATENCY, `at least ${MINIMUM_LATENCY} ns`).max(3600 * SECOND).default(
    DEFAULT_LATENCY,
  ),
  lossPerMillion: z.int().min(0).max(1_000_000).default(0),
});

const description = z.strictObject({
  nodes: z.array(node).min(1, "a world has a node").max(MOST_NODES),
  links: z.array(link).max(MOST_NODES).default([]),
  seed: z.int().min(0).max(Number.MAX_SAFE_INTEGER).default(0),
  rootInterval: z.int().min(100_000).max(3600 * SECOND).default(DEFAULT_ROOT_INTERVAL),
}).superRefine(({ nodes, links }, context) => {
  for (const message of mistakes(nodes, links)) context.addIssue({ code: "custom", message });
});

/** Names that are there twice, ends that lead nowhere, ends that are taken. */
function* mistakes(
  nodes: readonly { readonly name: string; readonly kind: string }[],
  links: readonly LinkDescription[],
): Generator<string> {
  for (const [what, names] of [["node", nodes], ["link", links]] as const) {
    const seen = new Set<string>();
    for (const { name } of names) {
      if (seen.has(name)) yield `there are two ${what}s "${name}"`;
      seen.add(name);
    }
  }
  const taken = new Map<string, string>();
  for (const { name, kind, ends } of links) {
    if (kind !== "network" && ends.length > 2) yield `link "${name}" of kind ${kind} has more than two ends`;
    for (const { node, port } of ends) {
      const found = nodes.find((other) => other.name === node), key = `${node}:${port}`;
      if (found === undefined) yield `link "${name}": there is no node "${node}"`;
      if (taken.has(key)) yield `link "${name}": link "${taken.get(key)}" has ${key} already`;
      taken.set(key, name);
      const fixed = { serial: "console", power: "power" }[kind as string];
      if (found?.kind === "machine" && fixed !== undefined && port !== fixed) {
        yield `link "${name}": the port of a machine for ${kind} is ${node}:${fixed}`;
      }
    }
  }
}

/** Schema of a description as it is stored. */
export const worldSchema: Schema<WorldDescription> = description;

/** Checks a description and fills in defaults; throws WorldError saying what is wrong, and ConfigurationError. */
export function parseWorld(value: unknown): WorldDescription {
  const parsed = description.safeParse(value);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map(({ path, message }) =>
    path.length === 0 ? message : `${path.join(".")}: ${message}`
  );
  throw new WorldError(`Cannot make the world: ${issues.join("; ")}`);
}

/** How far all times may advance together: no message sent meanwhile arrives meanwhile. Nanoseconds. */
export function lookaheadOf({ links }: WorldDescription): number {
  return Math.min(UNLINKED_LOOKAHEAD, ...links.map(({ latency }) => latency));
}
