/** The consoles of two runs after their first difference, line by line. */
import type { MachineEvent } from "../machine/events.ts";
import { hashText } from "./diff_kinds.ts";
import { matchEvents } from "./diff_match.ts";

/** A line that one run's console has and the other's has not. */
export interface ConsoleDifference {
  /** Which run has it. */
  readonly side: 0 | 1;
  /** The step that wrote its first byte, of those after the difference. */
  readonly instant: number;
  /** Its text. */
  readonly text: string;
}

/** How the lines of two consoles are related. */
export interface ConsoleComparison {
  /** Lines in both, numbers at their beginning in brackets (a kernel's times) left aside. */
  readonly equal: number;
  /** Lines only in the first, and only in the second. */
  readonly only: readonly [number, number];
  /** The first of those. */
  readonly differences: readonly ConsoleDifference[];
}

/** Lines kept of each run, and characters of each line. */
const MOST_LINES = 20_000, LONGEST = 512;
const LINE_FEED = 10, CARRIAGE_RETURN = 13;

interface Line {
  readonly instant: number;
  readonly text: string;
  readonly shape: number;
  readonly content: number;
}

/** `[    1.252892] ` at the beginning of a line of Linux. */
const KERNEL_TIME = /^\[ *\d+\.\d+\] ?/;

function lineOf(instant: number, bytes: readonly number[]): Line {
  const text = new TextDecoder().decode(Uint8Array.from(bytes));
  const content = hashText(text.replace(KERNEL_TIME, ""));
  return { instant, text, shape: content, content };
}

/** Gathers what one run writes on its consoles: the data registers of its UARTs. */
export class ConsoleText {
  /** The lines so far. */
  readonly lines: Line[] = [];
  #open = new Map<string, { instant: number; bytes: number[] }>();

  /** Looks at one event. */
  see(event: MachineEvent): void {
    if (event.kind !== "deviceWritten" || !event.device.startsWith("uart") || (event.address & 0xfff) !== 0) {
      return;
    }
    const byte = Number(event.value & 0xffn);
    let line = this.#open.get(event.device);
    if (line === undefined) this.#open.set(event.device, line = { instant: event.instant, bytes: [] });
    if (byte !== LINE_FEED && byte !== CARRIAGE_RETURN) line.bytes.push(byte);
    if (byte === LINE_FEED || line.bytes.length >= LONGEST) this.#close(event.device);
  }

  #close(device: string): void {
    const line = this.#open.get(device);
    this.#open.delete(device);
    if (line === undefined || line.bytes.length === 0 || this.lines.length >= MOST_LINES) return;
    this.lines.push(lineOf(line.instant, line.bytes));
  }

  /** Ends lines that are not. */
  finish(): void {
    for (const device of [...this.#open.keys()]) this.#close(device);
  }
}

/** Compares the lines of two consoles; gives at most `most` differences. */
export function compareConsoles(left: ConsoleText, right: ConsoleText, most: number): ConsoleComparison {
  for (const console of [left, right]) console.finish();
  const matches = matchEvents(left.lines, right.lines);
  const differences: ConsoleDifference[] = [];
  const add = (side: 0 | 1, { instant, text }: Line): void => {
    if (differences.length < most) differences.push({ side, instant, text });
  };
  let [a, b] = [0, 0];
  for (const [i, j] of [...matches, [left.lines.length, right.lines.length]] as const) {
    for (; a < i; a++) add(0, left.lines[a] as Line);
    for (; b < j; b++) add(1, right.lines[b] as Line);
    [a, b] = [i + 1, j + 1];
  }
  const only = [left.lines.length - matches.length, right.lines.length - matches.length] as const;
  return { equal: matches.length, only, differences };
}
