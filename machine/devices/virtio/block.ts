/** The virtio block device (virtio 1.2, section 5.2) in front of a disk, with QEMU 7.2's features and limits. */
import { type FieldKind, flag, record } from "../../layout.ts";
import type { BlockDevice } from "../../storage/block.ts";
import type { Chain } from "./chain.ts";
import { FEATURE, type VirtioHost, type VirtioModel } from "./device.ts";
import { LATENCY_NANOSECONDS } from "./latency.ts";

/** What the device is built on. */
export interface VirtioBlockOptions {
  /** The disk; what is left over after its last whole sector cannot be reached. */
  readonly disk: BlockDevice;
  /** What GET_ID answers: up to 20 ASCII characters. */
  readonly serial: string;
  /** Request queues, 1 when absent; a driver may use one for each CPU. */
  readonly queues?: number;
}

// deno-fmt-ignore
const F = {
  SEG_MAX:      1n << 2n,
  GEOMETRY:     1n << 4n,
  RO:           1n << 5n,
  BLK_SIZE:     1n << 6n,
  SCSI:         1n << 7n, // legacy: QEMU offers it and refuses every command
  FLUSH:        1n << 9n,
  TOPOLOGY:     1n << 10n,
  CONFIG_WCE:   1n << 11n,
  MQ:           1n << 12n,
  DISCARD:      1n << 13n,
  WRITE_ZEROES: 1n << 14n,
} as const;

const TYPE = { IN: 0, OUT: 1, FLUSH: 4, GET_ID: 8, DISCARD: 10, WRITE_ZEROES: 12 } as const;
/** Types come in pairs, the odd one for data from the driver; the legacy barrier has no meaning. */
const TYPE_OUT = 1;
const TYPE_BARRIER = 0x8000_0000;
const RESULT = { OK: 0, IOERR: 1, UNSUPP: 2 } as const;
type Result = (typeof RESULT)[keyof typeof RESULT];

const SECTOR_SIZE = 512;
const QUEUE_SIZE = 256;
const HEADER_SIZE = 16;
const RANGE_SIZE = 16;
const RANGE_UNMAP = 1;
const ID_SIZE = 20;
/** Most sectors of a request: below 2 GiB, as in QEMU. */
const SECTORS_MAX = 2 ** 22 - 1;
/** Bytes for a unit of work when zeros are written, which shares one chunk of them. */
const ZERO_WORK_BYTES = 2 ** 19;
const HEADS = 16;
const SECTORS_PER_TRACK = 63;
const CYLINDERS_MAX = 16383;

const layout = record({ writeCache: flag });

/** A disk. A request is one step: it is done when it is taken, whole, and in the order of the queue. */
export class VirtioBlock implements VirtioModel<{ writeCache: boolean }> {
  /** Type of device (section 5). */
  readonly deviceId = 2;
  /** Entries of each queue at reset, as in QEMU. */
  readonly queueSizes: readonly number[];
  /** What it offers to every driver. */
  readonly features: bigint;
  /** What it offers to legacy drivers besides. */
  readonly legacyFeatures: bigint = FEATURE.NOTIFY_ON_EMPTY | F.SCSI;
  /** From a notification to the completion. */
  readonly latencyNanoseconds: number = LATENCY_NANOSECONDS.block;
  /** Section fields. */
  readonly layout: FieldKind<{ writeCache: boolean }> = layout;
  readonly #disk: BlockDevice;
  readonly #serial: Uint8Array;
  readonly #sectors: number;
  #host: VirtioHost | undefined;
  /** The configuration's `writeback`. */
  #writeCache = true;

  /** A device in front of a disk. */
  constructor({ disk, serial, queues = 1 }: VirtioBlockOptions) {
    this.queueSizes = new Array(queues).fill(QUEUE_SIZE);
    this.#disk = disk;
    this.#serial = new TextEncoder().encode(`${serial}\0`);
    this.#sectors = Math.floor(disk.size / SECTOR_SIZE);
    this.features = F.SEG_MAX | F.GEOMETRY | F.BLK_SIZE | F.FLUSH | F.TOPOLOGY | F.CONFIG_WCE | F.DISCARD |
      F.WRITE_ZEROES | (disk.readOnly ? F.RO : 0n) | (queues > 1 ? F.MQ : 0n);
  }

  /** Connects the core. */
  connect(host: VirtioHost): void {
    this.#host = host;
  }

  /** struct virtio_blk_config up to write_zeroes_may_unmap. */
  configuration(): Uint8Array {
    const bytes = new Uint8Array(57);
    const view = new DataView(bytes.buffer);
    const cylinders = Math.floor(this.#sectors / (HEADS * SECTORS_PER_TRACK));
    view.setBigUint64(0, BigInt(this.#sectors), true);
    view.setUint32(12, QUEUE_SIZE - 2, true);
    view.setUint16(16, Math.min(Math.max(cylinders, 2), CYLINDERS_MAX), true);
    view.setUint8(18, HEADS);
    view.setUint8(19, SECTORS_PER_TRACK);
    view.setUint32(20, SECTOR_SIZE, true);
    view.setUint8(32, Number(this.#writesBack));
    view.setUint16(34, this.queueSizes.length, true);
    view.setUint32(36, SECTORS_MAX, true);
    view.setUint32(40, 1, true);
    view.setUint32(44, 1, true);
    view.setUint32(48, SECTORS_MAX, true);
    view.setUint32(52, 1, true);
    view.setUint8(56, 1);
    return bytes;
  }

  /** Only `writeback` can be written. */
  configurationWritten(configuration: Uint8Array): void {
    this.#writeCache = configuration[32] !== 0;
  }

  /** Writes wait for a flush: the driver can choose, or it can at least flush. Else each write is flushed at once. */
  get #writesBack(): boolean {
    const features = this.#host?.driverFeatures ?? 0n;
    if (!this.#started || features & F.CONFIG_WCE) return this.#writeCache;
    return (features & F.FLUSH) !== 0n;
  }

  get #started(): boolean {
    return this.#host?.driverReady ?? false;
  }

  /** Does all requests that are available in a queue. */
  serve(index: number): void {
    const host = this.#host as VirtioHost;
    const queue = host.queues[index];
    if (queue === undefined) return;
    for (const chain of queue.takeAll()) {
      const result = this.#request(chain);
      if (result === undefined) return host.fail();
      chain.write(chain.writableSize - 1, Uint8Array.of(result));
      queue.put(chain, chain.writableSize);
    }
    queue.signal();
  }

  /** Does a request; undefined when it is not even one. */
  #request(chain: Chain): Result | undefined {
    if (chain.readableSize < HEADER_SIZE || chain.writableSize < 1) return undefined;
    const view = new DataView(chain.read(0, HEADER_SIZE).buffer);
    const type = view.getUint32(0, true);
    const sector = Number(view.getBigUint64(8, true));
    switch ((type & ~(TYPE_OUT | TYPE_BARRIER)) >>> 0) {
      case TYPE.IN:
        return type & TYPE_OUT ? this.#write(chain, sector) : this.#read(chain, sector);
      case TYPE.FLUSH:
        this.#disk.flush();
        return RESULT.OK;
      case TYPE.GET_ID:
        chain.write(0, this.#serial.subarray(0, Math.min(ID_SIZE, chain.writableSize - 1)));
        return RESULT.OK;
      case TYPE.DISCARD:
      case TYPE.WRITE_ZEROES:
        if (!(type & TYPE_OUT) || chain.readableSize > HEADER_SIZE + RANGE_SIZE) return RESULT.UNSUPP;
        if (chain.readableSize < HEADER_SIZE + RANGE_SIZE) return undefined;
        return this.#range(chain, (type & ~TYPE_OUT) === TYPE.WRITE_ZEROES);
      default:
        return RESULT.UNSUPP;
    }
  }

  #isWithin(sector: number, size: number): boolean {
    const sectors = size / SECTOR_SIZE;
    return Number.isInteger(sectors) && sectors <= SECTORS_MAX && sector + sectors <= this.#sectors;
  }

  #read(chain: Chain, sector: number): Result {
    const size = chain.writableSize - 1;
    if (!this.#isWithin(sector, size)) return RESULT.IOERR;
    chain.fill(0, size, (done, count) => this.#disk.read(sector * SECTOR_SIZE + done, count));
    return RESULT.OK;
  }

  #write(chain: Chain, sector: number): Result {
    const size = chain.readableSize - HEADER_SIZE;
    if (!this.#isWithin(sector, size) || this.#disk.readOnly) return RESULT.IOERR;
    let at = sector * SECTOR_SIZE;
    for (const bytes of chain.pieces(HEADER_SIZE, size)) {
      this.#disk.write(at, bytes);
      at += bytes.length;
    }
    this.#written();
    return RESULT.OK;
  }

  #written(): void {
    if (!this.#writesBack) this.#disk.flush();
  }

  /** Discards a range, which as with QEMU's discard=ignore changes nothing, or fills it with zeros. */
  #range(chain: Chain, writesZeroes: boolean): Result {
    const view = new DataView(chain.read(HEADER_SIZE, RANGE_SIZE).buffer);
    const sector = Number(view.getBigUint64(0, true));
    const size = view.getUint32(8, true) * SECTOR_SIZE;
    const flags = view.getUint32(12, true);
    if (!this.#isWithin(sector, size)) return RESULT.IOERR;
    if (flags & ~(writesZeroes ? RANGE_UNMAP : 0)) return RESULT.UNSUPP;
    if (this.#disk.readOnly) return RESULT.IOERR;
    if (!writesZeroes) return RESULT.OK;
    this.#disk.writeZeroes(sector * SECTOR_SIZE, size);
    this.#host?.spend(size / ZERO_WORK_BYTES);
    this.#written();
    return RESULT.OK;
  }

  /** The write cache is on again. */
  reset(): void {
    this.#writeCache = true;
  }

  /** The state to be saved. */
  state(): { writeCache: boolean } {
    return { writeCache: this.#writeCache };
  }

  /** Restores what `state` gave. */
  restore({ writeCache }: { writeCache: boolean }): void {
    this.#writeCache = writeCache;
  }
}
