/** The compiled engine: the threaded engine, with hot pages compiled to WebAssembly functions of their own. */
import type { RegionCompilerFactory } from "./compile_request.ts";
import { ImmediateCompiler } from "./region_translator.ts";
import { COMPILE_POLICY, type CompilePolicy } from "./regions.ts";
import { ThreadedEngine } from "./threaded.ts";

/** Executes regions where there are any, records elsewhere. */
export class CompiledEngine extends ThreadedEngine {
  /** Name on the command line. */
  override readonly name: string = "compiled";

  /** `compile` makes what compiles regions: by default, each where it is asked for; tests change `policy`. */
  constructor(
    protected override readonly compile: RegionCompilerFactory = (setup, words) =>
      new ImmediateCompiler(setup, words),
    protected override readonly policy: CompilePolicy = COMPILE_POLICY,
  ) {
    super();
  }
}
