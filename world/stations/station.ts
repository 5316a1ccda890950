/** A station on an Ethernet for nodes in TypeScript: ARP (RFC 826), IPv4 and TCP, from the codecs of the machine's networks. */
import { ALL_STATIONS, isStation } from "../../machine/network/peer/addresses.ts";
import { headerLayout } from "../../machine/network/peer/big_endian.ts";
import { buildEthernet, ETHER_TYPES, parseEthernet } from "../../machine/network/peer/ethernet.ts";
import { buildIpv4, parseIpv4, PROTOCOLS } from "../../machine/network/peer/ipv4.ts";
import { buildTcp, FLAGS, parseTcp, resetFor, type Segment } from "../../machine/network/peer/tcp_segment.ts";
import {
  append,
  type Connection,
  type Ending,
  expire,
  newConnection,
  opening,
  type Outcome,
  output,
  receive,
  type TcpTimes,
} from "./tcp.ts";

/** All that a station keeps: plain values. */
export interface StationState {
  /** Ethernet addresses by IPv4 address. */
  neighbours: [address: number, station: number][];
  /** Packets whose receiver's Ethernet address is asked for. */
  held: { address: number; packet: Uint8Array }[];
  /** Connections that there are. */
  connections: Connection[];
  /** Number of the next connection. */
  nextId: number;
}

/** Who a station is, and whom it tells. */
export interface StationOptions {
  /** IPv4 address. */
  readonly address: number;
  /** Ethernet address. */
  readonly station: number;
  /** TCP ports at which it listens. */
  readonly listens: readonly number[];
  /** Times. */
  readonly times: TcpTimes;
  /** Sends a frame. */
  transmit(frame: Uint8Array): void;
  /** The time, in nanoseconds. */
  now(): number;
  /** Data arrived. */
  arrived(connection: Connection, data: Uint8Array): void;
  /** The other end sends no more. */
  ended(connection: Connection): void;
  /** A connection is no more. */
  over(connection: Connection, why: Ending): void;
}

const arp = headerLayout({
  ...{ hardware: 2, protocol: 2, hardwareLength: 1, protocolLength: 1, operation: 2 },
  ...{ senderStation: 6, senderAddress: 4, targetStation: 6, targetAddress: 4 },
});
const ARP_KIND = { hardware: 1, protocol: ETHER_TYPES.ipv4, hardwareLength: 6, protocolLength: 4 };
const REQUEST = 1, REPLY = 2, MOST_HELD = 16, MOST_CONNECTIONS = 32, FIRST_PORT = 49152;

/** A station that nobody knows yet. */
export function newStation(): StationState {
  return { neighbours: [], held: [], connections: [], nextId: 0 };
}

/** The station at work on its state. */
export class Station {
  /** Connections that were told to be over are in no list any more. */
  constructor(readonly state: StationState, private readonly options: StationOptions) {}

  /** The earliest time at which `expire` has something to do, or Infinity. */
  get deadline(): number {
    return Math.min(Infinity, ...this.state.connections.map(({ deadline }) => deadline));
  }

  /** Opens a connection; gives its number. */
  connect(address: number, remotePort: number): number {
    const { state, options: { times } } = this, now = this.options.now(), id = state.nextId++;
    const port = FIRST_PORT + id % 16384;
    const connection = newConnection(
      { id, port, address, remotePort, isClient: true },
      now & 0x7fff_ffff,
      now,
      times,
    );
    state.connections.push(connection);
    this.#transmit([opening(connection, this.options.address)]);
    return id;
  }

  /** Sends on a connection, if it is there; `closes` it behind the bytes. */
  send(id: number, bytes: Uint8Array, closes = false): void {
    const connection = this.state.connections.find((one) => one.id === id);
    if (connection === undefined) return;
    if (closes) connection.isClosing = true;
    append(connection, bytes, this.options.now(), this.options.times);
    this.#transmit(output(connection, this.options.address));
  }

  /** Forgets a connection, and tells the other end. */
  abort(id: number): void {
    const connection = this.state.connections.find((one) => one.id === id);
    if (connection === undefined) return;
    this.#forget(connection);
    const { address, remotePort, port, next, expected } = connection;
    const fields = { station: 0, window: 0, maximumSize: 0, payload: new Uint8Array(0) };
    const ports = { sourcePort: port, destination: address, destinationPort: remotePort };
    const numbers = { sequence: next, acknowledgement: expected, flags: FLAGS.rst | FLAGS.ack };
    this.#transmit([{ ...fields, ...ports, ...numbers, source: this.options.address }]);
  }

  /** Takes a frame. */
  received(bytes: Uint8Array): void {
    const frame = parseEthernet(bytes), { station, address } = this.options;
    if (frame === undefined || frame.destination !== station && frame.destination !== ALL_STATIONS) return;
    if (frame.type === ETHER_TYPES.arp) return this.#receiveArp(frame.payload);
    if (frame.type !== ETHER_TYPES.ipv4) return;
    const packet = parseIpv4(frame.payload, frame.source);
    if (packet?.destination !== address || packet.protocol !== PROTOCOLS.tcp) return;
    const segment = parseTcp(packet);
    if (segment !== undefined) this.#receiveSegment(segment);
  }

  /** Does what is due. */
  expire(): void {
    const { address, times } = this.options, now = this.options.now();
    for (const connection of this.state.connections.filter(({ deadline }) => deadline <= now)) {
      this.#carryOut(connection, expire(connection, address, now, times));
    }
  }

  #receiveArp(payload: Uint8Array): void {
    const packet = arp.read(payload), { address, station } = this.options;
    if (packet === undefined || packet.protocol !== ETHER_TYPES.ipv4 || !isStation(packet.senderStation)) {
      return;
    }
    if (packet.targetAddress !== address) return;
    const { senderAddress, senderStation } = packet, { state } = this;
    state.neighbours = [
      ...state.neighbours.filter(([known]) => known !== senderAddress),
      [senderAddress, senderStation] as [number, number],
    ].slice(-MOST_HELD);
    if (packet.operation === REQUEST) {
      this.#arp(senderStation, REPLY, senderStation, senderAddress);
    }
    const held = state.held.filter((one) => one.address === senderAddress);
    state.held = state.held.filter((one) => one.address !== senderAddress);
    for (const { packet } of held) {
      this.options.transmit(buildEthernet({
        destination: senderStation,
        source: station,
        type: ETHER_TYPES.ipv4,
        payload: packet,
      }));
    }
  }

  #arp(destination: number, operation: number, targetStation: number, targetAddress: number): void {
    const { address, station } = this.options;
    const fields = { senderStation: station, senderAddress: address, targetStation, targetAddress };
    const payload = arp.build({ ...ARP_KIND, operation, ...fields });
    this.options.transmit(buildEthernet({ destination, source: station, type: ETHER_TYPES.arp, payload }));
  }

  #receiveSegment(segment: Segment): void {
    const { state, options: { address, times, listens } } = this, now = this.options.now();
    const known = state.connections.find((one) =>
      one.address === segment.source && one.remotePort === segment.sourcePort &&
      one.port === segment.destinationPort
    );
    if (known !== undefined) return this.#carryOut(known, receive(known, segment, address, now, times));
    const isOpening = (segment.flags & (FLAGS.syn | FLAGS.ack | FLAGS.rst)) === FLAGS.syn;
    if (!isOpening || !listens.includes(segment.destinationPort)) return this.#transmit(resetFor(segment));
    if (state.connections.length >= MOST_CONNECTIONS) return;
    const id = state.nextId++, ends = { port: segment.destinationPort, address: segment.source };
    const connection = newConnection(
      { id, ...ends, remotePort: segment.sourcePort, isClient: false },
      now & 0x7fff_ffff,
      now,
      times,
    );
    connection.expected = (segment.sequence + 1) >>> 0;
    state.connections.push(connection);
    this.#transmit([opening(connection, address)]);
  }

  #forget(connection: Connection): void {
    this.state.connections = this.state.connections.filter((one) => one !== connection);
  }

  #carryOut(connection: Connection, { segments, data, over, ended }: Outcome): void {
    this.#transmit(segments);
    if (over !== undefined) this.#forget(connection);
    if (data.length > 0) this.options.arrived(connection, data);
    if (ended === true) this.options.ended(connection);
    if (over !== undefined) this.options.over(connection, over);
  }

  #transmit(segments: readonly Segment[]): void {
    const { state, options: { station } } = this;
    for (const segment of segments) {
      const packet = buildIpv4(buildTcp(segment)), { destination } = segment;
      const neighbour = state.neighbours.find(([address]) => address === destination)?.[1];
      if (neighbour !== undefined) {
        this.options.transmit(
          buildEthernet({ destination: neighbour, source: station, type: ETHER_TYPES.ipv4, payload: packet }),
        );
        continue;
      }
      state.held = [...state.held, { address: destination, packet }].slice(-MOST_HELD);
      this.#arp(ALL_STATIONS, REQUEST, 0, destination);
    }
  }
}

/** An IPv4 address of its text; undefined for anything else. */
export function addressOf(text: string): number | undefined {
  const parts = text.split(".").map(Number);
  const isAddress = parts.length === 4 &&
    parts.every((part) => Number.isInteger(part) && part >= 0 && part < 256);
  return isAddress ? parts.reduce((value, part) => value * 256 + part, 0) : undefined;
}
