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
import { MODELS } from "../../../../machine/cpu/model.ts";
import { PAGE_SIZE } from "../../../../machine/memory/physical.ts";
import { sha256 } from "../../../../machine/sha256.ts";
import type { TrapMonitor } from "../../../monitor.ts";
import { type MonitorSystem, type SystemRow, systemRow } from "../../../system.ts";
import type { Vcpu } from "../../../vcpu.ts";
import { SLUG } from "../options.ts";
import { CALLS, REFUSED } from "./calls.ts";
import { Enclave } from "./enclave.ts";
import { EnclaveExits } from "./enclave_exits.ts";
import { HEADER_BYTES, imageBytes, MOST_IMAGE, parseHeader, type ProgramHeader } from "./program_image.ts";
import { HOST_OPTIONS, type HostOptions, ProgramMigration } from "./program_migration.ts";
import { policyOf, type ProgramPlace, unmet } from "./program_policy.ts";
import { firstState, type ProgramState } from "./program_state.ts";
import { GRANULES, SecureSpace } from "./secure_space.ts";
import { isInSecureWorld } from "./world_switch.ts";

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
  readonly #enclave: Enclave;
  readonly #enclaveExits: EnclaveExits;
  readonly #rest: Alarm;

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
    this.#enclave = new Enclave(monitor, new SecureSpace(memory, row, granule), given.planted);
    this.#enclaveExits = new EnclaveExits(monitor, given, this.#enclave, () => this.clear());
    this.#rest = clock.alarm("tee-migration rest", () => this.#rested());
  }

  protected get place(): ProgramPlace {
    const { cpuModel: model } = this.monitor.site.board.configuration;
    const { granule, capacity } = this.#enclave.space;
    return { type: "E", model, hasShims: this.options.shims, granule, memory: capacity };
  }

  protected get program(): ProgramHeader | undefined {
    return this.#enclave.header;
  }

  override reset(): void {
    this.#rest.clear();
    this.#enclave.reset();
    super.reset();
  }

  // Calls of the normal world.

  #called(vcpu: Vcpu, immediate: number): boolean {
    if (isInSecureWorld(vcpu)) {
      this.#enclaveExits.trapped(vcpu);
      return true;
    }
    if (immediate !== 0) return false;
    switch (vcpu.x(0)) {
      case CALLS.create:
        return this.#answer(vcpu, this.#create(Number(vcpu.x(1)), Number(vcpu.x(2))));
      case CALLS.find:
        return this.#answer(vcpu, this.program === undefined ? REFUSED.gone : 0n);
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
    const measurement = this.#enclave.state?.measurement;
    if (result !== 0n || measurement === undefined) return true;
    const view = new DataView(measurement.buffer, measurement.byteOffset);
    for (let word = 0; word < 4; word++) vcpu.setX(1 + word, view.getBigUint64(word * 8, true));
    return true;
  }

  /** Copies an image before looking at it, so that it cannot change behind the look. */
  #create(address: number, size: number): bigint {
    if (this.program !== undefined) return REFUSED.busy;
    const image = this.#image(address, size);
    if (image === undefined) return REFUSED.invalid;
    const { space } = this.#enclave;
    try {
      const header = parseHeader(image);
      if (imageBytes(header) > size) return REFUSED.invalid;
      const place = this.place;
      if (unmet({ ...policyOf(header, "E") }, place) !== undefined) return REFUSED.denied;
      space.lay(header);
      for (const { base, size, offset } of header.ranges) {
        if (offset !== undefined) space.write(header, base, image.slice(offset, offset + size));
      }
      const identity = { header: image.slice(0, HEADER_BYTES), measurement: sha256(image) };
      this.#enclave.have(firstState(identity), header);
      this.#enclave.tell("created", identity.measurement.toHex());
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

  #destroy(): bigint {
    if (this.program === undefined) return REFUSED.gone;
    if (this.#enclave.isRunning || this.isFrozen) return REFUSED.busy;
    this.clear();
    return 0n;
  }

  #enter(vcpu: Vcpu): boolean {
    const { state, isRunning } = this.#enclave;
    if (state === undefined || isRunning || this.isFrozen) {
      return this.#answer(vcpu, state === undefined ? REFUSED.gone : REFUSED.busy);
    }
    this.#enclave.enter(vcpu);
    return true;
  }

  asynchronous(vcpu: Vcpu, _exception: Exception): boolean {
    if (!isInSecureWorld(vcpu) || this.#enclave.runner !== vcpu.index) return false;
    this.#enclaveExits.interrupted(vcpu);
    return true;
  }

  // Its way to another machine.

  /** The alarm is due before the CPU goes on; an SError, which no mask of the enclave's keeps from EL3, ends its turn. */
  protected rest(): void {
    this.#rest.set(this.monitor.site.clock.now);
    const cpu = this.monitor.site.cpus[this.#enclave.runner];
    if (cpu === undefined) return;
    cpu.serrorPending = true;
    cpu.attention = true;
  }

  #rested(): void {
    const { clock } = this.monitor.site, { state, isRunning, counter } = this.#enclave;
    if (state === undefined) return;
    if (isRunning) return this.#rest.set(clock.now + 1000);
    this.rested({ ...state, counter });
  }

  protected goOn(): void {
    this.#rest.clear();
    this.#enclave.continueCounter();
  }

  protected readPage(address: number): Uint8Array {
    return this.#enclave.space.read(this.program as ProgramHeader, address);
  }

  protected makeRoom(header: ProgramHeader): string | undefined {
    const { space } = this.#enclave;
    space.clear();
    try {
      space.lay(header);
    } catch (error) {
      return (error as Error).message;
    }
    return undefined;
  }

  protected writePage(header: ProgramHeader, address: number, contents: Uint8Array): void {
    this.#enclave.space.write(header, address, contents);
  }

  protected begin(state: ProgramState): void {
    this.#enclave.have(state, parseHeader(state.header));
    this.#enclave.tell("created", state.measurement.toHex());
  }

  protected clear(): void {
    if (this.program !== undefined) this.#enclave.tell("destroyed");
    this.#rest.clear();
    this.#enclave.forget();
    if (!this.has("kept-memory")) this.#enclave.space.clear();
  }

  protected saveOwn(): Uint8Array {
    return this.#enclave.save();
  }

  protected restoreOwn(saved: Uint8Array): void {
    this.#enclave.restore(saved);
  }
}

/** The row. */
export const TEE_ENCLAVE: SystemRow = systemRow<Options>({
  slug: SLUG,
  levels: [3],
  options,
  build: (given, monitor) => new EnclaveHost(given, monitor),
});
