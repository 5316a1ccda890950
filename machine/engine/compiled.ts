/** The compiled engine: the threaded engine, with hot pages compiled to WebAssembly functions of their own. */
import { ThreadedEngine } from "./threaded.ts";

/** Executes regions where there are any, records elsewhere. */
export class CompiledEngine extends ThreadedEngine {
  /** Name on the command line. */
  override readonly name: string = "compiled";
  protected override readonly compiles: boolean = true;
}
