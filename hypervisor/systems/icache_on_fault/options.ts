/** How `--monitor el2:icache-on-fault,…` is written: policy, pager, and faults that are planted on purpose. */
import { z } from "zod";

/** The system as it is set up. */
export interface IcacheOnFaultOptions {
  /** `whole`: any first access maps a page with everything allowed; `lazy`: what is written is not executed. */
  readonly policy: "whole" | "lazy";
  /** `range`: the lines of the page; `everything`: all caches, as a monitor does that knows no ranges. */
  readonly flush: "range" | "everything";
  /** Steps between two pages that the pager takes; 0 for no pager. */
  readonly every: number;
  /** What the pager does to a page. */
  readonly action: "evict" | "move" | "both";
  /** Seed of what the pager chooses, not 0. */
  readonly seed: number;
  /** Frames of the monitor that pages are moved to. */
  readonly spare: number;
  /** Maintenance that is left out, although it is told: a fault to be found. */
  readonly omit: "none" | "ic" | "dc";
}

/** Largest value of 32 bits. */
const LARGEST = 2 ** 32 - 1;

const whole = (least: number, most: number, value: number) =>
  z.string().regex(/^\d{1,10}$/, "not a whole number").transform(Number).pipe(z.number().min(least).max(most))
    .default(value);

/** Options by name, as texts. */
export const icacheOnFaultOptions: z.ZodType<IcacheOnFaultOptions> = z.strictObject({
  policy: z.enum(["whole", "lazy"]).default("whole"),
  flush: z.enum(["range", "everything"]).default("range"),
  every: whole(0, LARGEST, 0),
  action: z.enum(["evict", "move", "both"]).default("both"),
  seed: whole(1, LARGEST, 1),
  spare: whole(2, 512, 16),
  omit: z.enum(["none", "ic", "dc"]).default("none"),
});
