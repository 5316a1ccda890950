/** The nodes of a world at work in this thread, and who carries out rounds. */
import type { Depth } from "../journal/payloads.ts";
import type { MachineImages } from "../machine/compose.ts";
import type { MachineOptions } from "../machine/machine.ts";
import type { Reports, Round } from "./course.ts";
import type { WorldDescription } from "./description.ts";
import { MachineMember } from "./machine_member.ts";
import type { Member, Report } from "./member.ts";
import { type NodeProgram, programNamed } from "./node_program.ts";
import { ProgramMember } from "./program_member.ts";
import { PROGRAMS } from "./programs/table.ts";

/** How nodes are made; but for `depth`, nothing of it changes what they do. */
export interface CrewOptions extends MachineOptions {
  /** Images of all machines, by SHA-256. */
  readonly images: MachineImages;
  /** Programs beside those of `programs/table.ts`. */
  readonly programs?: readonly NodeProgram[];
  /** How much machines' journals store; none are kept when it is absent. */
  readonly depth?: Depth;
  /** Who records. */
  readonly recordedBy?: string;
  /** Only these nodes are made, by number; all by default. */
  readonly only?: ReadonlySet<number>;
}

/** Carries out rounds at once. */
export interface Crew {
  /** What the nodes do in a round. */
  advance(round: Round): Reports;
  /** Ends all nodes, and gives the ends of their journals. */
  finish(): Reports;
}

/** The same by others, who take their time. */
export interface DistantCrew {
  /** As `Crew.advance`. */
  advance(round: Round): Promise<Reports>;
  /** As `Crew.finish`. */
  finish(): Promise<Reports>;
}

/** Makes one node. Throws ConfigurationError, WorldError. */
function memberOf(world: WorldDescription, number: number, options: CrewOptions): Member {
  const node = world.nodes[number]!;
  const ports = world.links.flatMap(({ kind: carries, ends, latency }) =>
    ends.filter((end) => end.node === node.name).map(({ port }) => ({ port, carries, span: latency }))
  );
  const { name, isOff } = node;
  if (node.kind === "program") {
    const program = programNamed([...options.programs ?? [], ...PROGRAMS], node.program);
    const names = new Set(ports.map(({ port }) => port));
    return new ProgramMember({
      ...{ node: number, name, program, options: node.options, ports: names, seed: world.seed, isOff },
    });
  }
  return new MachineMember({
    ...options,
    ...{ node: number, name, configuration: node.configuration, ports, isOff },
    depth: options.depth,
    recordedBy: options.recordedBy ?? "",
  });
}

/** The nodes of a world in this thread, one after another. */
export class LocalCrew implements Crew {
  readonly #members: readonly (Member | undefined)[];

  /** Makes the nodes; throws ConfigurationError and WorldError naming what cannot be made. */
  constructor(world: WorldDescription, options: CrewOptions) {
    this.#members = world.nodes.map((_, number) =>
      options.only === undefined || options.only.has(number) ? memberOf(world, number, options) : undefined
    );
  }

  advance(round: Round): Reports {
    return round.map((turn, node): Report | undefined => turn && this.#members[node]?.advance(turn));
  }

  finish(): Reports {
    return this.#members.map((member) => member?.finish());
  }
}

/** Carries out rounds, and gives what they come to. */
export function carryOut<T>(rounds: Generator<Round, T, Reports>, crew: Crew): T {
  let step = rounds.next();
  while (!step.done) step = rounds.next(crew.advance(step.value));
  return step.value;
}

/** The same with others. `between`, if given, is called after each round. */
export async function carryOutApart<T>(
  rounds: Generator<Round, T, Reports>,
  crew: Crew | DistantCrew,
  between?: () => Promise<void> | undefined,
): Promise<T> {
  let step = rounds.next();
  while (!step.done) {
    const reports = await crew.advance(step.value), pause = between?.();
    if (pause !== undefined) await pause;
    step = rounds.next(reports);
  }
  return step.value;
}
