/** Images inside a journal: what makes it one self-contained file. */
import { createHash } from "node:crypto";
import { z } from "zod";
import type { ImageReference, MachineConfiguration } from "../machine/configuration.ts";
import type { MachineImages } from "../machine/compose.ts";
import { appendDisk, readDiskTable } from "./disk_images.ts";
import type { DiskImage } from "../machine/storage/block.ts";
import { JournalFormatError } from "./errors.ts";
import type { JournalReader, JournalWriter } from "./file.ts";

/** Bytes of an image in one block. */
const CHUNK = 8 << 20;

/** One block: a piece of an image. */
const chunkSchema = z.strictObject({
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  offset: z.int().min(0).max(2 ** 40),
  bytes: z.instanceof(Uint8Array).refine((bytes) => bytes.length > 0 && bytes.length <= CHUNK, "not a chunk"),
});

/** The images of a configuration that are whole files, each once. */
export function imageReferences(configuration: MachineConfiguration): ImageReference[] {
  const { bios, pflash, kernel, initrd, dtb, loaders, guestModules, firmwareFiles } = configuration.boot;
  const loaded = loaders.flatMap((entry) => entry.kind === "image" ? [entry.image] : []);
  const modules = guestModules.map(({ image }) => image);
  const files = firmwareFiles.flatMap((file) => file.kind === "image" ? [file.image] : []);
  const served = configuration.networks.flatMap((network) => network.kind === "user" ? network.files : []);
  const all = [
    bios,
    ...pflash,
    kernel,
    initrd,
    dtb,
    ...loaded,
    ...modules,
    ...files,
    ...served.map(({ image }) => image),
  ]
    .filter((image) => image !== undefined);
  return [...new Map(all.map((image) => [image.sha256, image])).values()];
}

/** Appends images, by content, in blocks of 8 MiB. */
export function appendImages(writer: JournalWriter, images: MachineImages): void {
  for (const [sha256, image] of images) {
    if (!(image instanceof Uint8Array)) {
      appendDisk(writer, sha256, image);
      continue;
    }
    for (let offset = 0; offset < image.length; offset += CHUNK) {
      writer.append("images", { sha256, offset, bytes: image.subarray(offset, offset + CHUNK) });
    }
  }
}

/** The disks of a configuration, each once. */
export function diskReferences({ drives }: MachineConfiguration): ImageReference[] {
  return [...new Map(drives.map(({ image }) => [image.sha256, image])).values()];
}

/**
 * The images inside a journal, `disks` to be read block by block; throws JournalFormatError when one is not whole or not
 * what its hash says.
 */
export function packedImages(
  reader: JournalReader,
  references: readonly ImageReference[],
  disks: readonly ImageReference[] = [],
): Map<string, Uint8Array | DiskImage> {
  const known = new Map(references.map((reference) => [reference.sha256, new PackedFile(reference)]));
  const found = new Map<string, Uint8Array | DiskImage>();
  for (let number = 0; number < reader.blocks.length; number++) {
    if (reader.blocks[number]!.kind !== "images") continue;
    const payload = reader.payload(number);
    const table = readDiskTable(reader, number, payload, disks);
    if (table !== undefined) {
      if (table.disk !== undefined) found.set(table.sha256, table.disk);
      number += table.blocks;
      continue;
    }
    const parsed = chunkSchema.safeParse(payload);
    if (!parsed.success) throw refusal(number, "is not a piece of an image");
    const file = known.get(parsed.data.sha256);
    if (file?.take(parsed.data.offset, parsed.data.bytes) === false) throw refusal(number, "is out of order");
  }
  for (const [sha256, file] of known) {
    if (file.bytes !== undefined) found.set(sha256, file.checked());
  }
  return found;
}

function refusal(number: number, what: string): JournalFormatError {
  return new JournalFormatError(`Cannot read the journal: block ${number} (images) ${what}`);
}

/** A file that is put together from its pieces. */
class PackedFile {
  bytes: Uint8Array | undefined;
  #filled = 0;
  constructor(private readonly reference: ImageReference) {}

  /** Takes the next piece; false when it is not that. */
  take(offset: number, piece: Uint8Array): boolean {
    const { size } = this.reference;
    if (offset !== this.#filled || offset + piece.length > size) return false;
    this.bytes ??= new Uint8Array(size);
    this.bytes.set(piece, offset);
    this.#filled += piece.length;
    return true;
  }

  checked(): Uint8Array {
    const { sha256 } = this.reference;
    const bytes = this.bytes as Uint8Array;
    if (createHash("sha256").update(bytes).digest("hex") === sha256) return bytes;
    throw new JournalFormatError(
      `Cannot read the journal: the image inside is not the one with SHA-256 ${sha256}`,
    );
  }
}
