/** A small driver of virtio-mmio devices, and what they are built on in tests. */
import { assert } from "@std/assert";
import { type PhysicalAddress, physicalAddress } from "../../../../machine/address.ts";
import { Clock } from "../../../../machine/clock.ts";
import { VirtioCore } from "../../../../machine/devices/virtio/core.ts";
import { FEATURE, type VirtioModel } from "../../../../machine/devices/virtio/device.ts";
import { VirtioMmio } from "../../../../machine/devices/virtio/mmio.ts";
import { EventHub } from "../../../../machine/events.ts";
import { PhysicalMemory } from "../../../../machine/memory/physical.ts";
import type { BlockDevice } from "../../../../machine/storage/block.ts";
import { registersOf, Wire } from "../support.ts";

/** Offsets of registers by name. */
// deno-fmt-ignore
export const REGISTER = {
  MagicValue: 0x000, Version: 0x004, DeviceID: 0x008, VendorID: 0x00c, DeviceFeatures: 0x010, DeviceFeaturesSel: 0x014,
  DriverFeatures: 0x020, DriverFeaturesSel: 0x024, GuestPageSize: 0x028, QueueSel: 0x030, QueueNumMax: 0x034,
  QueueNum: 0x038, QueueAlign: 0x03c, QueuePFN: 0x040, QueueReady: 0x044, QueueNotify: 0x050, InterruptStatus: 0x060,
  InterruptACK: 0x064, Status: 0x070, QueueDesc: 0x080, QueueDriver: 0x090, QueueDevice: 0x0a0, SHMLenLow: 0x0b0,
  ConfigGeneration: 0x0fc, Config: 0x100,
} as const;

export const RAM = 0x4000_0000;
export const RAM_SIZE = 2 ** 20;
const QUEUE_BYTES = 0x4000;
const BUFFERS = RAM + 0x4_0000;

/** A disk in memory that counts flushes. */
export class MemoryDisk implements BlockDevice {
  readonly name = "d0";
  readonly bytes: Uint8Array<ArrayBuffer>;
  flushes = 0;
  constructor(readonly size: number, readonly readOnly = false) {
    this.bytes = Uint8Array.from({ length: size }, (_, index) => (index >>> 9) * 7 + index);
  }
  #check(offset: number, length: number): void {
    if (offset < 0 || offset + length > this.size) throw new RangeError(`${length} bytes at ${offset}`);
  }
  read(offset: number, length: number): Uint8Array<ArrayBuffer> {
    this.#check(offset, length);
    return this.bytes.slice(offset, offset + length);
  }
  write(offset: number, bytes: Uint8Array): void {
    this.#check(offset, bytes.length);
    if (this.readOnly) throw new RangeError("read-only");
    this.bytes.set(bytes, offset);
  }
  writeZeroes(offset: number, length: number): void {
    this.write(offset, new Uint8Array(length));
  }
  flush(): void {
    this.flushes++;
  }
}

/** One buffer of a chain. */
export interface Buffer {
  readonly address: number;
  readonly size: number;
  readonly write?: boolean;
}

/** A slot with a device, 1 MiB of RAM, and a driver that lays rings into it: queue q at RAM + q × 16 KiB. */
export class Rig {
  readonly clock = new Clock();
  readonly events = new EventHub(this.clock);
  readonly memory = new PhysicalMemory(0, RAM_SIZE);
  readonly line = new Wire();
  readonly slot: VirtioMmio;
  readonly read: (offset: number, size?: number) => number;
  readonly write: (offset: number, value: number, size?: number) => void;
  readonly #sizes: number[] = [];
  readonly #nextFree: number[] = [];
  #nextBuffer = BUFFERS;

  constructor(readonly model: VirtioModel, readonly version: 1 | 2 = 1) {
    this.memory.addRegion("ram", physicalAddress(RAM), RAM_SIZE);
    const { clock, events, memory, line } = this;
    const core = new VirtioCore({ name: "virtio0", model, clock, events, memory });
    this.slot = new VirtioMmio({ name: "virtio0", version, core, line });
    ({ read: this.read, write: this.write } = registersOf(this.slot));
  }

  get view(): DataView<ArrayBuffer> {
    return this.memory.view;
  }
  at(address: number): number {
    return this.memory.hostOffset(physicalAddress(address));
  }
  peek(address: number, size: number): Uint8Array<ArrayBuffer> {
    return this.memory.readBytes(address as PhysicalAddress, size);
  }
  poke(address: number, bytes: Uint8Array): void {
    this.memory.writeBytes(address as PhysicalAddress, bytes);
  }
  peek16(address: number): number {
    return this.view.getUint16(this.at(address), true);
  }
  poke16(address: number, value: number): void {
    this.view.setUint16(this.at(address), value, true);
  }

  /** Negotiates features (VERSION_1 added for a modern device) and sets every queue up with `size` entries. */
  start(features = 0n, size = 8): void {
    const { read, write, version } = this;
    write(REGISTER.Status, 0);
    write(REGISTER.Status, 1);
    write(REGISTER.Status, 3);
    const accepted = version === 2 ? features | FEATURE.VERSION_1 : features;
    for (const half of version === 2 ? [0, 1] : [0]) {
      write(REGISTER.DriverFeaturesSel, half);
      write(REGISTER.DriverFeatures, Number(accepted >> BigInt(32 * half) & 0xffff_ffffn));
    }
    if (version === 2) write(REGISTER.Status, 0xb);
    else write(REGISTER.GuestPageSize, 4096);
    for (let queue = 0;; queue++) {
      write(REGISTER.QueueSel, queue);
      if (read(REGISTER.QueueNumMax) === 0) break;
      this.setUp(queue, size);
    }
    write(REGISTER.Status, version === 2 ? 0xf : 7);
  }

  setUp(queue: number, size: number): void {
    const { write } = this;
    this.poke(this.descriptors(queue), new Uint8Array(QUEUE_BYTES));
    this.#sizes[queue] = size;
    this.#nextFree[queue] = 0;
    write(REGISTER.QueueSel, queue);
    write(REGISTER.QueueNum, size);
    if (this.version === 1) {
      write(REGISTER.QueueAlign, 4096);
      write(REGISTER.QueuePFN, this.descriptors(queue) >>> 12);
      return;
    }
    const areas = [
      [REGISTER.QueueDesc, this.descriptors(queue)],
      [REGISTER.QueueDriver, this.available(queue)],
      [REGISTER.QueueDevice, this.used(queue)],
    ] as const;
    for (const [register, address] of areas) {
      write(register, address);
      write(register + 4, 0);
    }
    write(REGISTER.QueueReady, 1);
  }

  /** Takes over queues that another driver set up. */
  setSizes(sizes: readonly number[]): void {
    this.#sizes.splice(0, this.#sizes.length, ...sizes);
  }

  descriptors(queue: number): number {
    return RAM + queue * QUEUE_BYTES;
  }
  available(queue: number): number {
    return this.descriptors(queue) + (this.#sizes[queue] as number) * 16;
  }
  used(queue: number): number {
    return (this.available(queue) + 4 + (this.#sizes[queue] as number) * 2 + 4095) & ~4095;
  }

  /** Room for a buffer. */
  room(size: number): number {
    const address = this.#nextBuffer;
    this.#nextBuffer += (size + 15) & ~15;
    assert(this.#nextBuffer <= RAM + RAM_SIZE, "the test has no more room");
    return address;
  }
  input(bytes: Uint8Array | readonly number[]): Buffer {
    const address = this.room(bytes.length);
    this.poke(address, Uint8Array.from(bytes));
    return { address, size: bytes.length };
  }
  output(size: number): Buffer {
    return { address: this.room(size), size, write: true };
  }

  descriptor(table: number, index: number, address: bigint, size: number, flags: number, next: number): void {
    const at = this.at(table + index * 16);
    this.view.setBigUint64(at, address, true);
    this.view.setUint32(at + 8, size, true);
    this.view.setUint16(at + 12, flags, true);
    this.view.setUint16(at + 14, next, true);
  }

  /** Writes descriptors for a chain; the number of the first. */
  chain(queue: number, buffers: readonly Buffer[]): number {
    const size = this.#sizes[queue] as number;
    const head = this.#nextFree[queue] as number;
    for (const [index, { address, size: bytes, write }] of buffers.entries()) {
      const number = (head + index) % size;
      const flags = (index < buffers.length - 1 ? 1 : 0) | (write ? 2 : 0);
      this.descriptor(this.descriptors(queue), number, BigInt(address), bytes, flags, (number + 1) % size);
    }
    this.#nextFree[queue] = (head + buffers.length) % size;
    return head;
  }

  /** Makes a chain available. */
  offer(queue: number, head: number): void {
    const ring = this.available(queue);
    const index = this.peek16(ring + 2);
    this.poke16(ring + 4 + (index % (this.#sizes[queue] as number)) * 2, head);
    this.poke16(ring + 2, (index + 1) & 0xffff);
  }

  /** Offers chains and notifies. */
  submit(queue: number, ...chains: readonly (readonly Buffer[])[]): void {
    for (const buffers of chains) this.offer(queue, this.chain(queue, buffers));
    this.write(REGISTER.QueueNotify, queue);
  }

  usedIndex(queue: number): number {
    return this.peek16(this.used(queue) + 2);
  }

  /** Number and bytes written of an entry of the used ring. */
  usedEntry(queue: number, index: number): [head: number, written: number] {
    const at = this.at(this.used(queue) + 4 + (index % (this.#sizes[queue] as number)) * 8);
    return [this.view.getUint32(at, true), this.view.getUint32(at + 4, true)];
  }

  /** Lets virtual time pass. */
  wait(nanoseconds = 100_000): void {
    this.clock.skipTo(this.clock.now + nanoseconds);
    this.clock.serveAlarms();
  }
}

/** Seeded random numbers, unsigned 32 bits (mulberry32). */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = state + 0x6d2b79f5 | 0;
    let t = Math.imul(state ^ state >>> 15, 1 | state);
    t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t;
    return (t ^ t >>> 14) >>> 0;
  };
}
