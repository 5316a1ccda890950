/** The compiled engine: the threaded engine, with hot pages compiled to WebAssembly functions of their own. */
import type { RegionCompilerFactory } from "./compile_request.ts";
import { ImmediateCompiler } from "./region_translator.ts";
import { ThreadedEngine } from "./threaded.ts";

/** Executes regions where there are any, records elsewhere. */
export class CompiledEngine extends ThreadedEngine {
  /** Name on the command line. */
  override readonly name: string = "compiled";

  /** `compile` makes what compiles regions: by default, each where it is asked for. */
  constructor(
    protected override readonly compile: RegionCompilerFactory = (setup, words) =>
      new ImmediateCompiler(setup, words),
  ) {
    super();
  }
}
