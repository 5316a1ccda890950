/** Worlds carried out in memory, for tests. */
import { MemoryFile } from "../../journal/storage.ts";
import type { CourseObserver, TimedWorldInput } from "../../world/course.ts";
import { carryOut, LocalCrew, type ResumedWorld } from "../../world/crew.ts";
import type { WorldDescription } from "../../world/description.ts";
import type { NodeProgram } from "../../world/node_program.ts";
import type { WorldEnd } from "../../world/payloads.ts";
import { WorldRecorder } from "../../world/recorder.ts";
import { WorldReplay } from "../../world/replay.ts";
import { RecordedWorld } from "../../world/run.ts";
import type { MachineImages } from "../../machine/compose.ts";
import { PING_PONG_IMAGES } from "./guests.ts";

/** How a world is recorded. */
export interface Recording {
  /** What it is given. */
  readonly inputs?: readonly TimedWorldInput[];
  /** Where it ends; 2.5 ms by default. */
  readonly until?: number;
  /** The longest round. */
  readonly slice?: number;
  /** What runs its machines. */
  readonly engine?: string;
  /** Is told. */
  readonly observer?: CourseObserver;
  /** Images of its machines; those of the ping-pong by default. */
  readonly images?: MachineImages;
  /** Nanoseconds between checkpoints, if there are to be any. */
  readonly checkpointSpacing?: number;
  /** Where it goes on instead of at power-on. */
  readonly resumedAt?: ResumedWorld;
  /** More programs. */
  readonly programs?: readonly NodeProgram[];
}

/** A world that was recorded. */
export interface Recorded {
  /** Its file. */
  readonly file: MemoryFile;
  /** What is in it. */
  readonly run: RecordedWorld;
  /** Its end. */
  readonly end: WorldEnd;
  /** What each node wrote. */
  readonly consoles: readonly string[];
}

/** Records a world in this thread. */
export function recordWorld(world: WorldDescription, how: Recording = {}): Recorded {
  const { inputs = [], until = 2_500_000, slice, engine = "reference", observer = {}, programs = [] } = how;
  const images = how.images ?? PING_PONG_IMAGES;
  const { checkpointSpacing, resumedAt } = how, resuming = { checkpointSpacing, resumedAt };
  const file = new MemoryFile(), consoles = world.nodes.map(() => "");
  const recorder = new WorldRecorder({ world, depth: "traps", recordedBy: "test" }, file, {
    observer: { ...observer, wrote: (node, bytes) => consoles[node] += new TextDecoder().decode(bytes) },
    ...slice === undefined ? {} : { slice },
    ...resuming,
  });
  for (const input of inputs) recorder.give(input);
  const crew = new LocalCrew(world, {
    images,
    depth: "traps",
    recordedBy: "test",
    engine,
    programs,
    ...resuming,
  });
  const reason = carryOut(recorder.course.rounds(until), crew);
  carryOut(recorder.end(), crew);
  const end = recorder.finish(reason, crew.finish());
  return { file, run: RecordedWorld.open(file), end, consoles };
}

/** Replays a world in this thread; throws DivergenceError. */
export function replayWorld(
  run: RecordedWorld,
  engine = "reference",
  slice?: number,
  images = PING_PONG_IMAGES,
): WorldReplay {
  const replay = new WorldReplay(run, {}, slice);
  carryOut(replay.rounds(), new LocalCrew(run.manifest.world, { images, engine }));
  return replay;
}
