/** Messages of the Debug Adapter Protocol in a stream of bytes: headers, a blank line, JSON. */

/** The most bytes of a message: what a client sends is far shorter. */
export const LONGEST_MESSAGE: number = 1 << 22;
/** The most bytes of its headers. */
const LONGEST_HEADER = 4096;

const HEADER_END = "\r\n\r\n";

/** What a stream has: a message, or what is none. */
export type Incoming =
  /** A JSON value; what it means is not looked at here. */
  | { readonly kind: "message"; readonly value: unknown }
  /** Bytes that were passed over, and why. */
  | { readonly kind: "malformed"; readonly reason: string };

const encoder = new TextEncoder(), decoder = new TextDecoder("utf-8", { fatal: true });
/** One character for each byte, for headers, which are ASCII. */
const headers = new TextDecoder("latin1");

/** The bytes of a message. */
export function encodeMessage(value: unknown): Uint8Array {
  const body = encoder.encode(JSON.stringify(value));
  const head = encoder.encode(`Content-Length: ${body.length}${HEADER_END}`);
  const bytes = new Uint8Array(head.length + body.length);
  bytes.set(head);
  bytes.set(body, head.length);
  return bytes;
}

/** Takes bytes in pieces of any size and gives messages in order. */
export class MessageReader {
  #bytes = new Uint8Array();
  /** Length of the message whose headers were read. */
  #length: number | undefined;

  /** Takes the next bytes. */
  *push(bytes: Uint8Array): Generator<Incoming> {
    const joined = new Uint8Array(this.#bytes.length + bytes.length);
    joined.set(this.#bytes);
    joined.set(bytes, this.#bytes.length);
    this.#bytes = joined;
    for (;;) {
      const found = this.#length === undefined ? this.#takeHeader() : this.#takeBody(this.#length);
      if (found === "incomplete") return;
      if (found !== undefined) yield found;
    }
  }

  #takeHeader(): Incoming | "incomplete" | undefined {
    const text = headers.decode(this.#bytes.subarray(0, LONGEST_HEADER + HEADER_END.length));
    const end = text.indexOf(HEADER_END);
    if (end < 0) {
      if (text.length <= LONGEST_HEADER) return "incomplete";
      this.#bytes = this.#bytes.slice(LONGEST_HEADER);
      return { kind: "malformed", reason: `No message begins within ${LONGEST_HEADER} bytes` };
    }
    this.#bytes = this.#bytes.slice(end + HEADER_END.length);
    const [, digits] = /Content-Length: *([0-9]{1,9})(?:\r\n|$)/i.exec(text.slice(0, end)) ?? [];
    const length = digits === undefined ? undefined : Number(digits);
    if (length === undefined) return { kind: "malformed", reason: "A message has no Content-Length" };
    if (length > LONGEST_MESSAGE) {
      return { kind: "malformed", reason: `A message of ${length} bytes is longer than ${LONGEST_MESSAGE}` };
    }
    this.#length = length;
    return undefined;
  }

  #takeBody(length: number): Incoming | "incomplete" {
    if (this.#bytes.length < length) return "incomplete";
    const body = this.#bytes.subarray(0, length);
    this.#bytes = this.#bytes.slice(length);
    this.#length = undefined;
    try {
      return { kind: "message", value: JSON.parse(decoder.decode(body)) };
    } catch (error) {
      return { kind: "malformed", reason: `A message is no JSON: ${(error as Error).message}` };
    }
  }
}
