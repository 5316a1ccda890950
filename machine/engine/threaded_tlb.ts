/** How generated code finds pages: the TLB's tables, and the marks that stop a plain write. */
import { PAGE_DIRTY, PAGE_WALKED, PAGE_WALKED_THROUGH } from "../memory/physical.ts";
import { ENTRY_HOST_PAGE, ENTRY_MARKS, MARK_ALIGNED, TABLE_OFFSETS, TLB_ENTRIES } from "../memory/tlb.ts";
import type { CodeWriter, Label } from "../wasm/code_writer.ts";
import { type CodeLayout, LOCAL, type Privilege, SHARED } from "./threaded_layout.ts";

/** Bytes of a descriptor of translation tables. */
const DESCRIPTOR_SIZE = 8;

/** A table of translations. */
export type TableName = Exclude<keyof typeof TABLE_OFFSETS, "contexts">;

/** Writes look-ups into one function. */
export class TlbCode {
  /** Code goes to `code`; look-ups are for accesses of a privilege. */
  constructor(
    private readonly code: CodeWriter,
    private readonly layout: CodeLayout,
    private readonly privilege: Privilege = "normal",
  ) {}

  /** Leaves the context of the address in a local, as an i64. */
  #context(address: number): void {
    const { code } = this;
    code.localGet(address);
    code.i64Const(52);
    code.i64ShrU();
    code.i32WrapI64();
    code.i32Const(8);
    code.i32And();
    const contexts = this.privilege === "normal" ? SHARED.contexts : SHARED.unprivilegedContexts;
    code.i64Load(this.layout.shared + contexts);
  }

  /**
   * Looks an address (a local) up in a table of translations: leaves the entry's address in the local `entry` and 1 on
   * the stack when it is another page's or when one of the low bits of `mask` is set in the address.
   */
  lookUp(
    address: number,
    entry: number,
    table: TableName,
    mask: bigint,
    tlb: number = LOCAL.tlb,
  ): void {
    const { code, layout: { cpu } } = this;
    const context = code.takeLocal("i64");
    this.#context(address);
    code.localSet(context);
    code.localGet(address);
    code.i64Const(12);
    code.i64ShrU();
    code.localGet(context);
    code.i64Xor();
    code.i32WrapI64();
    code.i32Const(TLB_ENTRIES - 1);
    code.i32And();
    code.i32Const(4);
    code.i32Shl();
    if (cpu === undefined) {
      code.localGet(tlb);
      code.i32Add();
    }
    code.localTee(entry);
    code.i64Load(this.#tableOffset(table));
    code.localGet(address);
    code.i64Const(mask);
    code.i64And();
    code.localGet(context);
    code.i64Or();
    code.i64Ne();
    code.releaseLocal(context);
  }

  #tableOffset(table: TableName): number {
    return (this.layout.cpu?.tlb ?? 0) + TABLE_OFFSETS[table];
  }

  /** Pushes what an entry of a table leads to. */
  entryPage(entry: number, table: TableName): void {
    this.code.localGet(entry);
    this.code.i32Load(this.#tableOffset(table) + ENTRY_HOST_PAGE);
  }

  /** Pushes the marks of an entry. */
  entryMarks(entry: number, table: TableName): void {
    this.code.localGet(entry);
    this.code.i32Load(this.#tableOffset(table) + ENTRY_MARKS);
  }

  /** Pushes the offset in memory of an address whose entry was found. */
  hostAddress(address: number, entry: number, table: "read" | "write"): void {
    const { code } = this;
    this.entryPage(entry, table);
    code.localGet(address);
    code.i32WrapI64();
    code.i32Const(0xfff);
    code.i32And();
    code.i32Add();
  }

  /** Replaces the offset of a page's byte by 1 where plain writes need no one's attention. */
  isMarkedDirty(): void {
    const { code, layout } = this;
    code.i32Const(12);
    code.i32ShrU();
    code.i32Load8U(layout.pageFlags);
    code.i32Const(PAGE_DIRTY);
    code.i32Eq();
  }

  /** The body of `HandlerFunctions.unaligned`: parameters are address, size and TLB. */
  unalignedFunction(kind: "read" | "write"): void {
    const { code } = this;
    const entry = code.takeLocal("i32"), host = code.takeLocal("i32");
    const other = code.block();
    this.findPlain(kind, { address: 0, size: 1, tlb: 2, entry, host }, other);
    code.localGet(host);
    code.return();
    code.end();
    code.i32Const(0);
  }

  /**
   * Leaves the offset in memory of an access, which may be misaligned unless its size is negative, in `host`, or goes to
   * `other`; also a write that someone has to hear of, unless it `mayBeMarked`.
   */
  findPlain(
    kind: "read" | "write",
    local: { readonly [Name in "address" | "size" | "tlb" | "entry" | "host"]: number },
    other: Label,
    mayBeMarked = false,
  ): void {
    const { code } = this, { address, size, tlb, entry, host } = local;
    this.lookUp(address, entry, kind, BigInt.asUintN(64, -4096n), tlb);
    code.brIf(other);
    // Alignment is asked for by the size or by the page: then the low bits of the address must be clear.
    code.localGet(size);
    code.i32Const(0);
    code.i32LtS();
    this.entryMarks(entry, kind);
    code.i32Const(MARK_ALIGNED);
    code.i32And();
    code.i32Or();
    code.if();
    this.#magnitude(size);
    code.i32Const(1);
    code.i32Sub();
    code.localGet(address);
    code.i32WrapI64();
    code.i32And();
    code.brIf(other);
    code.end();
    code.localGet(address);
    code.i32WrapI64();
    code.i32Const(0xfff);
    code.i32And();
    this.#magnitude(size);
    code.i32Add();
    code.i32Const(4096);
    code.i32GtU();
    code.brIf(other);
    this.hostAddress(address, entry, kind);
    code.localSet(host);
    if (kind === "read" || mayBeMarked) return;
    code.localGet(host);
    this.isMarkedDirty();
    code.i32Eqz();
    code.if();
    if (this.layout.isStrict) code.br(other);
    else this.#requireNoDescriptor(host, size, other);
    code.end();
  }

  /**
   * Goes to `other` unless a write is one of a descriptor, in a page that serves walks alone, where no valid one was in
   * either byte order: nothing comes from there (`walkedPageWritten`).
   */
  #requireNoDescriptor(host: number, size: number, other: Label): void {
    const { code, layout } = this;
    const conditions: readonly [() => void, number][] = [
      [() => {
        code.localGet(host);
        code.i32Const(12);
        code.i32ShrU();
        code.i32Load8U(layout.pageFlags);
        code.i32Const(~(PAGE_WALKED | PAGE_WALKED_THROUGH));
        code.i32And();
      }, PAGE_DIRTY],
      [() => this.#magnitude(size), DESCRIPTOR_SIZE],
      [() => {
        code.localGet(host);
        code.i32Const(DESCRIPTOR_SIZE - 1);
        code.i32And();
      }, 0],
      [() => {
        code.localGet(host);
        code.i64Load();
        code.i64Const(BigInt.asIntN(64, 1n | 1n << 56n));
        code.i64And();
        code.i64Eqz();
      }, 1],
    ];
    for (const [push, wanted] of conditions) {
      push();
      code.i32Const(wanted);
      code.i32Ne();
      code.brIf(other);
    }
  }

  /** Pushes a local without its sign. */
  #magnitude(local: number): void {
    const { code } = this;
    code.localGet(local);
    code.i32Const(0);
    code.localGet(local);
    code.i32Sub();
    code.localGet(local);
    code.i32Const(0);
    code.i32GtS();
    code.select();
  }
}
