/** What every engine is to the machine: something that executes steps of one CPU within a budget. */
import type { CompileStatistics } from "./compile_request.ts";
import type { Cpu } from "../cpu/cpu.ts";

/** An engine; all engines produce the same instants, roots and events. */
export interface Engine {
  /** Name shown to people, and in benchmarks. */
  readonly name: string;
  /**
   * Executes at most `budget` steps of `cpu` (one at least when the budget is positive), adding each to the
   * clock's instant, and returns early after a step that set the CPU's attention or changed the clock's plan.
   */
  run(cpu: Cpu, budget: number): void;

  /** What it has compiled so far; undefined for one that does not compile, or has not begun. */
  readonly compiled?: CompileStatistics | undefined;
}
