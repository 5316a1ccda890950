/** A PCI function as devices are built on it: identity, BARs, capabilities, interrupts and DMA behind one contract. */
import type { EventHub } from "../../events.ts";
import { flag } from "../../layout.ts";
import type { PhysicalMemory } from "../../memory/physical.ts";
import { type Section, type SectionLayout, sectionLayout } from "../../snapshot.ts";
import { Dma } from "../dma.ts";
import { octets } from "../fixed_arrays.ts";
import { ConfigSpace, type PciBar, type PciCapability, type PciIdentity } from "./config_space.ts";
import { type Message, Msix, msixCapability, type MsixOptions } from "./msix.ts";

export type { PciBar, PciCapability, PciIdentity } from "./config_space.ts";
export type { MsixOptions } from "./msix.ts";

/** What a function is built on. */
export interface PciFunctionServices {
  /** Where events go. */
  readonly events: EventHub;
  /** What DMA reaches. */
  readonly memory: PhysicalMemory;
}

/** What a function is. */
export interface PciFunctionOptions {
  /** Name of the device in events; the function's section is called NAME.pci. At most 28 bytes. */
  readonly name: string;
  /** What it says it is. */
  readonly identity: PciIdentity;
  /** Configuration space is that of PCI Express, 4096 bytes instead of 256. */
  readonly express: boolean;
  /** 1–4 for INTA–INTD, 0 for none. */
  readonly interruptPin: number;
  /** Ranges it answers. */
  readonly bars: readonly PciBar[];
  /** Its MSI-X vectors; their capability is the first of the list. The BAR named need not answer for the table. */
  readonly msix?: MsixOptions;
  /** The other capabilities, in the order of the list. */
  readonly capabilities: readonly PciCapability[];
  /** Called after the guest wrote to configuration space, such as bus-master enable. */
  readonly configured?: () => void;
}

/** What a bus does for a function in one of its slots. */
export interface PciSlot {
  /** Drives one of the slot's interrupt lines, INTA being 1. */
  setInterrupt(pin: number, level: boolean): void;
  /** Writes a message to memory space; `device` is the name in events. */
  send(device: string, message: Message): void;
  /** Bridges above let its requests pass; those of a bus without any do. */
  isMaster?(): boolean;
}

interface FunctionState {
  config: Uint8Array;
  /** MSI-X table and pending bits, empty without MSI-X. */
  table: Uint8Array;
  pending: Uint8Array;
  /** What the device drives its interrupt line with. */
  interrupt: boolean;
}

/** One function: what devices signal through, and what a bus asks. */
export class PciFunction {
  /** Name of the device. */
  readonly device: string;
  /** Name of the section. */
  readonly name: string;
  /** The function's access to memory: nothing is there while it may not be a bus master. */
  readonly dma: Dma;
  readonly #options: PciFunctionOptions;
  readonly #config: ConfigSpace;
  readonly #msix: Msix | undefined;
  readonly #layout: SectionLayout<FunctionState>;
  #slot: PciSlot | undefined;
  #interrupt = false;

  /** Throws RangeError when a BAR or a capability is not what PCI allows. */
  constructor(options: PciFunctionOptions, { events, memory }: PciFunctionServices) {
    const { name, msix, capabilities } = options;
    this.device = name;
    this.name = `${name}.pci`;
    this.#options = options;
    const list = msix === undefined ? capabilities : [msixCapability(msix), ...capabilities];
    this.#config = new ConfigSpace({ ...options, capabilities: list });
    this.#msix = msix === undefined ? undefined : new Msix(
      msix,
      () => this.#config.bytes[msix.capability + 3] as number,
      (message) => this.isBusMaster && this.#slot?.send(name, message),
    );
    this.dma = new Dma(name, memory, events, () => this.isBusMaster);
    this.#layout = sectionLayout("pci-function", 1, {
      config: octets(this.#config.bytes.length),
      table: octets(this.#msix?.table.length ?? 0),
      pending: octets(this.#msix?.pending.length ?? 0),
      interrupt: flag,
    });
  }

  /** Puts the function into a slot; done once, by the bus. */
  plug(slot: PciSlot): void {
    this.#slot = slot;
  }

  /** The guest lets it access memory and send messages. */
  get isBusMaster(): boolean {
    return this.#config.isBusMaster && (this.#slot?.isMaster?.() ?? true);
  }

  /** The guest wants messages: `signal` has an effect, the interrupt line should not be driven. */
  get usesMsix(): boolean {
    return this.#msix?.isEnabled ?? false;
  }

  /** Sends the message of a vector, at once unless it is masked; nothing when the guest does not use MSI-X. */
  signal(vector: number): void {
    this.#msix?.signal(vector);
  }

  /** Drives the interrupt line; the same level again changes nothing. */
  setInterrupt(level: boolean): void {
    this.#interrupt = level;
    this.#driveInterrupt();
  }

  #driveInterrupt(): void {
    const { interruptPin } = this.#options;
    if (interruptPin === 0) return;
    this.#config.interruptPending = this.#interrupt;
    this.#slot?.setInterrupt(interruptPin, this.#interrupt && this.#config.interruptsEnabled);
  }

  /** Reads 1, 2 or 4 bytes of configuration space; all ones past its end. */
  readConfig(offset: number, size: number): number {
    return this.#config.read(offset, size);
  }

  /** Writes 1, 2 or 4 bytes of configuration space. */
  writeConfig(offset: number, size: number, value: number): void {
    this.#config.write(offset, size, value);
    // With messages on, the interrupt line has nothing to say any more.
    if (this.usesMsix) this.#interrupt = false;
    this.#driveInterrupt();
    if (this.usesMsix) this.#msix?.unmasked();
    this.#options.configured?.();
  }

  /** Reads at an address of I/O or memory space; undefined when no BAR is there now. */
  read(io: boolean, address: number, size: number): number | undefined {
    const found = this.#config.decode(io, address);
    if (found === undefined) return undefined;
    return this.readBar(found.bar, found.offset, size);
  }

  /** Writes at an address of I/O or memory space; false when no BAR is there now. */
  write(io: boolean, address: number, size: number, value: number): boolean {
    const found = this.#config.decode(io, address);
    if (found === undefined) return false;
    this.writeBar(found.bar, found.offset, size, value);
    return true;
  }

  /** Reads within a BAR, wherever it is. */
  readBar(bar: PciBar, offset: number, size: number): number {
    if (this.#isMsix(bar, offset)) return (this.#msix as Msix).read(offset, size);
    return bar.read(offset, size);
  }

  /** Writes within a BAR, wherever it is. */
  writeBar(bar: PciBar, offset: number, size: number, value: number): void {
    if (this.#isMsix(bar, offset)) return (this.#msix as Msix).write(offset, size, value);
    bar.write(offset, size, value);
  }

  #isMsix(bar: PciBar, offset: number): boolean {
    return this.#msix?.options.bar === bar.index && this.#msix.covers(offset);
  }

  /** Power-on state, the interrupt line low. */
  reset(): void {
    this.#config.reset();
    this.#msix?.reset();
    this.setInterrupt(false);
  }

  /** Configuration space, vectors and interrupt line. */
  save(): Section {
    return this.#layout.encode(this.name, {
      config: this.#config.bytes,
      table: this.#msix?.table ?? new Uint8Array(0),
      pending: this.#msix?.pending ?? new Uint8Array(0),
      interrupt: this.#interrupt,
    });
  }

  /** Restores what `save` gave and drives the interrupt line; sends nothing. */
  restore(section: Section): void {
    const { config, table, pending, interrupt } = this.#layout.decode(section);
    this.#config.bytes.set(config);
    this.#msix?.table.set(table);
    this.#msix?.pending.set(pending);
    this.setInterrupt(interrupt);
  }
}

/** A BAR that answers nothing of its own: all of it is MSI-X table, pending bits and, as in QEMU, ones. */
export function msixBar(index: number, size: number): PciBar {
  return {
    index,
    kind: "memory32",
    prefetchable: false,
    size,
    read: (_, size) => 2 ** (size * 8) - 1,
    write: () => {},
  };
}
