/** What the checks of dual-width-tables share. */
import { KERNEL_BASE, type KernelForm } from "../../../firmware/dual_width/layout.ts";

/** All engines, for small runs. */
export const ENGINES: readonly string[] = ["reference", "threaded", "compiled"];

/** Those that are quick enough for millions of steps in a quick check. */
export const QUICK_ENGINES: readonly string[] = ["threaded", "compiled"];

/** The command of the acceptance. */
export const ECHO_OK: readonly string[] = ["sh", "-c", "echo ok"];

/** An address in the kernel's data. */
export const SECRET: bigint = KERNEL_BASE.el2 + 0x84000n;

/** Both kernels. */
export const FORMS: readonly KernelForm[] = ["el2", "vhe"];

/** A failure unless a console wrote exactly this. */
export function consoleIs({ console }: { readonly console: string }, wanted: string, what: string): string[] {
  return console === wanted
    ? []
    : [`${what} wrote ${JSON.stringify(console)}, not ${JSON.stringify(wanted)}`];
}
