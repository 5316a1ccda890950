/** A PCI bridge as configuration cycles, memory requests, interrupt lines and messages pass it, with what is below. */
import { type Section, sectionLayout } from "../../snapshot.ts";
import { octets, words } from "../fixed_arrays.ts";
import { BRIDGE_HEADER_SIZE, BridgeHeader, type BridgeIdentity } from "./bridge_header.ts";
import type { PciFunction } from "./function.ts";
import { PCI_LINES, PCI_SLOTS } from "./host_bridge.ts";
import type { Message } from "./msix.ts";

/** A configuration cycle: on which bus, to which function, of which bytes; a write has a value. */
export interface ConfigCycle {
  /** Number of the bus, 0–255. */
  readonly bus: number;
  /** Number of the device, 0–31. */
  readonly device: number;
  /** Number of the function, 0–7. */
  readonly function: number;
  /** Offset in the function's 4096 bytes. */
  readonly offset: number;
  /** 1, 2 or 4 bytes. */
  readonly size: number;
  /** What is written; absent for a read. */
  readonly value?: number;
}

/** What nobody answers reads as. */
export function allOnes(size: number): number {
  return 2 ** (size * 8) - 1;
}

/** What a bridge has above itself. */
export interface Upstream {
  /** The bridge drives one of its own pins, INTA being 1. */
  setInterrupt(pin: number, level: boolean): void;
  /** Passes a message on, from the function with this requester ID. */
  send(sender: PciFunction, message: Message, requester: number): void;
  /** Requests from below reach memory. */
  isMaster(): boolean;
}

/** Something that a reset of its bus resets. */
interface Resettable {
  reset(): void;
}

/** What is plugged in at a device number. */
interface Plugged {
  readonly target: PciFunction | PciBridge;
  /** All of it, in the order in which it is reset. */
  readonly parts: readonly Resettable[];
}

/** What a bridge is. */
export interface BridgeOptions {
  /** Name of the section and in messages. */
  readonly name: string;
  /** What it says. */
  readonly identity: BridgeIdentity;
  /** Devices that its bus has room for: 1 behind a link, 32 on the bus inside a switch. */
  readonly slots: number;
  /** False: the one device answers at every device number, as behind root ports that do not look at it. */
  readonly filters: boolean;
}

const layout = sectionLayout("pci-bridge", 1, {
  header: octets(BRIDGE_HEADER_SIZE),
  /** The devices that drive each line: bit n of word m is device n's level of line m. */
  levels: words(PCI_LINES),
  /** Bus and device number that each function has captured, as a requester ID. */
  captured: words(PCI_SLOTS),
});

/** A bridge. */
export class PciBridge {
  /** Name of the section. */
  readonly name: string;
  /** Its own configuration space. */
  readonly header: BridgeHeader;
  /** Devices that its bus has room for. */
  readonly slots: number;
  readonly #filters: boolean;
  readonly #plugged = new Map<number, Plugged>();
  readonly #levels = new Uint32Array(PCI_LINES);
  readonly #captured = new Uint32Array(PCI_SLOTS);
  #upstream: Upstream | undefined;

  /** Nothing is below it. */
  constructor({ name, identity, slots, filters }: BridgeOptions) {
    this.name = name;
    this.header = new BridgeHeader(identity);
    this.slots = slots;
    this.#filters = filters;
  }

  /** Puts the bridge below another one, or a root port; done once. */
  connect(upstream: Upstream): void {
    this.#upstream = upstream;
  }

  /** There is something on its bus. */
  get isOccupied(): boolean {
    return this.#plugged.size > 0;
  }

  /** The lowest device number that is free; undefined when the bus is full. */
  get freeSlot(): number | undefined {
    for (let device = 0; device < this.slots; device++) if (!this.#plugged.has(device)) return device;
    return undefined;
  }

  /**
   * Puts a function or a bridge on the bus, `parts` being all of it in the order in which it is reset; throws RangeError
   * when there is no such place or it is taken.
   */
  plug(device: number, target: PciFunction | PciBridge, parts: readonly Resettable[]): void {
    if (!(device >= 0 && device < this.slots) || this.#plugged.has(device)) {
      throw new RangeError(
        `Cannot plug "${target.name}" into ${this.name} at ${device}: it is taken, or not there`,
      );
    }
    this.#plugged.set(device, { target, parts });
    const setInterrupt = (pin: number, level: boolean): void => this.#setInterrupt(device, pin, level);
    const isMaster = (): boolean => this.header.isBusMaster && (this.#upstream?.isMaster() ?? false);
    if (target instanceof PciBridge) {
      target.connect({
        setInterrupt,
        isMaster,
        send: (sender, message, requester) => this.#upstream?.send(sender, message, requester),
      });
    } else {
      target.plug({
        setInterrupt,
        isMaster,
        send: (_device, message) =>
          isMaster() && this.#upstream?.send(target, message, this.#captured[device] as number),
      });
    }
  }

  /** The lines are swizzled: pin and device numbers add up. */
  #setInterrupt(device: number, pin: number, level: boolean): void {
    const line = (pin - 1 + device) % PCI_LINES, levels = this.#levels[line] as number;
    this.#levels[line] = level ? levels | (1 << device) : levels & ~(1 << device);
    this.#upstream?.setInterrupt(line + 1, this.#levels[line] !== 0);
  }

  /** Does a cycle that has passed the bridge, to a bus below; a read's result, all ones where nobody answers. */
  cycle(cycle: ConfigCycle): number {
    const { bus, device, function: number, offset, size, value } = cycle,
      { secondary, subordinate } = this.header;
    if (secondary === 0 || bus < secondary || bus > subordinate || this.header.holdsReset) {
      return allOnes(size);
    }
    if (bus > secondary) {
      for (const { target } of this.#plugged.values()) {
        if (
          target instanceof PciBridge && bus >= target.header.secondary && bus <= target.header.subordinate
        ) {
          return target.cycle(cycle);
        }
      }
      return allOnes(size);
    }
    const at = this.#filters ? device : 0, target = this.#plugged.get(at)?.target;
    if (target === undefined || number !== 0) return allOnes(size);
    if (value === undefined) return target.readConfig(offset, size);
    // A function learns its numbers from each write to it (PCI Express Base 4.0, 2.2.6.2).
    this.#captured[at] = bus << 8 | device << 3;
    target.writeConfig(offset, size, value);
    return 0;
  }

  /** Reads 1, 2 or 4 bytes of its own configuration space. */
  readConfig(offset: number, size: number): number {
    return this.header.read(offset, size);
  }

  /** Writes 1, 2 or 4 bytes of its own configuration space; Secondary Bus Reset resets what is below. */
  writeConfig(offset: number, size: number, value: number): void {
    if (this.header.write(offset, size, value)) this.resetBelow();
  }

  /** Reads in memory space; undefined when nothing below is there now. */
  read(_io: boolean, address: number, size: number): number | undefined {
    if (!this.header.forwards(address)) return undefined;
    for (const { target } of this.#plugged.values()) {
      const value = target.read(false, address, size);
      if (value !== undefined) return value;
    }
    return undefined;
  }

  /** Writes in memory space; false when nothing below is there now. */
  write(_io: boolean, address: number, size: number, value: number): boolean {
    if (!this.header.forwards(address)) return false;
    for (const { target } of this.#plugged.values()) {
      if (target.write(false, address, size, value)) return true;
    }
    return false;
  }

  /** A fundamental reset of all that is on its bus. */
  resetBelow(): void {
    this.#captured.fill(0);
    for (const { parts } of this.#plugged.values()) for (const part of parts) part.reset();
    for (const { target } of this.#plugged.values()) if (target instanceof PciBridge) target.resetBelow();
  }

  /** Power-on state; what is below is reset on its own. */
  reset(): void {
    this.header.reset();
    this.#captured.fill(0);
    this.#levels.fill(0);
  }

  /** Configuration space, who drives which line, and requester IDs. */
  save(): Section {
    return layout.encode(this.name, {
      header: this.header.bytes,
      levels: this.#levels,
      captured: this.#captured,
    });
  }

  /** Restores what `save` gave; before what is below, so that lines driven again change nothing. */
  restore(section: Section): void {
    const { header, levels, captured } = layout.decode(section);
    this.header.bytes.set(header);
    this.#levels.set(levels);
    this.#captured.set(captured);
  }
}
