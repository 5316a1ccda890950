/** What was written on a run's consoles, byte by byte with its instant: screens as they were, texts by where they were printed. */
import type { Machine } from "../machine/machine.ts";
import { serialConsolesOf } from "../hypervisor/systems/serial_consoles/system.ts";
import { Parser } from "../hypervisor/terminal/parser.ts";
import { Terminal } from "../hypervisor/terminal/terminal.ts";

/** The name of what went out on the machine's own console. */
export const LINE = "line";

/** Where a text was printed. */
export interface Printed {
  /** The console. */
  readonly console: string;
  /** The step that wrote its first byte. */
  readonly instant: number;
  /** The step that wrote its last one. */
  readonly lastInstant: number;
  /** Virtual time of the first step, in nanoseconds. */
  readonly virtualTime: number;
  /** The line it is in, without control functions. */
  readonly text: string;
}

const LINE_FEED = 0x0a, CARRIAGE_RETURN = 0x0d;

/** All that was written on one console. */
class Track {
  readonly bytes: number[] = [];
  readonly instants: number[] = [];
  readonly times: number[] = [];

  push(byte: number, { instant, virtualTime }: Machine): void {
    this.bytes.push(byte);
    this.instants.push(instant);
    this.times.push(virtualTime);
  }

  /** Bytes written before an instant. */
  countBefore(instant: number): number {
    let low = 0, high = this.instants.length;
    while (low < high) {
      const middle = low + high >>> 1;
      if ((this.instants[middle] as number) < instant) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The characters without control functions, and of each the byte that it ended with. */
  characters(): { text: string; at: number[] } {
    let text = "", place = 0;
    const at: number[] = [];
    const add = (character: string): void => {
      for (let unit = 0; unit < character.length; unit++) at.push(place);
      text += character;
    };
    const parser = new Parser({
      print: (code) => add(String.fromCodePoint(code)),
      execute: (control) => control === LINE_FEED ? add("\n") : undefined,
      escape: () => {},
      control: () => {},
    });
    for (place = 0; place < this.bytes.length; place++) parser.push(this.bytes[place] as number);
    return { text, at };
  }
}

/** The consoles of a run. */
export class ConsoleHistory {
  readonly #tracks = new Map<string, Track>([[LINE, new Track()]]);
  readonly #size: { columns: number; rows: number };

  /** Listens to a machine; who replays it then fills the history. */
  constructor(machine: Machine) {
    const track = (name: string): Track => {
      const known = this.#tracks.get(name) ?? new Track();
      this.#tracks.set(name, known);
      return known;
    };
    machine.board.transmitted = (byte) => track(LINE).push(byte, machine);
    const system = serialConsolesOf(machine.board.monitors);
    this.#size = { columns: 80, rows: 25 };
    if (system === undefined) return;
    const { columns, rows } = system.console("shell").terminal.screen;
    this.#size = { columns, rows };
    for (const name of ["shell", "log"]) track(name);
    system.watcher = { written: (name, byte) => track(name).push(byte, machine) };
  }

  /** The consoles by name: the machine's own line first, then those that share it. */
  get names(): string[] {
    return [...this.#tracks.keys()];
  }

  #track(name: string): Track {
    const track = this.#tracks.get(name);
    if (track === undefined) {
      throw new RangeError(`There is no console "${name}": there are ${this.names.join(", ")}`);
    }
    return track;
  }

  /** Bytes that a console has. Throws RangeError for one that there is not. */
  size(name: string): number {
    return this.#track(name).bytes.length;
  }

  /** A console as it was when the step at an instant was next. Throws RangeError for one that there is not. */
  at(name: string, instant: number): Terminal {
    const track = this.#track(name), terminal = new Terminal(this.#size);
    terminal.write(Uint8Array.from(track.bytes.slice(0, track.countBefore(instant))));
    return terminal;
  }

  /** What was written on a console, without control functions. Throws RangeError for one that there is not. */
  text(name: string): string {
    return this.#track(name).characters().text;
  }

  /** The instants at which lines of a console begin, in order. */
  lineStarts(name: string): number[] {
    const { bytes, instants } = this.#track(name), starts: number[] = [];
    for (let at = 0; at < bytes.length; at++) {
      const isStart = at === 0 || bytes[at - 1] === LINE_FEED && bytes[at] !== CARRIAGE_RETURN;
      if (isStart && starts.at(-1) !== instants[at]) starts.push(instants[at] as number);
    }
    return starts;
  }

  /** Where a text, or what an expression matches, was printed on a console, in order. */
  search(name: string, wanted: string | RegExp): Printed[] {
    const track = this.#track(name), { text, at } = track.characters();
    const found: Printed[] = [];
    const source = typeof wanted === "string" ? wanted.replace(/[.*+?^${}()|[\]\\]/g, "\\$&") : wanted.source;
    for (const match of text.matchAll(new RegExp(source, "gm"))) {
      const from = match.index, to = from + match[0].length;
      if (to === from) continue;
      const first = at[from] as number,
        start = text.lastIndexOf("\n", from - 1) + 1,
        end = text.indexOf("\n", from);
      found.push({
        console: name,
        instant: track.instants[first] as number,
        lastInstant: track.instants[at[to - 1] as number] as number,
        virtualTime: track.times[first] as number,
        text: text.slice(from === 0 ? 0 : start, end < 0 ? undefined : end),
      });
    }
    return found;
  }
}
