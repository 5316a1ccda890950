/** How compiled code reaches memory: by the front table, else by functions that ask the TLB; the rest stops the region. */
import type { Emitter } from "../ir/emit.ts";
import { valueType } from "../ir/emit.ts";
import type { IrNode } from "../ir/operations.ts";
import type { CodeWriter } from "../wasm/code_writer.ts";
import type { Group, Member } from "./compiled_groups.ts";
import { ENTRY_MASK, ENTRY_SHIFT } from "./compiled_find.ts";
import { QUICK_ACCESSES } from "./compiled_instructions.ts";
import { REGION_LOCAL, type RegionFunctions } from "./compiled_layout.ts";
import { FRONT } from "./front_table.ts";
import { ExclusiveCode } from "./exclusive_code.ts";
import { type CodeLayout, type Privilege, SHARED, SLOW, slowDescriptor } from "./threaded_layout.ts";
import { loadWidth, storeWidth, ZERO_BLOCK, zeroBytes } from "./threaded_memory.ts";

/** What accesses ask of the region around them. */
export interface AccessingRegion {
  /** Writes code that leaves the region before the present instruction. */
  stop(): void;
  /** Steps that LOCAL.left does not count yet after the present instruction. */
  readonly uncounted: number;
}

/** Writes the accesses of one region. */
export class RegionMemory {
  /** The present instruction's access may be asked of the driver. */
  asksDevice = false;
  /** Locals with the places of groups of the present block. */
  readonly #groups = new Map<Group, number>();
  readonly #exclusive: ExclusiveCode;

  /** Accesses of `region`. */
  constructor(
    private readonly code: CodeWriter,
    private readonly layout: CodeLayout,
    private readonly functions: RegionFunctions,
    private readonly region: AccessingRegion,
  ) {
    this.#exclusive = new ExclusiveCode(code, layout, REGION_LOCAL.tlb);
  }

  /**
   * Pushes the page of the last of so many bytes at an address (a local). Neighbouring pages have different entries, so
   * the entry of the first byte's page has this one only if they are one page.
   */
  #pageOfLast(address: number, size: number): void {
    const { code } = this;
    code.localGet(address);
    if (size > 1) {
      code.i64Const(size - 1);
      code.i64Add();
    }
    code.i64Const(-4096);
    code.i64And();
  }

  #front(privilege: Privilege): void {
    const { code, layout: { shared } } = this;
    if (privilege === "normal") return code.localGet(REGION_LOCAL.front);
    code.i32Const(0);
    code.i32Load(shared + SHARED.unprivilegedFront);
  }

  /** Pushes the address of the front table's entry for the address in a local. */
  #entry(address: number, privilege: Privilege): void {
    const { code } = this;
    code.localGet(address);
    code.i64Const(ENTRY_SHIFT);
    code.i64ShrU();
    code.i32WrapI64();
    code.i32Const(ENTRY_MASK);
    code.i32And();
    this.#front(privilege);
    code.i32Add();
  }

  /** Leaves what a function finds for the address on the stack in `host`, or stops. */
  #call(
    kind: "read" | "write" | "exclusive" | "zero",
    size: number,
    mayMisalign: boolean,
    host: number,
    privilege: Privilege = "normal",
    none: () => void = () => this.region.stop(),
  ): void {
    const { code, functions } = this;
    code.i32Const(mayMisalign ? size : -size);
    this.#front(privilege);
    code.localGet(REGION_LOCAL.tlb);
    const isOther = privilege === "unprivileged" && (kind === "read" || kind === "write");
    code.call(isOther ? functions.unprivileged[kind] : functions[kind]);
    code.localTee(host);
    code.i32Eqz();
    code.if();
    none();
    code.end();
  }

  /** Leaves the offset of a device's value in `host`, or stops; `keep` writes code that keeps what is to be written. */
  #askDevice(descriptor: number, address: number, host: number, keep?: () => void): void {
    const { code, functions, region } = this;
    keep?.();
    code.localGet(REGION_LOCAL.left);
    code.i32Const(region.uncounted);
    code.i32Add();
    code.localGet(address);
    code.i32WrapI64();
    code.localGet(address);
    code.i64Const(32n);
    code.i64ShrU();
    code.i32WrapI64();
    code.i32Const(descriptor);
    code.call(functions.device);
    code.localTee(host);
    code.i32Eqz();
    this.#stopIf();
  }

  /** Leaves the offset in memory of the access in a local, which it returns, or stops; `keep` as for `#askDevice`. */
  #find(kind: "read" | "write", address: number, size: number, access: string, keep?: () => void): number {
    const { code } = this, isRead = kind === "read";
    const privilege = access === "unprivileged" ? access : "normal",
      mayMisalign = QUICK_ACCESSES[access] === true;
    const host = code.takeLocal("i32");
    this.#entry(address, privilege);
    code.localTee(host);
    code.i64Load(isRead ? FRONT.readTag : FRONT.writeTag);
    if (mayMisalign) this.#pageOfLast(address, size);
    else {
      code.localGet(address);
      code.i64Const(size - 4096 - 1); // the page, and the bits that are clear in an aligned address
      code.i64And();
    }
    code.i64Ne();
    code.if();
    code.localGet(address);
    const descriptor = slowDescriptor(isRead ? SLOW.load : SLOW.store, size, access);
    const ask = this.asksDevice ? () => this.#askDevice(descriptor, address, host, keep) : undefined;
    this.#call(kind, size, mayMisalign, host, privilege, ask);
    code.else();
    code.localGet(host);
    code.i32Load(isRead ? FRONT.readAddend : FRONT.writeAddend);
    code.localGet(address);
    code.i32WrapI64();
    code.i32Add();
    code.localSet(host);
    code.end();
    return host;
  }

  /** Forgets the groups of the block before. */
  block(): void {
    for (const local of this.#groups.values()) this.code.releaseLocal(local);
    this.#groups.clear();
  }

  /** Leaves the place of a group's start in its local, or 0 where its bytes are not known to be in one plain page. */
  #open({ group, offset }: Member, address: number): void {
    const { code } = this, isRead = group.kind === "read";
    const start = code.takeLocal("i64"), host = code.takeLocal("i32"), entry = code.takeLocal("i32");
    code.localGet(address);
    code.i64Const(group.lowest - offset);
    code.i64Add();
    code.localSet(start);
    code.i32Const(0);
    code.localSet(host);
    const unknown = code.block();
    this.#entry(start, "normal");
    code.localTee(entry);
    code.i64Load(isRead ? FRONT.readTag : FRONT.writeTag);
    this.#pageOfLast(start, group.span);
    code.i64Ne();
    code.brIf(unknown);
    code.localGet(entry);
    code.i32Load(isRead ? FRONT.readAddend : FRONT.writeAddend);
    code.localGet(start);
    code.i32WrapI64();
    code.i32Add();
    code.localSet(host);
    code.end();
    code.releaseLocal(entry);
    code.releaseLocal(start);
    this.#groups.set(group, host);
  }

  /** Leaves the place of a group's start, as far as this access is concerned, in a local; the access is at what it returns. */
  #findIn(member: Member, size: number, e: Emitter): { host: number; offset: number } {
    const { code } = this, { group } = member, offset = member.offset - group.lowest;
    const host = code.takeLocal("i32"), address = code.takeLocal("i64");
    const isFirst = !this.#groups.has(group);
    if (isFirst) {
      e.argument(0);
      code.localSet(address);
      this.#open(member, address);
    }
    code.localGet(this.#groups.get(group) as number);
    code.localTee(host);
    code.i32Eqz();
    code.if();
    if (isFirst) code.localGet(address);
    else e.argument(0);
    this.#call(group.kind, size, true, host);
    if (offset !== 0) {
      code.localGet(host);
      code.i32Const(offset);
      code.i32Sub();
      code.localSet(host);
    }
    code.end();
    code.releaseLocal(address);
    return { host, offset };
  }

  /** A load; `member` if it is of a group. */
  load({ width, immediates: [size, access] }: IrNode, e: Emitter, member?: Member): void {
    if (member !== undefined) {
      const { host, offset } = this.#findIn(member, size as number, e);
      this.code.localGet(host);
      loadWidth(this.code, width, offset);
      return this.code.releaseLocal(host);
    }
    const { code } = this, address = code.takeLocal("i64");
    e.argument(0);
    code.localSet(address);
    const host = this.#find("read", address, size as number, access as string);
    code.localGet(host);
    loadWidth(code, width);
    code.releaseLocal(host);
    code.releaseLocal(address);
  }

  /** A store; `member` if it is of a group. */
  store({ args, immediates: [size, access] }: IrNode, e: Emitter, member?: Member): void {
    const { code } = this, width = e.widthOf(args[1] as number);
    if (member !== undefined) {
      const { host, offset } = this.#findIn(member, size as number, e);
      code.localGet(host);
      e.argument(1);
      storeWidth(code, width, offset);
      return code.releaseLocal(host);
    }
    const address = code.takeLocal("i64"), value = code.takeLocal(valueType(width));
    e.argument(0);
    code.localSet(address);
    e.argument(1);
    code.localSet(value);
    const host = this.#find("write", address, size as number, access as string, () => {
      code.i32Const(0);
      code.localGet(value);
      storeWidth(code, width, this.layout.shared + SHARED.value);
    });
    code.localGet(host);
    code.localGet(value);
    storeWidth(code, width);
    for (const local of [host, value, address]) code.releaseLocal(local);
  }

  /** A load-exclusive: the threaded engine's unless no one else is concerned. */
  loadExclusive({ width, immediates: [size] }: IrNode, e: Emitter): void {
    const { code } = this, address = code.takeLocal("i64");
    e.argument(0);
    code.localSet(address);
    this.#exclusive.isWatched();
    this.#stopIf();
    const host = this.#find("read", address, size as number, "ordered");
    this.#exclusive.open(host, size as number);
    code.localGet(host);
    loadWidth(code, width);
    code.releaseLocal(host);
    code.releaseLocal(address);
  }

  /** A store-exclusive: the threaded engine's unless it writes and only this CPU's monitor is concerned. */
  storeExclusive({ args, immediates: [size] }: IrNode, e: Emitter): void {
    const { code } = this, width = e.widthOf(args[1] as number);
    const value = code.takeLocal(valueType(width)), host = code.takeLocal("i32");
    this.#exclusive.isWatched();
    this.#stopIf();
    e.argument(0);
    this.#call("exclusive", size as number, false, host);
    e.argument(1);
    code.localSet(value);
    this.#exclusive.check(host, size as number, () => this.#stopIf());
    this.#exclusive.close(host);
    code.localGet(host);
    code.localGet(value);
    storeWidth(code, width);
    code.i32Const(0);
    code.releaseLocal(value);
    code.releaseLocal(host);
  }

  /** DC ZVA: the threaded engine's unless it is known not to trap and the block is plain memory. */
  zeroBlock(e: Emitter): void {
    const { code } = this, host = code.takeLocal("i32");
    code.i32Const(0);
    code.i32Load(this.layout.shared + SHARED.zeroEnabled);
    code.i32Eqz();
    this.#stopIf();
    e.argument(0);
    code.i64Const(-ZERO_BLOCK);
    code.i64And();
    this.#call("zero", ZERO_BLOCK, true, host);
    zeroBytes(code, host, ZERO_BLOCK);
    code.releaseLocal(host);
  }

  #stopIf(): void {
    this.code.if();
    this.region.stop();
    this.code.end();
  }
}
