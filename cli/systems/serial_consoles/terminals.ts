/** The terminal and the painter against tmux, on random output; and what a terminal answers to being asked what it is. */
import { Painter } from "../../../hypervisor/terminal/painter.ts";
import { Identification } from "../../../hypervisor/systems/serial_consoles/identification.ts";
import { Terminal } from "../../../hypervisor/terminal/terminal.ts";
import { seeded } from "../random.ts";
import type { CheckContext, CheckOutcome } from "../scenario.ts";
import { output, wildOutput } from "./terminal_fuzz.ts";
import { differences, normalGrid, type Shown, TmuxTerminal } from "./tmux.ts";

const COUNTS = { quick: 400, all: 10_000 } as const;
const SEED = 2020;

function cursorDiffers({ screen }: Terminal, { x, y, isCursorVisible }: Shown): boolean {
  const { cursorVisible } = screen.modes;
  return isCursorVisible !== cursorVisible || cursorVisible && (x !== screen.x || y !== screen.y);
}

/** Writes on terminals and compares, over and over; `write` returns what tmux gets. */
async function compareAll(
  context: CheckContext,
  counted: "looks" | "attributes",
  draw: (draw: (bound: number) => number) => string,
  write: (terminal: Terminal, text: string) => Uint8Array,
): Promise<CheckOutcome> {
  const tmux = await TmuxTerminal.open(80, 25), terminal = new Terminal({ columns: 80, rows: 25 });
  const random = seeded(SEED), failures: string[] = [], count = context.all ? COUNTS.all : COUNTS.quick;
  let bytes = 0;
  try {
    for (let at = 0; at < count && failures.length < 5; at++) {
      const text = draw((bound) => random.next().value % bound), sent = write(terminal, text);
      bytes += sent.length;
      await tmux.feed(sent);
      const shown = await tmux.shown(counted);
      const found = differences(normalGrid(terminal.screen.grid, counted), shown.rows);
      if (cursorDiffers(terminal, shown)) {
        found.push(`cursor ${terminal.screen.x},${terminal.screen.y}, the other ${shown.x},${shown.y}`);
      }
      failures.push(...found.map((line) => `after ${JSON.stringify(text)} (number ${at}): ${line}`));
      if (at % 100 === 0) {
        context.progress("screens compared", at, count);
        await context.breathe();
      }
    }
  } finally {
    await tmux.close();
  }
  return { failures, figures: { screens: count, bytes, seed: SEED } };
}

/** The terminal itself: the same bytes to both. */
export function checkTerminal(context: CheckContext): Promise<CheckOutcome> {
  return compareAll(context, "attributes", output, (terminal, text) => {
    const bytes = new TextEncoder().encode(text);
    terminal.write(bytes);
    return bytes;
  });
}

/** The painter: tmux gets what the painter makes of what is on the terminal, byte by byte, and nothing else. */
export function checkPainter(context: CheckContext): Promise<CheckOutcome> {
  let out: number[] = [];
  const painter = new Painter(80, 25, (bytes) => void out.push(...bytes));
  painter.attach(80, 25);
  return compareAll(context, "looks", wildOutput, (terminal, text) => {
    for (const byte of new TextEncoder().encode(text)) {
      terminal.push(byte);
      const { screen } = terminal, { grid, x, y, modes, scrolled } = screen;
      const rows = scrolled === "many" ? undefined : grid.changed;
      painter.paint({ grid, x, y, modes, ...typeof scrolled === "object" && { scrolled } }, rows);
      grid.changed.clear();
      screen.scrolled = "none";
    }
    const sent = Uint8Array.from(out);
    out = [];
    return sent;
  });
}

/** tmux is asked what it is, by the bytes that the monitor sends; its answers are read as the monitor reads them. */
export async function checkIdentification(): Promise<CheckOutcome> {
  const tmux = await TmuxTerminal.open(80, 25);
  try {
    const identification = new Identification();
    await tmux.feed(identification.begin());
    for (let tries = 0; tries < 500 && !tmux.replies().endsWith("c"); tries++) await tmux.shown();
    const passed = [...tmux.replies()].flatMap((character) => identification.push(character.charCodeAt(0)));
    const isWaiting = identification.isWaiting, { identity } = identification.end();
    const failures: string[] = [];
    if (passed.length > 0) failures.push(`its answers were taken for typing: ${JSON.stringify(passed)}`);
    if (isWaiting || identity.isUtf8 !== true || !identity.terminal.startsWith("?")) {
      failures.push(`tmux is taken for ${JSON.stringify(identity)} from ${JSON.stringify(tmux.replies())}`);
    }
    return { failures, figures: { terminal: identity.terminal, "UTF-8": String(identity.isUtf8) } };
  } finally {
    await tmux.close();
  }
}
