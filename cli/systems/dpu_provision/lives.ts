/** Worlds of a DPU carried out, recorded, replayed, and cut; and what is left of the DPU then. */
import { createHash } from "node:crypto";
import { FIRMWARE_SAYS } from "../../../firmware/dpu_provision/boot_firmware.ts";
import { STAND_IN_SAYS } from "../../../firmware/dpu_provision/stand_in.ts";
import { MemoryFile } from "../../../journal/storage.ts";
import type { Depth } from "../../../journal/payloads.ts";
import { Replay } from "../../../journal/replay.ts";
import type { DiskImage } from "../../../machine/storage/block.ts";
import type { MachineOptions } from "../../../machine/machine.ts";
import type { TimedWorldInput } from "../../../world/course.ts";
import { carryOut, carryOutApart, type Crew, type DistantCrew, LocalCrew } from "../../../world/crew.ts";
import type { WorldEvent } from "../../../world/events.ts";
import type { NodeProgram } from "../../../world/node_program.ts";
import { WorldRecorder } from "../../../world/recorder.ts";
import { WorldReplay } from "../../../world/replay.ts";
import { RecordedWorld } from "../../../world/run.ts";
import { WorldSession } from "../../../world/session.ts";
import type { Task } from "../../../world/programs/bmc/records.ts";
import { neededImages } from "../../host/image_search.ts";
import { WorkerCrew } from "../../host/world_crew.ts";
import { RECORDED_BY } from "../../machine_options.ts";
import type { CheckContext } from "../scenario.ts";
import { BMC, DPU, type ProvisioningWorld } from "./worlds.ts";

/** A small world is at rest before this time, in nanoseconds, whatever happened. */
export const LONG = 120_000_000;

/** A world that was recorded. */
export interface RecordedProvisioning extends ProvisioningWorld {
  /** What is in its file. */
  readonly run: RecordedWorld;
  /** The file. */
  readonly file: MemoryFile;
  /** What each node wrote. */
  readonly consoles: readonly string[];
}

/** How a recording is carried out. */
interface Carrying {
  /** Where it ends at the latest, in nanoseconds. */
  readonly until: number;
  /** It ends when this holds of what the nodes have written. */
  readonly isEnough?: (consoles: readonly string[]) => boolean;
  /** How much of machines' events is stored; traps by default. */
  readonly depth?: Depth;
  /** Told all that a node has written, and about when. */
  readonly wrote?: (node: number, time: number, console: string) => void;
  /** Called after each round. */
  readonly between?: () => Promise<void> | undefined;
}

/** Records a world. */
export async function recordWorld(
  { world, images }: ProvisioningWorld,
  options: MachineOptions,
  { until, between, isEnough, depth = "traps", wrote }: Carrying = { until: LONG },
): Promise<RecordedProvisioning> {
  const file = new MemoryFile(), consoles = world.nodes.map(() => "");
  const manifest = { world, depth, recordedBy: RECORDED_BY } as const;
  const recorder: WorldRecorder = new WorldRecorder(manifest, file, {
    observer: {
      wrote: (node, bytes) => {
        consoles[node] += new TextDecoder().decode(bytes);
        wrote?.(node, recorder.course.now, consoles[node]!);
      },
    },
  });
  const crew = new LocalCrew(world, { ...options, images, depth, recordedBy: RECORDED_BY });
  const enough = isEnough && (() => isEnough(consoles));
  const reason = await carryOutApart(recorder.course.rounds(until, enough), crew, between);
  carryOut(recorder.end(), crew);
  recorder.finish(reason, crew.finish());
  return { world, images, run: RecordedWorld.open(file), file, consoles };
}

/** Replays a world with a crew; what differed, if anything did. */
async function replayWith(
  run: RecordedWorld,
  crew: Crew | DistantCrew,
  slice?: number,
  between?: () => Promise<void> | undefined,
): Promise<string | undefined> {
  const replay = new WorldReplay(run, {}, slice);
  try {
    await carryOutApart(replay.rounds(), crew, between);
  } catch (error) {
    return (error as Error).message;
  }
  return replay.rootsChecked > run.roots.length - 1
    ? undefined
    : `only ${replay.rootsChecked} roots were compared`;
}

/** Replays on engines in this thread, and by two threads; what differed, a line each. */
export async function replayWorld(
  context: CheckContext,
  { run, world, images }: RecordedProvisioning,
  engines: readonly string[],
  slice?: number,
): Promise<string[]> {
  const failures: string[] = [];
  const between = pausing(context);
  for (const engine of engines) {
    const crew = new LocalCrew(world, { images, ...context.machineOptions(engine) });
    const differs = await replayWith(run, crew, slice, between);
    if (differs !== undefined) failures.push(`replayed on ${engine}: ${differs}`);
  }
  writeImages(context, { world, images });
  const threads = { threads: 2, files: [], path: context.file("a.hsworld"), module: undefined };
  const crew = await WorkerCrew.start(world, { images, ...context.machineOptions(), ...threads });
  const differs = await replayWith(run, crew, undefined, between).finally(() => crew.close());
  if (differs !== undefined) failures.push(`replayed by two threads: ${differs}`);
  return failures;
}

/** Writes the images that are in memory alone to files of their names, where a replay, or another thread, finds them. */
function writeImages(context: CheckContext, { world, images }: ProvisioningWorld): void {
  for (const node of world.nodes) {
    const needed = node.kind === "machine" ? neededImages(node.configuration) : [];
    for (const { name, sha256 } of needed) {
      const image = images.get(sha256);
      if (name.includes("/") || image === undefined) continue;
      Deno.writeFileSync(context.file(name), image instanceof Uint8Array ? image : wholeImage(image));
    }
  }
}

/** The bytes of a disk's image. */
export function wholeImage(image: DiskImage): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(image.size);
  for (let at = 0, index = 0; at < bytes.length; index++) {
    const chunk = image.chunk(index);
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

/** Keeps a recording as NAME.hsworld, with its images beside it: for `hindsight world`. */
export function keepWorld(context: CheckContext, name: string, recorded: RecordedProvisioning): void {
  Deno.writeFileSync(context.file(`${name}.hsworld`), recorded.file.bytes);
  writeImages(context, recorded);
}

/** Lets signals be seen now and then. */
export function pausing(context: CheckContext): () => Promise<void> | undefined {
  let rounds = 0;
  return () => ++rounds % 500 === 0 ? context.breathe() : undefined;
}

/** Carries a small world out to its rest, without a file. */
export function live(
  { world, images }: ProvisioningWorld,
  options: MachineOptions,
  { inputs = [], programs = [] }: {
    readonly inputs?: readonly TimedWorldInput[];
    readonly programs?: readonly NodeProgram[];
  } = {},
): WorldSession {
  const session = new WorldSession(world, { ...options, images, programs });
  for (const input of inputs) session.give(input);
  session.run(LONG);
  return session;
}

/** Power of a node at a time. */
export function power(time: number, node: number, isOn: boolean): TimedWorldInput {
  return { time, node, input: { kind: "power", isOn } };
}

/** The tasks of the management controller. */
export function tasksOf(session: WorldSession): readonly Task[] {
  const bytes = session.storeOf(BMC)?.get("record");
  return bytes === undefined ? [] : JSON.parse(new TextDecoder().decode(bytes)).tasks;
}

/** SHA-256 of a part of a disk as a loss of power would leave it; the machine must have power. */
export function durableDigest(session: WorldSession, id: string, offset: number, size: number): string {
  const disk = session.machineOf(DPU)?.board.disks.get(id);
  if (disk === undefined) return "no power";
  return createHash("sha256").update(disk.peek(offset, size, true)).digest("hex");
}

/** What runs on the DPU at the end, by its console: a system's version, or that there is nothing to boot. */
export function systemOf(console: string): number | "stranded" | "none" {
  const last = console.lastIndexOf(FIRMWARE_SAYS.BEGUN), tail = console.slice(Math.max(0, last));
  const [, version] = new RegExp(`^${STAND_IN_SAYS.SYSTEM}(\\d+)(.*)\\r$`, "m").exec(tail) ?? [];
  if (version !== undefined) return Number(version);
  return tail.includes(FIRMWARE_SAYS.NOTHING) ? "stranded" : "none";
}

/** Something that happened in the DPU's machine. */
export interface DpuMoment {
  /** The world's time. */
  readonly time: number;
  /** In words. */
  readonly what: string;
}

/** When disks were written and flushed, variables written, and the machine reset: every step of the DPU's that lasts. */
export function dpuMoments({ run, images }: RecordedProvisioning, options: MachineOptions): DpuMoment[] {
  const moments: DpuMoment[] = [];
  for (const life of run.lives.filter(({ node }) => node === DPU)) {
    const recorded = run.run(life), replay = new Replay(recorded, images, options), { machine } = replay;
    machine.board.events.add({
      classes: ["trap", "detail"],
      observe: (event) => {
        const time = life.start + machine.board.clock.now;
        switch (event.kind) {
          case "diskWritten":
            return void moments.push({
              time,
              what: `${event.disk} written at ${event.offset}, ${event.size} bytes`,
            });
          case "diskFlushed":
            return void moments.push({ time, what: `${event.disk} flushed` });
          case "variableWritten":
            return void moments.push({
              time,
              what: `${event.name} is ${event.after.toHex().slice(0, 16) || "deleted"}`,
            });
          case "machineReset":
            return void moments.push({ time, what: "reset" });
        }
      },
    });
    replay.runToEnd();
  }
  return moments;
}

/** Messages to a node on a link that are larger than some bytes. */
export function largeMessages(events: readonly WorldEvent[], link: number, from: number): number {
  return events.filter((event) =>
    event.kind === "messageSent" && event.link === link && event.node === from && event.size > 256
  ).length;
}
