/**
 * One TCP connection of the server's (RFC 9293), with congestion control (RFC 5681) and an HTTP server on top. What was
 * sent is not kept: a response is a head and a part of some contents, so that any byte of it can be had again.
 */
import { join } from "./big_endian.ts";
import type { PeerFiles } from "./files.ts";
import { answerHttp } from "./http.ts";
import {
  HTTP_REQUEST_MAX,
  TCP_IDLE_TIME,
  TCP_RETRANSMISSION_TIME,
  TCP_RETRIES_MAX,
  TCP_SEGMENT_MAX,
  TCP_TIME_WAIT,
} from "./limits.ts";
import { type ConnectionState, TCP_WINDOW_MAX } from "./tcp_state.ts";
import { ahead, FLAGS, lengthOf, resetFor, type Segment } from "./tcp_segment.ts";

const DUPLICATES_MAX = 3;
const NOTHING = new Uint8Array(0);

/** A connection at work; once `isOver` it is to be forgotten. */
export class TcpConnection {
  /** Nothing more is sent or expected. */
  isOver = false;
  /** The segment at work acknowledged less than `recovers`. */
  #isIncomplete = false;

  constructor(readonly state: ConnectionState, private readonly files: PeerFiles) {}

  /** TIME-WAIT: both sides have closed, and a copy of the last segments may come. */
  get isWaiting(): boolean {
    return this.state.closed && this.#isFinished();
  }

  /** The position after our FIN, or after what there is to send. */
  #last(): number {
    return this.state.end + (this.state.closes ? 1 : 0);
  }

  #isFinished(): boolean {
    return this.state.closes && this.state.acknowledged === this.#last();
  }

  /** Something is sent and not acknowledged, our SYN included, or cannot be sent for want of window. */
  #isBusy(): boolean {
    return this.state.acknowledged < this.#last();
  }

  #room(): number {
    return HTTP_REQUEST_MAX - this.state.request.length;
  }

  /** The first answer: SYN and ACK. */
  accept(now: number): Segment[] {
    this.#restartTimer(now);
    return [this.#segment(0, 0)];
  }

  /** Takes a segment at virtual time `now`; gives those sent in return (RFC 9293 §3.10.7.4). */
  receive(segment: Segment, now: number): Segment[] {
    const { state } = this;
    const offset = ahead(segment.sequence, state.received);
    const { flags } = segment;
    if (flags & FLAGS.rst) {
      if (offset === 0) this.isOver = true;
      return offset > 0 && offset < this.#room() ? [this.#acknowledgement()] : [];
    }
    const isNew = offset <= 0 && offset + lengthOf(segment) > 0;
    const isEmpty = lengthOf(segment) === 0 && offset >= 0 && offset <= this.#room();
    if (flags & FLAGS.syn) {
      return state.acknowledged === 0 && offset === -1 ? [this.#segment(0, 0)] : [this.#acknowledgement()];
    }
    if (!(flags & FLAGS.ack)) return [];
    if (!isNew && !isEmpty) return this.#refuse(segment, now);
    const wasBusy = this.#isBusy(), before = state.acknowledged;
    if (!this.#takeAcknowledgement(segment)) {
      return before === 0 ? resetFor(segment) : [this.#acknowledgement()];
    }
    const answers = isNew ? this.#takeData(segment, -offset) : false;
    this.#serve();
    return this.#finish(now, wasBusy && before === state.acknowledged, answers);
  }

  /** A segment that is old or too early: its acknowledgement counts, what it brings does not. */
  #refuse(segment: Segment, now: number): Segment[] {
    const before = this.state.acknowledged;
    if (ahead(segment.sequence, this.state.received) <= 0) {
      this.#takeAcknowledgement({ ...segment, payload: Uint8Array.of(0) });
    }
    this.#serve();
    return this.#finish(now, before === this.state.acknowledged && this.#isBusy(), true);
  }

  /** Sends what can be sent, sets the timer, and is over when both sides have closed. */
  #finish(now: number, keepsTimer: boolean, answers: boolean): Segment[] {
    const { state } = this;
    const segments = this.#output();
    if (this.#isFinished() && state.closedFirst) this.isOver = true;
    if (!keepsTimer) this.#restartTimer(now);
    return segments.length === 0 && answers ? [this.#acknowledgement()] : segments;
  }

  #restartTimer(now: number): void {
    const { state } = this;
    const kept = this.isWaiting ? TCP_TIME_WAIT : TCP_IDLE_TIME;
    state.deadline = now + (this.#isBusy() ? TCP_RETRANSMISSION_TIME : kept);
  }

  /** Acknowledgement and window; false when it acknowledges what was never sent. */
  #takeAcknowledgement({ acknowledgement, sequence, window, payload }: Segment): boolean {
    const { state } = this;
    const position = state.acknowledged +
      ahead(acknowledgement, (state.initialSequence + state.acknowledged) >>> 0);
    if (position > state.highest || (state.acknowledged === 0 && position !== 1)) return false;
    if (position < state.acknowledged) return true;
    const isDuplicate = position === state.acknowledged && payload.length === 0 && window === state.window &&
      state.sent > state.acknowledged;
    const isNewer = ahead(sequence, state.windowSequence) > 0 ||
      (sequence === state.windowSequence && ahead(acknowledgement, state.windowAcknowledgement) >= 0);
    if (isNewer) {
      state.window = window;
      state.windowSequence = sequence;
      state.windowAcknowledgement = acknowledgement;
    }
    state.retries = 0;
    if (position > state.acknowledged) this.#advance(position);
    else if (isDuplicate && state.duplicates < 255) state.duplicates++;
    return true;
  }

  /** New bytes were acknowledged: the congestion window opens (RFC 5681 §3.1). */
  #advance(position: number): void {
    const { state } = this;
    const { segmentSize, congestionWindow, slowStartThreshold } = state;
    const growth = congestionWindow < slowStartThreshold
      ? Math.min(position - state.acknowledged, segmentSize)
      : Math.max(1, Math.floor(segmentSize * segmentSize / congestionWindow));
    state.congestionWindow = Math.min(congestionWindow + growth, TCP_WINDOW_MAX);
    state.acknowledged = position;
    state.sent = Math.max(state.sent, position);
    state.duplicates = 0;
    this.#isIncomplete = position < state.recovers;
  }

  /** Data and FIN, their first `skipped` numbers known; true when the guest is to be told that they arrived. */
  #takeData({ payload, flags }: Segment, skipped: number): boolean {
    const { state } = this;
    const fresh = payload.subarray(skipped);
    const taken = state.closed ? NOTHING : fresh.subarray(0, this.#room());
    state.received = (state.received + taken.length) >>> 0;
    if (!state.closes) state.request = join(state.request, taken);
    if ((flags & FLAGS.fin) && taken.length === fresh.length && !state.closed) {
      state.closed = true;
      state.closedFirst = state.highest <= state.end;
      state.received = (state.received + 1) >>> 0;
    }
    return true;
  }

  /** Begins the next response when the one before has arrived; closes when no other request can come. */
  #serve(): void {
    const { state } = this;
    if (state.acknowledged === 0 || this.#isBusy() || state.closes) return;
    const response = state.request.length === 0 ? undefined : answerHttp(state.request, this.files);
    if (response === undefined) {
      state.closes = state.closed;
      return;
    }
    state.responseStart = state.end;
    state.head = response.head;
    state.content = response.content;
    state.contentStart = response.start;
    state.end += response.head.length + response.length;
    state.closes = response.closes;
    state.request = response.closes ? NOTHING : state.request.slice(response.requestSize);
  }

  /** Bytes of the response by position. */
  #bytes(position: number, size: number): Uint8Array {
    const { head, responseStart, content, contentStart } = this.state;
    const from = position - responseStart;
    const first = head.subarray(Math.min(from, head.length), from + size);
    if (first.length === size) return first;
    const offset = contentStart + Math.max(0, from - head.length);
    return join(first, this.files.content(content).read(offset, size - first.length));
  }

  /** Sends new data as far as windows let it, and FIN behind it; or again what three duplicates say is missing. */
  #output(): Segment[] {
    const { state } = this;
    const segments: Segment[] = [];
    if (state.acknowledged === 0) return segments;
    if (this.#seesLoss()) {
      segments.push(
        this.#segment(state.acknowledged, Math.min(state.segmentSize, this.#left(state.acknowledged))),
      );
    }
    for (;;) {
      const left = this.#left(state.sent), flight = state.sent - state.acknowledged;
      const room = Math.min(state.window, state.congestionWindow) - flight;
      const size = Math.min(left, state.segmentSize, Math.max(room, 0));
      // A short segment goes out only as the last one, or when nothing else is under way (RFC 9293 §3.8.6.2.1).
      const isWorthwhile = size === Math.min(left, state.segmentSize) || flight === 0;
      const isFin = left === 0 && state.closes && state.sent === state.end;
      if (!isFin && (size === 0 || !isWorthwhile)) return segments;
      segments.push(this.#segment(state.sent, size));
    }
  }

  /** Whether the first segment under way is lost: three duplicates say so, or an acknowledgement short of `recovers`. */
  #seesLoss(): boolean {
    const { state } = this;
    const isIncomplete = this.#isIncomplete;
    this.#isIncomplete = false;
    if (state.duplicates !== DUPLICATES_MAX || state.acknowledged < state.recovers) return isIncomplete;
    this.#shrink(state.highest - state.acknowledged);
    state.congestionWindow = state.slowStartThreshold;
    state.recovers = state.highest;
    state.duplicates++;
    return true;
  }

  #left(position: number): number {
    return Math.max(0, this.state.end - position);
  }

  #shrink(flight: number): void {
    const { state } = this;
    state.slowStartThreshold = Math.max(Math.floor(flight / 2), 2 * state.segmentSize);
  }

  /** The timer ran out at `now`: sends again, or gives the guest up. */
  expire(now: number): Segment[] {
    const { state } = this;
    if (!this.#isBusy() || state.retries === TCP_RETRIES_MAX) {
      this.isOver = true;
      return this.isWaiting ? [] : [this.#control(FLAGS.rst | FLAGS.ack)];
    }
    state.retries++;
    this.#shrink(state.highest - state.acknowledged);
    state.congestionWindow = state.segmentSize;
    state.duplicates = 0;
    state.recovers = 0;
    state.sent = state.acknowledged;
    this.#restartTimer(now);
    const size = Math.min(state.segmentSize, this.#left(state.sent), Math.max(state.window, 1));
    return [this.#segment(state.sent, state.sent === 0 ? 0 : size)];
  }

  /** A segment of `size` bytes at a position; SYN at the first, FIN behind the last. */
  #segment(position: number, size: number): Segment {
    const { state } = this;
    const isSyn = position === 0, after = position + size + (isSyn ? 1 : 0);
    const isFin = !isSyn && state.closes && after === state.end;
    state.sent = Math.max(state.sent, after + (isFin ? 1 : 0));
    state.highest = Math.max(state.highest, state.sent);
    const isLast = size > 0 && after === state.end;
    return {
      ...this.#control(
        FLAGS.ack | (isSyn ? FLAGS.syn : 0) | (isFin ? FLAGS.fin : 0) | (isLast ? FLAGS.psh : 0),
      ),
      sequence: (state.initialSequence + position) % 2 ** 32,
      maximumSize: isSyn ? TCP_SEGMENT_MAX : 0,
      payload: size === 0 ? NOTHING : this.#bytes(position, size),
    };
  }

  #acknowledgement(): Segment {
    return this.#control(FLAGS.ack);
  }

  /** A segment without data at the position after all that was sent. */
  #control(flags: number): Segment {
    const { state } = this;
    return {
      station: state.station,
      source: state.ownAddress,
      sourcePort: state.ownPort,
      destination: state.address,
      destinationPort: state.port,
      sequence: (state.initialSequence + state.highest) % 2 ** 32,
      acknowledgement: state.received,
      flags,
      window: this.#room(),
      maximumSize: 0,
      payload: NOTHING,
    };
  }
}
