/** How `--monitor el2:virtual-hypervisors,…` is written: where the manifest is, and what the machine's line carries. */
import { z } from "zod";

/** Name of the system. */
export const VIRTUAL_HYPERVISORS = "virtual-hypervisors";

/** The system as it is set up. */
export interface VirtualHypervisorsOptions {
  /** Physical address of the manifest, JSON behind which is a zero byte. */
  readonly manifest: number;
  /** What of consoles is written on the machine's line: lines with the names before them, one console, or nothing. */
  readonly line: "tagged" | "attached" | "none";
  /** To show that leaks are found: something that depends on who else is there. */
  readonly leak: Leak | undefined;
}

/** What can be planted. */
export const LEAKS = ["counter", "quantum", "register", "phase", "memory"] as const;
/** A planted leak. */
export type Leak = (typeof LEAKS)[number];

/** Options by name, as texts. */
export const virtualHypervisorsOptions: z.ZodType<VirtualHypervisorsOptions> = z.strictObject({
  manifest: z.string().transform((text, context) => {
    const address = /^0x[0-9a-fA-F]{1,12}$/.test(text) ? Number(text) : -1;
    if (address >= 0) return address;
    context.addIssue({ code: "custom", message: `"${text}" is no address: write 0x and hexadecimal digits` });
    return z.NEVER;
  }),
  line: z.enum(["tagged", "attached", "none"]).default("tagged"),
  leak: z.enum(LEAKS).optional(),
}) as z.ZodType<VirtualHypervisorsOptions>;
