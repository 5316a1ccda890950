/** The DHCP server (RFC 2131, options of RFC 2132): QEMU's addresses, lent by Ethernet address. */
import { listOf, record, u53, type ValueOf } from "../../layout.ts";
import {
  ALL_STATIONS,
  dotted,
  FIRST_GUEST,
  GATEWAY,
  LIMITED_BROADCAST,
  NAME_SERVER,
  SUBNET_BROADCAST,
  SUBNET_MASK,
} from "./addresses.ts";
import { join, writeUnsigned } from "./big_endian.ts";
import { BOOTP_SIZE_MIN, type BootpMessage, buildBootp, MESSAGES, OPTIONS, parseBootp } from "./bootp.ts";
import { LEASE_SECONDS, LEASES_MAX, OFFER_TIME, SECOND } from "./limits.ts";
import type { Datagram } from "./udp.ts";

/** The server's port. */
export const DHCP_PORT = 67;
const CLIENT_PORT = 68;

/** An address that is lent, offered or, by nobody's station, out of use. */
const lease = { station: u53, until: u53 };
type Lease = ValueOf<typeof lease>;

/** The server's state: leases in the order of their addresses; one that never was has ended at 0. */
export const dhcpFields = { leases: listOf(record(lease), LEASES_MAX) };

/** Who found its address in use by another (RFC 2131 §3.1, DECLINE). */
const NOBODY = 0;

const encoder = new TextEncoder();
/** What a client is called that has no name of its own. */
const HOST_NAME = "guest";
/** The class of clients that boot by HTTP (UEFI Specification §24.7.3), and of answers to them. */
const HTTP_CLIENT = "HTTPClient";

function number32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  writeUnsigned(bytes, 0, 4, value);
  return bytes;
}

/** The server. */
export class DhcpServer {
  #leases: Lease[] = [];

  /** `bootFile` is what clients are told to load. */
  constructor(private readonly bootFile: string | undefined) {
    this.reset();
  }

  /** Answers a message from a client at virtual time `now`. */
  answer(datagram: Datagram, now: number): Datagram | undefined {
    const request = parseBootp(datagram.payload);
    if (request === undefined) return undefined;
    const { type } = request;
    if (type === MESSAGES.discover) return this.#offer(request, now);
    if (type === MESSAGES.request) return this.#lend(request, now);
    if (type === MESSAGES.inform) {
      return reply(request, MESSAGES.ack, request.clientAddress, 0, this.#options(request));
    }
    if (type === MESSAGES.release) this.#end(request, NOBODY, 0);
    if (type === MESSAGES.decline) this.#end(request, NOBODY, now + LEASE_SECONDS * SECOND);
    return undefined;
  }

  /** The client's address, or the first free one for it; undefined when all are lent. */
  #indexFor(station: number, now: number): number | undefined {
    const known = this.#leases.findIndex((other) => other.station === station);
    const index = known < 0 ? this.#leases.findIndex(({ until }) => until <= now) : known;
    return index < 0 ? undefined : index;
  }

  #offer(request: BootpMessage, now: number): Datagram | undefined {
    const { station } = request;
    const index = this.#indexFor(station, now);
    if (index === undefined) return undefined;
    const { until } = this.#leases[index] as Lease;
    this.#leases[index] = { station, until: Math.max(until, now + OFFER_TIME) };
    return this.#grant(request, MESSAGES.offer, index);
  }

  /**
   * Lends what is asked for when it is the client's. Refuses another address: of a client that comes from elsewhere, too,
   * since there is no other server here. A client that takes another's offer gives ours back.
   */
  #lend(request: BootpMessage, now: number): Datagram | undefined {
    const { station, server, clientAddress } = request;
    if (server !== undefined && server !== GATEWAY) {
      this.#end(request, NOBODY, 0);
      return undefined;
    }
    const index = this.#indexFor(station, now);
    const wanted = request.requestedAddress ?? clientAddress;
    if (index === undefined || wanted !== FIRST_GUEST + index) return reply(request, MESSAGES.nak, 0, 0, []);
    this.#leases[index] = { station, until: now + LEASE_SECONDS * SECOND };
    return this.#grant(request, MESSAGES.ack, index);
  }

  #end({ station }: BootpMessage, holder: number, until: number): void {
    const index = this.#leases.findIndex((other) => other.station === station);
    if (index >= 0) this.#leases[index] = { station: holder, until };
  }

  #grant(request: BootpMessage, type: number, index: number): Datagram {
    const time = [OPTIONS.leaseTime, number32(LEASE_SECONDS)] as const;
    return reply(
      request,
      type,
      request.clientAddress,
      FIRST_GUEST + index,
      [time, ...this.#options(request)],
      this.bootFile,
    );
  }

  /** What a client is told of the network. */
  #options({ vendorClass }: BootpMessage): (readonly [number, Uint8Array])[] {
    const isHttp = vendorClass.startsWith(HTTP_CLIENT);
    const file = this.bootFile;
    const named = isHttp && file !== undefined ? `http://${dotted(GATEWAY)}/${file}` : file;
    return [
      [OPTIONS.subnetMask, number32(SUBNET_MASK)],
      [OPTIONS.router, number32(GATEWAY)],
      [OPTIONS.nameServer, number32(NAME_SERVER)],
      [OPTIONS.hostName, encoder.encode(HOST_NAME)],
      [OPTIONS.broadcastAddress, number32(SUBNET_BROADCAST)],
      ...(isHttp ? [[OPTIONS.vendorClass, encoder.encode(HTTP_CLIENT)] as const] : []),
      ...(named === undefined ? [] : [
        [OPTIONS.tftpServer, encoder.encode(dotted(GATEWAY))] as const,
        [OPTIONS.bootFile, encoder.encode(named)] as const,
      ]),
    ];
  }

  /** No address is lent. */
  reset(): void {
    this.#leases = Array.from({ length: LEASES_MAX }, () => ({ station: NOBODY, until: 0 }));
  }

  /** The state, for the peer's section. */
  get state(): ValueOf<typeof dhcpFields> {
    return { leases: this.#leases };
  }

  set state({ leases }: ValueOf<typeof dhcpFields>) {
    this.#leases = leases;
  }
}

/** Lays a reply out and says where it goes (RFC 2131 §4.1). */
function reply(
  request: BootpMessage,
  type: number,
  clientAddress: number,
  address: number,
  options: readonly (readonly [number, Uint8Array])[],
  bootFile?: string,
): Datagram {
  const isKnown = type !== MESSAGES.nak && clientAddress !== 0;
  const isBroadcast = type === MESSAGES.nak || (!isKnown && request.wantsBroadcast);
  const all = [
    [OPTIONS.messageType, Uint8Array.of(type)],
    [OPTIONS.server, number32(GATEWAY)],
    ...options,
  ] as const;
  const payload = buildBootp(request, { clientAddress, address, server: GATEWAY, bootFile, options: all });
  const padding = new Uint8Array(Math.max(0, BOOTP_SIZE_MIN - payload.length));
  return {
    station: isBroadcast ? ALL_STATIONS : request.station,
    source: GATEWAY,
    sourcePort: DHCP_PORT,
    destination: isBroadcast ? LIMITED_BROADCAST : isKnown ? clientAddress : address,
    destinationPort: CLIENT_PORT,
    payload: join(payload, padding),
  };
}
