/** `hindsight bisect GOOD BAD`: where two runs part, and the cause. */
import { bisectRuns, type InputDifference, type RunsBisection } from "../journal/bisect_runs.ts";
import type { DiffSide } from "../journal/diff.ts";
import { type Bisected, bisectionJson, bisectionText } from "./bisect_text.ts";
import { firstText, useRows } from "./diff_summary.ts";
import { otherText } from "./diff_text.ts";
import { configurationDifferences, table, type View } from "./diff_view.ts";
import { engineOf } from "./engine_options.ts";
import { eventJson, eventText } from "./event_text.ts";
import type { Host } from "./host/host.ts";
import { imagesOf, openRun } from "./host/open_run.ts";
import { Progress } from "./host/progress.ts";
import type { Options } from "./options.ts";
import type { SymbolTable } from "./symbols.ts";
import { counted, grouped } from "./text.ts";

/** What was found. */
export interface Between {
  /** Where the runs part, and their inputs. */
  readonly found: RunsBisection;
  /** Lines of the machines that are not the same. */
  readonly machines: readonly (readonly [string, string, string])[];
}

/** Inputs shown. */
const MOST_INPUTS = 12;

/** Opens two runs and compares them, with progress. */
export function betweenRuns(good: string, bad: string, options: Options, host: Host): Between {
  const sides = [good, bad].map((path): DiffSide => {
    const opened = openRun(path, host);
    return { run: opened.run, images: imagesOf(opened, options) };
  }) as [DiffSide, DiffSide];
  const progress = new Progress(host, "comparing");
  const found = bisectRuns(...sides, {
    ...engineOf(options),
    progress: (text, low, high) => progress.note(`${text}, instants ${grouped(low)} to ${grouped(high)}`),
  });
  progress.clear();
  return { found, machines: configurationDifferences(sides[0].run, sides[1].run) };
}

function inputLines({ left, right, isTiming }: InputDifference, { palette, symbols }: View): string[] {
  const line = (mark: string, event: typeof left): string[] =>
    event === undefined ? [] : [`  ${palette.red(mark)} ${eventText(event, palette, symbols)}`];
  return [...line(isTiming ? "t" : "−", left), ...line(isTiming ? "t" : "+", right)];
}

function causeText({ found: { inputs, equalInputs, difference }, machines }: Between, view: View): string[] {
  const [good, bad] = view.names;
  const parting = difference.kind === "divergent" ? difference.instant : Infinity;
  const areLater = inputs.every(({ left, right }) =>
    Math.min(left?.instant ?? Infinity, right?.instant ?? Infinity) > parting
  );
  const lines = machines.length === 0
    ? []
    : ["The machines or their images are not the same:", ...table([["", good, bad], ...machines], "  ")];
  if (difference.kind === "divergent") {
    lines.push(...useRows(difference, view).map(([, text]) => `  ${text}`));
  }
  if (inputs.length === 0) {
    return [
      ...lines,
      equalInputs === 0 ? "Neither run has inputs." : `All ${counted(equalInputs, "input")} are the same.`,
    ];
  }
  return [
    ...lines,
    `${counted(inputs.length, "input")} of the runs ${inputs.length === 1 ? "differs" : "differ"}, ${
      grouped(equalInputs)
    } the same (− only ${good}, + only ${bad}, t at another time):`,
    ...inputs.slice(0, MOST_INPUTS).flatMap((input) => inputLines(input, view)),
    ...inputs.length > MOST_INPUTS ? [`  … and ${grouped(inputs.length - MOST_INPUTS)} more`] : [],
    ...areLater
      ? ["All of them come after the runs part: they are no cause."]
      : inputs.length > 1
      ? [`Which of them it takes: hindsight bisect ${bad} --inputs --when EXPR`]
      : [],
  ];
}

/** Where in a run an expression begins to hold, in words. */
function whenText({ found }: Bisected, name: string): string {
  switch (found.kind) {
    case "always":
      return `${name}: it holds from the beginning on`;
    case "never":
      return `${name}: it ${found.effort.method === "halve" ? "was not seen to hold" : "never holds"}`;
    case "found":
      return `${name}: it holds from instant ${grouped(found.instant)} on`;
  }
}

/** All of it as text. */
export function runsText(
  between: Between,
  when: readonly [Bisected, Bisected] | undefined,
  view: View,
): string[] {
  const { difference } = between.found, { palette, names } = view;
  const parting = difference.kind === "divergent"
    ? [
      `The runs part at instant ${palette.bold(grouped(difference.instant))}: ${firstText(difference, view)}`,
    ]
    : otherText(difference, view);
  const lines = [...parting, "", palette.bold("cause"), ...causeText(between, view)];
  if (when === undefined) return lines;
  const [, bad] = when;
  const apart = difference.kind === "divergent" && bad.found.kind === "found"
    ? [`That is ${counted(bad.found.instant - difference.instant, "step")} after the runs part.`]
    : [];
  return [
    ...lines,
    "",
    palette.bold(bad.expression),
    ...when.map((one, index) => whenText(one, names[index as 0 | 1])),
    ...apart,
    ...bad.found.kind === "found" ? ["", bisectionText(bad, view).trimEnd()] : [],
  ];
}

/** All of it for JSON. */
export function runsJson(
  { found, machines }: Between,
  when: readonly [Bisected, Bisected] | undefined,
  symbols: SymbolTable,
): object {
  const { difference, inputs, equalInputs } = found;
  const json = (event: InputDifference["left"]) => event && JSON.parse(eventJson(event, symbols));
  const parting = difference.kind !== "divergent" ? difference : {
    kind: difference.kind,
    instant: difference.instant,
    effort: difference.effort,
    events: difference.sides.map(({ event }) => event && JSON.parse(eventJson(event, symbols))),
  };
  return {
    ...parting,
    machines,
    equalInputs,
    inputs: inputs.map(({ left, right, isTiming }) => ({ isTiming, left: json(left), right: json(right) })),
    ...when === undefined ? {} : { when: when.map((one) => bisectionJson(one, symbols)) },
  };
}
