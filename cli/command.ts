/** What a command is, and the help text made from it. */
import type { Host } from "./host/host.ts";
import { type OptionRow, type Options, optionsHelp } from "./options.ts";

/** One command of `hindsight`, in a file of its own; `commands.ts` says its name and what it is for. */
export interface Command {
  /** Its arguments without options, such as `RUN`, in brackets what may be left out; their number is checked. */
  readonly operands: readonly string[];
  /** What else is worth knowing: paragraphs. */
  readonly details: string;
  /** Command lines to try, in order; they work after `deno task guests u-boot` and those of `record`. */
  readonly examples: readonly string[];
  /** Its options, without those that every command has. */
  readonly options: readonly OptionRow[];
  /** Carries it out and returns the exit code. Throws what cli/failure.ts knows. */
  run(options: Options, host: Host): number | Promise<number>;
}

/** The options of every command. */
export const COMMON_OPTIONS: readonly OptionRow[] = [
  { name: "json", help: "one JSON value, or one a line, on standard output" },
  { name: "help", aliases: ["h"], help: "this text" },
];

/** How a journal's images are named where they are not found by themselves. */
export const IMAGE_OPTIONS: readonly OptionRow[] = [
  {
    name: "image",
    value: "FILE",
    repeats: true,
    help:
      "an image of the run, recognized by its content; ROLE=FILE says which (bios, kernel, initrd, dtb, a drive's id)",
  },
];

/** How addresses get names. */
export const SYMBOL_OPTIONS: readonly OptionRow[] = [
  {
    name: "symbols",
    value: "FILE[@OFFSET]",
    repeats: true,
    help:
      "name addresses by this ELF file, arm64 Image with kallsyms, System.map or output of nm, moved by OFFSET such as -0x80000",
  },
];

/** The help text of a command, given its name and what it does in a line. */
export function commandHelp(name: string, summary: string, command: Command): string {
  const { operands, details, examples } = command;
  return [
    `hindsight ${[name, ...operands].join(" ")} [options]`,
    "",
    `${summary}.`,
    ...(details === "" ? [] : ["", details]),
    "",
    "Options:",
    optionsHelp([...command.options, ...COMMON_OPTIONS]),
    "",
    operands.length === 0
      ? "Examples, after `deno task guests u-boot`:"
      : "Examples, after those of `hindsight record --help`:",
    ...examples.map((example) => `  ${example}`),
    "",
  ].join("\n");
}
