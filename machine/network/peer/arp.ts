/** Address resolution (RFC 826): who asks for one of our addresses is told its station. */
import { isOurs, stationOf } from "./addresses.ts";
import { headerLayout } from "./big_endian.ts";
import { ETHER_TYPES, type EthernetFrame } from "./ethernet.ts";

const packet = headerLayout({
  hardware: 2,
  protocol: 2,
  hardwareLength: 1,
  protocolLength: 1,
  operation: 2,
  senderStation: 6,
  senderAddress: 4,
  targetStation: 6,
  targetAddress: 4,
});

const REQUEST = 1;
const REPLY = 2;
/** Of Ethernet and IPv4 addresses. */
const KIND = { hardware: 1, protocol: ETHER_TYPES.ipv4, hardwareLength: 6, protocolLength: 4 };

/** Answers a request for one of our addresses; the answer goes to the station that sent the frame. */
export function answerArp({ source, payload }: EthernetFrame): EthernetFrame | undefined {
  const request = packet.read(payload);
  if (request === undefined || request.operation !== REQUEST || !isOurs(request.targetAddress)) {
    return undefined;
  }
  const isOfKind = Object.entries(KIND).every(([name, value]) =>
    request[name as keyof typeof KIND] === value
  );
  if (!isOfKind) return undefined;
  const station = stationOf(request.targetAddress);
  return {
    destination: source,
    source: station,
    type: ETHER_TYPES.arp,
    payload: packet.build({
      ...KIND,
      operation: REPLY,
      senderStation: station,
      senderAddress: request.targetAddress,
      targetStation: request.senderStation,
      targetAddress: request.senderAddress,
    }),
  };
}
