/** `hindsight query`: the events of a run for which an expression is true. */
import { hex } from "../machine/address.ts";
import type { MachineEvent } from "../machine/events.ts";
import { EventCounter, planOf, queryEvents, type QueryPlan } from "../journal/query.ts";
import { EventQuery } from "../journal/query_expression.ts";
import { QUERY_VARIABLES, type QueryValue } from "../journal/query_schema.ts";
import type { RecordedRun } from "../journal/run.ts";
import { type Command, IMAGE_OPTIONS, SYMBOL_OPTIONS } from "./command.ts";
import { ENGINE_OPTIONS, engineOf } from "./engine_options.ts";
import { UsageError } from "./errors.ts";
import { eventJson, eventText } from "./event_text.ts";
import type { Host } from "./host/host.ts";
import { imagesOf, openRun } from "./host/open_run.ts";
import { Progress } from "./host/progress.ts";
import { symbolsOf } from "./host/symbol_files.ts";
import { type Options, refuseBefore } from "./options.ts";
import { programNames } from "./program_names.ts";
import { counted, grouped, paletteFor } from "./text.ts";

/** Lines written at once. */
const BATCH = 256;

/** Which of the matches are wanted. */
interface Choice {
  readonly from?: number;
  readonly to?: number;
  readonly backward: boolean;
  readonly limit: number;
}

/** The options that ask for some of the matches; one at a time. */
const CHOICES = ["first", "last", "next", "previous", "count", "count-by"] as const;

function choiceOf(options: Options): Choice {
  const chosen = CHOICES.filter((name) => options.isOn(name) || typeof options.text(name) === "string");
  if (chosen.length > 1) throw new UsageError(`--${chosen[0]} and --${chosen[1]} exclude each other`);
  const [choice] = chosen;
  const next = options.number("next"), previous = options.number("previous");
  const from = next ?? options.number("from"), to = previous ?? options.number("to");
  const isOne = choice !== undefined && !choice.startsWith("count");
  return {
    ...from === undefined ? {} : { from },
    ...to === undefined ? {} : { to },
    backward: choice === "last" || choice === "previous",
    limit: options.number("limit", 1) ?? (isOne ? 1 : Infinity),
  };
}

/** What is said of the work before it begins: where the events come from. */
function planText({ derived, isWatched, readsState }: QueryPlan): string {
  if (isWatched) return "replaying with watch points";
  if (derived.length > 0) return `replaying, for events of class ${derived.join(" and ")}`;
  return readsState ? "reading stored events, replaying for the state" : "reading stored events";
}

/** A value for people: fields that are addresses or bits in hexadecimal. */
function valueText(name: string, value: QueryValue | undefined): string {
  if (value === undefined) return "–";
  const isSmall = /^(instant|cpu|index|level|size|interrupt|from|to|target|stage|offset)$|[tT]ime$/.test(
    name,
  );
  if (typeof value === "bigint") return isSmall ? String(value) : hex(value);
  return value instanceof Uint8Array ? value.toHex() : String(value);
}

function jsonValue(value: QueryValue | undefined): unknown {
  return value instanceof Uint8Array ? value.toHex() : value;
}

/** Counts as lines: the count, the values, where the first and the last are. */
function countLines(counter: EventCounter, isJson: boolean, limit: number): string[] {
  const counts = counter.counts().slice(0, limit), { variables } = counter;
  if (isJson) {
    const big = (_: string, value: unknown) => typeof value === "bigint" ? hex(value) : value;
    return counts.map(({ values, count, first, last }) => {
      const named = variables.map((name, at) => [name, jsonValue(values[at])]);
      return JSON.stringify({ count, ...Object.fromEntries(named), first, last }, big);
    });
  }
  const rows = [
    ["count", ...variables, "first", "last"],
    ...counts.map(({ values, count, first, last }) => [
      grouped(count),
      ...values.map((value, at) => valueText(variables[at]!, value)),
      grouped(first),
      grouped(last),
    ]),
  ];
  const widths = rows[0]!.map((_, at) => Math.max(...rows.map((row) => row[at]!.length)));
  const isText = (at: number) => at > 0 && at <= variables.length;
  return rows.map((row) =>
    row.map((cell, at) => isText(at) ? cell.padEnd(widths[at]!) : cell.padStart(widths[at]!)).join("  ")
      .trimEnd()
  );
}

/** Prints the matches as they come; how many there were. */
function print(
  events: Iterable<MachineEvent>,
  limit: number,
  toLine: (event: MachineEvent) => string,
  host: Host,
  progress: Progress,
): number {
  let lines: string[] = [], count = 0;
  const write = (): void => {
    progress.clear();
    if (lines.length > 0) host.stdout.write(`${lines.join("\n")}\n`);
    lines = [];
  };
  try {
    for (const event of events) {
      count++;
      if (lines.push(toLine(event)) >= BATCH) write();
      if (count >= limit) break;
    }
  } finally {
    write();
  }
  return count;
}

function count(
  events: Iterable<MachineEvent>,
  counter: EventCounter,
  limit: number,
  isJson: boolean,
  host: Host,
): number {
  let found = 0;
  for (const event of events) {
    counter.add(event);
    found++;
  }
  const isTotal = counter.variables.length === 0;
  const lines = !isTotal
    ? found === 0 ? [] : countLines(counter, isJson, limit)
    : [isJson ? JSON.stringify({ count: found }) : grouped(found)];
  host.stdout.write(lines.map((line) => `${line}\n`).join(""));
  return found;
}

function endOf(run: RecordedRun, { to }: QueryPlan): number {
  return Math.min(to, run.lastInstant);
}

function run(options: Options, host: Host): number {
  const [path, expression] = options.others as [string, string];
  const symbols = symbolsOf(options), names = programNames(symbols);
  const query = new EventQuery(expression, names);
  const by = options.text("count-by")?.split(",").filter((name) => name !== "");
  if (by?.length === 0) throw new UsageError("--count-by needs a field, such as kind or device,address");
  const counter = by !== undefined || options.isOn("count") ? new EventCounter(by ?? [], names) : undefined;
  const choice = choiceOf(options);
  const opened = openRun(path, host);
  refuseBefore("--from", choice.from, opened.run.firstInstant);
  const plan = planOf(opened.run, query, choice);
  if (query.kinds.size === 0) {
    throw new UsageError(`No kind of event can match ${expression}: no kind has all the fields it needs`);
  }
  const progress = new Progress(host, planText(plan));
  const end = choice.backward ? plan.from : endOf(opened.run, plan);
  let looked = 0;
  const started = host.now();
  const events = queryEvents(opened.run, imagesOf(opened, options), query, {
    ...engineOf(options),
    ...choice,
    progress: (instant) => progress.update(instant, end),
    looked: () => void looked++,
  });
  const palette = paletteFor(host.stdout), isJson = options.isOn("json");
  const toLine = isJson
    ? (event: MachineEvent) => eventJson(event, symbols)
    : (event: MachineEvent) => eventText(event, palette, symbols);
  let found: number;
  try {
    found = counter === undefined
      ? print(events, choice.limit, toLine, host, progress)
      : count(events, counter, choice.limit, isJson, host);
  } finally {
    progress.clear();
  }
  if (host.stderr.isTerminal) {
    const seconds = Math.max(1, host.now() - started) / 1000;
    host.stderr.write(
      `hindsight: ${grouped(found)} of ${counted(looked, "event")} in ${seconds.toFixed(1)} s, ` +
        `${grouped(Math.round(looked / seconds))} events/s\n`,
    );
  } else if (found === 0 && !options.isOn("count")) {
    host.stderr.write(`hindsight: no event of "${opened.path}" matches\n`);
  }
  return found > 0 ? 0 : 1;
}

/** Names of variables in lines of a help text. */
function variableLines(): string {
  const lines = [""];
  for (const name of [...QUERY_VARIABLES.keys(), "time"].sort()) {
    if (lines.at(-1)!.length + name.length > 96) lines.push("");
    lines[lines.length - 1] += `${lines.at(-1) === "" ? "  " : " "}${name}`;
  }
  return lines.join("\n");
}

/** The command. */
export const query: Command = {
  operands: ["RUN", "EXPR"],
  details: "EXPR is in the Common Expression Language: comparisons, arithmetic, && || !, in, over\n" +
    "  kind, instant, cpu           of every event; instant >= 1000 && instant < 2000 limits the search\n" +
    "  class                        of an exception: supervisorCall, dataAbortLower, irq …\n" +
    "  level                        exception level of a step, or from which an exception was taken or returned\n" +
    "  place, inside(NAME)          the function where it happened; inside(ADDRESS, NAME) of any address\n" +
    "  symbol(NAME)                 address of a function or object of --symbols\n" +
    "  instruction                  of a step, as text; sets(REGISTER), result(REGISTER): what it wrote;\n" +
    "  reads(ADDRESS, BYTES)        it reads, or writes(ADDRESS, BYTES), virtual memory there\n" +
    "  time                         nanoseconds of virtual time before the event's step\n" +
    "  register(NAME[, CPU])        before the event's step, on its CPU or a given one\n" +
    "  memory(ADDRESS, BYTES)       physical memory before the event's step; physical(ADDRESS) translates\n" +
    "and the fields of events:\n" +
    `${variableLines()}\n` +
    "An event that has no such field does not match. What the journal does not store is derived by replaying;\n" +
    "so are time, registers and memory, but only at events that match otherwise. Steps take longest, a second for\n" +
    "half a million: give them an interval, or an address: pc == A, reads(A, N) and writes(A, N) are found at\n" +
    "full speed.\n" +
    "Exits with 0 when there is a match, with 1 when there is none.",
  examples: [
    `deno task hindsight query u.hindsight 'kind == "exceptionTaken"' --count-by class,place`,
    `deno task hindsight query u.hindsight 'device == "uart0" && value > 0x7f' --first`,
    `deno task hindsight query u.hindsight 'kind == "deviceWritten"' --count-by device,address`,
    `deno task hindsight query u.hindsight 'sets("sp")' --from 1000000 --to 1010000 --last`,
    `deno task hindsight query u.hindsight 'kind == "exceptionReturned" && register("x0") == 0' --limit 3`,
  ],
  options: [
    { name: "from", value: "N", help: "first instant, inclusive" },
    { name: "to", value: "N", help: "last instant, exclusive" },
    { name: "first", help: "only the first match" },
    { name: "last", help: "only the last match" },
    { name: "next", value: "N", help: "the first match at or after an instant" },
    { name: "previous", value: "N", help: "the last match before an instant" },
    {
      name: "limit",
      value: "COUNT",
      help: "so many matches: the last ones, from the last on, with --last and --previous",
    },
    { name: "count", help: "only how many" },
    { name: "count-by", value: "FIELD,…", help: "how many for each value of these fields, the most first" },
    ...ENGINE_OPTIONS,
    ...SYMBOL_OPTIONS,
    ...IMAGE_OPTIONS,
  ],
  run,
};
