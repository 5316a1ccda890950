/** Command lines: a table of options per command, read by `parseArgs`, with single hyphens as QEMU has them. */
import { parseArgs } from "@std/cli";
import { UsageError } from "./errors.ts";
import { suggestion } from "./suggest.ts";

/** One option of a command. */
export interface OptionRow {
  /** Name without hyphens; `-name` and `--name` mean the same. */
  readonly name: string;
  /** Other names. */
  readonly aliases?: readonly string[];
  /** What its value is, for the help text; absent for a switch. */
  readonly value?: string;
  /** It may be given several times, and all values count; otherwise the last one wins. */
  readonly repeats?: boolean;
  /** What it does, in a line. */
  readonly help: string;
}

/** A command line that was read. */
export class Options {
  readonly #values: Readonly<Record<string, unknown>>;
  /** The arguments that belong to no option. */
  readonly others: readonly string[];

  /** Takes what `parseArgs` gave. */
  constructor(values: Readonly<Record<string, unknown>>) {
    this.#values = values;
    this.others = (values["_"] as (string | number)[]).map(String);
  }

  /** Whether a switch was given. */
  isOn(name: string): boolean {
    return this.#values[name] === true;
  }

  /** The value of an option, if it was given. */
  text(name: string): string | undefined {
    return this.#values[name] as string | undefined;
  }

  /** All values of an option that repeats. */
  texts(name: string): readonly string[] {
    return this.#values[name] as string[];
  }

  /** The options of `rows` that were given, as arguments of a command line. */
  given(rows: readonly OptionRow[]): string[] {
    return rows.flatMap(({ name, value, repeats }): string[] => {
      if (value === undefined) return this.isOn(name) ? [`--${name}`] : [];
      if (repeats) return this.texts(name).map((text) => `--${name}=${text}`);
      const text = this.text(name);
      return text === undefined ? [] : [`--${name}=${text}`];
    });
  }

  /** The value of an option as a whole number between `minimum` and `maximum`, decimal or after 0x hexadecimal. */
  number(name: string, minimum = 0, maximum = Number.MAX_SAFE_INTEGER): number | undefined {
    const text = this.text(name);
    return text === undefined ? undefined : wholeNumber(text, `--${name}`, minimum, maximum);
  }

  /** The value of an option that is one of a few words. */
  oneOf<const T extends string>(name: string, words: readonly T[]): T | undefined {
    const text = this.text(name);
    if (text === undefined || (words as readonly string[]).includes(text)) return text as T | undefined;
    throw new UsageError(
      `--${name} is ${words.join(" or ")}, not "${text}"${suggestion(text, words)}`,
    );
  }
}

/** Reads a whole number, decimal or after 0x hexadecimal, with _ between digits; throws UsageError naming `what`. */
export function wholeNumber(
  text: string,
  what: string,
  minimum = 0,
  maximum = Number.MAX_SAFE_INTEGER,
): number {
  const value = /^(0x[0-9a-f_]+|[0-9][0-9_]*)$/i.test(text) ? Number(text.replaceAll("_", "")) : NaN;
  if (value >= minimum && value <= maximum) return value;
  const upTo = maximum === Number.MAX_SAFE_INTEGER ? "2^53 − 1" : String(maximum);
  throw new UsageError(`${what} takes a whole number from ${minimum} to ${upTo}, not "${text}"`);
}

/** Refuses an instant before the beginning of a run that begins at a checkpoint. */
export function refuseBefore(option: string, instant: number | undefined, firstInstant: number): void {
  if (instant === undefined || instant >= firstInstant) return;
  throw new UsageError(
    `${option} ${instant}: the run begins at instant ${firstInstant}; what came before was not kept`,
  );
}

/** Refuses an instant that is not one of a run. */
export function refuseOutside(
  option: string,
  instant: number | undefined,
  { firstInstant, lastInstant }: { readonly firstInstant: number; readonly lastInstant: number },
): void {
  refuseBefore(option, instant, firstInstant);
  if (instant === undefined || instant <= lastInstant) return;
  throw new UsageError(`${option} ${instant}: the run ends at instant ${lastInstant}`);
}

/**
 * Turns `-name value` and `-name=value` into `--name=value`, under the row's own name, so that values may begin with a
 * hyphen. Throws UsageError for an option that is not in the table, and for a value missing or too many.
 */
function rewrite(args: readonly string[], rows: readonly OptionRow[]): string[] {
  const byName = new Map(rows.flatMap((row) => [row.name, ...row.aliases ?? []].map((name) => [name, row])));
  const rewritten: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const argument = args[i]!;
    if (argument === "--") return [...rewritten, ...args.slice(i)];
    const [, name, value] = /^--?([^-=][^=]*)(?:=(.*))?$/s.exec(argument) ?? [];
    if (name === undefined) {
      rewritten.push(argument);
      continue;
    }
    const row = byName.get(name);
    if (row === undefined) {
      throw new UsageError(`There is no option ${argument}${suggestion(name, byName.keys())}`);
    }
    if (row.value === undefined) {
      if (value !== undefined) throw new UsageError(`-${name} is a switch and takes no value`);
      rewritten.push(`--${row.name}`);
    } else {
      const taken = value ?? args[++i];
      if (taken === undefined) throw new UsageError(`-${name} needs a value: ${row.value}`);
      rewritten.push(`--${row.name}=${taken}`);
    }
  }
  return rewritten;
}

/** Reads a command line by a table; throws UsageError saying what is wrong with it. */
export function readOptions(args: readonly string[], rows: readonly OptionRow[]): Options {
  const valued = rows.filter(({ value }) => value !== undefined);
  return new Options(parseArgs(rewrite(args, rows), {
    boolean: rows.filter(({ value }) => value === undefined).map(({ name }) => name),
    string: ["_", ...valued.map(({ name }) => name)],
    collect: valued.filter(({ repeats }) => repeats).map(({ name }) => name),
  }));
}

/** The table as lines of a help text. */
export function optionsHelp(rows: readonly OptionRow[]): string {
  const heads = rows.map(({ name, aliases = [], value }) => {
    const names = [...aliases, name].map((word) => word.length === 1 ? `-${word}` : `--${word}`);
    return `  ${names.join(", ")}${value === undefined ? "" : ` ${value}`}`;
  });
  const column = Math.min(36, Math.max(...heads.map((head) => head.length)) + 2);
  return rows.map(({ help }, index) => {
    const head = heads[index]!;
    return head.length < column ? head.padEnd(column) + help : `${head}\n${" ".repeat(column)}${help}`;
  }).join("\n");
}
