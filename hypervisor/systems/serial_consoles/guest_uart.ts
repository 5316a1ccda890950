/** A PL011 that a guest finds in place of the board's: the machine's own model, with a receiver that can overrun (Arm DDI 0183G). */
import { UartPl011 } from "../../../machine/devices/uart_pl011.ts";
import { bytes, flag, record, u53 } from "../../../machine/layout.ts";
import type { FieldKind, ValueOf } from "../../../machine/layout.ts";
import type { AccessContext, MappedDevice } from "../../../machine/memory/physical.ts";

/** Registers that are answered here as well. */
const DR = 0x000, RSR = 0x004, FR = 0x018, CR = 0x030, IMSC = 0x038, RIS = 0x03c, MIS = 0x040, ICR = 0x044;
const FR_RXFF = 1 << 6;
/** UARTDR.OE, UARTRSR.OE, UARTRIS.OERIS; UARTCR.UARTEN and RXE. */
const DR_OE = 1 << 11, RSR_OE = 1 << 3, INT_OE = 1 << 10, CR_LISTENS = 1 | 1 << 9;

/** Bytes that wait for room in the FIFO at most (option `backlog`). */
export const MOST_BACKLOG = 1 << 20;

const fields = {
  uart: bytes(2 ** 16),
  backlog: bytes(MOST_BACKLOG),
  hasOverrun: flag,
  isOverrunPending: flag,
  isFull: flag,
  overruns: u53,
  hasListened: flag,
  isListening: flag,
};

/** Its state. */
export type GuestUartState = ValueOf<typeof fields>;

/** The layout of its state in a section. */
export const guestUartFields: FieldKind<GuestUartState> = record(fields);

/** What a guest's UART is connected to. */
export interface GuestUartOptions {
  /** Name in events. */
  readonly name: string;
  /** Bytes that may wait behind the FIFO. */
  readonly backlog: number;
  /** Takes each byte that the guest transmits, on a CPU. */
  readonly transmitted: (byte: number, cpu: number) => void;
  /** The level of the combined interrupt has changed, on a CPU. */
  readonly driven: (level: boolean, cpu: number) => void;
  /** The guest began or ceased to listen. */
  readonly listens: (isListening: boolean, cpu: number) => void;
}

/**
 * The UART. Bytes from the line wait in a backlog as long as the FIFO is full; one that finds that full too is lost, which
 * sets OE in UARTDR (until there is room), in UARTRSR and UARTRIS (until they are cleared).
 */
export class GuestUart implements MappedDevice {
  readonly name: string;
  readonly #uart: UartPl011;
  readonly #options: GuestUartOptions;
  #level = false;
  #driven = false;
  #backlog: number[] = [];
  /** OE of UARTRSR, that of UARTRIS, and of UARTDR. */
  #hasOverrun = false;
  #isOverrunPending = false;
  #isFull = false;
  #cpu = 0;
  /** Bytes that were lost. */
  overruns = 0;
  #hasListened = false;
  #isListening = false;

  /** Connects it. */
  constructor(options: GuestUartOptions) {
    this.name = options.name;
    this.#options = options;
    this.#uart = new UartPl011({
      name: options.name,
      line: { set: (level) => void (this.#level = level) },
      transmitted: (byte) => options.transmitted(byte, this.#cpu),
    });
  }

  /** The guest enabled the receiver, and disabled it since: who had it is gone. */
  get isAbandoned(): boolean {
    return this.#hasListened && !this.#isListening;
  }

  read(offset: number, size: number, context: AccessContext): number {
    this.#cpu = context.cpu;
    let value = this.#uart.read(offset, size, context);
    if (offset === DR && this.#isFull) value |= DR_OE;
    else if (offset === RSR && this.#hasOverrun) value |= RSR_OE;
    else if (offset === RIS && this.#isOverrunPending) value |= INT_OE;
    else if (offset === MIS && this.#isOverrunPending) value |= INT_OE & this.#mask(context);
    if (offset === DR) this.#refill();
    this.#settle(context);
    return value;
  }

  write(offset: number, size: number, value: number, context: AccessContext): void {
    this.#cpu = context.cpu;
    if (offset === RSR) this.#hasOverrun = false;
    if (offset === ICR && (value & INT_OE) !== 0) this.#isOverrunPending = false;
    this.#uart.write(offset, size, value, context);
    if (offset === CR) this.#controlled((value & CR_LISTENS) === CR_LISTENS);
    this.#refill();
    this.#settle(context);
  }

  #controlled(isListening: boolean): void {
    if (isListening === this.#isListening) return;
    this.#isListening = isListening;
    this.#hasListened ||= isListening;
    this.#options.listens(isListening, this.#cpu);
  }

  /** Takes a byte from the line, on a CPU. */
  receive(byte: number, cpu: number): void {
    this.#cpu = cpu;
    const context = { cpu, secure: false };
    if (this.#backlog.length >= this.#options.backlog && this.#isFifoFull(context)) {
      this.overruns++;
      this.#hasOverrun = this.#isOverrunPending = this.#isFull = true;
    } else {
      this.#backlog.push(byte);
      this.#refill();
    }
    this.#settle(context);
  }

  #isFifoFull(context: AccessContext): boolean {
    return (this.#uart.read(FR, 4, context) & FR_RXFF) !== 0;
  }

  #refill(): void {
    const context = { cpu: this.#cpu, secure: false };
    while (this.#backlog.length > 0 && !this.#isFifoFull(context)) {
      this.#uart.receive(Uint8Array.of(this.#backlog.shift() as number));
    }
    if (!this.#isFifoFull(context)) this.#isFull = false;
  }

  #mask(context: AccessContext): number {
    return this.#uart.read(IMSC, 4, context);
  }

  #settle(context: AccessContext): void {
    const level = this.#level || this.#isOverrunPending && (this.#mask(context) & INT_OE) !== 0;
    if (level === this.#driven) return;
    this.#driven = level;
    this.#options.driven(level, context.cpu);
  }

  /** Power-on state. */
  reset(): void {
    this.#uart.reset();
    this.#backlog = [];
    this.#hasOverrun =
      this.#isOverrunPending =
      this.#isFull =
      this.#driven =
        false;
    this.#hasListened = this.#isListening = false;
    this.overruns = 0;
  }

  /** The state. */
  save(): GuestUartState {
    return {
      uart: this.#uart.save().bytes,
      backlog: Uint8Array.from(this.#backlog),
      hasOverrun: this.#hasOverrun,
      isOverrunPending: this.#isOverrunPending,
      isFull: this.#isFull,
      overruns: this.overruns,
      hasListened: this.#hasListened,
      isListening: this.#isListening,
    };
  }

  /** Restores what `save` gave; the interrupt controller is restored by its owner. */
  restore(state: GuestUartState): void {
    this.#uart.restore({ ...this.#uart.save(), bytes: state.uart });
    this.#backlog = [...state.backlog];
    this.#hasOverrun = state.hasOverrun;
    this.#isOverrunPending = state.isOverrunPending;
    this.overruns = state.overruns;
    this.#hasListened = state.hasListened;
    this.#isListening = state.isListening;
    const context = { cpu: 0, secure: false };
    this.#isFull = state.isFull;
    this.#driven = this.#level || this.#isOverrunPending && (this.#mask(context) & INT_OE) !== 0;
  }
}
