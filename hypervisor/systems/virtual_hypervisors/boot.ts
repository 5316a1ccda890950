/** What a virtual machine finds in its memory: the kernel, the initrd and a device tree of the board as it has it. */
import { type Board, RAM_BASE } from "../../../machine/board.ts";
import { boardDeviceTree } from "../../../machine/board_device_tree.ts";
import { describeBoot } from "../../../machine/boot_description.ts";
import { writeDeviceTree } from "../../../machine/device_tree.ts";
import { ConfigurationError } from "../../../machine/errors.ts";
import { parseKernelImage } from "../../../machine/kernel_image.ts";
import { sha256 } from "../../../machine/sha256.ts";
import { CallError } from "./objects.ts";

/** Rows of the board that a virtual machine has. */
const ROWS: readonly string[] = ["gicd", "gicc", "gicr", "uart0", "ram"];
const MIB = 2 ** 20;
/** The initrd is in the middle of RAM or here, as on the board. */
const INITRD_OFFSET = 128 * MIB;
/** A tree must not cross a boundary of 2 MiB (Linux, Documentation/arm64/booting.rst); one is smaller than this. */
const TREE_ALIGNMENT = 0x1_0000;

/** What is to be started. */
export interface BootRequest {
  /** The machine's board. */
  readonly board: Board;
  /** Bytes of RAM. */
  readonly size: number;
  /** What seeds of the tree are made of, beside the configuration's. */
  readonly name: string;
  /** A flat binary or an arm64 Image. */
  readonly kernel: Uint8Array;
  /** Its initial file system. */
  readonly initrd: Uint8Array | undefined;
  /** Its command line. */
  readonly arguments: string;
}

/** Where it starts, and what is in memory. */
export interface VmBoot {
  /** First instruction. */
  readonly pc: bigint;
  /** X0: address of the tree. */
  readonly tree: bigint;
  /** Bytes by intermediate physical address. */
  readonly writes: readonly { readonly ipa: number; readonly bytes: Uint8Array }[];
}

function alignUp(value: number, to: number): number {
  return Math.ceil(value / to) * to;
}

/** The board with what the virtual machine has of it; its seed is of its own name alone. */
function boardOf({ board, size, name }: BootRequest): Board {
  const { configuration } = board;
  const digest = sha256(new TextEncoder().encode(`virtual machine ${name} ${configuration.seed}`));
  const rows = board.rows.filter((row) => ROWS.includes(row.name)).map((row) =>
    row.name === "ram" ? { ...row, size } : row
  );
  const seed = new DataView(digest.buffer).getUint32(0);
  return {
    ...board,
    rows,
    configuration: { ...configuration, cpus: 1, memoryMiB: size / MIB, monitors: [], seed },
  };
}

function parse(kernel: Uint8Array): { readonly offset: number; readonly size: number } {
  try {
    return parseKernelImage(kernel, "an image");
  } catch (error) {
    if (error instanceof ConfigurationError) throw new CallError("EINVAL");
    throw error;
  }
}

/** Plans it; throws CallError EINVAL for a kernel that is packed or for which there is too little memory. */
export function planVmBoot(request: BootRequest): VmBoot {
  const { size, kernel, initrd } = request;
  const { offset, size: kernelSize } = parse(kernel);
  const middle = RAM_BASE + Math.min(size / 2, INITRD_OFFSET);
  const initrdAt = alignUp(Math.max(middle, RAM_BASE + offset + kernelSize), TREE_ALIGNMENT);
  const limit = initrdAt + (initrd?.length ?? 0), treeAt = alignUp(limit, TREE_ALIGNMENT);
  const board = boardOf(request), tree = boardDeviceTree(board, true);
  describeBoot(board, tree, {
    append: request.arguments,
    initrd: initrd && { base: initrdAt, limit },
    modules: [],
    conduit: "hvc",
  }, "the device tree");
  const blob = writeDeviceTree(tree);
  if (treeAt + blob.length > RAM_BASE + size) throw new CallError("EINVAL");
  return {
    pc: BigInt(RAM_BASE + offset),
    tree: BigInt(treeAt),
    writes: [
      { ipa: RAM_BASE + offset, bytes: kernel },
      ...initrd === undefined ? [] : [{ ipa: initrdAt, bytes: initrd }],
      { ipa: treeAt, bytes: blob },
    ],
  };
}
