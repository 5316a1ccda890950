/** A split virtqueue as the device sees it: descriptor chains in, used buffers out (virtio 1.2, section 2.7). */
import { type FieldKind, flag, record, u16, u64, type ValueOf } from "../../layout.ts";
import type { Dma } from "../dma.ts";
import { Chain, type Segment } from "./chain.ts";
import { FEATURE } from "./device.ts";

/** Most entries of a queue, as in QEMU. */
export const QUEUE_SIZE_MAX = 1024;

const DESCRIPTOR_SIZE = 16;
const DESCRIPTOR = { NEXT: 1, WRITE: 2, INDIRECT: 4 } as const;
const AVAILABLE_NO_INTERRUPT = 1;
/** Flags and index come before the entries of either ring. */
const RING_HEADER_SIZE = 4;
const AVAILABLE_ENTRY_SIZE = 2;
const USED_ENTRY_SIZE = 8;

const fields = {
  size: u16,
  enabled: flag,
  descriptors: u64,
  driver: u64,
  device: u64,
  nextAvailable: u16,
  nextUsed: u16,
  /** Index of the used ring when the driver was last told, once it has been since it enabled the queue. */
  signalledUsed: u16,
  signalledUsedValid: flag,
};

/** The section fields of a queue. */
export const queueLayout: FieldKind<QueueState> = record(fields);

/** The state of a queue. */
export type QueueState = ValueOf<typeof fields>;

/** What a queue asks of the device around it. */
export interface QueueOwner {
  /** The door to memory. */
  readonly dma: Dma;
  /** Features that both sides have agreed on. */
  readonly driverFeatures: bigint;
  /** Queues may be used: the device is not broken and reaches memory. */
  readonly usable: boolean;
  /** The driver broke the rules: the device stops until it is reset. */
  fail(): void;
  /** Tells the driver that buffers were used. */
  usedBuffers(queue: number): void;
  /** What has been done since queues were last served is enough: the rest waits. */
  readonly isSpent: boolean;
  /** Counts work. */
  spend(work: number): void;
  /** Has a queue served again after the device's latency. */
  notify(queue: number): void;
}

/** Bytes that are copied as one unit of work; taking a descriptor is another. */
const WORK_BYTES = 4096;

/** One queue: its set-up registers, which transports read and write, and its rings, which models use. */
export class Virtqueue {
  #state: QueueState;

  /** `sizeAtReset` is the size until the driver sets another. */
  constructor(readonly index: number, readonly sizeAtReset: number, private readonly owner: QueueOwner) {
    this.#state = this.#atReset();
  }

  #atReset(): QueueState {
    return {
      size: this.sizeAtReset,
      enabled: false,
      descriptors: 0n,
      driver: 0n,
      device: 0n,
      nextAvailable: 0,
      nextUsed: 0,
      signalledUsed: 0,
      signalledUsedValid: false,
    };
  }

  /** Entries. */
  get size(): number {
    return this.#state.size;
  }

  /** As QEMU, takes 1–QUEUE_SIZE_MAX and ignores others, and writes while the queue is enabled. */
  set size(value: number) {
    if (value >= 1 && value <= QUEUE_SIZE_MAX && !this.enabled) this.#state.size = value;
  }

  /** The driver enabled the queue: its addresses are in force. */
  get enabled(): boolean {
    return this.#state.enabled;
  }

  /** The queue starts over when it is enabled again. */
  set enabled(value: boolean) {
    if (value && !this.enabled) {
      const { size, descriptors, driver, device } = this.#state;
      this.#state = { ...this.#atReset(), size, descriptors, driver, device };
    }
    this.#state.enabled = value;
  }

  /** Physical addresses of the descriptor table, the driver area (available ring) and the device area (used ring). */
  get addresses(): Readonly<Record<"descriptors" | "driver" | "device", bigint>> {
    return this.#state;
  }

  /** Sets one of the addresses; ignored while the queue is enabled. */
  setAddress(area: "descriptors" | "driver" | "device", address: bigint): void {
    if (!this.enabled) this.#state[area] = address;
  }

  #read16(address: bigint): number {
    const bytes = this.owner.dma.read(address, 2);
    if (bytes === undefined) {
      this.owner.fail();
      return 0;
    }
    return (bytes[0] as number) | (bytes[1] as number) << 8;
  }

  #write(address: bigint, words: readonly (readonly [size: 2 | 4, value: number])[]): void {
    const bytes = words.flatMap(([size, value]) =>
      Array.from({ length: size }, (_, index) => value >>> (index * 8) & 0xff)
    );
    if (!this.owner.dma.write(address, Uint8Array.from(bytes))) this.owner.fail();
  }

  get #hasEventIndex(): boolean {
    return (this.owner.driverFeatures & FEATURE.EVENT_IDX) !== 0n;
  }

  /** Entries that the driver has made available and that were not taken. */
  #available(): number {
    if (!this.enabled || !this.owner.usable) return 0;
    const count = (this.#read16(this.#state.driver + 2n) - this.#state.nextAvailable) & 0xffff;
    if (count > this.size) this.owner.fail();
    return this.owner.usable ? count : 0;
  }

  /** Takes the next chain; undefined when there is none, or none that can be used. */
  take(): Chain | undefined {
    return this.#available() === 0 ? undefined : this.#takeOne();
  }

  /** Gives the last `count` chains taken back to the driver, as if they had not been. */
  untake(count: number): void {
    this.#state.nextAvailable = (this.#state.nextAvailable - count) & 0xffff;
  }

  /**
   * Takes, one by one, the chains that are available at the first; then asks to be notified of further ones. When that
   * is too much work for one time, the others are taken after the device's latency.
   */
  *takeAll(): Generator<Chain, void, void> {
    for (let left = this.#available(); left > 0; left--) {
      if (this.owner.isSpent) return this.owner.notify(this.index);
      const chain = this.#takeOne();
      if (chain === undefined) return;
      yield chain;
    }
    this.requestNotification();
  }

  /** Asks the driver to notify of the next chain that it makes available. */
  requestNotification(): void {
    if (this.enabled && this.owner.usable && this.#hasEventIndex) {
      const event = BigInt(RING_HEADER_SIZE + this.size * USED_ENTRY_SIZE);
      this.#write(this.#state.device + event, [[2, this.#state.nextAvailable]]);
    }
  }

  #takeOne(): Chain | undefined {
    const { owner, size } = this;
    const at = RING_HEADER_SIZE + (this.#state.nextAvailable % size) * AVAILABLE_ENTRY_SIZE;
    const head = this.#read16(this.#state.driver + BigInt(at));
    if (!owner.usable) return undefined;
    const segments = head < size ? this.#segments(head) : undefined;
    if (segments === undefined) {
      owner.fail();
      return undefined;
    }
    this.#state.nextAvailable = (this.#state.nextAvailable + 1) & 0xffff;
    const chain = new Chain(owner.dma, head, segments);
    owner.spend(chain.descriptors + (chain.readableSize + chain.writableSize) / WORK_BYTES);
    return chain;
  }

  /** The buffers of a chain; undefined when it breaks a rule (section 2.7.5; the same rules as in QEMU). */
  #segments(head: number): Segment[] | undefined {
    let table = this.#state.descriptors;
    let limit = this.size;
    let next = head;
    let indirect = false;
    const segments: Segment[] = [];
    for (;;) {
      const bytes = this.owner.dma.read(table + BigInt(next * DESCRIPTOR_SIZE), DESCRIPTOR_SIZE);
      if (bytes === undefined) return undefined;
      const view = new DataView(bytes.buffer);
      const address = view.getBigUint64(0, true);
      const size = view.getUint32(8, true);
      const flags = view.getUint16(12, true);
      next = view.getUint16(14, true);
      if (flags & DESCRIPTOR.INDIRECT) {
        // Only as the first of the chain: never in a table, nor after a buffer.
        if (indirect || segments.length > 0 || size === 0 || size % DESCRIPTOR_SIZE !== 0) return undefined;
        indirect = true;
        table = address;
        limit = size / DESCRIPTOR_SIZE;
        next = 0;
        continue;
      }
      const writable = (flags & DESCRIPTOR.WRITE) !== 0;
      if (size === 0 || !this.owner.dma.reaches(address, size, writable)) return undefined;
      if (!writable && segments.at(-1)?.writable) return undefined;
      segments.push({ address: Number(address), size, writable });
      if (!(flags & DESCRIPTOR.NEXT)) return segments;
      if (next >= limit || segments.length >= Math.min(limit, QUEUE_SIZE_MAX)) return undefined;
    }
  }

  /** Gives a chain back with the number of bytes written to it from its start on. */
  put(chain: Chain, written: number): void {
    if (!this.owner.usable) return;
    const at = RING_HEADER_SIZE + (this.#state.nextUsed % this.size) * USED_ENTRY_SIZE;
    this.#write(this.#state.device + BigInt(at), [[4, chain.head], [4, written]]);
    this.#state.nextUsed = (this.#state.nextUsed + 1) & 0xffff;
    this.#write(this.#state.device + 2n, [[2, this.#state.nextUsed]]);
  }

  /** Tells the driver of what was put since the last time, when it wants to know (section 2.7.7). */
  signal(): void {
    if (this.enabled && this.owner.usable && this.#wantsSignal()) this.owner.usedBuffers(this.index);
  }

  #wantsSignal(): boolean {
    if (this.owner.driverFeatures & FEATURE.NOTIFY_ON_EMPTY && this.#available() === 0) return true;
    if (!this.#hasEventIndex) return !(this.#read16(this.#state.driver) & AVAILABLE_NO_INTERRUPT);
    const { signalledUsed: from, signalledUsedValid: valid, nextUsed: to, driver } = this.#state;
    this.#state.signalledUsed = to;
    this.#state.signalledUsedValid = true;
    if (!valid) return true;
    const event = this.#read16(driver + BigInt(RING_HEADER_SIZE + this.size * AVAILABLE_ENTRY_SIZE));
    return ((to - event - 1) & 0xffff) < ((to - from) & 0xffff);
  }

  /** State at reset. */
  reset(): void {
    this.#state = this.#atReset();
  }

  /** The state to be saved. */
  state(): QueueState {
    return { ...this.#state };
  }

  /** Restores what `state` gave. */
  restore(state: QueueState): void {
    this.#state = { ...state };
  }
}
