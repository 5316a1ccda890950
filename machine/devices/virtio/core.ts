/** The part of a virtio device that every transport shares: negotiation, status, queues, configuration, completion. */
import type { Alarm, Clock } from "../../clock.ts";
import type { EventHub } from "../../events.ts";
import { type FieldKind, flag, listOf, record, u32, u64, u8 } from "../../layout.ts";
import { NO_DEADLINE } from "../../clock.ts";
import type { PhysicalMemory } from "../../memory/physical.ts";
import { Dma } from "../dma.ts";
import {
  FEATURE,
  INTERRUPT,
  STATUS,
  type VirtioHost,
  type VirtioModel,
  type VirtioTransport,
} from "./device.ts";
import { queueLayout, type QueueOwner, type QueueState, Virtqueue } from "./queue.ts";

/** What a core is built on. */
export interface VirtioCoreOptions {
  /** Name of the slot: in events, and of the alarm. */
  readonly name: string;
  /** What kind of device it is. */
  readonly model: VirtioModel;
  /** Virtual time and alarms. */
  readonly clock: Clock;
  /** Where events go. */
  readonly events: EventHub;
  /** What DMA reaches. */
  readonly memory: PhysicalMemory;
}

/** Features of every device; VERSION_1 is for drivers of modern transports only. */
const OFFERED = FEATURE.INDIRECT_DESC | FEATURE.EVENT_IDX | FEATURE.VERSION_1;

/**
 * Units of work, about a microsecond of the host's each, after which what is still available waits for the latency again.
 * They are 32 Ki descriptors or 128 MiB, which drivers never have waiting; chains that share buffers can ask for hours.
 */
const WORK_AT_ONCE = 2 ** 15;

/** The state of a core, its queues and its model; part of the transport's section. */
export interface VirtioCoreState {
  /** Device status. */
  status: number;
  /** Features agreed on. */
  driverFeatures: bigint;
  /** Interrupt status. */
  interruptStatus: number;
  /** Counts changes of the configuration. */
  generation: number;
  /** Stopped by `fail` until reset. */
  broken: boolean;
  /** Queues notified and not served yet, a bit each. */
  notified: number;
  /** Queues by number. */
  queues: QueueState[];
  /** What the model keeps. */
  model: unknown;
}

/** A virtio device without its transport. */
export class VirtioCore implements VirtioHost, QueueOwner {
  /** Name of the slot. */
  readonly name: string;
  /** What kind of device it is. */
  readonly model: VirtioModel;
  /** Queues by number. */
  readonly queues: readonly Virtqueue[];
  /** The door to memory. */
  readonly dma: Dma;
  /** Section fields, to be put in the transport's layout. */
  readonly layout: FieldKind<VirtioCoreState>;
  readonly #clock: Clock;
  readonly #alarm: Alarm;
  #transport: VirtioTransport = {
    usedBuffers: () => {},
    configurationChanged: () => {},
    reachesMemory: () => true,
  };
  #status = 0;
  #driverFeatures = 0n;
  #interruptStatus = 0;
  #generation = 0;
  #broken = false;
  #notified = 0;
  /** Work since queues were last served; between two steps it says nothing. */
  #work = 0;

  /** Builds queues and connects the model. */
  constructor({ name, model, clock, events, memory }: VirtioCoreOptions) {
    this.name = name;
    this.model = model;
    // Without ACCESS_PLATFORM a device accesses memory as the driver does (section 6.1), caches included.
    this.dma = new Dma(name, memory, events, () => true, true);
    this.#clock = clock;
    this.#alarm = clock.alarm(name, () => this.#serve());
    this.queues = model.queueSizes.map((size, index) => new Virtqueue(index, size, this));
    this.layout = record({
      status: u8,
      driverFeatures: u64,
      interruptStatus: u8,
      generation: u32,
      broken: flag,
      notified: u32,
      queues: listOf(queueLayout, 32),
      model: model.layout,
    });
    model.connect(this);
  }

  /** Connects the transport. */
  connect(transport: VirtioTransport): void {
    this.#transport = transport;
  }

  /** Features offered to the driver of a modern transport, or of a legacy one. */
  offered(transport: "modern" | "legacy"): bigint {
    const all = this.model.features | OFFERED | (this.#transport.features ?? 0n);
    return transport === "modern" ? all : all & 0xffff_ffffn | this.model.legacyFeatures;
  }

  /** Features agreed on. */
  get driverFeatures(): bigint {
    return this.#driverFeatures;
  }

  /** The driver accepts features; as in QEMU what was not offered is dropped, and nothing changes after FEATURES_OK. */
  acceptFeatures(bits: bigint): void {
    if (!(this.#status & STATUS.FEATURES_OK)) {
      this.#driverFeatures = bits & (this.offered("modern") | this.model.legacyFeatures);
    }
  }

  /** The device status. */
  get status(): number {
    return this.#status;
  }

  /** The driver writes the status; 0 resets the device. As in QEMU every bit is as written, DEVICE_NEEDS_RESET too. */
  writeStatus(value: number): void {
    if ((value & 0xff) === 0) return this.reset(false);
    this.#status = value & 0xff;
  }

  /** INTERRUPT bits that the driver has not acknowledged. */
  get interruptStatus(): number {
    return this.#interruptStatus;
  }

  /** The driver acknowledges interrupts; the transport then drives its line. */
  acknowledge(bits: number): void {
    this.#interruptStatus &= ~bits;
  }

  /** Counts changes of the configuration; transports show its low bits. */
  get generation(): number {
    return this.#generation;
  }

  /** Reads 1, 2 or 4 bytes of the configuration; all ones beyond its end, as in QEMU. */
  readConfiguration(offset: number, size: number): number {
    const bytes = this.model.configuration();
    if (offset + size > bytes.length) return size === 4 ? 0xffff_ffff : 2 ** (size * 8) - 1;
    let value = 0;
    for (let index = size - 1; index >= 0; index--) value = value * 256 + (bytes[offset + index] as number);
    return value;
  }

  /** Writes 1, 2 or 4 bytes of the configuration; ignored beyond its end. */
  writeConfiguration(offset: number, size: number, value: number): void {
    const bytes = this.model.configuration().slice();
    if (offset + size > bytes.length) return;
    for (let index = 0; index < size; index++) bytes[offset + index] = value >>> (index * 8);
    this.model.configurationWritten(bytes);
  }

  /** The driver notifies a queue: what is available once the latency has passed is used then. */
  notify(queue: number): void {
    if (this.queues[queue]?.enabled !== true || this.#broken) return;
    this.#notified = (this.#notified | 1 << queue) >>> 0;
    if (this.#alarm.deadline === NO_DEADLINE) {
      this.#alarm.set(this.#clock.now + this.model.latencyNanoseconds);
    }
  }

  #serve(): void {
    const notified = this.#notified;
    this.#notified = 0;
    this.#work = 0;
    for (const { index } of this.queues) {
      if (notified & 1 << index && this.usable) this.model.serve(index);
    }
  }

  /** Enough has been done at this time. */
  get isSpent(): boolean {
    return this.#work >= WORK_AT_ONCE;
  }

  /** Counts work. */
  spend(work: number): void {
    this.#work += work;
  }

  /** Queues may be used. */
  get usable(): boolean {
    return !this.#broken && this.#transport.reachesMemory();
  }

  /** The driver has set DRIVER_OK, and nothing is broken. */
  get driverReady(): boolean {
    return (this.#status & STATUS.DRIVER_OK) !== 0 && this.usable;
  }

  /** The driver broke the rules: as in QEMU the device stops until it is reset, and says so to modern drivers. */
  fail(): void {
    if (this.#broken) return;
    this.#broken = true;
    if ((this.#driverFeatures & FEATURE.VERSION_1) === 0n) return;
    this.#status |= STATUS.DEVICE_NEEDS_RESET;
    this.configurationChanged();
  }

  /** Tells the driver that buffers of a queue were used. */
  usedBuffers(queue: number): void {
    this.#interruptStatus |= INTERRUPT.USED_BUFFER;
    this.#transport.usedBuffers(queue);
  }

  /** Tells the driver that the configuration changed, once it is there to hear it; both bits, as in QEMU. */
  configurationChanged(): void {
    if (!(this.#status & STATUS.DRIVER_OK)) return;
    this.#interruptStatus |= INTERRUPT.USED_BUFFER | INTERRUPT.CONFIGURATION_CHANGE;
    this.#generation = (this.#generation + 1) >>> 0;
    this.#transport.configurationChanged();
  }

  /** State at reset, by the driver or with `power`; the transport then drives its line. */
  reset(power: boolean): void {
    this.#status = 0;
    this.#driverFeatures = 0n;
    this.#interruptStatus = 0;
    this.#generation = 0;
    this.#broken = false;
    this.#notified = 0;
    this.#alarm.clear();
    for (const queue of this.queues) queue.reset();
    this.model.reset(power);
  }

  /** The state to be saved; the deadline of what was notified is in the clock's section. */
  state(): VirtioCoreState {
    return {
      status: this.#status,
      driverFeatures: this.#driverFeatures,
      interruptStatus: this.#interruptStatus,
      generation: this.#generation,
      broken: this.#broken,
      notified: this.#notified,
      queues: this.queues.map((queue) => queue.state()),
      model: this.model.state(),
    };
  }

  /** Restores what `state` gave; throws RangeError when it is another device's. */
  restore(state: VirtioCoreState): void {
    if (state.queues.length !== this.queues.length) {
      throw new RangeError(
        `Cannot restore "${this.name}": ${state.queues.length} queues, it has ${this.queues.length}`,
      );
    }
    this.#status = state.status;
    this.#driverFeatures = state.driverFeatures;
    this.#interruptStatus = state.interruptStatus;
    this.#generation = state.generation;
    this.#broken = state.broken;
    this.#notified = state.notified;
    for (const [index, queue] of this.queues.entries()) queue.restore(state.queues[index] as QueueState);
    this.model.restore(state.model);
  }
}
