/**
 * A PCI Express root complex of one port whose configuration space is not ECAM, as in a Raspberry Pi 4 (offsets are those
 * of Linux's pcie-brcmstb): the port's own header is in its block of registers; of what is below, an index register
 * chooses one function, whose 4096 bytes a window shows. Device numbers on the link are not looked at, so that its one
 * device answers at each of the 32; with the link down, the window reads as 0xdeaddead.
 */
import type { EventHub } from "../../events.ts";
import { flag, u32 } from "../../layout.ts";
import type { MappedDevice } from "../../memory/physical.ts";
import { type Section, sectionLayout } from "../../snapshot.ts";
import type { InterruptLine } from "../device.ts";
import { allOnes, PciBridge } from "./bridge.ts";
import { deliverMessage, type MessageReceiver } from "./host_bridge.ts";

/** Offsets in the block of registers, bits of status and reset, and the index register's fields. */
// deno-fmt-ignore
export const ROOT_PORT = {
  HEADER: 0x0000, HEADER_SIZE: 0x1000,
  STATUS: 0x4068, STATUS_ROOT: 0x80, STATUS_DATA_LINK: 0x20, STATUS_PHYSICAL_LINK: 0x10,
  DATA: 0x8000, DATA_SIZE: 0x1000,
  INDEX: 0x9000, BUS_SHIFT: 20, DEVICE_SHIFT: 15, FUNCTION_SHIFT: 12,
  RESET: 0x9210, RESET_PERST: 1,
} as const;

/** What the window reads as while the link is down. */
export const LINK_DOWN_DATA = 0xdead_dead;

/** Broadcom's BCM2711. */
const IDENTITY = { vendor: 0x14e4, device: 0x2711, revision: 0x10, portType: 4 } as const;

/** What a root port is built on. */
export interface RootPortOptions {
  /** Name of the section and of the registers in events. */
  readonly name: string;
  /** Where events go. */
  readonly events: EventHub;
  /** INTA to INTD. */
  readonly lines: readonly InterruptLine[];
  /** What messages are for. */
  readonly receivers: readonly MessageReceiver[];
}

const layout = sectionLayout("pci-root-port", 1, { index: u32, inReset: flag });

/** The port. */
export class RootPort {
  /** Name of the section. */
  readonly name: string;
  /** The port as a bridge, with what is below; a part with state of its own. */
  readonly bridge: PciBridge;
  readonly #lines: readonly InterruptLine[];
  #index = 0;
  #inReset = true;

  /** A port with nothing in it. */
  constructor({ name, events, lines, receivers }: RootPortOptions) {
    this.name = name;
    this.#lines = lines;
    this.bridge = new PciBridge({ name: `${name}.bridge`, identity: IDENTITY, slots: 1, filters: false });
    this.bridge.connect({
      setInterrupt: (pin, level) => lines[pin - 1]?.set(level),
      isMaster: () => this.isLinkUp,
      send: (sender, message, requester) => deliverMessage({ events, receivers }, sender, message, requester),
    });
  }

  /** Something is plugged in, and not held in reset. */
  get isLinkUp(): boolean {
    return !this.#inReset && this.bridge.isOccupied;
  }

  /** The block of registers. */
  registers(): MappedDevice {
    return {
      name: this.name,
      read: (offset, size) => this.#read(offset, size),
      write: (offset, size, value) => this.#write(offset, size, value),
    };
  }

  /** The window of memory space, from its first address there. */
  window(name: string, first: number): MappedDevice {
    return {
      name,
      read: (offset, size) =>
        (this.isLinkUp ? this.bridge.read(false, first + offset, size) : undefined) ?? allOnes(size),
      write: (offset, size, value) =>
        void (this.isLinkUp && this.bridge.write(false, first + offset, size, value)),
    };
  }

  #read(offset: number, size: number): number {
    if (offset < ROOT_PORT.HEADER_SIZE) return this.bridge.readConfig(offset, size);
    if (offset >= ROOT_PORT.DATA && offset < ROOT_PORT.DATA + ROOT_PORT.DATA_SIZE) {
      if (!this.isLinkUp) return Number(BigInt.asUintN(size * 8, BigInt(LINK_DOWN_DATA)));
      return this.bridge.cycle({ ...this.#chosen, offset: offset - ROOT_PORT.DATA, size });
    }
    const word = this.#register(offset - offset % 4);
    return Math.floor(word / 2 ** (offset % 4 * 8)) % 2 ** (size * 8);
  }

  #register(offset: number): number {
    const { STATUS, STATUS_ROOT, STATUS_DATA_LINK, STATUS_PHYSICAL_LINK, INDEX, RESET, RESET_PERST } =
      ROOT_PORT;
    if (offset === STATUS) return STATUS_ROOT | (this.isLinkUp ? STATUS_DATA_LINK | STATUS_PHYSICAL_LINK : 0);
    if (offset === INDEX) return this.#index;
    if (offset === RESET) return this.#inReset ? RESET_PERST : 0;
    return 0;
  }

  /** What the index register chooses. */
  get #chosen(): { bus: number; device: number; function: number } {
    const { BUS_SHIFT, DEVICE_SHIFT, FUNCTION_SHIFT } = ROOT_PORT, index = this.#index;
    return {
      bus: index >>> BUS_SHIFT & 0xff,
      device: index >>> DEVICE_SHIFT & 0x1f,
      function: index >>> FUNCTION_SHIFT & 7,
    };
  }

  /** Index and reset take words only. */
  #write(offset: number, size: number, value: number): void {
    if (offset < ROOT_PORT.HEADER_SIZE) return this.bridge.writeConfig(offset, size, value);
    if (offset >= ROOT_PORT.DATA && offset < ROOT_PORT.DATA + ROOT_PORT.DATA_SIZE) {
      if (this.isLinkUp) this.bridge.cycle({ ...this.#chosen, offset: offset - ROOT_PORT.DATA, size, value });
      return;
    }
    if (size !== 4) return;
    if (offset === ROOT_PORT.INDEX) this.#index = (value & 0x0fff_f000) >>> 0;
    if (offset !== ROOT_PORT.RESET) return;
    const inReset = (value & ROOT_PORT.RESET_PERST) !== 0;
    if (inReset && !this.#inReset) this.bridge.resetBelow();
    this.#inReset = inReset;
  }

  /** Power-on state: what is plugged in is held in reset; lines low. */
  reset(): void {
    this.#index = 0;
    this.#inReset = true;
    for (const line of this.#lines) line.set(false);
  }

  /** Index and reset. */
  save(): Section {
    return layout.encode(this.name, { index: this.#index, inReset: this.#inReset });
  }

  /** Restores what `save` gave. */
  restore(section: Section): void {
    const { index, inReset } = layout.decode(section);
    this.#index = index;
    this.#inReset = inReset;
  }
}
