/** The PCI Express host of QEMU's virt: configuration space by address (ECAM), windows, interrupt lines, messages. */
import type { EventHub } from "../../events.ts";
import type { MappedDevice, PhysicalMemory } from "../../memory/physical.ts";
import { type Section, sectionLayout } from "../../snapshot.ts";
import type { InterruptLine } from "../device.ts";
import { words } from "../fixed_arrays.ts";
import { PciFunction } from "./function.ts";
import type { Message } from "./msix.ts";

/** Slots of bus 0; the bridge itself is in slot 0. */
export const PCI_SLOTS = 32;

/** Interrupt lines of the host: INTA of slot 0 is the first, INTB of slot 0 and INTA of slot 1 the second. */
export const PCI_LINES = 4;

/** The bridge's function, 00.0 (QEMU docs/specs/pci-ids). */
const IDENTITY = {
  vendor: 0x1b36,
  device: 0x0008,
  classCode: 0x06_00_00,
  revision: 0,
  subsystemVendor: 0x1af4,
  subsystem: 0x1100,
};

/** A register that takes messages instead of memory: that of a GICv2m or of an ITS. */
export interface MessageReceiver {
  /** Physical address of the register. */
  readonly address: number;
  /** Takes a message; `requester` is the sender's bus, device and function in 16 bits. */
  receive(data: number, requester: number): void;
}

/** What the host is built on. */
export interface PciHostOptions {
  /** Name of the section, and of the bridge's own function. */
  readonly name: string;
  /** Where events go. */
  readonly events: EventHub;
  /** What messages to other addresses reach. */
  readonly memory: PhysicalMemory;
  /** PCI_LINES shared interrupts. */
  readonly lines: readonly InterruptLine[];
  /** What messages are for. */
  readonly receivers: readonly MessageReceiver[];
}

/** A message arrives: at what it is for, as an event, or in memory. `requester` is its sender's bus, device and function. */
export function deliverMessage(
  { events, receivers }: Pick<PciHostOptions, "events" | "receivers">,
  sender: PciFunction,
  { address, data }: Message,
  requester: number,
): void {
  const at = Number(address & 0xffff_ffff_ffffn);
  events.emit("messageSignalled", 0, { device: sender.device, address: at, data });
  const receiver = receivers.find((other) => other.address === at);
  if (receiver !== undefined) return receiver.receive(data, requester);
  sender.dma.write(address, Uint8Array.from([data, data >>> 8, data >>> 16, data >>> 24]));
}

const layout = sectionLayout("pci-host", 1, {
  /** The slots that drive each line: bit n of word m is slot n's level of line m. */
  levels: words(PCI_LINES),
});

/** The host: what its windows read and write goes to the functions in its slots. */
export class PciHost {
  /** Name of the section. */
  readonly name: string;
  /** The bridge's own function, plugged in already; a part with state of its own. */
  readonly bridge: PciFunction;
  readonly #options: PciHostOptions;
  readonly #functions: (PciFunction | undefined)[] = new Array(PCI_SLOTS).fill(undefined);
  readonly #levels = new Uint32Array(PCI_LINES);

  /** A host with nothing but the bridge. */
  constructor(options: PciHostOptions) {
    this.name = options.name;
    this.#options = options;
    this.bridge = new PciFunction(
      { name: options.name, identity: IDENTITY, express: false, interruptPin: 0, bars: [], capabilities: [] },
      options,
    );
    this.plug(0, this.bridge);
  }

  /** Puts a function into a slot; throws RangeError when there is no such slot or it is taken. */
  plug(slot: number, pciFunction: PciFunction): void {
    if (!(slot >= 0 && slot < PCI_SLOTS) || this.#functions[slot] !== undefined) {
      throw new RangeError(`Cannot plug "${pciFunction.device}" into slot ${slot}: it is taken, or not 0–31`);
    }
    this.#functions[slot] = pciFunction;
    pciFunction.plug({
      setInterrupt: (pin, level) => this.#setInterrupt(slot, pin, level),
      send: (_device, message) => deliverMessage(this.#options, pciFunction, message, slot << 3),
    });
  }

  /** The lines are swizzled: pin and slot numbers add up. */
  #setInterrupt(slot: number, pin: number, level: boolean): void {
    const line = (pin - 1 + slot) % PCI_LINES;
    const levels = this.#levels[line] as number;
    this.#levels[line] = level ? levels | (1 << slot) : levels & ~(1 << slot);
    this.#options.lines[line]?.set(this.#levels[line] !== 0);
  }

  /** Configuration space by address: 4 KiB for each function of each bus; all ones where there is none. */
  configurationWindow(name: string): MappedDevice {
    // 8 functions a slot, of which only the first exists; 32 slots a bus, of which only bus 0 exists.
    const at = (offset: number): PciFunction | undefined =>
      ((offset >>> 12) & 7) === 0 ? this.#functions[offset >>> 15] : undefined;
    return {
      name,
      read: (offset, size) => at(offset)?.readConfig(offset & 0xfff, size) ?? 2 ** (size * 8) - 1,
      write: (offset, size, value) => at(offset)?.writeConfig(offset & 0xfff, size, value),
    };
  }

  /** A window of I/O or memory space that begins at address `first` there; all ones where no BAR is. */
  window(name: string, io: boolean, first: number): MappedDevice {
    return {
      name,
      read: (offset, size) => this.#read(io, first + offset, size),
      write: (offset, size, value) => this.#write(io, first + offset, size, value),
    };
  }

  /** Where BARs overlap, the lower slot answers. */
  #read(io: boolean, address: number, size: number): number {
    for (const pciFunction of this.#functions) {
      const value = pciFunction?.read(io, address, size);
      if (value !== undefined) return value;
    }
    return 2 ** (size * 8) - 1;
  }

  #write(io: boolean, address: number, size: number, value: number): void {
    for (const pciFunction of this.#functions) {
      if (pciFunction?.write(io, address, size, value)) return;
    }
  }

  /** All lines low; the functions are reset on their own. */
  reset(): void {
    this.#levels.fill(0);
    for (const line of this.#options.lines) line.set(false);
  }

  /** Who drives which line. */
  save(): Section {
    return layout.encode(this.name, { levels: this.#levels });
  }

  /** Restores what `save` gave; before the functions, so that lines they drive again change nothing. */
  restore(section: Section): void {
    this.#levels.set(layout.decode(section).levels);
    for (const [index, line] of this.#options.lines.entries()) line.set(this.#levels[index] !== 0);
  }
}
