/** User datagrams (RFC 768). */
import { checksum, headerLayout } from "./big_endian.ts";
import { type Ipv4Packet, PROTOCOLS, pseudoHeaderOf } from "./ipv4.ts";

/** A datagram, from the guest or to it. */
export interface Datagram {
  /** The guest's station at the other end. */
  readonly station: number;
  /** Who sent it. */
  readonly source: number;
  /** The sender's port. */
  readonly sourcePort: number;
  /** Whom it is for. */
  readonly destination: number;
  /** The receiver's port. */
  readonly destinationPort: number;
  /** What is in it. */
  readonly payload: Uint8Array;
}

const header = headerLayout({ sourcePort: 2, destinationPort: 2, length: 2, checksum: 2 });

/** Reads a datagram out of a packet; undefined when it is damaged. A checksum of zero is none. */
export function parseUdp(packet: Ipv4Packet): Datagram | undefined {
  const fields = header.read(packet.payload);
  if (fields === undefined || fields.length < header.size || fields.length > packet.payload.length) {
    return undefined;
  }
  const bytes = packet.payload.subarray(0, fields.length);
  if (fields.checksum !== 0 && checksum(pseudoHeaderOf({ ...packet, payload: bytes }), bytes) !== 0) {
    return undefined;
  }
  const { station, source, destination } = packet;
  const { sourcePort, destinationPort } = fields;
  return { station, source, sourcePort, destination, destinationPort, payload: bytes.subarray(header.size) };
}

/** Lays a datagram out in a packet. */
export function buildUdp(datagram: Datagram): Ipv4Packet {
  const { station, source, sourcePort, destination, destinationPort, payload } = datagram;
  const fields = { sourcePort, destinationPort, length: header.size + payload.length, checksum: 0 };
  const packet = { station, source, destination, protocol: PROTOCOLS.udp };
  const bytes = header.build(fields, payload);
  const sum = checksum(pseudoHeaderOf({ ...packet, payload: bytes }), bytes);
  return { ...packet, payload: header.build({ ...fields, checksum: sum === 0 ? 0xffff : sum }, payload) };
}

/** The datagram that goes back, from where this one went. */
export function replyTo(datagram: Datagram, payload: Uint8Array): Datagram {
  const { station, source, sourcePort, destination, destinationPort } = datagram;
  return {
    station,
    source: destination,
    sourcePort: destinationPort,
    destination: source,
    destinationPort: sourcePort,
    payload,
  };
}
