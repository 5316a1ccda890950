/** Export: a stretch of a run in the formats of other tools' traces, step by step, derived by replaying. */
import type { MachineImages } from "../machine/compose.ts";
import type { EventClass, EventObserver, MachineEvent } from "../machine/events.ts";
import type { Machine } from "../machine/machine.ts";
import { perfettoExporter } from "./export_perfetto.ts";
import { qemuLogExporter } from "./export_qemu_log.ts";
import { tarmacExporter } from "./export_tarmac.ts";
import type { ReplayOptions } from "./replay.ts";
import { Replay } from "./replay.ts";
import type { RecordedRun } from "./run.ts";

/** What happened at one instant. */
export interface ExportedStep {
  /** The instant. */
  readonly instant: number;
  /** Virtual time at which each of the events happened, in nanoseconds. */
  readonly times: readonly number[];
  /** The events, in order; a step's own event is the last. */
  readonly events: readonly MachineEvent[];
}

/** Writes a format. What it gives are parts of the file, one after another. */
export interface Exporter {
  /** Classes of event that it needs. */
  readonly classes: readonly EventClass[];
  /** The beginning of the file, from the machine as it is then. */
  begin(machine: Machine): string;
  /** What happened at an instant. */
  step(step: ExportedStep): string;
  /** The end, at a virtual time. */
  end(time: number): string;
}

/** How addresses get names: a place such as `name+0x10`, or none. */
export type PlaceNames = (address: bigint) => string | undefined;

/** The name of a format. */
export type ExportFormat = "tarmac" | "perfetto" | "qemu-log";

/** The formats. */
// deno-fmt-ignore
export const EXPORT_FORMATS: Readonly<Record<ExportFormat, (names: PlaceNames) => Exporter>> = {
  tarmac:     tarmacExporter,
  perfetto:   perfettoExporter,
  "qemu-log": qemuLogExporter,
};

/** Which part of a run, and whom to tell. */
export interface ExportOptions extends ReplayOptions {
  /** First instant; default the run's first. */
  readonly from?: number;
  /** Last instant, exclusive; default the end of the run, with its last events. */
  readonly to?: number;
  /** Names of addresses. */
  readonly nameOf?: PlaceNames;
  /** Called now and then with the instant reached. */
  readonly progress?: (instant: number) => void;
}

/** Steps replayed between two parts of a format with all steps, and of one without. */
const SLICE = 4096, WIDE_SLICE = 2 ** 19;
/** The same on the way to the first instant. */
const FAR_SLICE = 2 ** 20;

/** Gathers events and when they happened. */
class Gatherer implements EventObserver {
  events: MachineEvent[] = [];
  times: number[] = [];
  constructor(readonly classes: readonly EventClass[], private readonly machine: Machine) {}
  observe(event: MachineEvent): void {
    this.events.push(event);
    this.times.push(this.machine.virtualTime);
  }
}

/** The steps in what was gathered. */
function* stepsOf({ events, times }: Gatherer): Generator<ExportedStep> {
  for (let from = 0; from < events.length;) {
    const { instant } = events[from] as MachineEvent;
    let to = from;
    while (to < events.length && (events[to] as MachineEvent).instant === instant) to++;
    yield { instant, events: events.slice(from, to), times: times.slice(from, to) };
    from = to;
  }
}

/** A stretch of a run in a format, as parts of a file. Throws what replaying throws. */
export function* exportRun(
  run: RecordedRun,
  images: MachineImages,
  format: ExportFormat,
  options: ExportOptions = {},
): Generator<string> {
  const { progress = () => {} } = options, { lastInstant, firstInstant } = run;
  const from = Math.max(firstInstant, options.from ?? firstInstant),
    to = Math.min(options.to ?? Infinity, lastInstant);
  const replay = new Replay(run, images, { ...options, checkEvents: false });
  replay.skipTo(from);
  while (replay.instant < Math.min(from, lastInstant)) {
    replay.runTo(Math.min(from, replay.instant + FAR_SLICE));
    progress(replay.instant);
  }
  const { machine } = replay, exporter = EXPORT_FORMATS[format](options.nameOf ?? (() => undefined));
  const gatherer = new Gatherer(exporter.classes, machine);
  yield exporter.begin(machine);
  machine.board.events.add(gatherer);
  const part = (): string => {
    const text = [...stepsOf(gatherer)].map((step) => exporter.step(step)).join("");
    gatherer.events = [];
    gatherer.times = [];
    return text;
  };
  const slice = exporter.classes.includes("step") ? SLICE : WIDE_SLICE;
  while (replay.instant < to) {
    replay.runTo(Math.min(to, replay.instant + slice));
    yield part();
    progress(replay.instant);
  }
  if (options.to === undefined || options.to > lastInstant) {
    replay.runToEnd();
    yield part();
  }
  yield exporter.end(machine.virtualTime);
}
