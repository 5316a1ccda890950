/** What is at which port, and what it does with the registers of a caller; all else is all ones. */
import { type Channels, PROTOCOLS, STATUS } from "./channels.ts";
import { AX, BP, BX, CX, DI, DX, type Registers, SI } from "./registers.ts";

/** X0 of every call that a port answers. */
export const MAGIC = 0x564d_5868;
/** The ports. */
export const LOW_BANDWIDTH = 0x5658, HIGH_BANDWIDTH = 0x5659;

/** GETVERSION's answer: what tools expect. */
const VERSION = 6;
/** The number of the virtual hardware's generation that is told to guests. */
const HARDWARE_VERSION = 20;

/** What the commands of a machine answer from. */
export interface PortSite {
  /** Message channels. */
  readonly channels: Channels;
  /** GETVERSION's product. */
  readonly product: number;
  /** RAM of the guest in MiB. */
  readonly memory: number;
  /** The guest's wall clock, in microseconds since 1970. */
  now(): bigint;
}

/** One command of the low-bandwidth port; false when there is nothing after all. */
type Command = (registers: Registers, site: PortSite) => boolean;

const WORD_BITS = 32n, FLAG_COOKIE = 0x8000_0000;
const MICROSECONDS = 1_000_000n;

function cookieOf(registers: Registers, high: number, low: number): bigint {
  return BigInt(registers.word(high)) << WORD_BITS | BigInt(registers.word(low));
}

/** A request on a channel; what it returns is the status. */
type Request = (registers: Registers, channels: Channels) => number;

/** A request that names a channel by X3[31:16] and a cookie in X4 and X5. */
function onChannel(
  act: (
    channel: NonNullable<ReturnType<Channels["find"]>>,
    registers: Registers,
    channels: Channels,
  ) => number,
): Request {
  return (registers, channels) => {
    const channel = channels.find(registers.high(DX), cookieOf(registers, SI, DI));
    return channel === undefined ? STATUS.closed : act(channel, registers, channels);
  };
}

function openChannel(registers: Registers, channels: Channels): number {
  const word = registers.word(BX), hasCookie = (word & FLAG_COOKIE) !== 0;
  const protocol = PROTOCOLS[word & ~FLAG_COOKIE];
  const channel = protocol === undefined ? undefined : channels.openFor(protocol, hasCookie);
  if (channel === undefined) return 0;
  registers.setHigh(DX, channel.number);
  registers.setWord(SI, Number(channel.cookie >> WORD_BITS));
  registers.setWord(DI, Number(channel.cookie & 0xffff_ffffn));
  return STATUS.success;
}

const WORD = 4;

/** Four bytes of a message, or those that are left. */
function sendPayload(
  channel: Parameters<Channels["take"]>[0],
  registers: Registers,
  channels: Channels,
): number {
  const size = Math.min(WORD, channel.announced - channel.received.length);
  const status = channels.mayTake(channel, size);
  if (status !== STATUS.success) return status;
  const word = registers.word(BX);
  channels.take(channel, Uint8Array.from({ length: size }, (_, at) => word >>> 8 * at & 0xff));
  return status;
}

/** What the guest is told to do next, in X3[31:16]: the types that it would have sent itself. */
const SENDSIZE = 1, SENDPAYLOAD = 2;

function receiveSize(
  channel: Parameters<Channels["take"]>[0],
  registers: Registers,
  channels: Channels,
): number {
  const { status, size } = channels.offer(channel);
  if (size === undefined) return status;
  registers.setHigh(DX, SENDSIZE);
  registers.setWord(BX, size);
  return status;
}

function receivePayload(
  channel: Parameters<Channels["take"]>[0],
  registers: Registers,
  channels: Channels,
): number {
  if ((registers.word(BX) & STATUS.success) === 0) return channels.finish(channel, false);
  const status = channels.mayGive(channel, 1);
  if (status !== STATUS.success) return status;
  const part = channels.next(channel, WORD);
  channels.given(channel, part.length);
  registers.setHigh(DX, SENDPAYLOAD);
  registers.setWord(BX, part.reduceRight((word, byte) => word << 8 | byte, 0));
  return status;
}

/** The requests of MESSAGE by X2[31:16]. */
const REQUESTS: readonly Request[] = [
  openChannel,
  onChannel((channel, registers, channels) => channels.announce(channel, registers.word(BX))),
  onChannel(sendPayload),
  onChannel(receiveSize),
  onChannel(receivePayload),
  onChannel((channel, registers, channels) =>
    channels.finish(channel, (registers.word(BX) & STATUS.success) !== 0)
  ),
  onChannel((channel, _, channels) => {
    channels.close(channel);
    return STATUS.success;
  }),
];

function message(registers: Registers, { channels }: PortSite): boolean {
  const request = REQUESTS[registers.high(CX)];
  registers.setHigh(CX, request?.(registers, channels) ?? 0);
  return true;
}

/** Wall-clock time: seconds in X4 and X3, microseconds in X1; the guest's clock may be as late as X2 says. */
function time(registers: Registers, { now }: PortSite): boolean {
  const all = now(), seconds = all / MICROSECONDS;
  registers.setWord(AX, MAGIC);
  registers.setWord(SI, Number(seconds >> WORD_BITS));
  registers.setWord(DX, Number(seconds & 0xffff_ffffn));
  registers.setWord(BX, Number(all % MICROSECONDS));
  registers.setWord(CX, 0);
  return true;
}

/** The commands by X2[15:0]. */
const COMMANDS: Readonly<Record<number, Command>> = {
  // GETVERSION
  10: (registers, { product }) => {
    registers.setWord(AX, VERSION);
    registers.setWord(BX, MAGIC);
    registers.setWord(CX, product);
    return true;
  },
  // GETHWVERSION
  17: (registers) => {
    registers.setWord(AX, HARDWARE_VERSION);
    return true;
  },
  // GETMEMSIZE
  20: (registers, { memory }) => {
    registers.setWord(AX, memory);
    return true;
  },
  // MESSAGE
  30: message,
  // GETTIMEFULL and GETTIMEFULL_WITH_LAG
  46: time,
  55: (registers, site) => {
    const isDone = time(registers, site);
    registers.setWord(DI, 0);
    return isDone;
  },
};

/** An IN of `size` bytes into X0; false when nothing answers, and X0 has all ones of that size. */
export function readPort(registers: Registers, port: number, size: 1 | 2 | 4, site: PortSite): boolean {
  const isCall = port === LOW_BANDWIDTH && size === 4 && registers.word(AX) === MAGIC;
  const command = isCall ? COMMANDS[registers.low(CX)] : undefined;
  if (command?.(registers, site) === true) return true;
  registers.setNothing(size);
  return false;
}

/** A string instruction at a port: what it takes or gives, decided before memory is touched. */
export interface PortString {
  /** The most bytes that move; 0 when the call was refused in its status. */
  readonly bytes: number;
  /** The bytes to give, for IN. */
  give(size: number): Uint8Array;
  /** Bytes were taken, for OUT, or had room, for IN. */
  moved(part: Uint8Array): void;
}

/** MESSAGE of the high-bandwidth port, X1[15:0]; the status goes to X1[31:16]. */
const MESSAGE = 0;

/**
 * A string instruction of `size` bytes in all at a port; undefined where nothing is: it gives ones, and takes what it
 * gets. X3[31:16] is the channel; its cookie is in X6 and X5 for OUT, in X4 and X6 for IN.
 */
export function stringAtPort(
  registers: Registers,
  port: number,
  access: { readonly isIn: boolean; readonly bytes: bigint },
  { channels }: PortSite,
): PortString | undefined {
  const isCall = port === HIGH_BANDWIDTH && registers.word(AX) === MAGIC && registers.low(BX) === MESSAGE;
  if (!isCall) return undefined;
  const { isIn } = access, size = Number(access.bytes);
  const cookie = isIn ? cookieOf(registers, SI, BP) : cookieOf(registers, BP, DI);
  const channel = channels.find(registers.high(DX), cookie);
  const status = channel === undefined
    ? STATUS.closed
    : isIn
    ? channels.mayGive(channel, size)
    : channels.mayTake(channel, size);
  const isRefused = channel === undefined || status !== STATUS.success;
  if (isRefused) {
    registers.setHigh(BX, status);
    return { bytes: 0, give: () => new Uint8Array(0), moved: () => {} };
  }
  return {
    bytes: size,
    give: (count) => channels.next(channel, count),
    moved(part) {
      if (isIn) channels.given(channel, part.length);
      else channels.take(channel, part);
    },
  };
}
