/**
 * The debug communications channel of one CPU with the host as its debugger (Arm ARM H4, DBGDTR_EL0): a console of
 * software that sends a character in each word. The host takes what is sent at once, so TXfull is never seen set; what
 * it has to say waits until the word before was read. MDCCINT_EL1 asks for no interrupt: the board has no COMMIRQ.
 */
import { bytes, flag, u32, type ValueOf } from "../../../machine/layout.ts";

/** MDCCSR_EL0 and MDSCR_EL1: a word for software is there; one of its own was not taken yet. */
export const RXFULL = 1n << 30n, TXFULL = 1n << 29n;

/** Most characters that wait to be read, and of a line that is told. */
export const MOST_WAITING = 4096, LONGEST_LINE = 240;

const WORD = 0xffff_ffffn, HIGH = 32n;
const NEWLINE = 10, RETURN = 13, FIRST_PRINTED = 32, LAST_PRINTED = 126;

/** Fields of the state. */
export const CHANNEL_FIELDS = {
  received: u32,
  isFull: flag,
  sent: u32,
  waiting: bytes(MOST_WAITING),
  line: bytes(LONGEST_LINE),
};

/** The state of one channel. */
export type ChannelState = ValueOf<typeof CHANNEL_FIELDS>;

function printed(byte: number): string {
  if (byte >= FIRST_PRINTED && byte <= LAST_PRINTED) return String.fromCharCode(byte);
  return `\\x${byte.toString(16).padStart(2, "0")}`;
}

/** One CPU's channel. */
export class DebugChannel {
  /** DTRRX, DTRTX and RXfull. */
  #received = 0n;
  #sent = 0n;
  #isFull = false;
  #waiting: number[] = [];
  #line: number[] = [];

  /** `told` takes each line that software wrote, without its end. */
  constructor(private readonly told: (line: string) => void) {}

  reset(): void {
    this.#received = this.#sent = 0n;
    this.#isFull = false;
    this.#waiting = [];
    this.#line = [];
  }

  /** MDCCSR_EL0, and the bits of MDSCR_EL1 that show it. */
  get status(): bigint {
    return this.#isFull ? RXFULL : 0n;
  }

  /** MRS of DBGDTRRX_EL0. */
  receive(): bigint {
    const word = this.#received;
    this.#isFull = false;
    this.#offer();
    return word;
  }

  /** MSR of DBGDTRTX_EL0. */
  send(value: bigint): void {
    this.#sent = value & WORD;
    this.#take();
  }

  /** MRS of DBGDTR_EL0: both words, the one that was sent in the high half. */
  receiveBoth(): bigint {
    const sent = this.#sent;
    return sent << HIGH | this.receive();
  }

  /** MSR of DBGDTR_EL0: both words, of which the low one is sent. */
  sendBoth(value: bigint): void {
    this.#received = value >> HIGH;
    this.send(value);
  }

  /** OSDTRRX_EL1, which leaves RXfull as it is. */
  get receivedWord(): bigint {
    return this.#received;
  }
  set receivedWord(value: bigint) {
    this.#received = value & WORD;
  }

  /** OSDTRTX_EL1, which leaves TXfull as it is. */
  get sentWord(): bigint {
    return this.#sent;
  }
  set sentWord(value: bigint) {
    this.#sent = value & WORD;
  }

  /** RXfull and TXfull written under the OS lock, to restore what was saved. */
  restoreStatus(value: bigint): void {
    this.#isFull = (value & RXFULL) !== 0n;
    if ((value & TXFULL) !== 0n) this.#take();
  }

  /** What there is no room for. */
  room(): number {
    return MOST_WAITING - this.#waiting.length;
  }

  /** The host has characters for software; no more than there is room for. */
  type(characters: readonly number[]): void {
    this.#waiting.push(...characters);
    this.#offer();
  }

  #offer(): void {
    if (this.#isFull) return;
    const next = this.#waiting.shift();
    if (next === undefined) return;
    this.#received = BigInt(next);
    this.#isFull = true;
  }

  #take(): void {
    const byte = Number(this.#sent & 0xffn);
    if (byte === RETURN) return;
    if (byte !== NEWLINE) this.#line.push(byte);
    if (byte !== NEWLINE && this.#line.length < LONGEST_LINE) return;
    const line = this.#line;
    this.#line = [];
    this.told(line.map(printed).join(""));
  }

  get state(): ChannelState {
    return {
      received: Number(this.#received),
      isFull: this.#isFull,
      sent: Number(this.#sent),
      waiting: Uint8Array.from(this.#waiting),
      line: Uint8Array.from(this.#line),
    };
  }
  set state({ received, isFull, sent, waiting, line }: ChannelState) {
    this.#received = BigInt(received);
    this.#isFull = isFull;
    this.#sent = BigInt(sent);
    this.#waiting = [...waiting];
    this.#line = [...line];
  }
}
