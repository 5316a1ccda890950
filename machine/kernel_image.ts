/** Kernel images that are not ELF: flat binaries and the arm64 Image format; others are refused by name. */
import { ConfigurationError } from "./errors.ts";

/** A kernel to be placed and entered at its first byte. */
export interface KernelImage {
  /** Offset of the first byte from the start of RAM. */
  readonly offset: number;
  /** Bytes that it occupies in memory, at least those of the file. */
  readonly size: number;
}

/** Where a flat image without header goes, as QEMU does it. */
const FLAT_OFFSET = 0x80000;

/** The loader's own code is at the start of RAM; an image that asks for that place moves up by its alignment. */
const LOADER_SIZE = 0x1000;
const IMAGE_ALIGNMENT = 0x20_0000;

// Documentation/arm64/booting.rst of Linux, section 4.
const TEXT_OFFSET_AT = 8;
const IMAGE_SIZE_AT = 16;
const MAGIC_AT = 56;
const MAGIC = [0x41, 0x52, 0x4d, 0x64];

/** Formats that need unpacking first, by the bytes they start with. */
// deno-fmt-ignore
const PACKED: readonly { readonly at: number; readonly magic: readonly number[]; readonly name: string; readonly hint: string }[] = [
  { at: 0, magic: [0x1f, 0x8b],             name: "compressed with gzip",   hint: "unpack it with gunzip" },
  { at: 0, magic: [0xfd, 0x37, 0x7a, 0x58], name: "compressed with xz",     hint: "unpack it with unxz" },
  { at: 0, magic: [0x28, 0xb5, 0x2f, 0xfd], name: "compressed with zstd",   hint: "unpack it with unzstd" },
  { at: 0, magic: [0x27, 0x05, 0x19, 0x56], name: "a U-Boot uImage",        hint: "take the image it was made of" },
  { at: 4, magic: [0x7a, 0x69, 0x6d, 0x67], name: "an EFI zboot image",     hint: "take the Image it was made of" },
];

function startsWith(bytes: Uint8Array, at: number, magic: readonly number[]): boolean {
  return magic.every((byte, index) => bytes[at + index] === byte);
}

/** Throws ConfigurationError when the file is packed in a way that must be undone first; `what` names it. */
export function refusePacked(bytes: Uint8Array, what: string): void {
  const packed = PACKED.find(({ at, magic }) => startsWith(bytes, at, magic));
  if (packed === undefined) return;
  throw new ConfigurationError(`Cannot load ${what}: it is ${packed.name}; ${packed.hint}`);
}

/** Reads where a kernel wants to be; throws ConfigurationError for packed images and absurd headers. */
export function parseKernelImage(bytes: Uint8Array, what: string): KernelImage {
  refusePacked(bytes, what);
  const flat = { offset: FLAT_OFFSET, size: bytes.length };
  if (bytes.length <= MAGIC_AT + MAGIC.length || !startsWith(bytes, MAGIC_AT, MAGIC)) return flat;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const textOffset = view.getBigUint64(TEXT_OFFSET_AT, true);
  const imageSize = view.getBigUint64(IMAGE_SIZE_AT, true);
  // Kernels before 3.17 leave the size zero, and then the offset counts for nothing.
  if (imageSize === 0n) return flat;
  if (textOffset >= 1n << 32n || imageSize >= 1n << 32n) {
    throw new ConfigurationError(
      `Cannot load ${what}: its arm64 Image header asks for ${imageSize} bytes at offset ${textOffset} of RAM`,
    );
  }
  const offset = Number(textOffset);
  return {
    offset: offset < LOADER_SIZE ? offset + IMAGE_ALIGNMENT : offset,
    size: Math.max(Number(imageSize), bytes.length),
  };
}
