/** MSI-X: a function's table of messages, their masks and pending bits (PCI Local Bus Specification 3.0, section 6.8.2). */
import type { PciCapability } from "./config_space.ts";

/** Where a function has its vectors. */
export interface MsixOptions {
  /** Number of vectors, 1–2048. */
  readonly vectors: number;
  /** Offset of the capability in configuration space. */
  readonly capability: number;
  /** Number of the BAR that holds table and pending bits. */
  readonly bar: number;
  /** Offset of the table in the BAR, a multiple of 8. */
  readonly table: number;
  /** Offset of the pending bits in the BAR, a multiple of 8. */
  readonly pending: number;
}

const MSIX_ID = 0x11;
const ENTRY_SIZE = 16;
const ENTRY_DATA = 8;
const ENTRY_CONTROL = 12;
const ENTRY_MASKED = 1;
/** Upper byte of the message control register. */
const CONTROL_MASK_ALL = 0x40;
const CONTROL_ENABLE = 0x80;

/** A message: a write of 32 bits to an address. */
export interface Message {
  /** Physical address. */
  readonly address: bigint;
  /** What is written. */
  readonly data: number;
}

/** The capability that says where the table is. */
export function msixCapability({ vectors, capability, bar, table, pending }: MsixOptions): PciCapability {
  const words = (value: number) =>
    [value, value >>> 8, value >>> 16, value >>> 24].map((byte) => byte & 0xff);
  return {
    id: MSIX_ID,
    offset: capability,
    body: [...words(vectors - 1).slice(0, 2), ...words(table | bar), ...words(pending | bar)],
    writable: [0, CONTROL_MASK_ALL | CONTROL_ENABLE],
  };
}

/** Table and pending bits of one function; the control register is in its configuration space. */
export class Msix {
  /** The table's bytes. */
  readonly table: Uint8Array<ArrayBuffer>;
  /** The pending bits. */
  readonly pending: Uint8Array<ArrayBuffer>;
  readonly #view: DataView<ArrayBuffer>;

  /** `control` is the upper byte of the message control register; `send` sends a message. */
  constructor(
    readonly options: MsixOptions,
    private readonly control: () => number,
    private readonly send: (message: Message) => void,
  ) {
    this.table = new Uint8Array(options.vectors * ENTRY_SIZE);
    this.pending = new Uint8Array(Math.ceil(options.vectors / 64) * 8);
    this.#view = new DataView(this.table.buffer);
    this.reset();
  }

  /** Every vector masked, none pending. */
  reset(): void {
    this.table.fill(0);
    this.pending.fill(0);
    for (let at = ENTRY_CONTROL; at < this.table.length; at += ENTRY_SIZE) this.table[at] = ENTRY_MASKED;
  }

  /** The function uses messages instead of its interrupt line. */
  get isEnabled(): boolean {
    return (this.control() & CONTROL_ENABLE) !== 0;
  }

  #isMasked(vector: number): boolean {
    return (this.control() & CONTROL_MASK_ALL) !== 0 ||
      ((this.table[vector * ENTRY_SIZE + ENTRY_CONTROL] as number) & ENTRY_MASKED) !== 0;
  }

  /** Sends a vector's message, or notes it while it is masked; nothing while messages are off. */
  signal(vector: number): void {
    if (!this.isEnabled || vector < 0 || vector >= this.options.vectors) return;
    const bit = 1 << (vector & 7);
    const byte = this.pending[vector >>> 3] as number;
    if (this.#isMasked(vector)) {
      this.pending[vector >>> 3] = byte | bit;
      return;
    }
    this.pending[vector >>> 3] = byte & ~bit;
    const at = vector * ENTRY_SIZE;
    this.send({
      address: this.#view.getBigUint64(at, true),
      data: this.#view.getUint32(at + ENTRY_DATA, true),
    });
  }

  /** Sends what is pending and not masked any more. */
  unmasked(): void {
    for (const [index, byte] of this.pending.entries()) {
      for (let bit = 0; byte >>> bit !== 0; bit++) {
        const vector = index * 8 + bit;
        if ((byte >>> bit) & 1 && !this.#isMasked(vector)) this.signal(vector);
      }
    }
  }

  /** The bytes that answer at an offset of the BAR, and where within them. */
  #bytesAt(offset: number): { readonly bytes: Uint8Array; readonly at: number } | undefined {
    const { table, pending } = this.options;
    const inTable = offset - table;
    if (inTable >= 0 && inTable < this.table.length) return { bytes: this.table, at: inTable };
    const inPending = offset - pending;
    return inPending >= 0 && inPending < this.pending.length
      ? { bytes: this.pending, at: inPending }
      : undefined;
  }

  /** Whether an offset of the BAR belongs to the table or the pending bits. */
  covers(offset: number): boolean {
    return this.#bytesAt(offset) !== undefined;
  }

  /** Reads 1, 2 or 4 bytes of table or pending bits. */
  read(offset: number, size: number): number {
    const found = this.#bytesAt(offset);
    if (found === undefined) return 0;
    let value = 0;
    for (let index = size - 1; index >= 0; index--) {
      value = value * 256 + (found.bytes[found.at + index] ?? 0);
    }
    return value;
  }

  /** Writes 1, 2 or 4 bytes of the table; pending bits are read-only. */
  write(offset: number, size: number, value: number): void {
    const found = this.#bytesAt(offset);
    if (found === undefined || found.bytes !== this.table) return;
    for (let index = 0; index < size; index++) {
      if (found.at + index < this.table.length) this.table[found.at + index] = (value >>> (index * 8)) & 0xff;
    }
    this.unmasked();
  }
}
