/** The compiled engine in a hurry: what a short test executes a few times is compiled, thrown away, and compiled again. */
import { CompiledEngine } from "../../../machine/engine/compiled.ts";
import type { CompilePolicy } from "../../../machine/engine/regions.ts";

/** Pages are hot after a few steps, and code comes back often. */
export const EAGER: CompilePolicy = {
  heat: 12,
  reheat: 30,
  slice: 150,
  largestSlice: 600,
  batch: 1,
  largestTotal: 1 << 16,
  reaches: true,
};

/** An engine for a new machine; put it in place of the machine's own before it runs. */
export class EagerEngine extends CompiledEngine {
  override readonly name: string = "compiled early";

  constructor() {
    super(undefined, EAGER);
  }
}
