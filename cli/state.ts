/** `hindsight state`: the machine at an instant. */
import { physicalAddress } from "../machine/address.ts";
import type { EventOf, MachineEvent } from "../machine/events.ts";
import type { Machine } from "../machine/machine.ts";
import { ALL_CLASSES } from "../journal/event_stream.ts";
import { Replay } from "../journal/replay.ts";
import type { RecordedRun } from "../journal/run.ts";
import { type Command, IMAGE_OPTIONS, SYMBOL_OPTIONS } from "./command.ts";
import { cpuJson, cpuText } from "./cpu_view.ts";
import { UsageError } from "./errors.ts";
import { eventJson, whatText } from "./event_text.ts";
import type { Host } from "./host/host.ts";
import { imagesOf, openRun } from "./host/open_run.ts";
import { Progress } from "./host/progress.ts";
import { symbolsOf } from "./host/symbol_files.ts";
import { type Options, refuseOutside, wholeNumber } from "./options.ts";
import { ENGINE_OPTIONS, engineOf } from "./engine_options.ts";
import { replayTo } from "./replay.ts";
import type { SymbolTable } from "./symbols.ts";
import { grouped, hexDump, paletteFor, secondsText } from "./text.ts";

/** Most bytes of one dump. */
const LONGEST_DUMP = 1 << 20;

/** Physical memory asked for. */
interface Dump {
  readonly address: number;
  readonly bytes: Uint8Array;
}

function dumpOf(text: string, { board: { memory } }: Machine): Dump {
  const [address = "", length = "64"] = text.split(",");
  const at = wholeNumber(address, "--memory ADDRESS", 0, 2 ** 52 - 1);
  const size = wholeNumber(length, "--memory LENGTH", 1, LONGEST_DUMP);
  if (memory.hostOffset(physicalAddress(at), size) < 0) {
    throw new UsageError(`--memory ${text}: the machine has no memory there; RAM begins at 0x40000000`);
  }
  return { address: at, bytes: memory.viewBytes(physicalAddress(at), size) };
}

/** What happens next: the step at this instant with the events before it; empty at the end of the run. */
function nextStep(replay: Replay): MachineEvent[] {
  if (replay.instant >= replay.run.lastInstant) return [];
  const events: MachineEvent[] = [];
  replay.machine.board.events.add({ classes: ALL_CLASSES, observe: (event) => void events.push(event) });
  replay.runTo(replay.instant + 1);
  return events;
}

function instantOf(options: Options, run: RecordedRun): number {
  const at = options.number("at");
  if (at === undefined) throw new UsageError("state needs an instant: --at N");
  refuseOutside("--at", at, run);
  return at;
}

/** The state as text or JSON, taken before the machine goes on. */
function describe(
  replay: Replay,
  options: Options,
  symbols: SymbolTable,
  host: Host,
): (next: MachineEvent[]) => string {
  const { machine } = replay;
  const palette = paletteFor(host.stdout);
  const dumps = options.texts("memory").map((text) => dumpOf(text, machine));
  const stateRoot = machine.stateRoot().root.toHex();
  const { instant, virtualTime, currentCpu, board: { cpus } } = machine;
  if (options.isOn("json")) {
    const value = {
      instant,
      virtualTime,
      stateRoot,
      current: currentCpu.index,
      cpus: cpus.map((cpu) => cpuJson(cpu, symbols)),
      memory: dumps.map(({ address, bytes }) => ({ address, bytes: bytes.toHex() })),
    };
    return (next) =>
      JSON.stringify({ ...value, next: next.map((event) => JSON.parse(eventJson(event, symbols))) });
  }
  const lines = [
    `${palette.bold(`instant ${grouped(instant)}`)}  virtual time ${
      secondsText(virtualTime)
    }  turn of cpu${currentCpu.index}`,
    `state root  ${stateRoot}`,
    "",
    ...cpus.map((cpu) => `${cpuText(cpu, palette, symbols)}\n`),
    ...dumps.map(({ address, bytes }) => `${hexDump(address, bytes)}\n`),
  ];
  return (next) => {
    const shown = next.map((event) =>
      `${palette.bold("next")}  cpu${event.cpu}  ${whatText(event, palette, symbols)}`
    );
    return [...lines, ...shown.length > 0 ? shown : ["This is the end of the run."]].join("\n");
  };
}

function run(options: Options, host: Host): number {
  const symbols = symbolsOf(options);
  const opened = openRun(options.others[0]!, host);
  const at = instantOf(options, opened.run);
  const replay = new Replay(opened.run, imagesOf(opened, options), engineOf(options));
  const progress = new Progress(host, "replaying");
  replay.skipTo(at);
  replayTo(replay, at, progress);
  progress.clear();
  const text = describe(replay, options, symbols, host);
  host.stdout.write(`${text(nextStep(replay))}\n`);
  return 0;
}

/** The event of the step itself among those of an instant. */
export function stepAmong(events: readonly MachineEvent[]): EventOf<"stepRetired"> | undefined {
  return events.find((event): event is EventOf<"stepRetired"> => event.kind === "stepRetired");
}

/** The command. */
export const state: Command = {
  operands: ["RUN"],
  details:
    "The state at instant N is the one after N steps, before timers, inputs and interrupts are looked at.\n" +
    "System and vector registers that are zero are left out, but for --json.",
  examples: ["deno task hindsight state u.hindsight --at 1000000 --memory 0x40000000,64"],
  options: [
    { name: "at", value: "N", help: "the instant" },
    {
      name: "memory",
      value: "ADDR[,LEN]",
      repeats: true,
      help: "physical memory as CPUs see it, 64 bytes or LEN",
    },
    ...ENGINE_OPTIONS,
    ...SYMBOL_OPTIONS,
    ...IMAGE_OPTIONS,
  ],
  run,
};
