/** What an NVMe controller says of itself and of its namespace (NVM Express 1.4, section 5.15), as QEMU's `nvme` does. */

/** Bytes of every structure. */
export const IDENTIFY_SIZE = 4096;

/** Highest number that a namespace could have; only number 1 is there. */
export const NAMESPACES = 256;
/** The number of the namespace. */
export const NAMESPACE = 1;
/** Stands for all namespaces. */
export const EVERY_NAMESPACE = 0xffff_ffff;

/** Largest transfer, as a power of two of the smallest page: 512 KiB. */
const MDTS = 7;
/** The same in bytes. */
export const LARGEST_TRANSFER: number = 4096 << MDTS;

/** Asynchronous Event Requests that can be outstanding. */
export const EVENT_REQUESTS = 4;

/** Kelvin: what it has, where it warns, where it is critical. */
export const TEMPERATURE = { present: 323, warning: 343, critical: 373 } as const;

/** The version in VS and here, 1.4. */
export const VERSION = 0x0001_0400;

/** Optional commands: Compare, Dataset Management, Write Zeroes, Select in Get Features. */
const ONCS = 0x001d;

/** A number in little-endian, or text that is filled up with spaces. */
type Field = readonly [offset: number, size: 1 | 2 | 4, value: number] | readonly [number, number, string];

function structure(fields: readonly Field[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(IDENTIFY_SIZE);
  for (const [offset, size, value] of fields) {
    for (let at = 0; at < size; at++) {
      bytes[offset + at] = typeof value === "number" ? value >>> (8 * at) : value.padEnd(size).charCodeAt(at);
    }
  }
  return bytes;
}

/** Identify Controller. */
export function controllerStructure(serial: string): Uint8Array<ArrayBuffer> {
  const name = `nqn.2019-08.org.qemu:${serial}`;
  // deno-fmt-ignore
  return structure([
    [0,    2,  0x1b36],               // PCI Vendor ID
    [2,    2,  0x1af4],               // PCI Subsystem Vendor ID
    [4,    20, serial],
    [24,   40, "QEMU NVMe Ctrl"],     // model
    [64,   8,  "1.0"],                // firmware revision
    [72,   1,  6],                    // recommended arbitration burst
    [73,   1,  0x00], [74, 1, 0x54], [75, 1, 0x52], // IEEE OUI, lowest byte first
    [77,   1,  MDTS],
    [80,   4,  VERSION],
    [111,  1,  1],                    // an I/O controller
    [258,  1,  3],                    // abort command limit, from 0
    [259,  1,  EVENT_REQUESTS - 1],
    [260,  1,  3],                    // one firmware slot, read-only
    [261,  1,  4],                    // extended data of Get Log Page
    [266,  2,  TEMPERATURE.warning],
    [268,  2,  TEMPERATURE.critical],
    [512,  1,  0x66],                 // submission queue entries of 2^6 bytes
    [513,  1,  0x44],                 // completion queue entries of 2^4 bytes
    [516,  4,  NAMESPACES],
    [520,  2,  ONCS],
    [525,  1,  7],                    // there is a volatile write cache; a flush of all namespaces is possible
    [768,  name.length, name],
    [2048, 2,  0x9c4],                // power state 0: 25 W, 16 µs in, 4 µs out
    [2052, 4,  0x10],
    [2056, 4,  4],
  ]);
}

/** Identify Namespace: `blocks` of 512 bytes. */
export function namespaceStructure(blocks: number, readOnly: boolean): Uint8Array<ArrayBuffer> {
  const high = Math.floor(blocks / 2 ** 32);
  // deno-fmt-ignore
  return structure([
    [0,   4, blocks], [4,  4, high],  // size
    [8,   4, blocks], [12, 4, high],  // capacity
    [16,  4, blocks], [20, 4, high],  // utilization
    [24,  1, 0x10],                   // the preferred granularities are valid
    [33,  1, 1],                      // blocks deallocated read as zeros
    [68,  2, 7],                      // deallocation by 8 blocks
    [70,  2, 7],                      // and aligned so
    [99,  1, readOnly ? 1 : 0],       // write protected
    [130, 1, 9],                      // blocks of 2^9 bytes
  ]);
}

/** Active Namespace ID list: those after `after`. */
export function namespaceList(after: number): Uint8Array<ArrayBuffer> {
  return structure(after < NAMESPACE ? [[0, 4, NAMESPACE]] : []);
}

/** Namespace Identification Descriptor list: the command set, NVM. */
export function namespaceDescriptors(): Uint8Array<ArrayBuffer> {
  return structure([[0, 1, 4], [1, 1, 1], [4, 1, 0]]);
}

/** A structure of nothing: that of a namespace that is not there. */
export function emptyStructure(): Uint8Array<ArrayBuffer> {
  return new Uint8Array(IDENTIFY_SIZE);
}
