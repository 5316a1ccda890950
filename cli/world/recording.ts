/** `hindsight world record` and `fork`: worlds carried out and written to a file. */
import { DEPTHS } from "../../journal/payloads.ts";
import type { ResumedWorld } from "../../world/crew.ts";
import type { CourseObserver, TimedWorldInput } from "../../world/course.ts";
import type { WorldDescription } from "../../world/description.ts";
import { WORLD_FAMILY } from "../../world/family.ts";
import { forkWorld } from "../../world/fork.ts";
import type { WorldEnd, WorldManifest } from "../../world/payloads.ts";
import { WorldRecorder } from "../../world/recorder.ts";
import type { MachineImages } from "../../machine/compose.ts";
import { UsageError } from "../errors.ts";
import { FileSink } from "../host/file_sink.ts";
import type { Host } from "../host/host.ts";
import { RECORDED_BY } from "../machine_options.ts";
import type { Options } from "../options.ts";
import { bytesText, counted, secondsText } from "../text.ts";
import { describedWorld, givenInput, timeOf } from "./description_file.ts";
import { crewFor, LiveWorld, resumedBefore, sliceOf } from "./live.ts";
import { openWorld, worldImages } from "./opened.ts";
import { jsonLine, worldEndJson } from "./text.ts";

/** Why worlds end, for people. */
export const WORLD_END_TEXT: Readonly<Record<WorldEnd["reason"], string>> = {
  limit: "the time asked for is reached",
  resting: "nothing goes on by itself",
  stopped: "it was stopped",
  console: "the text came",
  operator: "interrupted",
};

/** What is recorded. */
interface Recorded {
  readonly manifest: WorldManifest;
  readonly images: MachineImages;
  readonly inputs: readonly TimedWorldInput[];
  readonly module?: string | undefined;
  readonly path: string;
  /** Where it goes on instead of at power-on. */
  readonly resumedAt?: ResumedWorld | undefined;
  /** Is told as well. */
  readonly observer?: CourseObserver;
}

async function record(request: Recorded, options: Options, host: Host): Promise<number> {
  const output = options.text("output");
  if (output === undefined) throw new UsageError("a world needs a file to be written to: -o FILE");
  const { manifest, inputs, observer } = request, { world, depth } = manifest, isJson = options.isOn("json");
  const live = new LiveWorld(world, options, host, "recording", !isJson);
  const slice = sliceOf(options), sink = new FileSink(output, WORLD_FAMILY);
  sink.check();
  const spacing = options.text("checkpoints"), { resumedAt } = request;
  const checkpoints = {
    resumedAt,
    checkpointSpacing: spacing === undefined ? undefined : timeOf(spacing, "--checkpoints"),
  };
  const crew = await crewFor({ ...request, ...checkpoints, world, depth }, options);
  const recorder = new WorldRecorder(manifest, sink, {
    ...checkpoints,
    observer: { ...observer, ...live.observer },
    ...slice === undefined ? {} : { slice },
  });
  for (const input of inputs) recorder.give(input);
  const reason = await live.run(recorder.course, crew);
  const end = recorder.finish(reason, await crew.finish()), bytes = recorder.byteLength;
  if (isJson) host.stdout.write(jsonLine({ output, bytes, ...worldEndJson(end, world) }));
  else {
    host.stderr.write(
      `hindsight: ${WORLD_END_TEXT[end.reason]} after ${
        secondsText(end.time)
      } of the world; "${output}" has ${bytesText(bytes)}\n`,
    );
  }
  return 0;
}

function givenInputs(options: Options, world: WorldDescription): readonly TimedWorldInput[] {
  return options.texts("do").map((text) => givenInput(text, world));
}

/** `world record`. */
export async function recordWorld(path: string, options: Options, host: Host): Promise<number> {
  const depth = options.oneOf("depth", DEPTHS) ?? "traps";
  const { world, images, inputs, module } = await describedWorld(path, host);
  const manifest = { world, depth, recordedBy: RECORDED_BY };
  const all = [...inputs, ...givenInputs(options, world)];
  return await record({ manifest, images, inputs: all, module, path }, options, host);
}

/** `world fork`. */
export async function forkRecorded(path: string, options: Options, host: Host): Promise<number> {
  const at = options.text("at");
  if (at === undefined) throw new UsageError("world fork needs a time: --at TIME");
  if (options.text("output") === path) throw new UsageError(`-o ${path}: that is the world itself`);
  const { run } = openWorld(path, host), { manifest } = run, { world } = manifest;
  const time = timeOf(at, "--at"), resumedAt = resumedBefore(run, time);
  const fork = forkWorld(
    run,
    time,
    givenInputs(options, world),
    options.isOn("drop-inputs"),
    resumedAt?.checkpoint.time,
  );
  const images = worldImages(run, path, options);
  const code = await record(
    { manifest, images, inputs: fork.inputs, path, observer: fork.observer, resumedAt },
    options,
    host,
  );
  if (!options.isOn("json")) {
    const from = resumedAt === undefined
      ? ""
      : `, recorded from ${secondsText(resumedAt.checkpoint.time)} on`;
    host.stderr.write(`hindsight: ${counted(fork.sharedRoots(), "root")} shared with "${path}"${from}\n`);
  }
  return code;
}
