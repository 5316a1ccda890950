/** Compilers that answer late, in another order, or never; no result may depend on them. */
import type {
  CompileRequest,
  CompileResult,
  CompileSetup,
  RegionCompiler,
} from "../../../machine/engine/compile_request.ts";
import { CompiledEngine } from "../../../machine/engine/compiled.ts";
import { Choices } from "../../law/random.ts";
import { EAGER } from "./eager.ts";

/** Compiles when asked to, and hands over what `isDue` lets through, the last first. */
export class LateCompiler implements RegionCompiler {
  #waiting: CompileRequest[] = [];
  /** Results handed over. */
  answers = 0;

  constructor(private readonly immediate: RegionCompiler, private readonly isDue: () => boolean) {}

  /** Takes a request. */
  request(request: CompileRequest): void {
    this.#waiting.push(request);
  }

  /** Hands over what is due. */
  take(): readonly CompileResult[] {
    const due = this.#waiting.filter(() => this.isDue()).reverse();
    this.#waiting = this.#waiting.filter((request) => !due.includes(request));
    for (const request of due) this.immediate.request(request);
    this.answers += due.length;
    return this.immediate.take();
  }
}

/** The compiled engine in a hurry whose compiler takes its time, which depends on the seed alone. */
export class LateEngine extends CompiledEngine {
  override readonly name: string = "compiled late";

  constructor(seed: number) {
    const choices = new Choices(seed);
    super(
      (_: CompileSetup, immediate: RegionCompiler) => new LateCompiler(immediate, () => choices.oneIn(8)),
      EAGER,
    );
  }
}
