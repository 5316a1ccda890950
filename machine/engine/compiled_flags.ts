/**
 * Flags in compiled code: an instruction that sets them keeps its operands, in locals of the region, and what asks for a
 * condition compares these. NZCV is computed where a region is left, and by instructions that want it as a number.
 */
import { emitInstruction, type Emitter } from "../ir/emit.ts";
import { integer, type IntegerOperation } from "../ir/emit_integer.ts";
import { int, type IrNode } from "../ir/operation.ts";
import { OPERATIONS } from "../ir/operations.ts";
import type { CodeWriter } from "../wasm/code_writer.ts";
import { FLAGS, REGION_LOCAL } from "./compiled_layout.ts";

/** Operations whose result is kept as its operands. */
const KINDS: Readonly<Record<string, readonly [narrow: number, wide: number]>> = {
  flagsOfSub: [FLAGS.sub32, FLAGS.sub64],
  flagsOfAdd: [FLAGS.add32, FLAGS.add64],
  flagsOfLogic: [FLAGS.logic32, FLAGS.logic64],
};

/** Comparison by condition, for the operands of a subtraction; pairs of conditions are each other's opposite. */
const AFTER_SUBTRACTION: Readonly<Record<number, IntegerOperation>> = {
  0: "Eq",
  1: "Ne",
  2: "GeU",
  3: "LtU",
  8: "GtU",
  9: "LeU",
  10: "GeS",
  11: "LtS",
  12: "GtS",
  13: "LeS",
};

/** Comparison with zero by condition, for a result whose C and V are 0; a number is the condition's value. */
const OF_RESULT: Readonly<Record<number, IntegerOperation | 0 | 1>> = {
  0: "Eq",
  1: "Ne",
  2: 0,
  3: 1,
  4: "LtS",
  5: "GeS",
  6: 0,
  7: 1,
  8: 0,
  9: 1,
  10: "GeS",
  11: "LtS",
  12: "GtS",
  13: "LeS",
};

function kindOf(node: IrNode | undefined): number | undefined {
  const kinds = node && KINDS[node.op];
  return kinds === undefined || (node as IrNode).args.length > 2
    ? undefined
    : kinds[int(node as IrNode, 0) === 64 ? 1 : 0];
}

/** The flags of one region, as far as they are known where code is being written. */
export class FlagsCode {
  /** Kind of what is pending; undefined where several ways meet. */
  #pending: number | undefined;

  /** `compute` is the index of the function that `defineFlags` writes; `nzcv` pushes the stored flags, or stores what it lets push. */
  constructor(
    private readonly code: CodeWriter,
    private readonly compute: number,
    private readonly nzcv: { readonly load: () => void; readonly store: (push: () => void) => void },
  ) {}

  /** Several ways meet: what is pending is known at run time alone. */
  meet(): void {
    this.#pending = undefined;
  }

  /** Values that `write` pushes for a node. */
  operands(node: IrNode, nodes: readonly IrNode[]): readonly number[] {
    const value = nodes[node.args[0] as number] as IrNode;
    return kindOf(value) === undefined ? node.args : value.args;
  }

  /** Keeps what the flags are of. */
  write(node: IrNode, nodes: readonly IrNode[], e: Emitter): void {
    const { code } = this;
    const value = nodes[node.args[0] as number] as IrNode, kind = kindOf(value) ?? FLAGS.value;
    const isNarrow = kind === FLAGS.value || int(value, 0) !== 64;
    const locals = [REGION_LOCAL.flagsA, REGION_LOCAL.flagsB];
    const count = kind === FLAGS.value ? 1 : value.args.length;
    for (let index = 0; index < count; index++) {
      e.argument(index);
      if (isNarrow) code.i64ExtendI32U();
    }
    for (let index = count - 1; index >= 0; index--) code.localSet(locals[index] as number);
    code.i32Const(kind);
    code.localSet(REGION_LOCAL.flagsKind);
    this.#pending = kind;
  }

  /** Pushes the flags as a number, in code that is executed whenever the instruction is or, if not `isCertain`, perhaps. */
  push(isCertain: boolean): void {
    const pending = this.#pending;
    if (pending === undefined) this.settle();
    if (this.#pending === FLAGS.none) this.nzcv.load();
    else this.#compute();
    if (!isCertain) this.#pending = pending;
  }

  #compute(): void {
    const { code } = this;
    if (this.#pending === FLAGS.value) {
      code.localGet(REGION_LOCAL.flagsA);
      return code.i32WrapI64();
    }
    code.localGet(REGION_LOCAL.flagsKind);
    code.localGet(REGION_LOCAL.flagsA);
    code.localGet(REGION_LOCAL.flagsB);
    code.call(this.compute);
  }

  /** Computes what is pending and stores it. */
  settle(): void {
    const { code } = this;
    if (this.#pending === FLAGS.none) return;
    if (this.#pending === undefined) {
      code.localGet(REGION_LOCAL.flagsKind);
      code.if();
    }
    this.nzcv.store(() => this.#compute());
    code.i32Const(FLAGS.none);
    code.localSet(REGION_LOCAL.flagsKind);
    if (this.#pending === undefined) code.end();
    this.#pending = FLAGS.none;
  }

  /** True where `condition` has a form of its own for a condition's number. */
  knows(condition: number): boolean {
    return condition >= 14 || this.#comparison(condition) !== undefined;
  }

  #comparison(condition: number): IntegerOperation | 0 | 1 | undefined {
    const kind = this.#pending;
    if (kind === FLAGS.sub32 || kind === FLAGS.sub64) return AFTER_SUBTRACTION[condition];
    if (kind === FLAGS.logic32 || kind === FLAGS.logic64) return OF_RESULT[condition];
    return undefined;
  }

  /** Pushes one bit: the condition holds; `knows` must be true for it. */
  condition(condition: number): void {
    const { code } = this;
    if (condition >= 14) return code.i32Const(1);
    const comparison = this.#comparison(condition);
    if (typeof comparison !== "string") return code.i32Const(comparison as number);
    const kind = this.#pending, width = kind === FLAGS.sub64 || kind === FLAGS.logic64 ? 64 : 32;
    const isResult = kind === FLAGS.logic32 || kind === FLAGS.logic64;
    code.localGet(REGION_LOCAL.flagsA);
    if (width === 32) code.i32WrapI64();
    if (isResult && comparison === "Eq") return integer(code, width, "Eqz");
    if (isResult) {
      if (width === 64) code.i64Const(0);
      else code.i32Const(0);
    } else {
      code.localGet(REGION_LOCAL.flagsB);
      if (width === 32) code.i32WrapI64();
    }
    integer(code, width, comparison);
  }
}

/** Writes the function that computes NZCV: a kind and its operands. */
export function defineFlags(code: CodeWriter): void {
  for (const [op, kinds] of Object.entries(KINDS)) {
    for (const [index, width] of [32, 64].entries()) {
      code.localGet(0);
      code.i32Const(kinds[index] as number);
      code.i32Eq();
      code.if();
      emitFlags(code, op, width as 32 | 64);
      code.return();
      code.end();
    }
  }
  code.localGet(1);
  code.i32WrapI64();
}

/** The flags of the function's second and third parameter, by the rows of operations. */
function emitFlags(code: CodeWriter, op: string, width: 32 | 64): void {
  const operand = (slot: number): IrNode => ({ op: "readX", width, args: [], immediates: [slot] });
  const args = op === "flagsOfLogic" ? [0] : [0, 1];
  const nodes: IrNode[] = [
    ...args.map(operand),
    { op: op as keyof typeof OPERATIONS, width: 4, args, immediates: [width] },
    { op: "writeNzcv", width: 0, args: [args.length], immediates: [] },
  ];
  emitInstruction(nodes, code, {
    state: (_, node, e) => {
      if (node.op === "writeNzcv") return e.argument(0);
      code.localGet(1 + int(node, 0));
      if (width === 32) code.i32WrapI64();
    },
  });
}
