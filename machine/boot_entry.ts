/** The three ways to boot: firmware in flash, an ELF file, a kernel image; each as QEMU's `virt` does it. */
import { hex } from "./address.ts";
import { type Board, boardRow, RAM_BASE } from "./board.ts";
import { type AddressRange, type BootImages, imageBytes, imageName, type Placement } from "./boot_images.ts";
import { isElf, parseElf } from "./elf.ts";
import type { BootConfiguration } from "./configuration.ts";
import { ConfigurationError } from "./errors.ts";
import { parseKernelImage } from "./kernel_image.ts";
import { monitorMemory } from "./monitor.ts";

const MIB = 2 ** 20;
const PAGE = 4096;

/** Alignment of a tree behind a kernel: early code maps one block of this size. */
const DEVICE_TREE_ALIGNMENT = 2 * MIB;

/** Where the initrd goes at the latest, from the start of RAM. */
const INITRD_OFFSET = 128 * MIB;

/** A board, the images it boots from, and where they have been put so far. */
export interface Boot {
  /** The board with its configuration. */
  readonly board: Board;
  /** Contents of images. */
  readonly images: BootImages;
  /** Takes what is placed. */
  readonly placement: Placement;
}

/** What the way to boot decides. */
export interface Entry {
  /** Where CPUs start, but for the loaders' say. */
  readonly pc: number;
  /** True when a kernel is entered as a boot loader does it: below EL3, with the device tree's address in X0. */
  readonly direct: boolean;
  /** Where the device tree goes; undefined when there is no place for it. */
  readonly deviceTreeAt: number | undefined;
  /** Bytes there that it may take; it is left out when it needs more. */
  readonly deviceTreeLimit: number;
  /** Where the initrd is. */
  readonly initrd: AddressRange | undefined;
}

/** RAM as a range, but for what a monitor has of it. */
export function ramRange(board: Board): AddressRange {
  return { base: RAM_BASE, limit: monitorMemory(board).base };
}

/** Whether the first flash bank has contents: CPUs start there, and a kernel is left to the firmware. */
export function hasFirmware({ bios, pflash }: BootConfiguration): boolean {
  return bios !== undefined || pflash.length > 0;
}

/**
 * Puts the images of `-bios`, `-pflash`, `-kernel` and `-initrd` in place; throws ConfigurationError when they do not
 * fit.
 */
export function planEntry(boot: Boot): Entry {
  const { kernel } = boot.board.configuration.boot;
  placeFlash(boot);
  if (kernel === undefined || hasFirmware(boot.board.configuration.boot)) return planFirmware(boot);
  const what = imageName("kernel", kernel);
  const bytes = imageBytes(boot.images, "kernel", kernel);
  return isElf(bytes) ? planElf(boot, bytes, what) : planKernelImage(boot, bytes, what);
}

/** Contents of flash banks, which are whole banks and the guest's to change from power-on. */
function placeFlash({ board, images, placement }: Boot): void {
  const { bios, pflash } = board.configuration.boot;
  if (bios !== undefined && pflash.length > 0) {
    throw new ConfigurationError(
      "Cannot use -bios with -pflash: both are the contents of the first flash bank",
    );
  }
  for (const [bank, image] of pflash.entries()) {
    const role = `flash bank ${bank}`;
    const bytes = imageBytes(images, role, image);
    const flash = boardRow(board, `flash${bank}`);
    if (bytes.length !== flash.size) {
      throw new ConfigurationError(
        `Cannot use ${imageName(role, image)}: it has ${bytes.length} bytes and must have ${flash.size}; ` +
          (bytes.length < flash.size
            ? `fill it up with truncate -s ${flash.size / MIB}M FILE`
            : "it is no flash image"),
      );
    }
    placement.addFlash(role, flash.base, bytes);
  }
}

/** Firmware in flash finds the tree at the start of RAM; a kernel beside it is reached through fw_cfg. */
function planFirmware({ board, images, placement }: Boot): Entry {
  const { bios } = board.configuration.boot;
  if (bios !== undefined) {
    const bytes = imageBytes(images, "bios", bios);
    const flash = boardRow(board, "flash0");
    if (bytes.length > flash.size) {
      throw new ConfigurationError(
        `Cannot load ${imageName("bios", bios)}: it has ${bytes.length} bytes, the flash bank ${flash.size}`,
      );
    }
    placement.add("bios", flash.base, bytes);
  }
  return { pc: 0, direct: false, deviceTreeAt: RAM_BASE, deviceTreeLimit: Infinity, initrd: undefined };
}

/**
 * An ELF file is entered at the highest level, with nothing in its registers. The tree goes to the start of RAM if
 * there is room before the file's segments. With a segment at that place, QEMU puts the tree at address 0, in flash;
 * with Secure flash, nowhere.
 */
function planElf({ board, placement }: Boot, bytes: Uint8Array, what: string): Entry {
  if (board.configuration.boot.initrd !== undefined) {
    throw new ConfigurationError(`Cannot use -initrd: ${what} is an ELF file, which is not told of one`);
  }
  const { entry, segments } = parseElf(bytes, what);
  let low = Infinity;
  let high = 0;
  for (const segment of segments) {
    placement.add(what, segment.address, segment.bytes, segment.memorySize - segment.bytes.length);
    low = Math.min(low, segment.address);
    high = Math.max(high, segment.address + segment.memorySize);
  }
  const common = { pc: entry, direct: false, initrd: undefined };
  if (low > RAM_BASE) return { ...common, deviceTreeAt: RAM_BASE, deviceTreeLimit: low - RAM_BASE };
  if (high < RAM_BASE) return { ...common, deviceTreeAt: RAM_BASE, deviceTreeLimit: Infinity };
  const flash = boardRow(board, "flash0");
  return { ...common, deviceTreeAt: flash.secureOnly ? undefined : flash.base, deviceTreeLimit: Infinity };
}

function alignUp(value: number, to: number): number {
  return Math.ceil(value / to) * to;
}

/** A flat image or arm64 Image: the kernel, the initrd in the middle of RAM or at 128 MiB, then the tree. */
function planKernelImage(boot: Boot, bytes: Uint8Array, what: string): Entry {
  const { board, placement } = boot;
  const { offset, size } = parseKernelImage(bytes, what);
  const { base, limit } = ramRange(board);
  const kernelAt = base + offset;
  if (kernelAt + size > limit) refuseSize(what, size, kernelAt, limit);
  placement.add(what, kernelAt, bytes);
  const middle = base + Math.min((limit - base) / 2, INITRD_OFFSET);
  const behindKernel = alignUp(Math.max(middle, kernelAt + size), PAGE);
  const initrd = placeInitrd(boot, behindKernel);
  const deviceTreeAt = alignUp(initrd?.limit ?? behindKernel, DEVICE_TREE_ALIGNMENT);
  placement.add("entry code", base, entryCode(deviceTreeAt, kernelAt));
  return { pc: base, direct: true, deviceTreeAt, deviceTreeLimit: Infinity, initrd };
}

function refuseSize(what: string, size: number, at: number, limit: number): never {
  throw new ConfigurationError(
    `Cannot load ${what}: its ${size} bytes at ${hex(at)} do not fit in RAM, which ends at ${hex(limit)}; ` +
      `use a larger -m`,
  );
}

function placeInitrd({ board, images, placement }: Boot, base: number): AddressRange | undefined {
  const { initrd } = board.configuration.boot;
  if (initrd === undefined) return undefined;
  const bytes = imageBytes(images, "initrd", initrd);
  const what = imageName("initrd", initrd);
  const { limit } = ramRange(board);
  if (base + bytes.length > limit) refuseSize(what, bytes.length, base, limit);
  placement.add(what, base, bytes);
  return { base, limit: base + bytes.length };
}

/** The code at the start of RAM that enters a kernel: X0 = tree, X1–X3 = 0, branch to the kernel. */
// deno-fmt-ignore
const ENTRY_CODE = [
  0x580000c0, // ldr x0, 0x18
  0xaa1f03e1, // mov x1, xzr
  0xaa1f03e2, // mov x2, xzr
  0xaa1f03e3, // mov x3, xzr
  0x58000084, // ldr x4, 0x20
  0xd61f0080, // br  x4
];

function entryCode(deviceTreeAt: number, kernelAt: number): Uint8Array {
  const code = new Uint8Array(40);
  const view = new DataView(code.buffer);
  for (const [index, word] of ENTRY_CODE.entries()) view.setUint32(index * 4, word, true);
  view.setBigUint64(0x18, BigInt(deviceTreeAt), true);
  view.setBigUint64(0x20, BigInt(kernelAt), true);
  return code;
}
