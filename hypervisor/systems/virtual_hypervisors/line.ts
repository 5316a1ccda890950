/** The machine's one serial line, by its PL011 (Arm DDI 0183): what the hypervisor reads and writes there at EL2. */
import { boardRow } from "../../../machine/board.ts";
import type { Cpu } from "../../../machine/cpu/cpu.ts";
import type { MonitorSite } from "../../../machine/monitor.ts";
import { readPhysical, writePhysical } from "../../own_memory.ts";

/** UARTDR, UARTFR and its RXFE, UARTIMSC and its RXIM. */
const UARTDR = 0, UARTFR = 0x18, RECEIVER_EMPTY = 1n << 4n, UARTIMSC = 0x38, RECEIVE_MASK = 1n << 4n;
/** A line is told when it ends, or has become so long. */
const LONGEST = 1024;
const RETURN = 13, FEED = 10;

/** The line; every access is one that EL2 of the CPU makes. */
export class MachineLine {
  /** Nothing of the site is used before the first call. */
  constructor(private readonly site: MonitorSite) {}

  #read(cpu: Cpu, offset: number): bigint {
    return readPhysical(this.site.memory, cpu, boardRow(this.site.board, "uart0").base + offset, 4);
  }

  #write(cpu: Cpu, offset: number, value: bigint): void {
    writePhysical(this.site.memory, cpu, boardRow(this.site.board, "uart0").base + offset, 4, value);
  }

  /** Whether what is typed makes an interrupt. */
  listen(cpu: Cpu, isOn: boolean): void {
    this.#write(cpu, UARTIMSC, isOn ? RECEIVE_MASK : 0n);
  }

  /** All that was typed and not taken. */
  take(cpu: Cpu): Uint8Array {
    const typed: number[] = [];
    while ((this.#read(cpu, UARTFR) & RECEIVER_EMPTY) === 0n) {
      typed.push(Number(this.#read(cpu, UARTDR) & 0xffn));
    }
    return Uint8Array.from(typed);
  }

  /** Writes bytes. */
  write(cpu: Cpu, bytes: Iterable<number>): void {
    for (const byte of bytes) this.#write(cpu, UARTDR, BigInt(byte));
  }

  /** One more byte of somebody's `line`, which is written whole, with a name before it. */
  writeTagged(cpu: Cpu, line: number[], byte: number, name: string): void {
    line.push(byte);
    if (byte !== FEED && line.length < LONGEST) return;
    this.write(cpu, new TextEncoder().encode(`[${name}] `));
    this.write(cpu, line);
    if (byte !== FEED) this.write(cpu, [RETURN, FEED]);
    line.length = 0;
  }
}
