/** Images inside a journal: what makes it one self-contained file. */
import { createHash } from "node:crypto";
import { z } from "zod";
import type { ImageReference, MachineConfiguration } from "../machine/configuration.ts";
import type { MachineImages } from "../machine/compose.ts";
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

/** The images that a configuration names, each once. */
export function imageReferences(configuration: MachineConfiguration): ImageReference[] {
  const { bios, pflash, kernel, initrd, dtb, loaders, guestModules } = configuration.boot;
  const loaded = loaders.flatMap((entry) => entry.kind === "image" ? [entry.image] : []);
  const modules = guestModules.map(({ image }) => image);
  const served = configuration.networks.flatMap((network) => network.kind === "user" ? network.files : []);
  const all = [
    bios,
    ...pflash,
    kernel,
    initrd,
    dtb,
    ...loaded,
    ...modules,
    ...served.map(({ image }) => image),
  ]
    .filter((image) => image !== undefined);
  return [...new Map(all.map((image) => [image.sha256, image])).values()];
}

/** Appends images, by content, in blocks of 8 MiB. */
export function appendImages(writer: JournalWriter, images: MachineImages): void {
  for (const [sha256, image] of images) {
    if (!(image instanceof Uint8Array)) continue;
    for (let offset = 0; offset < image.length; offset += CHUNK) {
      writer.append("images", { sha256, offset, bytes: image.subarray(offset, offset + CHUNK) });
    }
  }
}

/** The images inside a journal; throws JournalFormatError when one is not whole or not what its hash says. */
export function packedImages(
  reader: JournalReader,
  references: readonly ImageReference[],
): Map<string, Uint8Array> {
  const images = new Map<string, { bytes: Uint8Array; filled: number }>();
  const known = new Map(references.map((reference) => [reference.sha256, reference]));
  for (const block of reader.blocks) {
    if (block.kind !== "images") continue;
    const refuse = (what: string) =>
      new JournalFormatError(`Cannot read the journal: block ${block.number} (images) ${what}`);
    const parsed = chunkSchema.safeParse(reader.payload(block.number));
    if (!parsed.success) throw refuse("is not a piece of an image");
    const { sha256, offset, bytes } = parsed.data;
    const reference = known.get(sha256);
    if (reference === undefined) continue;
    const image = images.get(sha256) ?? { bytes: new Uint8Array(reference.size), filled: 0 };
    if (offset !== image.filled || offset + bytes.length > reference.size) throw refuse("is out of order");
    image.bytes.set(bytes, offset);
    image.filled += bytes.length;
    images.set(sha256, image);
  }
  return new Map([...images].map(([sha256, { bytes }]) => {
    if (createHash("sha256").update(bytes).digest("hex") !== sha256) {
      throw new JournalFormatError(
        `Cannot read the journal: the image inside is not the one with SHA-256 ${sha256}`,
      );
    }
    return [sha256, bytes];
  }));
}
