/** The state of a TCP connection (RFC 9293 §3.3): its layout, and what a SYN makes of it. */
import { bytes, flag, record, u16, u32, u53, u8, type ValueOf } from "../../layout.ts";
import { HTTP_REQUEST_MAX, TCP_SEGMENT_DEFAULT, TCP_SEGMENT_MAX, TCP_SEGMENT_MIN } from "./limits.ts";
import type { Segment } from "./tcp_segment.ts";

/**
 * The state of a connection. Positions count the numbers of our side from its SYN, which is at 0, without wrapping. The
 * states of RFC 9293 §3.3.2 are: SYN-RECEIVED while `acknowledged` is 0; FIN-WAIT and LAST-ACK once `closes`, when all is
 * sent; CLOSE-WAIT once `closed`; TIME-WAIT when our FIN is acknowledged and `closed` came after it.
 */
const connection = {
  station: u53,
  /** The guest's address and port, and ours. */
  address: u32,
  port: u16,
  ownAddress: u32,
  ownPort: u16,
  /** The number of our SYN. */
  initialSequence: u32,
  /** Positions: acknowledged by the guest, sent last, sent ever, and where what there is to send ends, FIN left out. */
  acknowledged: u53,
  sent: u53,
  highest: u53,
  end: u53,
  /** We send nothing after `end` but FIN. */
  closes: flag,
  /** The guest has sent its FIN. */
  closed: flag,
  /** It did so before ours. */
  closedFirst: flag,
  /** The guest's window, and sequence and acknowledgement of the segment that it came in. */
  window: u16,
  windowSequence: u32,
  windowAcknowledgement: u32,
  /** The largest segment to send. */
  segmentSize: u16,
  congestionWindow: u32,
  slowStartThreshold: u32,
  duplicates: u8,
  /** What had been sent when a loss was seen: until it is acknowledged, each acknowledgement names another (RFC 6582). */
  recovers: u53,
  /** The number expected next from the guest. */
  received: u32,
  /** What the guest sent and was not answered yet. */
  request: bytes(HTTP_REQUEST_MAX),
  /** The response: position of its first byte, head, and the part of some contents that is its body. */
  responseStart: u53,
  head: bytes(1024),
  content: u32,
  contentStart: u53,
  retries: u8,
  deadline: u53,
};

/** The layout of a connection. */
export const connectionFields: ReturnType<typeof record<typeof connection>> = record(connection);

/** The state of a connection. */
export type ConnectionState = ValueOf<typeof connection>;

/** The largest window without scaling, which is not offered. */
export const TCP_WINDOW_MAX = 0xffff;

/** The connection that a SYN opens at virtual time `now`; its first number follows the time (RFC 9293 §3.4.1). */
export function openConnection(syn: Segment, now: number): ConnectionState {
  const offered = syn.maximumSize === 0 ? TCP_SEGMENT_DEFAULT : syn.maximumSize;
  const segmentSize = Math.min(Math.max(offered, TCP_SEGMENT_MIN), TCP_SEGMENT_MAX);
  return {
    station: syn.station,
    address: syn.source,
    port: syn.sourcePort,
    ownAddress: syn.destination,
    ownPort: syn.destinationPort,
    initialSequence: Math.floor(now / 4000) % 2 ** 32,
    acknowledged: 0,
    sent: 0,
    highest: 0,
    end: 1,
    closes: false,
    closed: false,
    closedFirst: false,
    window: syn.window,
    windowSequence: syn.sequence,
    windowAcknowledgement: 0,
    segmentSize,
    congestionWindow: 10 * segmentSize,
    slowStartThreshold: TCP_WINDOW_MAX,
    duplicates: 0,
    recovers: 0,
    received: (syn.sequence + 1) >>> 0,
    request: new Uint8Array(0),
    responseStart: 1,
    head: new Uint8Array(0),
    content: 0,
    contentStart: 0,
    retries: 0,
    deadline: now,
  };
}
