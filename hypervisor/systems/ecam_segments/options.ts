/** Options of ecam-segments. */
import { z } from "zod";

const address = (what: string): z.ZodPipe<z.ZodString, z.ZodTransform<number, string>> =>
  z.string().regex(/^(0x[0-9a-f]{1,12}|[0-9]{1,14})$/i, `not ${what}`).transform(Number);

/** The options, as read. */
export interface SegmentOptions {
  /** `first=`: number of the first segment, 0 to 65535 (default 0). */
  readonly first: number;
  /** `shape=`: a segment for each bus (`segments`, the default), or one with all buses by their true numbers (`tree`). */
  readonly shape: "segments" | "tree";
  /** `ecam=`: physical address of the first segment's region, whole MiB (default: where the board's ECAM would be). */
  readonly ecam: number | undefined;
  /** `bridges=nest|refuse`: what becomes of a bridge behind a root port (default nest). */
  readonly bridges: "nest" | "refuse";
  /** `window=`: most bytes of a root port's window to give away (default all). */
  readonly window: number;
  /** `tree=`: the device tree to write segments into: `auto`, `none`, or its physical address (default auto). */
  readonly tree: "auto" | "none" | number;
  /** `acpi=`: where ACPI tables of that tree go, which stays as it is then; a multiple of 16. */
  readonly acpi: number | undefined;
}

/** Reads them. */
export const SEGMENT_OPTIONS: z.ZodType<SegmentOptions> = z.strictObject({
  first: z.string().regex(/^[0-9]{1,5}$/, "not the number of a segment").transform(Number)
    .refine((first) => first < 0x1_0000, "segments are 0 to 65535").default(0),
  ecam: address("an address").refine((at) => at % 2 ** 20 === 0, "not a multiple of 1 MiB").optional(),
  shape: z.enum(["segments", "tree"]).default("segments"),
  bridges: z.enum(["nest", "refuse"]).default("nest"),
  window: address("a number of bytes").default(Number.MAX_SAFE_INTEGER),
  tree: z.union([z.enum(["auto", "none"]), address("auto, none or an address")]).default("auto"),
  acpi: address("an address").refine((at) => at % 16 === 0, "not a multiple of 16").optional(),
}).transform((read) => ({ ...read, ecam: read.ecam, acpi: read.acpi }));
