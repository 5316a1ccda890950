/** The TCP server (RFC 9293): connections by the guest's address and port, a bounded number of them. */
import { listOf, type ValueOf } from "../../layout.ts";
import { GATEWAY } from "./addresses.ts";
import type { PeerFiles } from "./files.ts";
import { HTTP_PORT } from "./http.ts";
import { CONNECTIONS_MAX } from "./limits.ts";
import { TcpConnection } from "./tcp_connection.ts";
import { connectionFields, openConnection } from "./tcp_state.ts";
import { FLAGS, resetFor, type Segment } from "./tcp_segment.ts";

/** The server's state: connections in the order in which they were opened. */
export const tcpFields = { connections: listOf(connectionFields, CONNECTIONS_MAX) };

/** The server; it listens at one port of one address. */
export class TcpServer {
  #connections: TcpConnection[] = [];

  constructor(private readonly files: PeerFiles) {}

  /** Takes a segment at virtual time `now`; gives those sent in return. */
  receive(segment: Segment, now: number): Segment[] {
    const known = this.#connections.find(({ state }) =>
      state.address === segment.source && state.port === segment.sourcePort &&
      state.ownAddress === segment.destination && state.ownPort === segment.destinationPort
    );
    const isOpening = (segment.flags & (FLAGS.syn | FLAGS.ack | FLAGS.rst)) === FLAGS.syn;
    if (known !== undefined && !(isOpening && known.isWaiting)) {
      const segments = known.receive(segment, now);
      this.#forget();
      return segments;
    }
    if (!isOpening || segment.destination !== GATEWAY || segment.destinationPort !== HTTP_PORT) {
      return known === undefined ? resetFor(segment) : [];
    }
    return this.#open(segment, known, now);
  }

  /**
   * Opens a connection, in place of `previous` if its port is used again; when there are too many, in place of the oldest
   * that both sides have closed. A guest that is not answered asks again.
   */
  #open(syn: Segment, previous: TcpConnection | undefined, now: number): Segment[] {
    const isFull = this.#connections.length === CONNECTIONS_MAX;
    const oldest = previous ?? (isFull ? this.#connections.find(({ isWaiting }) => isWaiting) : undefined);
    if (isFull && oldest === undefined) return [];
    this.#connections = this.#connections.filter((other) => other !== oldest);
    const opened = new TcpConnection(openConnection(syn, now), this.files);
    this.#connections.push(opened);
    return opened.accept(now);
  }

  #forget(): void {
    this.#connections = this.#connections.filter(({ isOver }) => !isOver);
  }

  /** The earliest virtual time at which a connection waits no longer, or Infinity. */
  get deadline(): number {
    return Math.min(...this.#connections.map(({ state }) => state.deadline));
  }

  /** What is sent again at `now`. */
  expire(now: number): Segment[] {
    const due = this.#connections.filter(({ state }) => state.deadline <= now);
    const segments = due.flatMap((connection) => connection.expire(now));
    this.#forget();
    return segments;
  }

  /** No connection is open. */
  reset(): void {
    this.#connections = [];
  }

  /** The state, for the peer's section. */
  get state(): ValueOf<typeof tcpFields> {
    return { connections: this.#connections.map(({ state }) => state) };
  }

  set state({ connections }: ValueOf<typeof tcpFields>) {
    for (const { content } of connections) this.files.content(content);
    this.#connections = connections.map((state) => new TcpConnection(state, this.files));
  }
}
