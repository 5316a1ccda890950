/** What a user plugs into the board: drives, networks and the devices in front of them. */
import { z } from "zod";

/** An image by content. */
export interface ImageReference {
  /** SHA-256, 64 lower-case hexadecimal digits: of the bytes, or of a disk as DiskImage says. */
  readonly sha256: string;
  /** Number of bytes. */
  readonly size: number;
  /** Where the user found it: a hint for messages, never part of the configuration's hash. */
  readonly name: string;
}

/** `-pflash`: the contents of a flash bank at power-on. */
export interface FlashReference extends ImageReference {
  /** `readonly=on`: the bank refuses to be programmed or erased. */
  readonly readOnly: boolean;
}

/** `-drive`: a disk that a device takes by its id. */
export interface DriveConfiguration {
  /** Unique among drives; names the disk's section and its events. */
  readonly id: string;
  /** The disk's contents at power-on, by the hash of its chunks (storage/block.ts). */
  readonly image: ImageReference;
  /** `readonly=on`. */
  readonly readOnly: boolean;
}

/** `-netdev`: what is at the other end of a card's cable. */
export type NetworkConfiguration =
  /** The machine's own peer: DHCP, DNS, TFTP and HTTP, whose frames are derived. */
  | {
    readonly kind: "user";
    readonly id: string;
    /** What TFTP and HTTP serve, by path without a leading slash. */
    readonly files: readonly { readonly path: string; readonly image: ImageReference }[];
    /** `bootfile=`: what DHCP names. */
    readonly bootFile: string | undefined;
  }
  /** Frames from outside, which are inputs. */
  | { readonly kind: "bridge"; readonly id: string };

/** `-device`: something on the virtio-mmio or PCIe bus. */
export interface DeviceConfiguration {
  /** Names of the models are QEMU's. */
  readonly driver: DeviceDriver;
  /** `id=`. */
  readonly id: string | undefined;
  /** `drive=`, of block devices. */
  readonly drive: string | undefined;
  /** `netdev=`, of network cards. */
  readonly netdev: string | undefined;
  /** `mac=`, of network cards: six bytes in hexadecimal with colons; QEMU's 52:54:00:12:34:56 and so on when absent. */
  readonly mac: string | undefined;
  /** `serial=`, of disks. */
  readonly serial: string | undefined;
  /** `addr=` on PCIe: the slot, 1–31; the first free one when absent. */
  readonly slot: number | undefined;
  /** `bus=`: a root port, such as `rootport0`, or the id of a switch's port before it; the board's own bus when absent. */
  readonly bus?: string | undefined;
  /** `bootindex=`, of disks and network cards: firmware tries the lowest first. */
  readonly bootIndex: number | undefined;
}

/** The device models that there are, as QEMU names them where it has them. */
export const DEVICE_DRIVERS = [
  "virtio-blk-device",
  "virtio-blk-pci",
  "virtio-net-device",
  "virtio-net-pci",
  "virtio-rng-device",
  "virtio-rng-pci",
  "virtio-serial-device",
  "virtio-serial-pci",
  "nvme",
  "nvme-mmio", // ours: a plain block of registers, no function of PCI
  "nvme-ea", // ours: on PCI with a pin, at an address that Enhanced Allocation tells
  "x3130-upstream",
  "xio3130-downstream",
] as const;

/** The name of a device model. */
export type DeviceDriver = (typeof DEVICE_DRIVERS)[number];

/** An image by content, checked. */
export const image = z.strictObject({
  sha256: z.string().regex(/^[0-9a-f]{64}$/, "not 64 lower-case hexadecimal digits"),
  size: z.int().min(0).max(2 ** 40),
  name: z.string().max(4096).default(""),
});

/** The contents of a flash bank, checked. */
export const flashImage = image.extend({ readOnly: z.boolean().default(false) });

const id = z.string().regex(
  /^[A-Za-z][A-Za-z0-9_.-]{0,27}$/,
  "not a name of up to 28 letters, digits, _ . -",
);

const drive = z.strictObject({ id, image, readOnly: z.boolean().default(false) });

const network = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("user"),
    id,
    files: z.array(z.strictObject({ path: z.string().min(1).max(1024), image })).max(4096).default([]),
    bootFile: z.string().max(127).optional(),
  }),
  z.strictObject({ kind: z.literal("bridge"), id }),
]);

const device = z.strictObject({
  driver: z.enum(DEVICE_DRIVERS, { error: `the device models are ${DEVICE_DRIVERS.join(", ")}` }),
  id: id.optional(),
  drive: id.optional(),
  netdev: id.optional(),
  mac: z.string().regex(/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/, "not six bytes such as 52:54:00:12:34:56")
    .optional(),
  serial: z.string().max(20).regex(/^[\x20-\x7e]*$/, "not ASCII").optional(),
  slot: z.int().min(0).max(31).optional(),
  bus: id.optional(),
  bootIndex: z.int().min(0).max(2 ** 31 - 1).optional(),
});

/** The host itself is in slot 0 of the board's own bus. */
const hasSlot = ({ slot, bus }: { slot?: number | undefined; bus?: string | undefined }): boolean =>
  slot !== 0 || bus !== undefined;

/** Nothing may have the name of another: names are those of sections. */
function areUnique(list: readonly { readonly id?: string | undefined }[]): boolean {
  const ids = list.flatMap(({ id }) => id === undefined ? [] : [id]);
  return new Set(ids).size === ids.length;
}

/** `-drive` options, checked. */
export const drives = z.array(drive).max(64).refine(areUnique, "two drives have one id").default([]);

/** `-netdev` options, checked. */
export const networks = z.array(network).max(8).refine(areUnique, "two networks have one id").default([]);

/** `-device` options, checked. */
export const devices = z.array(device.refine(hasSlot, "slot 0 is the host's")).max(64).refine(
  areUnique,
  "two devices have one id",
).default([]);

/** Puts `undefined` where an optional value is absent, so that every key is there. */
export function completeNetwork(parsed: z.output<typeof network>): NetworkConfiguration {
  return parsed.kind === "user" ? { ...parsed, bootFile: parsed.bootFile } : parsed;
}

/** The same for a device. */
export function completeDevice(parsed: z.output<typeof device>): DeviceConfiguration {
  const { driver, id, drive, netdev, mac, serial, slot, bus, bootIndex } = parsed;
  const device = { driver, id, drive, netdev, mac, serial, slot, bootIndex };
  return bus === undefined ? device : { ...device, bus };
}
