/**
 * TEEs of type R that carry a program (US20220188146A1): the monitor at EL2 hosts a realm whose runtime at EL1 has the program
 * at EL0 with pages of 4 KiB, and answers its services.
 *
 * The runtime tells of the program, or waits for one, by HVC; a program that comes is put into the runtime's pool and its
 * context. A program stands still where the CPU came to EL2 from EL0, which EL2's timer brings about (Arm ARM D11.2.4), or
 * where the runtime says that it waits.
 */
import { z } from "zod";
import type { PhysicalAddress } from "../../../../machine/address.ts";
import { ConfigurationError } from "../../../../machine/errors.ts";
import { ByteReader, bytes, ByteWriter, flag, record, u53, u64 } from "../../../../machine/layout.ts";
import { PAGE_SIZE } from "../../../../machine/memory/physical.ts";
import { sha256 } from "../../../../machine/sha256.ts";
import type { El2Monitor } from "../../../el2_monitor.ts";
import { translateGuest } from "../../../guest_memory.ts";
import type { MonitorSystem } from "../../../system.ts";
import type { Vcpu } from "../../../vcpu.ts";
import { setCounter } from "../canonical_state.ts";
import {
  HEADER_BYTES,
  imageBytes,
  MOST_IMAGE,
  pagesOf,
  parseHeader,
  placedBytes,
  placeOf,
  type ProgramHeader,
} from "./program_image.ts";
import { HOST_OPTIONS, type HostOptions, ProgramMigration } from "./program_migration.ts";
import { policyOf, type ProgramPlace, unmet } from "./program_policy.ts";
import { captureProgram, type ProgramIdentity, type ProgramState } from "./program_state.ts";
import { clearMemory } from "./secure_space.ts";
import { emulate } from "./shims.ts";

/** Calls of the runtime: X0 of HVC #0, other immediates. */
const CARRY = 0xc600_0060n, AWAIT = 0xc600_0061n, ENDED = 0xc600_0062n, UNDEFINED_HERE = 1, WAITS = 2;
/** Results: SMCCC's invalid parameter and denial. */
const INVALID = -2n, DENIED = -3n;
/** Counts of the timer until it is tried again to find the program at EL0. */
const AGAIN = 64n;
const SLUG = "tee-migration";

const own = record({
  header: bytes(HEADER_BYTES),
  measurement: bytes(32),
  pool: u53,
  poolSize: u53,
  context: u53,
  counter: u64,
  isAwaiting: flag,
  isStopped: flag,
  isWanted: flag,
});

/** Options of a realm with a program. */
export const PROGRAM_OPTIONS = z.strictObject(HOST_OPTIONS);

/** A realm with a program. */
export class RealmProgram extends ProgramMigration {
  readonly exits: NonNullable<MonitorSystem["exits"]> = {
    hypervisorCall: (vcpu, { iss }) => this.#called(vcpu, iss & 0xffff),
  };
  #identity: ProgramIdentity | undefined;
  #header: ProgramHeader | undefined;
  #pool = { base: 0, size: 0 };
  #context = 0;
  #isAwaiting = false;
  /** Its CPU stands still. */
  #isStopped = false;
  #isWanted = false;
  /** The program's count where it stopped. */
  #counter = 0n;

  /** Throws ConfigurationError for more than one CPU. */
  constructor(given: HostOptions, private readonly el2: El2Monitor) {
    super(given, el2);
    if (el2.site.board.configuration.cpus !== 1) {
      throw new ConfigurationError("A realm that carries a program has one CPU: use -smp 1");
    }
    el2.timer.use(SLUG);
  }

  get #vcpu(): Vcpu {
    return this.el2.vcpu(this.el2.site.cpus[0]!);
  }

  protected get place(): ProgramPlace {
    const { cpuModel: model } = this.el2.site.board.configuration;
    const memory = this.#pool.size;
    return { type: "R", model, hasShims: this.options.shims, granule: PAGE_SIZE, memory };
  }

  protected get program(): ProgramHeader | undefined {
    return this.#header;
  }

  override reset(): void {
    this.#identity = this.#header = undefined;
    this.#pool = { base: 0, size: 0 };
    this.#context = 0;
    this.#isAwaiting = this.#isStopped = this.#isWanted = false;
    super.reset();
  }

  // Calls of the runtime.

  #called(vcpu: Vcpu, immediate: number): boolean {
    if (vcpu.level !== 1) return false;
    if (immediate === UNDEFINED_HERE) return this.#shim(vcpu);
    if (immediate === WAITS) return this.#waits(vcpu);
    if (immediate !== 0) return false;
    if (vcpu.x(0) === ENDED) {
      this.#forget();
      return true;
    }
    if (vcpu.x(0) === CARRY) vcpu.setX(0, this.#carry(vcpu));
    else if (vcpu.x(0) === AWAIT) this.#await(vcpu);
    else return false;
    return true;
  }

  /** A range of the realm's memory in registers Xn and Xn+1, or undefined. */
  #range(vcpu: Vcpu, n: number, most: number): { base: number; size: number } | undefined {
    const [base, size] = [Number(vcpu.x(n)), Number(vcpu.x(n + 1))], { ram } = this.el2.space;
    const isWithin = base % PAGE_SIZE === 0 && size > 0 && size <= most && base >= ram.base &&
      base + size <= ram.base + ram.size;
    return isWithin ? { base, size } : undefined;
  }

  #carry(vcpu: Vcpu): bigint {
    const image = this.#range(vcpu, 1, MOST_IMAGE), pool = this.#range(vcpu, 3, this.el2.space.ram.size);
    if (image === undefined || pool === undefined || this.#header !== undefined) return INVALID;
    this.#pool = pool;
    try {
      const { memory } = this.el2.site;
      const contents = memory.viewBytes(image.base as PhysicalAddress, image.size);
      const header = parseHeader(contents);
      if (imageBytes(header) > image.size || placedBytes(header, PAGE_SIZE) > pool.size) return INVALID;
      if (unmet(policyOf(header, "R"), this.place) !== undefined) return DENIED;
      this.#identity = { header: contents.slice(0, HEADER_BYTES), measurement: sha256(contents) };
      this.#header = header;
      setCounter(vcpu, 0n);
      return 0n;
    } catch {
      return INVALID;
    }
  }

  #await(vcpu: Vcpu): void {
    const pool = this.#range(vcpu, 3, this.el2.space.ram.size), context = Number(vcpu.x(1));
    vcpu.setX(0, INVALID);
    if (pool === undefined || context % PAGE_SIZE !== 0) return;
    const { ram } = this.el2.space;
    if (context < ram.base || context + PAGE_SIZE > ram.base + ram.size) return;
    this.#pool = pool;
    this.#context = context;
    this.#isAwaiting = true;
    vcpu.cpu.on = false;
    vcpu.cpu.attention = true;
  }

  /** The runtime's exception from EL0 is at ELR_EL1, and its general registers are EL0's: goes on there. */
  #shim(vcpu: Vcpu): boolean {
    const header = this.#header;
    if (header === undefined || !this.options.shims || !header.allowsShims) return true;
    const stopped = { pc: vcpu.get("ELR_EL1"), state: vcpu.get("SPSR_EL1") };
    const outcome = emulate(vcpu.cpu, stopped, header.features, !this.has("blind-shim"));
    if (outcome.kind !== "done") return true;
    const { opcode, feature, state } = outcome;
    this.el2.site.events.emit("instructionEmulated", vcpu.index, { address: stopped.pc, opcode, feature });
    vcpu.returnAddress = stopped.pc + 4n;
    vcpu.savedState = state;
    return true;
  }

  #waits(vcpu: Vcpu): boolean {
    if (this.#isWanted) this.#stop(vcpu, { pc: vcpu.get("ELR_EL1"), state: vcpu.get("SPSR_EL1") });
    return true;
  }

  // Its way to another machine.

  protected rest(): void {
    this.#isWanted = true;
    this.#ask();
  }

  #ask(): void {
    const vcpu = this.#vcpu;
    this.el2.timer.set(vcpu, SLUG, vcpu.get("CNTPCT_EL0") + AGAIN);
  }

  interrupt(): boolean {
    return true;
  }

  returning(vcpu: Vcpu): void {
    if (!this.#isWanted) return;
    if (vcpu.level === 0) this.#stop(vcpu, { pc: vcpu.returnAddress, state: vcpu.savedState });
    else this.#ask();
  }

  #stop(vcpu: Vcpu, { pc, state }: { pc: bigint; state: bigint }): void {
    const { cpu } = vcpu;
    if (this.#identity === undefined || !this.#isMapped(vcpu)) return;
    this.#isWanted = false;
    this.#isStopped = true;
    this.el2.timer.set(vcpu, SLUG, undefined);
    const counter = vcpu.get("CNTVCT_EL0");
    this.#counter = counter;
    cpu.on = false;
    cpu.attention = true;
    this.rested(captureProgram(vcpu, this.#identity, { pc, state, counter }));
  }

  /** The runtime has every page where the pool has it: otherwise the program is not what its header says. */
  #isMapped({ cpu }: Vcpu): boolean {
    return [...pagesOf(this.#header as ProgramHeader)].every((address) => {
      const place = translateGuest(cpu, "s12e0", BigInt(address));
      return !place.faulted && place.address === this.#at(this.#header as ProgramHeader, address);
    });
  }

  #at(header: ProgramHeader, address: number): PhysicalAddress {
    return (this.#pool.base + (placeOf(header, address, PAGE_SIZE) as number)) as PhysicalAddress;
  }

  protected goOn(): void {
    const vcpu = this.#vcpu;
    this.#isWanted = false;
    this.el2.timer.set(vcpu, SLUG, undefined);
    if (!this.#isStopped) return;
    this.#isStopped = false;
    setCounter(vcpu, this.#counter);
    this.#start(vcpu);
  }

  #start({ cpu }: Vcpu): void {
    cpu.on = true;
    cpu.waiting = "none";
    cpu.attention = true;
  }

  protected readPage(address: number): Uint8Array {
    return this.el2.site.memory.viewBytes(this.#at(this.#header as ProgramHeader, address), PAGE_SIZE);
  }

  protected makeRoom(header: ProgramHeader): string | undefined {
    if (!this.#isAwaiting) return "no runtime waits for a program";
    return placedBytes(header, PAGE_SIZE) > this.#pool.size ? "the runtime's pool is too small" : undefined;
  }

  protected writePage(header: ProgramHeader, address: number, contents: Uint8Array): void {
    this.el2.site.memory.patchBytes(this.#at(header, address), contents);
  }

  protected begin(state: ProgramState): void {
    const vcpu = this.#vcpu, { header, measurement, x, registers, pc, flags, v } = state;
    const words = BigUint64Array.from([...x, ...registers, pc, flags, ...v]);
    const context = new Uint8Array(PAGE_SIZE);
    context.set(header);
    context.set(new Uint8Array(words.buffer), HEADER_BYTES);
    this.el2.site.memory.patchBytes(this.#context as PhysicalAddress, context);
    this.#identity = { header, measurement };
    this.#header = parseHeader(header);
    this.#isAwaiting = false;
    setCounter(vcpu, state.counter);
    vcpu.setX(0, 0n);
    this.#start(vcpu);
  }

  protected clear(): void {
    const { ram } = this.el2.space, page = (base: number) => ({ base, size: base === 0 ? 0 : PAGE_SIZE });
    // A runtime that waits has nothing of the program outside; one whose program is gone is gone itself.
    const ranges = this.#isAwaiting || this.options.role === "destination"
      ? [this.#pool, page(this.#context)]
      : [ram];
    for (const range of ranges) this.#clearRange(range);
    if (this.options.role === "source") this.#forget();
  }

  #clearRange({ base, size }: { readonly base: number; readonly size: number }): void {
    clearMemory(this.el2.site.memory, base, size);
  }

  #forget(): void {
    this.#identity = this.#header = undefined;
    this.#isStopped = this.#isWanted = false;
  }

  protected saveOwn(): Uint8Array {
    const writer = new ByteWriter(), identity = this.#identity;
    own.write(writer, {
      header: identity?.header ?? new Uint8Array(0),
      measurement: identity?.measurement ?? new Uint8Array(0),
      ...{ pool: this.#pool.base, poolSize: this.#pool.size, context: this.#context, counter: this.#counter },
      ...{ isAwaiting: this.#isAwaiting, isStopped: this.#isStopped, isWanted: this.#isWanted },
    });
    return writer.view().slice();
  }

  protected restoreOwn(saved: Uint8Array): void {
    const { header, measurement, pool, poolSize, context, ...rest } = own.read(new ByteReader(saved));
    this.#identity = header.length === 0 ? undefined : { header, measurement };
    this.#header = header.length === 0 ? undefined : parseHeader(header);
    this.#pool = { base: pool, size: poolSize };
    this.#context = context;
    this.#counter = rest.counter;
    this.#isAwaiting = rest.isAwaiting;
    this.#isStopped = rest.isStopped;
    this.#isWanted = rest.isWanted;
  }
}
