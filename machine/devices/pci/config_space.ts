/** The configuration space of a PCI function: a header of type 0, its base addresses and its list of capabilities. */

/** What a function says it is. */
export interface PciIdentity {
  /** Vendor ID, 16 bits. */
  readonly vendor: number;
  /** Device ID, 16 bits. */
  readonly device: number;
  /** Base class, subclass and programming interface, 24 bits. */
  readonly classCode: number;
  /** Revision ID, 8 bits. */
  readonly revision: number;
  /** Subsystem Vendor ID, 16 bits. */
  readonly subsystemVendor: number;
  /** Subsystem ID, 16 bits. */
  readonly subsystem: number;
}

/** A range of addresses that a function answers, where its base address register says. */
export interface PciBar {
  /** Number of the register, 0–5; a `memory64` takes the next one too. */
  readonly index: number;
  /** What kind of address space, and how far. */
  readonly kind: "io" | "memory32" | "memory64";
  /** Reads have no side effects. */
  readonly prefetchable: boolean;
  /** Bytes, a power of two: at least 4 of I/O, 16 of memory. */
  readonly size: number;
  /** Where it is for good: the register tells its size after all ones as any other, and else this. */
  readonly fixed?: number;
  /** Reads 1, 2 or 4 bytes at an offset below `size`, as an unsigned little-endian number. */
  read(offset: number, size: number): number;
  /** Writes 1, 2 or 4 bytes. */
  write(offset: number, size: number, value: number): void;
}

/** A capability in the list. */
export interface PciCapability {
  /** Capability ID, 8 bits. */
  readonly id: number;
  /** Where it is, a multiple of 4, at least 0x40. */
  readonly offset: number;
  /** Its bytes from the third on: those after ID and next pointer. */
  readonly body: readonly number[];
  /** The bits of `body` that can be written; none when absent. */
  readonly writable?: readonly number[];
  /** Bytes of it that are a window into something else. */
  readonly window?: PciCapabilityWindow;
}

/** Bytes of a capability through which something else is read and written. */
export interface PciCapabilityWindow {
  /** First byte, from the start of the capability. */
  readonly offset: number;
  /** Bytes. */
  readonly size: number;
  /** Called before any of them is read: puts there what is to be read. */
  refresh(bytes: Uint8Array): void;
  /** Called after any of them was written. */
  written(bytes: Uint8Array): void;
}

/** Offsets of the header (PCI Local Bus Specification 3.0, section 6.1). */
// deno-fmt-ignore
const HEADER = {
  vendor: 0x00, device: 0x02, command: 0x04, status: 0x06, revision: 0x08, classCode: 0x09, cacheLineSize: 0x0c,
  bars: 0x10, barsEnd: 0x28, subsystemVendor: 0x2c, subsystem: 0x2e, capabilities: 0x34, interruptLine: 0x3c, interruptPin: 0x3d,
} as const;

/** Bits of the command register. */
const COMMAND_IO = 1 << 0;
const COMMAND_MEMORY = 1 << 1;
const COMMAND_MASTER = 1 << 2;
const COMMAND_SERR = 1 << 8;
const COMMAND_INTERRUPT_DISABLE = 1 << 10;
/** Bits of the status register. */
const STATUS_INTERRUPT = 1 << 3;
const STATUS_CAPABILITIES = 1 << 4;

const BAR_IO = 1;
const BAR_64 = 4;
const BAR_PREFETCHABLE = 8;

const CONVENTIONAL_SIZE = 0x100;
const EXPRESS_SIZE = 0x1000;
/** Addresses that no 32-bit base address may reach: its last byte would be the end of the space. */
const LAST_32 = 2 ** 32 - 1;

/** What a configuration space is made of. */
export interface ConfigSpaceOptions {
  /** What it is. */
  readonly identity: PciIdentity;
  /** The extended space of PCI Express is there: 4096 bytes instead of 256. */
  readonly express: boolean;
  /** 1–4 for INTA–INTD, 0 for none. */
  readonly interruptPin: number;
  /** Base addresses. */
  readonly bars: readonly PciBar[];
  /** In the order of the list. */
  readonly capabilities: readonly PciCapability[];
}

interface PlacedWindow {
  /** Offset in configuration space. */
  readonly at: number;
  readonly window: PciCapabilityWindow;
}

/** Bytes with masks: what can be written is, the rest stays. */
export class ConfigSpace {
  /** The bytes as they are read. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #initial: Uint8Array<ArrayBuffer>;
  readonly #writable: Uint8Array<ArrayBuffer>;
  readonly #view: DataView<ArrayBuffer>;
  readonly #bars: readonly PciBar[];
  readonly #windows: readonly PlacedWindow[];

  /** Throws RangeError when a base address or a capability is not what PCI allows. */
  constructor({ identity, express, interruptPin, bars, capabilities }: ConfigSpaceOptions) {
    const size = express ? EXPRESS_SIZE : CONVENTIONAL_SIZE;
    this.#bars = bars;
    this.#initial = new Uint8Array(size);
    // As in QEMU, what lies between the capabilities holds what is written to it.
    this.#writable = new Uint8Array(size).fill(0xff, 0x40);
    if (express) this.#writable.fill(0, 0x100, 0x104);
    this.bytes = new Uint8Array(size);
    this.#view = new DataView(this.bytes.buffer);
    this.#layHeader(identity, interruptPin);
    for (const bar of bars) this.#layBar(bar);
    capabilities.forEach((capability, index) =>
      this.#layCapability(capability, capabilities[index + 1]?.offset ?? 0)
    );
    if (capabilities[0] !== undefined) this.#initial[HEADER.capabilities] = capabilities[0].offset;
    this.#windows = capabilities.flatMap(({ offset, window }) =>
      window === undefined ? [] : [{ at: offset + window.offset, window }]
    );
    this.reset();
  }

  #layHeader(identity: PciIdentity, interruptPin: number): void {
    const initial = new DataView(this.#initial.buffer);
    const writable = new DataView(this.#writable.buffer);
    initial.setUint16(HEADER.vendor, identity.vendor, true);
    initial.setUint16(HEADER.device, identity.device, true);
    initial.setUint32(HEADER.revision, (identity.classCode << 8) | identity.revision, true);
    initial.setUint16(HEADER.subsystemVendor, identity.subsystemVendor, true);
    initial.setUint16(HEADER.subsystem, identity.subsystem, true);
    initial.setUint8(HEADER.interruptPin, interruptPin);
    writable.setUint16(
      HEADER.command,
      COMMAND_IO | COMMAND_MEMORY | COMMAND_MASTER | COMMAND_SERR | COMMAND_INTERRUPT_DISABLE,
      true,
    );
    writable.setUint8(HEADER.cacheLineSize, 0xff);
    writable.setUint8(HEADER.interruptLine, 0xff);
  }

  #layBar({ index, kind, prefetchable, size, fixed = 0 }: PciBar): void {
    const at = HEADER.bars + index * 4;
    const last = kind === "memory64" ? 4 : 5;
    if (index < 0 || index > last || size < (kind === "io" ? 4 : 16) || (size & (size - 1)) !== 0) {
      throw new RangeError(
        `Cannot lay BAR ${index} of ${size} bytes: not a power of two, or no such register`,
      );
    }
    const initial = new DataView(this.#initial.buffer);
    const writable = new DataView(this.#writable.buffer);
    const type = kind === "io"
      ? BAR_IO
      : (kind === "memory64" ? BAR_64 : 0) | (prefetchable ? BAR_PREFETCHABLE : 0);
    if (fixed % size !== 0 || (kind !== "memory64" && fixed >= 2 ** 32)) {
      throw new RangeError(`Cannot lay BAR ${index}: ${fixed} is no place for ${size} bytes`);
    }
    initial.setUint32(at, (fixed % 2 ** 32) + type, true);
    const mask = (2n ** 64n) - BigInt(size);
    writable.setUint32(at, Number(mask & 0xffff_ffffn), true);
    if (kind !== "memory64") return;
    initial.setUint32(at + 4, Math.floor(fixed / 2 ** 32), true);
    writable.setUint32(at + 4, Number(mask >> 32n), true);
  }

  #layCapability({ id, offset, body, writable = [] }: PciCapability, next: number): void {
    if (offset < 0x40 || offset % 4 !== 0 || offset + 2 + body.length > CONVENTIONAL_SIZE) {
      throw new RangeError(`Cannot lay capability ${id} at ${offset}: not a multiple of 4 in 64–255`);
    }
    this.#initial[HEADER.status] = STATUS_CAPABILITIES;
    this.#initial.set([id, next, ...body], offset);
    this.#writable.fill(0, offset, offset + 2 + body.length);
    this.#writable.set(writable, offset + 2);
  }

  /** Power-on values. */
  reset(): void {
    this.bytes.set(this.#initial);
  }

  /** Reads 1, 2 or 4 bytes; all ones past the end. */
  read(offset: number, size: number): number {
    if (offset + size > this.bytes.length) return 2 ** (size * 8) - 1;
    const placed = this.#windowAt(offset, size);
    placed?.window.refresh(this.#bytesOf(placed));
    let value = 0;
    for (let index = size - 1; index >= 0; index--) {
      value = value * 256 + (this.bytes[offset + index] as number);
    }
    return value;
  }

  /** Writes 1, 2 or 4 bytes; what cannot be written stays. */
  write(offset: number, size: number, value: number): void {
    if (offset + size > this.bytes.length) return;
    for (let index = 0; index < size; index++) {
      const at = offset + index;
      const mask = this.#writable[at] as number;
      this.bytes[at] = ((this.bytes[at] as number) & ~mask) | ((value >>> (index * 8)) & mask);
    }
    if (offset < HEADER.barsEnd && offset + size > HEADER.bars) this.#settleFixed();
    const placed = this.#windowAt(offset, size);
    placed?.window.written(this.#bytesOf(placed));
  }

  /** Registers of fixed BARs hold their size or their place, and nothing else. */
  #settleFixed(): void {
    for (const { index, kind, fixed } of this.#bars) {
      if (fixed === undefined) continue;
      const first = HEADER.bars + index * 4, end = first + (kind === "memory64" ? 8 : 4);
      for (let at = first; at < end; at += 4) {
        const ones = Array.from({ length: 4 }, (_, n) => this.#writable[at + n] as number)
          .every((mask, n) => ((this.bytes[at + n] as number) & mask) === mask);
        if (!ones) this.bytes.set(this.#initial.subarray(at, at + 4), at);
      }
    }
  }

  #bytesOf({ at, window }: PlacedWindow): Uint8Array {
    return this.bytes.subarray(at, at + window.size);
  }

  #windowAt(offset: number, size: number): PlacedWindow | undefined {
    return this.#windows.find(({ at, window }) => offset + size > at && offset < at + window.size);
  }

  get #command(): number {
    return this.#view.getUint16(HEADER.command, true);
  }

  /** The function may access memory and send messages. */
  get isBusMaster(): boolean {
    return (this.#command & COMMAND_MASTER) !== 0;
  }

  /** The function may drive its interrupt line. */
  get interruptsEnabled(): boolean {
    return (this.#command & COMMAND_INTERRUPT_DISABLE) === 0;
  }

  /** The function would drive its interrupt line, be it allowed to or not. */
  get interruptPending(): boolean {
    return ((this.bytes[HEADER.status] as number) & STATUS_INTERRUPT) !== 0;
  }
  set interruptPending(level: boolean) {
    const rest = (this.bytes[HEADER.status] as number) & ~STATUS_INTERRUPT;
    this.bytes[HEADER.status] = rest | (level ? STATUS_INTERRUPT : 0);
  }

  /** The BAR that decodes an address of that space now, and where within it; undefined when none does. */
  decode(io: boolean, address: number): { readonly bar: PciBar; readonly offset: number } | undefined {
    for (const bar of this.#bars) {
      if ((bar.kind === "io") !== io) continue;
      const base = this.#base(bar);
      if (base !== undefined && address >= base && address < base + bar.size) {
        return { bar, offset: address - base };
      }
    }
    return undefined;
  }

  /** Where a BAR begins, or undefined while it decodes nothing. As in QEMU's virt, it may begin at 0. */
  #base({ index, kind, size, fixed }: PciBar): number | undefined {
    if ((this.#command & (kind === "io" ? COMMAND_IO : COMMAND_MEMORY)) === 0) return undefined;
    if (fixed !== undefined) return fixed;
    const low = this.#view.getUint32(HEADER.bars + index * 4, true);
    const high = kind === "memory64" ? this.#view.getUint32(HEADER.bars + index * 4 + 4, true) : 0;
    const base = high * 2 ** 32 + low - low % Math.min(size, 2 ** 32);
    if (kind === "memory64") return Number.isSafeInteger(base + size) ? base : undefined;
    return base + size - 1 >= LAST_32 ? undefined : base;
  }
}
