/** The virtio PCI transport: capabilities, the common configuration and its interrupts (virtio 1.2, section 4.1). */
import { listOf, u16, u32 } from "../../layout.ts";
import { type Section, type SectionLayout, sectionLayout } from "../../snapshot.ts";
import type { VirtioCore, VirtioCoreState } from "../virtio/core.ts";
import { FEATURE, STATUS, type VirtioTransport } from "../virtio/device.ts";
import type { Virtqueue } from "../virtio/queue.ts";
import type { PciBar } from "./config_space.ts";
import { msixBar, PciFunction, type PciFunctionServices } from "./function.ts";
import {
  MODERN_BAR,
  MODERN_BAR_SIZE,
  NOTIFY_MULTIPLIER,
  STRUCTURE_SIZE,
  virtioCapabilities,
} from "./virtio_pci_capabilities.ts";
import { COMMON_CONFIGURATION } from "./virtio_pci_common.ts";
import { legacyBar } from "./virtio_pci_legacy.ts";

/**
 * What a device is on PCI, by its virtio type: transitional device ID, class, and vectors where they are not one for
 * each queue and one for the configuration; all as QEMU has them.
 */
// deno-fmt-ignore
const KINDS: Readonly<Record<number, readonly [device: number, classCode: number, vectors?: number]>> = {
  1: [0x1000, 0x02_00_00],    // network card
  2: [0x1001, 0x01_00_00],    // block device
  3: [0x1003, 0x07_80_00, 2], // console
  4: [0x1005, 0x00_ff_00],    // entropy source
};

const VENDOR = 0x1af4;

/** No vector. */
export const NO_VECTOR = 0xffff;

const LEGACY_BAR = 0;
const MSIX_BAR = 1;
const MSIX_BAR_SIZE = 0x1000;
const MSIX_PENDING = 0x800;
const CAPABILITY_MSIX_OFFSET = 0x98;

interface TransportState {
  deviceFeatureSelect: number;
  driverFeatureSelect: number;
  /** Low and high half as the driver wrote them. */
  driverFeatures: number[];
  configurationVector: number;
  queueSelect: number;
  queueVectors: number[];
}

/** The transport of one device; its PCI function is a part of its own. */
export class VirtioPci implements VirtioTransport {
  /** Queues can be reset one by one. */
  readonly features: bigint = FEATURE.RING_RESET;
  /** Name of the section. */
  readonly name: string;
  /** The function, to be plugged into a bus. */
  readonly pciFunction: PciFunction;
  /** Selectors and vectors; the rest is the core's. */
  state: TransportState;
  readonly #layout: SectionLayout<TransportState & { core: VirtioCoreState }>;

  /** Puts a transport in front of a core; throws RangeError when its type is not one that PCI has here. */
  constructor(readonly core: VirtioCore, services: PciFunctionServices) {
    this.name = core.name;
    this.state = this.#atReset();
    this.#layout = sectionLayout("virtio-pci", 1, {
      deviceFeatureSelect: u32,
      driverFeatureSelect: u32,
      driverFeatures: listOf(u32, 2),
      configurationVector: u16,
      queueSelect: u16,
      queueVectors: listOf(u16, core.queues.length),
      core: core.layout,
    });
    this.pciFunction = this.#buildFunction(services);
    core.connect(this);
  }

  get #vectors(): number {
    return KINDS[this.core.model.deviceId]?.[2] ?? this.core.queues.length + 1;
  }

  #buildFunction(services: PciFunctionServices): PciFunction {
    const { model, name } = this.core;
    const kind = KINDS[model.deviceId];
    if (kind === undefined) {
      throw new RangeError(`Cannot put virtio type ${model.deviceId} on PCI: not known`);
    }
    const [device, classCode] = kind;
    const modern = this.#modernBar();
    return new PciFunction({
      name,
      identity: {
        vendor: VENDOR,
        device,
        classCode,
        revision: 0,
        subsystemVendor: VENDOR,
        subsystem: model.deviceId,
      },
      express: false,
      interruptPin: 1,
      bars: [legacyBar(this, LEGACY_BAR), msixBar(MSIX_BAR, MSIX_BAR_SIZE), modern],
      msix: {
        vectors: this.#vectors,
        capability: CAPABILITY_MSIX_OFFSET,
        bar: MSIX_BAR,
        table: 0,
        pending: MSIX_PENDING,
      },
      capabilities: virtioCapabilities(modern, (offset) => this.pciFunction.readConfig(offset, 4)),
      configured: () => this.#configured(),
    }, services);
  }

  #modernBar(): PciBar {
    return {
      index: MODERN_BAR,
      kind: "memory64",
      prefetchable: true,
      size: MODERN_BAR_SIZE,
      read: (offset, size) => this.#read(offset, size),
      write: (offset, size, value) => this.#write(offset, size, value),
    };
  }

  #read(offset: number, size: number): number {
    const within = offset % STRUCTURE_SIZE;
    switch (Math.floor(offset / STRUCTURE_SIZE)) {
      case 0:
        return (COMMON_CONFIGURATION.get(within)?.[1](this) ?? 0) % 2 ** (size * 8);
      case 1:
        return this.takeInterruptStatus();
      case 2:
        return this.core.readConfiguration(within, size);
      default:
        return 0;
    }
  }

  #write(offset: number, size: number, value: number): void {
    const within = offset % STRUCTURE_SIZE;
    switch (Math.floor(offset / STRUCTURE_SIZE)) {
      case 0:
        return COMMON_CONFIGURATION.get(within)?.[2]?.(this, value);
      case 2:
        return this.core.writeConfiguration(within, size, value);
      case 3:
        return this.core.notify(Math.floor(within / NOTIFY_MULTIPLIER));
    }
  }

  /** The interrupt status, which reading clears, and the interrupt line with it. */
  takeInterruptStatus(): number {
    const status = this.core.interruptStatus;
    this.core.acknowledge(status);
    this.pciFunction.setInterrupt(false);
    return status;
  }

  /** The queue that the driver selected, if there is one. */
  get selected(): Virtqueue | undefined {
    return this.core.queues[this.state.queueSelect];
  }

  /** The half of the features offered that the driver selected. */
  get offered(): number {
    const { deviceFeatureSelect } = this.state;
    if (deviceFeatureSelect > 1) return 0;
    return Number(this.core.offered("modern") >> BigInt(32 * deviceFeatureSelect) & 0xffff_ffffn);
  }

  /** The driver accepts the half of the features that it selected. */
  accept(value: number): void {
    const { driverFeatureSelect, driverFeatures } = this.state;
    if (driverFeatureSelect > 1) return;
    driverFeatures[driverFeatureSelect] = value;
    this.core.acceptFeatures(BigInt(driverFeatures[1] ?? 0) << 32n | BigInt(driverFeatures[0] ?? 0));
  }

  /** A vector as the driver gets it back: NO_VECTOR when there is no such one. */
  vector(value: number): number {
    return (value & 0xffff) < this.#vectors ? value & 0xffff : NO_VECTOR;
  }

  /** The vector of the selected queue. */
  get queueVector(): number {
    return this.state.queueVectors[this.state.queueSelect] ?? NO_VECTOR;
  }
  set queueVector(value: number) {
    if (this.selected !== undefined) this.state.queueVectors[this.state.queueSelect] = this.vector(value);
  }

  /** Resets the selected queue. */
  resetQueue(): void {
    this.selected?.reset();
    this.queueVector = NO_VECTOR;
  }

  /** The driver writes the device status; 0 resets device and transport. */
  writeStatus(value: number): void {
    this.core.writeStatus(value);
    if ((value & 0xff) === 0) this.#resetTransport();
  }

  /** As in QEMU, what selects features and which were accepted stays as the driver wrote it. */
  #resetTransport(): void {
    const { deviceFeatureSelect, driverFeatureSelect, driverFeatures } = this.state;
    this.state = { ...this.#atReset(), deviceFeatureSelect, driverFeatureSelect, driverFeatures };
    this.pciFunction.setInterrupt(false);
  }

  #atReset(): TransportState {
    return {
      deviceFeatureSelect: 0,
      driverFeatureSelect: 0,
      driverFeatures: [0, 0],
      configurationVector: NO_VECTOR,
      queueSelect: 0,
      queueVectors: this.core.queues.map(() => NO_VECTOR),
    };
  }

  /** As in QEMU, a device that may not be bus master any more is not running either. */
  #configured(): void {
    const { status } = this.core;
    if (!this.pciFunction.isBusMaster && status & STATUS.DRIVER_OK) {
      this.core.writeStatus(status & ~STATUS.DRIVER_OK);
    }
  }

  /** Tells the driver by the queue's vector, or by the interrupt line. */
  usedBuffers(queue: number): void {
    this.#interrupt(this.state.queueVectors[queue] ?? NO_VECTOR);
  }

  /** Tells the driver by the vector of configuration changes, or by the interrupt line. */
  configurationChanged(): void {
    this.#interrupt(this.state.configurationVector);
  }

  #interrupt(vector: number): void {
    if (this.pciFunction.usesMsix) this.pciFunction.signal(vector);
    else this.pciFunction.setInterrupt(true);
  }

  /** Whether the device may reach memory: while it is a bus master. */
  reachesMemory(): boolean {
    return this.pciFunction.isBusMaster;
  }

  /** Power-on state. */
  reset(): void {
    this.core.reset(true);
    this.#resetTransport();
  }

  /** Selectors, vectors and the core. */
  save(): Section {
    return this.#layout.encode(this.name, { ...this.state, core: this.core.state() });
  }

  /** Restores what `save` gave; the function has a section of its own. */
  restore(section: Section): void {
    const { core, ...state } = this.#layout.decode(section);
    this.state = state;
    this.core.restore(core);
  }
}
