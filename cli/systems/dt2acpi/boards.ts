/** Machines whose device trees are converted: both interrupt controllers, one CPU to eight, PSCI by HVC and by SMC. */
import { type AcpiBoot, acpiBoot, type AcpiBootOptions } from "../../../firmware/acpi/boot.ts";
import { type Conversion, convertDeviceTree } from "../../../firmware/acpi/convert.ts";
import { type PlacedTables, placeTables } from "../../../firmware/acpi/table.ts";
import { efiLoaderOptions } from "../../../firmware/efi/hand_off.ts";
import { kernelTree, LOADER_INITRD_AT } from "../../../firmware/loader/kernel_boot.ts";
import { LOADER_KERNEL_AT } from "../../../firmware/loader/pagefault_boot.ts";
import { RAM_BASE } from "../../../machine/board.ts";
import { parseConfiguration } from "../../../machine/configuration.ts";
import type { DeviceTree } from "../../../machine/device_tree.ts";
import type { CheckContext, RecordRequest } from "../scenario.ts";

/** A machine. */
export interface Kind {
  /** Version of the GIC; 3 has an ITS unless `its` says otherwise. */
  readonly gic: 2 | 3;
  /** 1 to 8. */
  readonly cpus: number;
  /** There is an EL2: PSCI is called by SMC. */
  readonly virtualization?: boolean;
  /** There is an ITS (default yes, with a GICv3). */
  readonly its?: boolean;
}

/** Those that are told from one another in ACPI. */
export const KINDS: readonly Kind[] = [
  { gic: 2, cpus: 1 },
  { gic: 2, cpus: 2, virtualization: true },
  { gic: 2, cpus: 8 },
  { gic: 3, cpus: 1, virtualization: true },
  { gic: 3, cpus: 2 },
  { gic: 3, cpus: 4, its: false },
  { gic: 3, cpus: 8 },
];

/** RAM of the machines. */
export const RAM = { base: RAM_BASE as number, size: 512 * 2 ** 20 };

/** What a machine is called. */
export function kindText({ gic, cpus, virtualization, its }: Kind): string {
  return `gicv${gic}-${cpus}${virtualization ? "-el2" : ""}${its === false ? "-no-its" : ""}`;
}

/** Options of `hindsight record` and of QEMU for a machine. */
export function kindOptions({ gic, cpus, virtualization, its }: Kind): string[] {
  const more = `${virtualization ? ",virtualization=on" : ""}${its === false ? ",its=off" : ""}`;
  return [
    "-M",
    `virt,gic-version=${gic}${more}`,
    "-cpu",
    "cortex-a57",
    "-smp",
    `${cpus}`,
    "-m",
    `${RAM.size >> 20}M`,
  ];
}

/** A machine's device tree, as a loader gets it. */
export function treeOf(
  { gic, cpus, virtualization = false, its = true }: Kind,
  append = "",
  initrdSize = 4096,
): DeviceTree {
  const configuration = parseConfiguration({
    gicVersion: gic,
    cpus,
    virtualization,
    its,
    memoryMiB: RAM.size / 2 ** 20,
  });
  return kernelTree({ configuration, append, initrd: { base: LOADER_INITRD_AT, size: initrdSize } });
}

/** The tables of a machine, at an address. */
export function tablesOf(kind: Kind): { readonly conversion: Conversion; readonly placed: PlacedTables } {
  const conversion = convertDeviceTree(treeOf(kind));
  return { conversion, placed: placeTables(conversion.tables, RAM.base) };
}

/** What boots on a machine. */
export interface LinuxBoot {
  /** The machine. */
  readonly kind: Kind;
  /** Folder of the kernel's guest. */
  readonly kernel: "linux" | "linux-cloud";
  /** Path of the initramfs among the guests. */
  readonly initrd: string;
  /** The command line. */
  readonly append: string;
  /** More of the boot. */
  readonly more?: Partial<AcpiBootOptions>;
  /** More options of the machine, such as disks. */
  readonly options?: readonly string[];
}

/** The boot of a Linux by ACPI, and the request that records it. */
export function linuxBoot(
  context: CheckContext,
  { kind, kernel, initrd, append, more, options: extra = [] }: LinuxBoot,
): { readonly boot: AcpiBoot; readonly request: RecordRequest } {
  const initrdFile = context.guest(initrd), { size } = Deno.statSync(initrdFile);
  const boot = acpiBoot({ ram: RAM, deviceTree: treeOf(kind, append, size), ...more });
  const { options, files } = efiLoaderOptions(boot.handOff);
  const load = (
    file: string,
    at: number,
  ): string[] => ["-device", `loader,file=${file},addr=0x${at.toString(16)},force-raw=on`];
  return {
    boot,
    request: {
      options: [
        ...kindOptions(kind),
        ...options,
        ...load(context.guest(`${kernel}/Image`), LOADER_KERNEL_AT),
        ...load(initrdFile, LOADER_INITRD_AT),
        ...extra,
        "-no-reboot",
      ],
      files,
    },
  };
}
