/** A script as it is carried out: which inputs are due, and what is still waited for. */
import type { Input } from "../machine/events.ts";
import { ConsoleMatcher } from "./console_matcher.ts";
import type { Script, Statement, TimedInput } from "./script.ts";

/** An input whose turn has come. */
export interface DueInput {
  /** What to hand over. */
  readonly input: Input;
  /** Where the script says so, such as `boot.script:3`. */
  readonly place: string;
  /** Virtual time at which it comes when the machine waits then, in nanoseconds; now by default. */
  readonly virtualTime?: number;
  /** When the machine refuses it, the run goes on without it. */
  readonly mayBeLeftOut?: boolean;
}

const NO_SCRIPT: Script = { name: "", statements: [], timed: [] };

/** Follows a script; sees the console's output byte by byte and never the clock. */
export class ScriptRun {
  readonly #script: Script;
  readonly #endText: string | undefined;
  readonly #due: DueInput[] = [];
  #next = 0;
  #nextTimed = 0;
  #matcher: ConsoleMatcher | undefined;
  #isEnded = false;

  /** Takes a script, and the text that ends the run when the console writes it after the script's last `expect`. */
  constructor(script: Script = NO_SCRIPT, endText?: string) {
    this.#script = script;
    this.#endText = endText;
    this.#advance();
  }

  #place({ line }: { readonly line: number }): string {
    return `${this.#script.name}:${line}`;
  }

  get #statement(): Statement | undefined {
    return this.#script.statements[this.#next];
  }

  get #timed(): TimedInput | undefined {
    return this.#script.timed[this.#nextTimed];
  }

  /** Goes on to the next text to wait for; the inputs before it are due. */
  #advance(): void {
    for (let statement = this.#statement; statement?.kind === "input"; statement = this.#statement) {
      this.#due.push({ input: statement.input, place: this.#place(statement) });
      this.#next++;
    }
    const text = this.#statement?.kind === "expect" ? this.#statement.text : this.#endText;
    this.#matcher = text === undefined || this.#isEnded ? undefined : new ConsoleMatcher(text);
  }

  /** Takes a byte that the console wrote; true when it completes a text, so that the machine is to stop after the step. */
  consoleByte(byte: number): boolean {
    if (this.#matcher?.push(byte) !== true) return false;
    if (this.#statement === undefined) this.#isEnded = true;
    else this.#next++;
    this.#advance();
    return true;
  }

  /** Takes the inputs that are due at `instant`: those whose turn has come, then those for that very instant. */
  takeDue(instant: number): DueInput[] {
    const due = this.#due.splice(0);
    for (let timed = this.#timed; timed !== undefined && timed.instant <= instant; timed = this.#timed) {
      due.push(this.#take(timed));
    }
    return due;
  }

  #take(timed: TimedInput): DueInput {
    this.#nextTimed++;
    const { input, repeated } = timed;
    return repeated === undefined
      ? { input, place: this.#place(timed) }
      : { input, ...repeated, mayBeLeftOut: true };
  }

  /** Takes the next input if it was given to another run: for a machine that would wait for ever otherwise. */
  takeRepeated(): DueInput | undefined {
    const timed = this.#timed;
    return timed?.repeated === undefined ? undefined : this.#take(timed);
  }

  /** The instant of the next input that has one, or Infinity: the machine must stop there. */
  get nextInstant(): number {
    return this.#timed?.instant ?? Infinity;
  }

  /** Whether the text that ends the run has come. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** What the script still waits for, as a clause behind its place; undefined when all is done. */
  get unfinished(): string | undefined {
    const [due] = this.#due;
    if (due !== undefined) return `${due.place}: the input could not be delivered`;
    const statement = this.#statement;
    if (statement?.kind === "expect") {
      return `${this.#place(statement)}: ${JSON.stringify(statement.text)} never came`;
    }
    const timed = this.#script.timed.slice(this.#nextTimed).find(({ repeated }) => repeated === undefined);
    if (timed !== undefined) return `${this.#place(timed)}: instant ${timed.instant} was not reached`;
    if (this.#endText === undefined || this.#isEnded) return undefined;
    return `--until-console: ${JSON.stringify(this.#endText)} never came`;
  }
}
