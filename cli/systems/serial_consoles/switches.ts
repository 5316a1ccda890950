/** Random switches while vi and top run: after each, a terminal that saw only the line's bytes shows what the console's cells are. */
import { fork } from "../../../journal/fork.ts";
import { JournalReader } from "../../../journal/file.ts";
import type { Recorder } from "../../../journal/recorder.ts";
import { RecordedRun } from "../../../journal/run.ts";
import { MemoryFile } from "../../../journal/storage.ts";
import { serialConsolesOf } from "../../../hypervisor/systems/serial_consoles/system.ts";
import type { VirtualConsole } from "../../../hypervisor/systems/serial_consoles/virtual_console.ts";
import { seeded } from "../random.ts";
import type { CheckContext, CheckOutcome, Recorded } from "../scenario.ts";
import { debian, keys, LOG_PROMPT, SHELL_PROMPT, typed } from "./debian.ts";
import { differences, normalGrid, TmuxTerminal } from "./tmux.ts";

const COUNTS = { quick: 150, all: 10_000 } as const;
/** Steps between two inputs, at most. */
const APART = 24_000;
/** Pictures that are compared at once. */
const BATCH = 50;
const SEED = 20;

/** What is typed in vi: motions, inserts, deletes, undo; and in top: other orders. */
// deno-fmt-ignore
const VI_KEYS = [
  "j", "k", "l", "h", "5j", "G", "1G", "\x04", "\x15", "\x06", "w", "b", "dd", "yy", "p", "P", "x", "u", "o new line\x1b", "A more\x1b",
  "iab\tcd\x1b", "J", "\x1b[A", "\x1b[B", "0", "$", "\x0c", "/7\r", "n",
];
const TOP_KEYS = ["P", "M", "N", "T", " "];
/** Console keys, and what is no switch: each ends up in a program that does nothing with it. */
const SWITCHES = ["1", "2", "3"];

/** What the line's terminal is to show, and the bytes that came before. */
interface Picture {
  readonly bytes: number[];
  readonly rows: readonly string[];
  readonly x: number;
  readonly y: number;
  readonly isCursorVisible: boolean;
  readonly what: string;
}

/** Gathers pictures from a machine. */
class Camera {
  #bytes: number[] = [];
  pictures: Picture[] = [];
  switches = 0;
  sent = 0;

  constructor({ machine }: Recorder) {
    machine.board.transmitted = (byte) => void this.#bytes.push(byte);
    const system = serialConsolesOf(machine.board.monitors);
    if (system === undefined) throw new Error("the machine has no consoles");
    system.watcher = {
      painted: (console, isAll) => {
        if (isAll) this.#take(console, `${console.name} at instant ${machine.instant}`);
      },
    };
  }

  #take(console: VirtualConsole, what: string): void {
    const { grid, x, y, modes } = console.view();
    this.sent += this.#bytes.length;
    this.pictures.push({
      bytes: this.#bytes,
      rows: normalGrid(grid),
      x,
      y,
      isCursorVisible: modes.cursorVisible,
      what,
    });
    this.#bytes = [];
  }
}

/** Compares pictures with the terminal, in order; what differs. */
async function compare(terminal: TmuxTerminal, pictures: readonly Picture[]): Promise<string[]> {
  const failures: string[] = [];
  for (const { bytes, rows, x, y, isCursorVisible, what } of pictures) {
    await terminal.feed(Uint8Array.from(bytes));
    const shown = await terminal.shown();
    failures.push(...differences(rows, shown.rows).map((line) => `${what}: ${line}`));
    const isPlaced = !isCursorVisible || shown.x === x && shown.y === y;
    if (shown.isCursorVisible !== isCursorVisible || !isPlaced) {
      failures.push(`${what}: cursor ${x},${y}, the other ${shown.x},${shown.y}, ${shown.isCursorVisible}`);
    }
  }
  return failures;
}

/** Debian with vi on the first port and top on the second. */
async function programs(context: CheckContext): Promise<Recorded> {
  return await context.record(debian(context, {
    name: "programs",
    script: [
      `expect "${SHELL_PROMPT}"`,
      typed("dmesg > /tmp/f; seq 1 300 >> /tmp/f; vi /tmp/f\r"),
      'expect "/tmp/f"',
      keys("1"),
      `expect "${LOG_PROMPT}"`,
      typed("top -d 1\r"),
      'expect "Load average"',
      'expect "top -d 1"',
      "power cut",
    ],
  }));
}

/** A random input. */
function input(draw: (bound: number) => number, shown: string): string {
  const kind = draw(10);
  if (kind < 6) return `\x07\x02${SWITCHES[draw(3)]}`;
  if (kind === 6) return ["\x07\x02", "\x07"][draw(2)] as string;
  if (shown === "shell") return VI_KEYS[draw(VI_KEYS.length)] as string;
  return shown === "log" ? TOP_KEYS[draw(TOP_KEYS.length)] as string : "r";
}

/** The check. */
export async function checkSwitches(context: CheckContext): Promise<CheckOutcome> {
  const terminal = await TmuxTerminal.open(80, 25);
  try {
    const parent = await programs(context);
    const wanted = context.all ? COUNTS.all : COUNTS.quick, sink = new MemoryFile();
    context.progress("replaying to where vi and top run");
    const { recorder } = fork(
      parent.run,
      parent.images,
      parent.end.instant - 1,
      sink,
      context.machineOptions(),
    );
    const camera = new Camera(recorder), random = seeded(SEED);
    const draw = (bound: number): number => random.next().value % bound;
    const system = serialConsolesOf(recorder.machine.board.monitors)!;
    const encoder = new TextEncoder(), failures: string[] = [];
    // A terminal that comes now knows nothing of before.
    recorder.submit({ kind: "monitorCommanded", level: 2, command: "serial-consoles attach" });
    let compared = 0, inputs = 0;
    while (compared < wanted && failures.length < 5) {
      recorder.run(recorder.machine.instant + 1 + draw(APART));
      recorder.submit({ kind: "consoleReceived", bytes: encoder.encode(input(draw, system.shown)) });
      inputs++;
      if (camera.pictures.length < BATCH) continue;
      const pictures = camera.pictures.splice(0);
      failures.push(...await compare(terminal, pictures));
      compared += pictures.length;
      context.progress("repaints compared", compared, wanted);
      await context.breathe();
    }
    recorder.run(recorder.machine.instant + APART);
    const end = recorder.finish("operator", 0, false);
    const run = new RecordedRun(JournalReader.open(sink));
    const recorded = { ...parent, path: undefined, run, end } as unknown as Recorded;
    failures.push(
      ...await context.replayOn(recorded, context.all ? ["threaded", "compiled"] : [context.engine]),
    );
    const bytes = Math.round(camera.sent / compared);
    return {
      failures,
      figures: {
        repaints: compared,
        "cells that differ": failures.length,
        inputs,
        "bytes a repaint": bytes,
        seed: SEED,
      },
    };
  } finally {
    await terminal.close();
  }
}
