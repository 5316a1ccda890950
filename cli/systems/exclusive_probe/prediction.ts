/** What the probe is to find, computed from the trap rules of the Arm ARM alone: nothing here runs anything. */
import { operationName, type ProbeOperation } from "../../../firmware/exclusive_probe/operations.ts";
import type { ProbeReport, Verdict } from "./report.ts";

/** A control bit that makes accesses trap. */
export interface TrapControl {
  /** Register and field, `HCR_EL2.TID3`. */
  readonly field: string;
  /** The level to which accesses trap. */
  readonly to: 2 | 3;
  /** The value with which they do. */
  readonly value: 0 | 1;
  /** Registers of the probe that it concerns, and the levels from which. */
  readonly registers: Readonly<Record<string, readonly (0 | 1)[]>>;
}

const BOTH = [0, 1] as const, EL1 = [1] as const;

/** The controls (Arm ARM D17.2, under each register), by name. */
// deno-fmt-ignore
export const CONTROLS: Readonly<Record<string, TrapControl>> = {
  TID3:     { field: "HCR_EL2.TID3",         to: 2, value: 1, registers: { ID_AA64PFR0_EL1: EL1, ID_AA64MMFR1_EL1: EL1 } },
  TID2:     { field: "HCR_EL2.TID2",         to: 2, value: 1, registers: { CTR_EL0: BOTH } },
  TACR:     { field: "HCR_EL2.TACR",         to: 2, value: 1, registers: { ACTLR_EL1: EL1 } },
  TDA:      { field: "MDCR_EL2.TDA",         to: 2, value: 1, registers: { MDCCSR_EL0: BOTH } },
  EL1PCTEN: { field: "CNTHCTL_EL2.EL1PCTEN", to: 2, value: 0, registers: { CNTPCT_EL0: BOTH } },
  EL1TVCT:  { field: "CNTHCTL_EL2.EL1TVCT",  to: 2, value: 1, registers: { CNTVCT_EL0: BOTH } },
  EA:       { field: "SCR_EL3.EA",           to: 3, value: 1, registers: {} },
  TDA3:     { field: "MDCR_EL3.TDA",         to: 3, value: 1, registers: { MDCCSR_EL0: BOTH } },
};

/** The level to which an operation of the probe traps under some controls; undefined where it does not. */
export function trapLevel(
  { level, register, isKernels }: ProbeOperation,
  controls: readonly string[],
): 1 | 2 | 3 | undefined {
  // UNDEFINED at EL0 comes before traps to EL2 (D1.13.2): the exception is EL1's.
  if (isKernels === true) return 1;
  for (const name of controls) {
    const control = CONTROLS[name];
    if (control === undefined) throw new RangeError(`There is no control "${name}"`);
    if (register !== undefined && control.registers[register]?.includes(level)) return control.to;
  }
  return undefined;
}

/** The verdict of a level: some operation that counts traps above EL1. */
export function predictedVerdict(
  operations: readonly ProbeOperation[],
  level: 0 | 1,
  controls: readonly string[],
): Verdict {
  const traps = operations.some((operation) =>
    operation.level === level && operation.isKernels !== true && trapLevel(operation, controls) !== undefined
  );
  return traps ? "virtualized" : "bare";
}

/** What of a report is not as predicted, a line each; what traps always fails, what does not fails by accident only. */
export function mismatches(
  report: ProbeReport,
  operations: readonly ProbeOperation[],
  controls: readonly string[],
): string[] {
  const { rounds, failures, verdicts } = report, found: string[] = [];
  for (const operation of operations) {
    const name = operationName(operation), failed = failures.get(name);
    if (failed === undefined) continue;
    const to = trapLevel(operation, controls);
    if (to !== undefined && failed !== rounds) {
      found.push(`${name} failed ${failed} of ${rounds} times, and traps to EL${to}: all were to fail`);
    }
    if (to === undefined && 2 * failed > rounds) {
      found.push(`${name} failed ${failed} of ${rounds} times, and does not trap: few were to fail`);
    }
  }
  for (const level of [1, 0] as const) {
    const predicted = predictedVerdict(operations, level, controls);
    if (verdicts[level] !== predicted) {
      found.push(`the verdict on EL${level} is ${verdicts[level]}, and ${predicted} was predicted`);
    }
  }
  return found;
}
