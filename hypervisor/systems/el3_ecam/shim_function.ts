/** A function of PCI in front of a memory-mapped device: configuration space alone, told of by the monitor. */
import { type Board, type BoardRow, boardRow, SPI_BASE } from "../../../machine/board.ts";
import type { Cpu } from "../../../machine/cpu/cpu.ts";
import { readDevice } from "../../../machine/cpu/device_access.ts";
import { fixedNvmeFunction } from "../../../machine/devices/nvme/pci.ts";
import type { PciFunction } from "../../../machine/devices/pci/function.ts";
import type { MonitorSite } from "../../../machine/monitor.ts";
import type { ConfigurationFunction } from "../../configuration_window.ts";

/** Status register, of which bit 3 is the interrupt's. */
const STATUS = 6;
/** GICD_ISPENDR, a bit for each interrupt. */
const ISPENDR = 0x200, WORD_BITS = 32;

/** Nobody gets to registers by the function: they answer on the board's bus, wherever BAR 0 is. */
const ELSEWHERE = { read: () => 0, write: () => {}, configured: () => {} };

/** One function. */
export class ShimFunction implements ConfigurationFunction {
  /** Name of the device. */
  readonly name: string;
  /** It answers, be it found or not. */
  isPresent = true;
  readonly #function: PciFunction;
  readonly #pending: { readonly address: number; readonly bit: number };

  /** Made for a row of the board. */
  constructor({ name, base, spi = 0 }: BoardRow, { board, events, memory }: MonitorSite) {
    this.name = name;
    this.#function = fixedNvmeFunction({ name, events, memory }, base, ELSEWHERE);
    this.#pending = pendingBit(board, SPI_BASE + spi);
  }

  /** Reads; the device's interrupt is as the interrupt controller sees its wire. */
  readConfig(offset: number, size: number, cpu: Cpu): number {
    if (offset <= STATUS && offset + size > STATUS) this.#function.setInterrupt(this.#isPending(cpu));
    return this.#function.readConfig(offset, size);
  }

  #isPending(cpu: Cpu): boolean {
    const { address, bit } = this.#pending, word = readDevice(cpu, address, 4, false);
    if (typeof word !== "bigint") throw new RangeError(`Cannot read the interrupt controller at ${address}`);
    return (word >> BigInt(bit) & 1n) !== 0n;
  }

  /** Writes. */
  writeConfig(offset: number, size: number, value: number): void {
    this.#function.writeConfig(offset, size, value);
  }

  /** Power-on values. */
  reset(): void {
    this.#function.reset();
  }

  /** Its configuration space. */
  get state(): Uint8Array {
    return this.#function.save().bytes;
  }
  set state(bytes: Uint8Array) {
    this.#function.restore({ ...this.#function.save(), bytes });
  }
}

function pendingBit(board: Board, interrupt: number): { address: number; bit: number } {
  const word = Math.floor(interrupt / WORD_BITS);
  return { address: boardRow(board, "gicd").base + ISPENDR + 4 * word, bit: interrupt % WORD_BITS };
}
