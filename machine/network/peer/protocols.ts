/** The peer's protocols from frame to frame, without the time that frames take: tables from number to service. */
import type { ValueOf } from "../../layout.ts";
import {
  ALL_STATIONS,
  GATEWAY,
  isOurs,
  isUnicast,
  LIMITED_BROADCAST,
  NAME_SERVER,
  stationOf,
  SUBNET_BROADCAST,
} from "./addresses.ts";
import { answerArp } from "./arp.ts";
import { DHCP_PORT, dhcpFields, DhcpServer } from "./dhcp.ts";
import { answerDns, DNS_PORT } from "./dns.ts";
import { buildEthernet, ETHER_TYPES, type EthernetFrame, parseEthernet } from "./ethernet.ts";
import type { PeerFiles } from "./files.ts";
import { answerIcmp, UNREACHABLE, unreachable } from "./icmp.ts";
import { buildIpv4, type Ipv4Packet, parseIpv4, PROTOCOLS, type ReceivedPacket } from "./ipv4.ts";
import { tcpFields, TcpServer } from "./tcp.ts";
import { buildTcp, parseTcp } from "./tcp_segment.ts";
import { TFTP_PORT, tftpFields, TftpServer } from "./tftp.ts";
import { buildUdp, type Datagram, parseUdp } from "./udp.ts";

/** The state of all protocols. */
export const protocolFields = { ...dhcpFields, ...tftpFields, ...tcpFields };

/** A service at a UDP port of one of our addresses, or of all when a broadcast reaches it. */
interface UdpService {
  readonly port: number;
  readonly address: number;
  readonly serve: (datagram: Datagram, now: number) => Datagram[];
}

/** One answer or none, as a list. */
function listOfOne<T>(answer: T | undefined): T[] {
  return answer === undefined ? [] : [answer];
}

/** Everything that speaks. */
export class PeerProtocols {
  readonly #dhcp: DhcpServer;
  readonly #tftp: TftpServer;
  readonly #tcp: TcpServer;
  readonly #udpServices: readonly UdpService[];
  /** By EtherType; others, IPv6 among them, are not spoken here. */
  readonly #etherTypes: ReadonlyMap<number, (frame: EthernetFrame, now: number) => EthernetFrame[]> = new Map(
    [
      [ETHER_TYPES.arp, (frame: EthernetFrame) => listOfOne(answerArp(frame))],
      [ETHER_TYPES.ipv4, (frame: EthernetFrame, now: number) => this.#receiveIpv4(frame, now).map(frameOf)],
    ],
  );
  readonly #ipProtocols: ReadonlyMap<number, (packet: ReceivedPacket, now: number) => Ipv4Packet[]> = new Map(
    [
      [PROTOCOLS.icmp, (packet: ReceivedPacket) => listOfOne(answerIcmp(packet))],
      [PROTOCOLS.tcp, (packet: ReceivedPacket, now: number) => this.#receiveTcp(packet, now)],
      [PROTOCOLS.udp, (packet: ReceivedPacket, now: number) => this.#receiveUdp(packet, now)],
    ],
  );

  /** What is served, and what DHCP tells to boot. */
  constructor(files: PeerFiles, bootFile: string | undefined) {
    this.#dhcp = new DhcpServer(bootFile);
    this.#tftp = new TftpServer(files);
    this.#tcp = new TcpServer(files);
    this.#udpServices = [
      {
        port: DHCP_PORT,
        address: GATEWAY,
        serve: (datagram, now) => listOfOne(this.#dhcp.answer(datagram, now)),
      },
      { port: DNS_PORT, address: NAME_SERVER, serve: (datagram) => listOfOne(answerDns(datagram)) },
      { port: TFTP_PORT, address: GATEWAY, serve: (datagram, now) => this.#tftp.request(datagram, now) },
    ];
  }

  /** Takes a frame from the guest at virtual time `now`; gives those sent in return. */
  receive(bytes: Uint8Array, now: number): Uint8Array[] {
    const frame = parseEthernet(bytes);
    if (frame === undefined) return [];
    const { destination } = frame;
    const isForUs = destination === ALL_STATIONS || destination === stationOf(GATEWAY) ||
      destination === stationOf(NAME_SERVER);
    return isForUs ? (this.#etherTypes.get(frame.type)?.(frame, now) ?? []).map(buildEthernet) : [];
  }

  #receiveIpv4({ payload, source, destination }: EthernetFrame, now: number): Ipv4Packet[] {
    const packet = parseIpv4(payload, source);
    if (packet === undefined) return [];
    const isBroadcast = packet.destination === LIMITED_BROADCAST || packet.destination === SUBNET_BROADCAST;
    const isHere = isOurs(packet.destination);
    if (destination === ALL_STATIONS || isBroadcast) {
      return packet.protocol === PROTOCOLS.udp && (isBroadcast || isHere)
        ? this.#receiveUdp(packet, now)
        : [];
    }
    if (!isHere) return listOfOne(unreachable(packet, UNREACHABLE.network));
    const receive = this.#ipProtocols.get(packet.protocol);
    return receive?.(packet, now) ?? listOfOne(unreachable(packet, UNREACHABLE.protocol));
  }

  #receiveUdp(packet: ReceivedPacket, now: number): Ipv4Packet[] {
    const datagram = parseUdp(packet);
    if (datagram === undefined) return [];
    const { destination, destinationPort } = datagram;
    const service = this.#udpServices.find(({ port }) => port === destinationPort);
    if (destinationPort === DHCP_PORT) return service?.serve(datagram, now).map(buildUdp) ?? [];
    if (!isUnicast(datagram.source)) return [];
    const answers = service?.address === destination
      ? service.serve(datagram, now)
      : this.#tftp.receive(datagram, now);
    return answers?.map(buildUdp) ?? listOfOne(unreachable(packet, UNREACHABLE.port));
  }

  #receiveTcp(packet: ReceivedPacket, now: number): Ipv4Packet[] {
    const segment = parseTcp(packet);
    if (segment === undefined || !isUnicast(segment.source)) return [];
    return this.#tcp.receive(segment, now).map(buildTcp);
  }

  /** The earliest virtual time at which something is sent without being asked, or Infinity. */
  get deadline(): number {
    return Math.min(this.#tftp.deadline, this.#tcp.deadline);
  }

  /** What is sent at `now` because no answer came. */
  expire(now: number): Uint8Array[] {
    const packets = [...this.#tftp.expire(now).map(buildUdp), ...this.#tcp.expire(now).map(buildTcp)];
    return packets.map((packet) => buildEthernet(frameOf(packet)));
  }

  /** Nobody has spoken yet. */
  reset(): void {
    for (const server of [this.#dhcp, this.#tftp, this.#tcp]) server.reset();
  }

  /** The state, for the peer's section. */
  get state(): ValueOf<typeof protocolFields> {
    return { ...this.#dhcp.state, ...this.#tftp.state, ...this.#tcp.state };
  }

  set state({ leases, transfers, nextTransferPort, connections }: ValueOf<typeof protocolFields>) {
    this.#dhcp.state = { leases };
    this.#tftp.state = { transfers, nextTransferPort };
    this.#tcp.state = { connections };
  }
}

/** The frame of a packet to the guest. */
function frameOf(packet: Ipv4Packet): EthernetFrame {
  return {
    destination: packet.station,
    source: stationOf(packet.source),
    type: ETHER_TYPES.ipv4,
    payload: buildIpv4(packet),
  };
}
