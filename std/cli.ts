/**
 * The part of JSR's `@std/cli` that the commands use: `parseArgs`, with the same options, meaning and result types.
 *
 * Left out because no command needs it: dotted names, which upstream nests (`--a.b 1` stays `"a.b"` here).
 *
 * @module
 */

/** Names of options without a value, or `true` for all. */
export type BooleanType = boolean | string | undefined;
/** Names of options, as a union of string literals. */
export type StringType = string | undefined;
/** Other names by name. */
export type AliasMap = { readonly [name: string]: string | readonly string[] } | undefined;
/** Values by name. */
export type DefaultMap = Record<string, unknown> | undefined;

/** The options of {@linkcode parseArgs}; every name is written without hyphens. */
export interface ParseOptions<
  TBooleans extends BooleanType = BooleanType,
  TStrings extends StringType = StringType,
  TCollectable extends StringType = StringType,
  TNegatable extends StringType = StringType,
  TDefault extends DefaultMap = DefaultMap,
  TAliases extends AliasMap = AliasMap,
  TDoubleDash extends boolean | undefined = boolean | undefined,
> {
  /** Whether what follows `--` is returned under `"--"` instead of at the end of `_`; false by default. */
  "--"?: TDoubleDash;
  /** Other names of an option; all of them are set together. */
  alias?: TAliases;
  /** Options that take no value and default to false; `true`: every `--name` without `=`. */
  boolean?: TBooleans | readonly Extract<TBooleans, string>[];
  /** Values of the options that are absent. */
  default?: TDefault;
  /** Whether everything from the first argument that is no option on goes to `_`; false by default. */
  stopEarly?: boolean;
  /** Options whose value stays a string, empty when none follows; `"_"` keeps the other arguments strings. */
  string?: TStrings | readonly Extract<TStrings, string>[];
  /** Options that may be repeated; their values are an array, empty by default. Otherwise the last one wins. */
  collect?: TCollectable | readonly Extract<TCollectable, string>[];
  /** Options that `--no-name` sets to false. */
  negatable?: TNegatable | readonly Extract<TNegatable, string>[];
  /** Called with each option not named here and each other argument; when it returns false, that one is left out. */
  unknown?: (arg: string, key?: string, value?: unknown) => unknown;
}

/** The names among the types an option list may have. */
export type Names<T> = Extract<T, string>;
/** The names that are not collected. */
export type Scalar<T, TCollectable> = Exclude<Names<T>, Names<TCollectable>>;
/** The names that are collected. */
export type Collected<T, TCollectable> = Extract<Names<T>, Names<TCollectable>>;
/** `false` where the name may be negated. */
export type Negated<K, TNegatable> = K extends Names<TNegatable> ? false : never;

/** What the named options give, before defaults. */
export type Values<TBooleans, TStrings, TCollectable, TNegatable> =
  & { [K in Scalar<TBooleans, TCollectable>]: boolean }
  & { [K in Scalar<TStrings, TCollectable>]?: string | Negated<K, TNegatable> }
  & { [K in Collected<TBooleans, TCollectable>]: boolean[] }
  & { [K in Collected<TStrings, TCollectable>]: string[] | Negated<K, TNegatable> }
  & { [K in Exclude<Names<TCollectable>, Names<TStrings | TBooleans>>]: unknown[] | Negated<K, TNegatable> };

/** The same with what has a default made required. */
export type WithDefaults<TValues, TDefault> = TDefault extends undefined ? TValues
  :
    & Omit<TValues, keyof TDefault>
    & { [K in keyof TDefault]: K extends keyof TValues ? NonNullable<TValues[K]> | TDefault[K] : unknown };

/** The other names of one name. */
export type AliasesOf<K, TAliases> = K extends keyof TAliases ? TAliases[K] extends string ? TAliases[K]
  : TAliases[K] extends readonly (infer A)[] ? Extract<A, string>
  : never
  : never;

/** The same under the other names too. */
export type WithAliases<TValues, TAliases> = {
  [K in keyof TValues as K | AliasesOf<K, TAliases>]: TValues[K];
};

/** The result of {@linkcode parseArgs}: one property per option, and the other arguments in `_`. */
export type Args<
  // deno-lint-ignore no-explicit-any -- as upstream: untyped unless some option is named
  TArgs extends Record<string, unknown> = Record<string, any>,
  TDoubleDash extends boolean | undefined = undefined,
> =
  & TArgs
  & { /** The arguments that belong to no option. */ _: (string | number)[] }
  & (true extends TDoubleDash ? { /** The arguments after `--`. */ "--": string[] } : Record<never, never>);

/** Typed as soon as some option is named; otherwise every property is `any`, as upstream has it. */
export type Parsed<TBooleans, TStrings, TCollectable, TNegatable, TDefault, TAliases> =
  [Names<TBooleans> | Names<TStrings> | Names<TCollectable>] extends [never]
    // deno-lint-ignore no-explicit-any -- see above
    ? Record<string, any>
    :
      & Record<string, unknown>
      & WithAliases<WithDefaults<Values<TBooleans, TStrings, TCollectable, TNegatable>, TDefault>, TAliases>;

const NUMBER = /^(?:0x[0-9a-f]+|[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[-+]?\d+)?)$/i;
const LONG = /^--(?<key>[^=]+)(?:=(?<value>.*))?$/s;
const SHORT = /^-(?<letters>[^-].*)$/s;

/**
 * Parses a command line: `--name value`, `--name=value`, `-n value`, `-nvalue` for numbers, `-abc` for three flags.
 * Values that look like numbers become numbers unless the option is in `string`.
 *
 * @example
 * ```ts
 * import { parseArgs } from "@std/cli";
 * const args = parseArgs(["--json", "--from", "dir", "u-boot"], { boolean: ["json"], string: ["from", "_"] });
 * console.log(args.json, args.from, args._); // true dir [ "u-boot" ]
 * ```
 */
export function parseArgs<
  TDoubleDash extends boolean | undefined = undefined,
  TBooleans extends BooleanType = undefined,
  TStrings extends StringType = undefined,
  TCollectable extends StringType = undefined,
  TNegatable extends StringType = undefined,
  const TDefault extends DefaultMap = undefined,
  const TAliases extends AliasMap = undefined,
>(
  args: readonly string[],
  options: ParseOptions<TBooleans, TStrings, TCollectable, TNegatable, TDefault, TAliases, TDoubleDash> = {},
): Args<Parsed<TBooleans, TStrings, TCollectable, TNegatable, TDefault, TAliases>, TDoubleDash> {
  const parser = new Parser(options as ParseOptions);
  return parser.parse(args) as ReturnType<
    typeof parseArgs<TDoubleDash, TBooleans, TStrings, TCollectable, TNegatable, TDefault, TAliases>
  >;
}

/** The names of one option list, with their aliases. */
function named(names: unknown, aliases: Map<string, string[]>): Set<string> {
  const list: string[] = typeof names === "string" ? [names] : Array.isArray(names) ? names : [];
  return new Set(list.flatMap((name) => [name, ...aliases.get(name) ?? []]));
}

/** One run over a command line. */
class Parser {
  readonly #options: ParseOptions;
  readonly #aliases: Map<string, string[]> = new Map();
  readonly #booleans: Set<string>;
  readonly #strings: Set<string>;
  readonly #collected: Set<string>;
  readonly #negatable: Set<string>;
  readonly #known: Set<string>;
  readonly #allBooleans: boolean;
  /** A map, so that an option named like a property of `Object` is an option like another. */
  readonly #values: Map<string, unknown> = new Map();
  readonly #others: (string | number)[] = [];

  constructor(options: ParseOptions) {
    this.#options = options;
    for (const [name, others] of Object.entries(options.alias ?? {})) {
      const group = [name, ...[others].flat() as string[]];
      for (const key of group) this.#aliases.set(key, group.filter((other) => other !== key));
    }
    this.#booleans = named(options.boolean, this.#aliases);
    this.#strings = named(options.string, this.#aliases);
    this.#collected = named(options.collect, this.#aliases);
    this.#negatable = named(options.negatable, this.#aliases);
    this.#known = new Set([...this.#booleans, ...this.#strings, ...this.#aliases.keys()]);
    this.#allBooleans = options.boolean === true;
  }

  parse(args: readonly string[]): unknown {
    const end = args.indexOf("--");
    const after = end < 0 ? [] : args.slice(end + 1);
    const before = end < 0 ? args : args.slice(0, end);
    for (let i = 0; i < before.length; i++) {
      const argument = before[i]!, next = before[i + 1];
      const long = LONG.exec(argument)?.groups, short = SHORT.exec(argument)?.groups;
      if (long) i += this.#long(argument, long.key!, long.value, next);
      else if (short) i += this.#short(argument, short.letters!, next);
      else {
        this.#positional(argument);
        if (!this.#options.stopEarly) continue;
        this.#others.push(...before.slice(i + 1));
        break;
      }
    }
    this.#fillAbsent();
    if (!this.#options["--"]) this.#others.push(...after);
    const rest = this.#options["--"] ? { "--": after } : {};
    return { ...Object.fromEntries(this.#values), _: this.#others, ...rest };
  }

  /** Takes `--key`, `--key=value`, `--no-key`; returns how many of the following arguments it used. */
  #long(argument: string, key: string, value: string | undefined, next: string | undefined): number {
    if (value !== undefined) {
      this.#set(key, this.#booleans.has(key) ? value !== "false" : value, argument);
      return 0;
    }
    if (key.startsWith("no-") && this.#negatable.has(key.slice(3))) {
      this.#set(key.slice(3), false, argument, false);
      return 0;
    }
    const takesValue = !this.#allBooleans && next !== undefined && next !== "" && !next.startsWith("-");
    return this.#setWithNext(key, takesValue, argument, next);
  }

  /** Takes a group of letters, the last of which may have a value; returns how many arguments it used. */
  #short(argument: string, letters: string, next: string | undefined): number {
    for (let i = 0; i + 1 < letters.length; i++) {
      const letter = letters[i]!, rest = letters.slice(i + 1);
      const isValue = rest === "-" || NUMBER.test(rest) || /^\W./s.test(rest);
      const value = rest.startsWith("=") ? rest.slice(1) : isValue ? rest : undefined;
      if (value !== undefined) {
        this.#set(letter, value, argument);
        return 0;
      }
      this.#set(letter, this.#strings.has(letter) ? "" : true, argument);
    }
    const takesValue = next !== undefined && next !== "" && !/^--?[^-]/.test(next);
    return this.#setWithNext(letters.at(-1)!, takesValue, argument, next);
  }

  #setWithNext(key: string, takesValue: boolean, argument: string, next: string | undefined): number {
    const usesNext = takesValue && !this.#booleans.has(key);
    const saysBoolean = next === "true" || next === "false";
    if (usesNext) this.#set(key, next, argument);
    else if (saysBoolean) this.#set(key, next === "true", argument);
    else this.#set(key, this.#strings.has(key) ? "" : true, argument);
    return usesNext || saysBoolean ? 1 : 0;
  }

  #set(key: string, value: unknown, argument: string, collect = true): void {
    const isKnown = this.#known.has(key) || this.#allBooleans && /^--[^=]+$/.test(argument);
    if (!isKnown && this.#options.unknown?.(argument, key, value) === false) return;
    const isNumber = typeof value === "string" && !this.#strings.has(key) && NUMBER.test(value);
    const held = isNumber ? Number(value) : value;
    for (const name of [key, ...this.#aliases.get(key) ?? []]) {
      const earlier = this.#values.get(name);
      if (!collect || !this.#collected.has(name)) this.#values.set(name, held);
      else this.#values.set(name, Array.isArray(earlier) ? [...earlier, held] : [held]);
    }
  }

  #positional(argument: string): void {
    if (this.#options.unknown?.(argument) === false) return;
    this.#others.push(this.#strings.has("_") || !NUMBER.test(argument) ? argument : Number(argument));
  }

  #fillAbsent(): void {
    for (const [key, value] of Object.entries(this.#options.default ?? {})) {
      if (this.#values.has(key)) continue;
      for (const name of [key, ...this.#aliases.get(key) ?? []]) this.#values.set(name, value);
    }
    for (const name of this.#collected) if (!this.#values.has(name)) this.#values.set(name, []);
    for (const name of this.#booleans) if (!this.#values.has(name)) this.#values.set(name, false);
  }
}
