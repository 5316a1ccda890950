/** The handlers of a machine's instructions: which shape has which number, and the module that holds them. */
import type { PhysicalMemory } from "../memory/physical.ts";
import { HANDLER } from "./code_pages.ts";
import { COMMON_ADDRESSES, COMMON_WORDS } from "./common_words.ts";
import type { CodeLayout } from "./threaded_layout.ts";
import { generateModule, type ThreadedImports, type ThreadedRun } from "./threaded_module.ts";
import type { WordShapes } from "./word_shapes.ts";

/**
 * Steps of instructions whose shapes are not in the module after which it is generated: first with the common ones, then
 * again. A new module runs slowly until it is optimized, so not lightly; but firmware may do nothing else for a while.
 */
const PATIENCES: readonly number[] = [1000, 5000, 15_000], LAST_PATIENCE = 30_000;

/** Shapes met so far, and a module with the handlers of most of them. */
export class Handlers {
  #generated = 0;
  #modules = 0;
  #awaited = 0;
  #run: ThreadedRun;

  /** Starts with a module that has no handlers but the fixed ones. */
  constructor(
    private readonly memory: PhysicalMemory,
    private readonly layout: CodeLayout,
    private readonly imports: ThreadedImports,
    private readonly regions: WebAssembly.Table | undefined,
    /** Shapes that handlers are of. */
    readonly words: WordShapes,
  ) {
    this.#run = this.#generate();
  }

  /** Runs from a record; a `REASON`. */
  run(record: number, left: number, state: number, tlb: number): number {
    return this.#run(record, left, state, tlb);
  }

  #generate(): ThreadedRun {
    const { memory } = this.memory;
    const pages = memory.buffer.byteLength / 65536;
    const bytes = generateModule(this.words.shapes, this.layout, pages);
    const { access, evaluate } = this.imports;
    const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), {
      env: { memory, access, evaluate, ...(this.regions && { regions: this.regions }) },
    });
    this.#generated = this.words.shapes.length;
    return instance.exports["run"] as ThreadedRun;
  }

  /** Counts a step of an instruction whose handler is not generated; true when all known handlers are now. */
  await(): boolean {
    if (++this.#awaited < (PATIENCES[this.#modules] ?? LAST_PATIENCE)) return false;
    this.#awaited = 0;
    if (this.#modules++ === 0) {
      for (const address of COMMON_ADDRESSES) {
        for (const word of COMMON_WORDS) this.words.find(word, address, false);
      }
    }
    this.#run = this.#generate();
    return true;
  }

  /**
   * Number of the handler of a word at an address, given by halves, in a guarded page or not; one that is not generated
   * yet is HANDLER.awaited. Except for HANDLER.evaluated the image in the shapes of words is its record.
   */
  decode(word: number, low: number, high: number, guarded: boolean): number {
    const number = this.words.decode(word, low, high, guarded);
    if (number < 0) return HANDLER.evaluated;
    return number < this.#generated ? HANDLER.first + number : HANDLER.awaited;
  }
}
