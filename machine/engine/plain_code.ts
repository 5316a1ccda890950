/** Writes the system instructions of plain_registers.ts, for handlers and for compiled regions. */
import { keyRegister } from "../cpu/pointer_authentication.ts";
import { OFFSET_SYSTEM, SLOT_DAIF } from "../cpu/registers.ts";
import { NANOSECONDS_PER_COUNT } from "../clock.ts";
import type { Emitter } from "../ir/emit.ts";
import type { IrNode } from "../ir/operations.ts";
import type { CodeWriter, SharedFunction } from "../wasm/code_writer.ts";
import { ADD_PAC, AUTHENTICATE, GENERIC_PAC, STRIP_PAC } from "./pointer_code.ts";
import {
  BY_SET,
  type Condition,
  masksChanged,
  type PlainRegister,
  plainRegister,
  readConditions,
} from "./plain_registers.ts";
import { type CodeLayout, SHARED } from "./threaded_layout.ts";
import { TlbCode } from "./threaded_tlb.ts";

/** What differs between those who hold such instructions. */
export interface PlainPlace {
  /** Pushes the address of something in the CPU's state. */
  state(offset: number): void;
  /** Leaves the instruction to be evaluated when the i32 on the stack is not 0; nothing of it has happened. */
  leaveIf(): void;
  /** Pushes how many steps are left after the present instruction. */
  left(): void;
  /** Local with the offset of the CPU's translations. */
  readonly tlb: number;
}

/** Writes to one function. */
export class PlainCode {
  /** Code goes to `code`. */
  constructor(
    private readonly code: CodeWriter,
    private readonly layout: CodeLayout,
    private readonly place: PlainPlace,
  ) {}

  /** Leaves the instruction unless all conditions hold. */
  require(conditions: readonly Condition[]): void {
    const { code, layout: { shared } } = this;
    for (const condition of conditions) {
      code.i32Const(0);
      code.i32Load(shared + SHARED[condition]);
      code.i32Eqz();
      this.place.leaveIf();
    }
  }

  /** A plain helper; false for others. */
  helper(node: IrNode, e: Emitter): boolean {
    switch (node.immediates[0]) {
      case "readSystemRegister":
        return this.#read(node);
      case "writeSystemRegister":
        return this.#write(node, e);
      case "writePstateField":
        return this.#changeMasks(node);
      case "maintainCache":
        return node.immediates[1] === BY_SET ? this.#maintainBySet() : this.#maintain(e);
      case "systemInstruction":
        this.require(["quiet"]);
        return true;
      case "addPac":
        return this.#pointer(ADD_PAC, node, e);
      case "authenticate":
        return this.#pointer(AUTHENTICATE, node, e);
      case "stripPac":
        return this.#pointer(STRIP_PAC, node, e);
      case "genericPac":
        return this.#pointer(GENERIC_PAC, node, e);
      default:
        return false;
    }
  }

  /** Pointer authentication: where it does not trap, by functions of the module. */
  #pointer(callee: SharedFunction, { immediates: [name, number] }: IrNode, e: Emitter): boolean {
    const { code, layout: { shared } } = this;
    // Of XPACI and XPACD the number says what pointers are to; keys of data are 2 and 3.
    const key = name === "stripPac" ? 2 * (number as number) : number as number ?? 0;
    this.require(["pointerKeys"]);
    e.argument(0);
    if (e.has(1)) e.argument(1);
    else code.i64Const(0);
    this.place.state(OFFSET_SYSTEM + keyRegister(name as string, key) * 8);
    code.i32Const(shared);
    code.i32Const(key);
    code.callShared(callee);
    return true;
  }

  /** MRS. */
  #read({ immediates: [, encoding] }: IrNode): boolean {
    const { code } = this;
    const register = plainRegister(encoding as number) as PlainRegister,
      { stored, counterOffset, shared, value, read } = register;
    this.require(this.layout.hasFineGrainedTraps ? readConditions(register) : read);
    if (counterOffset !== undefined) return this.#count(counterOffset);
    if (shared !== undefined) {
      code.i32Const(0);
      code.i64Load32U(this.layout.shared + shared);
      return true;
    }
    if (stored === undefined) {
      code.i64Const(value as bigint);
      return true;
    }
    this.place.state(stored.offset);
    code.i64Load();
    if (stored.shift === 0) return true;
    code.i64Const(BigInt(stored.shift));
    code.i64Shl();
    return true;
  }

  /** A view of the system counter, at the present instruction's instant: the last one's less the steps after it. */
  #count(offset: number): boolean {
    const { code, layout: { shared, nanosecondsPerStep } } = this;
    code.i32Const(0);
    code.i64Load(shared + SHARED.lastTime);
    this.place.left();
    code.i64ExtendI32U();
    code.i64Const(BigInt(nanosecondsPerStep));
    code.i64Mul();
    code.i64Sub();
    code.i64Const(BigInt(31 - Math.clz32(NANOSECONDS_PER_COUNT)));
    code.i64ShrU();
    code.i32Const(0);
    code.i64Load(shared + offset);
    code.i64Sub();
    return true;
  }

  /** MSR (register). */
  #write({ immediates: [, encoding] }: IrNode, e: Emitter): boolean {
    const { code } = this;
    const { stored, write } = plainRegister(encoding as number) as PlainRegister;
    if (stored === undefined || write === undefined) return false;
    this.require(write);
    const value = code.takeLocal("i64");
    e.argument(0);
    if (stored.shift !== 0) {
      code.i64Const(BigInt(stored.shift));
      code.i64ShrU();
      code.i64Const(stored.mask);
      code.i64And();
    }
    code.localSet(value);
    if (stored.offset === SLOT_DAIF * 8) this.#requireMasked(value);
    this.place.state(stored.offset);
    code.localGet(value);
    code.i64Store();
    code.releaseLocal(value);
    return true;
  }

  /** Leaves the instruction where masks that it takes away (those that a local does not have) let an interrupt be taken. */
  #requireMasked(masks: number): void {
    const { code, layout: { shared } } = this;
    code.i32Const(0);
    code.i32Load(shared + SHARED.settled);
    code.i32Eqz();
    this.place.state(SLOT_DAIF * 8);
    code.i64Load();
    code.localGet(masks);
    code.i64Const(-1);
    code.i64Xor();
    code.i64And();
    code.i64Eqz();
    code.i32Eqz();
    code.i32And();
    this.place.leaveIf();
  }

  /** MSR DAIFSet and DAIFClr. */
  #changeMasks(node: IrNode): boolean {
    const { code } = this, change = masksChanged(node);
    if (change === undefined) return false;
    this.require(change.isSet ? ["quiet"] : ["quiet", "settled"]);
    this.place.state(SLOT_DAIF * 8);
    this.place.state(SLOT_DAIF * 8);
    code.i32Load();
    code.i32Const(change.isSet ? change.masks : ~change.masks & 15);
    if (change.isSet) code.i32Or();
    else code.i32And();
    code.i32Store();
    return true;
  }

  /** Cache maintenance by set and way: nothing. */
  #maintainBySet(): boolean {
    this.require(["quiet", "setWay"]);
    return true;
  }

  /** Cache maintenance: nothing, where reads find the page. */
  #maintain(e: Emitter): boolean {
    const { code, place: { tlb } } = this;
    this.require(["quiet"]);
    const address = code.takeLocal("i64"), entry = code.takeLocal("i32");
    e.argument(0);
    code.localSet(address);
    new TlbCode(code, this.layout).lookUp(address, entry, "read", BigInt.asUintN(64, -4096n), tlb);
    this.place.leaveIf();
    code.releaseLocal(entry);
    code.releaseLocal(address);
    return true;
  }
}
