/** The virtio network card (virtio 1.2, section 5.1): one pair of queues and a control queue, no offloads. */
import type { FieldKind } from "../../layout.ts";
import { FRAME_SIZE_MAX, FRAME_SIZE_MIN, type Network } from "../../network/network.ts";
import type { Chain } from "./chain.ts";
import { FEATURE, LEGACY_FEATURES, type VirtioHost, type VirtioModel } from "./device.ts";
import { LATENCY_NANOSECONDS } from "./latency.ts";
import {
  afterCommand,
  filterAtReset,
  filterLayout,
  type FilterState,
  MAC_SIZE,
  takesFrame,
} from "./net_filter.ts";

/** What the card is built on. */
export interface VirtioNetOptions {
  /** The other end of the cable; the card plugs itself in. */
  readonly network: Network;
  /** Its address, six bytes. */
  readonly mac: Uint8Array;
}

const RECEIVE = 0;
const TRANSMIT = 1;
const CONTROL = 2;

// deno-fmt-ignore
const F = {
  MAC:           1n << 5n,
  MRG_RXBUF:     1n << 15n,
  STATUS:        1n << 16n,
  CTRL_VQ:       1n << 17n,
  CTRL_RX:       1n << 18n,
  CTRL_RX_EXTRA: 1n << 20n,
  CTRL_MAC_ADDR: 1n << 23n,
} as const;

const STATUS_LINK_UP = 1;
/** struct virtio_net_hdr; `num_buffers` follows for modern drivers, and with MRG_RXBUF. */
const HEADER_SIZE = 10;
const HEADER_SIZE_WITH_COUNT = 12;
/** Class and number of a control command. */
const COMMAND_SIZE = 2;
/** The longest control command: both tables of addresses full many times over. */
const COMMAND_SIZE_MAX = 2 ** 16;
const RESULT = { OK: 0, ERR: 1 } as const;
/** A frame that would be spread over more buffers is lost: room for it a byte at a time, and as much again. */
const RECEIVE_DESCRIPTORS_MAX = 4096;

/** A network card. Frames that come while the driver has no room for them are lost, as on any wire. */
export class VirtioNet implements VirtioModel<FilterState> {
  /** Type of device (section 5). */
  readonly deviceId = 1;
  /** Entries of each queue at reset, as in QEMU. */
  readonly queueSizes: readonly number[] = [256, 256, 64];
  /** What it offers to every driver. */
  readonly features: bigint = F.MAC | F.MRG_RXBUF | F.STATUS | F.CTRL_VQ | F.CTRL_RX | F.CTRL_RX_EXTRA |
    F.CTRL_MAC_ADDR;
  /** What it offers to legacy drivers besides. */
  readonly legacyFeatures: bigint = LEGACY_FEATURES;
  /** From a notification to the completion. */
  readonly latencyNanoseconds: number = LATENCY_NANOSECONDS.net;
  /** Section fields. */
  readonly layout: FieldKind<FilterState> = filterLayout;
  readonly #network: Network;
  readonly #mac: Uint8Array;
  #host: VirtioHost | undefined;
  #filter: FilterState;

  /** Plugs the card into the network. */
  constructor({ network, mac }: VirtioNetOptions) {
    this.#network = network;
    this.#mac = mac;
    this.#filter = filterAtReset(mac);
    network.connect({ receive: (frame) => this.#receive(frame) });
  }

  /** Connects the core. */
  connect(host: VirtioHost): void {
    this.#host = host;
  }

  /** struct virtio_net_config up to `status`. */
  configuration(): Uint8Array {
    return Uint8Array.of(...this.#filter.mac, STATUS_LINK_UP, 0);
  }

  /** A legacy driver without CTRL_MAC_ADDR sets its address here. */
  configurationWritten(configuration: Uint8Array): void {
    const features = this.#host?.driverFeatures ?? 0n;
    if (features & (FEATURE.VERSION_1 | F.CTRL_MAC_ADDR)) return;
    this.#filter = { ...this.#filter, mac: configuration.slice(0, MAC_SIZE) };
  }

  /** Sends what is to be sent, or does control commands; buffers to receive in wait for frames. */
  serve(index: number): void {
    if (index === TRANSMIT) this.#transmit();
    if (index === CONTROL) this.#control();
  }

  get #headerSize(): number {
    const features = this.#host?.driverFeatures ?? 0n;
    return features & (FEATURE.VERSION_1 | F.MRG_RXBUF) ? HEADER_SIZE_WITH_COUNT : HEADER_SIZE;
  }

  #transmit(): void {
    const host = this.#host as VirtioHost;
    const queue = host.queues[TRANSMIT];
    if (queue === undefined) return;
    for (const chain of queue.takeAll()) {
      const size = chain.readableSize - this.#headerSize;
      if (size < 0) return host.fail();
      // What is no frame by its size cannot be sent.
      if (size >= FRAME_SIZE_MIN && size <= FRAME_SIZE_MAX) {
        this.#network.transmit(chain.read(this.#headerSize, size));
      }
      queue.put(chain, 0);
    }
    queue.signal();
  }

  #receive(frame: Uint8Array): void {
    const host = this.#host as VirtioHost;
    const queue = host.queues[RECEIVE];
    if (queue === undefined || !host.driverReady || !takesFrame(this.#filter, frame)) return;
    const headerSize = this.#headerSize;
    const size = headerSize + frame.length;
    const merges = (host.driverFeatures & F.MRG_RXBUF) !== 0n;
    const chains: Chain[] = [];
    for (let room = 0, descriptors = 0; room < size;) {
      const chain = chains.length === 0 || merges ? queue.take() : undefined;
      if (chain === undefined) return queue.untake(chains.length);
      if (chain.writableSize === 0) return host.fail();
      chains.push(chain);
      room += chain.writableSize;
      descriptors += chain.descriptors;
      if (descriptors > RECEIVE_DESCRIPTORS_MAX) return queue.untake(chains.length);
    }
    const packet = new Uint8Array(size);
    if (headerSize === HEADER_SIZE_WITH_COUNT) new DataView(packet.buffer).setUint16(10, chains.length, true);
    packet.set(frame, headerSize);
    let done = 0;
    for (const chain of chains) {
      const written = chain.write(0, packet.subarray(done));
      queue.put(chain, written);
      done += written;
    }
    queue.signal();
  }

  #control(): void {
    const host = this.#host as VirtioHost;
    const queue = host.queues[CONTROL];
    if (queue === undefined) return;
    for (const chain of queue.takeAll()) {
      if (chain.readableSize < COMMAND_SIZE || chain.writableSize < 1) return host.fail();
      const filter = chain.readableSize > COMMAND_SIZE_MAX
        ? undefined
        : afterCommand(this.#filter, chain.read(0, chain.readableSize));
      if (filter !== undefined) this.#filter = filter;
      chain.write(0, Uint8Array.of(filter === undefined ? RESULT.ERR : RESULT.OK));
      queue.put(chain, 1);
    }
    queue.signal();
  }

  /** The filter takes everything; the address is the first one. */
  reset(): void {
    this.#filter = filterAtReset(this.#mac);
  }

  /** The state to be saved. */
  state(): FilterState {
    return this.#filter;
  }

  /** Restores what `state` gave. */
  restore(state: FilterState): void {
    this.#filter = state;
  }
}
