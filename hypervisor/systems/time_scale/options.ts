/** How `--monitor el2:time-scale,…` is written: scale, epoch, skews of CPUs. */
import { z } from "zod";
import { CPUS_MAX } from "../../../machine/devices/gic_interrupts.ts";
import { parseScale, type Scale, scaleProblem } from "./scale.ts";

/** The system as it is set up. */
export interface TimeScaleOptions {
  /** Guest time per machine time. */
  readonly scale: Scale;
  /** What the guest's counter has when the machine is powered on. */
  readonly epoch: bigint;
  /** Counts that each CPU is ahead, by CPU; those not named are not. */
  readonly skew: readonly bigint[];
}

const MAXIMUM_EPOCH = 1n << 62n;
const MAXIMUM_SKEW = 1n << 48n;

/** A whole number in decimal, below `end`; adds an issue otherwise. */
function whole(text: string, end: bigint, context: z.RefinementCtx): bigint {
  const value = /^\d{1,19}$/.test(text) ? BigInt(text) : end;
  if (value < end) return value;
  context.addIssue({ code: "custom", message: `"${text}" is no number of counts from 0 to ${end - 1n}` });
  return z.NEVER;
}

const scale = z.string().transform((text, context): Scale => {
  const parsed = parseScale(text);
  const problem = parsed === undefined ? `"${text}" is no scale: write 1/4, 4 or 0.25` : scaleProblem(parsed);
  if (parsed !== undefined && problem === undefined) return parsed;
  context.addIssue({ code: "custom", message: problem as string });
  return z.NEVER;
});

/** Options by name, as texts. */
export const timeScaleOptions: z.ZodType<TimeScaleOptions> = z.strictObject({
  scale: scale.default({ numerator: 1, denominator: 1 }),
  epoch: z.string().transform((text, context) => whole(text, MAXIMUM_EPOCH, context)).default(0n),
  skew: z.string().transform((text, context) => {
    const skews = text.split(":").map((one) => whole(one, MAXIMUM_SKEW, context));
    if (skews.length <= CPUS_MAX) return skews;
    context.addIssue({ code: "custom", message: `there are at most ${CPUS_MAX} CPUs` });
    return z.NEVER;
  }).default([]),
});
