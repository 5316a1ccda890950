/** What bisecting along a run found, as text and as JSON. */
import type { BisectEffort, Bisection } from "../journal/bisect.ts";
import { generalRegisters, pstateText, registerColumns } from "./cpu_view.ts";
import type { View } from "./diff_view.ts";
import { eventJson, eventText } from "./event_text.ts";
import type { SymbolTable } from "./symbols.ts";
import { counted, grouped } from "./text.ts";

/** An answer, with the question. */
export interface Bisected {
  /** The answer. */
  readonly found: Bisection;
  /** What must hold. */
  readonly expression: string;
  /** Where the run begins. */
  readonly firstInstant: number;
}

/** How it was looked for, as a sentence or two. */
function effortText({ method, looks, samples, changes }: BisectEffort): string {
  switch (method) {
    case "watch":
      return `It is the first such instant: what the expression reads was watched, and looked at ${
        counted(looks, "time")
      }.`;
    case "scan":
      return "It is the first such instant: every step was looked at.";
    case "halve": {
      const seen = changes <= 1
        ? `It seems to stay so: in ${counted(samples, "place")} over the run it changed once.`
        : `It comes and goes: in ${counted(samples, "place")} over the run it changed ${
          counted(changes, "time")
        }.`;
      return `${seen} Found by halving, ${counted(looks, "look")}; ` +
        "it may have held for a while before: --scan looks at every step.";
    }
  }
}

/** X registers that are not zero, SP, PC and PSTATE of the CPU whose step it was. */
function registersText(found: Bisection & { kind: "found" }, { palette, symbols }: View): string {
  const index = found.events.at(-1)?.cpu ?? 0;
  const cpu = found.machine.board.cpus[index];
  if (cpu === undefined) return "";
  const shown = generalRegisters(cpu).filter(([name, value]) => value !== 0n || name === "pc");
  const lines = registerColumns(shown, 5, 4, palette, symbols);
  return `cpu${index} after it, ${pstateText(cpu)}:\n${lines.join("\n")}\n`;
}

function neverText(expression: string, lastInstant: number, { method, samples }: BisectEffort): string {
  const end = `up to instant ${grouped(lastInstant)}, the end`;
  return method === "halve"
    ? `${expression} does not hold in any of ${counted(samples, "place")} ${end}. ` +
      "If it came and went between them, --scan finds when.\n"
    : `${expression} never holds ${end}.\n`;
}

/** The answer as text. */
export function bisectionText({ found, expression, firstInstant }: Bisected, view: View): string {
  const { palette, symbols } = view;
  switch (found.kind) {
    case "always":
      return `${expression} holds at instant ${grouped(firstInstant)} already, where the run begins.\n`;
    case "never":
      return neverText(expression, found.lastInstant, found.effort);
    case "found":
      return [
        `${palette.bold(expression)} holds from instant ${palette.bold(grouped(found.instant))} on, not at ${
          grouped(found.instant - 1)
        }.`,
        effortText(found.effort),
        "The step between them:",
        ...found.events.map((event) => `  ${eventText(event, palette, symbols)}`),
        registersText(found, view),
      ].join("\n");
  }
}

/** The answer for JSON. */
export function bisectionJson({ found, expression }: Bisected, symbols: SymbolTable): object {
  if (found.kind !== "found") return { ...found, expression };
  const { kind, instant, effort, events } = found;
  return {
    kind,
    expression,
    instant,
    effort,
    events: events.map((event) => JSON.parse(eventJson(event, symbols))),
  };
}
