/** Message channels: texts of up to 64 KiB in both directions, a word or a buffer at a time, each by a cookie. */
import { bytes, flag, listOf, oneOf, record, u32, u64, u8, type ValueOf } from "../../../machine/layout.ts";

/** Channels that are open at once. */
export const CHANNELS_MAX = 8;
/** Most bytes of a message. */
export const MESSAGE_MAX = 65536;
/** Messages that wait for one channel. */
export const WAITING_MAX = 16;

/** What a request of a guest ends with, bits of a status. */
// deno-fmt-ignore
export const STATUS = {
  success:       0x01,
  /** A message waits for the guest. */
  toReceive:     0x02,
  closed:        0x04,
  /** A checkpoint came between: all of the message again. */
  checkpoint:    0x10,
  /** Payloads can go by the high-bandwidth port. */
  highBandwidth: 0x80,
} as const;

/** The protocols, by what a guest opens them with: calls by the guest, and calls to it. */
export const PROTOCOLS: Readonly<Record<number, Protocol>> = { 0x4943_5052: "RPCI", 0x4f4c_4354: "TCLO" };

/** Name of a protocol. */
export type Protocol = "RPCI" | "TCLO";

const CHANNEL_FIELDS = {
  number: u8,
  protocol: oneOf("RPCI", "TCLO"),
  cookie: u64,
  hasCookie: flag,
  isSending: flag,
  announced: u32,
  received: bytes(MESSAGE_MAX),
  isReceiving: flag,
  taken: u32,
  waiting: listOf(bytes(MESSAGE_MAX), WAITING_MAX),
  isInterrupted: flag,
} as const;

/** Section fields of all channels. */
export const CHANNELS_FIELDS = {
  opened: u64,
  channels: listOf(record(CHANNEL_FIELDS), CHANNELS_MAX),
} as const;

/** State of all channels. */
export type ChannelsState = ValueOf<typeof CHANNELS_FIELDS>;

/** An open channel. */
export interface Channel {
  /** 0 to 7. */
  readonly number: number;
  /** What its messages are. */
  readonly protocol: Protocol;
  /** What the guest must say with each request, if it was opened so. */
  readonly cookie: bigint;
  readonly hasCookie: boolean;
  /** A size was announced by the guest, and its payload has not come whole. */
  isSending: boolean;
  announced: number;
  received: Uint8Array;
  /** The guest was told a size, and has not said that it has the message. */
  isReceiving: boolean;
  taken: number;
  /** Messages for the guest. */
  waiting: Uint8Array[];
  /** A checkpoint came in the middle of a message. */
  isInterrupted: boolean;
}

/** Who gets the guest's messages. */
export interface MessageTaker {
  /** A channel was opened. */
  opened(channel: Channel): void;
  /** A message came whole; what it returns waits for the guest. */
  received(channel: Channel, message: Uint8Array): Uint8Array | undefined;
  /** The guest has a message whole. */
  delivered(channel: Channel, message: Uint8Array): void;
  /** A request was answered with CPT. */
  interrupted(channel: Channel): void;
}

const GOLDEN = 0x9e37_79b9_7f4a_7c15n, MIX_1 = 0xbf58_476d_1ce4_e5b9n, MIX_2 = 0x94d0_49bb_1331_11ebn;

/** The finalizer of SplitMix64: cookies that differ, and follow from the machine's seed. */
function mixed(value: bigint): bigint {
  const wrap = (x: bigint) => BigInt.asUintN(64, x);
  let z = wrap(value * GOLDEN);
  z = wrap((z ^ z >> 30n) * MIX_1);
  z = wrap((z ^ z >> 27n) * MIX_2);
  return z ^ z >> 31n;
}

const NOTHING = new Uint8Array(0);

/** The channels of a machine. */
export class Channels {
  #channels: (Channel | undefined)[] = Array.from({ length: CHANNELS_MAX }, () => undefined);
  #opened = 0n;

  /** `seed` is the machine's; `highBandwidth` is told to guests. */
  constructor(
    private readonly seed: bigint,
    private readonly highBandwidth: boolean,
    private readonly taker: MessageTaker,
  ) {}

  /** Closes all. */
  reset(): void {
    this.#channels.fill(undefined);
    this.#opened = 0n;
  }

  /** All that are open. */
  get open(): readonly Channel[] {
    return this.#channels.filter((channel) => channel !== undefined);
  }

  /** An open channel, by what a guest says of it; undefined when it has no such, or another cookie. */
  find(number: number, cookie: bigint): Channel | undefined {
    const channel = this.#channels[number];
    return channel === undefined || (channel.hasCookie && channel.cookie !== cookie) ? undefined : channel;
  }

  /** Opens one; undefined when all are open. */
  openFor(protocol: Protocol, hasCookie: boolean): Channel | undefined {
    const number = this.#channels.findIndex((channel) => channel === undefined);
    if (number < 0) return undefined;
    this.#opened++;
    const channel: Channel = {
      number,
      protocol,
      hasCookie,
      cookie: hasCookie ? mixed(this.seed + this.#opened) : 0n,
      isSending: false,
      announced: 0,
      received: NOTHING,
      isReceiving: false,
      taken: 0,
      waiting: [],
      isInterrupted: false,
    };
    this.#channels[number] = channel;
    this.taker.opened(channel);
    return channel;
  }

  /** Closes one. */
  close({ number }: Channel): void {
    this.#channels[number] = undefined;
  }

  get #ready(): number {
    return STATUS.success | (this.highBandwidth ? STATUS.highBandwidth : 0);
  }

  /** The guest says how long its message is; a message that it began before is dropped. */
  announce(channel: Channel, size: number): number {
    channel.isInterrupted = false;
    channel.isReceiving = false;
    channel.received = NOTHING;
    channel.isSending = size <= MESSAGE_MAX;
    channel.announced = channel.isSending ? size : 0;
    if (!channel.isSending) return 0;
    if (size === 0) this.#complete(channel);
    return this.#ready;
  }

  /** What a transfer of payload finds first: CPT once after a checkpoint, nothing that was begun, or success. */
  #transfer(channel: Channel, isBegun: boolean): number {
    if (channel.isInterrupted) {
      channel.isInterrupted = false;
      this.taker.interrupted(channel);
      return STATUS.checkpoint;
    }
    return isBegun ? STATUS.success : 0;
  }

  /** Whether `size` more bytes of a message can come; otherwise the status has no success. */
  mayTake(channel: Channel, size: number): number {
    const fits = channel.isSending && size <= channel.announced - channel.received.length;
    return this.#transfer(channel, fits);
  }

  /** Bytes of a message; `mayTake` said so. */
  take(channel: Channel, part: Uint8Array): void {
    const all = new Uint8Array(channel.received.length + part.length);
    all.set(channel.received);
    all.set(part, channel.received.length);
    channel.received = all;
    if (all.length === channel.announced) this.#complete(channel);
  }

  #complete(channel: Channel): void {
    const message = channel.received;
    channel.isSending = false;
    channel.received = NOTHING;
    channel.announced = 0;
    if (channel.protocol === "RPCI") channel.waiting = [];
    const reply = this.taker.received(channel, message);
    if (reply !== undefined) this.post(channel, reply);
  }

  /** Leaves a message for the guest; one too many or too long is dropped, and false. */
  post(channel: Channel, message: Uint8Array): boolean {
    if (channel.waiting.length >= WAITING_MAX || message.length > MESSAGE_MAX) return false;
    channel.waiting.push(message);
    return true;
  }

  /** The guest asks for a message: its size, or undefined when none waits. */
  offer(channel: Channel): { readonly status: number; readonly size: number | undefined } {
    const size = channel.waiting[0]?.length;
    channel.isInterrupted = false;
    channel.isSending = false;
    channel.received = NOTHING;
    channel.isReceiving = size !== undefined;
    channel.taken = 0;
    return { status: this.#ready | (size === undefined ? 0 : STATUS.toReceive), size };
  }

  /** Whether `size` more bytes of the message can go; otherwise the status has no success. */
  mayGive(channel: Channel, size: number): number {
    const left = channel.isReceiving ? (channel.waiting[0] as Uint8Array).length - channel.taken : 0;
    return this.#transfer(channel, channel.isReceiving && size <= left);
  }

  /** The next bytes of the message, at most `size`; they stay until `given` says how many went. */
  next(channel: Channel, size: number): Uint8Array {
    return (channel.waiting[0] as Uint8Array).slice(channel.taken, channel.taken + size);
  }

  /** So many bytes went. */
  given(channel: Channel, size: number): void {
    channel.taken += size;
  }

  /** The guest says that it has the message, or (`isKept` false) that it cannot take it: either way it is gone. */
  finish(channel: Channel, isKept: boolean): number {
    const status = this.#transfer(channel, channel.isReceiving);
    if (status !== STATUS.success) return status;
    const message = channel.waiting.shift() as Uint8Array;
    channel.isReceiving = false;
    channel.taken = 0;
    if (isKept) this.taker.delivered(channel, message);
    return status;
  }

  /** Time was turned back, or split: what is in the middle of a message is to begin again. */
  checkpoint(): void {
    for (const channel of this.open) {
      channel.isInterrupted = channel.isSending || channel.isReceiving;
      channel.isSending = false;
      channel.isReceiving = false;
      channel.received = NOTHING;
      channel.announced = 0;
      channel.taken = 0;
    }
  }

  /** Everything. */
  get state(): ChannelsState {
    return { opened: this.#opened, channels: this.open.map((channel) => ({ ...channel })) };
  }

  set state({ opened, channels }: ChannelsState) {
    this.reset();
    this.#opened = opened;
    for (const channel of channels) {
      if (channel.number >= CHANNELS_MAX) {
        throw new RangeError(`Cannot restore channel ${channel.number}: there are ${CHANNELS_MAX}`);
      }
      if (channel.isReceiving && channel.waiting.length === 0) {
        throw new RangeError(`Cannot restore channel ${channel.number}: it gives a message that it has not`);
      }
      this.#channels[channel.number] = { ...channel, waiting: [...channel.waiting] };
    }
  }
}
