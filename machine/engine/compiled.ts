/** The compiled engine: the threaded engine, with hot pages compiled to WebAssembly functions of their own. */
import type { CompileCache, RegionCompilerFactory } from "./compile_request.ts";
import { COMPILE_POLICY, type CompilePolicy } from "./regions.ts";
import { ThreadedEngine } from "./threaded.ts";

/** Executes regions where there are any, records elsewhere. */
export class CompiledEngine extends ThreadedEngine {
  /** Name on the command line. */
  override readonly name: string = "compiled";

  /**
   * `compile` makes what compiles regions, or says that each is compiled where it is asked for, or that none is; tests
   * change `policy`; `cache` keeps what is compiled.
   */
  constructor(
    protected override readonly compile: "sync" | "off" | RegionCompilerFactory = "sync",
    protected override readonly policy: CompilePolicy = COMPILE_POLICY,
    protected override readonly cache?: CompileCache | undefined,
  ) {
    super();
  }
}
