/** PL011 UART, the console (Arm DDI 0183G), with an instantaneous transmitter. */
import { bytes, listOf, u8 } from "../layout.ts";
import type { AccessContext } from "../memory/physical.ts";
import { type Section, sectionLayout } from "../snapshot.ts";
import type { Device, InterruptLine } from "./device.ts";
import { constants, registerMap } from "./register_map.ts";

/** What a PL011 is connected to. */
export interface UartPl011Options {
  /** Name of the device and of its section. */
  readonly name: string;
  /** The combined interrupt, UARTINTR. */
  readonly line: InterruptLine;
  /** Takes each byte as it is transmitted. */
  readonly transmitted: (byte: number) => void;
}

const FIFO_DEPTH = 16;
const INPUT_MAX = 2 ** 30;

const FR_TXFE = 1 << 7;
const FR_RXFF = 1 << 6;
const FR_RXFE = 1 << 4;
const LCR_H_FEN = 1 << 4;
const INT_TX = 1 << 5;
const INT_RX = 1 << 4;

/**
 * The UART. As in QEMU 7.2 the enable bits of UARTCR, the baud rate and UARTIFLS have no effect, the first byte in the
 * FIFO raises the receive interrupt, and there are no errors, modem lines, loopback or DMA.
 */
export class UartPl011 implements Device {
  // deno-fmt-ignore
  static readonly #map = registerMap<UartPl011>()([
    // offset name          access bits reset  behaviour
    [0x000, "UARTDR",       "RW",  12, 0x000, { read: (uart) => uart.#takeReceived(), write: (uart, value) => uart.#transmit(value & 0xff) }],
    [0x004, "UARTRSR",      "RW",   8, 0x000, { read: () => 0, write: () => {} }],
    [0x018, "UARTFR",       "RO",   9, 0x090, { read: (uart) => uart.#flags() }],
    [0x020, "UARTILPR",     "RW",   8, 0x000],
    [0x024, "UARTIBRD",     "RW",  16, 0x000],
    [0x028, "UARTFBRD",     "RW",   6, 0x000],
    [0x02c, "UARTLCR_H",    "RW",   8, 0x000, { written: (uart, previous) => uart.#lineControlWritten(previous) }],
    [0x030, "UARTCR",       "RW",  16, 0x300],
    [0x034, "UARTIFLS",     "RW",   6, 0x012],
    [0x038, "UARTIMSC",     "RW",  11, 0x000, { written: (uart) => uart.#drive() }],
    [0x03c, "UARTRIS",      "RO",  11, 0x000],
    [0x040, "UARTMIS",      "RO",  11, 0x000, { read: (uart) => uart.#masked() }],
    [0x044, "UARTICR",      "WO",  11, 0x000, { write: (uart, value) => uart.#setRaw(0, value) }],
    [0x048, "UARTDMACR",    "RW",   3, 0x000],
    [0xfe0, "UARTPeriphID", "RO",   8, 0x011, constants([0x11, 0x10, 0x14, 0x00]), 4],
    [0xff0, "UARTPCellID",  "RO",   8, 0x00d, constants([0x0d, 0xf0, 0x05, 0xb1]), 4],
  ]);
  static readonly #layout = sectionLayout("pl011", 1, {
    ...UartPl011.#map.fields,
    receiveFifo: listOf(u8, FIFO_DEPTH),
    input: bytes(INPUT_MAX),
  });

  /** Name of the device. */
  readonly name: string;
  readonly #line: InterruptLine;
  readonly #transmitted: (byte: number) => void;
  #held = UartPl011.#map.reset();
  #receiveFifo: number[] = [];
  /** Bytes from outside that the FIFO had no room for yet, from `#taken` on. */
  #input: Uint8Array = new Uint8Array(0);
  #taken = 0;

  /** Connects the UART. */
  constructor({ name, line, transmitted }: UartPl011Options) {
    this.name = name;
    this.#line = line;
    this.#transmitted = transmitted;
  }

  /** Reads a register; UARTDR takes a byte out of the receive FIFO, 0 when there is none. */
  read(offset: number, size: number, context: AccessContext): number {
    return UartPl011.#map.read(this, this.#held, offset, size, context);
  }

  /** Writes a register. */
  write(offset: number, size: number, value: number, context: AccessContext): void {
    UartPl011.#map.write(this, this.#held, offset, size, value, context);
  }

  /** Appends bytes from outside; they enter the receive FIFO in order as it has room, at once as far as possible. */
  receive(bytes: Uint8Array): void {
    const waiting = this.#input.subarray(this.#taken);
    const input = new Uint8Array(waiting.length + bytes.length);
    input.set(waiting);
    input.set(bytes, waiting.length);
    this.#input = input;
    this.#taken = 0;
    this.#refill();
  }

  /** Goes on from where another one is, with the input that it had not read. */
  takeOver(other: UartPl011): void {
    this.restore(other.save());
  }

  #depth(): number {
    return this.#held.UARTLCR_H & LCR_H_FEN ? FIFO_DEPTH : 1;
  }

  #refill(): void {
    while (this.#receiveFifo.length < this.#depth() && this.#taken < this.#input.length) {
      this.#receiveFifo.push(this.#input[this.#taken++] as number);
      if (this.#receiveFifo.length === 1) this.#setRaw(INT_RX, 0);
    }
  }

  #takeReceived(): number {
    const byte = this.#receiveFifo.shift() ?? 0;
    if (this.#receiveFifo.length === 0) this.#setRaw(0, INT_RX);
    this.#refill();
    return byte;
  }

  #transmit(byte: number): void {
    this.#transmitted(byte);
    this.#setRaw(INT_TX, 0);
  }

  #flags(): number {
    const count = this.#receiveFifo.length;
    return FR_TXFE | (count === 0 ? FR_RXFE : 0) | (count >= this.#depth() ? FR_RXFF : 0);
  }

  /** Switching the FIFOs on or off flushes them. */
  #lineControlWritten(previous: number): void {
    if (((previous ^ this.#held.UARTLCR_H) & LCR_H_FEN) === 0) return;
    this.#receiveFifo = [];
    this.#refill();
  }

  #setRaw(set: number, clear: number): void {
    this.#held.UARTRIS = (this.#held.UARTRIS & ~clear) | set;
    this.#drive();
  }

  #masked(): number {
    return this.#held.UARTRIS & this.#held.UARTIMSC;
  }

  #drive(): void {
    this.#line.set(this.#masked() !== 0);
  }

  /** Power-on state; input that was not read yet is lost. */
  reset(): void {
    this.#held = UartPl011.#map.reset();
    this.#receiveFifo = [];
    this.#input = new Uint8Array(0);
    this.#taken = 0;
    this.#drive();
  }

  /** Registers, receive FIFO and the input that waits for it. */
  save(): Section {
    const input = this.#input.slice(this.#taken);
    return UartPl011.#layout.encode(this.name, { ...this.#held, receiveFifo: this.#receiveFifo, input });
  }

  /** Restores what `save` gave and drives the line. */
  restore(section: Section): void {
    const state = UartPl011.#layout.decode(section);
    this.#held = UartPl011.#map.heldOf(state);
    this.#receiveFifo = state.receiveFifo;
    this.#input = state.input;
    this.#taken = 0;
    this.#drive();
  }
}
