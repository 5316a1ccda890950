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
import { ByteReader, bytes, ByteWriter, flag, record, u64 } from "../../../../machine/layout.ts";
import { PAGE_SIZE } from "../../../../machine/memory/physical.ts";
import { sha256 } from "../../../../machine/sha256.ts";
import type { El2Monitor } from "../../../el2_monitor.ts";
import type { MonitorSystem } from "../../../system.ts";
import type { Vcpu } from "../../../vcpu.ts";
import { setCounter } from "../canonical_state.ts";
import { SLUG } from "../options.ts";
import { HEADER_BYTES, imageBytes, MOST_IMAGE, parseHeader, type ProgramHeader } from "./program_image.ts";
import { HOST_OPTIONS, type HostOptions, ProgramMigration } from "./program_migration.ts";
import { policyOf, type ProgramPlace, unmet } from "./program_policy.ts";
import { captureProgram, type ProgramIdentity, type ProgramState } from "./program_state.ts";
import { MEMORY_FIELDS, NO_MEMORY, RuntimeMemory } from "./runtime_memory.ts";
import { emulate } from "./shims.ts";

/** Calls of the runtime: X0 of HVC #0, other immediates. */
const CARRY = 0xc600_0060n, AWAIT = 0xc600_0061n, ENDED = 0xc600_0062n, UNDEFINED_HERE = 1, WAITS = 2;
/** Results: SMCCC's invalid parameter and denial. */
const INVALID = -2n, DENIED = -3n;
/** Counts of the timer until it is tried again to find the program at EL0. */
const AGAIN = 64n;

const own = record({
  header: bytes(HEADER_BYTES),
  measurement: bytes(32),
  ...MEMORY_FIELDS,
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
  readonly #memory: RuntimeMemory;
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
    this.#memory = new RuntimeMemory(el2);
    el2.timer.use(SLUG);
  }

  get #vcpu(): Vcpu {
    return this.el2.vcpu(this.el2.site.cpus[0]!);
  }

  protected get place(): ProgramPlace {
    const { cpuModel: model } = this.el2.site.board.configuration;
    const { capacity: memory } = this.#memory;
    return { type: "R", model, hasShims: this.options.shims, granule: PAGE_SIZE, memory };
  }

  protected get program(): ProgramHeader | undefined {
    return this.#header;
  }

  override reset(): void {
    this.#identity = this.#header = undefined;
    this.#memory.restore(NO_MEMORY);
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

  #carry(vcpu: Vcpu): bigint {
    const memory = this.#memory, image = memory.rangeIn(vcpu, 1, MOST_IMAGE), pool = memory.rangeIn(vcpu, 3);
    if (image === undefined || pool === undefined || this.#header !== undefined) return INVALID;
    memory.setAside(pool);
    try {
      const contents = this.el2.site.memory.viewBytes(image.base as PhysicalAddress, image.size);
      const header = parseHeader(contents);
      if (imageBytes(header) > image.size || !memory.hasRoom(header)) return INVALID;
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
    const memory = this.#memory, pool = memory.rangeIn(vcpu, 3), context = memory.pageIn(vcpu, 1);
    vcpu.setX(0, INVALID);
    if (pool === undefined || context === undefined) return;
    memory.setAside(pool, context);
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
    // Where the runtime has a page elsewhere, the program is not what its header says.
    if (this.#identity === undefined || !this.#memory.isMapped(cpu, this.#header as ProgramHeader)) return;
    this.#isWanted = false;
    this.#isStopped = true;
    this.el2.timer.set(vcpu, SLUG, undefined);
    const counter = vcpu.get("CNTVCT_EL0");
    this.#counter = counter;
    cpu.on = false;
    cpu.attention = true;
    this.rested(captureProgram(vcpu, this.#identity, { pc, state, counter }));
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
    return this.#memory.read(this.#header as ProgramHeader, address);
  }

  protected makeRoom(header: ProgramHeader): string | undefined {
    if (!this.#isAwaiting) return "no runtime waits for a program";
    return this.#memory.hasRoom(header) ? undefined : "the runtime's pool is too small";
  }

  protected writePage(header: ProgramHeader, address: number, contents: Uint8Array): void {
    this.#memory.write(header, address, contents);
  }

  protected begin(state: ProgramState): void {
    const vcpu = this.#vcpu, { header, measurement } = state;
    this.#memory.writeContext(state);
    this.#identity = { header, measurement };
    this.#header = parseHeader(header);
    this.#isAwaiting = false;
    setCounter(vcpu, state.counter);
    vcpu.setX(0, 0n);
    this.#start(vcpu);
  }

  protected clear(): void {
    // A runtime that waits has nothing of the program outside; one whose program is gone is gone itself.
    if (this.#isAwaiting || this.options.role === "destination") this.#memory.clear();
    else this.#memory.clearAll();
    if (this.options.role === "source") this.#forget();
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
      ...this.#memory.save(),
      counter: this.#counter,
      ...{ isAwaiting: this.#isAwaiting, isStopped: this.#isStopped, isWanted: this.#isWanted },
    });
    return writer.view().slice();
  }

  protected restoreOwn(saved: Uint8Array): void {
    const { header, measurement, ...rest } = own.read(new ByteReader(saved));
    this.#identity = header.length === 0 ? undefined : { header, measurement };
    this.#header = header.length === 0 ? undefined : parseHeader(header);
    this.#memory.restore(rest);
    this.#counter = rest.counter;
    this.#isAwaiting = rest.isAwaiting;
    this.#isStopped = rest.isStopped;
    this.#isWanted = rest.isWanted;
  }
}
