/** What an operator can tell the consoles: to show another one, and what is at the line. */
import { InputRefusedError } from "../../../machine/errors.ts";
import { type ConsoleName, CONSOLES, type Encoding, ENCODINGS, parseSize, SIZES } from "./options.ts";

/** Operator's commands that wait. */
export const MOST_COMMANDS = 16;

/** Who carries commands out. */
export interface CommandedConsoles {
  /** Shows a console. */
  show(console: ConsoleName): void;
  /** A terminal, of which nothing is known, is at the line now; it is asked what it is, or not. */
  attach(identifies: boolean): void;
  /** Its characters are other ones. */
  encode(encoding: Encoding): void;
  /** All consoles have another size. */
  resize(size: { readonly columns: number; readonly rows: number }): void;
}

/** What a command does; undefined for what is none. */
function commandOf(
  consoles: CommandedConsoles,
  verb: string | undefined,
  word: string | undefined,
): (() => void) | undefined {
  const console = CONSOLES.find((name) => name === word), encoding = ENCODINGS.find((name) => name === word);
  const size = parseSize(word ?? "");
  if (verb === "switch" && console !== undefined) return () => consoles.show(console);
  if (verb === "attach" && word === undefined) return () => consoles.attach(false);
  if (verb === "identify" && word === undefined) return () => consoles.attach(true);
  if (verb === "encoding" && encoding !== undefined) return () => consoles.encode(encoding);
  return verb !== "resize" || size === undefined ? undefined : () => consoles.resize(size);
}

/** What the operator wants, as soon as a CPU is in the handler. */
export class WaitingCommands {
  #waiting: string[] = [];

  /** `consoles` carries them out. */
  constructor(private readonly slug: string, private readonly consoles: CommandedConsoles) {}

  /** Nothing waits. */
  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  /** Throws InputRefusedError for what is no command, cannot be done with the line as it is, or is one too many. */
  refuse([verb, word, ...rest]: readonly string[], shown: ConsoleName): void {
    const { slug } = this;
    if (rest.length > 0 || commandOf(this.consoles, verb, word) === undefined) {
      throw new InputRefusedError(
        `${slug} takes "switch ${CONSOLES.join("|")}", "attach", "identify", "encoding ${
          ENCODINGS.join("|")
        }" and ` +
          `"resize COLUMNSxROWS" from ${SIZES}`,
      );
    }
    if (verb !== "switch" && shown === "gdb") {
      throw new InputRefusedError(`The line is a debugger's: first "${slug} switch shell"`);
    }
    if (this.#waiting.length === MOST_COMMANDS) {
      throw new InputRefusedError(`${slug} has ${MOST_COMMANDS} commands to carry out already`);
    }
  }

  /** One that was not refused waits. */
  push(words: readonly string[]): void {
    this.#waiting.push(words.join(" "));
  }

  /** Carries out all that wait. */
  carryOut(): void {
    for (const command of this.#waiting.splice(0)) {
      const [verb, word] = command.split(" ");
      commandOf(this.consoles, verb, word)?.();
    }
  }

  /** Power-on state. */
  reset(): void {
    this.#waiting = [];
  }

  /** The state. */
  save(): string[] {
    return [...this.#waiting];
  }

  /** Restores what `save` gave. */
  restore(commands: readonly string[]): void {
    this.#waiting = [...commands];
  }
}
