/** The device tree of a guest kernel: the board as the VMM shows it, without what it keeps to itself. */
import { buildBoard } from "../../machine/board.ts";
import { boardDeviceTree } from "../../machine/board_device_tree.ts";
import { describeBoot } from "../../machine/boot_description.ts";
import { parseConfiguration } from "../../machine/configuration.ts";
import { writeDeviceTree } from "../../machine/device_tree.ts";
import type { MemoryRange } from "../loader/kernel_boot.ts";

/** What a guest kernel is told. */
export interface GuestTreeOptions {
  /** MiB of its memory. */
  readonly memoryMiB: number;
  /** The CPU, as `-cpu` names it. */
  readonly cpuModel: "cortex-a57" | "max";
  /** The command line. */
  readonly append: string;
  /** Where the initramfs is, for the guest. */
  readonly initrd: MemoryRange;
}

/** Devices that the guest has: the interrupt controller, the UART and the clock; buses and flash stay the board's. */
const HIDDEN = /^(pcie|virtio_mmio|flash|fw-cfg|platform-bus|pl061|gpio-keys|pmu|chosen-)/;

/** The tree as a blob. Throws ConfigurationError for what the board cannot be. */
export function guestDeviceTree(
  { memoryMiB, cpuModel, append, initrd }: GuestTreeOptions,
): Uint8Array<ArrayBuffer> {
  const board = buildBoard(parseConfiguration({ memoryMiB, cpuModel })), tree = boardDeviceTree(board, true);
  describeBoot(board, tree, {
    append,
    initrd: { base: initrd.base, limit: initrd.base + initrd.size },
    modules: [],
    conduit: "hvc",
  }, "the guest's device tree");
  tree.root.remove(({ name }) => HIDDEN.test(name));
  for (const node of tree.root.children) {
    if (node.name.startsWith("intc@")) node.remove(({ name }) => name.startsWith("v2m@"));
  }
  return writeDeviceTree(tree);
}
