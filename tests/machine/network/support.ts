/** What tests of networks share: a guest's frames, laid out by hand, and a cable with a clock of its own. */
import { Clock } from "../../../machine/clock.ts";
import { EventHub, type MachineEvent } from "../../../machine/events.ts";
import { checksum } from "../../../machine/network/peer/big_endian.ts";
import { type UserNetworkOptions } from "../../../machine/network/peer/user_network.ts";
import { UserNetwork } from "../../../machine/network/peer/user_network.ts";

/** The guest. */
export const GUEST_MAC = [0x52, 0x54, 0x00, 0x12, 0x34, 0x56] as const;
export const GATEWAY_MAC = [0x52, 0x55, 0x0a, 0x00, 0x02, 0x02] as const;
export const NAME_SERVER_MAC = [0x52, 0x55, 0x0a, 0x00, 0x02, 0x03] as const;
export const EVERYONE = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff] as const;
export const GUEST = [10, 0, 2, 15] as const;
export const GATEWAY = [10, 0, 2, 2] as const;
export const NAME_SERVER = [10, 0, 2, 3] as const;

type Bytes = readonly number[] | Uint8Array;

/** Numbers, high byte first. */
export const be16 = (value: number): number[] => [(value >>> 8) & 255, value & 255];
export const be32 = (value: number): number[] => [...be16(value >>> 16), ...be16(value & 0xffff)];
export const ascii = (text: string): number[] => [...new TextEncoder().encode(text)];

/** What a frame has beside its payload. */
export interface FrameOptions {
  readonly to?: Bytes;
  readonly from?: Bytes;
  readonly source?: Bytes;
  readonly destination?: Bytes;
  /** Flags and fragment offset. */
  readonly fragment?: number;
  readonly timeToLive?: number;
  /** Added to the checksum of the innermost header. */
  readonly damage?: number;
}

export function ethernet(
  type: number,
  payload: Bytes,
  { to = GATEWAY_MAC, from = GUEST_MAC }: FrameOptions = {},
) {
  return Uint8Array.of(...to, ...from, ...be16(type), ...payload);
}

export function ipv4(protocol: number, payload: Bytes, options: FrameOptions = {}): Uint8Array {
  const { source = GUEST, destination = GATEWAY, fragment = 0, timeToLive = 64 } = options;
  const header = (sum: number) => [
    ...[0x45, 0, ...be16(20 + payload.length), 0x12, 0x34, ...be16(fragment), timeToLive, protocol],
    ...[...be16(sum), ...source, ...destination],
  ];
  return ethernet(0x0800, [...header(checksum(Uint8Array.from(header(0)))), ...payload], options);
}

function withPseudoHeader(protocol: number, bytes: Bytes, options: FrameOptions): Uint8Array {
  const { source = GUEST, destination = GATEWAY } = options;
  return Uint8Array.of(...source, ...destination, 0, protocol, ...be16(bytes.length), ...bytes);
}

export function icmp(type: number, code: number, rest: Bytes, options: FrameOptions = {}): Uint8Array {
  const sum = checksum(Uint8Array.of(type, code, 0, 0, ...rest)) + (options.damage ?? 0);
  return ipv4(1, [type, code, ...be16(sum), ...rest], options);
}

export function udp(sourcePort: number, port: number, data: Bytes, options: FrameOptions = {}): Uint8Array {
  const bytes = (
    sum: number,
  ) => [...be16(sourcePort), ...be16(port), ...be16(8 + data.length), ...be16(sum), ...data];
  const sum = checksum(withPseudoHeader(17, bytes(0), options)) + (options.damage ?? 0);
  return ipv4(17, bytes(sum), options);
}

/** A segment of the guest's. */
export interface SegmentOptions extends FrameOptions {
  readonly sourcePort?: number;
  readonly port?: number;
  readonly sequence: number;
  readonly acknowledgement?: number;
  readonly flags: string;
  readonly window?: number;
  readonly options?: Bytes;
  readonly data?: Bytes;
}

const FLAGS: Record<string, number> = { F: 1, S: 2, R: 4, P: 8, A: 16 };

export function tcp(segment: SegmentOptions): Uint8Array {
  const { sourcePort = 40000, port = 80, sequence, acknowledgement = 0, window = 0xffff } = segment;
  const { options = [], data = [] } = segment;
  const flags = [...segment.flags].reduce((sum, letter) => sum | (FLAGS[letter] ?? 0), 0);
  const bytes = (sum: number) => [
    ...[...be16(sourcePort), ...be16(port), ...be32(sequence), ...be32(acknowledgement)],
    ...[(5 + options.length / 4) << 4, flags, ...be16(window), ...be16(sum), 0, 0, ...options, ...data],
  ];
  const sum = checksum(withPseudoHeader(6, bytes(0), segment)) + (segment.damage ?? 0);
  return ipv4(6, bytes(sum), segment);
}

/** A number of 16 or 32 bits out of a frame. */
export const at16 = (bytes: Uint8Array, at: number): number =>
  ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
export const at32 = (bytes: Uint8Array, at: number): number =>
  at16(bytes, at) * 0x1_0000 + at16(bytes, at + 2);

/** What of a UDP frame tests look at; its checksums must be right. */
export function readUdp(frame: Uint8Array) {
  checkPacket(frame);
  return {
    to: [...frame.subarray(0, 6)],
    source: [...frame.subarray(26, 30)],
    destination: [...frame.subarray(30, 34)],
    sourcePort: at16(frame, 34),
    port: at16(frame, 36),
    data: frame.subarray(42),
  };
}

/** The same of a TCP frame. */
export function readTcp(frame: Uint8Array) {
  checkPacket(frame);
  const bits = frame[47] as number;
  const size = ((frame[46] as number) >>> 4) * 4;
  return {
    port: at16(frame, 36),
    sequence: at32(frame, 38),
    acknowledgement: at32(frame, 42),
    flags: Object.keys(FLAGS).filter((letter) => bits & (FLAGS[letter] as number)).join(""),
    window: at16(frame, 48),
    options: [...frame.subarray(54, 34 + size)],
    data: frame.slice(34 + size),
  };
}

/** Throws when a checksum or length of an IPv4 frame from the peer is wrong. */
export function checkPacket(frame: Uint8Array): void {
  const packet = frame.subarray(14), protocol = packet[9] as number, payload = packet.subarray(20);
  if (checksum(packet.subarray(0, 20)) !== 0 || at16(packet, 2) !== packet.length) {
    throw new Error("bad header");
  }
  const [source, destination] = [packet.subarray(12, 16), packet.subarray(16, 20)];
  const covered = protocol === 1 ? payload : withPseudoHeader(protocol, payload, { source, destination });
  if (checksum(covered) !== 0) throw new Error("bad checksum");
}

/** A network, its clock, and what came out of it. */
export function plug(options: Partial<UserNetworkOptions> = {}) {
  const clock = new Clock();
  const events = new EventHub(clock);
  const told: MachineEvent[] = [];
  events.add({ classes: ["detail"], observe: (event) => void told.push(event) });
  const network = new UserNetwork({
    name: "net0",
    files: [],
    bootFile: undefined,
    clock,
    events,
    ...options,
  });
  const received: Uint8Array[] = [];
  network.connect({ receive: (frame) => void received.push(frame) });
  network.reset();
  /** Virtual time passes to the next deadline. */
  const step = (): boolean => {
    const deadline = clock.earliestDeadline;
    if (deadline === Infinity) return false;
    clock.skipTo(Math.max(clock.now, deadline));
    clock.serveAlarms();
    return true;
  };
  const take = (): Uint8Array[] => received.splice(0);
  /** Lets time pass, nanoseconds. */
  const pass = (nanoseconds: number): void => {
    const end = clock.now + nanoseconds;
    while (clock.earliestDeadline <= end) step();
    clock.skipTo(end);
  };
  /** What comes back within a time in which nothing is sent again. */
  const ask = (...frames: readonly Uint8Array[]): Uint8Array[] => {
    for (const frame of frames) network.transmit(frame);
    pass(50_000_000);
    return take();
  };
  return { network, clock, events, told, received, step, take, pass, ask };
}

/** Numbers from a seed: xorshift32. */
export function randomFrom(seed: number): (below: number) => number {
  let state = seed >>> 0 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state = (state ^ (state << 5)) >>> 0;
    return state % below;
  };
}

/** Bytes that follow from a seed. */
export function someBytes(size: number, seed = 1): Uint8Array {
  const next = randomFrom(seed);
  return Uint8Array.from({ length: size }, () => next(256));
}
