/**
 * The configuration space of a bridge: a header of type 1 and a PCI Express capability (PCI-to-PCI Bridge Architecture
 * Specification 1.2, section 3.2; PCI Express Base 4.0, 7.5.1.3 and 7.5.3). Without windows for I/O.
 */

/** What a bridge says it is. */
export interface BridgeIdentity {
  /** Vendor ID, 16 bits. */
  readonly vendor: number;
  /** Device ID, 16 bits. */
  readonly device: number;
  /** Revision ID, 8 bits. */
  readonly revision: number;
  /** Device/Port Type of the PCI Express capability: 4 root port, 5 upstream port, 6 downstream port of a switch. */
  readonly portType: 4 | 5 | 6;
}

/** Bytes that have a meaning; the rest of the 4096 reads as zero. */
export const BRIDGE_HEADER_SIZE = 0x100;

/** Offsets of the header. */
// deno-fmt-ignore
const AT = {
  vendor: 0x00, device: 0x02, command: 0x04, status: 0x06, revision: 0x08, headerType: 0x0e, primary: 0x18,
  secondary: 0x19, subordinate: 0x1a, memoryBase: 0x20, memoryLimit: 0x22, prefetchBase: 0x24, prefetchLimit: 0x26,
  prefetchBaseUpper: 0x28, prefetchLimitUpper: 0x2c, capabilities: 0x34, control: 0x3e, express: 0x40,
} as const;

const CLASS_BRIDGE = 0x06_04_00, TYPE_1 = 1, STATUS_CAPABILITIES = 1 << 4;
const COMMAND_MEMORY = 1 << 1, COMMAND_MASTER = 1 << 2;
const EXPRESS_ID = 0x10, EXPRESS_VERSION = 2;
/** The windows begin and end at multiples of 1 MiB; prefetchable ones have 64 bits. */
const MIB = 2 ** 20, WIDE = 1;
/** Bridge Control: Secondary Bus Reset, in the low byte. */
const CONTROL_RESET = 1 << 6;

/** What can be written, by offset: bits of a byte each. */
// deno-fmt-ignore
const WRITABLE: readonly (readonly [at: number, ...masks: number[]])[] = [
  [AT.command,           0x47, 0x05],             // I/O, memory, master, parity; SERR, interrupt disable
  [0x0c,                 0xff],                   // cache line size
  [AT.primary,           0xff, 0xff, 0xff],       // the three bus numbers
  [AT.memoryBase,        0xf0, 0xff, 0xf0, 0xff],
  [AT.prefetchBase,      0xf0, 0xff, 0xf0, 0xff],
  [AT.prefetchBaseUpper, 0xff, 0xff, 0xff, 0xff],
  [AT.prefetchLimitUpper, 0xff, 0xff, 0xff, 0xff],
  [0x3c,                 0xff],                   // interrupt line
  [AT.control,           0x43],                   // parity, SERR, secondary bus reset
];

/** Bytes with masks. */
export class BridgeHeader {
  /** The bytes as they are read. */
  readonly bytes: Uint8Array<ArrayBuffer> = new Uint8Array(BRIDGE_HEADER_SIZE);
  readonly #view: DataView<ArrayBuffer> = new DataView(this.bytes.buffer);
  readonly #masks: Uint8Array = new Uint8Array(BRIDGE_HEADER_SIZE);

  /** Power-on values. */
  constructor(private readonly identity: BridgeIdentity) {
    for (const [at, ...masks] of WRITABLE) this.#masks.set(masks, at);
    this.reset();
  }

  /** Power-on values: no bus below, both windows at 0 and, as long as memory is off, closed. */
  reset(): void {
    const { vendor, device, revision, portType } = this.identity, view = this.#view;
    this.bytes.fill(0);
    view.setUint16(AT.vendor, vendor, true);
    view.setUint16(AT.device, device, true);
    view.setUint16(AT.status, STATUS_CAPABILITIES, true);
    view.setUint32(AT.revision, CLASS_BRIDGE * 256 + revision, true);
    view.setUint8(AT.headerType, TYPE_1);
    view.setUint16(AT.prefetchBase, WIDE, true);
    view.setUint16(AT.prefetchLimit, WIDE, true);
    view.setUint8(AT.capabilities, AT.express);
    view.setUint16(AT.express, EXPRESS_ID, true);
    view.setUint16(AT.express + 2, EXPRESS_VERSION | portType << 4, true);
  }

  /** Reads 1, 2 or 4 bytes. */
  read(offset: number, size: number): number {
    let value = 0;
    for (let index = size - 1; index >= 0; index--) value = value * 256 + (this.bytes[offset + index] ?? 0);
    return value;
  }

  /** Writes 1, 2 or 4 bytes; what cannot be written stays. True when Secondary Bus Reset was set by it. */
  write(offset: number, size: number, value: number): boolean {
    const before = this.bytes[AT.control] as number;
    for (let index = 0; index < size && offset + index < BRIDGE_HEADER_SIZE; index++) {
      const at = offset + index, mask = this.#masks[at] as number;
      this.bytes[at] = ((this.bytes[at] as number) & ~mask) | ((value >>> (index * 8)) & mask);
    }
    return ((this.bytes[AT.control] as number) & ~before & CONTROL_RESET) !== 0;
  }

  /** The bus below is held in reset. */
  get holdsReset(): boolean {
    return ((this.bytes[AT.control] as number) & CONTROL_RESET) !== 0;
  }

  /** Number of the bus below; 0 for none. */
  get secondary(): number {
    return this.bytes[AT.secondary] as number;
  }

  /** Highest number of a bus below. */
  get subordinate(): number {
    return this.bytes[AT.subordinate] as number;
  }

  /** Requests from below may pass. */
  get isBusMaster(): boolean {
    return (this.#view.getUint16(AT.command, true) & COMMAND_MASTER) !== 0;
  }

  /** A memory request from above is for something below. */
  forwards(address: number): boolean {
    const view = this.#view;
    if ((view.getUint16(AT.command, true) & COMMAND_MEMORY) === 0) return false;
    const within = (base: number, limit: number): boolean => address >= base && address < limit + MIB;
    const wide = (at: number, upper: number): number =>
      view.getUint32(upper, true) * 2 ** 32 + (view.getUint16(at, true) >>> 4) * MIB;
    return within(
      (view.getUint16(AT.memoryBase, true) >>> 4) * MIB,
      (view.getUint16(AT.memoryLimit, true) >>> 4) * MIB,
    ) || within(
      wide(AT.prefetchBase, AT.prefetchBaseUpper),
      wide(AT.prefetchLimit, AT.prefetchLimitUpper),
    );
  }
}
