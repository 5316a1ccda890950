/** A virtio-mmio transport with nothing behind it (virtio 1.2, section 4.2). */
import type { AccessContext } from "../../memory/physical.ts";
import { type Section, sectionLayout } from "../../snapshot.ts";
import type { Device } from "../device.ts";
import { registerMap } from "../register_map.ts";

const layout = sectionLayout("virtio-mmio", 1, {});

/** An empty slot: DeviceID 0 tells drivers to pass by; everything else reads as zero and ignores writes. */
export class EmptyVirtioMmio implements Device {
  // deno-fmt-ignore
  static readonly #map = registerMap<EmptyVirtioMmio>()([
    // offset name          access bits reset         behaviour
    [0x000, "MagicValue",   "RO",  32, 0x7472_6976, { read: () => 0x7472_6976 }],
    [0x004, "Version",      "RO",  32, 0x0000_0001, { read: ({ version }) => version }],
    [0x008, "DeviceID",     "RO",  32, 0x0000_0000, { read: () => 0 }],
    [0x00c, "VendorID",     "RO",  32, 0x554d_4551, { read: () => 0x554d_4551 }],
  ]);

  /** Name of the device. */
  readonly name: string;

  /** Version of the register layout: 1 legacy, 2 modern. */
  readonly version: 1 | 2;

  /** An empty slot of that name. */
  constructor({ name, version = 1 }: { readonly name: string; readonly version?: 1 | 2 }) {
    this.name = name;
    this.version = version;
  }

  /** Reads a register. */
  read(offset: number, size: number, context: AccessContext): number {
    return EmptyVirtioMmio.#map.read(this, {}, offset, size, context);
  }

  /** Nothing takes writes. */
  write(): void {}

  /** There is no state. */
  reset(): void {}

  /** An empty section, so that a slot that gets a device is a change of layout. */
  save(): Section {
    return layout.encode(this.name, {});
  }

  /** Checks that the section is an empty slot's. */
  restore(section: Section): void {
    layout.decode(section);
  }
}
