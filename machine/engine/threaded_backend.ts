/** How handlers of the threaded engine reach state: registers and constants by their record, memory by the TLB. */
import { SLOT_NZCV, SLOT_SP } from "../cpu/registers.ts";
import type { Backend, Emitter } from "../ir/emit.ts";
import { type Access, ACCESSES } from "../ir/operation.ts";
import type { IrNode } from "../ir/operations.ts";
import { ENTRY_HOST_PAGE, ENTRY_MARKS, MARK_ALIGNED, TABLE_OFFSETS, TLB_ENTRIES } from "../memory/tlb.ts";
import { PAGE_DIRTY } from "../memory/physical.ts";
import type { CodeWriter, Label } from "../wasm/code_writer.ts";
import { RECORD, RECORD_SIZE } from "./code_pages.ts";
import type { ConstantPlace, TargetKind } from "./shape.ts";
import { isPlainRead, PLAIN_REGISTERS, type PlainRegister, systemOffset } from "./plain_registers.ts";
import { ANSWER, SHARED, SLOW } from "./threaded_layout.ts";

/** Locals of the generated function; the first four are its parameters. */
export const LOCAL = { record: 0, left: 1, state: 2, tlb: 3, target: 4 } as const;

/** What the code of a machine's handlers depends on. */
export interface CodeLayout {
  /** Offset of the block described in threaded_layout.ts. */
  readonly shared: number;
  /** Offset of the pages' marks. */
  readonly pageFlags: number;
  /** The only CPU's state and translations, or undefined where the CPU is known at run time alone. */
  readonly cpu: { readonly state: number; readonly tlb: number } | undefined;
  /** Some strict model is on: barriers have something to wait for, and registers that were written may not be in force. */
  readonly isStrict: boolean;
  /** Branches to registers set BTYPE (FEAT_BTI). */
  readonly hasBranchTypes: boolean;
}

/** Indices of the functions that handlers call. */
export interface HandlerFunctions {
  /** The driver's slow access. */
  readonly access: number;
  /** Offset in memory of a misaligned access, or 0 where it is not plain: address, size, TLB. */
  readonly unaligned: { readonly read: number; readonly write: number };
}

/** Where handlers go. */
export interface HandlerLabels {
  /** On to the record in its local. */
  readonly next: Label;
  /** To the address in the local `target`. */
  readonly branch: Label;
  /** Back to the driver, with an exception pending. */
  readonly fault: Label;
  /** The driver evaluates the present instruction instead; nothing has changed yet. */
  readonly evaluate: Label;
}

/** Helpers that handlers do without a call: where nothing is odd they do nothing. */
const CHECKS: ReadonlySet<string> = new Set(["checkFpEnabled", "checkSpAlignment"]);
const BARRIERS: ReadonlySet<string> = new Set(["dataBarrier", "instructionBarrier"]);

/** State operations that every handler can hold. */
const SUPPORTED: ReadonlySet<string> = new Set([
  ...["constant", "readX", "writeX", "readV", "writeV", "readNzcv", "writeNzcv", "branch", "branchIf"],
  ...["loadExclusive", "storeExclusive", "writeBranchType"],
]);

/** True for the state operations that a handler can hold. */
export function isSupported({ op, immediates }: IrNode, layout: CodeLayout): boolean {
  const [first, second] = immediates;
  if (op === "helper") {
    const isQuick = BARRIERS.has(first as string) ||
      (first === "readSystemRegister" && isPlainRead(immediates));
    return CHECKS.has(first as string) || (isQuick && !layout.isStrict);
  }
  return op === "load" || op === "store" ? second !== "unprivileged" : SUPPORTED.has(op);
}

/** Bits of an address that tell its page, and those that a quick access must have clear. */
function tagMask(size: number): bigint {
  return BigInt.asUintN(64, -4096n) | BigInt(size - 1);
}

/** State operations of one handler. */
export class ThreadedBackend implements Backend {
  /** Code goes to `code`; `functions` are what slow accesses call. */
  constructor(
    private readonly code: CodeWriter,
    private readonly layout: CodeLayout,
    private readonly functions: HandlerFunctions,
    private readonly labels: HandlerLabels,
  ) {}

  /** Emits a state operation. */
  state(_index: number, node: IrNode, e: Emitter): void {
    const { op, immediates } = node;
    switch (op) {
      case "constant":
        return this.#constant(node);
      case "readX":
        this.#register(immediates[0] as number);
        return this.code.i64Load();
      case "writeX":
        this.#register(immediates[0] as number);
        e.argument(0);
        return this.code.i64Store();
      case "readV":
        this.#register(immediates[0] as number);
        return loadWidth(this.code, node.width);
      case "writeV":
        return this.#writeV(node, e);
      case "readNzcv":
        this.#cpuState(SLOT_NZCV * 8);
        return this.code.i32Load();
      case "writeNzcv":
        this.#cpuState(SLOT_NZCV * 8);
        e.argument(0);
        return this.code.i32Store();
      case "load":
        return this.#load(node, e);
      case "store":
        return this.#store(node, e);
      case "loadExclusive":
      case "storeExclusive":
        return this.#exclusive(node, e);
      case "branch":
      case "branchIf":
        return this.#branch(node, e);
      case "writeBranchType":
        return this.#branchType(immediates[0] as number);
      case "helper":
        if (immediates[0] === "readSystemRegister") return this.#plainRead(node);
        return this.#helper(immediates[0] as string);
    }
  }

  /** Leaves the instruction for the driver to evaluate; nothing of it may have happened. */
  bail(): void {
    this.code.br(this.labels.evaluate);
  }

  /** Address of something in the CPU's state. */
  #cpuState(offset: number): void {
    const { cpu } = this.layout;
    if (cpu !== undefined) return this.code.i32Const(cpu.state + offset);
    this.code.localGet(LOCAL.state);
    this.code.i32Const(offset);
    this.code.i32Add();
  }

  /** Address of a register named by the record. */
  #register(number: number): void {
    const { cpu } = this.layout;
    this.code.localGet(LOCAL.record);
    this.code.i32Load16U(RECORD.registers + number * 2);
    if (cpu?.state === 0) return;
    if (cpu === undefined) this.code.localGet(LOCAL.state);
    else this.code.i32Const(cpu.state);
    this.code.i32Add();
  }

  #constant({ width, immediates: [place] }: IrNode): void {
    if (place === "target") return;
    const { code } = this;
    if (typeof place === "bigint") {
      if (width === 128) return code.v128Const(place);
      return width === 64 ? code.i64Const(place) : code.i32Const(Number(BigInt.asIntN(32, place)));
    }
    const offset = RECORD[place as ConstantPlace];
    code.localGet(LOCAL.record);
    if (width === 128) code.v128Load(offset);
    else if (width < 64) code.i32Load(offset);
    else if (place === "narrow") code.i64Load32U(offset);
    else code.i64Load(offset);
  }

  #writeV({ args }: IrNode, e: Emitter): void {
    const { code } = this;
    const width = e.widthOf(args[0] as number);
    const value = width === 128 ? code.takeLocal("v128") : code.takeLocal("i64");
    e.argument(0);
    if (width < 64) code.i64ExtendI32U();
    code.localSet(value);
    const address = code.takeLocal("i32");
    this.#register(this.#registerOf(e));
    code.localTee(address);
    code.localGet(value);
    if (width === 128) code.v128Store();
    else {
      code.i64Store();
      code.localGet(address);
      code.i64Const(0);
      code.i64Store(8);
    }
    code.releaseLocal(value);
    code.releaseLocal(address);
  }

  #registerOf(e: Emitter): number {
    return e.node.immediates[0] as number;
  }

  /** Leaves the context of the address in a local, as an i64. */
  #context(address: number): void {
    const { code } = this;
    code.localGet(address);
    code.i64Const(52);
    code.i64ShrU();
    code.i32WrapI64();
    code.i32Const(8);
    code.i32And();
    code.i64Load(this.layout.shared + SHARED.contexts);
  }

  /**
   * Looks an address (a local) up in a table of translations: leaves the entry's address in the local `entry` and 1 on
   * the stack when it is another page's or when one of the low bits of `mask` is set in the address.
   */
  lookUp(
    address: number,
    entry: number,
    table: keyof typeof TABLE_OFFSETS,
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

  #tableOffset(table: keyof typeof TABLE_OFFSETS): number {
    return (this.layout.cpu?.tlb ?? 0) + TABLE_OFFSETS[table];
  }

  /** Pushes what an entry of a table leads to. */
  entryPage(entry: number, table: keyof typeof TABLE_OFFSETS): void {
    this.code.localGet(entry);
    this.code.i32Load(this.#tableOffset(table) + ENTRY_HOST_PAGE);
  }

  /** Pushes the marks of an entry. */
  entryMarks(entry: number, table: keyof typeof TABLE_OFFSETS): void {
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

  /** Calls the driver for an access; afterwards either it is done, or the code is left with a fault. */
  #slow(address: number, kind: number, size: number, access: string): void {
    const { code } = this;
    const answer = code.takeLocal("i32");
    code.localGet(LOCAL.record);
    code.localGet(LOCAL.left);
    code.localGet(address);
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
    if (size === 1 || access !== "normal") return false;
    const { code } = this;
    code.localGet(address);
    code.i32Const(size);
    code.localGet(LOCAL.tlb);
    code.call(this.functions.unaligned[kind]);
    code.localTee(host);
    code.if("i32");
    code.localGet(host);
    code.else();
    return true;
  }

  #load({ width, immediates: [size, access] }: IrNode, e: Emitter): void {
    const { code, layout } = this;
    const address = code.takeLocal("i64"), entry = code.takeLocal("i32");
    e.argument(0);
    code.localSet(address);
    const host = code.takeLocal("i32");
    this.lookUp(address, entry, "read", tagMask(size as number));
    code.if("i32");
    const isPlain = this.#unaligned("read", address, host, size as number, access as string);
    this.#slow(address, SLOW.load, size as number, access as string);
    code.i32Const(layout.shared + SHARED.value);
    if (isPlain) code.end();
    code.else();
    this.hostAddress(address, entry, "read");
    code.end();
    loadWidth(code, width);
    code.releaseLocal(host);
    code.releaseLocal(address);
    code.releaseLocal(entry);
  }

  #store({ args, immediates: [size, access] }: IrNode, e: Emitter): void {
    const { code } = this;
    const width = e.widthOf(args[1] as number), type = valueType(width);
    const address = code.takeLocal("i64"), entry = code.takeLocal("i32"), value = code.takeLocal(type);
    e.argument(0);
    code.localSet(address);
    e.argument(1);
    code.localSet(value);
    const host = code.takeLocal("i32");
    const slow = code.block(), plain = code.block();
    this.lookUp(address, entry, "write", tagMask(size as number));
    code.i32Eqz();
    code.if();
    this.hostAddress(address, entry, "write");
    code.localTee(host);
    this.#isMarkedDirty();
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

  /** Replaces the offset of a page's byte by 1 where plain writes need no one's attention. */
  #isMarkedDirty(): void {
    const { code, layout } = this;
    code.i32Const(12);
    code.i32ShrU();
    code.i32Load8U(layout.pageFlags);
    code.i32Const(PAGE_DIRTY);
    code.i32Eq();
  }

  /** The body of `HandlerFunctions.unaligned`: parameters are address, size and TLB. */
  unalignedFunction(kind: "read" | "write"): void {
    const { code } = this, address = 0, size = 1, tlb = 2;
    const entry = code.takeLocal("i32");
    const other = code.block();
    this.lookUp(address, entry, kind, BigInt.asUintN(64, -4096n), tlb);
    code.brIf(other);
    this.entryMarks(entry, kind);
    code.i32Const(MARK_ALIGNED);
    code.i32And();
    code.brIf(other);
    code.localGet(address);
    code.i32WrapI64();
    code.i32Const(0xfff);
    code.i32And();
    code.localGet(size);
    code.i32Add();
    code.i32Const(4096);
    code.i32GtU();
    code.brIf(other);
    this.hostAddress(address, entry, kind);
    code.localSet(entry);
    if (kind === "write") {
      code.localGet(entry);
      this.#isMarkedDirty();
      code.i32Eqz();
      code.brIf(other);
    }
    code.localGet(entry);
    code.return();
    code.end();
    code.i32Const(0);
  }

  #keepShared(value: number, width: number): void {
    this.code.i32Const(0);
    this.code.localGet(value);
    storeWidth(this.code, width, this.layout.shared + SHARED.value);
  }

  #exclusive({ op, width, args, immediates: [size, access] }: IrNode, e: Emitter): void {
    const { code } = this;
    const address = code.takeLocal("i64");
    e.argument(0);
    code.localSet(address);
    if (op === "storeExclusive") {
      const stored = e.widthOf(args[1] as number), value = code.takeLocal(valueType(stored));
      e.argument(1);
      code.localSet(value);
      this.#keepShared(value, stored);
      code.releaseLocal(value);
    }
    const kind = op === "loadExclusive" ? SLOW.loadExclusive : SLOW.storeExclusive;
    this.#slow(address, kind, size as number, access as string);
    this.#pushShared(width);
    code.releaseLocal(address);
  }

  #branch({ op, immediates: [kind] }: IrNode, e: Emitter): void {
    const { code } = this;
    if (op === "branchIf") {
      e.argument(0);
      code.if();
    }
    if (kind === "local" satisfies TargetKind) {
      code.localGet(LOCAL.record);
      code.i32Load(RECORD.narrow);
      code.localSet(LOCAL.record);
      code.br(this.labels.next);
    } else {
      if (kind === "far") {
        code.localGet(LOCAL.record);
        code.i64Load(RECORD.wide0);
      } else e.argument(op === "branch" ? 0 : 1);
      code.localSet(LOCAL.target);
      code.br(this.labels.branch);
    }
    if (op === "branchIf") code.end();
  }

  /** Pushes FPCR or FPSR. */
  floatState(register: "FPCR" | "FPSR"): void {
    this.#cpuState(systemOffset(register));
    this.code.i32Load();
  }

  /** MRS of a register that is only stored, where nothing but the level can stand in its way. */
  #plainRead({ immediates: [, encoding] }: IrNode): void {
    const { code, layout } = this;
    const { register, isPrivileged } = PLAIN_REGISTERS.get(encoding as number) as PlainRegister;
    if (isPrivileged) {
      code.i32Const(0);
      code.i32Load(layout.shared + SHARED.privileged);
      code.i32Eqz();
      code.brIf(this.labels.evaluate);
    }
    this.#cpuState(systemOffset(register));
    code.i64Load();
  }

  /** Keeps BTYPE with the number of steps left, so that no other instruction has to clear it. */
  #branchType(type: number): void {
    const { code, layout: { shared } } = this;
    code.i32Const(0);
    code.i32Const(type);
    code.i32Store(shared + SHARED.branchType);
    code.i32Const(0);
    code.localGet(LOCAL.left);
    code.i32Store(shared + SHARED.branchLeft);
  }

  #helper(name: string): void {
    const { code } = this;
    if (BARRIERS.has(name)) return;
    if (name === "checkFpEnabled") {
      code.i32Const(0);
      code.i32Load(this.layout.shared + SHARED.floatEnabled);
      code.i32Eqz();
    } else {
      this.#cpuState(SLOT_SP * 8);
      code.i32Load();
      code.i32Const(15);
      code.i32And();
    }
    code.brIf(this.labels.evaluate);
  }

  /** Goes on to the following record. */
  following(): void {
    const { code } = this;
    code.localGet(LOCAL.record);
    code.i32Const(RECORD_SIZE);
    code.i32Add();
    code.localSet(LOCAL.record);
    code.br(this.labels.next);
  }
}

/** An access in one number. */
export function slowDescriptor(kind: number, size: number, access: string): number {
  return kind | ACCESSES.indexOf(access as Access) << 2 | size << 8;
}

/** What the number says. */
export function readDescriptor(
  descriptor: number,
): { kind: number; size: number; access: Access } {
  const access = ACCESSES[descriptor >> 2 & 63] as Access;
  return { kind: descriptor & 3, size: descriptor >> 8, access };
}

/** The WebAssembly type of values of a width. */
export function valueType(width: number): "i32" | "i64" | "v128" {
  return width > 64 ? "v128" : width > 32 ? "i64" : "i32";
}

function loadWidth(code: CodeWriter, width: number, offset = 0): void {
  if (width === 128) code.v128Load(offset);
  else if (width === 64) code.i64Load(offset);
  else if (width === 32) code.i32Load(offset);
  else if (width === 16) code.i32Load16U(offset);
  else code.i32Load8U(offset);
}

function storeWidth(code: CodeWriter, width: number, offset = 0): void {
  if (width === 128) code.v128Store(offset);
  else if (width === 64) code.i64Store(offset);
  else if (width === 32) code.i32Store(offset);
  else if (width === 16) code.i32Store16(offset);
  else code.i32Store8(offset);
}
