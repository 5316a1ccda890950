/** Progress of long work, on standard error when that is a terminal. */
import { counted, grouped } from "../text.ts";
import type { Host } from "./host.ts";

/** Milliseconds between two lines. */
const EVERY = 200;

/** One line that is written over: how far, how fast, how long still. */
export class Progress {
  readonly #isShown: boolean;
  #shownAt: number;
  #isOnScreen = false;
  #from: number | undefined;
  #started: number;

  /** Shows nothing when standard error is no terminal, or `isQuiet`. */
  constructor(private readonly host: Host, private readonly what: string, isQuiet = false) {
    this.#isShown = host.stderr.isTerminal && !isQuiet;
    this.#shownAt = this.#started = host.now();
  }

  /** The work has come to instant `at` of `end`. */
  update(at: number, end: number): void {
    const now = this.host.now();
    this.#from ??= at;
    if (!this.#isShown || now - this.#shownAt < EVERY) return;
    this.#shownAt = now;
    const rate = (at - this.#from) / Math.max(1, now - this.#started);
    const left = rate > 0 ? `, ${counted(Math.ceil((end - at) / rate / 1000), "second")} left` : "";
    this.#write(
      `${this.what}: ${grouped(at)} of ${grouped(end)}, ${(rate / 1000).toFixed(1)} M steps/s${left}`,
    );
  }

  /** Says what is being done, where it has no end to tell. */
  note(text: string): void {
    if (!this.#isShown || this.host.now() - this.#shownAt < EVERY) return;
    this.#shownAt = this.host.now();
    this.#write(`${this.what}: ${text}`);
  }

  #write(line: string): void {
    this.#isOnScreen = true;
    this.host.stderr.write(`\r\x1b[K${line}`);
  }

  /** Takes the line away. */
  clear(): void {
    if (this.#isOnScreen) this.host.stderr.write("\r\x1b[K");
    this.#isOnScreen = false;
  }
}
