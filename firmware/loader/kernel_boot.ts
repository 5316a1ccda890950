/** What a loader finds in RAM beside itself when it is to start Linux: the kernel's device tree, and where things are. */
import { buildBoard } from "../../machine/board.ts";
import { boardDeviceTree } from "../../machine/board_device_tree.ts";
import { describeBoot } from "../../machine/boot_description.ts";
import type { MachineConfiguration } from "../../machine/configuration.ts";
import { type DeviceTree, writeDeviceTree } from "../../machine/device_tree.ts";
import { hasMonitor } from "../../machine/monitor.ts";
import { LOADER_DEVICE_TREE_AT, LOADER_KERNEL_AT } from "./pagefault_boot.ts";

/** A range of physical memory. */
export interface MemoryRange {
  /** First address. */
  readonly base: number;
  /** Bytes. */
  readonly size: number;
}

/** What Linux is told. */
export interface KernelBoot {
  /** The machine that it runs on. */
  readonly configuration: MachineConfiguration;
  /** The command line. */
  readonly append: string;
  /** Where the initramfs is. */
  readonly initrd: MemoryRange;
  /** Memory that stays the loader's: PSCI at EL3 is in there. */
  readonly reserved?: MemoryRange;
}

/** Where the initramfs goes. */
export const LOADER_INITRD_AT = 0x4800_0000;

/**
 * The device tree that a loader hands over, to be added to: the board's own, with PSCI as the machine answers it below
 * the monitors there are (by HVC below EL1's hypervisor, by SMC from EL2 and below a monitor at EL3 alone).
 */
export function kernelTree({ configuration, append, initrd, reserved }: KernelBoot): DeviceTree {
  const board = buildBoard(configuration), tree = boardDeviceTree(board, true);
  const { secure, virtualization } = configuration;
  const isEl3Nearest = hasMonitor(configuration, 3) && !hasMonitor(configuration, 2);
  describeBoot(board, tree, {
    append,
    initrd: { base: initrd.base, limit: initrd.base + initrd.size },
    modules: [],
    conduit: secure || virtualization || isEl3Nearest ? "smc" : "hvc",
  }, "the device tree");
  if (reserved === undefined) return tree;
  const reservation = { address: BigInt(reserved.base), size: BigInt(reserved.size) };
  return { ...tree, reservations: [...tree.reservations, reservation] };
}

/** `kernelTree` as bytes. Throws RangeError when it is too large for its place before the kernel. */
export function kernelDeviceTree(boot: KernelBoot): Uint8Array<ArrayBuffer> {
  const bytes = writeDeviceTree(kernelTree(boot));
  if (LOADER_DEVICE_TREE_AT + bytes.length <= LOADER_KERNEL_AT) return bytes;
  throw new RangeError(`The device tree has ${bytes.length} bytes, more than fit before the kernel`);
}
