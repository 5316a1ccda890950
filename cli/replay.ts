/** `hindsight replay`: runs a recorded run again and checks that it is the same. */
import type { Costs } from "../journal/costs.ts";
import { DivergenceError, Replay } from "../journal/replay.ts";
import { COSTS_OPTION, costsOf, costsText, costsValue } from "./costs.ts";
import { type Command, IMAGE_OPTIONS, SYMBOL_OPTIONS } from "./command.ts";
import { ENGINE_OPTIONS, engineOf } from "./engine_options.ts";
import { imagesOf, openRun } from "./host/open_run.ts";
import { Progress } from "./host/progress.ts";
import { symbolsOf } from "./host/symbol_files.ts";
import type { Options } from "./options.ts";
import type { Host } from "./host/host.ts";
import { counted, grouped, paletteFor, secondsText } from "./text.ts";

/** Steps between two looks at the clock. */
export const REPLAY_SLICE: number = 1 << 17;

/** Runs a replay to `target`, telling how far it is. */
export function replayTo(replay: Replay, target: number, progress: Progress): void {
  while (replay.instant < target) {
    replay.runTo(Math.min(target, replay.instant + REPLAY_SLICE));
    progress.update(replay.instant, target);
  }
}

function run(options: Options, host: Host): number {
  const symbols = symbolsOf(options);
  const opened = openRun(options.others[0]!, host);
  const showsConsole = options.isOn("console");
  const costs = costsOf(options, host);
  const replay = new Replay(opened.run, imagesOf(opened, options), { ...engineOf(options), costs });
  const progress = new Progress(host, "replaying", showsConsole);
  let written: number[] = [];
  const show = (): void => {
    if (written.length > 0) host.stdout.write(Uint8Array.from(written));
    written = [];
  };
  if (showsConsole) {
    replay.machine.board.transmitted = (byte) => {
      written.push(byte);
      if (written.length >= 4096) show();
    };
  }
  try {
    replayTo(replay, opened.run.lastInstant, progress);
    replay.runToEnd();
  } catch (error) {
    if (!(error instanceof DivergenceError)) throw error;
    throw new DivergenceError(symbols.annotate(error.message), error.instant);
  } finally {
    progress.clear();
    show();
  }
  report(replay, options, host, costs);
  return 0;
}

function stepsText(firstInstant: number, lastInstant: number): string {
  const steps = counted(lastInstant - firstInstant, "step");
  return firstInstant === 0 ? steps : `${steps} from instant ${grouped(firstInstant)} on`;
}

function report(replay: Replay, options: Options, host: Host, costs: Costs | undefined): void {
  const { end, firstInstant, lastInstant } = replay.run;
  const stateRoot = replay.machine.stateRoot().root.toHex();
  const historyRoot = (end?.historyRoot ?? replay.historyRoot()).toHex();
  const { rootsChecked, machine: { virtualTime } } = replay;
  if (options.isOn("json")) {
    const value = {
      equal: true,
      complete: end !== undefined,
      instant: lastInstant,
      virtualTime,
      rootsChecked,
      stateRoot,
      historyRoot,
      ...(costs === undefined ? {} : { costs: costsValue(costs, replay.machine) }),
    };
    host.stdout.write(`${JSON.stringify(value)}\n`);
    return;
  }
  const output = options.isOn("console") ? host.stderr : host.stdout;
  const { green } = paletteFor(output);
  const up = end === undefined ? " up to where the recording was cut off" : "";
  output.write(
    `${green("Equal")}${up}: ${stepsText(firstInstant, lastInstant)}, ${
      secondsText(virtualTime)
    } of virtual time, ` +
      `${counted(rootsChecked, "root")} checked.\n` +
      `state root    ${stateRoot}\n` +
      `history root  ${historyRoot}\n`,
  );
  if (costs !== undefined) host.stderr.write(costsText(costs, replay.machine));
}

/** The command. */
export const replay: Command = {
  operands: ["RUN"],
  details:
    "Exits with 0 when the replay is the recorded run, with 1 naming the first instant known to differ\n" +
    "when it is not.",
  examples: ["deno task hindsight replay u.hindsight", "deno task hindsight replay u.hindsight --console"],
  options: [
    {
      name: "console",
      help: "what the guest wrote, on standard output; the result then goes to standard error",
    },
    ...ENGINE_OPTIONS,
    COSTS_OPTION,
    ...SYMBOL_OPTIONS,
    ...IMAGE_OPTIONS,
  ],
  run,
};
