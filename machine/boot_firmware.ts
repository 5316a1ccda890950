/** What fw_cfg serves, as QEMU's `virt` does: facts of the machine, what boots behind firmware, and the user's files. */
import { type Boot, hasFirmware } from "./boot_entry.ts";
import { imageBytes, imageName } from "./boot_images.ts";
import { bootOrder } from "./boot_order.ts";
import type { FirmwareFile } from "./configuration.ts";
import type { FwCfgItem } from "./devices/fw_cfg.ts";
import { ConfigurationError } from "./errors.ts";
import { refusePacked } from "./kernel_image.ts";
import { smbiosAnchor, smbiosTables } from "./smbios.ts";

/** Selectors (QEMU docs/specs/fw_cfg). */
// deno-fmt-ignore
const SELECTORS = {
  CPU_COUNT:    0x05,
  KERNEL_SIZE:  0x08, KERNEL_DATA:  0x11,
  INITRD_SIZE:  0x0b, INITRD_DATA:  0x12,
  CMDLINE_SIZE: 0x14, CMDLINE_DATA: 0x15,
} as const;

const encoder = new TextEncoder();
const NOTHING = new Uint8Array(0);

/**
 * The board's own files. QEMU's others are `etc/acpi/rsdp`, `etc/acpi/tables`, `etc/table-loader` and `etc/tpm/log`: there
 * is no ACPI here, so that firmware hands the device tree on. Its other selectors hold zeros, as those do that are not there.
 */
function boardFiles({ board }: Boot): readonly (readonly [name: string, bytes: Uint8Array])[] {
  const tables = smbiosTables(board.configuration);
  return [
    // Geometry of disks: none is given.
    ["bios-geometry", NOTHING],
    ["bootorder", encoder.encode(bootOrder(board))],
    // For ever, in milliseconds.
    ["etc/boot-fail-wait", Uint8Array.of(255, 255, 255, 255)],
    ["etc/smbios/smbios-anchor", smbiosAnchor(tables.length)],
    ["etc/smbios/smbios-tables", tables],
  ];
}

/** With firmware, the kernel, its initrd and its command line, for the firmware to fetch. */
function kernelItems({ board, images }: Boot): FwCfgItem[] {
  const { kernel, initrd, append } = board.configuration.boot;
  if (!hasFirmware(board.configuration.boot) || kernel === undefined) return [];
  const items: FwCfgItem[] = [];
  const add = (sizeSelector: number, selector: number, bytes: Uint8Array): void => {
    const size = new Uint8Array(4);
    new DataView(size.buffer).setUint32(0, bytes.length, true);
    items.push({ selector: sizeSelector, bytes: size }, { selector, bytes });
  };
  const contents = imageBytes(images, "kernel", kernel);
  refusePacked(contents, imageName("kernel", kernel));
  add(SELECTORS.KERNEL_SIZE, SELECTORS.KERNEL_DATA, contents);
  if (initrd !== undefined) {
    add(SELECTORS.INITRD_SIZE, SELECTORS.INITRD_DATA, imageBytes(images, "initrd", initrd));
  }
  if (append !== undefined) {
    add(SELECTORS.CMDLINE_SIZE, SELECTORS.CMDLINE_DATA, encoder.encode(`${append}\0`));
  }
  return items;
}

/** All items; throws ConfigurationError when an image is missing or two files have one name. */
export function firmwareItems(boot: Boot): FwCfgItem[] {
  const { cpus, boot: { firmwareFiles } } = boot.board.configuration;
  const bytesOf = (file: FirmwareFile): Uint8Array =>
    file.kind === "text"
      ? encoder.encode(file.text)
      : imageBytes(boot.images, `fw_cfg file "${file.name}"`, file.image);
  const files = new Map(boardFiles(boot));
  for (const file of firmwareFiles) {
    if (files.has(file.name)) {
      throw new ConfigurationError(`Cannot add fw_cfg file "${file.name}": there is one of that name`);
    }
    files.set(file.name, bytesOf(file));
  }
  return [
    { selector: SELECTORS.CPU_COUNT, bytes: Uint8Array.of(cpus, 0) },
    ...kernelItems(boot),
    ...Array.from(files, ([file, bytes]) => ({ file, bytes })),
  ];
}
