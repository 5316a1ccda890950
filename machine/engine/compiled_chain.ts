/** Writes the function that goes from region to region, until one stops or leads to where there is none. */
import { MARK_GUARDED } from "../memory/tlb.ts";
import type { CodeWriter } from "../wasm/code_writer.ts";
import type { ModuleWriter } from "../wasm/module_writer.ts";
import { RECORD_SIZE } from "./code_pages.ts";
import { LEFT_PAGE, regionType, SIDE, SIDE_SIZE } from "./compiled_layout.ts";
import { type CodeLayout, SHARED } from "./threaded_layout.ts";
import { TlbCode } from "./threaded_tlb.ts";

/** Where records and what is beside them are. */
type Places = NonNullable<CodeLayout["regions"]>;

/** Replaces the offset of a record by that of what is beside it. */
export function toSide(code: CodeWriter, { arena, sides }: Places): void {
  code.i32Const(arena);
  code.i32Sub();
  code.i32Const(31 - Math.clz32(RECORD_SIZE / SIDE_SIZE));
  code.i32ShrU();
  code.i32Const(sides);
  code.i32Add();
}

/** Locals of the function: its parameters, then its own. */
const CHAIN = {
  record: 0,
  left: 1,
  state: 2,
  tlb: 3,
  side: 4,
  word: 5,
  where: 6,
  entry: 7,
  target: 8,
} as const;

/**
 * Declares and defines the function: from a record with a region, with steps left, a CPU's state and translations, to
 * the steps left, the record whose own handler is next, or 0 where the address in SHARED.target is, and the side of that
 * record's page, or 0.
 */
export function declareChain(module: ModuleWriter, layout: CodeLayout, places: Places): number {
  const chain = module.declare(module.type(["i32", "i32", "i32", "i32"], ["i32", "i32", "i32"]));
  const code = module.define(chain), own = [CHAIN.side, CHAIN.word, CHAIN.where, CHAIN.entry];
  const isInPlace = own.map((local) => code.takeLocal("i32") === local);
  if (isInPlace.includes(false) || code.takeLocal("i64") !== CHAIN.target) {
    throw new RangeError("The chain's own locals are the first");
  }
  // Where code is entered, its number is beside the record.
  code.localGet(CHAIN.record);
  toSide(code, places);
  code.localTee(CHAIN.side);
  code.i32Load16U(SIDE.word);
  code.localSet(CHAIN.word);
  const again = code.loop();
  callRegion(code, regionType(module));
  code.localGet(CHAIN.where);
  code.i32Const(LEFT_PAGE);
  code.i32Eq();
  code.if();
  findNext(code, layout, places);
  code.i32Load16U(SIDE.entry);
  code.brIf(again);
  giveUp(code);
  code.end();
  code.end();
  stop(code);
  return chain;
}

/** Returns to where nothing is compiled, or nothing is known. */
function giveUp(code: CodeWriter): void {
  code.localGet(CHAIN.left);
  code.i32Const(0);
  code.i32Const(0);
  code.return();
}

/** Calls the region of the record with `side` and `word`; leaves `where` and `left`. */
function callRegion(code: CodeWriter, type: number): void {
  code.localGet(CHAIN.word);
  code.localGet(CHAIN.left);
  code.localGet(CHAIN.side);
  code.localGet(CHAIN.word);
  code.i32Const(SIDE_SIZE);
  code.i32Mul();
  code.i32Sub();
  code.localGet(CHAIN.state);
  code.localGet(CHAIN.tlb);
  code.localGet(CHAIN.side);
  code.i32Load16U(SIDE.region);
  code.callIndirect(type);
  code.localSet(CHAIN.where);
  code.localSet(CHAIN.left);
}

/** Leaves the record of the address in SHARED.target in its local and pushes its side, or returns where it is not known. */
function findNext(code: CodeWriter, layout: CodeLayout, places: Places): void {
  const { shared } = layout, tlb = new TlbCode(code, layout);
  const giveUpIf = () => {
    code.if();
    giveUp(code);
    code.end();
  };
  code.i32Const(0);
  code.i64Load(shared + SHARED.target);
  code.localSet(CHAIN.target);
  tlb.lookUp(CHAIN.target, CHAIN.entry, "code", BigInt.asUintN(64, -4096n) | 3n, CHAIN.tlb);
  giveUpIf();
  if (layout.hasBranchTypes) {
    code.i32Const(0);
    code.i32Load(shared + SHARED.branchLeft);
    code.localGet(CHAIN.left);
    code.i32Eq();
    code.i32Const(MARK_GUARDED);
    code.i32Mul();
    tlb.entryMarks(CHAIN.entry, "code");
    code.i32And();
    giveUpIf();
  }
  code.localGet(CHAIN.target);
  code.i32WrapI64();
  code.i32Const(0xffc);
  code.i32And();
  code.localTee(CHAIN.word);
  code.i32Const(RECORD_SIZE / 4);
  code.i32Mul();
  tlb.entryPage(CHAIN.entry, "code");
  code.i32Add();
  code.localSet(CHAIN.record);
  code.localGet(CHAIN.word);
  code.i32Const(2);
  code.i32ShrU();
  code.localSet(CHAIN.word);
  code.localGet(CHAIN.record);
  toSide(code, places);
  code.localTee(CHAIN.side);
}

/** Pushes the results where the region stopped. */
function stop(code: CodeWriter): void {
  code.localGet(CHAIN.left);
  code.localGet(CHAIN.record);
  code.localGet(CHAIN.where);
  code.localGet(CHAIN.word);
  code.i32Sub();
  code.i32Const(RECORD_SIZE);
  code.i32Mul();
  code.i32Add();
  code.localGet(CHAIN.side);
  code.localGet(CHAIN.word);
  code.i32Const(SIDE_SIZE);
  code.i32Mul();
  code.i32Sub();
}
