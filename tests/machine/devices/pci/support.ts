/** What tests of the PCI bus share: a host with one function on real memory, and looks at everything it drives. */
import { physicalAddress } from "../../../../machine/address.ts";
import { Clock } from "../../../../machine/clock.ts";
import { PciFunction, type PciFunctionOptions } from "../../../../machine/devices/pci/function.ts";
import { PciHost } from "../../../../machine/devices/pci/host_bridge.ts";
import { EventHub, type MachineEvent } from "../../../../machine/events.ts";
import { PhysicalMemory } from "../../../../machine/memory/physical.ts";
import { registersOf, Wire } from "../support.ts";

/** First address of the memory. */
export const RAM = 0x4000_0000;
/** Where messages go. */
export const DOORBELL = 0x0802_0040;
/** Where the memory window begins. */
export const WINDOW = 0x1000_0000;

/** Registers of the header. */
export const HEADER = { command: 4, status: 6, bar: 0x10, interruptLine: 0x3c } as const;
/** All of the command register that matters: I/O, memory, bus master. */
export const COMMAND_ALL = 7;

/** A function with one BAR of each kind, an array of bytes behind each, and MSI-X in the second. */
export function testFunction(
  overrides: Partial<PciFunctionOptions> = {},
): { options: PciFunctionOptions; bytes: Record<number, Uint8Array> } {
  const bytes: Record<number, Uint8Array> = {};
  const bar = (index: number, kind: "io" | "memory32" | "memory64", size: number, prefetchable = false) => {
    const array = new Uint8Array(size);
    bytes[index] = array;
    return {
      index,
      kind,
      size,
      prefetchable,
      read: (offset: number, width: number) =>
        array.subarray(offset, offset + width).reduceRight((value, byte) => value * 256 + byte, 0),
      write: (offset: number, width: number, value: number) => {
        for (let index = 0; index < width; index++) array[offset + index] = value >>> (index * 8);
      },
    };
  };
  const options: PciFunctionOptions = {
    name: "card",
    identity: {
      vendor: 0x1234,
      device: 0x5678,
      classCode: 0x01_08_02,
      revision: 3,
      subsystemVendor: 0x9abc,
      subsystem: 0xdef0,
    },
    express: false,
    interruptPin: 1,
    bars: [bar(0, "io", 0x20), bar(1, "memory32", 0x1000), bar(4, "memory64", 0x4000, true)],
    msix: { vectors: 3, capability: 0x40, bar: 1, table: 0, pending: 0x800 },
    capabilities: [
      { id: 0x09, offset: 0x50, body: [8, 1, 0xaa, 0xbb, 0, 0], writable: [0, 0, 0, 0x0f, 0xff, 0] },
    ],
    ...overrides,
  };
  return { options, bytes };
}

/** A host on memory, with the function in slot `slot`. */
export function build(overrides: Partial<PciFunctionOptions> = {}, slot = 1) {
  const clock = new Clock();
  const events = new EventHub(clock);
  const seen: MachineEvent[] = [];
  events.add({ classes: ["detail"], observe: (event) => seen.push(event) });
  const memory = new PhysicalMemory(0, 2 ** 20);
  memory.addRegion("ram", physicalAddress(RAM), 2 ** 20);
  const lines = [new Wire(), new Wire(), new Wire(), new Wire()];
  const received: [data: number, requester: number][] = [];
  const host = new PciHost({
    name: "pcie",
    events,
    memory,
    lines,
    receivers: [{ address: DOORBELL, receive: (data, requester) => received.push([data, requester]) }],
  });
  const { options, bytes } = testFunction(overrides);
  const card = new PciFunction(options, { events, memory });
  host.plug(slot, card);
  const ecam = registersOf(host.configurationWindow("ecam"));
  const at = slot << 15;
  return {
    host,
    card,
    bytes,
    memory,
    events,
    clock,
    seen,
    lines,
    received,
    ecam,
    config: {
      read: (offset: number, size = 4) => ecam.read(at + offset, size),
      write: (offset: number, value: number, size = 4) => ecam.write(at + offset, value, size),
    },
    io: registersOf(host.window("io", true, 0)),
    low: registersOf(host.window("low", false, WINDOW)),
    high: registersOf(host.window("high", false, 0x80_0000_0000)),
  };
}
