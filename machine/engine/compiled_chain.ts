/** Writes the functions that go from region to region, until one stops or leads to where there is none. */
import { MARK_GUARDED } from "../memory/tlb.ts";
import type { CodeWriter } from "../wasm/code_writer.ts";
import type { ModuleWriter } from "../wasm/module_writer.ts";
import { RECORD_SIZE } from "./code_pages.ts";
import { DEEPEST_CALL, regionType, SIDE, SIDE_SIZE, WHERE } from "./compiled_layout.ts";
import { type CodeLayout, SHARED } from "./threaded_layout.ts";
import { TlbCode } from "./threaded_tlb.ts";

/** Where records and what is beside them are. */
type Places = NonNullable<CodeLayout["regions"]>;

const SIDE_SHIFT = 31 - Math.clz32(RECORD_SIZE / SIDE_SIZE);

/** Replaces the offset of a record by that of what is beside it. */
export function toSide(code: CodeWriter, { arena, sides }: Places): void {
  code.i32Const(arena);
  code.i32Sub();
  code.i32Const(SIDE_SHIFT);
  code.i32ShrU();
  code.i32Const(sides);
  code.i32Add();
}

/** The other way round. */
export function fromSide(code: CodeWriter, { arena, sides }: Places): void {
  code.i32Const(sides);
  code.i32Sub();
  code.i32Const(SIDE_SHIFT);
  code.i32Shl();
  code.i32Const(arena);
  code.i32Add();
}

/** Locals of both functions: their parameters, then their own. */
interface ChainLocals {
  readonly left: number;
  readonly state: number;
  readonly tlb: number;
  readonly side: number;
  readonly word: number;
  readonly where: number;
  readonly entry: number;
  readonly target: number;
}

function takeLocals(code: CodeWriter, parameters: Pick<ChainLocals, "left" | "state" | "tlb">): ChainLocals {
  const own = () => code.takeLocal("i32");
  return {
    ...parameters,
    side: own(),
    word: own(),
    where: own(),
    entry: own(),
    target: code.takeLocal("i64"),
  };
}

/**
 * Declares and defines the function of the handlers' loop: from a record with a region, with steps left, a CPU's state
 * and translations, to the steps left and the record whose own handler is next, or 0 where the address in SHARED.target
 * is.
 */
export function declareChain(module: ModuleWriter, layout: CodeLayout, places: Places): number {
  const chain = module.declare(module.type(["i32", "i32", "i32", "i32"], ["i32", "i32"]));
  const code = module.define(chain), record = 0, local = takeLocals(code, { left: 1, state: 2, tlb: 3 });
  code.i32Const(0);
  code.i32Const(DEEPEST_CALL);
  code.i32Store(layout.shared + SHARED.calls);
  // Where code is entered, its number is beside the record.
  code.localGet(record);
  toSide(code, places);
  code.localTee(local.side);
  code.i32Load16U(SIDE.word);
  code.localSet(local.word);
  const unknown = code.block(), again = code.loop();
  callRegion(code, local, regionType(module));
  code.localGet(local.where);
  code.i32Eqz();
  code.if();
  findNext(code, layout, places, local, () => code.brIf(unknown));
  code.br(again);
  code.end();
  code.localGet(local.where);
  code.i32Const(WHERE.unknown);
  code.i32Eq();
  code.brIf(unknown);
  code.localGet(local.left);
  code.localGet(local.where);
  code.return();
  code.end(); // again
  code.end(); // unknown
  code.localGet(local.left);
  code.i32Const(0);
  return chain;
}

/** Writes `RegionFunctions.call`; the results are those of a region. */
export function defineCall(code: CodeWriter, layout: CodeLayout, places: Places, type: number): void {
  const { shared } = layout, following = 3, local = takeLocals(code, { left: 0, state: 1, tlb: 2 });
  const give = (where: number) => {
    code.localGet(local.left);
    code.i32Const(where);
    code.return();
  };
  const count = (by: number) => {
    code.i32Const(0);
    code.i32Const(0);
    code.i32Load(shared + SHARED.calls);
    code.i32Const(by);
    code.i32Add();
    code.i32Store(shared + SHARED.calls);
  };
  code.i32Const(0);
  code.i32Load(shared + SHARED.calls);
  code.i32Eqz();
  code.if();
  give(WHERE.leftPage);
  code.end();
  count(-1);
  const unknown = code.block(), again = code.loop();
  findNext(code, layout, places, local, () => code.brIf(unknown));
  callRegion(code, local, type);
  code.localGet(local.where);
  code.i32Eqz();
  code.if();
  code.i32Const(0);
  code.i64Load(shared + SHARED.target);
  code.localGet(following);
  code.i64Ne();
  if (layout.hasBranchTypes) {
    isBranchTyped(code, layout, local);
    code.i32Or();
  }
  code.brIf(again);
  count(1);
  give(WHERE.returned);
  code.end();
  // Whoever called it stops as well.
  code.localGet(local.left);
  code.localGet(local.where);
  code.return();
  code.end(); // again
  code.end(); // unknown
  code.localGet(local.left);
  code.i32Const(WHERE.unknown);
}

/** Calls the region of the record with `side` and `word`; leaves `where` and `left`. */
function callRegion(code: CodeWriter, local: ChainLocals, type: number): void {
  code.localGet(local.word);
  code.localGet(local.left);
  code.localGet(local.side);
  code.localGet(local.word);
  code.i32Const(SIDE_SIZE);
  code.i32Mul();
  code.i32Sub();
  code.localGet(local.state);
  code.localGet(local.tlb);
  code.localGet(local.side);
  code.i32Load16U(SIDE.region);
  code.callIndirect(type);
  code.localSet(local.where);
  code.localSet(local.left);
}

/** Pushes 1 when the instruction before set BTYPE. */
function isBranchTyped(code: CodeWriter, { shared }: CodeLayout, { left }: ChainLocals): void {
  code.i32Const(0);
  code.i32Load(shared + SHARED.branchLeft);
  code.localGet(left);
  code.i32Eq();
}

/** Leaves `side` and `word` of the address in SHARED.target, or goes by `giveUpIf` where no region is known for it. */
function findNext(
  code: CodeWriter,
  layout: CodeLayout,
  places: Places,
  local: ChainLocals,
  giveUpIf: () => void,
): void {
  const { target, entry, word, side } = local, tlb = new TlbCode(code, layout);
  code.i32Const(0);
  code.i64Load(layout.shared + SHARED.target);
  code.localSet(target);
  tlb.lookUp(target, entry, "code", BigInt.asUintN(64, -4096n) | 3n, local.tlb);
  giveUpIf();
  if (layout.hasBranchTypes) {
    isBranchTyped(code, layout, local);
    code.i32Const(MARK_GUARDED);
    code.i32Mul();
    tlb.entryMarks(entry, "code");
    code.i32And();
    giveUpIf();
  }
  code.localGet(target);
  code.i32WrapI64();
  code.i32Const(0xffc);
  code.i32And();
  code.localTee(word);
  code.i32Const(RECORD_SIZE / 4);
  code.i32Mul();
  tlb.entryPage(entry, "code");
  code.i32Add();
  toSide(code, places);
  code.localSet(side);
  code.localGet(word);
  code.i32Const(2);
  code.i32ShrU();
  code.localSet(word);
  code.localGet(side);
  code.i32Load16U(SIDE.entry);
  code.i32Eqz();
  giveUpIf();
}
