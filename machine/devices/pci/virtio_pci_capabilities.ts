/** The vendor capabilities of a virtio PCI device: where its structures are (virtio 1.2, section 4.1.4), as QEMU's. */
import type { PciBar, PciCapability } from "./config_space.ts";

/** Number of the BAR that has all structures. */
export const MODERN_BAR = 4;

/** Bytes of a structure in it. */
export const STRUCTURE_SIZE = 0x1000;

/** Bytes of the BAR: common configuration, ISR, device configuration, notifications. */
export const MODERN_BAR_SIZE: number = 4 * STRUCTURE_SIZE;

/** Each queue has a notification address of its own. */
export const NOTIFY_MULTIPLIER = 4;

const VENDOR_ID = 0x09;
/** Where the capability for access by configuration space is, its fields, and where in it the data is. */
const ACCESS = { offset: 0x84, address: 0x8c, length: 0x90, data: 16 } as const;

const bytesOf = (value: number): number[] =>
  [value, value >>> 8, value >>> 16, value >>> 24].map((byte) => byte & 0xff);

/** A capability: its length and type, then the BAR and the part of it that a structure takes. */
function structure(offset: number, type: number, at: number, ...more: number[]): PciCapability {
  const place = [...bytesOf(at), ...bytesOf(STRUCTURE_SIZE)];
  return { id: VENDOR_ID, offset, body: [16 + more.length, type, MODERN_BAR, 0, 0, 0, ...place, ...more] };
}

/** VIRTIO_PCI_CAP_PCI_CFG: the BAR by way of configuration space; `word` reads four bytes of that. */
function access(bar: PciBar, word: (offset: number) => number): PciCapability {
  const target = (): [offset: number, size: number] | undefined => {
    const [address, length] = [word(ACCESS.address), word(ACCESS.length)];
    const isPossible = (length === 1 || length === 2 || length === 4) && address < MODERN_BAR_SIZE;
    return isPossible ? [address - address % length, length] : undefined;
  };
  return {
    id: VENDOR_ID,
    offset: ACCESS.offset,
    body: [20, 5, ...Array<number>(16).fill(0)],
    writable: [0, 0, 0xff, 0, 0, 0, ...Array<number>(12).fill(0xff)],
    window: {
      offset: ACCESS.data,
      size: 4,
      refresh: (bytes) => {
        const found = target();
        if (found === undefined) return;
        const value = bar.read(...found);
        for (let index = 0; index < found[1]; index++) bytes[index] = value >>> (index * 8);
      },
      written: (bytes) => {
        const found = target();
        if (found === undefined) return;
        bar.write(...found, bytes.subarray(0, found[1]).reduceRight((value, byte) => value * 256 + byte, 0));
      },
    },
  };
}

/** All of them, in the order of the list; `word` reads four bytes of the function's configuration space. */
export function virtioCapabilities(bar: PciBar, word: (offset: number) => number): PciCapability[] {
  return [
    access(bar, word),
    structure(0x70, 2, 3 * STRUCTURE_SIZE, ...bytesOf(NOTIFY_MULTIPLIER)),
    structure(0x60, 4, 2 * STRUCTURE_SIZE),
    structure(0x50, 3, STRUCTURE_SIZE),
    structure(0x40, 1, 0),
  ];
}
