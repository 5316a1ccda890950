/** CFI parallel flash with Intel commands (JEDEC JESD68.01), two 16-bit chips side by side as on QEMU's `virt`. */
import { type PhysicalAddress, physicalAddress } from "../address.ts";
import { bytes, u16, u32, u8 } from "../layout.ts";
import type { AccessContext, MemoryRegion, PhysicalMemory } from "../memory/physical.ts";
import { type Section, sectionLayout } from "../snapshot.ts";
import type { Device } from "./device.ts";

/** Where a flash bank is. */
export interface FlashCfiOptions {
  /** Name of the device and of its section. */
  readonly name: string;
  /** First physical address. */
  readonly base: PhysicalAddress;
  /** Memory that holds the array. */
  readonly memory: PhysicalMemory;
  /** Programming and erasing fail. */
  readonly readOnly?: boolean;
}

/** Bytes that a block erase takes, both chips together. */
const BLOCK_SIZE = 0x4_0000;
/** Bytes per address step of identification and CFI table: the width of the bank. */
const BANK_WIDTH = 4;
/** Bytes that a write to buffer can change, both chips together. */
const BUFFER_SIZE = 0x1000;
const READY = 0x80;
const PROGRAM_ERROR = 0x10;
const ERASE_ERROR = 0x20;

/** Commands, by the first byte written. */
const READ_ARRAY = 0x00;
const PROGRAM = 0x40;
const PROGRAM_ALTERNATE = 0x10;
const BLOCK_ERASE = 0x20;
const CLEAR_STATUS = 0x50;
const LOCK = 0x60;
const READ_STATUS = 0x70;
const READ_IDENTIFICATION = 0x90;
const CFI_QUERY = 0x98;
const WRITE_TO_BUFFER = 0xe8;
const CONFIRM = 0xd0;
const LOCK_SET = 0x01;
const RESET = 0xff;

/** Manufacturer and device, by address step. */
const IDENTIFICATION: readonly number[] = [0x89, 0x18];

/** What a chip answers to a CFI query, by address step: 32 MiB in 256 blocks of 128 KiB, buffers of 2 KiB. */
// deno-fmt-ignore
const CFI_TABLE: ReadonlyMap<number, number> = new Map([
  [0x10, 0x51], [0x11, 0x52], [0x12, 0x59], // "QRY"
  [0x13, 0x01],                             // Intel command set
  [0x15, 0x31],                             // its table is at 0x31
  [0x1b, 0x45], [0x1c, 0x55],               // Vcc from 4.5 V to 5.5 V
  [0x1f, 0x07], [0x20, 0x07], [0x21, 0x0a], // typical times, powers of two: word 128 µs, buffer 128 µs, block 1 s
  [0x23, 0x04], [0x24, 0x04], [0x25, 0x04], // longest times as multiples
  [0x27, 25],                               // 2^25 bytes
  [0x28, 0x02],                             // 8 and 16 bits wide
  [0x2a, 0x0b],                             // buffer of 2^11 bytes
  [0x2c, 0x01],                             // one region of equal blocks:
  [0x2d, 0xff], [0x2e, 0x00],               // 256 of them
  [0x2f, 0x00], [0x30, 0x02],               // of 2 × 64 KiB
  [0x31, 0x50], [0x32, 0x52], [0x33, 0x49], // "PRI"
  [0x34, 0x31], [0x35, 0x30],               // version "1", "0"
  [0x3f, 0x01],                             // one protection field
]);

const layout = sectionLayout("flash", 1, {
  /** Command being executed or answered; while it is READ_ARRAY the bank is plain memory to reads. */
  command: u8,
  /** Writes that the command has had. */
  cycle: u8,
  status: u8,
  /** Words that a write to buffer takes after the next one. */
  remaining: u16,
  /** Where the buffer goes in the array. */
  bufferOffset: u32,
  /** What the array is to hold there; empty unless a write to buffer is under way. */
  buffer: bytes(BUFFER_SIZE),
});

const INITIAL = {
  command: READ_ARRAY,
  cycle: 0,
  status: READY,
  remaining: 0,
  bufferOffset: 0,
  buffer: new Uint8Array(0),
};

/**
 * A flash bank. As in QEMU 7.2 nothing takes time, programming sets bits as well as it clears them, an erase happens
 * before its confirmation, and locking is accepted without effect.
 */
export class FlashCfi implements Device {
  /** Name of the device. */
  readonly name: string;
  readonly #base: PhysicalAddress;
  readonly #memory: PhysicalMemory;
  readonly #readOnly: boolean;
  #region: MemoryRegion | undefined;
  #state: ReturnType<typeof layout.decode> = { ...INITIAL };

  /** A bank whose array has yet to be connected. */
  constructor({ name, base, memory, readOnly = false }: FlashCfiOptions) {
    this.name = name;
    this.#base = base;
    this.#memory = memory;
    this.#readOnly = readOnly;
  }

  /** Tells which region of memory is the array, a multiple of 256 KiB; the CFI table describes 64 MiB. */
  connect(region: MemoryRegion): void {
    this.#region = region;
  }

  /** Answers a read while the array is not plain memory: status, identification or CFI table. */
  read(offset: number, size: number): number {
    const word = this.#answer(offset, size);
    return size === 4 ? word >>> 0 : word & ((1 << (8 * size)) - 1);
  }

  #answer(offset: number, size: number): number {
    const step = Math.floor(offset / BANK_WIDTH);
    switch (this.#state.command) {
      case READ_ARRAY:
        return this.#array(offset, size);
      case READ_IDENTIFICATION:
        return both(IDENTIFICATION[step & 0xff] ?? 0);
      case CFI_QUERY:
        return both(CFI_TABLE.get(step) ?? 0);
      default:
        return both(this.#state.status);
    }
  }

  #array(offset: number, size: number): number {
    const array = this.#memory.readBytes(physicalAddress(this.#base + offset), size);
    return array.reduceRight((value, byte) => (value << 8) | byte, 0);
  }

  /** Writes are commands, or the data that a command asked for. */
  write(offset: number, size: number, value: number, context: AccessContext): void {
    const byte = value & 0xff;
    switch (this.#state.cycle) {
      case 0:
        this.#command(byte, offset, context);
        break;
      case 1:
        this.#second(byte, offset, size, value, context);
        break;
      case 2:
        this.#buffered(offset, size, value);
        break;
      default:
        this.#confirm(byte, context);
    }
    this.#follow();
  }

  #command(command: number, offset: number, context: AccessContext): void {
    switch (command) {
      case READ_STATUS:
      case READ_IDENTIFICATION:
        this.#state.command = command;
        return;
      case BLOCK_ERASE:
        this.#erase(offset, context);
        break;
      case WRITE_TO_BUFFER:
        this.#state.status |= READY;
        break;
      case PROGRAM:
      case PROGRAM_ALTERNATE:
      case LOCK:
      case CFI_QUERY:
        break;
      case CLEAR_STATUS:
        this.#state.status = 0;
        return this.#readArray();
      default:
        return this.#readArray();
    }
    this.#state.command = command;
    this.#state.cycle = 1;
  }

  /** The second write of a command. */
  #second(byte: number, offset: number, size: number, value: number, context: AccessContext): void {
    switch (this.#state.command) {
      case PROGRAM:
      case PROGRAM_ALTERNATE:
        this.#program(offset, size, value, context);
        return this.#finish();
      case WRITE_TO_BUFFER:
        return this.#startBuffer(value & 0xffff, offset);
      case BLOCK_ERASE:
        return byte === CONFIRM ? this.#finish() : this.#readArray();
      case LOCK:
        return byte === CONFIRM || byte === LOCK_SET ? this.#finish() : this.#readArray();
      default: // CFI_QUERY: goes on answering until it is told to stop.
        if (byte === RESET) this.#readArray();
    }
  }

  #startBuffer(remaining: number, offset: number): void {
    const bufferOffset = offset - offset % BUFFER_SIZE;
    const buffer = this.#memory.readBytes(physicalAddress(this.#base + bufferOffset), BUFFER_SIZE);
    Object.assign(this.#state, { remaining, bufferOffset, buffer, cycle: 2 });
  }

  #buffered(offset: number, size: number, value: number): void {
    const at = offset - this.#state.bufferOffset;
    if (!this.#readOnly && at >= 0 && at + size <= BUFFER_SIZE) {
      this.#state.buffer.set(bytesOf(value, size), at);
    } else this.#state.status |= PROGRAM_ERROR;
    this.#state.status |= READY;
    if (this.#state.remaining === 0) this.#state.cycle = 3;
    else this.#state.remaining--;
  }

  /** Moves the buffer to the array if told to and nothing went wrong. */
  #confirm(byte: number, { cpu }: AccessContext): void {
    if (byte !== CONFIRM || this.#state.status & PROGRAM_ERROR) return this.#readArray();
    const { bufferOffset, buffer } = this.#state;
    this.#memory.writeBytes(physicalAddress(this.#base + bufferOffset), buffer, cpu);
    this.#finish();
  }

  #finish(): void {
    this.#state.cycle = 0;
    this.#state.buffer = INITIAL.buffer;
    this.#state.status |= READY;
  }

  #readArray(): void {
    this.#state.cycle = 0;
    this.#state.buffer = INITIAL.buffer;
    this.#state.command = READ_ARRAY;
  }

  #program(offset: number, size: number, value: number, { cpu }: AccessContext): void {
    if (this.#readOnly) {
      this.#state.status |= PROGRAM_ERROR;
      return;
    }
    this.#memory.writeBytes(physicalAddress(this.#base + offset), bytesOf(value, size), cpu);
  }

  #erase(offset: number, { cpu }: AccessContext): void {
    this.#state.status |= READY;
    if (this.#readOnly) {
      this.#state.status |= ERASE_ERROR;
      return;
    }
    const block = offset - offset % BLOCK_SIZE;
    this.#memory.writeBytes(physicalAddress(this.#base + block), new Uint8Array(BLOCK_SIZE).fill(0xff), cpu);
  }

  /** Makes the region plain memory to reads, or not, as the state has it. */
  #follow(): void {
    if (this.#region) this.#memory.setDirect(this.#region, this.#state.command === READ_ARRAY);
  }

  /** Ready to read the array, which keeps its contents. */
  reset(): void {
    this.#state = { ...INITIAL };
    this.#follow();
  }

  /** The command state; the array is memory and saved with it. */
  save(): Section {
    return layout.encode(this.name, this.#state);
  }

  /** Restores what `save` gave. */
  restore(section: Section): void {
    this.#state = layout.decode(section);
    this.#follow();
  }
}

function bytesOf(value: number, size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, at) => value >>> (8 * at));
}

/** The same from both chips. */
function both(half: number): number {
  return half | (half << 16);
}
