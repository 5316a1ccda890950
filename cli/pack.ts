/** `hindsight pack`: makes a journal that needs no other file. */
import { checkpointSpan } from "../journal/checkpoint.ts";
import { JournalWriter } from "../journal/file.ts";
import { appendImages } from "../journal/images.ts";
import { checkpointsOf } from "../journal/later_checkpoints.ts";
import { Replay } from "../journal/replay.ts";
import { ENGINE_OPTIONS, engineOf } from "./engine_options.ts";
import type { Command } from "./command.ts";
import { IMAGE_OPTIONS } from "./command.ts";
import { CommandError, UsageError } from "./errors.ts";
import { FileSink } from "./host/file_sink.ts";
import type { Host } from "./host/host.ts";
import { neededImages } from "./host/image_search.ts";
import { imagesOf, type OpenedRun, openRun } from "./host/open_run.ts";
import { Progress } from "./host/progress.ts";
import type { Options } from "./options.ts";
import { bytesText, counted } from "./text.ts";

/** Whether two names are one file. */
function isSameFile(first: string, second: string): boolean {
  try {
    return Deno.realPathSync(first) === Deno.realPathSync(second);
  } catch {
    return false;
  }
}

/** Replays the run beside the copying; what comes back appends the checkpoint of a root, if there is to be one. */
function makeCheckpoints(
  opened: OpenedRun,
  steps: number,
  options: Options,
  host: Host,
): (instant: number, writer: JournalWriter) => void {
  const { run } = opened, progress = new Progress(host, "laying checkpoints");
  const replay = new Replay(run, imagesOf(opened, options), { ...engineOf(options), checkEvents: false });
  const checkpoints = checkpointsOf(replay, steps);
  let next = checkpoints.next();
  return (instant, writer) => {
    if (next.done || next.value[0].instant !== instant) return;
    const [root, payloads] = next.value;
    for (const payload of payloads) writer.append("checkpoint", payload, checkpointSpan(root));
    progress.update(instant, run.lastInstant);
    next = checkpoints.next();
    if (next.done) progress.clear();
  };
}

function run(options: Options, host: Host): number {
  const [path] = options.others as [string];
  const output = options.text("output");
  if (output === undefined) throw new UsageError("pack needs a file to write: -o OUT");
  if (isSameFile(path, output)) throw new CommandError(`Cannot pack "${path}" onto itself: give another -o`);
  const opened = openRun(path, host);
  const wanted = new Set(neededImages(opened.run.manifest.configuration).map(({ sha256 }) => sha256));
  const images = new Map([...imagesOf(opened, options)].filter(([sha256]) => wanted.has(sha256)));
  const steps = options.number("checkpoints");
  const writer = new JournalWriter(new FileSink(output));
  const checkpoints = steps === undefined ? undefined : makeCheckpoints(opened, steps, options, host);
  for (const block of opened.reader.blocks) {
    if (block.kind === "index" || block.kind === "images") continue;
    if (steps !== undefined && opened.run.isLaterCheckpoint(block)) continue;
    writer.append(block.kind, opened.reader.payload(block.number), block);
    if (block.kind === "configuration") appendImages(writer, images);
    if (block.kind === "roots") checkpoints?.(block.firstInstant, writer);
  }
  writer.finish();
  const bytes = writer.byteLength;
  host.stdout.write(
    options.isOn("json")
      ? `${JSON.stringify({ output, bytes, images: images.size })}\n`
      : `"${output}" holds the run and its ${counted(images.size, "image")}, ${bytesText(bytes)}.\n`,
  );
  return 0;
}

/** The command. */
export const pack: Command = {
  operands: ["RUN"],
  details: "An earlier journal of the output's name is kept under NAME~.",
  examples: [
    "deno task hindsight pack u.hindsight -o u-packed.hindsight",
    "deno task hindsight replay u-packed.hindsight",
    "deno task hindsight pack u.hindsight --checkpoints 100000000 -o u-quick.hindsight",
  ],
  options: [
    { name: "output", aliases: ["o"], value: "OUT", help: "the file to write" },
    {
      name: "checkpoints",
      value: "STEPS",
      help: "adds the state at roots, at least so many steps apart: seeking begins there",
    },
    ...ENGINE_OPTIONS,
    ...IMAGE_OPTIONS,
  ],
  run,
};
