/** Machines with two root ports without ECAM: NVMe on the first, and a network card behind a switch on the second. */
import { SEGMENTS_BY_ACPI, segmentsBoot } from "../../../firmware/ecam_segments/boot.ts";
import { efiLoaderOptions } from "../../../firmware/efi/hand_off.ts";
import { kernelTree, LOADER_INITRD_AT } from "../../../firmware/loader/kernel_boot.ts";
import { LOADER_KERNEL_AT } from "../../../firmware/loader/pagefault_boot.ts";
import { buildBoard, RAM_BASE } from "../../../machine/board.ts";
import { parseConfiguration } from "../../../machine/configuration.ts";
import { monitorMemory } from "../../../machine/monitor.ts";
import type { CheckContext, RecordRequest } from "../scenario.ts";

/** A machine. */
export interface SegmentMachine {
  /** Level of the monitor (default 3, which leaves the ITS to the guest). */
  readonly level?: 2 | 3;
  /** Version of the GIC (default 3; with an ITS below a monitor at EL3). */
  readonly gic?: 2 | 3;
  /** 1 to 8 (default 1). */
  readonly cpus?: number;
  /** More options of the system. */
  readonly system?: string;
  /** Other devices than those of `DEVICES`. */
  readonly devices?: readonly string[];
  /** A small guest's: little RAM. */
  readonly small?: boolean;
  /** There is no monitor: root ports as they are. */
  readonly bare?: boolean;
}

/** RAM of Debian's machines and of the small guest's, in MiB. */
const RAM_MIB = 512, SMALL_RAM_MIB = 64;

/** A disk whose bytes are known. */
export const DISK: Uint8Array<ArrayBuffer> = Uint8Array.from(
  { length: 0x1_0000 },
  (_, at) => at * 5 + (at >> 9) & 0xff,
);

/** The devices: `disk` is a file with `DISK`. */
export function usualDevices(disk: string): string[] {
  return [
    ...["-drive", `file=${disk},if=none,id=disk0,format=raw`, "-netdev", "user,id=net0"],
    ...["-device", "nvme,drive=disk0,bus=rootport0,id=nvme0,serial=segments"],
    ...[
      "-device",
      "x3130-upstream,id=up,bus=rootport1",
      "-device",
      "xio3130-downstream,id=down,bus=up,addr=3",
    ],
    ...["-device", "virtio-net-pci,netdev=net0,bus=down,id=card0"],
  ];
}

/** Two disks, one on each port. */
export function twoDisks(context: CheckContext): string[] {
  return [0, 1].flatMap((port) => diskOn(context, `rootport${port}`, port));
}

/** A disk on a bus. */
export function diskOn(context: CheckContext, bus: string, number: number): string[] {
  const file = context.file(`disk${number}.img`);
  Deno.writeFileSync(file, DISK);
  return [
    ...["-drive", `file=${file},if=none,id=d${number},format=raw`],
    ...["-device", `nvme,drive=d${number},bus=${bus},id=nvme${number},serial=${number}`],
  ];
}

/** A switch with three ports on the second root port, disks behind the first and the last; a random number generator on the first. */
export function wideSwitch(context: CheckContext): string[] {
  const ports = [0, 1, 2].flatMap((
    port,
  ) => ["-device", `xio3130-downstream,id=p${port},bus=up,addr=${port + 1}`]);
  return [
    ...["-device", "x3130-upstream,id=up,bus=rootport1"],
    ...ports,
    ...diskOn(context, "p0", 0),
    ...diskOn(context, "p2", 1),
    ...["-device", "virtio-rng-pci,bus=rootport0,id=rng0"],
  ];
}

/** Options of a machine, without what boots. */
export function machineOptions(
  context: CheckContext,
  { level = 3, gic = 3, cpus = 1, system = "", devices, bare = false, small = false }: SegmentMachine,
  more = "",
): string[] {
  const disk = context.file("disk.img"), its = gic === 3 && level === 2 ? ",its=off" : "";
  Deno.writeFileSync(disk, DISK);
  const options = [system, more].filter((text) => text !== "").map((text) => `,${text}`).join("");
  return [
    ...[
      "-M",
      `virt,gic-version=${gic}${its},rootports=2`,
      "-smp",
      `${cpus}`,
      "-m",
      `${small ? SMALL_RAM_MIB : RAM_MIB}M`,
      "-no-reboot",
    ],
    ...(bare ? [] : ["--monitor", `el${level}:ecam-segments${options}`]),
    ...(devices ?? usualDevices(disk)),
  ];
}

/** Debian by device tree, entered directly. */
export function debianByTree(
  context: CheckContext,
  machine: SegmentMachine,
  append: string,
): Pick<RecordRequest, "options" | "files"> {
  return {
    options: [
      ...machineOptions(context, machine),
      ...["-kernel", context.guest("linux-cloud/Image"), "-initrd", context.guest("pci-tools/initrd")],
      ...["-append", append],
    ],
  };
}

/** Debian by ACPI, behind the EFI shell. */
export function debianByAcpi(
  context: CheckContext,
  machine: SegmentMachine,
  append: string,
): Pick<RecordRequest, "options" | "files"> {
  const { level = 3, gic = 3, cpus = 1 } = machine;
  const initrd = context.guest("pci-tools/initrd"), { size } = Deno.statSync(initrd);
  const configuration = parseConfiguration({
    gicVersion: gic,
    its: level === 3,
    cpus,
    memoryMiB: RAM_MIB,
    rootPorts: 2,
    monitors: [{ level, systems: [] }],
  });
  const deviceTree = kernelTree({ configuration, append, initrd: { base: LOADER_INITRD_AT, size } });
  // The end of RAM is the monitor's at EL2.
  const ram = { base: RAM_BASE as number, size: monitorMemory(buildBoard(configuration)).base - RAM_BASE };
  const { options, files } = efiLoaderOptions(segmentsBoot({ ram, deviceTree }));
  const load = (file: string, at: number): string[] => [
    "-device",
    `loader,file=${file},addr=0x${at.toString(16)},force-raw=on`,
  ];
  return {
    options: [
      ...machineOptions(context, machine, SEGMENTS_BY_ACPI),
      ...options,
      ...load(context.guest("linux-cloud/Image"), LOADER_KERNEL_AT),
      ...load(initrd, LOADER_INITRD_AT),
    ],
    files,
  };
}
