/** The commands of `hindsight`: one row, and one file, each; a file is read when its command is wanted. */
import type { Command } from "./command.ts";

/** A command's row. */
export interface CommandRow {
  /** The word after `hindsight`. */
  readonly name: string;
  /** What it does, in a line. */
  readonly summary: string;
  /** The rest of it, and all that it needs. */
  readonly load: () => Promise<Command>;
}

/** Every command, in the order of the help text. */
// deno-fmt-ignore
export const COMMANDS: readonly CommandRow[] = [
  { name: "record",  load: async () => (await import("./record.ts")).record,          summary: "Runs a machine and records the run in a journal" },
  { name: "run",     load: async () => (await import("./run.ts")).runCommand,         summary: "Runs a machine without recording it, or keeps the last stretch of the run" },
  { name: "hunt",    load: async () => (await import("./hunt.ts")).hunt,              summary: "Runs a machine under many schedules until something happens" },
  { name: "replay",  load: async () => (await import("./replay.ts")).replay,          summary: "Replays a recorded run and checks its roots and stored events" },
  { name: "verify",  load: async () => (await import("./verify.ts")).verify,          summary: "Checks a journal's file block by block, and all that is stored in it against a replay" },
  { name: "events",  load: async () => (await import("./events.ts")).events,          summary: "Prints the events of a run, in order" },
  { name: "state",   load: async () => (await import("./state.ts")).state,            summary: "Shows the machine at an instant: all CPUs, the root, and the instruction that comes next" },
  { name: "gdb",     load: async () => (await import("./gdb.ts")).gdb,                summary: "Lets gdb go forward and back in a recorded run" },
  { name: "dap",     load: async () => (await import("./dap.ts")).dap,                summary: "Lets editors go forward and back in a recorded run, by the Debug Adapter Protocol" },
  { name: "disk",    load: async () => (await import("./disk.ts")).disk,              summary: "Writes what is on a disk, or in a flash bank, at an instant to a raw file" },
  { name: "console", load: async () => (await import("./console.ts")).consoleCommand, summary: "Prints what a run wrote on its console" },
  { name: "rewind",  load: async () => (await import("./rewind.ts")).rewind,            summary: "Shows consoles as they were, and finds the instant at which a text was printed" },
  { name: "diff",    load: async () => (await import("./diff.ts")).diff,              summary: "Finds the first event in which two runs differ, and says what followed from it" },
  { name: "query",   load: async () => (await import("./query.ts")).query,            summary: "Finds, or counts, the events of a run for which an expression is true" },
  { name: "who-wrote", load: async () => (await import("./who_wrote.ts")).whoWrote,   summary: "Finds the last writer of a register or of memory before an instant" },
  { name: "why",     load: async () => (await import("./why.ts")).why,                summary: "Shows where a register's or memory's value came from, step by step, back to its origins" },
  { name: "bisect",  load: async () => (await import("./bisect.ts")).bisect,          summary: "Finds the step from which on an expression holds, or where two runs part and why" },
  { name: "fork",    load: async () => (await import("./fork.ts")).fork,              summary: "Goes on from an instant of a run in another way, and records that as a run of its own" },
  { name: "explore", load: async () => (await import("./explore.ts")).explore,        summary: "Injects an input at every step boundary of a window, and tells the different ends" },
  { name: "export",  load: async () => (await import("./export.ts")).exportCommand,   summary: "Writes a stretch of a run as a trace for other tools: Tarmac, Perfetto, QEMU's log" },
  { name: "world",   load: async () => (await import("./world.ts")).world,            summary: "Records, replays and compares several machines and programs joined by links" },
  { name: "system",  load: async () => (await import("./system.ts")).system,          summary: "Lists, runs and explains the systems built on the machine" },
  { name: "info",    load: async () => (await import("./info.ts")).info,              summary: "Says what is in a journal: machine, images, blocks, roots, and how it ended" },
  { name: "pack",    load: async () => (await import("./pack.ts")).pack,              summary: "Writes one self-contained journal, with the images inside, that replays anywhere" },
];
