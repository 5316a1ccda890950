/** `hindsight why`: where a value came from. */
import { hex } from "../machine/address.ts";
import { Timeline } from "../journal/timeline.ts";
import { type Subject, type Why, why as slice } from "../journal/why.ts";
import { type Command, IMAGE_OPTIONS, SYMBOL_OPTIONS } from "./command.ts";
import { TIMELINE_OPTIONS, timelineOptionsOf } from "./engine_options.ts";
import { UsageError } from "./errors.ts";
import type { Host } from "./host/host.ts";
import { imagesOf, openRun } from "./host/open_run.ts";
import { Progress } from "./host/progress.ts";
import { symbolsOf } from "./host/symbol_files.ts";
import { type Options, refuseOutside } from "./options.ts";
import { SUBJECT_HELP, subjectOf } from "./subject.ts";
import type { SymbolTable } from "./symbols.ts";
import { grouped, paletteFor } from "./text.ts";
import { effortText, graphText, nodeValue, treeLines } from "./why_text.ts";

/** What was asked about, with its value and when. */
export function targetText(
  text: string,
  subject: Subject,
  { target, root }: Why,
  symbols: SymbolTable,
): string {
  const value = target.value === undefined
    ? ""
    : ` = ${hex(target.value)}${symbols.pointerLabel(target.value)}`;
  const where = subject.kind === "register"
    ? `of cpu${target.cpu}`
    : `at physical ${hex(target.memory!.address)}`;
  return `${text}${value} ${where}, instant ${grouped(root.instant)}`;
}

function jsonText(result: Why, symbols: SymbolTable): string {
  const { target, nodes, effort, root } = result;
  return JSON.stringify({
    instant: root.instant,
    cpu: target.cpu,
    ...target.value === undefined ? {} : { value: hex(target.value) },
    ...target.memory === undefined ? {} : { physical: hex(target.memory.address), size: target.memory.size },
    nodes: nodes.map((node) => nodeValue(node, symbols)),
    effort,
  });
}

function run(options: Options, host: Host): number {
  const [path, text] = options.others as [string, string];
  const symbols = symbolsOf(options), subject = subjectOf(text, symbols);
  const at = options.number("at");
  if (at === undefined) throw new UsageError("why needs an instant: --at N");
  const opened = openRun(path, host);
  refuseOutside("--at", at, opened.run);
  const progress = new Progress(host, "looking for origins");
  const timeline = new Timeline(opened.run, imagesOf(opened, options), timelineOptionsOf(options));
  const result = slice(timeline, subject, at, {
    cpu: options.number("cpu", 0, 255),
    depth: options.number("depth", 1),
    width: options.number("width", 1),
    count: options.number("steps", 1),
    address: options.isOn("address"),
    control: options.isOn("control"),
    patience: options.number("patience", 1),
    progress: (instant) => progress.update(instant, at),
  });
  progress.clear();
  const palette = paletteFor(host.stdout);
  const title = targetText(text, subject, result, symbols);
  if (options.isOn("json")) host.stdout.write(`${jsonText(result, symbols)}\n`);
  else if (options.isOn("dot")) {
    host.stdout.write(graphText(result, title, paletteFor({ isColoured: false }), symbols));
  } else {
    const lines = [
      palette.bold(title),
      ...treeLines(result.root, palette, symbols),
      palette.dim(effortText(result)),
    ];
    host.stdout.write(`${lines.join("\n")}\n`);
  }
  return 0;
}

/** The command. */
export const why: Command = {
  operands: ["RUN", "WHAT"],
  details: `${SUBJECT_HELP}\n` +
    "Each line is a value and the step that made it, then what that step made it from, in the same column\n" +
    "where it is one value and further in where they are several; a step that was there already is only\n" +
    "named. Origins are constants of instructions, bytes of boot images, inputs, device registers, memory\n" +
    "that a device wrote, and what a reset leaves. A value that is loaded comes from who stored it: with\n" +
    "--address also from what its address was made of, with --control also from the branch or exception\n" +
    "that came last before each step.",
  examples: [
    "deno task hindsight why u.hindsight x0 --at 1000000",
    "deno task hindsight why u.hindsight physical:0x40200000,4 --at 2000000 --depth 8 --address",
    "deno task hindsight why u.hindsight ELR_EL1 --at 1000000 --dot | dot -Tsvg > why.svg",
  ],
  options: [
    { name: "at", value: "N", help: "the instant: the value is the one before its step boundary" },
    {
      name: "cpu",
      value: "N",
      help: "whose register, or whose mapping; by default the CPU whose turn it is",
    },
    { name: "depth", value: "LINKS", help: "how far from the value, 32 by default" },
    { name: "width", value: "COUNT", help: "sources of one step, 16 by default" },
    { name: "steps", value: "COUNT", help: "steps and origins in all, 1000 by default: the last ones" },
    { name: "address", help: "also what addresses were made of" },
    { name: "control", help: "also which branches and exceptions led there" },
    {
      name: "patience",
      value: "STEPS",
      help: "how long a register is looked for before it is called older, 4194304 steps by default",
    },
    { name: "dot", help: "a graph in Graphviz's language" },
    ...TIMELINE_OPTIONS,
    ...SYMBOL_OPTIONS,
    ...IMAGE_OPTIONS,
  ],
  run,
};
