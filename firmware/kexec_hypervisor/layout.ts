/** The boot info that the loader writes and the second stage finds PC-relative: its layout for A64 code and for TypeScript. */
import { ByteWriter } from "../../machine/layout.ts";

/** Most segments, moves and devices of a boot info. */
export const MOST_SEGMENTS = 8, MOST_MOVES = 8, MOST_DEVICES = 40;

/** Bytes of a segment's name, with its ending zero. */
const NAME_SIZE = 16;
/** Bytes of an entry of each table. */
const SEGMENT_SIZE = 64, MOVE_SIZE = 32, DEVICE_SIZE = 16;

/** `KXBOOT\0\1`. */
const MAGIC = 0x0100_544f_4f42_584bn;

/** Offsets of the fields and tables. */
const AT = {
  segments: 112,
  moves: 112 + MOST_SEGMENTS * SEGMENT_SIZE,
  devices: 112 + MOST_SEGMENTS * SEGMENT_SIZE + MOST_MOVES * MOVE_SIZE,
} as const;

/** Bytes of a boot info. */
export const BOOT_INFO_SIZE: number = AT.devices + MOST_DEVICES * DEVICE_SIZE;

/** Equates for A64 code; all fields are of 64 bits and aligned, since they are read with the MMU off. */
export const BOOT_INFO_EQUATES = `
        .equ    BI_MAGIC, 0
        .equ    BI_SEGMENT_COUNT, 8
        .equ    BI_MOVE_COUNT, 16
        .equ    BI_DEVICE_COUNT, 24
        .equ    BI_ENTRY, 32
        .equ    BI_X0, 40
        .equ    BI_X1, 48
        .equ    BI_CONDUIT, 56                  // 0 = SMC, 1 = HVC
        .equ    BI_UART, 64
        .equ    BI_MEASUREMENT, 80              // 32 bytes, written by the second stage
        .equ    BI_SEGMENTS, ${AT.segments}     // {address, bytes, SHA-256, name}
        .equ    BI_MOVES, ${AT.moves}           // {from, to, bytes, bytes with zeros behind}
        .equ    BI_DEVICES, ${AT.devices}       // {kind, address}
        .equ    BI_SIZE, ${BOOT_INFO_SIZE}
        .equ    BI_MAGIC_VALUE, 0x${MAGIC.toString(16)}
        .equ    SEGMENT_ADDRESS, 0
        .equ    SEGMENT_BYTES, 8
        .equ    SEGMENT_DIGEST, 16
        .equ    SEGMENT_NAME, 48
        .equ    SEGMENT_SIZE, ${SEGMENT_SIZE}
        .equ    MOVE_SIZE, ${MOVE_SIZE}
        .equ    DEVICE_SIZE, ${DEVICE_SIZE}
        .equ    MOST_SEGMENTS, ${MOST_SEGMENTS}
        .equ    MOST_MOVES, ${MOST_MOVES}
        .equ    MOST_DEVICES, ${MOST_DEVICES}
        .equ    DEVICE_VIRTIO_MMIO, 1
        .equ    DEVICE_ECAM, 2
`;

/** A piece of memory that the kernel filled. */
export interface BootSegment {
  /** Up to 15 characters. */
  readonly name: string;
  /** Physical address. */
  readonly address: bigint;
  /** Bytes that count. */
  readonly size: number;
  /** SHA-256 of them, 32 bytes. */
  readonly digest: Uint8Array;
}

/** What is moved before the hypervisor is entered. */
export interface BootMove {
  /** Physical addresses, multiples of 16. */
  readonly from: bigint;
  /** See `from`. */
  readonly to: bigint;
  /** Bytes to move. */
  readonly size: number;
  /** Bytes at `to` in all: what is behind becomes zero. */
  readonly total: number;
}

/** A bus master that must stand still: a virtio-mmio transport, or all functions of an ECAM window's first bus. */
export interface BootDevice {
  /** How it is quieted. */
  readonly kind: "virtio-mmio" | "ecam";
  /** Its registers. */
  readonly address: bigint;
}

/** What the second stage is told. */
export interface BootInfo {
  /** Segments to be verified, in the order of the measurement. */
  readonly segments: readonly BootSegment[];
  /** What goes elsewhere, in order. */
  readonly moves: readonly BootMove[];
  /** The quiesce list. */
  readonly devices: readonly BootDevice[];
  /** Where the hypervisor is entered. */
  readonly entry: bigint;
  /** X0 and X1 there. */
  readonly x0: bigint;
  /** See `x0`. */
  readonly x1: bigint;
  /** How PSCI is called. */
  readonly conduit: "smc" | "hvc";
  /** The PL011. */
  readonly uart: bigint;
}

/** The boot info as bytes, as the loader writes them. Throws RangeError for more than the tables hold. */
export function bootInfoBytes(info: BootInfo): Uint8Array<ArrayBuffer> {
  checkCount("segments", info.segments.length, MOST_SEGMENTS);
  checkCount("moves", info.moves.length, MOST_MOVES);
  checkCount("devices", info.devices.length, MOST_DEVICES);
  const bytes = new Uint8Array(BOOT_INFO_SIZE);
  const put = (at: number, ...values: readonly bigint[]): void => {
    const writer = new ByteWriter();
    for (const value of values) writer.u64(value);
    bytes.set(writer.bytes(), at);
  };
  const { segments, moves, devices, entry, x0, x1, conduit, uart } = info;
  const counts = [segments, moves, devices].map(({ length }) => BigInt(length));
  put(0, MAGIC, ...counts, entry, x0, x1, conduit === "smc" ? 0n : 1n, uart);
  for (const [index, { name, address, size, digest }] of segments.entries()) {
    const at = AT.segments + index * SEGMENT_SIZE;
    put(at, address, BigInt(size));
    bytes.set(digest, at + 16);
    bytes.set(new TextEncoder().encode(name).subarray(0, NAME_SIZE - 1), at + 48);
  }
  for (const [index, { from, to, size, total }] of moves.entries()) {
    put(AT.moves + index * MOVE_SIZE, from, to, BigInt(size), BigInt(total));
  }
  for (const [index, { kind, address }] of devices.entries()) {
    put(AT.devices + index * DEVICE_SIZE, kind === "virtio-mmio" ? 1n : 2n, address);
  }
  return bytes;
}

function checkCount(what: string, count: number, most: number): void {
  if (count > most) throw new RangeError(`A boot info has at most ${most} ${what}, not ${count}`);
}

/** A boot info out of memory. Throws RangeError for bytes that are none. */
export function readBootInfo(bytes: Uint8Array): BootInfo {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const word = (at: number): bigint => view.getBigUint64(at, true);
  if (bytes.length < BOOT_INFO_SIZE || word(0) !== MAGIC) throw new RangeError("There is no boot info here");
  const table = <Row>(at: number, size: number, count: bigint, row: (at: number) => Row): Row[] =>
    Array.from({ length: Number(count) }, (_, index) => row(at + index * size));
  const segments = table(AT.segments, SEGMENT_SIZE, word(8), (at) => ({
    name: new TextDecoder().decode(bytes.subarray(at + 48, at + 64)).replace(/\0.*$/s, ""),
    address: word(at),
    size: Number(word(at + 8)),
    digest: bytes.slice(at + 16, at + 48),
  }));
  const moves = table(AT.moves, MOVE_SIZE, word(16), (at) => ({
    from: word(at),
    to: word(at + 8),
    size: Number(word(at + 16)),
    total: Number(word(at + 24)),
  }));
  const devices = table(AT.devices, DEVICE_SIZE, word(24), (at) => ({
    kind: word(at) === 1n ? "virtio-mmio" as const : "ecam" as const,
    address: word(at + 8),
  }));
  const conduit = word(56) === 0n ? "smc" as const : "hvc" as const;
  return { segments, moves, devices, entry: word(32), x0: word(40), x1: word(48), conduit, uart: word(64) };
}
