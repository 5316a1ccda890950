/**
 * IPv4 packets (RFC 791, RFC 1122 §3.2.1). Options are skipped. Fragments are dropped: a guest's own MTU is the cable's,
 * so that only what no service here needs is ever cut, such as a ping of more than 1472 bytes.
 */
import { checksum, headerLayout } from "./big_endian.ts";

/** What a packet's payload is (IANA protocol numbers). */
export const PROTOCOLS = { icmp: 1, tcp: 6, udp: 17 } as const;

/** A packet, from the guest or to it. */
export interface Ipv4Packet {
  /** The guest's station at the other end: the source of its frame, or the destination of ours. */
  readonly station: number;
  /** Who sent it. */
  readonly source: number;
  /** Whom it is for. */
  readonly destination: number;
  /** Protocol of the payload. */
  readonly protocol: number;
  /** What is in it. */
  readonly payload: Uint8Array;
}

/** A packet as it came: with the bytes that an ICMP error quotes. */
export interface ReceivedPacket extends Ipv4Packet {
  /** The whole packet, header first. */
  readonly bytes: Uint8Array;
  /** Bytes of the header. */
  readonly headerSize: number;
}

const header = headerLayout({
  versionAndLength: 1,
  service: 1,
  totalLength: 2,
  identification: 2,
  flagsAndOffset: 2,
  timeToLive: 1,
  protocol: 1,
  checksum: 2,
  source: 4,
  destination: 4,
});

const VERSION = 4;
const DO_NOT_FRAGMENT = 0x4000;
/** More fragments, or an offset that is not 0. */
const FRAGMENT = 0x3fff;
const TIME_TO_LIVE = 64;

/** Reads a packet out of a frame's payload; undefined when it is damaged, a fragment or not IPv4. */
export function parseIpv4(payload: Uint8Array, station: number): ReceivedPacket | undefined {
  const fields = header.read(payload);
  if (fields === undefined || fields.versionAndLength >>> 4 !== VERSION) return undefined;
  const headerSize = (fields.versionAndLength & 15) * 4;
  const { totalLength, timeToLive, flagsAndOffset, protocol, source, destination } = fields;
  if (headerSize < header.size || totalLength < headerSize || totalLength > payload.length) return undefined;
  if (checksum(payload.subarray(0, headerSize)) !== 0) return undefined;
  if (timeToLive === 0 || (flagsAndOffset & FRAGMENT) !== 0) return undefined;
  const bytes = payload.subarray(0, totalLength);
  return { station, source, destination, protocol, bytes, headerSize, payload: bytes.subarray(headerSize) };
}

/** Lays a packet out; it is never to be cut, so that it needs no identification (RFC 6864 §4.1). */
export function buildIpv4({ source, destination, protocol, payload }: Ipv4Packet): Uint8Array<ArrayBuffer> {
  const fields = {
    versionAndLength: (VERSION << 4) | (header.size / 4),
    service: 0,
    totalLength: header.size + payload.length,
    identification: 0,
    flagsAndOffset: DO_NOT_FRAGMENT,
    timeToLive: TIME_TO_LIVE,
    protocol,
    checksum: 0,
    source,
    destination,
  };
  return header.build({ ...fields, checksum: checksum(header.build(fields)) }, payload);
}

const pseudoHeader = headerLayout({ source: 4, destination: 4, zero: 1, protocol: 1, length: 2 });

/** The header that UDP and TCP checksums cover beside their own (RFC 768, RFC 9293 §3.1). */
export function pseudoHeaderOf({ source, destination, protocol, payload }: Ipv4Packet): Uint8Array {
  return pseudoHeader.build({ source, destination, zero: 0, protocol, length: payload.length });
}
