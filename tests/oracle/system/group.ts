/** A group of runs that share a program, and what is compared of their results. */
import type { SystemProgram, TopLevel } from "./program.ts";

/** Exception levels. */
export type Level = 0 | 1 | 2 | 3;

/** A group. */
export interface Group {
  /** Name, unique. */
  readonly name: string;
  /** Highest level of the machine. */
  readonly top: TopLevel;
  /** Adds its runs; deterministic. */
  build(program: SystemProgram): void;
}

/** The levels of a machine, lowest first. */
export function levelsOf(top: TopLevel): Level[] {
  return ([0, 1, 2, 3] as const).filter((level) => level <= top);
}
