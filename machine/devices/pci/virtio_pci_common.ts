/** The common configuration of a virtio PCI device as a table of registers (virtio 1.2, section 4.1.4.3). */
import type { VirtioPci } from "./virtio_pci.ts";

/** A register of the common configuration, found by its exact offset, as in QEMU. */
export type CommonRegister = readonly [
  offset: number,
  read: (transport: VirtioPci) => number,
  write?: (transport: VirtioPci, value: number) => void,
];

type Area = "descriptors" | "driver" | "device";

function addressHalf(offset: number, area: Area, half: "low" | "high"): CommonRegister {
  const shift = half === "low" ? 0n : 32n;
  const mask = 0xffff_ffffn << shift;
  return [
    offset,
    ({ selected }) => Number((selected?.addresses[area] ?? 0n) >> shift & 0xffff_ffffn),
    ({ selected }, value) =>
      selected?.setAddress(area, selected.addresses[area] & ~mask | BigInt(value) << shift),
  ];
}

// deno-fmt-ignore
const COMMON: readonly CommonRegister[] = [
  [0x00, ({ state }) => state.deviceFeatureSelect,          ({ state }, value) => void (state.deviceFeatureSelect = value)],
  [0x04, (transport) => transport.offered],
  [0x08, ({ state }) => state.driverFeatureSelect,          ({ state }, value) => void (state.driverFeatureSelect = value)],
  [0x0c, ({ state }) => state.driverFeatures[state.driverFeatureSelect] ?? 0, (transport, value) => transport.accept(value)],
  [0x10, ({ state }) => state.configurationVector,          (transport, value) => void (transport.state.configurationVector = transport.vector(value))],
  [0x12, ({ core }) => core.queues.length],
  [0x14, ({ core }) => core.status,                         (transport, value) => transport.writeStatus(value)],
  [0x15, ({ core }) => core.generation & 0xff],
  [0x16, ({ state }) => state.queueSelect,                  ({ state }, value) => void (state.queueSelect = value & 0xffff)],
  [0x18, ({ selected }) => selected?.size ?? 0,             ({ selected }, value) => void (selected !== undefined && (selected.size = value & 0xffff))],
  [0x1a, ({ queueVector }) => queueVector,                  (transport, value) => void (transport.queueVector = value)],
  [0x1c, ({ selected }) => Number(selected?.enabled ?? 0),  ({ selected }, value) => void (selected !== undefined && value === 1 && (selected.enabled = true))],
  [0x1e, ({ state }) => state.queueSelect],
  addressHalf(0x20, "descriptors", "low"), addressHalf(0x24, "descriptors", "high"),
  addressHalf(0x28, "driver", "low"),      addressHalf(0x2c, "driver", "high"),
  addressHalf(0x30, "device", "low"),      addressHalf(0x34, "device", "high"),
  [0x3a, () => 0,                                           (transport, value) => void (value === 1 && transport.resetQueue())],
];

/** The registers by their offsets (section 4.1.4.3). */
export const COMMON_CONFIGURATION: ReadonlyMap<number, CommonRegister> = new Map(
  COMMON.map((register) => [register[0], register]),
);
