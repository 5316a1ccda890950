/** A cable from QEMU's network card to the inner peer: frames over a Unix socket, the peer's clock driven by the host's. */
import { Clock } from "../../../machine/clock.ts";
import { EventHub, type MachineEvent } from "../../../machine/events.ts";
import type { ConversationFrame } from "../../machine/network/conversation.ts";
import type { ServedFile } from "../../../machine/network/peer/files.ts";
import { UserNetwork } from "../../../machine/network/peer/user_network.ts";

/** Answers that are due this soon are delivered at once: the host's timers are too coarse for them. */
const AT_ONCE = 2_000_000;
/** The peer's clock is looked at this often, in milliseconds. */
const TICK = 5;

/** What a peer serves. */
export interface PeerOptions {
  readonly files: readonly ServedFile[];
  readonly bootFile?: string;
}

/** A peer at a socket that QEMU connects to with `-netdev stream,addr.type=unix,addr.path=…`. */
export class Cable {
  /** All that went over it. */
  readonly frames: ConversationFrame[] = [];
  readonly #clock = new Clock();
  readonly #network: UserNetwork;
  readonly #listener: Deno.UnixListener;
  readonly #begin = performance.now();

  constructor(path: string, { files, bootFile }: PeerOptions) {
    const events = new EventHub(this.#clock);
    events.add({ classes: ["detail"], observe: (event) => this.#keep(event) });
    this.#network = new UserNetwork({ name: "net0", files, bootFile, clock: this.#clock, events });
    this.#network.reset();
    this.#listener = Deno.listen({ transport: "unix", path });
  }

  #keep(event: MachineEvent): void {
    if (event.kind !== "networkFrameTransmitted" && event.kind !== "networkFrameDelivered") return;
    const isFromGuest = event.kind === "networkFrameTransmitted";
    this.frames.push({ time: this.#clock.now, isFromGuest, bytes: event.bytes });
  }

  /** Lets virtual time follow the host's, or run ahead to what is due at once. */
  #advance(): void {
    const clock = this.#clock;
    const target = Math.floor((performance.now() - this.#begin) * 1e6);
    while (clock.earliestDeadline <= Math.max(target, clock.now + AT_ONCE)) {
      clock.skipTo(Math.max(clock.now, clock.earliestDeadline));
      clock.serveAlarms();
    }
    if (target > clock.now) clock.skipTo(target);
  }

  /** Serves one guest until it hangs up. */
  async serve(): Promise<void> {
    const connection = await this.#listener.accept();
    const out: Uint8Array[] = [];
    this.#network.connect({ receive: (frame) => void out.push(frame) });
    let isWriting = false, isOver = false;
    const flush = async () => {
      if (isWriting) return;
      isWriting = true;
      try {
        for (let frame = out.shift(); frame !== undefined && !isOver; frame = out.shift()) {
          const message = new Uint8Array(4 + frame.length);
          new DataView(message.buffer).setUint32(0, frame.length);
          message.set(frame, 4);
          for (let at = 0; at < message.length;) at += await connection.write(message.subarray(at));
        }
      } catch {
        isOver = true;
      }
      isWriting = false;
    };
    const timer = setInterval(() => {
      this.#advance();
      flush();
    }, TICK);
    try {
      for await (const frame of framesOf(connection)) {
        this.#advance();
        this.#network.transmit(frame);
        this.#advance();
        flush();
      }
    } catch {
      // The guest was ended: what it said is kept.
    } finally {
      isOver = true;
      clearInterval(timer);
      this.#listener.close();
      try {
        connection.close();
      } catch {
        // Closed by the guest.
      }
    }
  }
}

/** Frames behind their lengths, 32 bits big-endian. */
async function* framesOf(connection: Deno.Conn): AsyncGenerator<Uint8Array> {
  let kept = new Uint8Array(0);
  const buffer = new Uint8Array(65536);
  for (;;) {
    const count = await connection.read(buffer);
    if (count === null) return;
    const all = new Uint8Array(kept.length + count);
    all.set(kept);
    all.set(buffer.subarray(0, count), kept.length);
    let at = 0;
    for (const view = new DataView(all.buffer); at + 4 <= all.length;) {
      const size = view.getUint32(at);
      if (at + 4 + size > all.length) break;
      yield all.slice(at + 4, at + 4 + size);
      at += 4 + size;
    }
    kept = all.slice(at);
  }
}
