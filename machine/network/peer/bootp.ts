/** DHCP messages on the wire: the frame of BOOTP (RFC 951), and options (RFC 2132). */
import { isStation } from "./addresses.ts";
import { headerLayout, join, readUnsigned } from "./big_endian.ts";

/** Types of messages (RFC 2132 §9.6). */
export const MESSAGES = {
  discover: 1,
  offer: 2,
  request: 3,
  decline: 4,
  ack: 5,
  nak: 6,
  release: 7,
  inform: 8,
} as const;

/** Numbers of options (RFC 2132). */
export const OPTIONS = {
  subnetMask: 1,
  router: 3,
  nameServer: 6,
  hostName: 12,
  broadcastAddress: 28,
  requestedAddress: 50,
  leaseTime: 51,
  messageType: 53,
  server: 54,
  vendorClass: 60,
  tftpServer: 66,
  bootFile: 67,
} as const;

/** Bytes of the shortest message that every client takes (RFC 1542 §2.1). */
export const BOOTP_SIZE_MIN = 300;

/** A client's message, as far as the server looks at it. */
export interface BootpMessage {
  /** Chosen by the client, repeated in the answer. */
  readonly transaction: number;
  /** Seconds and flags of the client. */
  readonly flags: number;
  /** The client cannot take unicast yet. */
  readonly wantsBroadcast: boolean;
  /** The client's address, when it has one that it can answer for; 0 otherwise. */
  readonly clientAddress: number;
  /** The client's Ethernet address. */
  readonly station: number;
  /** Type of message; undefined in one of plain BOOTP, which is not served. */
  readonly type: number | undefined;
  /** The server it is for. */
  readonly server: number | undefined;
  /** The address that the client would like. */
  readonly requestedAddress: number | undefined;
  /** What kind of client it is. */
  readonly vendorClass: string;
}

/** What the server adds. */
export interface BootpReply {
  /** Repeated from the client's message. */
  readonly clientAddress: number;
  /** The address lent; 0 for none. */
  readonly address: number;
  /** The server to boot from. */
  readonly server: number;
  /** The file to load from it. */
  readonly bootFile: string | undefined;
  /** Options in order. */
  readonly options: readonly (readonly [number: number, value: Uint8Array])[];
}

const header = headerLayout({
  operation: 1,
  hardware: 1,
  hardwareLength: 1,
  hops: 1,
  transaction: 4,
  seconds: 2,
  flags: 2,
  clientAddress: 4,
  address: 4,
  serverAddress: 4,
  relayAddress: 4,
  station: 6,
});

const REQUEST = 1;
const REPLY = 2;
const ETHERNET = 1;
const STATION_SIZE = 6;
const BROADCAST = 0x8000;

/** What follows the station: padding to 16 bytes, the server's name, the file's name, the cookie, then options. */
const STATION_PADDING = 10;
const SERVER_NAME_SIZE = 64;
const FILE_NAME_SIZE = 128;
const COOKIE = Uint8Array.of(99, 130, 83, 99);
const COOKIE_AT = header.size + STATION_PADDING + SERVER_NAME_SIZE + FILE_NAME_SIZE;

const PAD = 0;
const END = 255;

const encoder = new TextEncoder();

/** Options by number: the last of each; what does not fit in the message is not there. */
function parseOptions(bytes: Uint8Array): Map<number, Uint8Array> {
  const options = new Map<number, Uint8Array>();
  for (let at = 0; at < bytes.length && bytes[at] !== END;) {
    const number = bytes[at] as number;
    if (number === PAD) {
      at++;
      continue;
    }
    const length = bytes[at + 1];
    if (length === undefined || at + 2 + length > bytes.length) break;
    options.set(number, bytes.subarray(at + 2, at + 2 + length));
    at += 2 + length;
  }
  return options;
}

function numberOf(option: Uint8Array | undefined, size: number): number | undefined {
  return option?.length === size ? readUnsigned(option, 0, size) : undefined;
}

/** Reads a client's message; undefined when it is none, or came through a relay. */
export function parseBootp(bytes: Uint8Array): BootpMessage | undefined {
  const fields = header.read(bytes);
  if (fields === undefined || fields.operation !== REQUEST || fields.hardware !== ETHERNET) return undefined;
  if (fields.hardwareLength !== STATION_SIZE || fields.relayAddress !== 0 || !isStation(fields.station)) {
    return undefined;
  }
  if (COOKIE.some((byte, index) => bytes[COOKIE_AT + index] !== byte)) return undefined;
  const options = parseOptions(bytes.subarray(COOKIE_AT + COOKIE.length));
  const { transaction, flags, clientAddress, station } = fields;
  return {
    transaction,
    flags,
    wantsBroadcast: (flags & BROADCAST) !== 0,
    clientAddress,
    station,
    type: numberOf(options.get(OPTIONS.messageType), 1),
    server: numberOf(options.get(OPTIONS.server), 4),
    requestedAddress: numberOf(options.get(OPTIONS.requestedAddress), 4),
    vendorClass: String.fromCharCode(...options.get(OPTIONS.vendorClass) ?? []),
  };
}

/** Lays an answer to `request` out. */
export function buildBootp(request: BootpMessage, reply: BootpReply): Uint8Array<ArrayBuffer> {
  const file = new Uint8Array(FILE_NAME_SIZE);
  file.set(encoder.encode(reply.bootFile ?? "").subarray(0, FILE_NAME_SIZE - 1));
  const options = reply.options.map(([number, value]) => join(Uint8Array.of(number, value.length), value));
  return header.build(
    {
      operation: REPLY,
      hardware: ETHERNET,
      hardwareLength: STATION_SIZE,
      hops: 0,
      transaction: request.transaction,
      seconds: 0,
      flags: request.flags,
      clientAddress: reply.clientAddress,
      address: reply.address,
      serverAddress: reply.server,
      relayAddress: 0,
      station: request.station,
    },
    new Uint8Array(STATION_PADDING + SERVER_NAME_SIZE),
    file,
    COOKIE,
    ...options,
    Uint8Array.of(END),
  );
}
