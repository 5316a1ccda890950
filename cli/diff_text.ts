/** What diff found, as text: a summary first, then the events. */
import type { MachineEvent } from "../machine/events.ts";
import type { Difference } from "../journal/diff.ts";
import type { ExhaustiveDiff } from "../journal/diff_exhaustive.ts";
import type { Comparison, Consequences } from "../journal/diff_follow.ts";
import { type DifferenceClass, differingFields, isCounterRead } from "../journal/diff_kinds.ts";
import type { RecordedRun } from "../journal/run.ts";
import { configurationLines } from "./configuration_text.ts";
import { registerDifferences } from "./cpu_view.ts";
import { eventText, whatText } from "./event_text.ts";
import type { SymbolTable } from "./symbols.ts";
import { counted, grouped, type Palette } from "./text.ts";

/** A difference with both sides. */
export type Divergence = Difference & { readonly kind: "divergent" };

/** How the two runs are called, and how text is made. */
export interface View {
  /** The runs' names. */
  readonly names: readonly [string, string];
  /** Colours. */
  readonly palette: Palette;
  /** Names of addresses. */
  readonly symbols: SymbolTable;
}

/** Said wherever it was not looked. */
export const NOT_LOOKED_FOR =
  "Not looked for: differences that arise and heal again between two roots without a trap,\n" +
  "a device access or an input. --exhaustive looks for them.";

/** The lines of two configurations that are not in both. */
export function configurationDifferences(left: RecordedRun, right: RecordedRun): [string, string, string][] {
  const [first, second] = [left, right].map((run) => configurationLines(run.manifest.configuration));
  const names = new Set([...first!.keys(), ...second!.keys()]);
  return [...names].flatMap((name): [string, string, string][] => {
    const values = [first!.get(name) ?? "none", second!.get(name) ?? "none"] as const;
    return values[0] === values[1] ? [] : [[name, ...values]];
  });
}

/** Names for the two sides: their files without folders, with them, or first and second, whichever tells them apart. */
export function namesOf([left = "", right = ""]: readonly string[]): [string, string] {
  const names = [left, right].map((path) => path.slice(path.lastIndexOf("/") + 1));
  if (names[0] !== names[1]) return names as [string, string];
  return left === right ? ["first", "second"] : [left, right];
}

/** Names, and what each of the two runs has, in three columns. */
export function table(rows: readonly (readonly [string, string, string])[], indent: string): string[] {
  const widths = [0, 1].map((column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map(([name, left, right]) =>
    `${indent}${name.padEnd(widths[0]!)}  ${left.padEnd(widths[1]!)}  ${right}`
  );
}

/** Registers that differ before the first divergent event. */
export function registerRows({ sides: [left, right] }: Divergence): [string, string, string][] {
  const others = right.replay.machine.board.cpus;
  return left.replay.machine.board.cpus.flatMap((cpu, index) => {
    const other = others[index];
    if (other === undefined) return [];
    return registerDifferences(cpu, other).map(({ name, values }): [string, string, string] => [
      `cpu${index} ${name}`,
      ...values,
    ]);
  });
}

/** The classes of difference in words, as a clause after a number. */
// deno-fmt-ignore
const IN_WORDS: Readonly<Record<DifferenceClass, (names: readonly [string, string]) => string>> = {
  same:    () => "the same",
  timing:  () => "the same at another time",
  address: () => "with addresses shifted by a constant",
  counter: () => "reads of a counter or clock",
  value:   () => "with other values",
  left:    ([left]) => `only in ${left}`,
  right:   ([, right]) => `only in ${right}`,
};

/** A percentage that is 100 only for all. */
function share(part: number, whole: number): string {
  if (whole === 0 || part === whole) return "100 %";
  return `${Math.min(99.9, Math.floor(part / whole * 1000) / 10)} %`;
}

/** What the first divergent events have to do with each other. */
export function firstText({ sides: [{ event: left }, { event: right }] }: Divergence, view: View): string {
  const { names, palette, symbols } = view;
  const plain = (event: MachineEvent): string => `cpu${event.cpu} ${whatText(event, palette, symbols)}`;
  if (left === undefined) return `${names[1]} has ${plain(right!)}, ${names[0]} nothing more`;
  if (right === undefined) return `${names[0]} has ${plain(left)}, ${names[1]} nothing more`;
  if (left.kind !== right.kind || left.cpu !== right.cpu) {
    const [earlier, name] = left.instant <= right.instant ? [left, names[0]] : [right, names[1]];
    return left.instant === right.instant
      ? `${names[0]} has ${plain(left)}; ${names[1]} has ${plain(right)}`
      : `only ${name} has ${plain(earlier)}`;
  }
  const fields = differingFields(left, right);
  if (left.instant !== right.instant) {
    const [earlier, name] = left.instant < right.instant ? [left, names[0]] : [right, names[1]];
    return fields.length === 0
      ? `${plain(earlier)} comes ${
        counted(Math.abs(right.instant - left.instant), "step")
      } earlier in ${name}`
      : `only ${name} has ${plain(earlier)}`;
  }
  if (isCounterRead(left) && isCounterRead(right)) return `a counter was read: ${plain(left)}`;
  if (fields.length === 1 && fields[0] === "value") {
    return `${plain(left)} in ${names[0]}, value=${fieldOf(right, "value")} in ${names[1]}`;
  }
  return fields.length === 0 ? plain(left) : `${plain(left)} differs in ${fields.join(", ")}`;
}

function fieldOf(event: MachineEvent, name: string): string {
  const value = (event as unknown as Record<string, unknown>)[name];
  return typeof value === "bigint" ? `0x${value.toString(16)}` : String(value);
}

/** The text in which a byte is, if it is in one, or some bytes from it on. */
function textAround(bytes: Uint8Array, at: number): string {
  const isPrintable = (index: number): boolean => (bytes[index] ?? 0) >= 0x20 && (bytes[index] ?? 0) < 0x7f;
  let [from, to] = [at, at];
  while (isPrintable(from - 1)) from--;
  while (isPrintable(to)) to++;
  if (to - from < 4) return `bytes ${bytes.slice(at, at + 8).toHex()}`;
  return JSON.stringify(String.fromCharCode(...bytes.slice(from, to)));
}

/** Where memory that differs from the start was first read, in words. */
function useRows({ firstUse }: Divergence, { names, palette, symbols }: View): SummaryRow[] {
  if (firstUse === undefined) return [];
  const { instant, bytes, address, first, around, steps } = firstUse;
  const texts = around.map((side) =>
    textAround(side, Math.min(side.length - 1, Math.floor(side.length / 2)))
  );
  const value = (step: typeof steps[0]): string => {
    const read = step?.memory.find(({ write }) => !write);
    return read === undefined ? "?" : `0x${read.value.slice().reverse().toHex()}`;
  };
  const [step] = steps;
  const who = step === undefined
    ? "a device"
    : `cpu${step.cpu} ${whatText({ ...step, registers: [], memory: [] }, palette, symbols)}`;
  return [
    [
      "cause?",
      `memory differs from the start in ${counted(bytes, "byte")}, first at 0x${first.toString(16)}: ` +
      `${texts[0]} in ${names[0]}, ${texts[1]} in ${names[1]}`,
    ],
    [
      "",
      `read first at instant ${grouped(instant)} by ${who}, from 0x${address.toString(16)}: ` +
      `${value(steps[0])} in ${names[0]}, ${value(steps[1])} in ${names[1]}`,
    ],
  ];
}

/** Lines of a summary: a word, and what it says. */
export type SummaryRow = readonly [word: string, text: string];

/** The state after the difference, in words. */
function stateText({ healing }: Consequences): string {
  const { roots, equal, healedAt, first, last } = healing;
  if (roots === 0 || first === undefined || last === undefined) {
    return "there is no later root at one instant in both runs to tell whether the states meet again";
  }
  if (healedAt !== undefined) {
    return `healed: the states are equal from the root at instant ${
      grouped(healedAt)
    } on, to the last common root`;
  }
  const met = equal === 0
    ? "never meet again"
    : `meet at ${grouped(equal)} of ${counted(roots, "root")} and part again`;
  const parts = (list: readonly string[]): string =>
    list.length > 8 ? `${list.length} parts` : list.join(", ");
  const spread = first.parts.join() === last.parts.join()
    ? ` ${parts(last.parts)}`
    : ` ${parts(first.parts)} at ${grouped(first.instant)}; ${parts(last.parts)} at ${grouped(last.instant)}`;
  return `the states ${met} (${counted(roots, "common root")}); they differ in${spread}`;
}

function timeText({ timeShift }: Consequences, view: View): string[] {
  if (timeShift === undefined) return [];
  const { first, least, most, last } = timeShift;
  const behind = (shift: number): string =>
    `${counted(Math.abs(shift), "step")} ${shift < 0 ? "earlier" : "later"}`;
  if (least === most) return [`the same events come ${behind(first)} in ${view.names[1]}, always`];
  return [
    `in ${view.names[1]} the same events come ${behind(first)} at first, ${behind(last)} at last ` +
    `(between ${grouped(least)} and ${grouped(most)})`.replaceAll("-", "−"),
  ];
}

function consoleRows({ console }: Consequences, names: readonly [string, string]): SummaryRow[] {
  const { equal, only, differences } = console;
  if (only[0] + only[1] === 0) {
    return equal === 0 ? [] : [["console", `${counted(equal, "later line")}, the same in both`]];
  }
  const count = `${counted(only[0], "later line")} only in ${names[0]}, ${grouped(only[1])} only in ${
    names[1]
  }, ${grouped(equal)} in both`;
  const left = only[0] + only[1] - differences.length;
  return [
    ["console", count],
    ...differences.map(({ side, text }): SummaryRow => ["", `${side === 0 ? "−" : "+"} ${printable(text)}`]),
    ...left > 0 ? [["", `… and ${counted(left, "more line")}`] as const] : [],
  ];
}

/** A guest's text without what would move a terminal's cursor. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}]/gu, "·");
}

/** What followed, in rows. */
export function summaryRows(found: Divergence, followed: Consequences, view: View): SummaryRow[] {
  const { counts, hidden, events, last, sameAfter, addressShifts } = followed;
  const words = (list: readonly DifferenceClass[], of: Consequences["counts"]): string =>
    list.filter((name) => of[name] > 0).map((name) => `${grouped(of[name])} ${IN_WORDS[name](view.names)}`)
      .join(", ");
  const real = ["left", "right", "value", "address", "counter"] as const;
  const shown = Object.fromEntries(
    Object.entries(counts).map(([name, count]) => [name, count - hidden[name as DifferenceClass]]),
  ) as unknown as Consequences["counts"];
  const hiddenTotal = Object.values(hidden).reduce((sum, count) => sum + count, 0);
  const same = counts.same + counts.timing, [left] = events;
  const shifts = addressShifts.slice(0, 4).map(([shift, pairs]) =>
    `${shift < 0n ? "−" : "+"}0x${(shift < 0n ? -shift : shift).toString(16)} (${grouped(pairs)}×)`
  );
  const { effort } = found;
  return [
    ["first", `instant ${grouped(found.instant)}: ${firstText(found, view)}`],
    ...useRows(found, view),
    [
      "followed",
      words(real, shown) ||
      (counts.timing > hidden.timing
        ? "only timing: no event differs in anything else"
        : hiddenTotal > 0
        ? "nothing that is not hidden"
        : "nothing"),
    ],
    ...shifts.length > 0 && shown.address > 0
      ? [["", `addresses by ${shifts.join(", ")}${addressShifts.length > 4 ? ", …" : ""}`] as const]
      : [],
    ...last === undefined ? [] : [
      [
        "lasted",
        `to instant ${last.map((instant) => instant === undefined ? "–" : grouped(instant)).join(" / ")}; ${
          counted(sameAfter, "event")
        } after it ${sameAfter === 1 ? "is" : "are"} the same`,
      ] as const,
    ],
    [
      "the rest",
      `${grouped(same)} of ${counted(left, "later event")} of ${view.names[0]} (${share(same, left)}) ${
        same === 1 ? "is" : "are"
      } in ${view.names[1]} too, ${grouped(counts.same)} at the same instant`,
    ],
    ...timeText(followed, view).map((text): SummaryRow => ["", text]),
    ...consoleRows(followed, view.names),
    ["state", stateText(followed)],
    ...hiddenTotal === 0 ? [] : [
      [
        "hidden",
        `${counted(hiddenTotal, "difference")} by your filters: ${words(["timing", ...real], hidden)}`,
      ] as const,
    ],
    [
      "found by",
      `${counted(effort.rootsCompared, "stored root")} compared, ${counted(effort.probes, "root")} ` +
      `of replays, ${counted(effort.intervalSteps, "step")} of one interval replayed`,
    ],
  ];
}

/** A side's events, the divergent one marked. */
function sideLines(name: string, events: readonly MachineEvent[], { palette, symbols }: View): string[] {
  const lines = events.map((event, index) =>
    `${index === 0 ? palette.red(">") : " "} ${eventText(event, palette, symbols)}`
  );
  return [palette.bold(name), ...lines.length > 0 ? lines : [`${palette.red(">")} nothing more`], ""];
}

/** The mark of a class in front of an event. */
// deno-fmt-ignore
const MARKS: Readonly<Record<DifferenceClass, readonly [string, string]>> = {
  same:    [" ", " "], timing: ["t", "t"], address: ["a", "a"], counter: ["c", "c"],
  value:   ["<", ">"], left:   ["−", " "], right:   [" ", "+"],
};

/** A difference as a line, or two for two events. */
export function comparisonLines(
  { left, right, difference }: Comparison,
  { palette, symbols }: View,
): string[] {
  const marks = MARKS[difference];
  return [left, right].flatMap((event, side) =>
    event === undefined ? [] : [`${palette.red(marks[side as 0 | 1])} ${eventText(event, palette, symbols)}`]
  );
}

/** The sections of a divergence: summary, events around, registers, what followed. */
export function divergenceText(found: Divergence, followed: Consequences, view: View): string[] {
  const { palette, symbols, names } = view, [left, right] = found.sides;
  const rows = registerRows(found).map(([name, ...values]): [string, string, string] => [
    name,
    symbols.annotate(values[0]),
    symbols.annotate(values[1]),
  ]);
  const instant = palette.bold(grouped(found.instant));
  const shown = followed.first.filter((one) => one.left !== left.event || one.right !== right.event);
  return [
    `${palette.red("Different")}: the first divergent event is at instant ${instant}.`,
    "",
    ...summaryRows(found, followed, view).map(([word, text]) => `  ${palette.bold(word.padEnd(9))} ${text}`),
    "",
    palette.bold("both"),
    ...left.before.map((event) => `  ${eventText(event, palette, symbols)}`),
    "",
    ...sideLines(names[0], left.after, view),
    ...sideLines(names[1], right.after, view),
    ...rows.length === 0
      ? ["All registers are equal before it.", ""]
      : ["Registers that differ before it:", ...table([["", ...names], ...rows], "  "), ""],
    ...shown.length === 0 ? [] : [
      palette.bold(
        `differences from there on (− only ${names[0]}, + only ${
          names[1]
        }, <> values, a addresses, c counters)`,
      ),
      ...shown.flatMap((one) => comparisonLines(one, view)),
      "",
    ],
    ...found.withSteps ? [] : [
      "The machines differ from the start, and steps have differed for a while: --exhaustive finds the first.",
    ],
  ];
}

/** What diff found when it is not a divergence. */
export function otherText(found: Exclude<Difference, Divergence>, { names, palette }: View): string[] {
  switch (found.kind) {
    case "equal":
      return [`${palette.green("Equal")} to the end; ${counted(found.rootsCompared, "root")} compared.`];
    case "length": {
      const shorter = found.lastInstants[0] < found.lastInstants[1] ? 0 : 1;
      return [
        `${palette.red("Different")} in length only: equal up to instant ` +
        `${grouped(found.lastInstants[shorter])}, where ${names[shorter]} ends; ${
          names[1 - shorter]
        } goes on to ` +
        `${grouped(found.lastInstants[1 - shorter] as number)}.`,
      ];
    }
    case "state":
      return [
        `${palette.red("Different")} in state only: all events are equal up to instant ${
          grouped(found.instant)
        }, ` +
        `where these parts differ: ${found.parts.join(", ")}.`,
      ];
    case "beginning":
      return [
        `${palette.red("Different")} at instant ${
          grouped(found.instant)
        } already, where the later run begins: ` +
        `these parts differ there: ${found.parts.join(", ")}.`,
      ];
  }
}

/** What comparing every step found. */
export function exhaustiveText(found: ExhaustiveDiff, view: View): string[] {
  const { from, to, atStart, episodes, equalByLawTo } = found;
  const { palette, symbols, names } = view;
  const range = `instants ${grouped(equalByLawTo ?? from)} to ${grouped(to)}`;
  const start = atStart.length === 0
    ? []
    : [`At instant ${grouped(from)} these parts differ already: ${atStart.join(", ")}.`];
  const law = equalByLawTo === undefined ? [] : [
    `Up to instant ${
      grouped(equalByLawTo)
    } nothing needs to be compared: machine, images and inputs are the same, ` +
    "and the state is a function of them.",
  ];
  if (episodes.length === 0) {
    return [
      ...law,
      ...equalByLawTo === to ? [] : [`Every step was compared, ${range}: they are the same.`],
      ...start,
    ];
  }
  return [
    ...law,
    `Every step was compared, ${range}: they differ in ${counted(episodes.length, "stretch")}`.replace(
      /stretchs$/,
      "stretches",
    ) + ".",
    ...start,
    ...episodes.flatMap((episode) => {
      const { before, after, parts } = episode;
      const end = episode.to === undefined
        ? episode.spread ? "and spreads to a trap, a device access or an input" : "and goes on"
        : `healed at ${grouped(episode.to)}, after ${counted(episode.to - episode.from, "step")}`;
      return [
        "",
        `${palette.red(">")} from instant ${palette.bold(grouped(episode.from))}, ${end}; differing: ${
          parts.join(", ") || "nothing that is left"
        }`,
        ...before.slice(-2).map((event) => `    ${eventText(event, palette, symbols)}`),
        ...after.flatMap((events, side) => [
          `  ${names[side as 0 | 1]}`,
          ...events.slice(0, 4).map((event) => `    ${eventText(event, palette, symbols)}`),
        ]),
      ];
    }),
  ];
}
