/**
 * TCP for nodes in TypeScript (RFC 9293), as far as links without reordering need it: segments in order, retransmission
 * from the first that is not acknowledged, no congestion. Its state is plain values.
 */
import { ahead, FLAGS, lengthOf, type Segment } from "../../machine/network/peer/tcp_segment.ts";
import { join } from "../../machine/network/peer/big_endian.ts";

/** A connection. Numbers are TCP's, modulo 2^32. */
export interface Connection {
  /** Tells it from others of the station. */
  readonly id: number;
  /** Ours. */
  readonly port: number;
  /** The other end's IPv4 address. */
  readonly address: number;
  /** Its port. */
  readonly remotePort: number;
  /** We asked for it. */
  readonly isClient: boolean;
  /** The other end has answered. */
  isOpen: boolean;
  /** First number that is not acknowledged, SYN included. */
  unacknowledged: number;
  /** Next number to send. */
  next: number;
  /** Bytes from `unacknowledged` on (behind our SYN). */
  pending: Uint8Array;
  /** FIN is to follow them. */
  isClosing: boolean;
  /** It was sent, and `next` is behind it. */
  isFinSent: boolean;
  /** What the other end has room for. */
  window: number;
  /** Next number expected. */
  expected: number;
  /** The other end has closed. */
  isEnded: boolean;
  /** When something is sent again, or given up. */
  deadline: number;
  /** Retransmissions without an answer. */
  tries: number;
}

/** Times of a station, in nanoseconds. */
export interface TcpTimes {
  /** First wait for an acknowledgement; doubles. */
  readonly retransmission: number;
  /** A connection on which nothing comes for so long is given up. */
  readonly idle: number;
}

/** Why a connection is no more. */
export type Ending = "closed" | "reset" | "timeout";

/** What comes of a segment. */
export interface Outcome {
  /** What is sent in return. */
  readonly segments: Segment[];
  /** Data that arrived. */
  readonly data: Uint8Array;
  /** The connection is no more, and why. */
  readonly over?: Ending;
  /** The other end has just closed its direction. */
  readonly ended?: boolean;
}

const MOST_SEGMENT = 1460, MOST_IN_FLIGHT = 32 * MOST_SEGMENT, WINDOW = 65535, MOST_TRIES = 5;
const NOTHING = new Uint8Array(0);

/** A segment of a connection; `own` is the station's address. */
function segment(connection: Connection, own: number, fields: Partial<Segment>): Segment {
  const { port, address, remotePort, next, expected } = connection;
  return {
    station: 0,
    source: own,
    sourcePort: port,
    destination: address,
    destinationPort: remotePort,
    sequence: next,
    acknowledgement: expected,
    flags: FLAGS.ack,
    window: WINDOW,
    maximumSize: 0,
    payload: NOTHING,
    ...fields,
  };
}

/** The first segment of a connection: SYN, with ACK where the other end asked. */
export function opening(connection: Connection, own: number): Segment {
  const { isClient, unacknowledged } = connection;
  return segment(connection, own, {
    sequence: unacknowledged,
    acknowledgement: isClient ? 0 : connection.expected,
    flags: isClient ? FLAGS.syn : FLAGS.syn | FLAGS.ack,
    maximumSize: MOST_SEGMENT,
  });
}

/** What can be sent now. */
export function output(connection: Connection, own: number): Segment[] {
  const segments: Segment[] = [];
  if (!connection.isOpen) return segments;
  const { unacknowledged, pending, window } = connection, room = Math.min(window, MOST_IN_FLIGHT);
  for (;;) {
    const sent = ahead(connection.next, unacknowledged), left = pending.length - sent;
    const size = Math.min(MOST_SEGMENT, left, room - sent);
    if (size <= 0) break;
    segments.push(segment(connection, own, {
      payload: pending.subarray(sent, sent + size),
      flags: FLAGS.ack | (size === left ? FLAGS.psh : 0),
    }));
    connection.next = (connection.next + size) >>> 0;
  }
  const isAllSent = ahead(connection.next, unacknowledged) === pending.length;
  if (connection.isClosing && !connection.isFinSent && isAllSent) {
    segments.push(segment(connection, own, { flags: FLAGS.ack | FLAGS.fin }));
    connection.next = (connection.next + 1) >>> 0;
    connection.isFinSent = true;
  }
  return segments;
}

function wait(connection: Connection, now: number, { retransmission, idle }: TcpTimes): void {
  const isBusy = !connection.isOpen || connection.next !== connection.unacknowledged;
  connection.deadline = now + (isBusy ? retransmission * 2 ** connection.tries : idle);
}

/** A connection, open or to be opened; `first` is the number of its SYN. */
export function newConnection(
  given: Pick<Connection, "id" | "port" | "address" | "remotePort" | "isClient">,
  first: number,
  now: number,
  times: TcpTimes,
): Connection {
  const connection: Connection = {
    ...given,
    isOpen: false,
    unacknowledged: first >>> 0,
    next: first >>> 0,
    pending: NOTHING,
    isClosing: false,
    isFinSent: false,
    window: 0,
    expected: 0,
    isEnded: false,
    deadline: 0,
    tries: 0,
  };
  wait(connection, now, times);
  return connection;
}

/** Puts bytes behind those that wait; `output` then sends what it may. */
export function append(connection: Connection, bytes: Uint8Array, now: number, times: TcpTimes): void {
  connection.pending = join(connection.pending, bytes);
  wait(connection, now, times);
}

/** Whether a segment answers our SYN; the connection is open then. */
function opened(connection: Connection, { flags, sequence, acknowledgement }: Segment): boolean {
  const { isClient, unacknowledged } = connection;
  if (!(flags & FLAGS.ack) || acknowledgement !== (unacknowledged + 1) >>> 0) return false;
  if (isClient !== ((flags & FLAGS.syn) !== 0)) return false;
  if (isClient) connection.expected = (sequence + 1) >>> 0;
  connection.isOpen = true;
  connection.unacknowledged = connection.next = acknowledgement;
  connection.tries = 0;
  return true;
}

function acknowledge(connection: Connection, { acknowledgement, window }: Segment): void {
  const count = ahead(acknowledgement, connection.unacknowledged);
  connection.window = window;
  if (count <= 0 || count > ahead(connection.next, connection.unacknowledged)) return;
  connection.pending = connection.pending.slice(Math.min(count, connection.pending.length));
  connection.unacknowledged = acknowledgement;
  connection.tries = 0;
}

/** Takes a segment that is the connection's. */
export function receive(
  connection: Connection,
  given: Segment,
  own: number,
  now: number,
  times: TcpTimes,
): Outcome {
  const nothing = { segments: [], data: NOTHING };
  if (given.flags & FLAGS.rst) return { ...nothing, over: "reset" };
  const wasOpen = connection.isOpen;
  if (!wasOpen && !opened(connection, given)) {
    // A SYN that comes again: our answer was lost.
    return connection.isClient ? nothing : { ...nothing, segments: [opening(connection, own)] };
  }
  if (!(given.flags & FLAGS.ack)) return nothing;
  acknowledge(connection, given);
  const length = lengthOf(given) - (given.flags & FLAGS.syn ? 1 : 0);
  const offset = given.flags & FLAGS.syn ? 0 : ahead(given.sequence, connection.expected);
  const isNext = !connection.isEnded && offset <= 0 && offset + length > 0;
  const data = isNext ? given.payload.slice(-offset) : NOTHING;
  const ended = isNext && (given.flags & FLAGS.fin) !== 0;
  if (isNext) connection.expected = (connection.expected + offset + length) >>> 0;
  if (ended) connection.isEnded = true;
  const segments = output(connection, own), hasToAnswer = length > 0 || given.flags & FLAGS.syn;
  if (segments.length === 0 && hasToAnswer) segments.push(segment(connection, own, {}));
  wait(connection, now, times);
  const isOver = connection.isEnded && connection.isFinSent &&
    connection.unacknowledged === connection.next;
  return { segments, data, ...isOver ? { over: "closed" } : {}, ...ended ? { ended } : {} };
}

/** The deadline has passed: sends again, or gives up. */
export function expire(connection: Connection, own: number, now: number, times: TcpTimes): Outcome {
  const isBusy = !connection.isOpen || connection.next !== connection.unacknowledged;
  connection.tries++;
  if (!isBusy || connection.tries > MOST_TRIES) return { segments: [], data: NOTHING, over: "timeout" };
  connection.next = connection.unacknowledged;
  connection.isFinSent = false;
  const segments = connection.isOpen ? output(connection, own) : [opening(connection, own)];
  wait(connection, now, times);
  return { segments, data: NOTHING };
}
