/** What the texts of diff and bisect have in common: names of the runs, tables, what machines and CPUs differ in. */
import type { Difference } from "../journal/diff.ts";
import type { RecordedRun } from "../journal/run.ts";
import { configurationLines } from "./configuration_text.ts";
import { registerDifferences } from "./cpu_view.ts";
import type { SymbolTable } from "./symbols.ts";
import type { Palette } from "./text.ts";

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
