/**
 * TEEs of type E (US20220188146A1): an enclave at EL0 in Secure state, under the monitor at EL3 in place of a Secure OS.
 *
 * The normal world asks for it by SMC and lends it a CPU. Its memory is Secure (`-M virt,secure-ram=on`): what the normal
 * world reads there nothing answers. Its exceptions go to EL1 of Secure state, where there are vectors that call EL3 and
 * nothing else; interrupts and SErrors come to EL3 by SCR_EL3.{IRQ,FIQ,EA} and end its turn (Arm ARM D1.10, D1.13).
 */
import { z } from "zod";
import type { PhysicalAddress } from "../../../../machine/address.ts";
import type { Alarm } from "../../../../machine/clock.ts";
import type { Exception } from "../../../../machine/cpu/exception.ts";
import { ConfigurationError } from "../../../../machine/errors.ts";
import { ByteReader, bytes, ByteWriter, flag, record, u64, u8 } from "../../../../machine/layout.ts";
import { MODELS } from "../../../../machine/cpu/model.ts";
import { PAGE_SIZE } from "../../../../machine/memory/physical.ts";
import { sha256 } from "../../../../machine/sha256.ts";
import { systemAccessOf } from "../../../exit.ts";
import type { TrapMonitor } from "../../../monitor.ts";
import { performSystem } from "../../../own_memory.ts";
import { type MonitorSystem, type SystemRow, systemRow } from "../../../system.ts";
import type { Vcpu } from "../../../vcpu.ts";
import { systemRegisterAt } from "../../../../machine/cpu/system_registers.ts";
import { CALLS, LEFT, REFUSED } from "./calls.ts";
import {
  HEADER_BYTES,
  imageBytes,
  MOST_IMAGE,
  MOST_OUTPUT,
  parseHeader,
  placeOf,
  type ProgramHeader,
  SERVICES,
} from "./program_image.ts";
import { HOST_OPTIONS, type HostOptions, ProgramMigration } from "./program_migration.ts";
import { policyOf, type ProgramPlace, unmet } from "./program_policy.ts";
import {
  applyProgram,
  captureProgram,
  decodeProgram,
  encodeProgram,
  firstState,
  type ProgramState,
} from "./program_state.ts";
import { GRANULES, SecureSpace } from "./secure_space.ts";
import { emulate } from "./shims.ts";
import {
  bringWorldBack,
  enterSecureWorld,
  isInSecureWorld,
  putWorldAway,
  worldLayout,
} from "./world_switch.ts";

/** PSTATE of an enclave: EL0, all interrupts masked, which those to EL3 do not ask. */
const EL0_STATE = 0x3c0n;
/** SPSR_ELx.M[3:2]. */
const LEVEL = 0xcn;
/** ESR_EL1.EC of what an enclave can do and go on. */
const UNKNOWN = 0x00, WAIT_TRAPPED = 0x01, SERVICE = 0x15, REGISTER_TRAPPED = 0x18;
/** Nobody runs it. */
const NOBODY = 255;

const own = record({
  /** Of a program that is here. */
  state: bytes(1 << 14),
  /** The CPU that runs it. */
  runner: u8,
  /** What the runner's normal world left. */
  world: worldLayout,
  /** CNTPCT_EL0 less the program's counter. */
  offset: u64,
  /** Its tables are new to the CPUs' translation lookaside buffers. */
  isFresh: flag,
});

const options = z.strictObject({
  ...HOST_OPTIONS,
  granule: z.enum(["4K", "16K", "64K"]).default("64K"),
});
type Options = HostOptions & { readonly granule: keyof typeof GRANULES };

/** The host of one enclave. */
class EnclaveHost extends ProgramMigration {
  readonly exits: NonNullable<MonitorSystem["exits"]> = {
    secureMonitorCall: (vcpu, { iss }) => this.#called(vcpu, iss & 0xffff),
  };
  readonly #space: SecureSpace;
  readonly #rest: Alarm;
  #state: ProgramState | undefined;
  #header: ProgramHeader | undefined;
  #runner = NOBODY;
  #world: bigint[] = [];
  #offset = 0n;
  #isFresh = false;

  constructor(given: Options, monitor: TrapMonitor) {
    super(given, monitor);
    const { board, memory, clock } = monitor.site, { granule } = given;
    const row = board.rows.find(({ name }) => name === "secureRam");
    if (row === undefined) {
      throw new ConfigurationError("There is no Secure memory for enclaves: add secure-ram=on to -M virt");
    }
    const { cpuModel } = board.configuration;
    if (granule === "16K" && !MODELS[cpuModel].limits.granule16K) {
      throw new ConfigurationError(`${cpuModel} has no pages of 16 KiB: use granule=4K or granule=64K`);
    }
    this.#space = new SecureSpace(memory, row, granule);
    this.#rest = clock.alarm("tee-migration rest", () => this.#rested());
  }

  protected get place(): ProgramPlace {
    const { cpuModel: model } = this.monitor.site.board.configuration;
    const { granule, capacity } = this.#space;
    return { type: "E", model, hasShims: this.options.shims, granule, memory: capacity };
  }

  protected get program(): ProgramHeader | undefined {
    return this.#header;
  }

  override reset(): void {
    this.#rest.clear();
    this.#runner = NOBODY;
    this.#world = [];
    this.#gone();
    super.reset();
  }

  #gone(): void {
    this.#state = this.#header = undefined;
    this.#offset = 0n;
    this.#isFresh = false;
  }

  #tell(change: "created" | "entered" | "left" | "destroyed", detail = "", cpu = 0): void {
    this.monitor.site.events.emit("enclaveChanged", cpu, { change, detail });
  }

  // Calls of the normal world.

  #called(vcpu: Vcpu, immediate: number): boolean {
    if (isInSecureWorld(vcpu)) {
      this.#trapped(vcpu);
      return true;
    }
    if (immediate !== 0) return false;
    switch (vcpu.x(0)) {
      case CALLS.create:
        return this.#answer(vcpu, this.#create(Number(vcpu.x(1)), Number(vcpu.x(2))));
      case CALLS.find:
        return this.#answer(vcpu, this.#header === undefined ? REFUSED.gone : 0n);
      case CALLS.destroy:
        return this.#answer(vcpu, this.#destroy());
      case CALLS.enter:
        return this.#enter(vcpu);
      default:
        return false;
    }
  }

  #answer(vcpu: Vcpu, result: bigint): boolean {
    vcpu.setX(0, result);
    const measurement = this.#state?.measurement;
    if (result !== 0n || measurement === undefined) return true;
    const view = new DataView(measurement.buffer, measurement.byteOffset);
    for (let word = 0; word < 4; word++) vcpu.setX(1 + word, view.getBigUint64(word * 8, true));
    return true;
  }

  /** Copies an image before looking at it, so that it cannot change behind the look. */
  #create(address: number, size: number): bigint {
    if (this.#header !== undefined) return REFUSED.busy;
    const image = this.#image(address, size);
    if (image === undefined) return REFUSED.invalid;
    try {
      const header = parseHeader(image);
      if (imageBytes(header) > size) return REFUSED.invalid;
      const place = this.place;
      if (unmet({ ...policyOf(header, "E") }, place) !== undefined) return REFUSED.denied;
      this.#space.lay(header);
      for (const { base, size, offset } of header.ranges) {
        if (offset !== undefined) this.#space.write(header, base, image.slice(offset, offset + size));
      }
      const identity = { header: image.slice(0, HEADER_BYTES), measurement: sha256(image) };
      this.#have(firstState(identity), header);
      this.#tell("created", identity.measurement.toHex());
      return 0n;
    } catch {
      return REFUSED.invalid;
    }
  }

  /** Bytes of normal memory; undefined for what is not that throughout. */
  #image(address: number, size: number): Uint8Array | undefined {
    const { memory } = this.monitor.site;
    const isRange = Number.isSafeInteger(address) && address % PAGE_SIZE === 0 && size >= HEADER_BYTES &&
      size <= MOST_IMAGE && Number.isSafeInteger(size);
    if (!isRange) return undefined;
    for (let at = address; at < address + size; at += PAGE_SIZE) {
      if (memory.directOffset(at as PhysicalAddress, false) < 0) return undefined;
    }
    return memory.hostOffset(address as PhysicalAddress, size) < 0
      ? undefined
      : memory.viewBytes(address as PhysicalAddress, size);
  }

  /** The program is here; its counter goes on from what it was. */
  #have(state: ProgramState, header: ProgramHeader): void {
    this.#state = state;
    this.#header = header;
    this.#offset = BigInt.asUintN(64, this.#count - state.counter);
    this.#isFresh = true;
  }

  get #count(): bigint {
    return this.monitor.site.cpus[0]!.timer.count();
  }

  #destroy(): bigint {
    if (this.#header === undefined) return REFUSED.gone;
    if (this.#runner !== NOBODY || this.isFrozen) return REFUSED.busy;
    this.clear();
    return 0n;
  }

  #enter(vcpu: Vcpu): boolean {
    const state = this.#state;
    if (state === undefined || this.#runner !== NOBODY || this.isFrozen) {
      return this.#answer(vcpu, state === undefined ? REFUSED.gone : REFUSED.busy);
    }
    this.#world = putWorldAway(vcpu);
    this.#runner = vcpu.index;
    enterSecureWorld(vcpu, this.#space.registers);
    if (this.#isFresh) performSystem(vcpu.cpu, "tlbi alle1is");
    this.#isFresh = false;
    applyProgram(vcpu, state);
    this.#goTo(vcpu, state.pc, state.flags);
    this.#tell("entered", "", vcpu.index);
    return true;
  }

  #goTo(vcpu: Vcpu, pc: bigint, flags: bigint): void {
    vcpu.returnAddress = pc;
    vcpu.savedState = flags | EL0_STATE;
  }

  // What the enclave does.

  /** A vector of Secure EL1 called: the enclave took an exception there, and its state is in the registers of EL1. */
  #trapped(vcpu: Vcpu): void {
    const syndrome = Number(vcpu.get("ESR_EL1")), pc = vcpu.get("ELR_EL1"), state = vcpu.get("SPSR_EL1");
    switch (syndrome >>> 26) {
      case SERVICE:
        return this.#served(vcpu, syndrome & 0xffff, { pc, state });
      case WAIT_TRAPPED:
        return this.#goTo(vcpu, pc + 4n, state & ~EL0_STATE);
      case REGISTER_TRAPPED:
        return this.#readRegister(vcpu, syndrome, { pc, state });
      case UNKNOWN:
        return this.#shim(vcpu, { pc, state });
      default:
        return this.#fault(vcpu, syndrome >>> 26);
    }
  }

  #served(vcpu: Vcpu, service: number, { pc, state }: { pc: bigint; state: bigint }): void {
    const [x0, x1] = [vcpu.x(0), vcpu.x(1)];
    if (service === SERVICES.wait) {
      if (x0 <= BigInt.asUintN(64, this.#count - this.#offset)) return this.#goTo(vcpu, pc, state);
      return this.#leave(vcpu, { pc: pc - 4n, state }, [LEFT.waiting, BigInt.asUintN(64, x0 + this.#offset)]);
    }
    if (service === SERVICES.output) {
      const words = this.#output(x0, x1);
      return words === undefined
        ? this.#fault(vcpu, SERVICE)
        : this.#leave(vcpu, { pc, state }, [LEFT.output, x1, ...words]);
    }
    if (service !== SERVICES.exit) return this.#fault(vcpu, SERVICE);
    this.#leave(vcpu, { pc, state }, [LEFT.done, x0]);
    this.clear();
  }

  /** Four words of what the program shows, within one of its ranges. */
  #output(address: bigint, size: bigint): bigint[] | undefined {
    const header = this.#header as ProgramHeader;
    if (size < 1n || size > BigInt(MOST_OUTPUT) || address >= 2n ** 40n) return undefined;
    const shown = new Uint8Array(MOST_OUTPUT);
    for (let at = 0; at < Number(size); at++) {
      const byte = Number(address) + at;
      if (placeOf(header, byte, PAGE_SIZE) === undefined) return undefined;
      shown[at] = this.#space.read(header, byte - byte % PAGE_SIZE)[byte % PAGE_SIZE] as number;
    }
    return [...new BigUint64Array(shown.buffer)];
  }

  /** A program may read its counter, which is not this machine's, and the frequency. */
  #readRegister(vcpu: Vcpu, syndrome: number, { pc, state }: { pc: bigint; state: bigint }): void {
    const access = systemAccessOf({
      class: "systemRegisterTrapped",
      iss: syndrome & 0x1ff_ffff,
      faultAddress: 0n,
      ipa: -1,
    });
    const name = systemRegisterAt(access.encoding)?.name;
    const isCounter = name === "CNTVCT_EL0" || name === "CNTPCT_EL0";
    if (!access.isRead || (!isCounter && name !== "CNTFRQ_EL0")) return this.#fault(vcpu, REGISTER_TRAPPED);
    vcpu.setX(access.Rt, isCounter ? this.#count - this.#offset : vcpu.get("CNTFRQ_EL0"));
    this.#goTo(vcpu, pc + 4n, state & ~EL0_STATE);
  }

  #shim(vcpu: Vcpu, stopped: { pc: bigint; state: bigint }): void {
    const { features, allowsShims } = this.#header as ProgramHeader;
    if (!this.options.shims || !allowsShims) return this.#fault(vcpu, UNKNOWN);
    const outcome = emulate(vcpu.cpu, stopped, features, !this.has("blind-shim"));
    if (outcome.kind !== "done") return this.#fault(vcpu, UNKNOWN);
    const { opcode, feature } = outcome;
    this.monitor.site.events.emit("instructionEmulated", vcpu.index, {
      address: stopped.pc,
      opcode,
      feature,
    });
    this.#goTo(vcpu, stopped.pc + 4n, outcome.state & ~EL0_STATE);
  }

  #fault(vcpu: Vcpu, exceptionClass: number): void {
    this.#leave(vcpu, { pc: 0n, state: 0n }, [LEFT.faulted, BigInt(exceptionClass)]);
    this.clear();
  }

  asynchronous(vcpu: Vcpu, _exception: Exception): boolean {
    if (!isInSecureWorld(vcpu) || this.#runner !== vcpu.index) return false;
    this.#leave(vcpu, this.#stopped(vcpu), [LEFT.interrupted]);
    return true;
  }

  /** Where EL0 was; if it has taken an exception to EL1 that has not called yet, it takes it again. */
  #stopped(vcpu: Vcpu): { pc: bigint; state: bigint } {
    const { returnAddress: pc, savedState: state } = vcpu;
    if ((state & LEVEL) === 0n) return { pc, state };
    const isService = Number(vcpu.get("ESR_EL1") >> 26n & 0x3fn) === SERVICE;
    return { pc: vcpu.get("ELR_EL1") - (isService ? 4n : 0n), state: vcpu.get("SPSR_EL1") };
  }

  /** Gives the CPU back, with results in X0 on. */
  #leave(vcpu: Vcpu, { pc, state }: { pc: bigint; state: bigint }, results: readonly bigint[]): void {
    const { header, measurement } = this.#state as ProgramState;
    const counter = BigInt.asUintN(64, this.#count - this.#offset);
    this.#state = captureProgram(vcpu, { header, measurement }, { pc, state, counter });
    const left = vcpu.x(9);
    bringWorldBack(vcpu, this.#world);
    if (this.has("left-register")) vcpu.cpu.registers.setX(9, left);
    // It was for the enclave, and something else was first.
    vcpu.cpu.serrorPending = false;
    this.#world = [];
    this.#runner = NOBODY;
    for (const [n, value] of results.entries()) vcpu.setX(n, value);
    const reason = Object.keys(LEFT)[Number(results[0])] ?? "";
    this.#tell("left", reason, vcpu.index);
  }

  // Its way to another machine.

  /** The alarm is due before the CPU goes on; an SError, which no mask of the enclave's keeps from EL3, ends its turn. */
  protected rest(): void {
    this.#rest.set(this.monitor.site.clock.now);
    const cpu = this.monitor.site.cpus[this.#runner];
    if (cpu === undefined) return;
    cpu.serrorPending = true;
    cpu.attention = true;
  }

  #rested(): void {
    const { clock } = this.monitor.site, state = this.#state;
    if (state === undefined) return;
    if (this.#runner !== NOBODY) return this.#rest.set(clock.now + 1000);
    const counter = BigInt.asUintN(64, this.#count - this.#offset);
    this.rested({ ...state, counter });
  }

  protected goOn(): void {
    this.#rest.clear();
    if (this.#state !== undefined) this.#offset = BigInt.asUintN(64, this.#count - this.#state.counter);
  }

  protected readPage(address: number): Uint8Array {
    return this.#space.read(this.#header as ProgramHeader, address);
  }

  protected makeRoom(header: ProgramHeader): string | undefined {
    this.#space.clear();
    try {
      this.#space.lay(header);
    } catch (error) {
      return (error as Error).message;
    }
    return undefined;
  }

  protected writePage(header: ProgramHeader, address: number, contents: Uint8Array): void {
    this.#space.write(header, address, contents);
  }

  protected begin(state: ProgramState): void {
    this.#have(state, parseHeader(state.header));
    this.#tell("created", state.measurement.toHex());
  }

  protected clear(): void {
    if (this.#header !== undefined) this.#tell("destroyed");
    this.#rest.clear();
    this.#gone();
    if (!this.has("kept-memory")) this.#space.clear();
  }

  protected saveOwn(): Uint8Array {
    const writer = new ByteWriter(), state = this.#state;
    own.write(writer, {
      state: state === undefined ? new Uint8Array(0) : encodeProgram(state),
      ...{ runner: this.#runner, world: [...this.#world], offset: this.#offset, isFresh: this.#isFresh },
    });
    return writer.view().slice();
  }

  protected restoreOwn(saved: Uint8Array): void {
    const { state, runner, world, offset, isFresh } = own.read(new ByteReader(saved));
    const found = state.length === 0 ? undefined : decodeProgram(state);
    this.#state = found?.state;
    this.#header = found?.header;
    this.#runner = runner;
    this.#world = world;
    this.#offset = offset;
    this.#isFresh = isFresh;
  }
}

/** The row. */
export const TEE_ENCLAVE: SystemRow = systemRow<Options>({
  slug: "tee-migration",
  levels: [3],
  options,
  build: (given, monitor) => new EnclaveHost(given, monitor),
});
