/** Migrations carried out in worlds, and what came of them. */
import type { MachineImages } from "../../../machine/compose.ts";
import type { MachineOptions } from "../../../machine/machine.ts";
import { Course, type TimedWorldInput } from "../../../world/course.ts";
import { carryOut, LocalCrew } from "../../../world/crew.ts";
import type { WorldDescription } from "../../../world/description.ts";
import type { WorldEvent } from "../../../world/events.ts";
import { type NodeProgram, nodeProgram } from "../../../world/node_program.ts";
import { z } from "zod";
import { hosts, REALM_IMAGES } from "./worlds.ts";

/** Numbers of the hosts' nodes: the realm is at the first. */
export const EAST = 0, WEST = 1;
/** A small realm has ended long before this. */
const UNTIL = 20_000_000;

/** What a link makes of a message; `number` counts each direction's. */
export type Meddling = (bytes: Uint8Array, fromSource: boolean, number: number) => readonly Uint8Array[];

/** A node in the middle of a link that does as it is told. */
function meddler(meddle: Meddling): NodeProgram {
  return nodeProgram({
    name: "meddler",
    options: z.strictObject({}),
    start: (_options, site) => {
      const count = { east: 0, west: 0 };
      return {
        received(port, bytes) {
          const fromSource = port === "east", number = count[fromSource ? "east" : "west"]++;
          for (const one of meddle(bytes, fromSource, number)) site.send(fromSource ? "west" : "east", one);
        },
        state: () => ({ ...count }),
      };
    },
  });
}

/** Hosts whose link goes through a node in the middle. */
export function meddledHosts(): WorldDescription {
  const wires = ["east", "west"].map((name) => ({
    ...{ name: `${name}-wire`, kind: "message", latency: 20_000 },
    ends: [{ node: name, port: "mig" }, { node: "middle", port: name }],
  }));
  return hosts({}, wires, [{ kind: "program", name: "middle", program: "meddler" }]);
}

/** A command for a host's system at a time. */
export function commanded(time: number, node: number, words: string): TimedWorldInput {
  const command = `tee-migration ${words}`;
  return { time, node, input: { kind: "machine", input: { kind: "monitorCommanded", level: 2, command } } };
}

/** What came of a world. */
export interface Lived {
  /** What each host's serial port wrote. */
  readonly consoles: readonly [east: string, west: string];
  /** What happened between them. */
  readonly events: readonly WorldEvent[];
}

/** How a world is lived. */
export interface LifeOptions extends MachineOptions {
  /** The world; two hosts by default. */
  readonly world?: WorldDescription;
  /** Images, by default of the small realm. */
  readonly images?: MachineImages;
  /** What the link does. */
  readonly meddle?: Meddling;
}

/** Lives a small realm's world to its rest. */
export function live(inputs: readonly TimedWorldInput[], options: LifeOptions): Lived {
  const { world = options.meddle === undefined ? hosts() : meddledHosts(), images = REALM_IMAGES } = options;
  const consoles: [string, string] = ["", ""], events: WorldEvent[] = [];
  const course = new Course(world, {
    wrote: (node, bytes) => consoles[node as 0 | 1] += new TextDecoder().decode(bytes),
    happened: (event) => void events.push(event),
  });
  for (const input of inputs) course.give(input);
  const programs = [meddler(options.meddle ?? ((bytes) => [bytes]))];
  carryOut(course.rounds(UNTIL), new LocalCrew(world, { ...options, images, programs }));
  return { consoles, events };
}
