/** What diff found, as text: a summary first, then the events. */
import type { MachineEvent } from "../machine/events.ts";
import type { Difference } from "../journal/diff.ts";
import type { ExhaustiveDiff } from "../journal/diff_exhaustive.ts";
import type { Comparison, Consequences } from "../journal/diff_follow.ts";
import type { DifferenceClass } from "../journal/diff_kinds.ts";
import { summaryRows } from "./diff_summary.ts";
import { type Divergence, registerRows, table, type View } from "./diff_view.ts";
import { eventText } from "./event_text.ts";
import { counted, grouped } from "./text.ts";

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
