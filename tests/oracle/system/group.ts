/** A group of runs that share a program, and what is compared of their results. */
import type { SystemProgram, TopLevel } from "./program.ts";

/** Exception levels. */
export type Level = 0 | 1 | 2 | 3;

/** Models that groups run on. */
export type GroupModel = "cortex-a57" | "max" | "max,pauth-impdef=on";

/** A group. */
export interface Group {
  /** Name, unique. */
  readonly name: string;
  /** Highest level of the machine. */
  readonly top: TopLevel;
  /** Model of the CPU; cortex-a57 when absent. */
  readonly model?: GroupModel;
  /** `gic-version=`; 2 when absent. */
  readonly gicVersion?: 2 | 3;
  /** Adds its runs; deterministic. */
  build(program: SystemProgram): void;
}

/** The same groups on max. */
export function onMax(groups: readonly Group[]): Group[] {
  return groups.map((group) => ({ ...group, name: `${group.name}, max`, model: "max" }));
}

/** The levels of a machine, lowest first. */
export function levelsOf(top: TopLevel): Level[] {
  return ([0, 1, 2, 3] as const).filter((level) => level <= top);
}
