/** Writes how the loop of handlers counts steps for the page that they are in, so that hot pages are found. */
import type { CodeWriter, Label } from "../wasm/code_writer.ts";
import { PAGE_SIDE } from "./code_pages.ts";
import { type CodeLayout, LOCAL, SHARED } from "./threaded_layout.ts";

/** Counts between branches from page to page, and between regions; writes nothing for an engine without regions. */
export class HeatCode {
  /** Side of the page that steps are counted for, 0 for none, and steps that were left when that began. */
  readonly #page: number;
  readonly #since: number;

  /** `leave` writes code that comes back by a label because the page at SHARED.hot is hot. */
  constructor(
    private readonly code: CodeWriter,
    private readonly layout: CodeLayout,
    private readonly leave: (exit: Label) => void,
  ) {
    this.#page = code.takeLocal("i32");
    this.#since = code.takeLocal("i32");
  }

  /** From now on steps are counted for the page whose side `push` pushes, or for none. */
  countFor(push?: () => void): void {
    const { code } = this;
    if (this.layout.regions === undefined) return;
    if (push === undefined) code.i32Const(0);
    else push();
    code.localSet(this.#page);
    code.localGet(LOCAL.left);
    // An access to a device may have taken steps out of it.
    this.#pushRest();
    code.i32Add();
    code.localSet(this.#since);
  }

  /** The page in which code is entered, or in which a region stopped. */
  countForPresent(): void {
    this.countFor(() => {
      this.code.i32Const(0);
      this.code.i32Load(this.layout.shared + SHARED.page);
    });
  }

  /**
   * Takes the steps since counting began from what a page has left until it is hot. When it is, comes back by `exit`;
   * without, code comes back now.
   */
  take(exit?: Label): void {
    const { code, layout: { regions, shared } } = this;
    if (regions === undefined) return;
    const heat = code.takeLocal("i32");
    code.localGet(this.#page);
    code.if();
    code.localGet(this.#page);
    code.localGet(this.#page);
    code.i32Load(PAGE_SIDE.heat);
    code.localGet(LOCAL.left);
    code.i32Add();
    code.localGet(this.#since);
    code.i32Sub();
    if (exit === undefined) {
      this.#pushRest();
      code.i32Add();
    }
    code.localTee(heat);
    code.i32Store(PAGE_SIDE.heat);
    if (exit !== undefined) {
      code.localGet(heat);
      code.i32Const(0);
      code.i32LeS();
      code.if();
      code.i32Const(0);
      code.localGet(this.#page);
      code.i32Store(shared + SHARED.hot);
      this.countFor();
      this.leave(exit);
      code.end();
    }
    code.end();
    code.releaseLocal(heat);
  }

  #pushRest(): void {
    this.code.i32Const(0);
    this.code.i32Load(this.layout.shared + SHARED.rest);
  }
}
