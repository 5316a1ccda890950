/** The board's PCI Express root ports without ECAM, and the switches below them. */
import { type Board, boardRow, SPI_BASE } from "./board.ts";
import type { BuildContext, PeripheralPart, PeripheralServices } from "./compose_peripherals.ts";
import type { BridgeIdentity } from "./devices/pci/bridge_header.ts";
import { PciBridge } from "./devices/pci/bridge.ts";
import { type MessageReceiver, PCI_LINES, PCI_SLOTS } from "./devices/pci/host_bridge.ts";
import { RootPort } from "./devices/pci/root_port.ts";
import { ConfigurationError } from "./errors.ts";
import type { MappedDevice } from "./memory/physical.ts";
import type { DeviceConfiguration, DeviceDriver } from "./peripheral_configuration.ts";

/** Ports of a switch as QEMU has them: Texas Instruments' XIO3130. */
// deno-fmt-ignore
const SWITCH_PORTS: Readonly<Partial<Record<DeviceDriver, { identity: BridgeIdentity; slots: number }>>> = {
  "x3130-upstream":     { identity: { vendor: 0x104c, device: 0x8232, revision: 2, portType: 5 }, slots: PCI_SLOTS },
  "xio3130-downstream": { identity: { vendor: 0x104c, device: 0x8233, revision: 1, portType: 6 }, slots: 1 },
};

/** Where a device goes. */
export interface BusPlace {
  /** The bridge above. */
  readonly bridge: PciBridge;
  /** Its device number there. */
  readonly slot: number;
}

/** The root ports of a board, and the buses that devices are plugged into by name. */
export class RootPorts {
  /** By the name of the row: registers and windows. */
  readonly frames: Map<string, MappedDevice> = new Map();
  /** What has state. */
  readonly parts: PeripheralPart[] = [];
  readonly #buses = new Map<string, PciBridge>();

  /** Builds the ports of the board's rows, with nothing in them. */
  constructor(board: Board, services: PeripheralServices, receivers: readonly MessageReceiver[]) {
    const { controller, events } = services;
    for (const { name, kind, spi } of board.rows) {
      if (kind !== "rootPort" || spi === undefined) continue;
      const lines = Array.from(
        { length: PCI_LINES },
        (_, pin) => controller.sharedLine(SPI_BASE + spi + pin, name),
      );
      const port = new RootPort({ name, events, lines, receivers }), window = `${name}Mmio`;
      this.frames.set(name, port.registers());
      this.frames.set(window, port.window(window, boardRow(board, window).base));
      this.parts.push(port, port.bridge);
      this.#buses.set(name.toLowerCase(), port.bridge);
    }
  }

  /** Offers the bus of a bridge for `bus=` of devices that follow. */
  offer(name: string, bridge: PciBridge): void {
    this.#buses.set(name, bridge);
  }

  /** The place of a device by its `bus=` and `addr=`. Throws ConfigurationError for one that is not there or taken. */
  place({ driver, bus = "", slot }: DeviceConfiguration): BusPlace {
    const refuse = (why: string): never => {
      throw new ConfigurationError(`Cannot plug -device ${driver} into bus=${bus}: ${why}`);
    };
    const bridge = this.#buses.get(bus);
    if (bridge === undefined) {
      const names = [...this.#buses.keys()].join(", ") || "none; add rootports=2 to -M virt";
      return refuse(`there is no such bus before it; there are ${names}`);
    }
    const isInside = driver === "xio3130-downstream";
    if (isInside !== bridge.slots > 1) {
      refuse(isInside ? "it goes into an x3130-upstream" : "only xio3130-downstream goes in there");
    }
    const free = slot ?? bridge.freeSlot;
    if (free === undefined || free >= bridge.slots) return refuse("there is no such place left");
    return { bridge, slot: free };
  }
}

/** A port of a switch. */
export function switchPort({ driver }: DeviceConfiguration, context: BuildContext): void {
  const { identity, slots } = SWITCH_PORTS[driver] as { identity: BridgeIdentity; slots: number };
  context.plugBridge(new PciBridge({ name: context.name, identity, slots, filters: true }));
}

/** What a device of a bus is called when it has no id. Throws ConfigurationError for more than 28 letters. */
export function busDeviceName({ driver, id, bus }: DeviceConfiguration, slot: number): string {
  const name = id ?? `${driver}.${bus}${slot === 0 ? "" : `.${slot}`}`;
  if (name.length <= 28) return name;
  throw new ConfigurationError(`Cannot name -device ${driver} in bus=${bus}: give it an id=`);
}
