/** Framing of the GDB remote serial protocol: `$payload#checksum`, acknowledgements, escapes, the interrupt byte. */

/** Most bytes of a packet's payload, either way; told to the client in hexadecimal as `PacketSize`. */
export const PACKET_SIZE = 0x4000;

/** What comes from a client. */
export type Incoming =
  /** A whole packet, its escapes undone; each character is a byte. */
  | { readonly kind: "packet"; readonly payload: string }
  /** A packet whose checksum is wrong, or that is too long. */
  | { readonly kind: "damaged" }
  /** `+` or `-`: the last packet came, or has to be sent again. */
  | { readonly kind: "acknowledged" | "refused" }
  /** Ctrl-C: the run is to stop. */
  | { readonly kind: "interrupt" };

const DOLLAR = 0x24, HASH = 0x23, ESCAPE = 0x7d, PLUS = 0x2b, MINUS = 0x2d, INTERRUPT = 0x03;
/** What an escaped byte is xored with. */
const ESCAPE_BIT = 0x20;

/** Two hexadecimal digits of a byte. */
export function hexByte(value: number): string {
  return value.toString(16).padStart(2, "0");
}

/** Bytes, or the characters of a text below 256, as hexadecimal digits. */
export function toHex(bytes: Uint8Array | string): string {
  return (typeof bytes === "string" ? latin1Bytes(bytes) : bytes).toHex();
}

/** The bytes of a text whose characters are bytes. */
export function latin1Bytes(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** A text in UTF-8, each character a byte, as packets have it. */
export function utf8Payload(text: string): string {
  return latin1(new TextEncoder().encode(text));
}

/** Bytes as a text of as many characters. */
export function latin1(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

/** The text that hexadecimal digits stand for in UTF-8; undefined when they are none. */
export function textOfHex(digits: string): string | undefined {
  if (!/^([0-9a-f]{2})*$/i.test(digits)) return undefined;
  return new TextDecoder().decode(Uint8Array.fromHex(digits));
}

function escaped(payload: string): string {
  // Runs are never shortened, but a star would be read as the length of one.
  return payload.replace(
    /[$#}*]/g,
    (found) => `}${String.fromCharCode(found.charCodeAt(0) ^ ESCAPE_BIT)}`,
  );
}

/** A packet on the wire. `payload` has a character for each byte. */
export function encodePacket(payload: string): Uint8Array {
  const body = latin1Bytes(escaped(payload));
  const sum = body.reduce((total, byte) => (total + byte) & 0xff, 0);
  return Uint8Array.of(DOLLAR, ...body, HASH, ...latin1Bytes(hexByte(sum)));
}

/** Takes the bytes of a client as they come, in any pieces. */
export class PacketReader {
  /** `checksum` holds the digits behind the hash so far. */
  #state: "between" | "payload" | "checksum" = "between";
  #payload: number[] = [];
  #isEscaped = false;
  #isTooLong = false;
  #sum = 0;
  #checksum = "";

  /** What is whole once more bytes have come, in order. Bytes between packets that mean nothing are passed over. */
  push(bytes: Uint8Array): Incoming[] {
    const found: Incoming[] = [];
    for (const byte of bytes) {
      const incoming = this.#pushByte(byte);
      if (incoming !== undefined) found.push(incoming);
    }
    return found;
  }

  #pushByte(byte: number): Incoming | undefined {
    switch (this.#state) {
      case "between":
        return this.#between(byte);
      case "payload":
        this.#inPayload(byte);
        return undefined;
      case "checksum":
        this.#checksum += String.fromCharCode(byte);
        return this.#checksum.length === 2 ? this.#finish() : undefined;
    }
  }

  #between(byte: number): Incoming | undefined {
    if (byte === DOLLAR) this.#begin();
    if (byte === INTERRUPT) return { kind: "interrupt" };
    if (byte === PLUS) return { kind: "acknowledged" };
    return byte === MINUS ? { kind: "refused" } : undefined;
  }

  #begin(): void {
    this.#state = "payload";
    this.#payload = [];
    this.#isEscaped = this.#isTooLong = false;
    this.#sum = 0;
    this.#checksum = "";
  }

  #inPayload(byte: number): void {
    if (byte === HASH) this.#state = "checksum";
    // A dollar is always escaped within a packet: the one before it was cut off.
    else if (byte === DOLLAR) this.#begin();
    else this.#take(byte);
  }

  #take(byte: number): void {
    this.#sum = (this.#sum + byte) & 0xff;
    if (this.#isEscaped) {
      this.#isEscaped = false;
      byte ^= ESCAPE_BIT;
    } else if (byte === ESCAPE) {
      this.#isEscaped = true;
      return;
    }
    if (this.#payload.length >= PACKET_SIZE) this.#isTooLong = true;
    else this.#payload.push(byte);
  }

  #finish(): Incoming {
    this.#state = "between";
    const isRight = /^[0-9a-f]{2}$/i.test(this.#checksum) && parseInt(this.#checksum, 16) === this.#sum;
    if (!isRight || this.#isTooLong || this.#isEscaped) return { kind: "damaged" };
    return { kind: "packet", payload: latin1(Uint8Array.from(this.#payload)) };
  }
}
