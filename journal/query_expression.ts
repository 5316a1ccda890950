/** Expressions of queries: parsed, checked against the schema of events, and evaluated for one event after another. */
// cel-js: see journal/predicate.ts.
import { type ASTNode, Environment, serialize } from "cel";
import { debuggerAddress } from "../machine/debugger_memory.ts";
import {
  classOf,
  type EventClass,
  type EventKind,
  type EventOf,
  type MachineEvent,
} from "../machine/events.ts";
import type { Machine } from "../machine/machine.ts";
import type { WatchPoint } from "../machine/watch.ts";
import { placeOf, registerName } from "./event_place.ts";
import { ALL_CLASSES } from "./event_stream.ts";
import { PredicateError } from "./errors.ts";
import { addStateFunctions, checkRegister, type Subject } from "./predicate.ts";
import { instantBounds, possibleKinds } from "./query_kinds.ts";
import { type ProgramNames, QUERY_VARIABLES, type QueryValue, type QueryVariable } from "./query_schema.ts";
import { watchesOf } from "./query_watch.ts";
import { suggestion } from "./suggest.ts";

/** What an expression says of an event: that it is, or is not, among those asked for, or that it depends on the state. */
export type Verdict = "yes" | "no" | "state";

/** Names for those who have none: symbols cannot be asked for. */
export const NO_NAMES: ProgramNames = {
  addressOf: (name) => noSymbols(name),
  rangeOf: (name) => noSymbols(name),
  nameOf: () => undefined,
};

function noSymbols(name: string): never {
  throw new PredicateError(`There is no symbol "${name}": no symbols were given`);
}

/** Functions that look at the machine as it was before the event's step. */
const STATE_FUNCTIONS: ReadonlySet<string> = new Set(["register", "memory", "physical"]);
/** Functions whose argument is the name of a symbol. */
const SYMBOL_FUNCTIONS: ReadonlySet<string> = new Set(["symbol", "inside"]);

/** Reasons to give up on an event for now. */
class NeedsState extends Error {}
class Absent extends Error {}

/** A message with the place in the expression that it is about, as the parser's own messages have it. */
function pointed(
  message: string,
  { input, start }: { readonly input: string; readonly start: number },
): string {
  const before = input.slice(0, start).split("\n"), line = before.length;
  const text = input.split("\n")[line - 1] as string, column = (before.at(-1) as string).length;
  return `${message}\n\n> ${String(line).padStart(4)} | ${text}\n${" ".repeat(9 + column)}^`;
}

function parts(node: ASTNode): readonly ASTNode[] {
  switch (node.op) {
    case "value":
    case "id":
      return [];
    case "call":
      return node.args[1];
    case "rcall":
      return [node.args[1], ...node.args[2]];
    case "map":
      return node.args.flat();
    case ".":
    case ".?":
      return [node.args[0]];
    case "!_":
    case "-_":
      return [node.args];
    default:
      return node.args;
  }
}

function* nodesOf(node: ASTNode): Generator<ASTNode> {
  yield node;
  for (const part of parts(node)) yield* nodesOf(part);
}

/** A word compared with a variable that only has words of a list has to be one of them. */
function checkWords(node: ASTNode): void {
  if (node.op !== "==" && node.op !== "!=" && node.op !== "in") return;
  for (const [left, right] of [node.args, [node.args[1], node.args[0]]] as const) {
    const words = left.op === "id" ? QUERY_VARIABLES.get(left.args)?.words : undefined;
    if (words === undefined) continue;
    for (const literal of right.op === "list" ? right.args : [right]) {
      if (literal.op !== "value" || typeof literal.args !== "string") continue;
      if (words.includes(literal.args) || literal.args.startsWith("0x")) continue;
      const hint = suggestion(literal.args, words) ||
        (words.length <= 12 ? `: there are ${words.join(", ")}` : "");
      throw new PredicateError(
        pointed(`${left.op === "id" ? left.args : ""} is never "${literal.args}"${hint}`, literal),
      );
    }
  }
}

/** Names given to functions are looked up once, so that a wrong one is told before anything runs. */
function checkNames(node: ASTNode, names: ProgramNames): void {
  if (node.op !== "call") return;
  const [called, parameters] = node.args;
  const isSymbol = SYMBOL_FUNCTIONS.has(called);
  const name = isSymbol ? parameters.at(-1) : called === "register" ? parameters[0] : undefined;
  if (name?.op !== "value" || typeof name.args !== "string") return;
  try {
    if (isSymbol) names.rangeOf(name.args);
    else checkRegister(name.args);
  } catch (error) {
    if (!(error instanceof PredicateError)) throw error;
    throw new PredicateError(pointed(error.message, name));
  }
}

const FUNCTION_NAMES: readonly string[] = [
  ...STATE_FUNCTIONS,
  ...SYMBOL_FUNCTIONS,
  "sets",
  "result",
  "reads",
  "writes",
];

/** An error of the parser or the checker, with a name that may have been meant. */
function refusal(error: unknown): PredicateError {
  if (error instanceof PredicateError) return error;
  const { message, summary } = error as { message: string; summary?: string };
  const [, unknown = ""] = /^Unknown variable: (\S+)/.exec(summary ?? "") ?? [];
  const [, called = ""] = /no matching overload for '(\w+)/.exec(summary ?? "") ?? [];
  const hint = unknown !== ""
    ? suggestion(unknown, [...QUERY_VARIABLES.keys(), "time"])
    : called !== "" && !FUNCTION_NAMES.includes(called)
    ? suggestion(called, FUNCTION_NAMES)
    : "";
  return new PredicateError(summary === undefined ? message : message.replace(summary, `${summary}${hint}`));
}

type Step = EventOf<"stepRetired">;

/** A filter over events. */
export class EventQuery {
  /** The kinds of event for which it can be true. */
  readonly kinds: ReadonlySet<EventKind>;
  /** Their classes: those of a stream in which to look. */
  readonly classes: readonly EventClass[];
  /** First instant that can match, as its comparisons with numbers say. */
  readonly from: number;
  /** First instant after those that can match; Infinity where nothing says so. */
  readonly to: number;
  /** Whether it looks at the machine's state, for which the run is replayed. */
  readonly readsState: boolean;
  /** Of steps it is true only for those that hit one of these; undefined where it does not say so. */
  readonly watches: readonly WatchPoint[] | undefined;
  readonly #program: (context: Record<string, QueryValue>) => unknown;
  /** The variables that it has, by kind. */
  readonly #variables: ReadonlyMap<EventKind, readonly QueryVariable[]>;
  readonly #readsTime: boolean;
  #event: MachineEvent | undefined;
  #subject: Subject | undefined;
  #needed = false;

  /**
   * Throws PredicateError for an expression that does not parse, has unknown names or is not of type bool; the message
   * points into it.
   */
  constructor(readonly expression: string, private readonly names: ProgramNames = NO_NAMES) {
    const { ast, program, constant } = this.#compile();
    const nodes = [...nodesOf(ast)];
    for (const node of nodes) {
      checkWords(node);
      checkNames(node, names);
    }
    this.kinds = new Set(possibleKinds(ast));
    this.classes = ALL_CLASSES.filter((name) => [...this.kinds].some((kind) => classOf(kind) === name));
    ({ from: this.from, to: this.to } = instantBounds(ast));
    const used = new Set(nodes.map((node) => node.op === "id" ? node.args : ""));
    const variables = [...QUERY_VARIABLES.values()].filter(({ name }) => used.has(name));
    this.#variables = new Map(
      [...this.kinds].map((kind) => [kind, variables.filter(({ kinds }) => kinds.has(kind))]),
    );
    this.#readsTime = used.has("time");
    this.readsState = this.#readsTime ||
      nodes.some((node) => node.op === "call" && STATE_FUNCTIONS.has(node.args[0]));
    this.#program = program;
    const isOfSteps = this.kinds.size === 1 && this.kinds.has("stepRetired");
    this.watches = isOfSteps ? watchesOf(ast, constant) : undefined;
  }

  #compile(): {
    ast: ASTNode;
    program: (context: Record<string, QueryValue>) => unknown;
    constant: (node: ASTNode) => unknown;
  } {
    const environment = addStateFunctions(new Environment(), () => this.#state())
      .registerVariable("time", "int");
    for (const { name, type } of QUERY_VARIABLES.values()) environment.registerVariable(name, type);
    const { addressOf } = this.names;
    environment
      .registerFunction("symbol(string): int", addressOf)
      .registerFunction("inside(string): bool", (name: string) => this.#isInside(this.#place(), name))
      .registerFunction("inside(int, string): bool", (at: bigint, name: string) => this.#isInside(at, name))
      .registerFunction("physical(int): int", (address: bigint) => this.#physical(address))
      .registerFunction("sets(string): bool", (name: string) => this.#written(name) !== undefined)
      .registerFunction("result(string): int", (name: string) => this.#written(name) ?? absent())
      .registerFunction(
        "reads(int, int): bool",
        (at: bigint, size: bigint) => this.#accesses(at, size, false),
      )
      .registerFunction(
        "writes(int, int): bool",
        (at: bigint, size: bigint) => this.#accesses(at, size, true),
      );
    try {
      const program = environment.parse(this.expression);
      const checked = program.check();
      if (!checked.valid) throw checked.error;
      if (checked.type !== "bool") {
        throw new PredicateError(
          pointed(`The expression has type ${checked.type}; a query needs bool`, program.ast),
        );
      }
      // What needs an event or a state is not constant, and throws.
      const constant = (node: ASTNode): unknown => {
        try {
          return environment.evaluate(serialize(node), {});
        } catch {
          return undefined;
        }
      };
      return { ast: program.ast, program, constant };
    } catch (error) {
      throw refusal(error);
    }
  }

  /** What the expression says of an event, without its machine. */
  verdict(event: MachineEvent): Verdict {
    if (!this.kinds.has(event.kind)) return "no";
    this.#subject = undefined;
    const isTrue = this.#evaluate(event, this.#readsTime && !("virtualTime" in event));
    return this.#needed ? "state" : isTrue ? "yes" : "no";
  }

  /** What it says of an event whose verdict was "state", with the machine as it was before the event's step. */
  isTrueAt(event: MachineEvent, machine: Machine): boolean {
    const cpu = machine.board.cpus[event.cpu] ?? machine.currentCpu;
    this.#subject = { machine, cpu };
    try {
      return this.#evaluate(event, false);
    } finally {
      this.#subject = undefined;
    }
  }

  /** Sets `needed` where the value depends on a state that is not there. */
  #evaluate(event: MachineEvent, lacksTime: boolean): boolean {
    this.#event = event;
    this.#needed = lacksTime;
    const context: Record<string, QueryValue> = {};
    for (const variable of this.#variables.get(event.kind) ?? []) {
      const value = variable.read(event, this.names);
      if (value !== undefined) context[variable.name] = value;
    }
    if ("virtualTime" in event) context["time"] = BigInt(event.virtualTime);
    else if (this.#subject !== undefined) context["time"] = BigInt(this.#subject.machine.virtualTime);
    try {
      const value = this.#program(context);
      // Decided, whatever the state is.
      if (typeof value === "boolean") this.#needed = false;
      return value === true;
    } catch (error) {
      const cause = (error as Error).cause ?? error;
      if (cause instanceof PredicateError) throw cause;
      // What an event does not have makes the expression neither true nor false; so does a division by zero.
      return false;
    }
  }

  #state(): Subject {
    if (this.#subject !== undefined) return this.#subject;
    this.#needed = true;
    throw new NeedsState();
  }

  #place(): bigint {
    return placeOf(this.#event as MachineEvent) ?? absent();
  }

  #isInside(at: bigint, name: string): boolean {
    const { address, size } = this.names.rangeOf(name);
    return at >= address && at < address + size;
  }

  #physical(address: bigint): bigint {
    const { cpu } = this.#state();
    return BigInt(debuggerAddress(cpu, address) ?? absent());
  }

  #step(): Step {
    const event = this.#event as MachineEvent;
    return event.kind === "stepRetired" ? event : absent();
  }

  #written(name: string): bigint | undefined {
    const [, w] = /^w(\d+)$/.exec(name) ?? [], wanted = w === undefined ? name : `x${w}`;
    const found = this.#step().registers.findLast(({ register }) => registerName(register) === wanted)?.value;
    return found === undefined || w === undefined ? found : BigInt.asUintN(32, found);
  }

  #accesses(at: bigint, size: bigint, isWrite: boolean): boolean {
    return this.#step().memory.some(({ write, address, size: length }) =>
      write === isWrite && address < at + size && at < address + BigInt(length)
    );
  }
}

function absent(): never {
  throw new Absent();
}
