/** The legacy interface of a transitional virtio device: registers in an I/O BAR (virtio 1.2, section 4.1.4.10). */
import type { PciBar } from "./config_space.ts";
import type { VirtioPci } from "./virtio_pci.ts";

/** Where the device's configuration begins: without MSI-X there are no vectors in front of it. */
const CONFIGURATION = 20;
const CONFIGURATION_AFTER_VECTORS = 24;
/** Pages of queue addresses, and the alignment of the used ring, have 4096 bytes. */
const PAGE_SHIFT = 12n;
const ALIGNMENT_MASK = 4095n;

/** Offered so that drivers which accept all there is give themselves away: they get nothing, as in QEMU. */
const BAD_FEATURE = 1 << 30;

/** A register, found by its exact offset, as in QEMU. */
type LegacyRegister = readonly [
  offset: number,
  read: (transport: VirtioPci) => number,
  write?: (transport: VirtioPci, value: number) => void,
];

// deno-fmt-ignore
const REGISTERS: readonly LegacyRegister[] = [
  [0x00, ({ core }) => Number(core.offered("legacy") & 0xffff_ffffn) | BAD_FEATURE],
  [0x04, ({ core }) => Number(core.driverFeatures & 0xffff_ffffn), ({ core }, value) => core.acceptFeatures(value & BAD_FEATURE ? 0n : BigInt(value))],
  [0x08, ({ selected }) => Number((selected?.addresses.descriptors ?? 0n) >> PAGE_SHIFT & 0xffff_ffffn), place],
  [0x0c, ({ selected }) => selected?.size ?? 0],
  [0x0e, ({ state }) => state.queueSelect,           ({ state }, value) => void (state.queueSelect = value & 0xffff)],
  [0x10, () => 0,                                    ({ core }, value) => core.notify(value & 0xffff)],
  [0x12, ({ core }) => core.status,                  (transport, value) => transport.writeStatus(value & 0xff)],
  [0x13, (transport) => transport.takeInterruptStatus()],
  [0x14, ({ state }) => state.configurationVector,   (transport, value) => void (transport.state.configurationVector = transport.vector(value))],
  [0x16, ({ queueVector }) => queueVector,           (transport, value) => void (transport.queueVector = value)],
];

const REGISTER_AT = new Map(REGISTERS.map((register) => [register[0], register]));

/** Places the selected queue's three areas one after another (section 2.7.2); page 0 resets the device, as in QEMU. */
function place(transport: VirtioPci, page: number): void {
  if (page === 0) return transport.writeStatus(0);
  const { selected } = transport;
  if (selected === undefined) return;
  const descriptors = BigInt(page) << PAGE_SHIFT;
  const driver = descriptors + BigInt(selected.size * 16);
  const end = driver + BigInt(4 + selected.size * 2);
  selected.enabled = false;
  selected.setAddress("descriptors", descriptors);
  selected.setAddress("driver", driver);
  selected.setAddress("device", end + ALIGNMENT_MASK & ~ALIGNMENT_MASK);
  selected.enabled = true;
}

/** The BAR: registers, then the device's configuration. */
export function legacyBar(transport: VirtioPci, index: number): PciBar {
  const configuration = (): number =>
    transport.pciFunction.usesMsix ? CONFIGURATION_AFTER_VECTORS : CONFIGURATION;
  const least = CONFIGURATION_AFTER_VECTORS + transport.core.model.configuration().length;
  let size = 32;
  while (size < least) size *= 2;
  return {
    index,
    kind: "io",
    prefetchable: false,
    size,
    read: (offset, width) => {
      const first = configuration();
      if (offset >= first) return transport.core.readConfiguration(offset - first, width);
      return (REGISTER_AT.get(offset)?.[1](transport) ?? 2 ** (width * 8) - 1) % 2 ** (width * 8);
    },
    write: (offset, width, value) => {
      const first = configuration();
      if (offset >= first) transport.core.writeConfiguration(offset - first, width, value);
      else REGISTER_AT.get(offset)?.[2]?.(transport, value);
    },
  };
}
