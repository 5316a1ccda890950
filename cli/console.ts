/** `hindsight console`: what a run wrote on its console, each line with its instant. */
import { Replay } from "../journal/replay.ts";
import { type Command, IMAGE_OPTIONS } from "./command.ts";
import { UsageError } from "./errors.ts";
import type { Host } from "./host/host.ts";
import { imagesOf, openRun } from "./host/open_run.ts";
import { Progress } from "./host/progress.ts";
import { type Options, refuseBefore } from "./options.ts";
import { ENGINE_OPTIONS, engineOf } from "./engine_options.ts";
import { replayTo } from "./replay.ts";
import { grouped, paletteFor } from "./text.ts";

const LINE_FEED = 0x0a, CARRIAGE_RETURN = 0x0d;
/** A guest that never ends a line does not fill memory. */
const LONGEST_LINE = 65536;

/** A line of the console, with the step that wrote its first byte. */
export interface ConsoleLine {
  /** That step. */
  readonly instant: number;
  /** Virtual time of that step, in nanoseconds. */
  readonly virtualTime: number;
  /** The CPU that took it. */
  readonly cpu: number;
  /** The bytes, their line feed included where it has come. */
  readonly bytes: Uint8Array;
}

/** Where a byte was written. */
type Place = Omit<ConsoleLine, "bytes">;

/** Cuts a console's bytes into lines. */
export class ConsoleLines {
  #place: Place | undefined;
  #bytes: number[] = [];

  /** Lines go to `take` as they end. */
  constructor(private readonly take: (line: ConsoleLine) => void) {}

  /** Adds a byte; `place` is asked where it was written when it is a line's first. */
  push(byte: number, place: () => Place): void {
    this.#place ??= place();
    this.#bytes.push(byte);
    if (byte === LINE_FEED || this.#bytes.length >= LONGEST_LINE) this.flush();
  }

  /** Takes what is there as a line. */
  flush(): void {
    if (this.#place === undefined) return;
    this.take({ ...this.#place, bytes: Uint8Array.from(this.#bytes) });
    this.#place = undefined;
    this.#bytes = [];
  }
}

/** A line's text without its end. */
function textOf({ bytes }: ConsoleLine): string {
  let end = bytes.length;
  if (bytes[end - 1] === LINE_FEED) end--;
  while (bytes[end - 1] === CARRIAGE_RETURN) end--;
  return new TextDecoder().decode(bytes.subarray(0, end));
}

/** Seconds with all nine decimals, so that columns stand. */
function timeText(virtualTime: number): string {
  const decimals = String(virtualTime % 1e9).padStart(9, "0");
  return `${Math.floor(virtualTime / 1e9)}.${decimals} s`.padStart(17);
}

/** How lines are printed, by the options. */
function printer(options: Options, host: Host): (line: ConsoleLine) => void {
  const { stdout } = host;
  const { dim } = paletteFor(stdout);
  if (options.isOn("json")) {
    return (line) => {
      const { instant, virtualTime, cpu } = line;
      stdout.write(`${JSON.stringify({ instant, virtualTime, cpu, text: textOf(line) })}\n`);
    };
  }
  const withInstants = options.isOn("instants"), withCpu = options.isOn("cpu");
  if (!withInstants && !withCpu) return ({ bytes }) => stdout.write(bytes);
  return (line) => {
    const place = [
      ...(withInstants ? [grouped(line.instant).padStart(15), timeText(line.virtualTime)] : []),
      ...(withCpu ? [`cpu${line.cpu}`] : []),
    ];
    stdout.write(`${dim(place.join("  "))}  ${textOf(line)}\n`);
  };
}

function run(options: Options, host: Host): number {
  const opened = openRun(options.others[0]!, host);
  const { firstInstant, lastInstant } = opened.run;
  const from = options.number("from"), to = options.number("to");
  refuseBefore("--from", from, firstInstant);
  refuseBefore("--to", to, firstInstant);
  if (from !== undefined && to !== undefined && to < from) {
    throw new UsageError(`--to ${to} comes before --from ${from}`);
  }
  const replay = new Replay(opened.run, imagesOf(opened, options), engineOf(options));
  const { machine } = replay;
  const lines = new ConsoleLines(printer(options, host));
  const place = (): Place => (
    { instant: machine.instant, virtualTime: machine.virtualTime, cpu: machine.currentCpu.index }
  );
  machine.board.transmitted = (byte) => {
    if (machine.instant >= (from ?? 0) && machine.instant < (to ?? Infinity)) lines.push(byte, place);
  };
  const progress = new Progress(host, "replaying", host.stdout.isTerminal);
  replayTo(replay, Math.min(to ?? lastInstant, lastInstant), progress);
  if ((to ?? Infinity) > lastInstant) replay.runToEnd();
  progress.clear();
  lines.flush();
  return 0;
}

/** The command. */
export const consoleCommand: Command = {
  operands: ["RUN"],
  details:
    "Derived by replaying. With --instants each line begins with the step that wrote its first byte and the\n" +
    "virtual time there, for `state --at` and `events --from`; with --json each line is an object.",
  examples: [
    "deno task hindsight console u.hindsight",
    "deno task hindsight console u.hindsight --instants --cpu --from 1000000 --to 9000000",
  ],
  options: [
    { name: "instants", help: "begin each line with its instant and its virtual time" },
    { name: "cpu", help: "and with the CPU that wrote it" },
    { name: "from", value: "N", help: "from this instant on" },
    { name: "to", value: "N", help: "before this instant" },
    ...ENGINE_OPTIONS,
    ...IMAGE_OPTIONS,
  ],
  run,
};
