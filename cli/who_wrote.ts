/** `hindsight who-wrote`: the last writer of a register or of memory. */
import { hex } from "../machine/address.ts";
import { Timeline } from "../journal/timeline.ts";
import { type LastWriters, lastWriters } from "../journal/why.ts";
import { type Command, IMAGE_OPTIONS, SYMBOL_OPTIONS } from "./command.ts";
import { TIMELINE_OPTIONS, timelineOptionsOf } from "./engine_options.ts";
import type { Host } from "./host/host.ts";
import { imagesOf, openRun } from "./host/open_run.ts";
import { Progress } from "./host/progress.ts";
import { symbolsOf } from "./host/symbol_files.ts";
import { type Options, refuseOutside } from "./options.ts";
import { SUBJECT_HELP, subjectOf } from "./subject.ts";
import type { SymbolTable } from "./symbols.ts";
import { type Palette, paletteFor } from "./text.ts";
import { targetText } from "./why.ts";
import { nodeText, nodeValue } from "./why_text.ts";

function jsonText({ root, target, writers }: LastWriters, symbols: SymbolTable): string {
  return JSON.stringify({
    before: root.instant,
    cpu: target.cpu,
    ...target.value === undefined ? {} : { value: hex(target.value) },
    writers: writers.map(({ what, node, before, after }) => ({
      what,
      ...before === undefined ? {} : { before: hex(before) },
      after: hex(after),
      ...nodeValue(node, symbols) as Record<string, unknown>,
    })),
  });
}

/** Each writer as a line: what it wrote, values before and after, and who it was. */
export function writerLines({ writers }: LastWriters, palette: Palette, symbols: SymbolTable): string[] {
  return writers.map(({ what, node, before, after }) => {
    const change = before === undefined ? `is ${hex(after)}` : `${hex(before)} → ${hex(after)}`;
    return `${what}  ${change}  ←  ${nodeText({ ...node, cut: "depth" }, palette, symbols)}`;
  });
}

function run(options: Options, host: Host): number {
  const [path, text] = options.others as [string, string];
  const symbols = symbolsOf(options), subject = subjectOf(text, symbols);
  const opened = openRun(path, host);
  const before = options.number("before") ?? opened.run.lastInstant;
  refuseOutside("--before", before, opened.run);
  const progress = new Progress(host, "looking for the writer");
  const timeline = new Timeline(opened.run, imagesOf(opened, options), timelineOptionsOf(options));
  const found = lastWriters(timeline, subject, before, {
    cpu: options.number("cpu", 0, 255),
    progress: (instant) => progress.update(instant, before),
  });
  progress.clear();
  if (options.isOn("json")) {
    host.stdout.write(`${jsonText(found, symbols)}\n`);
    return 0;
  }
  const palette = paletteFor(host.stdout);
  const title = targetText(text, subject, found, symbols);
  host.stdout.write(`${[palette.bold(title), ...writerLines(found, palette, symbols)].join("\n")}\n`);
  return 0;
}

/** The command. */
export const whoWrote: Command = {
  operands: ["RUN", "WHAT"],
  details: `${SUBJECT_HELP}\n` +
    "The writer is a step with its instruction, an exception, firmware, a device's DMA, an operator's input, or\n" +
    "what was there at the beginning: a boot image, a reset. Values are before and after it. Memory is looked for\n" +
    "at the engine's full speed; a register is looked for step by step, from the last step back.",
  examples: [
    "deno task hindsight who-wrote u.hindsight physical:0x40200000,4 --before 2000000",
    "deno task hindsight who-wrote u.hindsight ELR_EL1 --before 1000000 --cpu 0",
  ],
  options: [
    { name: "before", value: "N", help: "the instant before which; the end of the run by default" },
    {
      name: "cpu",
      value: "N",
      help: "whose register, or whose mapping; by default the CPU whose turn it is",
    },
    ...TIMELINE_OPTIONS,
    ...SYMBOL_OPTIONS,
    ...IMAGE_OPTIONS,
  ],
  run,
};
