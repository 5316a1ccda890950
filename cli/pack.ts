/** `hindsight pack`: makes a journal that needs no other file. */
import { JournalWriter } from "../journal/file.ts";
import { appendImages } from "../journal/images.ts";
import type { Command } from "./command.ts";
import { IMAGE_OPTIONS } from "./command.ts";
import { CommandError, UsageError } from "./errors.ts";
import { FileSink } from "./host/file_sink.ts";
import type { Host } from "./host/host.ts";
import { neededImages } from "./host/image_files.ts";
import { imagesOf, openRun } from "./host/open_run.ts";
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

function run(options: Options, host: Host): number {
  const [path] = options.others as [string];
  const output = options.text("output");
  if (output === undefined) throw new UsageError("pack needs a file to write: -o OUT");
  if (isSameFile(path, output)) throw new CommandError(`Cannot pack "${path}" onto itself: give another -o`);
  const opened = openRun(path, host);
  const wanted = new Set(neededImages(opened.run.manifest.configuration).map(({ sha256 }) => sha256));
  const images = new Map([...imagesOf(opened, options)].filter(([sha256]) => wanted.has(sha256)));
  const sink = new FileSink(output);
  const writer = new JournalWriter(sink);
  for (const block of opened.reader.blocks) {
    if (block.kind === "index" || block.kind === "images") continue;
    writer.append(block.kind, opened.reader.payload(block.number), block);
    if (block.kind === "configuration") appendImages(writer, images);
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
  ],
  options: [
    { name: "output", aliases: ["o"], value: "OUT", help: "the file to write" },
    ...IMAGE_OPTIONS,
  ],
  run,
};
