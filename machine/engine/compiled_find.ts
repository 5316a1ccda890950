/** Writes the functions that regions call for accesses that the front table does not have. */
import { MARK_ALIGNED } from "../memory/tlb.ts";
import type { CodeWriter } from "../wasm/code_writer.ts";
import { FRONT, FRONT_ENTRIES, FRONT_ENTRY_SIZE } from "./front_table.ts";
import type { CodeLayout, Privilege } from "./threaded_layout.ts";
import { TlbCode } from "./threaded_tlb.ts";

/** Shift that takes an address to its page's entry in a front table. */
export const ENTRY_SHIFT = 12 - (31 - Math.clz32(FRONT_ENTRY_SIZE));
/** Bits of the entry's offset. */
export const ENTRY_MASK = (FRONT_ENTRIES - 1) * FRONT_ENTRY_SIZE;

/** Locals of `defineFind`'s function. */
const FIND = { address: 0, size: 1, front: 2, tlb: 3 } as const;

/**
 * Writes the function that finds what the front table does not have: an access of `size` bytes, or, when negative, of
 * as many that must be aligned.
 */
export function defineFind(
  code: CodeWriter,
  layout: CodeLayout,
  kind: "read" | "write",
  privilege: Privilege,
): void {
  const tlb = new TlbCode(code, layout, privilege), isRead = kind === "read";
  const entry = code.takeLocal("i32"), host = code.takeLocal("i32");
  const none = code.block();
  tlb.findPlain(kind, { address: FIND.address, size: FIND.size, tlb: FIND.tlb, entry, host }, none);
  // Where misaligned accesses may fault, the page stays out of the front table, where nobody looks for that.
  tlb.entryMarks(entry, kind);
  code.i32Const(MARK_ALIGNED);
  code.i32And();
  if (!isRead) {
    // So does one that plain writes may not go to, though this one may.
    code.localGet(host);
    tlb.isMarkedDirty();
    code.i32Eqz();
    code.i32Or();
  }
  code.if();
  code.localGet(host);
  code.return();
  code.end();
  code.localGet(FIND.address);
  code.i64Const(ENTRY_SHIFT);
  code.i64ShrU();
  code.i32WrapI64();
  code.i32Const(ENTRY_MASK);
  code.i32And();
  code.localGet(FIND.front);
  code.i32Add();
  code.localTee(entry);
  code.localGet(FIND.address);
  code.i64Const(-4096);
  code.i64And();
  code.i64Store(isRead ? FRONT.readTag : FRONT.writeTag);
  code.localGet(entry);
  code.localGet(host);
  code.localGet(FIND.address);
  code.i32WrapI64();
  code.i32Sub();
  code.i32Store(isRead ? FRONT.readAddend : FRONT.writeAddend);
  code.localGet(host);
  code.return();
  code.end();
  code.i32Const(0);
}

/** Writes the function that finds the place of a store-exclusive or of a block to clear, in the same way. */
export function defineFindOther(code: CodeWriter, layout: CodeLayout, kind: "exclusive" | "zero"): void {
  const tlb = new TlbCode(code, layout);
  const entry = code.takeLocal("i32"), host = code.takeLocal("i32");
  const none = code.block();
  const local = { address: FIND.address, size: FIND.size, tlb: FIND.tlb, entry, host };
  tlb.findPlain("write", local, none, kind === "exclusive");
  if (kind === "zero") {
    tlb.entryMarks(entry, "write");
    code.i32Const(MARK_ALIGNED);
    code.i32And();
    code.brIf(none);
  }
  code.localGet(host);
  code.return();
  code.end();
  code.i32Const(0);
}
