/** The disks of a machine, by the ids under which devices take them: each by exactly one. */
import { type BootImages, imageName } from "./boot_images.ts";
import { ConfigurationError } from "./errors.ts";
import type { EventHub } from "./events.ts";
import type { DriveConfiguration } from "./peripheral_configuration.ts";
import { Disk } from "./storage/disk.ts";
import { SECTOR_SIZE } from "./storage/image.ts";

/** What `-drive` options made. */
export class Drives {
  /** The disks by id, in the order given. */
  readonly disks: ReadonlyMap<string, Disk>;
  readonly #takers = new Map<string, string>();

  /** Builds a disk for each drive; throws ConfigurationError for one whose image is missing or no disk. */
  constructor(drives: readonly DriveConfiguration[], images: BootImages, events: EventHub) {
    this.disks = new Map(drives.map((drive) => [drive.id, diskOf(drive, images, events)]));
  }

  /**
   * The disk that a device names with `drive=`; `device` is its name in messages. Throws ConfigurationError when it
   * names none, one that there is not, or one that another device has.
   */
  take(id: string | undefined, device: string): Disk {
    const there = [...this.disks.keys()].join(", ") || "none";
    if (id === undefined) {
      throw new ConfigurationError(`${device} needs a disk: give it drive=ID; the drives are ${there}`);
    }
    const disk = this.disks.get(id);
    if (disk === undefined) {
      throw new ConfigurationError(`${device}: there is no drive "${id}"; the drives are ${there}`);
    }
    const taker = this.#takers.get(id);
    if (taker !== undefined) {
      throw new ConfigurationError(`${device} cannot have drive "${id}": ${taker} has it`);
    }
    this.#takers.set(id, device);
    return disk;
  }

  /** Throws ConfigurationError when a disk is in no device. */
  refuseUntaken(): void {
    for (const id of this.disks.keys()) {
      if (this.#takers.has(id)) continue;
      throw new ConfigurationError(
        `Drive "${id}" is in no device: add -device virtio-blk-pci,drive=${id} or -device nvme,drive=${id}`,
      );
    }
  }
}

function diskOf({ id, image, readOnly }: DriveConfiguration, images: BootImages, events: EventHub): Disk {
  const contents = images.get(image.sha256);
  const what = imageName(`drive "${id}"`, image);
  if (contents === undefined || contents instanceof Uint8Array) {
    throw new ConfigurationError(`Cannot use ${what}: the file is missing`);
  }
  if (contents.size === 0) throw new ConfigurationError(`Cannot use ${what}: it is empty`);
  if (contents.size !== image.size || contents.size % SECTOR_SIZE !== 0) {
    throw new ConfigurationError(
      `Cannot use ${what}: it has ${contents.size} bytes, not ${image.size} in sectors of ${SECTOR_SIZE}`,
    );
  }
  return new Disk({ name: id, image: contents, readOnly, events });
}
