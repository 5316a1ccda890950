/** What a recording went into, by what `hindsight record --costs --json` tells. */
import type { CostsValue } from "../cli/costs.ts";
import type { Cost } from "./process.ts";

export type { CostsValue } from "../cli/costs.ts";

/** Options that make a recording tell it; looking costs time, so such a run is not one of those that are timed. */
export const COSTS_OPTIONS: readonly string[] = ["--costs", "--json"];

/** Reads what a recording with `COSTS_OPTIONS` printed; throws Error where it does not tell its costs. */
export function costsIn({ output, errors }: Cost): CostsValue {
  const last = output.trimEnd().split("\n").at(-1) ?? "";
  try {
    return JSON.parse(last).costs;
  } catch {
    throw new Error(`A recording does not tell its costs:\n${output.slice(-600)}${errors}`);
  }
}

/** Costs in words: the share of each part, and how much of what they are made of. */
export function costsText({ seconds, parts, roots, pagesHashed, eventsStored }: CostsValue): string {
  const shares = Object.entries(parts).map(([part, value]) =>
    `${part} ${(100 * value / seconds).toFixed(1)} %`
  );
  return `${shares.join(", ")}; ${roots} roots over ${pagesHashed} pages, ${eventsStored} events stored`;
}
