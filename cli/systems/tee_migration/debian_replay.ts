/** A life of Debian's hosts as a file: recorded from power-on, compared with how it was lived, and replayed. */
import { MemoryFile } from "../../../journal/storage.ts";
import { equalBytes } from "../../../machine/sha256.ts";
import type { TimedWorldInput } from "../../../world/course.ts";
import { carryOutApart, LocalCrew } from "../../../world/crew.ts";
import { WorldRecorder } from "../../../world/recorder.ts";
import { WorldReplay } from "../../../world/replay.ts";
import { RecordedWorld } from "../../../world/run.ts";
import type { CheckContext } from "../scenario.ts";
import type { DebianWorld } from "./debian_work.ts";
import type { WorkLife } from "./powered_work.ts";

/** What a replay came to. */
interface Replayed {
  readonly wrong: readonly string[];
  /** Roots that were equal. */
  readonly roots: number;
}

/** Records a life of a world with its inputs, and replays it on another engine. */
export async function replayed(
  context: CheckContext,
  { world, images }: DebianWorld,
  inputs: readonly TimedWorldInput[],
  { time, roots }: WorkLife,
): Promise<Replayed> {
  let rounds = 0;
  const pause = () => ++rounds % 1000 === 0 ? context.breathe() : undefined, file = new MemoryFile();
  const recorder = new WorldRecorder({ world, depth: "inputs", recordedBy: "check" }, file);
  for (const input of inputs) recorder.give(input);
  const making = { images, depth: "inputs" as const, recordedBy: "check" };
  const crew = new LocalCrew(world, { ...context.machineOptions(), ...making });
  const reason = await carryOutApart(recorder.course.rounds(time), crew, pause);
  await carryOutApart(recorder.end(), crew, pause);
  recorder.finish(reason, crew.finish());
  const run = RecordedWorld.open(file), wrong: string[] = [];
  for (const { time, historyRoot } of roots) {
    const recorded = run.roots.find((root) => root.time === time);
    if (recorded === undefined || !equalBytes(recorded.historyRoot, historyRoot)) {
      wrong.push(`the root of ${time} ns is another when it is recorded`);
    }
  }
  const replay = new WorldReplay(run), engine = context.engine === "compiled" ? "threaded" : "compiled";
  try {
    const crew = new LocalCrew(world, { ...context.machineOptions(engine), images });
    await carryOutApart(replay.rounds(), crew, pause);
  } catch (error) {
    wrong.push(`on ${engine}: ${error instanceof Error ? error.message : error}`);
  }
  if (replay.rootsChecked < run.roots.length) {
    wrong.push(`on ${engine} only ${replay.rootsChecked} roots came`);
  }
  return { wrong, roots: replay.rootsChecked };
}
