/** Control messages (RFC 792, RFC 1122 §3.2.2): echo, and destinations that cannot be reached. */
import { GATEWAY, isOurs, isUnicast } from "./addresses.ts";
import { checksum, headerLayout } from "./big_endian.ts";
import { type Ipv4Packet, PROTOCOLS, type ReceivedPacket } from "./ipv4.ts";

const header = headerLayout({ type: 1, code: 1, checksum: 2, rest: 4 });

const TYPES = { echoReply: 0, unreachable: 3, echoRequest: 8 } as const;

/** Bytes of a packet's payload that an error quotes (RFC 792). */
const QUOTED = 8;

/** Why a destination cannot be reached: the code of the message. */
export const UNREACHABLE = { network: 0, protocol: 2, port: 3 } as const;

function build(type: number, code: number, rest: number, data: Uint8Array): Uint8Array {
  const fields = { type, code, checksum: 0, rest };
  return header.build({ ...fields, checksum: checksum(header.build(fields), data) }, data);
}

/** Answers an echo request to one of our addresses. */
export function answerIcmp({ station, source, destination, payload }: Ipv4Packet): Ipv4Packet | undefined {
  const request = header.read(payload);
  if (request === undefined || checksum(payload) !== 0) return undefined;
  if (request.type !== TYPES.echoRequest || request.code !== 0 || !isOurs(destination)) return undefined;
  const reply = build(TYPES.echoReply, 0, request.rest, payload.subarray(header.size));
  return { station, source: destination, destination: source, protocol: PROTOCOLS.icmp, payload: reply };
}

/**
 * Says that a packet did not arrive; undefined for those of which nobody is told (RFC 1122 §3.2.2): ICMP itself but for
 * echo requests, and what was not sent from one host to one host.
 */
export function unreachable(packet: ReceivedPacket, code: number): Ipv4Packet | undefined {
  const { station, source, destination, protocol, bytes, headerSize, payload } = packet;
  if (protocol === PROTOCOLS.icmp && payload[0] !== TYPES.echoRequest) return undefined;
  if (!isUnicast(source) || !isUnicast(destination)) return undefined;
  return {
    station,
    source: isOurs(destination) ? destination : GATEWAY,
    destination: source,
    protocol: PROTOCOLS.icmp,
    payload: build(TYPES.unreachable, code, 0, bytes.subarray(0, headerSize + QUOTED)),
  };
}
