/** How compiled code reaches state: registers at known places, each read from memory once in a block, and flags when asked. */
import { SLOT_NZCV, SLOT_SP } from "../cpu/registers.ts";
import { type Backend, type Emitter, valueType } from "../ir/emit.ts";
import { int } from "../ir/operation.ts";
import type { IrNode, Width } from "../ir/operations.ts";
import type { CodeWriter } from "../wasm/code_writer.ts";
import { FlagsCode } from "./compiled_flags.ts";
import { type Member, memberKey } from "./compiled_groups.ts";
import { REGION_LOCAL, type RegionFunctions } from "./compiled_layout.ts";
import { BARRIERS } from "./compiled_instructions.ts";
import { type AccessingRegion, RegionMemory } from "./compiled_memory.ts";
import { PlainCode } from "./plain_code.ts";
import { systemOffset } from "./plain_registers.ts";
import type { ConstantPlace, Operands, Shape, TargetKind } from "./shape.ts";
import { type CodeLayout, SHARED } from "./threaded_layout.ts";
import { loadWidth } from "./threaded_memory.ts";

/** What the backend asks of the region around it. */
export interface RegionCode extends AccessingRegion {
  /** Writes code that takes the present instruction's branch, of a kind; a target that is a value is in `target`. */
  branch(kind: TargetKind): void;
}

/** A V register in a local: its width says of which bits. */
interface CachedVector {
  readonly local: number;
  readonly width: Width;
}

/** State operations of one region's instructions, in the order in which they are written. */
export class CompiledBackend implements Backend {
  readonly flags: FlagsCode;
  readonly #memory: RegionMemory;
  readonly #plain: PlainCode;
  /** Locals with what X registers hold, by their offset. */
  readonly #registers = new Map<number, number>();
  readonly #vectors = new Map<number, CachedVector>();
  #operands: Operands = undefined as never;
  #word = 0;
  #groups: ReadonlyMap<number, Member> = new Map();
  #nodes: readonly IrNode[] = [];
  /** Blocks that are open where code is executed whenever the instruction is. */
  #depth = 0;
  #isFloatChecked = false;
  /** SP has not changed since it was found aligned. */
  #isStackChecked = false;

  /** Code goes to `code`. */
  constructor(
    private readonly code: CodeWriter,
    private readonly layout: CodeLayout,
    functions: RegionFunctions,
    private readonly region: RegionCode,
  ) {
    this.#memory = new RegionMemory(code, layout, functions, region);
    this.#plain = new PlainCode(code, layout, {
      state: (offset) => {
        this.#base();
        if (this.#offset(offset) === 0) return;
        code.i32Const(this.#offset(offset));
        code.i32Add();
      },
      leaveIf: () => this.#stopIf(),
      left: () => this.#left(),
      tlb: REGION_LOCAL.tlb,
    });
    this.flags = new FlagsCode(code, functions.flags, {
      load: () => {
        this.#base();
        code.i32Load(this.#offset(SLOT_NZCV * 8));
      },
      store: (push) => {
        this.#base();
        push();
        code.i32Store(this.#offset(SLOT_NZCV * 8));
      },
    });
  }

  /** A block begins: nothing is known of registers and flags, but which accesses are near each other. */
  block(groups: ReadonlyMap<number, Member>): void {
    this.#groups = groups;
    this.#memory.block();
    for (const local of this.#registers.values()) this.code.releaseLocal(local);
    for (const { local } of this.#vectors.values()) this.code.releaseLocal(local);
    this.#registers.clear();
    this.#vectors.clear();
    this.#isFloatChecked = this.#isStackChecked = false;
    this.flags.meet();
  }

  /** The next instruction that is written, the number of its word, and whether it asks the driver for a device. */
  instruction({ nodes }: Shape, operands: Operands, word: number, asksDevice: boolean): void {
    this.#word = word;
    this.#memory.asksDevice = asksDevice;
    this.#nodes = nodes;
    this.#operands = operands;
    this.#depth = this.code.depth;
  }

  /** Conditions are compared where what the flags are of is known. */
  takes(node: IrNode, nodes: readonly IrNode[]): boolean {
    return node.op === "condition" && nodes[node.args[0] as number]?.op === "readNzcv" &&
      this.flags.knows(int(node, 0));
  }

  /** Values that `state` pushes. */
  operands(node: IrNode, nodes: readonly IrNode[]): readonly number[] {
    if (node.op === "writeNzcv") return this.flags.operands(node, nodes);
    return this.takes(node, nodes) ? [] : node.args;
  }

  /** Writes a state operation. */
  state(index: number, node: IrNode, e: Emitter): void {
    const { op, immediates } = node;
    switch (op) {
      case "constant":
        return this.#constant(node);
      case "readX":
        return this.#readX(this.#register(immediates[0] as number));
      case "writeX":
        return this.#writeX(this.#register(immediates[0] as number), e);
      case "readV":
        return this.#readV(this.#register(immediates[0] as number), node.width);
      case "writeV":
        return this.#writeV(this.#register(immediates[0] as number), node, e);
      case "readNzcv":
        return this.flags.push(this.#isCertain);
      case "writeNzcv":
        return this.flags.write(node, this.#nodes, e);
      case "condition":
        return this.flags.condition(int(node, 0));
      case "load":
        return this.#memory.load(node, e, this.#groups.get(memberKey(this.#word, index)));
      case "store":
        return this.#memory.store(node, e, this.#groups.get(memberKey(this.#word, index)));
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

  /** Leaves the instruction to the threaded engine; nothing of it has happened. */
  bail(): void {
    this.region.stop();
  }

  /** Pushes FPCR or FPSR. */
  floatState(register: "FPCR" | "FPSR"): void {
    this.#base();
    this.code.i32Load(this.#offset(systemOffset(register)));
  }

  /** Pushes what offsets of the CPU's state are added to. */
  #base(): void {
    if (this.layout.cpu === undefined) this.code.localGet(REGION_LOCAL.state);
    else this.code.i32Const(0);
  }

  #offset(offset: number): number {
    return (this.layout.cpu?.state ?? 0) + offset;
  }

  #register(index: number): number {
    return this.#operands.registers[index] as number;
  }

  /** True where what is written is executed whenever the instruction is: only there may a local be relied on later. */
  get #isCertain(): boolean {
    return this.code.depth === this.#depth;
  }

  #constant({ width, immediates: [place] }: IrNode): void {
    if (place === "target") return;
    const { code } = this, { wide, narrow } = this.#operands;
    const value = typeof place === "bigint" ? place : constantAt(place as ConstantPlace, width, wide, narrow);
    if (width === 128) code.v128Const(value);
    else if (width === 64) code.i64Const(value);
    else code.i32Const(Number(BigInt.asIntN(32, value)));
  }

  #readX(offset: number): void {
    const { code } = this, known = this.#registers.get(offset);
    if (known !== undefined) return code.localGet(known);
    if (offset === ZERO_OFFSET) return code.i64Const(0);
    this.#base();
    code.i64Load(this.#offset(offset));
    if (!this.#isCertain) return;
    const local = code.takeLocal("i64");
    this.#registers.set(offset, local);
    code.localTee(local);
  }

  #writeX(offset: number, e: Emitter): void {
    const { code } = this;
    if (offset === TRASH_OFFSET) {
      e.argument(0);
      return code.drop();
    }
    if (offset === SLOT_SP * 8) this.#isStackChecked = false;
    this.#base();
    e.argument(0);
    let local = this.#registers.get(offset);
    if (local === undefined) {
      local = code.takeLocal("i64");
      this.#registers.set(offset, local);
    }
    code.localTee(local);
    code.i64Store(this.#offset(offset));
  }

  #readV(offset: number, width: Width): void {
    const { code } = this, known = this.#vectors.get(offset);
    if (known?.width === width) return code.localGet(known.local);
    this.#base();
    loadWidth(code, width, this.#offset(offset));
    if (!this.#isCertain || known !== undefined) return;
    const local = code.takeLocal(valueType(width));
    this.#vectors.set(offset, { local, width });
    code.localTee(local);
  }

  #writeV(offset: number, { args }: IrNode, e: Emitter): void {
    const { code } = this, width = e.widthOf(args[0] as number);
    const known = this.#vectors.get(offset);
    const local = known !== undefined && valueType(known.width) === valueType(width)
      ? known.local
      : code.takeLocal(valueType(width));
    if (width === 128) {
      this.#base();
      e.argument(0);
      code.localTee(local);
      code.v128Store(this.#offset(offset));
    } else {
      // One write of all 16 bytes, so that a later read of them finds it.
      e.argument(0);
      code.localSet(local);
      this.#base();
      code.v128Const(0n);
      code.localGet(local);
      if (width < 64) code.i64ExtendI32U();
      code.i64x2ReplaceLane(0);
      code.v128Store(this.#offset(offset));
    }
    if (known !== undefined && known.local !== local) code.releaseLocal(known.local);
    this.#vectors.set(offset, { local, width });
  }

  #branch({ op, immediates: [kind] }: IrNode, e: Emitter): void {
    const { code } = this;
    if (op === "branchIf") {
      e.argument(0);
      code.if();
    } else if (kind === "dynamic") {
      e.argument(0);
      code.localSet(REGION_LOCAL.target);
    }
    this.region.branch(kind as TargetKind);
    if (op === "branchIf") code.end();
  }

  /** BTYPE, with the number of steps left after this instruction, as the threaded engine keeps it. */
  #branchType(type: number): void {
    const { code, layout: { shared } } = this;
    code.i32Const(0);
    code.i32Const(type);
    code.i32Store(shared + SHARED.branchType);
    code.i32Const(0);
    this.#left();
    code.i32Store(shared + SHARED.branchLeft);
  }

  /** Pushes how many steps are left after the present instruction. */
  #left(): void {
    const { code } = this;
    code.localGet(REGION_LOCAL.left);
    code.i32Const(this.region.uncounted);
    code.i32Add();
  }

  #helper(node: IrNode, e: Emitter): void {
    const { immediates: [name] } = node;
    if (BARRIERS.has(name as string)) return;
    if (name === "checkFpEnabled") {
      if (!this.#isFloatChecked) this.#plain.require(["floatEnabled"]);
      this.#isFloatChecked = true;
    } else if (name === "checkSpAlignment") {
      if (!this.#isStackChecked) this.#checkStackPointer();
      this.#isStackChecked = true;
    } else if (name === "zeroBlock") this.#memory.zeroBlock(e);
    else if (!this.#plain.helper(node, e)) this.region.stop();
  }

  #checkStackPointer(): void {
    const { code } = this;
    this.#readX(SLOT_SP * 8);
    code.i32WrapI64();
    code.i32Const(15);
    code.i32And();
    this.#stopIf();
  }

  #stopIf(): void {
    this.code.if();
    this.region.stop();
    this.code.end();
  }
}

const ZERO_OFFSET = 31 * 8, TRASH_OFFSET = 32 * 8;

function constantAt(
  place: ConstantPlace,
  width: Width,
  wide: readonly [bigint, bigint],
  narrow: number,
): bigint {
  if (place === "narrow") return BigInt(narrow);
  if (width === 128) return wide[0] | wide[1] << 64n;
  return wide[place === "wide0" ? 0 : 1];
}
