/** A guest's half of TCP, plain and strict: opens, asks, acknowledges, and keeps the bytes of the answer in order. */
import { readTcp, tcp } from "./support.ts";

/** What a guest does otherwise. */
export interface GuestOptions {
  readonly sourcePort?: number;
  readonly window?: number;
  /** MSS that it offers. */
  readonly maximumSize?: number;
  /** Whether the n-th segment that comes is lost. */
  readonly loses?: (count: number) => boolean;
  /** Whether segments that come too early are thrown away. */
  readonly isForgetful?: boolean;
}

/** A guest that takes frames and gives frames. */
export class TcpGuest {
  readonly #options: GuestOptions;
  #sequence = 1000;
  #expected = 0;
  #count = 0;
  /** Segments that came too early, by their number. */
  readonly #early = new Map<number, { flags: string; data: Uint8Array }>();
  #request: Uint8Array;
  /** Bytes of the answer so far. */
  readonly data: number[] = [];
  /** Sizes of the segments with data that came. */
  readonly sizes: number[] = [];
  /** The server has closed. */
  isClosed = false;
  /** Reset by the server. */
  isReset = false;

  constructor(request: string, options: GuestOptions = {}) {
    this.#options = options;
    this.#request = new TextEncoder().encode(request);
  }

  #segment(flags: string, data: Uint8Array = new Uint8Array(0), options: readonly number[] = []): Uint8Array {
    const { sourcePort = 40000, window = 0xffff } = this.#options;
    const sequence = this.#sequence >>> 0, acknowledgement = this.#expected;
    return tcp({ sourcePort, sequence, acknowledgement, flags, window, data, options });
  }

  /** The first frame. */
  open(): Uint8Array {
    const { maximumSize = 1460 } = this.#options;
    return this.#segment("S", undefined, [2, 4, maximumSize >>> 8, maximumSize & 255]);
  }

  /** Asks another time on the same connection. */
  ask(request: string): Uint8Array {
    const data = new TextEncoder().encode(request);
    const frame = this.#segment("PA", data);
    this.#sequence += data.length;
    return frame;
  }

  /** Takes a frame of the server's; gives the frames sent in return. */
  take(frame: Uint8Array): Uint8Array[] {
    if (this.#options.loses?.(this.#count++)) return [];
    const { flags, sequence, data } = readTcp(frame);
    if (flags.includes("R")) {
      this.isReset = true;
      return [];
    }
    if (flags.includes("S")) {
      this.#sequence = 1001;
      this.#expected = (sequence + 1) >>> 0;
      const asks = this.#segment("PA", this.#request);
      this.#sequence += this.#request.length;
      return [asks];
    }
    if (data.length === 0 && !flags.includes("F")) return [];
    if (((this.#expected - sequence) | 0) <= 0 && !this.#options.isForgetful || sequence === this.#expected) {
      this.#early.set(sequence, { flags, data });
    }
    for (let next = this.#early.get(this.#expected); next !== undefined;) {
      this.#early.delete(this.#expected);
      this.data.push(...next.data);
      this.sizes.push(next.data.length);
      const isFin = next.flags.includes("F");
      this.#expected = (this.#expected + next.data.length + (isFin ? 1 : 0)) >>> 0;
      if (!isFin || this.isClosed) {
        next = this.#early.get(this.#expected);
        continue;
      }
      this.isClosed = true;
      const last = this.#segment("FA");
      this.#sequence++;
      return [last];
    }
    return [this.#segment("A")];
  }
}
