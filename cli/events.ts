/** `hindsight events`: the events of a run, stored or derived. */
import {
  classOf,
  EVENT_KIND_NAMES,
  type EventClass,
  type EventKind,
  type MachineEvent,
} from "../machine/events.ts";
import { ALL_CLASSES, type EventRange, eventStream } from "../journal/event_stream.ts";
import { OwnerFinder, PROJECTED_CLASSES } from "../journal/projection.ts";
import { type Command, IMAGE_OPTIONS, SYMBOL_OPTIONS } from "./command.ts";
import { UsageError } from "./errors.ts";
import { eventJson, eventText } from "./event_text.ts";
import type { Host } from "./host/host.ts";
import { imagesOf, openRun } from "./host/open_run.ts";
import { Progress } from "./host/progress.ts";
import { symbolsOf } from "./host/symbol_files.ts";
import { type Options, refuseBefore } from "./options.ts";
import { ENGINE_OPTIONS, engineOf } from "./engine_options.ts";
import { suggestion } from "./suggest.ts";
import { paletteFor } from "./text.ts";

/** Shown when nothing is asked for: what enters the history root. */
const DEFAULT_CLASSES: readonly EventClass[] = ["input", "trap", "device"];

/** Lines written at once. */
const BATCH = 256;

/** The words of a list; throws UsageError for one that is not among those known. */
function listOf<T extends string>(
  options: Options,
  name: string,
  known: readonly T[],
): ReadonlySet<T> | undefined {
  const words = options.texts(name).flatMap((text) => text.split(",")).filter((word) => word !== "");
  for (const word of words) {
    if ((known as readonly string[]).includes(word)) continue;
    throw new UsageError(
      `--${name}: there is no "${word}"${suggestion(word, known) || `; there are ${known.join(", ")}`}`,
    );
  }
  return words.length === 0 ? undefined : new Set(words as T[]);
}

/** Which events are wanted. */
interface Selection {
  readonly range: EventRange;
  readonly isWanted: (event: MachineEvent) => boolean;
  /** As the reader has it: with `--instance`, what a virtual machine knows of it; undefined for what is not wanted. */
  readonly seen: (event: MachineEvent) => MachineEvent | undefined;
}

/** With `--instance`, and `--vm`: the events of virtual machines of that instance, at instants of their own. */
function projectionOf(options: Options): ((event: MachineEvent) => MachineEvent | undefined) | undefined {
  const instance = options.number("instance", 1, 255), vm = options.number("vm", 1, 255);
  if (instance === undefined) {
    if (vm === undefined) return undefined;
    throw new UsageError("--vm is one of an instance: write --instance N --vm M");
  }
  const finder = new OwnerFinder();
  return (event) => {
    const found = finder.next(event);
    return found?.instance === instance && (vm ?? found.vm) === found.vm ? found.event : undefined;
  };
}

function selectionOf(options: Options): Selection {
  const kinds = listOf<EventKind>(options, "kind", EVENT_KIND_NAMES);
  const named = listOf<EventClass | "all">(options, "class", [...ALL_CLASSES, "all"]);
  const cpu = options.number("cpu", 0, 255);
  const device = options.text("device");
  const from = options.number("from") ?? 0, to = options.number("to");
  const chosen = named?.has("all") ? ALL_CLASSES : named && ALL_CLASSES.filter((name) => named.has(name));
  const ofKinds = kinds && ALL_CLASSES.filter((name) => [...kinds].some((kind) => classOf(kind) === name));
  const ofDevice = device === undefined ? undefined : ["device"] as const;
  const classes = chosen ?? ofKinds ?? ofDevice ?? DEFAULT_CLASSES;
  const isWanted = (event: MachineEvent): boolean =>
    (kinds?.has(event.kind) ?? true) &&
    (cpu === undefined || event.cpu === cpu) &&
    (device === undefined || ("device" in event && event.device === device));
  const projection = projectionOf(options);
  if (projection === undefined) {
    return {
      range: { from, ...(to === undefined ? {} : { to }), classes },
      isWanted,
      seen: (event) => event,
    };
  }
  // Owners are found from power-on, whatever of it is wanted; instants are the virtual machine's.
  const isWithin = ({ instant }: MachineEvent): boolean => instant >= from && instant < (to ?? Infinity);
  return {
    range: {
      classes: ALL_CLASSES.filter((name) => classes.includes(name) || PROJECTED_CLASSES.includes(name)),
    },
    isWanted: (event) => classes.includes(classOf(event.kind)) && isWithin(event) && isWanted(event),
    seen: projection,
  };
}

function run(options: Options, host: Host): number {
  const { range, isWanted, seen } = selectionOf(options);
  const symbols = symbolsOf(options);
  const opened = openRun(options.others[0]!, host);
  refuseBefore("--from", options.number("from"), opened.run.firstInstant);
  refuseBefore("--to", options.number("to"), opened.run.firstInstant);
  const progress = new Progress(host, "replaying", false);
  const palette = paletteFor(host.stdout);
  const toLine = options.isOn("json")
    ? (event: MachineEvent) => eventJson(event, symbols)
    : (event: MachineEvent) => eventText(event, palette, symbols);
  const events = eventStream(opened.run, imagesOf(opened, options), range, {
    ...engineOf(options),
    derive: options.isOn("derive"),
    progress: (instant) => progress.update(instant, Math.min(range.to ?? Infinity, opened.run.lastInstant)),
  });
  let lines: string[] = [], count = 0;
  const write = (): void => {
    progress.clear();
    if (lines.length > 0) host.stdout.write(`${lines.join("\n")}\n`);
    lines = [];
  };
  try {
    for (const told of events) {
      const event = seen(told);
      if (event === undefined || !isWanted(event)) continue;
      count++;
      if (lines.push(toLine(event)) >= BATCH) write();
    }
  } finally {
    write();
  }
  if (count === 0) host.stderr.write(`hindsight: no event of "${opened.path}" is among those asked for\n`);
  return 0;
}

/** The command. */
export const events: Command = {
  operands: ["RUN"],
  details:
    "What the journal does not store is derived by replaying; the lines are the same either way. Without\n" +
    "--kind, --class or --device: inputs, traps and device accesses. Steps come with their instruction and\n" +
    "what it changed: --class step, best with --from and --to.",
  examples: [
    "deno task hindsight events u.hindsight --class input,trap",
    "deno task hindsight events u.hindsight --class step --from 1000000 --to 1000010",
    "deno task hindsight events u.hindsight --device uart0 --to 3000000",
  ],
  options: [
    { name: "kind", value: "A,B…", repeats: true, help: "only these kinds, such as exceptionTaken" },
    {
      name: "class",
      value: "A,B…",
      repeats: true,
      help: "only these classes: input, trap, device, detail, step; or all",
    },
    { name: "cpu", value: "N", help: "only of this CPU" },
    { name: "device", value: "NAME", help: "only accesses to this device" },
    {
      name: "instance",
      value: "N",
      help: "only of this instance's virtual machines, at instants of their own",
    },
    { name: "vm", value: "N", help: "with --instance: only of this virtual machine" },
    { name: "from", value: "N", help: "from this instant on" },
    { name: "to", value: "N", help: "before this instant" },
    { name: "derive", help: "derive also what is stored" },
    ...ENGINE_OPTIONS,
    ...SYMBOL_OPTIONS,
    ...IMAGE_OPTIONS,
  ],
  run,
};
