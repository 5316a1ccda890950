/**
 * Writes the function of one page's region: its blocks in the order of their addresses, those that may be entered from
 * anywhere behind one `br_table`, loops that are closed in themselves as loops, and branches between them direct.
 */
import { Emitter } from "../ir/emit.ts";
import { PAGE_SIZE } from "../memory/physical.ts";
import type { CodeWriter, Label } from "../wasm/code_writer.ts";
import { PAGE_WORDS, RECORD_SIZE } from "./code_pages.ts";
import type { Block, PageInstruction, PagePlan } from "./compiled_blocks.ts";
import { findGroups } from "./compiled_groups.ts";
import { fromSide } from "./compiled_chain.ts";
import { CompiledBackend, type RegionCode } from "./compiled_backend.ts";
import { REGION_LOCAL, type RegionFunctions, SIDE, SIDE_SIZE, WHERE } from "./compiled_layout.ts";
import { entriesOf, type Unit, unitsOf } from "./compiled_units.ts";
import type { TargetKind } from "./shape.ts";
import { type CodeLayout, SHARED } from "./threaded_layout.ts";

/** A page to compile. */
export interface RegionPage {
  /** Its virtual address. */
  readonly address: bigint;
  /** It is guarded: branches to registers that lead here are looked at (FEAT_BTI). */
  readonly guarded: boolean;
  /** Its instructions by number of the word; undefined where the region does not go. */
  readonly instructions: readonly (PageInstruction | undefined)[];
  /** What is known of them. */
  readonly plan: PagePlan;
}

/** The function under construction. */
export class RegionWriter implements RegionCode {
  readonly #backend: CompiledBackend;
  readonly #emitter: Emitter;
  readonly #labels = new Map<number, Label>();
  readonly #loopLabels = new Map<number, Label>();
  /** Labels of loops that lie ahead, by the blocks that they may be entered at beside the first. */
  readonly #outside = new Map<number, { readonly label: Label; readonly first: number }>();
  #dispatch: Label = 0;
  #stop: Label = 0;
  #leave: Label = 0;
  #call: Label = 0;
  /** Index of the block that is being written. */
  #index = 0;
  /** Number of the word that is being written. */
  #word = 0;

  /** The body goes to `code`, whose parameters are REGION_PARAMETERS. */
  constructor(
    private readonly code: CodeWriter,
    private readonly page: RegionPage,
    private readonly layout: CodeLayout,
    private readonly functions: RegionFunctions,
  ) {
    const { front, flagsKind, flagsA, flagsB, target, where } = REGION_LOCAL;
    const own = [front, flagsKind].map((local) => code.takeLocal("i32") === local);
    own.push(...[flagsA, flagsB, target].map((local) => code.takeLocal("i64") === local));
    own.push(code.takeLocal("i32") === where);
    if (own.includes(false)) throw new RangeError("The region's own locals are the first");
    this.#backend = new CompiledBackend(code, layout, functions, this);
    this.#emitter = new Emitter(code, this.#backend);
  }

  /** Writes the whole body. */
  write(): void {
    const { code, layout, page: { plan } } = this;
    code.i32Const(0);
    code.i32Load(layout.shared + SHARED.front);
    code.localSet(REGION_LOCAL.front);
    this.#leave = code.block();
    this.#stop = code.block();
    this.#dispatch = code.loop();
    this.#call = code.block();
    this.#level(unitsOf(0, plan.blocks.length - 1, plan.loops), true);
    code.end(); // call
    this.#callOut();
    code.end(); // dispatch
    code.end(); // stop
    this.#giveStop();
    code.end(); // leave
    this.#keepTarget();
    code.localGet(REGION_LOCAL.left);
    code.i32Const(WHERE.leftPage);
  }

  /** Goes on where the region stops at `word`. */
  #giveStop(): void {
    const { code, layout: { shared, regions } } = this;
    this.#settle();
    code.i32Const(0);
    code.localGet(REGION_LOCAL.side);
    code.i32Store(shared + SHARED.page);
    code.localGet(REGION_LOCAL.left);
    code.localGet(REGION_LOCAL.side);
    fromSide(code, regions as NonNullable<typeof regions>);
    code.localGet(REGION_LOCAL.word);
    code.i32Const(RECORD_SIZE);
    code.i32Mul();
    code.i32Add();
    code.return();
  }

  #keepTarget(): void {
    const { code, layout } = this;
    this.#settle();
    code.i32Const(0);
    code.localGet(REGION_LOCAL.target);
    code.i64Store(layout.shared + SHARED.target);
  }

  /** Calls what is at the address in `target`, and goes on at `word` when it has returned there. */
  #callOut(): void {
    const { code, functions, page: { address } } = this, { left, state, tlb, word, where } = REGION_LOCAL;
    this.#keepTarget();
    for (const local of [left, state, tlb]) code.localGet(local);
    code.localGet(word);
    code.i64ExtendI32U();
    code.i64Const(2);
    code.i64Shl();
    code.i64Const(address);
    code.i64Add();
    code.call(functions.call);
    code.localSet(where);
    code.localSet(left);
    code.localGet(where);
    code.i32Const(WHERE.returned);
    code.i32Eq();
    code.brIf(this.#dispatch);
    code.localGet(left);
    code.localGet(where);
    code.return();
  }

  #settle(): void {
    this.#backend.flags.meet();
    this.#backend.flags.settle();
  }

  /** Writes units, whose labels are blocks around those before them; some may be where a loop is entered. */
  #level(units: readonly Unit[], isTop: boolean, entries: readonly number[] = []): void {
    const { code } = this;
    for (let index = units.length - 1; index >= (isTop ? 0 : 1); index--) {
      const unit = units[index] as Unit, label = code.block();
      this.#labels.set(unit.first, label);
      for (const entry of unit.loop?.entries ?? []) this.#outside.set(entry, { label, first: unit.first });
    }
    if (isTop) this.#enter(units);
    for (const entry of entries) {
      code.localGet(REGION_LOCAL.word);
      code.i32Const(this.#firstWord(entry));
      code.i32Eq();
      code.brIf(this.#labels.get(entry) as Label);
    }
    for (const { first, last, loop } of units) {
      // Whoever runs into a loop from above has not said where.
      const isRunInto = loop !== undefined && loop.entries.length > 0;
      if (isRunInto) this.#goOnAt(first);
      if (this.#labels.delete(first)) code.end();
      for (const entry of loop?.entries ?? []) this.#outside.delete(entry);
      if (loop === undefined) this.#block(first);
      else {
        this.#loopLabels.set(first, code.loop());
        this.#level(unitsOf(first, last, []), false, loop.entries);
        this.#loopLabels.delete(first);
        code.end();
      }
    }
  }

  /** Goes to the block that starts at `word`. */
  #enter(units: readonly Unit[]): void {
    const { code, page: { plan } } = this;
    code.localGet(REGION_LOCAL.left);
    code.i32Const(plan.reserve);
    code.i32LtU();
    code.if();
    code.br(this.#stop);
    code.end();
    code.localGet(REGION_LOCAL.word);
    code.i32Const(31 - Math.clz32(SIDE_SIZE));
    code.i32Shl();
    code.localGet(REGION_LOCAL.side);
    code.i32Add();
    code.i32Load16U(SIDE.entry);
    const labels = units.flatMap((unit) => entriesOf(unit).map(() => this.#labels.get(unit.first) as Label));
    code.brTable([this.#stop, ...labels], this.#stop);
  }

  #block(index: number): void {
    const { code, page: { instructions, plan } } = this;
    const block = plan.blocks[index] as Block, { first, end, checks, reserve, falls } = block;
    this.#index = index;
    this.#backend.block(findGroups(instructions, first, end));
    if (checks) {
      code.localGet(REGION_LOCAL.left);
      code.i32Const(reserve);
      code.i32LtU();
      code.if();
      this.#stopAt(first);
      code.end();
    }
    this.#count(first - end);
    for (this.#word = first; this.#word < end; this.#word++) {
      const { shape, operands, asksDevice = false } = instructions[this.#word] as PageInstruction;
      this.#backend.instruction(shape, operands, this.#word, asksDevice);
      this.#emitter.instruction(shape.nodes);
      if (asksDevice) this.#stopIfAsked();
    }
    this.#word = end;
    if (falls && !plan.blockAt.has(end)) this.#stopAt(end);
  }

  /** Stops at a word; behind the page's last it leaves the page. */
  #stopAt(word: number): void {
    const { code, page: { address } } = this;
    if (word < PAGE_WORDS) {
      code.i32Const(word);
      code.localSet(REGION_LOCAL.word);
      return code.br(this.#stop);
    }
    code.i64Const(BigInt.asUintN(64, address + BigInt(PAGE_SIZE)));
    code.localSet(REGION_LOCAL.target);
    code.br(this.#leave);
  }

  #count(steps: number): void {
    const { code } = this;
    if (steps === 0) return;
    code.localGet(REGION_LOCAL.left);
    code.i32Const(steps);
    code.i32Add();
    code.localSet(REGION_LOCAL.left);
  }

  /** Steps of the block after the present instruction, which were counted at its start. */
  get uncounted(): number {
    return (this.page.plan.blocks[this.#index] as Block).end - this.#word - 1;
  }

  /** Leaves the region before the present instruction. */
  stop(): void {
    this.#count(this.uncounted + 1);
    this.#stopAt(this.#word);
  }

  /** Stops after the present instruction, with no steps left, where its access to a device took them (`SHARED.rest`). */
  #stopIfAsked(): void {
    const { code, layout } = this;
    code.i32Const(0);
    code.i32Load(layout.shared + SHARED.rest);
    code.if();
    code.i32Const(0);
    code.localSet(REGION_LOCAL.left);
    this.#stopAt(this.#word + 1);
    code.end();
  }

  /** Takes the present instruction's branch. */
  branch(kind: TargetKind): void {
    const { code } = this;
    const { operands, target, links } = this.page.instructions[this.#word] as PageInstruction;
    this.#count(this.uncounted);
    if (kind === "local") return this.#branchTo(target);
    if (kind === "far") {
      code.i64Const(operands.target as bigint);
      code.localSet(REGION_LOCAL.target);
    } else this.#returnHere();
    const following = this.page.plan.blockAt.get(this.#word + 1);
    if (!links || following === undefined) return code.br(this.#leave);
    this.#goOnAt(following);
    code.br(this.#call);
  }

  #branchTo(word: number): void {
    const { code } = this, index = this.page.plan.blockAt.get(word);
    if (index === undefined) return this.#stopAt(word);
    const label = index > this.#index ? this.#labels.get(index) : this.#loopLabels.get(index);
    const outside = index > this.#index ? this.#outside.get(index) : undefined;
    const isEntered = this.page.plan.loops.some(({ first, entries }) =>
      first === index && entries.length > 0
    );
    if (label === undefined || isEntered) this.#goOnAt(index);
    code.br(outside?.label ?? label ?? this.#dispatch);
  }

  /** Says at which block a loop, or the region, is entered. */
  #goOnAt(index: number): void {
    this.code.i32Const(this.#firstWord(index));
    this.code.localSet(REGION_LOCAL.word);
  }

  #firstWord(index: number): number {
    return (this.page.plan.blocks[index] as Block).first;
  }

  /** Stays in the region where the address in `target` is in the page, unless it has to be looked at where it leads. */
  #returnHere(): void {
    const { code } = this, { shape } = this.page.instructions[this.#word] as PageInstruction;
    if (this.page.guarded && shape.nodes.some(({ op }) => op === "writeBranchType")) return;
    code.localGet(REGION_LOCAL.target);
    code.i64Const(this.page.address);
    code.i64Xor();
    code.i64Const(~0xffcn);
    code.i64And();
    code.i64Eqz();
    code.if();
    code.localGet(REGION_LOCAL.target);
    code.i32WrapI64();
    code.i32Const(0xffc);
    code.i32And();
    code.i32Const(2);
    code.i32ShrU();
    code.localSet(REGION_LOCAL.word);
    code.br(this.#dispatch);
    code.end();
  }
}
