/**
 * Generates the threaded engine's module: one function whose loop branches to a handler by the number in the present
 * record. Measured against tail-called handlers this is 1.2 to 2.2 times as fast.
 */
import { canEmit, emitInstruction } from "../ir/emit.ts";
import type { IrNode } from "../ir/operations.ts";
import { MARK_GUARDED } from "../memory/tlb.ts";
import type { CodeWriter, Label } from "../wasm/code_writer.ts";
import { ModuleWriter } from "../wasm/module_writer.ts";
import { HANDLER, RECORD, RECORD_SIZE } from "./code_pages.ts";
import { declareChain, toSide } from "./compiled_chain.ts";
import { SIDE } from "./compiled_layout.ts";
import type { Shape } from "./shape.ts";
import { isSupported, ThreadedBackend } from "./threaded_backend.ts";
import { HeatCode } from "./threaded_heat.ts";
import { type CodeLayout, type HandlerFunctions, LOCAL, REASON, SHARED } from "./threaded_layout.ts";
import { TlbCode } from "./threaded_tlb.ts";
import { WordKnowledge } from "./word_shapes.ts";
import type { CpuModel } from "../a64/feature.ts";

/** What a module imports beside the memory `env.memory`. */
export interface ThreadedImports {
  /** A slow access of the record's instruction at an address in two halves; an `ANSWER`. */
  access(record: number, left: number, low: number, high: number, descriptor: number): number;
  /** Executes the record's instruction; the record to go on with, or 0 to come back. */
  evaluate(record: number, left: number): number;
}

/** What a module exports: runs from a record for a number of steps; a `REASON`. */
export type ThreadedRun = (record: number, left: number, state: number, tlb: number) => number;

/** What is known of words, by CPU model, and whether models are strict: of a layout, that alone decides what can be generated. */
const KNOWLEDGE = new Map<string, WordKnowledge>();

/** The words of a CPU model as handlers and regions are generated from them; a process's machines have them in common. */
export function knowledgeOf(model: CpuModel, layout: CodeLayout): WordKnowledge {
  const key = `${model} ${layout.isStrict}`, known = KNOWLEDGE.get(key);
  if (known !== undefined) return known;
  const made = new WordKnowledge(model, (shape) => canGenerate(shape, layout));
  KNOWLEDGE.set(key, made);
  return made;
}

/** True when a handler can be generated for a shape. */
export function canGenerate({ nodes }: Shape, layout: CodeLayout): boolean {
  return canEmit(nodes, (node) => isSupported(node, layout), { float: !layout.isStrict });
}

/** The bytes of a module whose handlers from HANDLER.first on are those of the shapes, in order. */
export function generateModule(
  shapes: readonly Shape[],
  layout: CodeLayout,
  memoryPages: number,
): Uint8Array<ArrayBuffer> {
  const module = new ModuleWriter();
  module.importMemory("env", "memory", memoryPages, memoryPages);
  const access = module.importFunction(
    "env",
    "access",
    module.type(["i32", "i32", "i32", "i32", "i32"], ["i32"]),
  );
  const evaluate = module.importFunction("env", "evaluate", module.type(["i32", "i32"], ["i32"]));
  if (layout.regions !== undefined) module.importTable("env", "regions", 1);
  const unaligned = unalignedFunctions(module, layout);
  const chain = layout.regions === undefined ? -1 : declareChain(module, layout, layout.regions);
  const run = module.declare(module.type(["i32", "i32", "i32", "i32"], ["i32"]));
  module.exportFunction("run", run);
  const code = module.define(run, 1 << 16);
  new RunFunction(code, layout, { access, unaligned }, evaluate, chain).generate(shapes);
  return module.finish();
}

/** Declares and defines what slow accesses try first. */
function unalignedFunctions(module: ModuleWriter, layout: CodeLayout): HandlerFunctions["unaligned"] {
  const type = module.type(["i64", "i32", "i32"], ["i32"]);
  const declare = () => ({ read: module.declare(type), write: module.declare(type) });
  const unaligned = { normal: declare(), unprivileged: declare() };
  for (const privilege of ["normal", "unprivileged"] as const) {
    for (const kind of ["read", "write"] as const) {
      new TlbCode(module.define(unaligned[privilege][kind]), layout, privilege).unalignedFunction(kind);
    }
  }
  return unaligned;
}

/** The one function. */
class RunFunction {
  readonly #reason: number;
  readonly #handler: number;
  readonly #heat: HeatCode;

  constructor(
    private readonly code: CodeWriter,
    private readonly layout: CodeLayout,
    private readonly functions: HandlerFunctions,
    private readonly evaluate: number,
    private readonly chain: number,
  ) {
    if (code.takeLocal("i64") !== LOCAL.target) throw new RangeError("The target is the first local");
    this.#reason = code.takeLocal("i32");
    this.#handler = code.takeLocal("i32");
    this.#heat = new HeatCode(code, layout, (exit) => this.#leave(REASON.hot, exit));
  }

  /**
   * Blocks from the outside in: the exit, the loop, common endings, one block for each handler, the dispatch. A
   * handler's code follows the end of its block.
   */
  generate(shapes: readonly Shape[]): void {
    const { code } = this;
    this.#heat.countForPresent();
    const exit = code.block();
    const next = code.loop();
    const evaluate = code.block(), fault = code.block(), limit = code.block(), branch = code.block();
    const handlers: Label[] = [];
    const again = this.#nextHandler(limit);
    const count = HANDLER.first + shapes.length;
    for (let handler = count - 1; handler >= 0; handler--) handlers[handler] = code.block();
    code.localGet(this.#handler);
    code.brTable(handlers, handlers[HANDLER.undecoded] as Label);
    const backend = new ThreadedBackend(code, this.layout, this.functions, { next, branch, fault, evaluate });
    this.#fixedHandlers(evaluate, branch, exit);
    this.#compiled({ again, branch, limit, exit });
    for (const { nodes } of shapes) {
      code.end();
      this.#shape(nodes, backend);
    }
    code.end(); // again
    code.end(); // branch
    this.#branch(next, exit);
    code.end(); // limit
    this.#leave(REASON.limit, exit);
    code.end(); // fault
    this.#leave(REASON.faulted, exit);
    code.end(); // evaluate
    this.#evaluate(next, exit);
    code.end(); // loop
    code.end(); // exit
    this.#exit();
  }

  /** Counts a step and opens the loop that goes to the handler of a number. */
  #nextHandler(limit: Label): Label {
    const { code } = this;
    code.localGet(LOCAL.left);
    code.i32Eqz();
    code.brIf(limit);
    this.#countStep(-1);
    code.localGet(LOCAL.record);
    code.i32Load16U(RECORD.handler);
    code.localSet(this.#handler);
    return code.loop();
  }

  #countStep(by: number): void {
    const { code } = this;
    code.localGet(LOCAL.left);
    code.i32Const(by);
    code.i32Add();
    code.localSet(LOCAL.left);
  }

  /** Handlers that are no instructions' of their own; those that come back execute no step. */
  #fixedHandlers(evaluate: Label, branch: Label, exit: Label): void {
    const { code } = this;
    code.end(); // undecoded
    this.#countStep(1);
    this.#leave(REASON.undecoded, exit);
    code.end(); // evaluated
    code.br(evaluate);
    code.end(); // awaited
    this.#countStep(1);
    this.#leave(REASON.awaited, exit);
    code.end(); // pageEnd
    this.#countStep(1);
    code.localGet(LOCAL.record);
    code.i64Load(RECORD.wide0);
    code.localSet(LOCAL.target);
    code.br(branch);
  }

  #shape(nodes: readonly IrNode[], backend: ThreadedBackend): void {
    emitInstruction(nodes, this.code, backend);
    if (!nodes.some(({ op }) => op === "branch")) backend.following();
  }

  /** Finds the record of the address in `target`. */
  #branch(next: Label, exit: Label): void {
    const { code, layout } = this;
    const entry = code.takeLocal("i32"), tlb = new TlbCode(code, layout);
    tlb.lookUp(LOCAL.target, entry, "code", BigInt.asUintN(64, -4096n) | 3n);
    code.if();
    code.i32Const(0);
    code.localGet(LOCAL.target);
    code.i64Store(layout.shared + SHARED.target);
    this.#leave(REASON.branched, exit);
    code.end();
    if (layout.hasBranchTypes) this.#checkBranchType(tlb, entry, exit);
    tlb.entryPage(entry, "code");
    code.localGet(LOCAL.target);
    code.i32WrapI64();
    code.i32Const(0xffc);
    code.i32And();
    code.i32Const(RECORD_SIZE / 4);
    code.i32Mul();
    code.i32Add();
    code.localSet(LOCAL.record);
    this.#heat.take(exit);
    this.#heat.countFor(() => {
      tlb.entryPage(entry, "code");
      if (layout.regions !== undefined) toSide(code, layout.regions);
    });
    code.br(next);
  }

  /** Calls regions; where they stop, the instruction is executed by its own handler. */
  #compiled({ again, branch, limit, exit }: Record<"again" | "branch" | "limit" | "exit", Label>): void {
    const { code, layout: { regions, shared } } = this;
    code.end(); // compiled
    if (regions === undefined) return code.unreachable();
    this.#countStep(1);
    this.#heat.take(exit);
    for (const local of [LOCAL.record, LOCAL.left, LOCAL.state, LOCAL.tlb]) code.localGet(local);
    code.call(this.chain);
    code.localSet(LOCAL.record);
    code.localSet(LOCAL.left);
    code.localGet(LOCAL.record);
    code.i32Eqz();
    code.if();
    this.#heat.countFor();
    code.i32Const(0);
    code.i64Load(shared + SHARED.target);
    code.localSet(LOCAL.target);
    code.br(branch);
    code.end();
    this.#heat.countForPresent();
    code.localGet(LOCAL.left);
    code.i32Eqz();
    code.brIf(limit);
    this.#countStep(-1);
    code.localGet(LOCAL.record);
    code.i32Load16U(RECORD.handler);
    code.localTee(this.#handler);
    code.i32Const(HANDLER.compiled);
    code.i32Eq();
    code.if();
    code.localGet(LOCAL.record);
    toSide(code, regions);
    code.i32Load16U(SIDE.handler);
    code.localSet(this.#handler);
    code.end();
    code.br(again);
  }

  /** A branch that set BTYPE and leads to a guarded page is looked at by the driver. */
  #checkBranchType(tlb: TlbCode, entry: number, exit: Label): void {
    const { code, layout: { shared } } = this;
    code.i32Const(0);
    code.i32Load(shared + SHARED.branchLeft);
    code.localGet(LOCAL.left);
    code.i32Eq();
    code.i32Const(MARK_GUARDED);
    code.i32Mul();
    tlb.entryMarks(entry, "code");
    code.i32And();
    code.if();
    code.i32Const(0);
    code.localGet(LOCAL.target);
    code.i64Store(shared + SHARED.target);
    this.#leave(REASON.branched, exit);
    code.end();
  }

  #evaluate(next: Label, exit: Label): void {
    const { code } = this;
    const following = code.takeLocal("i32");
    code.localGet(LOCAL.record);
    code.localGet(LOCAL.left);
    code.call(this.evaluate);
    code.localTee(following);
    code.if();
    code.localGet(following);
    code.localSet(LOCAL.record);
    code.br(next);
    code.end();
    this.#leave(REASON.evaluated, exit);
  }

  #leave(reason: number, exit: Label): void {
    const { code } = this;
    code.i32Const(reason);
    code.localSet(this.#reason);
    code.br(exit);
  }

  #exit(): void {
    const { code, layout: { shared } } = this;
    this.#heat.take();
    for (const [local, place] of [[LOCAL.record, SHARED.record], [LOCAL.left, SHARED.left]] as const) {
      code.i32Const(0);
      code.localGet(local);
      code.i32Store(shared + place);
    }
    code.localGet(this.#reason);
  }
}
