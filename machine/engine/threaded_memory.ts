/** Loads and stores of the threaded engine: by the TLB where they are plain, by the driver where they are not. */
import { type Emitter, valueType } from "../ir/emit.ts";
import type { IrNode } from "../ir/operations.ts";
import { MARK_ALIGNED } from "../memory/tlb.ts";
import type { CodeWriter, Label } from "../wasm/code_writer.ts";
import { ExclusiveCode } from "./exclusive_code.ts";
import {
  ANSWER,
  type CodeLayout,
  type HandlerFunctions,
  type HandlerLabels,
  LOCAL,
  SHARED,
  SLOW,
  slowDescriptor,
} from "./threaded_layout.ts";
import { TlbCode } from "./threaded_tlb.ts";

/** Bytes that DC ZVA clears: DCZID_EL0.BS = 4. */
export const ZERO_BLOCK = 64;

/** Bits of an address that tell its page, and those that a quick access must have clear. */
function tagMask(size: number): bigint {
  return BigInt.asUintN(64, -4096n) | BigInt(size - 1);
}

/** Writes the accesses of one function. */
export class MemoryCode {
  readonly #tlb: TlbCode;
  readonly #unprivilegedTlb: TlbCode;
  readonly #exclusive: ExclusiveCode;

  /** Code goes to `code`; `functions` are what slow accesses call. */
  constructor(
    private readonly code: CodeWriter,
    private readonly layout: CodeLayout,
    private readonly functions: HandlerFunctions,
    private readonly labels: HandlerLabels,
  ) {
    this.#tlb = new TlbCode(code, layout);
    this.#unprivilegedTlb = new TlbCode(code, layout, "unprivileged");
    this.#exclusive = new ExclusiveCode(code, layout, LOCAL.tlb);
  }

  /** Calls the driver for an access; afterwards either it is done, or the code is left with a fault. */
  #slow(address: number, kind: number, size: number, access: string): void {
    const { code } = this;
    const answer = code.takeLocal("i32");
    code.localGet(LOCAL.record);
    code.localGet(LOCAL.left);
    code.localGet(address);
    code.i32WrapI64();
    code.localGet(address);
    code.i64Const(32n);
    code.i64ShrU();
    code.i32WrapI64();
    code.i32Const(slowDescriptor(kind, size, access));
    code.call(this.functions.access);
    code.localTee(answer);
    code.if();
    code.localGet(answer);
    code.i32Const(ANSWER.faulted);
    code.i32Eq();
    code.brIf(this.labels.fault);
    code.i32Const(0);
    code.localSet(LOCAL.left);
    code.end();
    code.releaseLocal(answer);
  }

  #pushShared(width: number): void {
    this.code.i32Const(0);
    loadWidth(this.code, width, this.layout.shared + SHARED.value);
  }

  /**
   * Where a slow access may be misaligned and nothing else: opens an `if` with the access's offset in memory, in whose
   * `else` the caller does the slow access. False when it must be aligned.
   */
  #unaligned(kind: "read" | "write", address: number, host: number, size: number, access: string): boolean {
    if (size === 1 || (access !== "normal" && access !== "unprivileged")) return false;
    const { code } = this;
    code.localGet(address);
    code.i32Const(size);
    code.localGet(LOCAL.tlb);
    code.call(this.functions.unaligned[access][kind]);
    code.localTee(host);
    code.if("i32");
    code.localGet(host);
    code.else();
    return true;
  }

  /** As TlbCode.lookUp, for an access that has to be aligned there. */
  #lookUp(address: number, entry: number, kind: "read" | "write", size: number, access: string): void {
    const tlb = access === "unprivileged" ? this.#unprivilegedTlb : this.#tlb;
    tlb.lookUp(address, entry, kind, tagMask(size));
  }

  /** A load. */
  load({ width, immediates: [size, access] }: IrNode, e: Emitter): void {
    const { code, layout } = this;
    const address = code.takeLocal("i64"), entry = code.takeLocal("i32");
    e.argument(0);
    code.localSet(address);
    const host = code.takeLocal("i32");
    this.#lookUp(address, entry, "read", size as number, access as string);
    code.if("i32");
    const isPlain = this.#unaligned("read", address, host, size as number, access as string);
    this.#slow(address, SLOW.load, size as number, access as string);
    code.i32Const(layout.shared + SHARED.value);
    if (isPlain) code.end();
    code.else();
    this.#tlb.hostAddress(address, entry, "read");
    code.end();
    loadWidth(code, width);
    code.releaseLocal(host);
    code.releaseLocal(address);
    code.releaseLocal(entry);
  }

  /** A store. */
  store({ args, immediates: [size, access] }: IrNode, e: Emitter): void {
    const { code } = this;
    const width = e.widthOf(args[1] as number), type = valueType(width);
    const address = code.takeLocal("i64"), entry = code.takeLocal("i32"), value = code.takeLocal(type);
    e.argument(0);
    code.localSet(address);
    e.argument(1);
    code.localSet(value);
    const host = code.takeLocal("i32");
    const slow = code.block(), plain = code.block();
    this.#lookUp(address, entry, "write", size as number, access as string);
    code.i32Eqz();
    code.if();
    this.#tlb.hostAddress(address, entry, "write");
    code.localTee(host);
    this.#tlb.isMarkedDirty();
    code.brIf(plain);
    code.end();
    this.#keepShared(value, width);
    const isPlain = this.#unaligned("write", address, host, size as number, access as string);
    this.#slow(address, SLOW.store, size as number, access as string);
    code.br(slow);
    if (isPlain) {
      code.end();
      code.drop();
    }
    code.end();
    code.localGet(host);
    code.localGet(value);
    storeWidth(code, width);
    code.end();
    code.releaseLocal(host);
    for (const local of [address, entry, value]) code.releaseLocal(local);
  }

  /** DC ZVA; the driver's unless it is known not to trap and the block is plain memory. */
  zeroBlock(e: Emitter): void {
    const { code } = this, { evaluate } = this.labels;
    const address = code.takeLocal("i64"), entry = code.takeLocal("i32");
    code.i32Const(0);
    code.i32Load(this.layout.shared + SHARED.zeroEnabled);
    code.i32Eqz();
    code.brIf(evaluate);
    e.argument(0);
    code.i64Const(BigInt.asUintN(64, -BigInt(ZERO_BLOCK)));
    code.i64And();
    code.localSet(address);
    this.#tlb.lookUp(address, entry, "write", tagMask(1));
    code.brIf(evaluate);
    this.#tlb.entryMarks(entry, "write");
    code.i32Const(MARK_ALIGNED);
    code.i32And();
    code.brIf(evaluate);
    this.#tlb.hostAddress(address, entry, "write");
    code.localTee(entry);
    this.#tlb.isMarkedDirty();
    code.i32Eqz();
    code.brIf(evaluate);
    zeroBytes(code, entry, ZERO_BLOCK);
    code.releaseLocal(entry);
    code.releaseLocal(address);
  }

  #keepShared(value: number, width: number): void {
    this.code.i32Const(0);
    this.code.localGet(value);
    storeWidth(this.code, width, this.layout.shared + SHARED.value);
  }

  /** A load-exclusive: the driver's unless the page is known and no one else is concerned. */
  loadExclusive({ width, immediates: [size, access] }: IrNode, e: Emitter): void {
    const { code } = this;
    const address = code.takeLocal("i64"), host = code.takeLocal("i32");
    e.argument(0);
    code.localSet(address);
    const done = code.block(valueType(width)), slow = code.block();
    this.#findExclusive("read", address, host, size as number, slow);
    this.#exclusive.open(host, size as number);
    code.localGet(host);
    loadWidth(code, width);
    code.br(done);
    code.end();
    this.#slow(address, SLOW.loadExclusive, size as number, access as string);
    this.#pushShared(width);
    code.end();
    code.releaseLocal(host);
    code.releaseLocal(address);
  }

  /** A store-exclusive: the driver's unless it is known to write, and no one but this CPU's monitor is concerned. */
  storeExclusive({ width, args, immediates: [size, access] }: IrNode, e: Emitter): void {
    const { code } = this;
    const stored = e.widthOf(args[1] as number), value = code.takeLocal(valueType(stored));
    const address = code.takeLocal("i64"), host = code.takeLocal("i32");
    e.argument(0);
    code.localSet(address);
    e.argument(1);
    code.localSet(value);
    const done = code.block(valueType(width)), slow = code.block();
    this.#findExclusive("write", address, host, size as number, slow);
    this.#exclusive.check(host, size as number, () => code.brIf(slow));
    this.#exclusive.close(host);
    code.localGet(host);
    code.localGet(value);
    storeWidth(code, stored);
    code.i32Const(0);
    code.br(done);
    code.end();
    this.#keepShared(value, stored);
    this.#slow(address, SLOW.storeExclusive, size as number, access as string);
    this.#pushShared(width);
    code.end();
    code.releaseLocal(host);
    code.releaseLocal(address);
    code.releaseLocal(value);
  }

  /** Leaves the offset in memory of an aligned address in `host`, or goes to `slow`. */
  #findExclusive(kind: "read" | "write", address: number, host: number, size: number, slow: Label): void {
    const { code } = this;
    this.#exclusive.isWatched();
    code.brIf(slow);
    this.#tlb.lookUp(address, host, kind, tagMask(size));
    code.brIf(slow);
    this.#tlb.hostAddress(address, host, kind);
    code.localSet(host);
  }
}

/** Reads a value of a width at a constant offset from the address on the stack. */
export function loadWidth(code: CodeWriter, width: number, offset = 0): void {
  if (width === 128) code.v128Load(offset);
  else if (width === 64) code.i64Load(offset);
  else if (width === 32) code.i32Load(offset);
  else if (width === 16) code.i32Load16U(offset);
  else code.i32Load8U(offset);
}

/** Writes the value on the stack, of a width, to the address below it. */
export function storeWidth(code: CodeWriter, width: number, offset = 0): void {
  if (width === 128) code.v128Store(offset);
  else if (width === 64) code.i64Store(offset);
  else if (width === 32) code.i32Store(offset);
  else if (width === 16) code.i32Store16(offset);
  else code.i32Store8(offset);
}

/** Clears bytes, a multiple of 16, at an offset in memory (a local). */
export function zeroBytes(code: CodeWriter, host: number, count: number): void {
  for (let at = 0; at < count; at += 16) {
    code.localGet(host);
    code.v128Const(0n);
    code.v128Store(at);
  }
}
