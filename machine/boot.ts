/** What is in memory and registers when the machine comes out of reset, as data, as QEMU's `virt` arranges it. */
import { hex } from "./address.ts";
import { type Board, memoryAt } from "./board.ts";
import { boardDeviceTree } from "./board_device_tree.ts";
import { describeBoot } from "./boot_description.ts";
import { type Boot, type Entry, hasFirmware, planEntry, ramRange } from "./boot_entry.ts";
import {
  type AddressRange,
  type BootImages,
  type BootWrite,
  imageBytes,
  imageName,
  largestGap,
  Placement,
} from "./boot_images.ts";
import { firmwareItems } from "./boot_firmware.ts";
import type { BootConfiguration, LoaderEntry } from "./configuration.ts";
import { writeDeviceTree } from "./device_tree.ts";
import { parseDeviceTree } from "./device_tree_reader.ts";
import { isElf, parseElf } from "./elf.ts";
import type { FwCfgItem } from "./devices/fw_cfg.ts";
import { ConfigurationError } from "./errors.ts";
import { hasMonitor } from "./monitor.ts";
import { SPIN_TABLE_ENTRY, spinTable } from "./spin_table.ts";
import { boardConduit, conduitFrom, type PsciConduit } from "./psci.ts";

/** How a CPU comes out of reset. */
export interface CpuStart {
  /** False when it waits for PSCI CPU_ON. */
  readonly on: boolean;
  /** First instruction. */
  readonly pc: bigint;
  /** Exception level, with its own stack pointer selected and D, A, I and F masked. */
  readonly level: 1 | 2 | 3;
  /** System registers that differ from their reset values, as firmware would have left them. */
  readonly registers: Readonly<Record<string, bigint>>;
}

/** Reset of the machine as data. */
export interface BootPlan {
  /** In order: a later one wins. Put in place by `applyWrites`. */
  readonly writes: readonly BootWrite[];
  /** One for each CPU. */
  readonly cpus: readonly CpuStart[];
  /** How PSCI is called, if it is. */
  readonly conduit: PsciConduit;
  /** The interrupt controller resets as Secure firmware hands it on: all in group 1, priorities and mask at 0x80. */
  readonly resetsNonSecure: boolean;
  /** What fw_cfg serves. */
  readonly firmwareItems: readonly FwCfgItem[];
  /** The largest part of RAM that no image takes, for SYS_HEAPINFO. */
  readonly heap: AddressRange;
}

/** The board's own tree is a blob of this size, which leaves firmware room to edit. */
const DEVICE_TREE_SIZE = 2 ** 20;

/** SCR_EL3 where EL3 exists and the machine starts below it: RES1 bits, NS, RW; and HCE where EL2 exists. */
const SCR_NON_SECURE = 0x431n;
const SCR_HCE = 0x100n;
/** HCR_EL2.RW. */
const HCR_RW = 0x8000_0000n;

/** The board's tree or the user's, with what this boot has to say, as a blob with room to edit. */
function deviceTreeBlob({ board, images }: Boot, entry: Entry, conduit: PsciConduit): Uint8Array {
  const { append, dtb, guestModules: modules } = board.configuration.boot;
  const description = { append, initrd: entry.initrd, modules, conduit };
  if (dtb === undefined) {
    const usesPsci = conduitOf(board) !== "none";
    const tree = boardDeviceTree(board, usesPsci);
    describeBoot(board, tree, description, "the device tree");
    return writeDeviceTree(tree, DEVICE_TREE_SIZE);
  }
  const bytes = imageBytes(images, "dtb", dtb);
  const what = imageName("dtb", dtb);
  const tree = parseDeviceTree(bytes, what);
  describeBoot(board, tree, description, what);
  const room = (bytes.length + 10_000) * 2;
  const needed = writeDeviceTree(tree).length;
  if (needed > room) {
    throw new ConfigurationError(
      `Cannot load ${what}: with what the boot adds it has ${needed} bytes, of ${room} at most`,
    );
  }
  return writeDeviceTree(tree, room);
}

/** The conduit that the board offers; a monitor at EL3 is reached by SMC, unless one at EL2 is nearer. */
function conduitOf({ configuration }: Board): PsciConduit {
  const { secure, virtualization, boot } = configuration;
  const isEl3Nearest = hasMonitor(configuration, 3) && !hasMonitor(configuration, 2);
  return boardConduit(secure, virtualization || isEl3Nearest, hasFirmware(boot));
}

/** How a CPU starts where Secure firmware, if there were any, has handed over: at EL2 if that exists, else at EL1. */
function nonSecureStart(
  { configuration: { secure, virtualization } }: Board,
  pc: bigint,
  on: boolean,
): CpuStart {
  const registers: Record<string, bigint> = {};
  if (secure) registers["SCR_EL3"] = virtualization ? SCR_NON_SECURE | SCR_HCE : SCR_NON_SECURE;
  return { on, pc, level: virtualization ? 2 : 1, registers };
}

/** A kernel is entered in the same state, but that HCR_EL2.RW is set with EL3 and EL2. */
function kernelStart(board: Board, pc: bigint, on: boolean): CpuStart {
  const start = nonSecureStart(board, pc, on);
  const { secure, virtualization } = board.configuration;
  if (!secure || !virtualization) return start;
  return { ...start, registers: { ...start.registers, HCR_EL2: HCR_RW } };
}

/** How a CPU starts that PSCI CPU_ON turns on; its context goes to X0. */
export function cpuOnStart(board: Board, entry: bigint): CpuStart {
  return nonSecureStart(board, entry, true);
}

/** How a CPU starts at the highest level, as after a plain reset. */
function plainStart(board: Board, pc: bigint, on: boolean): CpuStart {
  return { on, pc, level: board.highestLevel, registers: {} };
}

/** Puts a loader's file in place; returns its address or, for ELF, its entry. */
function loadImage({ images, placement }: Boot, entry: LoaderEntry & { kind: "image" }): number {
  const bytes = imageBytes(images, "loader file", entry.image);
  const what = imageName("loader file", entry.image);
  if (!entry.forceRaw && isElf(bytes)) {
    const elf = parseElf(bytes, `${what} (force-raw=on takes it as it is)`);
    for (const { address, bytes, memorySize } of elf.segments) {
      placement.add(what, address, bytes, memorySize - bytes.length);
    }
    return elf.entry;
  }
  placement.add(what, entry.address, bytes);
  return entry.address;
}

/** Bytes of a data loader, in RAM; an image at the same place wins. */
function dataWrite({ board }: Boot, { address, bytes }: LoaderEntry & { kind: "data" }): BootWrite {
  const contents = Uint8Array.from(bytes.match(/../g) ?? [], (digits) => parseInt(digits, 16));
  if (memoryAt(board, address, contents.length)?.kind !== "memory") {
    throw new ConfigurationError(`Cannot load data at ${hex(address)}: there is no RAM`);
  }
  return { what: "loader data", address, bytes: contents, zeros: 0 };
}

/**
 * Bytes in memory order for `-device loader,data=,data-len=,data-be=`, as hexadecimal digits. As in QEMU, the number
 * is laid out in 8 bytes first, and `length` of those are taken from the lowest address. Throws ConfigurationError
 * when the length is not 1–8 or the number has more than 64 bits.
 */
export function loaderData(data: bigint, length: number, bigEndian: boolean): string {
  if (!(Number.isInteger(length) && length >= 1 && length <= 8)) {
    throw new ConfigurationError(`Cannot load data: data-len is ${length}, not between 1 and 8`);
  }
  if (data < 0n || data >= 1n << 64n) {
    throw new ConfigurationError(`Cannot load data: ${data} has more than 64 bits`);
  }
  const bytes = data.toString(16).padStart(16, "0").match(/../g) ?? [];
  return (bigEndian ? bytes : bytes.toReversed()).slice(0, length).join("");
}

/** Puts loaders' files in place and changes where they start CPUs; returns the data to write before all images. */
function applyLoaders(boot: Boot, cpus: CpuStart[]): BootWrite[] {
  const data: BootWrite[] = [];
  for (const entry of boot.board.configuration.boot.loaders) {
    if (entry.kind === "data") {
      data.push(dataWrite(boot, entry));
      continue;
    }
    const pc = entry.kind === "image" ? loadImage(boot, entry) : entry.address;
    if (entry.cpu === undefined) continue;
    const cpu = cpus[entry.cpu];
    if (cpu === undefined) {
      throw new ConfigurationError(
        `Cannot start cpu-num=${entry.cpu}: there is no such CPU with -smp ${cpus.length}`,
      );
    }
    cpus[entry.cpu] = plainStart(boot.board, BigInt(pc), cpu.on);
  }
  return data;
}

/** Puts what a hypervisor starts in place. */
function placeModules({ board, images, placement }: Boot): void {
  for (const { kind, address, image } of board.configuration.boot.guestModules) {
    const what = `guest ${kind}`;
    placement.add(imageName(what, image), address, imageBytes(images, what, image));
  }
}

function refuseWithoutKernel({ kernel, initrd, append }: BootConfiguration): void {
  if (kernel !== undefined) return;
  if (append !== undefined) throw new ConfigurationError("Cannot use -append without -kernel");
  if (initrd !== undefined) throw new ConfigurationError("Cannot use -initrd without -kernel");
}

/** Other CPUs wait in RAM for a kernel that knows of them. */
function placeSpinTable({ board, placement }: Boot, { direct }: Entry): void {
  if (!direct) {
    throw new ConfigurationError(
      "Cannot use --enable-method spin-table: it is for a -kernel that is no ELF file",
    );
  }
  placement.add("spin table", SPIN_TABLE_ENTRY, spinTable(board.configuration.cpus));
}

/**
 * Plans the reset of a board; throws ConfigurationError when an image is missing, empty, cut, packed or does not fit,
 * when two overlap, or when options contradict each other.
 */
export function planBoot(board: Board, images: BootImages): BootPlan {
  const { secure, cpus: count, enableMethod, boot: options } = board.configuration;
  refuseWithoutKernel(options);
  const boot = { board, images, placement: new Placement(board) };
  const entry = planEntry(boot);
  const start = entry.direct ? kernelStart : plainStart;
  const conduit = conduitFrom(conduitOf(board), start(board, 0n, true).level);
  const isSpinning = enableMethod === "spin-table";
  if (isSpinning) placeSpinTable(boot, entry);
  const cpus = Array.from({ length: count }, (_, index) => {
    const pc = isSpinning && index > 0 ? SPIN_TABLE_ENTRY : entry.pc;
    return start(board, BigInt(pc), index === 0 || isSpinning || conduit === "none");
  });
  const data = applyLoaders(boot, cpus);
  placeModules(boot);
  const tree = deviceTreeBlob(boot, entry, conduit);
  if (entry.deviceTreeAt !== undefined && tree.length <= entry.deviceTreeLimit) {
    boot.placement.add("device tree", entry.deviceTreeAt, tree);
  }
  return {
    writes: [...data, ...boot.placement.writes],
    cpus,
    conduit,
    resetsNonSecure: secure && entry.direct,
    firmwareItems: firmwareItems(boot),
    heap: largestGap(boot.placement.writes, ramRange(board)),
  };
}
