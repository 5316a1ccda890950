/** The line: the board's PL011 as the monitor drives it from EL2, with its interrupt (Arm DDI 0183G). */
import { type Board, type BoardRow, SPI_BASE } from "../../../machine/board.ts";
import { readDevice, writeDevice } from "../../../machine/cpu/device_access.ts";
import { ConfigurationError } from "../../../machine/errors.ts";
import type { El2Monitor } from "../../el2_monitor.ts";
import type { Vcpu } from "../../vcpu.ts";

/** The board's UART as the monitor uses it. */
const DR = 0x000, FR = 0x018, LCR_H = 0x02c, CR = 0x030, IMSC = 0x038;
const FR_RXFE = 1n << 4n, LCR_H_FIFOS = 0x70n, CR_ON = 0x301n, INT_RX = 0x10n;
/** How a GICv2 and a GICv3 are told that an interrupt is CPU 0's. */
const TO_CPU_0 = { 2: 1, 3: 0 } as const;

/** The UART of the line. Throws ConfigurationError for a board where the guest would have but one port. */
export function lineUart({ rows }: Board, slug: string): BoardRow {
  const first = rows.find(({ name }) => name === "uart0");
  if (first === undefined || !rows.some(({ name, secureOnly }) => name === "uart1" && !secureOnly)) {
    throw new ConfigurationError(
      `Cannot enable ${slug}: the kernel's log has no serial port; add uart1=on to -M virt`,
    );
  }
  return first;
}

/** The one line; every access is one that EL2 of `vcpu` makes. */
export class ConsoleLine {
  /** The CPU that is in the handler. */
  vcpu!: Vcpu;
  /** Bytes that went out. */
  sent = 0;
  /** Bytes that came in. */
  received = 0;

  /** `row` is the UART. */
  constructor(private readonly monitor: El2Monitor, private readonly row: BoardRow) {}

  /** INTID of the UART. */
  get interrupt(): number {
    return SPI_BASE + (this.row.spi ?? 0);
  }

  /** The first CPU starts: the UART is on, and its interrupt that CPU's. */
  start(): void {
    const { gic, site } = this.monitor, { interrupt, vcpu: { cpu } } = this;
    gic.physical.writeWord(cpu, 0, "ISENABLER", interrupt >>> 5, 1 << (interrupt & 31));
    if (site.cpus.length > 1) {
      gic.physical.route(cpu, interrupt, TO_CPU_0[site.board.configuration.gicVersion]);
    }
    this.#write(LCR_H, LCR_H_FIFOS);
    this.#write(CR, CR_ON);
    this.#write(IMSC, INT_RX);
  }

  #write(offset: number, value: bigint): void {
    if (writeDevice(this.vcpu.cpu, this.row.base + offset, 4, value, false) !== undefined) {
      throw new RangeError(`Cannot write the line's UART at offset ${offset}`);
    }
  }

  #read(offset: number): bigint {
    const value = readDevice(this.vcpu.cpu, this.row.base + offset, 4, false);
    if (typeof value !== "bigint") throw new RangeError(`Cannot read the line's UART at offset ${offset}`);
    return value;
  }

  /** Sends bytes. */
  send(bytes: Uint8Array): void {
    for (const byte of bytes) this.#write(DR, BigInt(byte));
    this.sent += bytes.length;
  }

  /** Takes a byte that came; undefined when there is none. */
  take(): number | undefined {
    if ((this.#read(FR) & FR_RXFE) !== 0n) return undefined;
    const byte = Number(this.#read(DR) & 0xffn);
    this.received++;
    return byte;
  }
}
