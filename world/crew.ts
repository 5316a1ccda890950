/** The nodes of a world at work in this thread, and who carries out rounds. */
import type { Depth } from "../journal/payloads.ts";
import type { MachineImages } from "../machine/compose.ts";
import type { Machine, MachineOptions } from "../machine/machine.ts";
import type { Reports, Round } from "./course.ts";
import type { MemberCheckpoint } from "./checkpoint.ts";
import type { WorldDescription } from "./description.ts";
import { WorldError } from "./errors.ts";
import type { LifeSource } from "./life_source.ts";
import { MachineMember } from "./machine_member.ts";
import type { ResumedMachine } from "./machine_options.ts";
import type { Member, MemberMark, Report } from "./member.ts";
import { type NodeProgram, programNamed } from "./node_program.ts";
import { ProgramMember } from "./program_member.ts";
import { PROGRAMS } from "./programs/table.ts";
import type { StoredCheckpoint } from "./run.ts";

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
  /** Nodes can return to earlier states; then there are no journals. */
  readonly keepsMarks?: boolean;
  /** Nanoseconds between checkpoints in journals, if there are to be any. */
  readonly checkpointSpacing?: number | undefined;
  /** Nodes go on from here instead of from power-on. */
  readonly resumedAt?: ResumedWorld | undefined;
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

/** Where a recorded world goes on. */
export interface ResumedWorld {
  /** The world, or as much of its file as nodes need: its blocks and the journals in them. */
  readonly run: Pick<LifeSource, "reader" | "journal">;
  /** One of its checkpoints. */
  readonly checkpoint: StoredCheckpoint;
}

function memberAt<K extends MemberCheckpoint["kind"]>(
  resumed: ResumedWorld | undefined,
  node: number,
  kind: K,
): Extract<MemberCheckpoint, { kind: K }> | undefined {
  const found = resumed?.checkpoint.members[node];
  if (found === undefined || found.kind === kind) return found as Extract<MemberCheckpoint, { kind: K }>;
  throw new WorldError(`The checkpoint at ${resumed?.checkpoint.time} ns is of other nodes`);
}

function resumedMachine(resumed: ResumedWorld | undefined, node: number): ResumedMachine | undefined {
  const checkpoint = memberAt(resumed, node, "machine");
  if (resumed === undefined || checkpoint === undefined) return undefined;
  const { run, checkpoint: { block, root } } = resumed;
  const of = (life: number, before?: number) => run.journal({ node, life }, before);
  return { checkpoint, roots: root.members[node]!, journalOf: of, block };
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
      keepsMarks: options.keepsMarks === true || options.checkpointSpacing !== undefined,
      resumed: memberAt(options.resumedAt, number, "program"),
    });
  }
  return new MachineMember({
    ...options,
    ...{ node: number, name, configuration: node.configuration, ports, isOff },
    keepsMarks: options.keepsMarks === true,
    checkpointSpacing: options.checkpointSpacing,
    resumedAt: resumedMachine(options.resumedAt, number),
    depth: options.keepsMarks === true ? undefined : options.depth,
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

  /** Remembers all nodes, between two rounds. Throws TypeError where they were not made for it. */
  mark(): readonly (MemberMark | undefined)[] {
    return this.#members.map((member) => member?.mark());
  }

  /** Takes all nodes back to a mark of this crew. Throws WorldError as `Member.returnTo`. */
  returnTo(marks: readonly (MemberMark | undefined)[]): void {
    for (const [node, mark] of marks.entries()) if (mark !== undefined) this.#members[node]?.returnTo(mark);
  }

  /** The machine of a node that is one and has power: to be looked at, never changed. */
  machineOf(node: number): Machine | undefined {
    const member = this.#members[node];
    return member instanceof MachineMember ? member.machine : undefined;
  }

  /** SHA-256, in hexadecimal, that tells apart what a loss of power leaves of a node. */
  durableRoot(node: number): string {
    return this.#members[node]?.durableRoot().toHex() ?? "";
  }

  /** What the program of a node keeps without power; undefined for a machine. */
  storeOf(node: number): ReadonlyMap<string, Uint8Array> | undefined {
    const member = this.#members[node];
    return member instanceof ProgramMember ? member.store : undefined;
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
