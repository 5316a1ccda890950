/** `hindsight bisect --inputs`: which of a run's inputs, or turns, it takes to end as it does. */
import { fork as forkRun } from "../journal/fork.ts";
import { JournalWriter } from "../journal/file.ts";
import type { Outcome } from "../journal/course.ts";
import {
  beforeCandidates,
  type GivenMachine,
  type Minimal,
  minimizeInputs,
  withTurnsAsInputs,
} from "../journal/minimize.ts";
import { compilePredicate } from "../journal/predicate.ts";
import { Recorder } from "../journal/recorder.ts";
import type { InputEvent } from "../machine/events.ts";
import { addressOf } from "./bisect.ts";
import { engineOf } from "./engine_options.ts";
import { UsageError } from "./errors.ts";
import { eventText } from "./event_text.ts";
import { repeatedInputs } from "./fork.ts";
import { FileSink } from "./host/file_sink.ts";
import type { Host } from "./host/host.ts";
import { imagesOf, type OpenedRun, openRun } from "./host/open_run.ts";
import { Progress } from "./host/progress.ts";
import { drive } from "./host/record_driver.ts";
import { symbolsOf } from "./host/symbol_files.ts";
import { RECORDED_BY } from "./machine_options.ts";
import type { OptionRow, Options } from "./options.ts";
import { commonStart, outcomeText } from "./outcome_text.ts";
import { ScriptRun } from "./script_run.ts";
import { counted, grouped, paletteFor } from "./text.ts";

/** What may be left out. */
const CANDIDATES = ["inputs", "turns"] as const;

/** The options of this way to bisect. */
// deno-fmt-ignore
export const INPUT_OPTIONS: readonly OptionRow[] = [
  { name: "inputs",    help: "find the inputs that it takes for the run to end as it does (with --when: as far as EXPR goes), by leaving others out" },
  { name: "leave-out", value: CANDIDATES.join("|"), help: "with --inputs, what may be left out: what the run was given (the default), or the turns of its CPUs, which become forced switches" },
  { name: "until",     value: "N", help: "with --inputs, a run that goes on ends at this instant (default: twice the end of RUN, and some turns)" },
  { name: "no-reboot", help: "with --inputs, a reset ends a run" },
  { name: "output", aliases: ["o"], value: "FILE", help: "with --inputs, a journal of the run with what was found alone" },
];

/** Records the run with what was found. */
async function record(
  { run, path }: OpenedRun,
  { kept, given, until, isTurns }: {
    readonly kept: readonly InputEvent[];
    readonly given: GivenMachine;
    readonly until: number;
    readonly isTurns: boolean;
  },
  options: Options,
  output: string,
  host: Host,
  images: ReturnType<typeof imagesOf>,
): Promise<void> {
  const left = new Set(given.candidates.filter((input) => !kept.includes(input)));
  const inputs = given.inputs.filter((input) => !left.has(input));
  const recorderOf = (): Recorder => {
    const first = given.candidates[0]?.instant ?? run.firstInstant;
    if (!isTurns) return forkRun(run, images, first, new FileSink(output), engineOf(options)).recorder;
    const { configuration } = given.machine;
    const manifest = { configuration, depth: run.manifest.depth, recordedBy: RECORDED_BY };
    return new Recorder(manifest, images, new JournalWriter(new FileSink(output)), engineOf(options));
  };
  await drive({
    recorder: recorderOf(),
    script: new ScriptRun({ name: path, statements: [], timed: repeatedInputs(inputs, path) }),
    host,
    show: () => {},
    until,
    readsInput: false,
    isPaced: false,
    endsAtReset: options.isOn("no-reboot"),
  });
}

/** Carries it out. */
export async function bisectInputs(options: Options, host: Host): Promise<number> {
  const opened = openRun(options.others[0]!, host), { run } = opened;
  const symbols = symbolsOf(options), expression = options.text("when");
  const isTurns = (options.oneOf("leave-out", CANDIDATES) ?? "inputs") === "turns";
  const asked = options.number("until");
  if (asked !== undefined && asked < run.lastInstant) {
    throw new UsageError(`--until ${asked} is before the end of the run, ${run.lastInstant}`);
  }
  const conditions = expression === undefined
    ? []
    : [compilePredicate(expression, (name) => addressOf(name, symbols))];
  const images = imagesOf(opened, options), progress = new Progress(host, "leaving inputs out");
  const given = isTurns
    ? withTurnsAsInputs(run, images, engineOf(options))
    : beforeCandidates(run, images, () => true, engineOf(options));
  // Without its switches a run waits for the ends of turns.
  const { quantum, cpus } = given.machine.configuration;
  const until = asked ?? 2 * run.lastInstant + 4 * cpus * quantum;
  const found = minimizeInputs(given, {
    until,
    conditions,
    endsAtReset: options.isOn("no-reboot"),
    ...expression === undefined ? {} : { keyOf: ({ held }: Outcome) => String(held[0]) },
    progress: (tries, inputs) => progress.note(`run ${grouped(tries)}, with ${counted(inputs, "input")}`),
  });
  progress.clear();
  const output = options.text("output");
  if (output !== undefined && found.kind === "found") {
    await record(opened, { kept: found.inputs, given, until, isTurns }, options, output, host, images);
  }
  host.stdout.write(
    options.isOn("json") ? resultJson(found) : resultText(found, expression, isTurns, output, host),
  );
  return found.kind === "found" ? 0 : 1;
}

function resultJson(found: Minimal): string {
  const replacer = (_key: string, value: unknown): unknown =>
    typeof value === "bigint"
      ? `0x${value.toString(16)}`
      : value instanceof Uint8Array
      ? value.toHex()
      : value;
  return `${JSON.stringify(found, replacer)}\n`;
}

function resultText(
  found: Minimal,
  expression: string | undefined,
  isTurns: boolean,
  output: string | undefined,
  host: Host,
): string {
  const palette = paletteFor(host.stdout), whens = expression === undefined ? [] : [expression];
  const noun = isTurns ? "switch" : "input",
    all = isTurns ? `${found.candidates} switches` : counted(found.candidates, noun);
  if (found.kind === "indifferent") {
    return `The run ends alike with its ${all} and with none: ${outcomeText(found.outcome, whens)}\n`;
  }
  const { inputs, outcome, without, tries } = found;
  const common = commonStart([outcome, without]);
  return [
    palette.bold(`${inputs.length} of ${all}`) +
    (inputs.length === 1
      ? " is enough, and cannot be left out"
      : " are enough, and none of them can be left out") +
    ` (${counted(tries, "run")}):`,
    ...inputs.map((input) => `  ${eventText(input, palette)}`),
    `with:     ${outcomeText(outcome, whens, common)}`,
    `without:  ${outcomeText(without, whens, common)}`,
    ...(output === undefined ? [] : [palette.dim(`hindsight replay --console ${output}`)]),
    "",
  ].join("\n");
}
