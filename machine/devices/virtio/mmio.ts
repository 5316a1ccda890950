/** The virtio-mmio transport with a device behind it, legacy or modern (virtio 1.2, section 4.2), as in QEMU 7.2. */
import { record, u16, u32, u64, u8, type ValueOf } from "../../layout.ts";
import type { AccessContext } from "../../memory/physical.ts";
import { type Section, type SectionLayout, sectionLayout } from "../../snapshot.ts";
import type { Device, InterruptLine } from "../device.ts";
import { type RegisterMap, registerMap, type RegisterRow } from "../register_map.ts";
import type { VirtioCore, VirtioCoreState } from "./core.ts";
import { STATUS, type VirtioTransport } from "./device.ts";
import { QUEUE_SIZE_MAX, type Virtqueue } from "./queue.ts";

/** What a transport is built on. */
export interface VirtioMmioOptions {
  /** Name of the slot and of its section. */
  readonly name: string;
  /** 1 has the legacy registers, which QEMU gives by default; 2 the modern ones. */
  readonly version: 1 | 2;
  /** The device behind it. */
  readonly core: VirtioCore;
  /** The slot's interrupt. */
  readonly line: InterruptLine;
}

const CONFIGURATION = 0x100;
const DEFAULT_QUEUE_ALIGN = 4096;

const fields = {
  deviceFeaturesSel: u8,
  driverFeaturesSel: u8,
  /** What a modern driver wrote, in force once it sets FEATURES_OK. */
  driverFeatures: u64,
  queueSel: u16,
  /** Legacy: shift from page frame numbers to addresses, and the used ring's alignment. */
  guestPageShift: u8,
  queueAlign: u32,
};
const transportLayout = record(fields);

/** What the transport itself keeps. */
export type VirtioMmioState = ValueOf<typeof fields>;

const atReset: VirtioMmioState = {
  deviceFeaturesSel: 0,
  driverFeaturesSel: 0,
  driverFeatures: 0n,
  queueSel: 0,
  guestPageShift: 0,
  queueAlign: DEFAULT_QUEUE_ALIGN,
};

/** Replaces the low or high 32 bits. */
function withHalf(value: bigint, high: number, half: number): bigint {
  const shift = high ? 32n : 0n;
  return value & ~(0xffff_ffffn << shift) | BigInt(half) << shift;
}

type Row = RegisterRow<VirtioMmio>;

function addressRow(
  offset: number,
  name: string,
  area: "descriptors" | "driver" | "device",
  high: number,
): Row {
  return [offset, name, "WO", 32, 0, {
    write: (slot, value) => {
      const queue = slot.queue;
      queue?.setAddress(area, withHalf(queue.addresses[area], high, value));
    },
  }];
}

// deno-fmt-ignore
const COMMON: readonly Row[] = [
  // offset name                access bits reset        behaviour
  [0x000, "MagicValue",        "RO",  32, 0x7472_6976, { read: () => 0x7472_6976 }],
  [0x004, "Version",           "RO",  32, 1,           { read: ({ version }) => version }],
  [0x008, "DeviceID",          "RO",  32, 0,           { read: ({ core }) => core.model.deviceId }],
  [0x00c, "VendorID",          "RO",  32, 0x554d_4551, { read: () => 0x554d_4551 }],
  [0x010, "DeviceFeatures",    "RO",  32, 0,           { read: (slot) => slot.offered() }],
  [0x014, "DeviceFeaturesSel", "WO",  32, 0,           { write: ({ state }, value) => void (state.deviceFeaturesSel = value === 0 ? 0 : 1) }],
  [0x020, "DriverFeatures",    "WO",  32, 0,           { write: (slot, value) => slot.accept(value) }],
  [0x024, "DriverFeaturesSel", "WO",  32, 0,           { write: ({ state }, value) => void (state.driverFeaturesSel = value === 0 ? 0 : 1) }],
  [0x030, "QueueSel",          "WO",  32, 0,           { write: ({ state }, value) => void (value < QUEUE_SIZE_MAX && (state.queueSel = value)) }],
  [0x034, "QueueNumMax",       "RO",  32, 0,           { read: ({ queue }) => queue === undefined ? 0 : QUEUE_SIZE_MAX }],
  [0x038, "QueueNum",          "WO",  32, 0,           { write: ({ queue }, value) => void (queue !== undefined && (queue.size = value)) }],
  [0x050, "QueueNotify",       "WO",  32, 0,           { write: ({ core }, value) => core.notify(value) }],
  [0x060, "InterruptStatus",   "RO",  32, 0,           { read: ({ core }) => core.interruptStatus }],
  [0x064, "InterruptACK",      "WO",  32, 0,           { write: (slot, value) => slot.acknowledge(value) }],
  [0x070, "Status",            "RW",  32, 0,           { read: ({ core }) => core.status, write: (slot, value) => slot.writeStatus(value) }],
  // Shared memory regions: none, so a length of −1 each.
  [0x0b0, "SHMLenLow",         "RO",  32, 0,           { read: () => 0xffff_ffff }, 2],
];

// deno-fmt-ignore
const LEGACY: readonly Row[] = [
  [0x028, "GuestPageSize",     "WO",  32, 0,           { write: ({ state }, value) => void (state.guestPageShift = value === 0 ? 0 : 31 - Math.clz32(value & -value)) }],
  [0x03c, "QueueAlign",        "WO",  32, 0,           { write: ({ state }, value) => void (value !== 0 && (state.queueAlign = value)) }],
  [0x040, "QueuePFN",          "RW",  32, 0,           { read: (slot) => slot.pageFrame(), write: (slot, value) => slot.place(value) }],
];

// deno-fmt-ignore
const MODERN: readonly Row[] = [
  [0x044, "QueueReady",        "RW",  32, 0,           { read: ({ queue }) => Number(queue?.enabled ?? false), write: ({ queue }, value) => void (queue !== undefined && (queue.enabled = value !== 0)) }],
  addressRow(0x080, "QueueDescLow",    "descriptors", 0),
  addressRow(0x084, "QueueDescHigh",   "descriptors", 1),
  addressRow(0x090, "QueueDriverLow",  "driver",      0),
  addressRow(0x094, "QueueDriverHigh", "driver",      1),
  addressRow(0x0a0, "QueueDeviceLow",  "device",      0),
  addressRow(0x0a4, "QueueDeviceHigh", "device",      1),
  [0x0fc, "ConfigGeneration",  "RO",  32, 0,           { read: ({ core }) => core.generation }],
];

/** A slot with a device. As in QEMU its interrupt is a level although the device tree calls it an edge. */
export class VirtioMmio implements Device, VirtioTransport {
  static readonly #maps = {
    1: registerMap<VirtioMmio>()([...COMMON, ...LEGACY]) as RegisterMap<VirtioMmio, never>,
    2: registerMap<VirtioMmio>()([...COMMON, ...MODERN]) as RegisterMap<VirtioMmio, never>,
  };

  /** Name of the slot. */
  readonly name: string;
  /** Version of the register layout. */
  readonly version: 1 | 2;
  /** The device. */
  readonly core: VirtioCore;
  /** What the transport itself keeps. */
  state: VirtioMmioState = { ...atReset };
  readonly #line: InterruptLine;
  readonly #layout: SectionLayout<{ transport: VirtioMmioState; core: VirtioCoreState }>;

  /** Connects the device. */
  constructor({ name, version, core, line }: VirtioMmioOptions) {
    this.name = name;
    this.version = version;
    this.core = core;
    this.#line = line;
    this.#layout = sectionLayout("virtio-mmio", 2, { transport: transportLayout, core: core.layout });
    core.connect(this);
  }

  /** Reads a register, 32 bits only, or the configuration; what is read otherwise is zero, as in QEMU. */
  read(offset: number, size: number, context: AccessContext): number {
    if (offset >= CONFIGURATION) return this.core.readConfiguration(offset - CONFIGURATION, size);
    return size === 4 ? VirtioMmio.#maps[this.version].read(this, {} as never, offset, size, context) : 0;
  }

  /** Writes a register, 32 bits only, or the configuration. */
  write(offset: number, size: number, value: number, context: AccessContext): void {
    if (offset >= CONFIGURATION) return this.core.writeConfiguration(offset - CONFIGURATION, size, value);
    if (size === 4) VirtioMmio.#maps[this.version].write(this, {} as never, offset, size, value, context);
  }

  /** The queue selected. */
  get queue(): Virtqueue | undefined {
    return this.core.queues[this.state.queueSel];
  }

  /** The half selected of the features offered. */
  offered(): number {
    const features = this.core.offered(this.version === 1 ? "legacy" : "modern");
    return Number(features >> (this.state.deviceFeaturesSel ? 32n : 0n) & 0xffff_ffffn);
  }

  /** The driver accepts features: a legacy one at once, and it has 32 of them. */
  accept(value: number): void {
    const { state } = this;
    if (this.version === 2) {
      state.driverFeatures = withHalf(state.driverFeatures, state.driverFeaturesSel, value);
    } else if (state.driverFeaturesSel === 0) {
      this.core.acceptFeatures(BigInt(value));
    }
  }

  /** The driver writes the status; 0 resets. */
  writeStatus(value: number): void {
    if (this.version === 2 && value & STATUS.FEATURES_OK) this.core.acceptFeatures(this.state.driverFeatures);
    this.core.writeStatus(value);
    if ((value & 0xff) !== 0) return;
    const { guestPageShift, queueAlign } = this.state;
    this.state = this.version === 2
      ? { ...atReset }
      : { ...this.state, guestPageShift, queueAlign, queueSel: 0 };
    this.#drive();
  }

  /** Legacy: where the selected queue is, in pages. */
  pageFrame(): number {
    const address = this.queue?.addresses.descriptors ?? 0n;
    return Number(address >> BigInt(this.state.guestPageShift) & 0xffff_ffffn);
  }

  /** Legacy: places the selected queue's three areas one after another (section 2.7.2); 0 resets the device, as in QEMU. */
  place(pageFrame: number): void {
    if (pageFrame === 0) {
      this.core.reset(false);
      this.state.queueSel = 0;
      return this.#drive();
    }
    const { queue } = this;
    if (queue === undefined) return;
    const { guestPageShift, queueAlign } = this.state;
    const descriptors = BigInt(pageFrame) << BigInt(guestPageShift);
    const driver = descriptors + BigInt(queue.size * 16);
    const end = driver + BigInt(4 + queue.size * 2);
    const mask = BigInt(queueAlign - 1);
    queue.enabled = false;
    queue.setAddress("descriptors", descriptors);
    queue.setAddress("driver", driver);
    queue.setAddress("device", end + mask & ~mask);
    queue.enabled = true;
  }

  /** The driver has seen interrupts. */
  acknowledge(bits: number): void {
    this.core.acknowledge(bits);
    this.#drive();
  }

  /** The line is high while an interrupt is not acknowledged. */
  #drive(): void {
    this.#line.set(this.core.interruptStatus !== 0);
  }

  /** Raises the line. */
  usedBuffers(): void {
    this.#drive();
  }

  /** Raises the line. */
  configurationChanged(): void {
    this.#drive();
  }

  /** Nothing stands between the device and memory. */
  reachesMemory(): boolean {
    return true;
  }

  /** Power-on state. */
  reset(): void {
    this.core.reset(true);
    this.state = { ...atReset };
    this.#drive();
  }

  /** Registers, queues and the device's own state. */
  save(): Section {
    return this.#layout.encode(this.name, { transport: { ...this.state }, core: this.core.state() });
  }

  /** Restores what `save` gave and drives the line. */
  restore(section: Section): void {
    const { transport, core } = this.#layout.decode(section);
    this.state = transport;
    this.core.restore(core);
    this.#drive();
  }
}
