/** TCP segments (RFC 9293 §3.1). */
import { checksum, headerLayout, readUnsigned } from "./big_endian.ts";
import { type Ipv4Packet, PROTOCOLS, pseudoHeaderOf } from "./ipv4.ts";
import { TCP_SEGMENT_DEFAULT } from "./limits.ts";

/** Control bits. */
export const FLAGS = { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16 } as const;

/** A segment, from the guest or to it. */
export interface Segment {
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
  /** Number of the first byte, or of SYN. */
  readonly sequence: number;
  /** The number expected next, when FLAGS.ack is set. */
  readonly acknowledgement: number;
  /** Of FLAGS. */
  readonly flags: number;
  /** Bytes that the sender has room for. */
  readonly window: number;
  /** The largest segment that the sender takes, when it says; 0 otherwise. */
  readonly maximumSize: number;
  /** Data. */
  readonly payload: Uint8Array;
}

const header = headerLayout({
  sourcePort: 2,
  destinationPort: 2,
  sequence: 4,
  acknowledgement: 4,
  offset: 1,
  flags: 1,
  window: 2,
  checksum: 2,
  urgent: 2,
});

const OPTION_END = 0;
const OPTION_NOTHING = 1;
const OPTION_MAXIMUM_SIZE = 2;
const maximumSizeOption = headerLayout({ kind: 1, length: 1, value: 2 });

/** The value of the one option that is looked at; 0 without it. */
function maximumSizeIn(options: Uint8Array): number {
  for (let at = 0; at < options.length && options[at] !== OPTION_END;) {
    const length = options[at] === OPTION_NOTHING ? 1 : options[at + 1] ?? 0;
    if (length === 0 || at + length > options.length) break;
    if (options[at] === OPTION_MAXIMUM_SIZE && length === maximumSizeOption.size) {
      return readUnsigned(options, at + 2, 2) || TCP_SEGMENT_DEFAULT;
    }
    at += length;
  }
  return 0;
}

/** Reads a segment out of a packet; undefined when it is damaged. */
export function parseTcp(packet: Ipv4Packet): Segment | undefined {
  const { station, source, destination, payload } = packet;
  const fields = header.read(payload);
  if (fields === undefined || checksum(pseudoHeaderOf(packet), payload) !== 0) return undefined;
  const headerSize = (fields.offset >>> 4) * 4;
  if (headerSize < header.size || headerSize > payload.length) return undefined;
  const maximumSize = maximumSizeIn(payload.subarray(header.size, headerSize));
  return { station, source, destination, ...fields, maximumSize, payload: payload.subarray(headerSize) };
}

/** Lays a segment out in a packet. */
export function buildTcp(segment: Segment): Ipv4Packet {
  const { station, source, destination, maximumSize, payload } = segment;
  const options = maximumSize === 0 ? new Uint8Array(0) : maximumSizeOption.build({
    kind: OPTION_MAXIMUM_SIZE,
    length: maximumSizeOption.size,
    value: maximumSize,
  });
  const offset = ((header.size + options.length) / 4) << 4;
  const fields = { ...segment, offset, checksum: 0, urgent: 0 };
  const packet = { station, source, destination, protocol: PROTOCOLS.tcp };
  const bytes = header.build(fields, options, payload);
  const sum = checksum(pseudoHeaderOf({ ...packet, payload: bytes }), bytes);
  return { ...packet, payload: header.build({ ...fields, checksum: sum }, options, payload) };
}

/** Numbers that a segment takes up: its data, SYN and FIN. */
export function lengthOf({ flags, payload }: Segment): number {
  return payload.length + (flags & FLAGS.syn ? 1 : 0) + (flags & FLAGS.fin ? 1 : 0);
}

/** How far sequence number `a` is ahead of `b`, signed. */
export function ahead(a: number, b: number): number {
  return (a - b) | 0;
}

/** The answer to a segment for which there is no connection (RFC 9293 §3.10.7.1); none to a reset. */
export function resetFor(segment: Segment): Segment[] {
  const { station, source, sourcePort, destination, destinationPort, flags } = segment;
  if (flags & FLAGS.rst) return [];
  const isAcknowledged = (flags & FLAGS.ack) !== 0;
  return [{
    station,
    source: destination,
    sourcePort: destinationPort,
    destination: source,
    destinationPort: sourcePort,
    sequence: isAcknowledged ? segment.acknowledgement : 0,
    acknowledgement: isAcknowledged ? 0 : (segment.sequence + lengthOf(segment)) >>> 0,
    flags: isAcknowledged ? FLAGS.rst : FLAGS.rst | FLAGS.ack,
    window: 0,
    maximumSize: 0,
    payload: new Uint8Array(0),
  }];
}
