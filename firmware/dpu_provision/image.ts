/**
 * The image that a DPU is provisioned with: one file with an installer and the system that it installs.
 *
 * A header of the installer is at 0, one of the system at `SYSTEM_HEADER`, what both are made of from `BODY` on; a part
 * that both have is there once. The file on the volatile disk is booted by the first; a partition has the system's header
 * in its place, so that it is booted in the same way. Little-endian; the digest is of everything from `BODY` on:
 *
 *     0 magic   8 model   24 version, u32   28 segments, u32   32 bytes in all   40 address of the volatile disk
 *     48 entry  64 SHA-256                  96 segments, 24 bytes each: offset, address, bytes
 */
import { sha256 } from "../../machine/sha256.ts";
import { type DpuModel, modelBytes } from "./platform.ts";

/** "HVDPUIMG". */
export const IMAGE_MAGIC = 0x474d_4955_5044_5648n;
/** Places in a header, for code. */
// deno-fmt-ignore
export const IMAGE_HEADER = {
  MAGIC: 0, MODEL: 8, VERSION: 24, SEGMENTS: 28, SIZE: 32, RAM_DISK: 40, ENTRY: 48, DIGEST: 64, TABLE: 96,
} as const;
/** Offsets of the system's header and of the first byte behind both. */
export const SYSTEM_HEADER = 4096, BODY = 8192;
/** Bytes of a header: a sector, which is written as a whole. */
const HEADER_SIZE = 512;
const SEGMENT = 24, MOST_SEGMENTS = 16, PAGE = 4096, ALIGNMENT = 64;

/** Bytes that have to be at an address. */
export interface BootSegment {
  /** Physical address, a multiple of 16. */
  readonly base: number;
  /** What goes there. */
  readonly bytes: Uint8Array;
}

/** What is booted: segments in RAM, and where CPU 0 starts, with the MMU off. */
export interface BootPart {
  /** Physical address. */
  readonly entry: number;
  /** At most 16. */
  readonly segments: readonly BootSegment[];
}

/** What an image is made from. */
export interface ImageOptions {
  /** Whom it is for. */
  readonly model: DpuModel;
  /** The version of the system, and of the installer. */
  readonly version: number;
  /** What is booted from the volatile disk. */
  readonly installer: BootPart;
  /** What is booted from a partition. */
  readonly system: BootPart;
}

function header(
  { model, version }: ImageOptions,
  { entry, segments }: BootPart,
  places: ReadonlyMap<Uint8Array, number>,
  body: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(HEADER_SIZE), view = new DataView(bytes.buffer), H = IMAGE_HEADER;
  view.setBigUint64(H.MAGIC, IMAGE_MAGIC, true);
  bytes.set(modelBytes(model.name), H.MODEL);
  view.setUint32(H.VERSION, version, true);
  view.setUint32(H.SEGMENTS, segments.length, true);
  view.setBigUint64(H.SIZE, BigInt(BODY + body.length), true);
  view.setBigUint64(H.RAM_DISK, BigInt(model.ramDisk.base), true);
  view.setBigUint64(H.ENTRY, BigInt(entry), true);
  bytes.set(sha256(body), H.DIGEST);
  for (const [index, { base, bytes: contents }] of segments.entries()) {
    const row = H.TABLE + index * SEGMENT;
    view.setBigUint64(row, BigInt(BODY + (places.get(contents) as number)), true);
    view.setBigUint64(row + 8, BigInt(base), true);
    view.setBigUint64(row + 16, BigInt(contents.length), true);
  }
  return bytes;
}

/** Makes an image: whole pages. Throws RangeError for too many segments, or ones in the volatile disk's place. */
export function provisioningImage(options: ImageOptions): Uint8Array<ArrayBuffer> {
  const { installer, system, model: { ramDisk } } = options, places = new Map<Uint8Array, number>();
  let size = 0;
  for (const { segments } of [installer, system]) {
    if (segments.length > MOST_SEGMENTS) {
      throw new RangeError(`An image boots ${MOST_SEGMENTS} segments at most, not ${segments.length}`);
    }
    for (const { base, bytes } of segments) {
      if (base < ramDisk.base + ramDisk.size && base + bytes.length > ramDisk.base) {
        throw new RangeError(`The segment at 0x${base.toString(16)} lies in the volatile disk`);
      }
      if (places.has(bytes)) continue;
      places.set(bytes, size);
      size = Math.ceil((size + bytes.length) / ALIGNMENT) * ALIGNMENT;
    }
  }
  const body = new Uint8Array(Math.ceil(size / PAGE) * PAGE);
  for (const [bytes, at] of places) body.set(bytes, at);
  const image = new Uint8Array(BODY + body.length);
  image.set(header(options, installer, places, body));
  image.set(header(options, system, places, body), SYSTEM_HEADER);
  image.set(body, BODY);
  return image;
}

/** A partition's contents once the image's system is installed. */
export function installedSystem(image: Uint8Array): Uint8Array<ArrayBuffer> {
  const slot = new Uint8Array(image.length);
  slot.set(image.subarray(SYSTEM_HEADER, BODY));
  slot.set(image.subarray(BODY), BODY);
  return slot;
}
