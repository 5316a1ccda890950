/** The options that say which engine runs the CPUs, and where it compiles. */
import { DEFAULT_ENGINE, ENGINES, type MachineOptions } from "../machine/machine.ts";
import type { TimelineOptions } from "../journal/timeline.ts";
import { compileStoreIn } from "./host/compile_store.ts";
import { compileInWorker } from "./host/worker_compiler.ts";
import type { OptionRow, Options } from "./options.ts";
import { mebibytes } from "./properties.ts";

const COMPILE_WAYS = ["async", "sync", "off"] as const;

/** The options. */
export const ENGINE_OPTIONS: readonly OptionRow[] = [
  {
    name: "engine",
    value: Object.keys(ENGINES).join("|"),
    help: `what runs the CPUs, ${DEFAULT_ENGINE} by default; changes no result`,
  },
  {
    name: "compile",
    value: COMPILE_WAYS.join("|"),
    help:
      "whether the compiled engine compiles on another thread (async, the default), between steps and by " +
      "counts alone (sync), or not at all; changes no result",
  },
  {
    name: "compile-cache",
    value: "DIR",
    help:
      "a folder where the compiled engine keeps its code for later runs, 256 MB at most: a run like an earlier " +
      "one is faster; changes no result",
  },
];

/** The options of commands that go to and fro in a run. */
export const TIMELINE_OPTIONS: readonly OptionRow[] = [
  ...ENGINE_OPTIONS,
  {
    name: "checkpoint-memory",
    value: "SIZE",
    help:
      "memory for checkpoints, such as 512M; 1G by default: with less, going back takes longer; changes no result",
  },
];

/** How a command was told to go along a run. Throws UsageError. */
export function timelineOptionsOf(options: Options): TimelineOptions {
  const size = options.text("checkpoint-memory");
  if (size === undefined) return engineOf(options);
  return { ...engineOf(options), checkpointMemory: mebibytes("--checkpoint-memory", size) * 2 ** 20 };
}

/** The engine that a command was told to use. Throws UsageError. */
export function engineOf(options: Options): MachineOptions {
  const engine = options.text("engine"), cache = options.text("compile-cache");
  const compile = options.oneOf("compile", COMPILE_WAYS) ?? "async";
  return {
    ...engine === undefined ? {} : { engine },
    compile: compile === "async" ? compileInWorker : compile,
    ...cache === undefined ? {} : { compileCache: compileStoreIn(cache) },
  };
}
