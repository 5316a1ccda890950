/** How handlers of the threaded engine reach state: registers and constants by their record, memory by the TLB. */
import { SLOT_NZCV, SLOT_SP } from "../cpu/registers.ts";
import type { Backend, Emitter } from "../ir/emit.ts";
import type { IrNode } from "../ir/operations.ts";
import type { CodeWriter } from "../wasm/code_writer.ts";
import { RECORD, RECORD_SIZE } from "./code_pages.ts";
import { PlainCode } from "./plain_code.ts";
import { isPlain, systemOffset } from "./plain_registers.ts";
import type { ConstantPlace, TargetKind } from "./shape.ts";
import {
  type CodeLayout,
  type HandlerFunctions,
  type HandlerLabels,
  LOCAL,
  SHARED,
} from "./threaded_layout.ts";
import { loadWidth, MemoryCode } from "./threaded_memory.ts";

/** Helpers that handlers do without a call: where nothing is odd they do nothing. */
const CHECKS: ReadonlySet<string> = new Set(["checkFpEnabled", "checkSpAlignment"]);
const BARRIERS: ReadonlySet<string> = new Set(["dataBarrier", "instructionBarrier"]);

/** State operations that every handler can hold. */
const SUPPORTED: ReadonlySet<string> = new Set([
  ...["constant", "readX", "writeX", "readV", "writeV", "readNzcv", "writeNzcv", "branch", "branchIf"],
  ...["load", "store", "loadExclusive", "storeExclusive", "writeBranchType"],
]);

/** True for the state operations that a handler can hold. */
export function isSupported(node: IrNode, layout: CodeLayout): boolean {
  const { op, immediates: [first] } = node;
  if (op === "helper") {
    const isQuick = BARRIERS.has(first as string) || first === "zeroBlock" || isPlain(node);
    return CHECKS.has(first as string) || (isQuick && !layout.isStrict);
  }
  return SUPPORTED.has(op);
}

/** State operations of one handler. */
export class ThreadedBackend implements Backend {
  readonly #memory: MemoryCode;
  readonly #plain: PlainCode;

  /** Code goes to `code`; `functions` are what slow accesses call. */
  constructor(
    private readonly code: CodeWriter,
    private readonly layout: CodeLayout,
    functions: HandlerFunctions,
    private readonly labels: HandlerLabels,
  ) {
    this.#memory = new MemoryCode(code, layout, functions, labels);
    this.#plain = new PlainCode(code, layout, {
      state: (offset) => this.#cpuState(offset),
      leaveIf: () => code.brIf(labels.evaluate),
      left: () => code.localGet(LOCAL.left),
      tlb: LOCAL.tlb,
    });
  }

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
        return this.#memory.load(node, e);
      case "store":
        return this.#memory.store(node, e);
      case "loadExclusive":
        return this.#memory.loadExclusive(node, e);
      case "storeExclusive":
        return this.#memory.storeExclusive(node, e);
      case "branch":
      case "branchIf":
        return this.#branch(node, e);
      case "writeBranchType":
        return this.#branchType(immediates[0] as number);
      case "helper":
        return this.#helper(node, e);
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

  #helper(node: IrNode, e: Emitter): void {
    switch (node.immediates[0]) {
      case "zeroBlock":
        return this.#memory.zeroBlock(e);
      case "checkFpEnabled":
        return this.#plain.require(["floatEnabled"]);
      case "checkSpAlignment":
        return this.#checkStackPointer();
    }
    if (!BARRIERS.has(node.immediates[0] as string) && !this.#plain.helper(node, e)) this.bail();
  }

  #checkStackPointer(): void {
    const { code } = this;
    this.#cpuState(SLOT_SP * 8);
    code.i32Load();
    code.i32Const(15);
    code.i32And();
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
