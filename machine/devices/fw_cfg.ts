/** QEMU's firmware configuration device, memory-mapped with DMA (QEMU docs/specs/fw_cfg). */
import { hex } from "../address.ts";
import { u16, u32 } from "../layout.ts";
import { type Section, sectionLayout } from "../snapshot.ts";
import type { Device } from "./device.ts";
import type { Dma } from "./dma.ts";

/** One item: under a fixed selector, or as a file, which gets a selector and an entry in the directory. */
export type FwCfgItem =
  & {
    /** Contents. */
    readonly bytes: Uint8Array;
  }
  & (
    | {
      /** Selector. */
      readonly selector: number;
    }
    | {
      /** Name in the directory, at most 55 bytes of ASCII. */
      readonly file: string;
    }
  );

/** What a fw_cfg serves. */
export interface FwCfgOptions {
  /** Name of the device and of its section. */
  readonly name: string;
  /** The way to memory. */
  readonly dma: Dma;
  /** Items beside the signature, the features and the directory, which are always there. */
  readonly items: readonly FwCfgItem[];
}

/** Register offsets. */
const DATA_END = 8;
const SELECTOR = 8;
const DMA = 16;

const SIGNATURE = 0x0000;
const FEATURES = 0x0001;
const FILE_DIRECTORY = 0x0019;
const FIRST_FILE = 0x0020;
const FILE_MAX = 0x20;
const FILE_NAME_SIZE = 56;
const FILE_ENTRY_SIZE = 8 + FILE_NAME_SIZE;

/** Features: the traditional interface and DMA. */
const FEATURE_BITS = 3;

/** Bits of a DMA request's control word; the selector is in its upper half. */
const DMA_ERROR = 1 << 0;
const DMA_READ = 1 << 1;
const DMA_SKIP = 1 << 2;
const DMA_SELECT = 1 << 3;
const DMA_WRITE = 1 << 4;
const DMA_CHUNK = 0x1_0000;
/** A request: control, length and address, 32, 32 and 64 bits, big-endian. */
const REQUEST_SIZE = 16;

const encoder = new TextEncoder();
const DMA_SIGNATURE = encoder.encode("QEMU CFG");

const layout = sectionLayout("fw_cfg", 1, {
  selector: u16,
  /** Bytes of the selected item read so far. */
  offset: u32,
  /** Upper half of a DMA request's address, written before the lower half. */
  dmaAddressHigh: u32,
});

const INITIAL = { selector: 0, offset: 0, dmaAddressHigh: 0 };

/** The device: all items are read-only. */
export class FwCfg implements Device {
  /** Name of the device. */
  readonly name: string;
  readonly #dma: Dma;
  readonly #items: ReadonlyMap<number, Uint8Array>;
  #state: ReturnType<typeof layout.decode> = { ...INITIAL };

  /** Throws RangeError when two items have one selector or name, or a name is too long. */
  constructor({ name, dma, items }: FwCfgOptions) {
    this.name = name;
    this.#dma = dma;
    this.#items = selectorsOf(items);
  }

  #item(): Uint8Array {
    return this.#items.get(this.#state.selector) ?? new Uint8Array(0);
  }

  /**
   * Reads the next bytes of the selected item, the first at the lowest address, zero past its end; at the DMA register,
   * the signature "QEMU CFG".
   */
  read(offset: number, size: number): number {
    if (offset < DATA_END) {
      const { offset: from } = this.#state;
      const bytes = this.#item().subarray(from, from + size);
      this.#state.offset += bytes.length;
      return littleEndian(bytes);
    }
    return offset < DMA ? 0 : littleEndian(DMA_SIGNATURE.subarray(offset - DMA, offset - DMA + size));
  }

  /** Selects an item (2 bytes, big-endian), or starts DMA by the lower half of an address (4 bytes, big-endian). */
  write(offset: number, size: number, value: number): void {
    if (offset === SELECTOR && size === 2) this.#select(swap16(value));
    else if (offset === DMA && size === 4) this.#state.dmaAddressHigh = swap32(value);
    else if (offset === DMA + 4 && size === 4) this.#transfer(swap32(value));
  }

  #select(selector: number): void {
    this.#state.selector = selector;
    this.#state.offset = 0;
  }

  #transfer(addressLow: number): void {
    const at = this.#state.dmaAddressHigh * 2 ** 32 + addressLow;
    this.#state.dmaAddressHigh = 0;
    const bytes = this.#dma.read(at, REQUEST_SIZE);
    if (bytes === undefined) return;
    const request = new DataView(bytes.buffer);
    const control = request.getUint32(0);
    const address = request.getUint32(8) * 2 ** 32 + request.getUint32(12);
    if (control & DMA_SELECT) this.#select(control >>> 16);
    const isDone = this.#move(control, address, request.getUint32(4));
    this.#dma.write(at, Uint8Array.of(0, 0, 0, isDone ? 0 : DMA_ERROR));
  }

  /**
   * Carries out a request's reading, writing or skipping; false when it fails. The position in the item moves all the
   * same, as in QEMU; writing always fails, unless it is nothing.
   */
  #move(control: number, address: number, length: number): boolean {
    let isDone = true;
    if (control & DMA_READ) isDone = this.#copy(address, length);
    else if (control & DMA_WRITE) isDone = length === 0;
    else if (!(control & DMA_SKIP)) return true;
    this.#state.offset += Math.min(length, this.#item().length - this.#state.offset);
    return isDone;
  }

  /** Copies the item's next bytes to memory, and zeros after its end. */
  #copy(address: number, length: number): boolean {
    const item = this.#item().subarray(this.#state.offset);
    for (let done = 0; done < length; done += DMA_CHUNK) {
      const chunk = new Uint8Array(Math.min(length - done, DMA_CHUNK));
      chunk.set(item.subarray(done, done + chunk.length));
      if (!this.#dma.write(address + done, chunk)) return false;
    }
    return true;
  }

  /** Nothing read yet of the signature. */
  reset(): void {
    this.#state = { ...INITIAL };
  }

  /** What is selected and how far it was read; the items belong to the configuration. */
  save(): Section {
    return layout.encode(this.name, this.#state);
  }

  /** Restores what `save` gave. */
  restore(section: Section): void {
    this.#state = layout.decode(section);
  }
}

function selectorsOf(items: readonly FwCfgItem[]): Map<number, Uint8Array> {
  const files = items.flatMap((item) => "file" in item ? [item] : []).sort((a, b) =>
    a.file < b.file ? -1 : 1
  );
  const all = [
    { selector: SIGNATURE, bytes: encoder.encode("QEMU") },
    { selector: FEATURES, bytes: Uint8Array.of(FEATURE_BITS, 0, 0, 0) },
    { selector: FILE_DIRECTORY, bytes: directoryOf(files) },
    ...items.flatMap((item) => "selector" in item ? [item] : []),
    ...files.map(({ bytes }, index) => ({ selector: FIRST_FILE + index, bytes })),
  ];
  const bySelector = new Map<number, Uint8Array>();
  for (const { selector, bytes } of all) {
    if (bySelector.has(selector)) {
      throw new RangeError(`Cannot add fw_cfg item ${hex(selector)}: it is taken`);
    }
    bySelector.set(selector, bytes);
  }
  return bySelector;
}

/** The file directory: a count, then size, selector, two reserved bytes and the name of each; numbers big-endian. */
function directoryOf(files: readonly { readonly file: string; readonly bytes: Uint8Array }[]): Uint8Array {
  if (files.length > FILE_MAX) {
    throw new RangeError(`Cannot serve ${files.length} fw_cfg files: there is room for ${FILE_MAX}`);
  }
  const directory = new Uint8Array(4 + files.length * FILE_ENTRY_SIZE);
  const view = new DataView(directory.buffer);
  view.setUint32(0, files.length);
  for (const [index, { file, bytes }] of files.entries()) {
    const name = encoder.encode(file);
    if (name.length >= FILE_NAME_SIZE || files[index + 1]?.file === file) {
      throw new RangeError(`Cannot add fw_cfg file "${file}": the name is taken, or longer than 55 bytes`);
    }
    const at = 4 + index * FILE_ENTRY_SIZE;
    view.setUint32(at, bytes.length);
    view.setUint16(at + 4, FIRST_FILE + index);
    directory.set(name, at + 8);
  }
  return directory;
}

function littleEndian(bytes: Uint8Array): number {
  return bytes.reduceRight((value, byte) => (value << 8) | byte, 0) >>> 0;
}

function swap16(value: number): number {
  return ((value & 0xff) << 8) | ((value >>> 8) & 0xff);
}

function swap32(value: number): number {
  return ((swap16(value) << 16) | swap16(value >>> 16)) >>> 0;
}
