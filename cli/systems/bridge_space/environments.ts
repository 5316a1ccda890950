/** Where the loader of bridge-space is started: unmodified firmware that finds it on a disk, by itself or by one command. */
import { ARENA, INITRD_OFFSET, type Payload } from "../../../firmware/bridge_space/image.ts";
import { fatDisk } from "../../../firmware/fat_disk.ts";
import { buildBoard } from "../../../machine/board.ts";
import { boardDeviceTree } from "../../../machine/board_device_tree.ts";
import { describeBoot } from "../../../machine/boot_description.ts";
import { parseConfiguration } from "../../../machine/configuration.ts";
import { writeDeviceTree } from "../../../machine/device_tree.ts";
import { QUICK_KERNEL } from "../linux_arguments.ts";
import type { CheckContext } from "../scenario.ts";

/** One firmware at one exception level. */
export interface Environment {
  /** How it is called. */
  readonly name: string;
  /** Whose tables are S1. */
  readonly firmware: "u-boot" | "edk2";
  /** Where it runs, and the loader with it. */
  readonly level: 1 | 2;
  /** Bits of its virtual addresses, 64 − T0SZ, as it sets them up. */
  readonly bits: number;
  /** The disk has a kernel to go on with. */
  readonly hasKernel: boolean;
  /** The TLB keeps everything that nobody invalidates. */
  readonly isStrict: boolean;
}

/** All of them. */
// deno-fmt-ignore
export const ENVIRONMENTS: readonly Environment[] = [
  { name: "u-boot-el1", firmware: "u-boot", level: 1, bits: 40, hasKernel: true, isStrict: false },
  { name: "u-boot-el2", firmware: "u-boot", level: 2, bits: 40, hasKernel: false, isStrict: true },
  { name: "edk2-el1",   firmware: "edk2",   level: 1, bits: 44, hasKernel: false, isStrict: true },
  { name: "edk2-el2",   firmware: "edk2",   level: 2, bits: 44, hasKernel: true, isStrict: false },
];

/** U-Boot is told not to wait; both start what is under this name. */
const REMOVABLE = "EFI/BOOT/BOOTAA64.EFI";

/** The disk with a loader. */
export function diskOf(file: Uint8Array): Uint8Array {
  return fatDisk(new Map([[REMOVABLE, file]]));
}

/** The machine with a disk, as both programs take it. */
export function optionsOf(context: CheckContext, { firmware, level }: Environment, disk: string): string[] {
  const bank = (unit: number, path: string) => [
    "-drive",
    `if=pflash,format=raw,unit=${unit},snapshot=on,file=${context.guest(path)}`,
  ];
  return [
    ...["-M", level === 2 ? "virt,virtualization=on" : "virt", "-cpu", "cortex-a57", "-m", "1G"],
    ...firmware === "u-boot"
      ? ["-bios", context.guest("u-boot/u-boot.bin")]
      : [...bank(0, "edk2/AAVMF_CODE.fd"), ...bank(1, "edk2/AAVMF_VARS.fd")],
    ...[
      "-drive",
      `if=none,id=d0,format=raw,snapshot=on,file=${disk}`,
      "-device",
      "virtio-blk-device,drive=d0",
    ],
  ];
}

/** What is typed. */
export function scriptOf({ firmware }: Environment): string[] {
  if (firmware === "edk2") return ['expect "bridge: parameters"'];
  return ['expect "Hit any key"', 'send " "', 'expect "=> "', 'send "run bootcmd_virtio0\\r"'];
}

/** Debian's kernel with a first root, and a tree of the board that is booted on. */
export function debianPayload(context: CheckContext, { level }: Environment): Payload {
  const kernel = Deno.readFileSync(context.guest("linux-cloud/Image"));
  const initrd = Deno.readFileSync(context.guest("linux-cloud/initrd.gz"));
  // Which devices there are depends on whether there is firmware, not on which.
  const bios = { sha256: "0".repeat(64), size: 1, name: "firmware" };
  const board = buildBoard(
    parseConfiguration({ virtualization: level === 2, memoryMiB: 1024, boot: { bios } }),
  );
  const tree = boardDeviceTree(board, true), base = ARENA + INITRD_OFFSET;
  describeBoot(board, tree, {
    append: `console=ttyAMA0 ${QUICK_KERNEL}`,
    initrd: { base, limit: base + initrd.length },
    modules: [],
    conduit: level === 2 ? "smc" : "hvc",
  }, "the device tree");
  return { kernel, initrd, deviceTree: writeDeviceTree(tree) };
}
