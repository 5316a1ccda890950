/** Serves debuggers: a socket on loopback, or standard input and output, one client at a time. */
import { CommandError } from "../errors.ts";
import { reasonOf } from "./file_source.ts";
import type { Host } from "./host.ts";

/** Servers are for programs of the same computer: whoever connects sees the whole machine. */
const LOOPBACK = "127.0.0.1";
/** Bytes that may wait for a client that does not read; one with more is gone. */
const MOST_WAITING = 1 << 24;

/** Milliseconds without a packet after which there is time for other things. */
const PAUSE = 300;
/** Milliseconds to wait where nothing is to be done but for packets. */
const LONG = 60_000;

/** Milliseconds that a client may take to read what is still on its way when its session ends. */
const PATIENCE = 2000;

/** The way to a client. */
export interface Channel {
  /** Begins to read: bytes as they come, then `onEnd` once. */
  start(onBytes: (bytes: Uint8Array) => void, onEnd: () => void): void;
  /** Sends bytes, in order; what cannot be sent is lost, and the end of the client is seen by reading. */
  write(bytes: Uint8Array): void;
  /** Lets what was written go out, then closes. */
  close(): Promise<void>;
}

/** A client's session, which knows no channel. */
export interface ServedSession {
  /** The client has gone, or wants to. */
  readonly isClosed: boolean;
  /** Something is being worked on: `advance` is to be called. */
  readonly isBusy: boolean;
  /** What is debugged. */
  readonly target?: {
    /** One that others let run says when there is something to be looked at. */
    listen?(rouse: () => void): void;
    /** Does something useful while there is nothing to do; false when nothing is left. */
    idle?(): boolean;
  };
  /** Takes bytes from the client. */
  receive(bytes: Uint8Array): void;
  /** Works on for a slice. */
  advance(): void;
  /** Nothing is to be done: does a little of what may be wanted later; false when there is nothing of the sort. */
  idle?(): boolean;
  /** Ends the session. */
  close(): void;
}

/** The client that started this process, `target remote | hindsight gdb RUN --stdio`. */
export function standardChannel({ stdin, stdout }: Host): Channel {
  return {
    start: (onBytes, onEnd) => stdin.start(onBytes, onEnd),
    write: (bytes) => stdout.write(bytes),
    close: () => Promise.resolve(),
  };
}

function socketChannel(connection: Deno.TcpConn): Channel {
  let writing = Promise.resolve(), waiting = 0, isClosed = false;
  const close = (): void => {
    if (isClosed) return;
    isClosed = true;
    connection.close();
  };
  const send = async (bytes: Uint8Array): Promise<void> => {
    try {
      for (let at = 0; at < bytes.length && !isClosed;) at += await connection.write(bytes.subarray(at));
    } catch {
      close();
    }
    waiting -= bytes.length;
  };
  return {
    async start(onBytes, onEnd) {
      const buffer = new Uint8Array(1 << 16);
      try {
        for (;;) {
          const count = await connection.read(buffer);
          if (count === null) break;
          onBytes(buffer.slice(0, count));
        }
      } catch {
        // A connection that broke is one that has ended.
      }
      onEnd();
    },
    write(bytes) {
      waiting += bytes.length;
      if (waiting > MOST_WAITING) return close();
      writing = writing.then(() => send(bytes));
    },
    async close() {
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, PATIENCE);
      await Promise.race([writing, promise]);
      clearTimeout(timer);
      close();
    },
  };
}

/** Serves one client until it goes, or `until` is aborted; `sessionOf` is given how to send. */
export async function serveClient(
  channel: Channel,
  sessionOf: (send: (bytes: Uint8Array) => void) => ServedSession,
  host: Host,
  until: AbortSignal,
): Promise<void> {
  const session = sessionOf((bytes) => channel.write(bytes));
  let isGone = false, hasMore = true, pause = PAUSE, wake = new AbortController();
  const rouse = (): void => {
    wake.abort();
    wake = new AbortController();
  };
  until.addEventListener("abort", rouse);
  const { target } = session;
  target?.listen?.(rouse);
  channel.start((bytes) => {
    session.receive(bytes);
    rouse();
  }, () => {
    isGone = true;
    rouse();
  });
  while (!isGone && !session.isClosed && !until.aborted) {
    if (session.isBusy) session.advance();
    // What others let run says when there is something to be looked at.
    if (session.isBusy && target?.listen === undefined) await host.breathe();
    else if (!session.isClosed) {
      const { signal } = wake;
      await host.sleep(hasMore ? pause : LONG, signal);
      pause = signal.aborted ? PAUSE : 0;
      if (hasMore && !signal.aborted && !session.isBusy) {
        hasMore = session.idle?.() ?? target?.idle?.() ?? false;
      }
    }
  }
  session.close();
  until.removeEventListener("abort", rouse);
  await channel.close();
}

/** A port on which gdb may connect. */
export class GdbPort {
  private constructor(private readonly listener: Deno.TcpListener) {}

  /** Listens; port 0 is one that is free. Throws CommandError naming the port and why it cannot be had. */
  static open(port: number): GdbPort {
    const address = `${LOOPBACK}:${port}`;
    if (Deno.permissions.querySync({ name: "net", host: address }).state !== "granted") {
      throw new CommandError(
        `Cannot listen on ${address}: Deno was not given permission; run with --allow-net=${LOOPBACK}, or use --stdio`,
      );
    }
    try {
      return new GdbPort(Deno.listen({ hostname: LOOPBACK, port }));
    } catch (error) {
      const reason = error instanceof Deno.errors.AddrInUse ? "the port is in use" : reasonOf(error);
      throw new CommandError(`Cannot listen on ${address}: ${reason}; --port 0 takes one that is free`);
    }
  }

  /** The port's number. */
  get port(): number {
    return this.listener.addr.port;
  }

  /** The next client; undefined once the port is closed. */
  async accept(): Promise<Channel | undefined> {
    try {
      const connection = await this.listener.accept();
      connection.setNoDelay(true);
      return socketChannel(connection);
    } catch {
      return undefined;
    }
  }

  /** Takes no more clients. */
  close(): void {
    try {
      this.listener.close();
    } catch {
      // It is closed already.
    }
  }
}
