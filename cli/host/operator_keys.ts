/** The keys of a terminal: what goes to the guest, and what Ctrl-A keeps for the operator. */
import type { Input } from "../../machine/events.ts";
import { UsageError } from "../errors.ts";
import { ACTION_EXAMPLES, parseAction } from "../script.ts";

/** What the operator wants. */
export type OperatorWish =
  /** Hand over keys to the guest. */
  | { readonly kind: "keys"; readonly input: Input }
  /** Hand over what was typed at the prompt, and say what came of it. */
  | { readonly kind: "action"; readonly input: Input }
  /** End the recording. */
  | { readonly kind: "end" };

const CTRL_A = 0x01, CTRL_C = 0x03, BACKSPACE = 0x08, ENTER = 0x0d, LINE_FEED = 0x0a, CTRL_U = 0x15;
const ESCAPE = 0x1b, DELETE = 0x7f;

/** What is told after Ctrl-A h. */
export const OPERATOR_HELP: string = [
  "Ctrl-A x       end the recording",
  "Ctrl-A c       the operator's prompt, while the machine stands still; help there tells the rest",
  "Ctrl-A Ctrl-A  send Ctrl-A",
  "Ctrl-A h       this help",
].join("\r\n");

/** What `help` tells at the prompt. */
export const PROMPT_HELP: string = [
  ...ACTION_EXAMPLES,
  ["cont", "goes on with the run, as do an empty line, Ctrl-C and Ctrl-A"],
  ["help", "this text"],
].map(([example = "", help = ""]) => `  ${example.padEnd(24)}${help}`).join("\r\n");

const PROMPT = "(hindsight) ";

/** Tells keys for the guest from keys for the operator. */
export class OperatorKeys {
  #state: "guest" | "afterCtrlA" | "prompt" = "guest";
  #line = "";

  /** Echo of what is typed at the prompt, and messages, go to `echo`. */
  constructor(private readonly echo: (text: string) => void) {}

  /** A command is being typed: the machine is to stand still. */
  get isPrompting(): boolean {
    return this.#state === "prompt";
  }

  /** Takes keys as they come and returns what they ask for, in order. */
  push(bytes: Uint8Array): OperatorWish[] {
    const wishes: OperatorWish[] = [];
    let toGuest: number[] = [];
    const send = (): void => {
      if (toGuest.length === 0) return;
      wishes.push({ kind: "keys", input: { kind: "consoleReceived", bytes: Uint8Array.from(toGuest) } });
      toGuest = [];
    };
    for (const byte of bytes) {
      if (this.#state === "guest" && byte !== CTRL_A) toGuest.push(byte);
      else if (this.#state === "guest") this.#state = "afterCtrlA";
      else if (this.#state === "afterCtrlA" && byte === CTRL_A) {
        this.#state = "guest";
        toGuest.push(byte);
      } else {
        send();
        wishes.push(...this.#state === "prompt" ? this.#typed(byte) : this.#chosen(byte));
      }
    }
    send();
    return wishes;
  }

  /** Asks for the next line, if the prompt is still open: to be called when the outcome of an action was told. */
  prompt(): void {
    if (!this.isPrompting) return;
    this.echo(PROMPT + this.#line);
  }

  /** The key after Ctrl-A. */
  #chosen(byte: number): OperatorWish[] {
    this.#state = "guest";
    switch (String.fromCharCode(byte).toLowerCase()) {
      case "x":
        return [{ kind: "end" }];
      case "c":
        this.#state = "prompt";
        this.echo("\r\n");
        this.prompt();
        return [];
      default:
        this.echo(`\r\n${OPERATOR_HELP}\r\n`);
        return [];
    }
  }

  /** A key at the prompt. */
  #typed(byte: number): OperatorWish[] {
    if (byte === ENTER || byte === LINE_FEED) return this.#entered();
    if (byte === CTRL_C || byte === ESCAPE || byte === CTRL_A) {
      this.echo("\r\n");
      this.#line = "";
      this.#state = byte === CTRL_A ? "afterCtrlA" : "guest";
    } else if (byte === BACKSPACE || byte === DELETE) {
      if (this.#line !== "") this.echo("\b \b");
      this.#line = this.#line.slice(0, -1);
    } else if (byte === CTRL_U) {
      this.echo("\b \b".repeat(this.#line.length));
      this.#line = "";
    } else if (byte >= 0x20 && byte < DELETE) {
      this.#line += String.fromCharCode(byte);
      this.echo(String.fromCharCode(byte));
    }
    return [];
  }

  #entered(): OperatorWish[] {
    const line = this.#line.trim();
    this.#line = "";
    this.echo("\r\n");
    if (line === "" || line === "cont") {
      this.#state = "guest";
      return [];
    }
    if (line === "help") {
      this.echo(`${PROMPT_HELP}\r\n`);
      this.prompt();
      return [];
    }
    try {
      const input = parseAction(line);
      // After it there is nothing to go on with.
      if (input.kind === "powerCut") this.#state = "guest";
      return [{ kind: "action", input }];
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      this.echo(`${error.message}; help tells what there is\r\n`);
      this.prompt();
      return [];
    }
  }
}
