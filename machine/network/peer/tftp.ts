/** The TFTP server (RFC 1350, options of RFC 2347–2349 and 7440): reads of whole files in octet mode. */
import { bytes, listOf, record, u16, u32, u53, u8, type ValueOf } from "../../layout.ts";
import { join, readUnsigned, writeUnsigned } from "./big_endian.ts";
import type { PeerFiles } from "./files.ts";
import {
  SECOND,
  TFTP_BLOCK_MAX,
  TFTP_RETRIES_MAX,
  TFTP_TIMEOUT,
  TFTP_WINDOW_MAX,
  TRANSFERS_MAX,
} from "./limits.ts";
import { type Datagram, replyTo } from "./udp.ts";

/** The port to which requests go. */
export const TFTP_PORT = 69;

/** Transfers have ports of their own from here on (RFC 1350 §4), each the next one. */
const FIRST_PORT = 0xc000;

const OPERATIONS = { read: 1, write: 2, data: 3, acknowledge: 4, error: 5, options: 6 } as const;

/** What errors say, by code (RFC 1350 §5). */
const ERRORS = {
  undefined: [0, "only octet mode is served"],
  notFound: [1, "File not found"],
  accessViolation: [2, "Nothing can be written here"],
  illegal: [4, "Illegal TFTP operation"],
  unknownTransfer: [5, "Unknown transfer ID"],
} as const;

const BLOCK_DEFAULT = 512;

/** A file on its way. Blocks are counted from 1 without wrapping; a client's numbers are their lower 16 bits. */
const transfer = {
  station: u53,
  /** The client's address and port, and ours. */
  address: u32,
  port: u16,
  ownAddress: u32,
  ownPort: u16,
  content: u32,
  blockSize: u16,
  windowSize: u8,
  /** Nanoseconds before a window is sent again. */
  timeout: u53,
  /** The options acknowledgement, until the client has acknowledged it as block 0; empty when there is none. */
  options: bytes(128),
  acknowledged: u53,
  sent: u53,
  retries: u8,
  deadline: u53,
};
type Transfer = ValueOf<typeof transfer>;

/** The server's state. */
export const tftpFields = { transfers: listOf(record(transfer), TRANSFERS_MAX), nextTransferPort: u16 };

/** What a client asks for. */
interface ReadRequest {
  readonly path: string;
  readonly mode: string;
  readonly options: ReadonlyMap<string, string>;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function messageOf(operation: number, number: number, ...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const head = new Uint8Array(4);
  writeUnsigned(head, 0, 2, operation);
  writeUnsigned(head, 2, 2, number);
  return join(head, ...parts);
}

function errorOf(kind: keyof typeof ERRORS): Uint8Array {
  const [code, text] = ERRORS[kind];
  return messageOf(OPERATIONS.error, code, encoder.encode(`${text}\0`));
}

/** Strings after the operation, each ended by a zero: path, mode, then names and values; undefined without the first two. */
function parseRequest(payload: Uint8Array): ReadRequest | undefined {
  const [path, mode, ...rest] = decoder.decode(payload.subarray(2)).split("\0").slice(0, -1);
  if (path === undefined || mode === undefined) return undefined;
  const options = new Map<string, string>();
  for (let index = 0; index + 1 < rest.length; index += 2) {
    options.set((rest[index] as string).toLowerCase(), rest[index + 1] as string);
  }
  return { path, mode: mode.toLowerCase(), options };
}

/** The options that are known: whether a value is in range, and what is granted. */
// deno-fmt-ignore
const OPTION_ROWS: readonly (readonly [name: string, min: number, max: number, grant: (value: number, size: number) => number])[] = [
  ["blksize",    8, 65464,   (value) => Math.min(value, TFTP_BLOCK_MAX)],   // RFC 2348
  ["timeout",    1, 255,     (value) => value],                             // RFC 2349
  ["tsize",      0, 2 ** 40, (_value, size) => size],                       // RFC 2349
  ["windowsize", 1, 65535,   (value) => Math.min(value, TFTP_WINDOW_MAX)],  // RFC 7440
];

/** The options granted of those asked for, in our order; one that is out of range is as if it were not asked for. */
function grantOptions(asked: ReadonlyMap<string, string>, size: number): Map<string, number> {
  const granted = new Map<string, number>();
  for (const [name, min, max, grant] of OPTION_ROWS) {
    const text = asked.get(name);
    if (text === undefined || !/^[0-9]{1,13}$/.test(text)) continue;
    const value = Number(text);
    if (value >= min && value <= max) granted.set(name, grant(value, size));
  }
  return granted;
}

/** The server. */
export class TftpServer {
  #transfers: Transfer[] = [];
  #nextPort = FIRST_PORT;

  constructor(private readonly files: PeerFiles) {}

  /** Takes a datagram to TFTP_PORT at virtual time `now`; gives what is sent in return. */
  request(datagram: Datagram, now: number): Datagram[] {
    const { payload } = datagram;
    const operation = payload.length < 2 ? 0 : readUnsigned(payload, 0, 2);
    const fail = (kind: keyof typeof ERRORS) => [replyTo(datagram, errorOf(kind))];
    if (operation === OPERATIONS.error) return [];
    if (operation === OPERATIONS.write) return fail("accessViolation");
    const request = operation === OPERATIONS.read ? parseRequest(payload) : undefined;
    if (request === undefined) return fail("illegal");
    if (request.mode !== "octet") return fail("undefined");
    const content = this.files.file(request.path);
    if (content === undefined) return fail("notFound");
    return this.#begin(datagram, content, request.options, now);
  }

  #begin(datagram: Datagram, content: number, asked: ReadonlyMap<string, string>, now: number): Datagram[] {
    const { station, source: address, sourcePort: port, destination: ownAddress } = datagram;
    this.#transfers = this.#transfers.filter((other) => other.address !== address || other.port !== port);
    if (this.#transfers.length === TRANSFERS_MAX) this.#transfers.shift();
    const granted = grantOptions(asked, this.files.content(content).size);
    const text = Array.from(granted, ([name, value]) => `${name}\0${value}\0`).join("");
    const seconds = granted.get("timeout");
    const begun: Transfer = {
      station,
      address,
      port,
      ownAddress,
      ownPort: this.#nextPort,
      content,
      blockSize: granted.get("blksize") ?? BLOCK_DEFAULT,
      windowSize: granted.get("windowsize") ?? 1,
      timeout: seconds === undefined ? TFTP_TIMEOUT : seconds * SECOND,
      options: encoder.encode(text),
      acknowledged: 0,
      sent: 0,
      retries: 0,
      deadline: 0,
    };
    this.#nextPort = this.#nextPort === 0xffff ? FIRST_PORT : this.#nextPort + 1;
    this.#transfers.push(begun);
    return this.#send(begun, now);
  }

  /** Takes a datagram to another port at virtual time `now`; undefined when no transfer was ever there. */
  receive(datagram: Datagram, now: number): Datagram[] | undefined {
    if (datagram.destinationPort < FIRST_PORT) return undefined;
    const transfer = this.#transfers.find(({ ownPort }) => ownPort === datagram.destinationPort);
    // A late acknowledgement of a transfer that has ended: an answer could only disturb the client's next one.
    if (transfer === undefined) return [];
    if (transfer.address !== datagram.source || transfer.port !== datagram.sourcePort) {
      return [replyTo(datagram, errorOf("unknownTransfer"))];
    }
    const { payload } = datagram;
    const operation = payload.length < 4 ? 0 : readUnsigned(payload, 0, 2);
    if (operation === OPERATIONS.acknowledge) {
      return this.#acknowledge(transfer, readUnsigned(payload, 2, 2), now);
    }
    this.#end(transfer);
    return operation === OPERATIONS.error ? [] : [replyTo(datagram, errorOf("illegal"))];
  }

  /**
   * A block arrived, and with it those before. In a window it may be one that is known to be acknowledged: what came after
   * it was lost. One by one, that is ignored, or every block would soon go out twice (RFC 1123 §4.2.3.1).
   */
  #acknowledge(transfer: Transfer, number: number, now: number): Datagram[] {
    const { acknowledged, sent, windowSize, options } = transfer;
    const block = acknowledged + ((number - acknowledged) & 0xffff);
    const isExpected = options.length > 0
      ? block === 0
      : block <= sent && (block > acknowledged || windowSize > 1);
    if (!isExpected) return [];
    Object.assign(transfer, { acknowledged: block, sent: block, retries: 0, options: new Uint8Array(0) });
    if (block === this.#blocksOf(transfer)) {
      this.#end(transfer);
      return [];
    }
    return this.#send(transfer, now);
  }

  /** Blocks of a transfer; the last has fewer bytes than the others, none if need be. */
  #blocksOf({ content, blockSize }: Transfer): number {
    return Math.floor(this.files.content(content).size / blockSize) + 1;
  }

  /** Sends what is due: the options, or the rest of the window. */
  #send(transfer: Transfer, now: number): Datagram[] {
    const { station, address, port, ownAddress, ownPort, content, blockSize, windowSize, options } = transfer;
    transfer.deadline = now + transfer.timeout;
    const datagramOf = (payload: Uint8Array): Datagram => ({
      station,
      source: ownAddress,
      sourcePort: ownPort,
      destination: address,
      destinationPort: port,
      payload,
    });
    if (options.length > 0) {
      return [datagramOf(join(Uint8Array.of(0, OPERATIONS.options), options))];
    }
    const source = this.files.content(content);
    const last = Math.min(transfer.acknowledged + windowSize, this.#blocksOf(transfer));
    const datagrams: Datagram[] = [];
    for (; transfer.sent < last; transfer.sent++) {
      const from = transfer.sent * blockSize;
      const data = source.read(from, Math.min(blockSize, source.size - from));
      datagrams.push(datagramOf(messageOf(OPERATIONS.data, (transfer.sent + 1) & 0xffff, data)));
    }
    return datagrams;
  }

  #end(transfer: Transfer): void {
    this.#transfers = this.#transfers.filter((other) => other !== transfer);
  }

  /** The earliest virtual time at which a transfer waits no longer, or Infinity. */
  get deadline(): number {
    return Math.min(...this.#transfers.map(({ deadline }) => deadline));
  }

  /** Sends again what was not acknowledged by `now`, or gives the client up. */
  expire(now: number): Datagram[] {
    const due = this.#transfers.filter(({ deadline }) => deadline <= now);
    return due.flatMap((transfer) => {
      if (++transfer.retries > TFTP_RETRIES_MAX) {
        this.#end(transfer);
        return [];
      }
      transfer.sent = transfer.acknowledged;
      return this.#send(transfer, now);
    });
  }

  /** No transfer is under way. */
  reset(): void {
    this.#transfers = [];
    this.#nextPort = FIRST_PORT;
  }

  /** The state, for the peer's section. */
  get state(): ValueOf<typeof tftpFields> {
    return { transfers: this.#transfers, nextTransferPort: this.#nextPort };
  }

  set state({ transfers, nextTransferPort }: ValueOf<typeof tftpFields>) {
    for (const { content } of transfers) this.files.content(content);
    this.#transfers = transfers;
    this.#nextPort = nextTransferPort;
  }
}
