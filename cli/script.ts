/** The script language: what to wait for on the console, what to type, and what to do at exact instants. */
import { hex } from "../machine/address.ts";
import type { Input } from "../machine/events.ts";
import { UsageError } from "./errors.ts";
import { suggestion } from "./suggest.ts";
import { counted } from "./text.ts";

/** One line of a script, in the order in which lines take their turn. */
export type Statement =
  /** Wait until the console has written a text, counted from behind the last one that was waited for. */
  | { readonly kind: "expect"; readonly line: number; readonly text: string }
  /** Hand an input to the machine. */
  | { readonly kind: "input"; readonly line: number; readonly input: Input };

/** An input for an exact instant. */
export interface TimedInput {
  /** Number of the line, from 1. */
  readonly line: number;
  /** Steps of the whole machine before it. */
  readonly instant: number;
  /** What is handed over. */
  readonly input: Input;
  /** What was given to another run, and where: it comes at this virtual time, is left out when it is refused, and need not come. */
  readonly repeated?: { readonly place: string; readonly virtualTime: number };
}

/** A script that was read. */
export interface Script {
  /** Its file, for messages. */
  readonly name: string;
  /** Lines that take turns: each is reached when those before are done. */
  readonly statements: readonly Statement[];
  /** Lines that begin with `at`, by instant; equal instants stay in the order of lines. */
  readonly timed: readonly TimedInput[];
}

/** Longest input of bytes. */
const MAX_BYTES = 65536;
const MAX_ADDRESS = 2n ** 52n - 1n;

/** Reads one line, word by word. */
class LineReader {
  #at = 0;
  constructor(readonly text: string, private readonly fail: (column: number, message: string) => UsageError) {
    this.#skip();
  }

  /** Spaces, and a comment up to the end. */
  #skip(): void {
    this.#at += /^\s*(#.*)?/.exec(this.text.slice(this.#at))![0].length;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.text.length;
  }

  /** The error of this line, at the place reached. */
  error(message: string, at = this.#at): UsageError {
    return this.fail(at + 1, message);
  }

  /** Takes what `pattern` matches here, and the space after it; `what` is told when there is nothing such. */
  take(pattern: RegExp, what: string): { text: string; at: number } {
    const at = this.#at;
    const found = pattern.exec(this.text.slice(at))?.[0];
    if (found === undefined) {
      const rest = /^\S+/.exec(this.text.slice(at))?.[0];
      throw this.error(`expected ${what}${rest === undefined ? "" : `, found ${rest}`}`);
    }
    this.#at += found.length;
    this.#skip();
    return { text: found, at };
  }

  /** One of the words of a table. */
  choice<T>(table: Readonly<Record<string, T>>): T {
    const names = Object.keys(table);
    const { text, at } = this.take(/^[^\s"#]+/, names.join(", "));
    if (Object.hasOwn(table, text)) return table[text] as T;
    throw this.error(`there is no "${text}": write ${names.join(", ")}${suggestion(text, names)}`, at);
  }

  word(word: string): void {
    this.take(new RegExp(`^${word}(?![^\\s#])`), `"${word}"`);
  }

  /** A text in double quotes with the escapes of JSON; not empty. */
  string(): string {
    const { text, at } = this.take(/^"(?:[^"\\]|\\.)*"/, "a text in double quotes");
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      throw this.error(`${text} is no JSON string: use \\r, \\n, \\t, \\", \\\\ or \\u001b`, at);
    }
    if (value === "") throw this.error("the text is empty", at);
    return value as string;
  }

  /** An unsigned number, decimal or after 0x hexadecimal, with _ between digits where wanted. */
  number(what: string, maximum: bigint): bigint {
    const { text, at } = this.take(/^(0x[0-9a-f_]*[0-9a-f]|[0-9][0-9_]*)(?![^\s#])/i, what);
    const value = BigInt(text.replaceAll("_", ""));
    if (value > maximum) throw this.error(`${what} is at most ${maximum}`, at);
    return value;
  }

  end(): void {
    if (!this.isAtEnd) this.take(/^$/, "the end of the line");
  }
}

function bytesOf(line: LineReader): Uint8Array {
  const bytes = new TextEncoder().encode(line.string());
  if (bytes.length > MAX_BYTES) throw line.error(`one input has at most ${MAX_BYTES} bytes`);
  return bytes;
}

function cpuNumber(line: LineReader): number {
  return Number(line.number("a CPU's number", 255n));
}

/** `3/2`, `2` or `0.5`. */
function scale(line: LineReader): { numerator: number; denominator: number } {
  const { text, at } = line.take(/^[0-9]+(\/[0-9]+|\.[0-9]+)?(?![^\s#])/, "a ratio such as 3/2 or 0.5");
  const [whole = "", decimals = ""] = text.split(".");
  const [numerator, denominator] = text.includes("/")
    ? text.split("/").map(Number)
    : [Number(whole + decimals), 10 ** decimals.length];
  const fits = (value: number | undefined): value is number => value !== undefined && value < 2 ** 32;
  if (!fits(numerator) || !fits(denominator) || denominator === 0) {
    throw line.error("a ratio is of two numbers below 2^32, the second not 0", at);
  }
  return { numerator, denominator };
}

/** The width follows from the hexadecimal digits: 2, 4, 8 or 16 of them; a decimal number has 8 bytes. */
function frameBytes(line: LineReader): Uint8Array {
  const { text } = line.take(/^0x([0-9a-f]{2}){1,1514}(?![^\s#])/i, "0x and 1 to 1514 bytes in hexadecimal");
  return Uint8Array.from(text.slice(2).match(/../g) ?? [], (digits) => parseInt(digits, 16));
}

function pokedBytes(line: LineReader): Uint8Array {
  const { text, at } = line.take(/^(0x[0-9a-f]+|[0-9]+)(?![^\s#])/i, "a value");
  const digits = /^0x/i.test(text) ? text.length - 2 : 16;
  if (![2, 4, 8, 16].includes(digits)) {
    throw line.error(
      "the value's digits say its width: write 2, 4, 8 or 16 of them after 0x, for 1, 2, 4 or 8 bytes",
      at,
    );
  }
  const value = BigInt(text);
  if (value >= 2n ** 64n) throw line.error("the value has more than 64 bits", at);
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value, true);
  return bytes.slice(0, digits / 2);
}

/** Something that can be done to the machine. */
interface Action {
  /** Reads what stands behind the first word. */
  readonly read: (line: LineReader) => Input;
  /** A line to try. */
  readonly example: string;
  /** What the example does. */
  readonly help: string;
}

/** What can be done to the machine, by the first word. */
const ACTIONS: Readonly<Record<string, Action>> = {
  send: {
    example: 'send "version\\r"',
    help: "types on the console; \\r is Enter",
    read: (line) => ({ kind: "consoleReceived", bytes: bytesOf(line) }),
  },
  inject: {
    example: "inject irq 33",
    help: "makes an interrupt pending, by its number at the interrupt controller",
    read: (line) => {
      line.word("irq");
      return { kind: "interruptInjected", interrupt: Number(line.number("an interrupt's number", 65535n)) };
    },
  },
  switch: {
    example: "switch cpu 1",
    help: "gives a CPU that can run the next turn",
    read: (line) => {
      line.word("cpu");
      return { kind: "cpuSwitchForced", target: cpuNumber(line) };
    },
  },
  scale: {
    example: "scale 3/2",
    help: "changes a monitor's time scale",
    read: (line) => ({ kind: "timeScaleChanged", ...scale(line) }),
  },
  monitor: {
    example: "monitor el2 gva-scan",
    help: "asks something of a monitor: the name of one of its systems, and what that takes",
    read: (line) => {
      const { text } = line.take(/^el[23](?![^\s#])/, "el2 or el3");
      const command = line.take(/^[^\s#][^#]{0,255}/, "a command").text.trimEnd();
      return { kind: "monitorCommanded", level: Number(text[2]), command };
    },
  },
  key: {
    example: "key power",
    help: "presses the power key for 100 ms: a guest that listens shuts down",
    read: (line) => {
      line.word("power");
      return { kind: "powerButtonPressed" };
    },
  },
  power: {
    example: "power cut",
    help: "ends the run as a loss of power",
    read: (line) => {
      line.word("cut");
      return { kind: "powerCut" };
    },
  },
  poke: {
    example: "poke 0x41000000 0x00ff",
    help: "writes physical memory, here 2 bytes: the digits of the value say how many",
    read: (line) => {
      const address = Number(line.number("a physical address below 2^52", MAX_ADDRESS));
      return { kind: "memoryPatched", address, bytes: pokedBytes(line) };
    },
  },
  frame: {
    example: "frame n0 0xffffffffffff",
    help: "a frame arrives from outside at a network that is a bridge: its bytes, in order",
    read: (line) => {
      const network = line.take(/^[A-Za-z][A-Za-z0-9_.-]{0,27}(?![^\s#])/, "a network's id").text;
      return { kind: "networkFrameReceived", network, bytes: frameBytes(line) };
    },
  },
  message: {
    example: "message mig 0x0102",
    help: "a message arrives from outside at a monitor's port: its bytes, in order",
    read: (line) => {
      const port = line.take(/^[A-Za-z][A-Za-z0-9_.-]{0,27}(?![^\s#])/, "a port's name").text;
      return { kind: "messageReceived", port, bytes: frameBytes(line) };
    },
  },
  set: {
    example: "set cpu0 x0 0x5",
    help: "writes x0–x30, sp, pc, nzcv or a system register",
    read: (line) => {
      const { text } = line.take(/^cpu[0-9]{1,3}(?![^\s#])/, "cpu and its number, such as cpu0");
      const register = line.take(/^[A-Za-z][A-Za-z0-9_]{0,31}(?![^\s#])/, "a register's name").text;
      const value = line.number("a value of 64 bits", 2n ** 64n - 1n);
      return { kind: "registerPatched", target: Math.min(255, Number(text.slice(3))), register, value };
    },
  },
};

/** Every action by an example, with what it does. */
export const ACTION_EXAMPLES: readonly (readonly [example: string, help: string])[] = Object.values(ACTIONS)
  .map(({ example, help }) => [example, help]);

/** Says what an input that was taken has done. */
export function inputText(input: Input): string {
  switch (input.kind) {
    case "consoleReceived":
      return `typed ${counted(input.bytes.length, "byte")}`;
    case "interruptInjected":
      return `made interrupt ${input.interrupt} pending`;
    case "cpuSwitchForced":
      return `gave cpu${input.target} the turn`;
    case "timeScaleChanged":
      return `set the time scale to ${input.numerator}/${input.denominator}`;
    case "monitorCommanded":
      return `told the monitor at EL${input.level}: ${input.command}`;
    case "powerCut":
      return "cut the power";
    case "powerButtonPressed":
      return "pressed the power key";
    case "memoryPatched":
      return `wrote ${counted(input.bytes.length, "byte")} at ${hex(input.address)}`;
    case "networkFrameReceived":
      return `delivered a frame of ${counted(input.bytes.length, "byte")} to ${input.network}`;
    case "messageReceived":
      return `delivered a message of ${counted(input.bytes.length, "byte")} to port ${input.port}`;
    case "registerPatched":
      return `set cpu${input.target} ${input.register} to ${hex(input.value)}`;
  }
}

type Parsed = Omit<Statement, "line"> | Omit<TimedInput, "line">;

function parseLine(line: LineReader): Parsed {
  const expect = (): Parsed => ({ kind: "expect", text: line.string() } as Parsed);
  const at = (): Parsed => {
    const instant = Number(line.number("an instant", BigInt(Number.MAX_SAFE_INTEGER)));
    return { instant, input: line.choice(ACTIONS).read(line) };
  };
  const input = (action: Action) => (): Parsed => ({ kind: "input", input: action.read(line) }) as Parsed;
  const actions = Object.entries(ACTIONS).map(([name, action]) => [name, input(action)] as const);
  return line.choice<() => Parsed>({ expect, at, ...Object.fromEntries(actions) })();
}

/** Reads a script; `name` is its file. Throws UsageError naming file, line and column. */
export function parseScript(text: string, name: string): Script {
  const statements: Statement[] = [];
  const timed: TimedInput[] = [];
  for (const [index, content] of text.split(/\r?\n/).entries()) {
    const line = index + 1;
    const reader = new LineReader(
      content,
      (column, message) => new UsageError(`${name}:${line}:${column}: ${message}`),
    );
    if (reader.isAtEnd) continue;
    const parsed = parseLine(reader);
    reader.end();
    if ("instant" in parsed) timed.push({ line, ...parsed });
    else statements.push({ line, ...parsed } as Statement);
  }
  timed.sort((a, b) => a.instant - b.instant);
  return { name, statements, timed };
}

/** Reads one action as an operator types it; throws UsageError naming the column. */
export function parseAction(text: string): Input {
  const line = new LineReader(text, (column, message) => new UsageError(`column ${column}: ${message}`));
  const input = line.choice(ACTIONS).read(line);
  line.end();
  return input;
}
