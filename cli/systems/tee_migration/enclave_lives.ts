/** Worlds of hosts of programs lived to their rest, and what is seen of them on the way. */
import { Buffer } from "node:buffer";
import { ENCLAVE_CANARY } from "../../../firmware/tee_migration/enclave_programs.ts";
import type { MachineEvent } from "../../../machine/events.ts";
import type { Machine } from "../../../machine/machine.ts";
import type { TimedWorldInput } from "../../../world/course.ts";
import type { WorldEvent } from "../../../world/events.ts";
import { type WorldMark, WorldSession } from "../../../world/session.ts";
import type { CheckContext } from "../scenario.ts";
import { memoriesWithCanary } from "./enclave_alone.ts";
import type { ProgramWorld } from "./enclave_worlds.ts";
import { meddler, type Meddling } from "./migrations.ts";

/** A small program has ended long before this, after any number of time-outs. */
const UNTIL = 16_000_000;
/** Behind a program's end nothing is to come; another copy of it would, within this time. */
const BEHIND = 1_500_000;

/** What came of a world of two hosts. */
export interface ProgramLife {
  /** What both hosts wrote, and all in the order of time. */
  readonly consoles: readonly [east: string, west: string];
  /** All of it in the order in which it was written. */
  readonly text: string;
  /** What happened between them. */
  readonly events: readonly WorldEvent[];
  /** What each host told of migrations: a step and its detail, and what it emulated. */
  readonly told: readonly [east: readonly string[], west: readonly string[]];
  /** Instructions that were emulated. */
  readonly emulated: readonly [east: number, west: number];
  /** Names of each host's memories that have the canary at the end. */
  readonly canaries: readonly [east: readonly string[], west: readonly string[]];
  /** The canary was in a message. */
  readonly isCanaryTold: boolean;
  /** History roots, in hexadecimal. */
  readonly roots: readonly string[];
}

/** How one is lived. */
export interface ProgramLifeOptions {
  /** The engine; the context's by default. */
  readonly engine?: string;
  /** What the node in the middle does; the world has to have one. */
  readonly meddle?: Meddling;
  /** Times at which everything is saved and restored. */
  readonly marks?: readonly number[];
}

/** Listens to one host. */
class Ear {
  readonly told: string[] = [];
  emulated = 0;
  isCanaryTold = false;

  observe(event: MachineEvent): void {
    if (event.kind === "teeMigrationStepped") this.told.push(`${event.step} ${event.detail}`);
    if (event.kind === "instructionEmulated") this.emulated++;
    if (event.kind === "messageTransmitted") this.isCanaryTold ||= hasCanary(event.bytes);
  }
}

const CANARY = Buffer.from(ENCLAVE_CANARY.slice(0, 32), "hex");
const hasCanary = (bytes: Uint8Array): boolean => Buffer.from(bytes).includes(CANARY);

/** A world powered on once, and lived as often as wanted. */
interface Bench {
  readonly session: WorldSession;
  readonly beginning: WorldMark;
  readonly heard: WeakSet<Machine>;
  meddle: Meddling;
  ears: readonly [Ear, Ear];
}

const benches = new WeakMap<ProgramWorld, Map<string, Bench>>();

function benchOf(context: CheckContext, program: ProgramWorld, engine: string): Bench {
  const known = benches.get(program)?.get(engine);
  if (known !== undefined) return known;
  const { world, images } = program;
  const programs = [meddler((...message) => bench.meddle(...message))];
  const session = new WorldSession(world, { ...context.machineOptions(engine), images, programs });
  const bench: Bench = {
    ...{ session, beginning: session.mark(), heard: new WeakSet<Machine>() },
    ...{ meddle: (bytes) => [bytes], ears: [new Ear(), new Ear()] },
  };
  benches.set(program, (benches.get(program) ?? new Map<string, Bench>()).set(engine, bench));
  return bench;
}

/** Listens to machines that are not listened to yet. */
function listen({ session, heard }: Bench, earOf: (node: 0 | 1) => Ear): void {
  for (const node of [0, 1] as const) {
    const machine = session.machineOf(node);
    if (machine === undefined || heard.has(machine)) continue;
    heard.add(machine);
    machine.board.events.add({ classes: ["trap", "detail"], observe: (event) => earOf(node).observe(event) });
  }
}

/** Lives a world with these inputs. */
export function liveProgram(
  context: CheckContext,
  program: ProgramWorld,
  inputs: readonly TimedWorldInput[],
  { engine = context.engine, meddle, marks = [] }: ProgramLifeOptions = {},
): ProgramLife {
  const bench = benchOf(context, program, engine), { session } = bench;
  const ears = bench.ears = [new Ear(), new Ear()];
  let text = "", end = UNTIL;
  if (meddle !== undefined) bench.meddle = meddle;
  session.returnTo(bench.beginning);
  session.observer = {
    wrote: (_node, bytes) => {
      const written = new TextDecoder().decode(bytes);
      text += written;
      if (written.includes(".")) end = Math.min(end, session.now + BEHIND);
    },
  };
  for (const input of inputs) session.give(input);
  const watch = (): void => listen(bench, (node) => bench.ears[node]);
  for (const time of marks) {
    session.run(time, () => watch() ?? false);
    const { events, roots } = session;
    session.returnTo(session.mark());
    [session.events, session.roots] = [events, roots];
  }
  session.run(UNTIL, () => {
    watch();
    return session.now >= end;
  });
  const memories = (node: number): string[] => {
    const machine = session.machineOf(node);
    return machine === undefined ? [] : memoriesWithCanary(machine.board);
  };
  const [east = "", west = ""] = session.consoles;
  return {
    ...{ consoles: [east, west], text, events: session.events },
    roots: session.roots.map(({ historyRoot }) => historyRoot.toHex()),
    told: [ears[0].told, ears[1].told],
    emulated: [ears[0].emulated, ears[1].emulated],
    canaries: [memories(0), memories(1)],
    isCanaryTold: ears.some(({ isCanaryTold }) => isCanaryTold),
  };
}
