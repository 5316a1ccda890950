/** A PRDA kernel as a guest for tests. */
import { createHash } from "node:crypto";
import type { PrdaKernel } from "../../../firmware/prda/kernel.ts";
import { parseConfiguration } from "../../../machine/configuration.ts";
import type { Guest } from "../../journal/guest.ts";

/** The kernel with the board that it needs. */
export function prdaGuest({ program, options: { scheme, level, pes } }: PrdaKernel): Guest {
  const sha256 = createHash("sha256").update(program.bytes).digest("hex");
  const kernel = { sha256, size: program.bytes.length, name: "prda" };
  return {
    program,
    images: new Map([[sha256, program.bytes]]),
    configuration: (more = {}) =>
      parseConfiguration({
        cpus: pes,
        virtualization: level === 2,
        cpuModel: scheme === "aliasAtomic" ? "max" : "cortex-a57",
        memoryMiB: 8,
        ...more,
        boot: { kernel },
      }),
  };
}
