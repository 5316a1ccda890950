/** A serial line's bytes on their way into messages: those written within a time of the first go together. */

/** A message of bytes. */
export interface Gathered {
  /** When it is sent, in nanoseconds. */
  readonly time: number;
  /** Its bytes. */
  readonly bytes: Uint8Array;
}

/** A line's bytes at some time. */
export interface SerialLineMark {
  /** When the first of those not yet in a message was written. */
  readonly first: number;
  /** Those. */
  readonly bytes: readonly number[];
  /** Messages to be sent. */
  readonly ready: readonly Gathered[];
}

/** Most bytes of a message; what is more waits for the next. */
const MOST = 4096;

/** Gathers bytes by the time at which they were written, and by nothing else. */
export class SerialLine {
  #first = 0;
  #bytes: number[] = [];
  #ready: readonly Gathered[] = [];

  /** Bytes written within `span` nanoseconds of the first go together. */
  constructor(private readonly span: number) {}

  /** Adds a byte; times never go back. */
  add(byte: number, time: number): void {
    this.#close(time);
    if (this.#bytes.length === 0) this.#first = time;
    this.#bytes.push(byte);
    if (this.#bytes.length === MOST) this.#close(Infinity);
  }

  #close(time: number): void {
    if (this.#bytes.length === 0 || time < this.#first + this.span) return;
    this.#ready = [...this.#ready, { time: this.#first + this.span, bytes: Uint8Array.from(this.#bytes) }];
    this.#bytes = [];
  }

  /** Takes what is sent before a time. */
  take(time: number): readonly Gathered[] {
    // At exactly that time a byte may still come too late for it.
    if (this.#bytes.length > 0 && this.#first + this.span < time) this.#close(Infinity);
    const taken = this.#ready.filter((gathered) => gathered.time < time);
    this.#ready = this.#ready.filter((gathered) => gathered.time >= time);
    return taken;
  }

  /** When the next message is sent; Infinity without one. */
  get next(): number {
    const [first] = this.#ready;
    if (first !== undefined) return first.time;
    return this.#bytes.length === 0 ? Infinity : this.#first + this.span;
  }

  /** What has not been sent, for the root: when it will be, and the bytes. */
  get waiting(): readonly Gathered[] {
    if (this.#bytes.length === 0) return this.#ready;
    return [...this.#ready, { time: this.#first + this.span, bytes: Uint8Array.from(this.#bytes) }];
  }

  /** What has not been sent. */
  mark(): SerialLineMark {
    return { first: this.#first, bytes: [...this.#bytes], ready: this.#ready };
  }

  /** Has what it had then. */
  returnTo({ first, bytes, ready }: SerialLineMark): void {
    this.#first = first;
    this.#bytes = [...bytes];
    this.#ready = ready;
  }
}
