/** Writes what exclusives do with the CPU's monitor where no one else is concerned, for handlers and compiled regions. */
import { PAGE_DIRTY, PAGE_MONITORED } from "../memory/physical.ts";
import { MONITOR, TABLE_OFFSETS } from "../memory/tlb.ts";
import type { CodeWriter } from "../wasm/code_writer.ts";
import { type CodeLayout, SHARED } from "./threaded_layout.ts";

/** Writes to one function; `tlb` is the local with the offset of the CPU's translations. */
export class ExclusiveCode {
  /** Code goes to `code`. */
  constructor(
    private readonly code: CodeWriter,
    private readonly layout: CodeLayout,
    private readonly tlb: number,
  ) {}

  /** Pushes 1 when exclusives may be someone else's concern. */
  isWatched(): void {
    const { code } = this;
    code.i32Const(0);
    code.i32Load(this.layout.shared + SHARED.exclusivesAlone);
    code.i32Eqz();
  }

  /** A load-exclusive of `size` bytes at an offset in memory (a local) opens the monitor. */
  open(host: number, size: number): void {
    const { code } = this;
    for (const [word, value] of [[MONITOR.open, 1], [MONITOR.size, size]] as const) {
      this.#base();
      code.i32Const(value);
      code.i32Store(this.#offset(word));
    }
    this.#base();
    code.localGet(host);
    code.i32Store(this.#offset(MONITOR.host));
    this.#pushPage(host);
    this.#pushPage(host);
    code.i32Load8U(this.layout.pageFlags);
    code.i32Const(PAGE_MONITORED);
    code.i32Or();
    code.i32Store8(this.layout.pageFlags);
  }

  /**
   * Leaves by `leaveIf`, which takes an i32, unless a store-exclusive writes: the monitor is open, of this size, at this
   * place, in a page that has no other marks.
   */
  check(host: number, size: number, leaveIf: () => void): void {
    const { code } = this;
    const conditions: readonly [() => void, number | undefined][] = [
      [() => this.#load(MONITOR.open), 1],
      [() => this.#load(MONITOR.size), size],
      [() => this.#load(MONITOR.host), undefined],
      [() => {
        this.#pushPage(host);
        code.i32Load8U(this.layout.pageFlags);
      }, PAGE_DIRTY | PAGE_MONITORED],
    ];
    for (const [push, wanted] of conditions) {
      push();
      if (wanted === undefined) code.localGet(host);
      else code.i32Const(wanted);
      code.i32Ne();
      leaveIf();
    }
  }

  /** Closes the monitor after `check`. */
  close(host: number): void {
    const { code } = this;
    for (const word of Object.values(MONITOR)) {
      this.#base();
      code.i32Const(0);
      code.i32Store(this.#offset(word));
    }
    this.#pushPage(host);
    code.i32Const(PAGE_DIRTY);
    code.i32Store8(this.layout.pageFlags);
  }

  #pushPage(host: number): void {
    this.code.localGet(host);
    this.code.i32Const(12);
    this.code.i32ShrU();
  }

  #base(): void {
    if (this.layout.cpu === undefined) this.code.localGet(this.tlb);
    else this.code.i32Const(0);
  }

  #offset(word: number): number {
    return (this.layout.cpu?.tlb ?? 0) + TABLE_OFFSETS.monitor + word * 4;
  }

  #load(word: number): void {
    this.#base();
    this.code.i32Load(this.#offset(word));
  }
}
