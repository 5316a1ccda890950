/** What pieces of random code have in common: where they are and which registers hold what. */
import type { CpuModel } from "../../machine/a64/feature.ts";
import type { Choices } from "./random.ts";

/** What a piece of code may depend on. */
export interface Place {
  /** The random choices. */
  readonly choices: Choices;
  /** Number of the piece; unique in the program. */
  readonly index: number;
  /** What the CPUs are. */
  readonly model: CpuModel;
  /** Pieces in the program, labelled `a0`, `a1` and so on. */
  readonly count: number;
}

/** Registers that hold useful addresses (see program.ts), and those that random code may write. */
export const DATA = 20, LOCKS = 21, TABLE = 22, WINDOW = 23, CODE = 24, DEVICE = 28;
/** Registers below this one are free. */
export const FREE = 16;

/** A number as the assembler reads it. */
export const hex = (value: number | bigint): string => `0x${value.toString(16)}`;
/** A free register. */
export const x = (choices: Choices): string => `x${choices.below(FREE)}`;
