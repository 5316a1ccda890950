/** Debian with ACPI tables, by the EFI shell: the shim's host bridge is PNP0A08, with MCFG, _PRT and PNP0C02. */
import { acpiBoot } from "../../../firmware/acpi/boot.ts";
import { efiLoaderOptions } from "../../../firmware/efi/hand_off.ts";
import { kernelTree, LOADER_INITRD_AT } from "../../../firmware/loader/kernel_boot.ts";
import { LOADER_KERNEL_AT } from "../../../firmware/loader/pagefault_boot.ts";
import { parseConfiguration } from "../../../machine/configuration.ts";
import { RAM } from "../dt2acpi/boards.ts";
import { typed } from "../dt2acpi/boots.ts";
import { plainDevice } from "../../qemu_devices.ts";
import type { CheckContext, CheckOutcome } from "../scenario.ts";
import { DISK_COMMANDS, missingOfDisk, SHIM_LINE } from "./linux.ts";

/** The machine's device tree, as the loader gets it. */
function treeOf(append: string, initrdSize: number) {
  const configuration = parseConfiguration({
    memoryMiB: RAM.size / 2 ** 20,
    monitors: [{ level: 3, systems: [{ name: "el3-ecam", options: {} }] }],
    devices: [{ ...plainDevice("nvme-mmio"), drive: "root" }],
  });
  return kernelTree({ configuration, append, initrd: { base: LOADER_INITRD_AT, size: initrdSize } });
}

/** One boot, replayed. */
export async function checkAcpi(context: CheckContext): Promise<CheckOutcome> {
  const initrd = context.guest("pci-tools/initrd"), { size } = Deno.statSync(initrd);
  const append = "panic=-1 acpi=force cryptomgr.notests=1 quiet";
  const { handOff } = acpiBoot({ ram: RAM, deviceTree: treeOf(append, size) }),
    { options, files } = efiLoaderOptions(handOff);
  const load = (
    file: string,
    at: number,
  ): string[] => ["-device", `loader,file=${file},addr=0x${at.toString(16)},force-raw=on`];
  const recorded = await context.record({
    name: "acpi",
    options: [
      ...["-M", "virt", "-m", `${RAM.size >> 20}M`, "-no-reboot", "--monitor", "el3:el3-ecam", ...options],
      ...load(context.guest("linux-cloud/Image"), LOADER_KERNEL_AT),
      ...load(initrd, LOADER_INITRD_AT),
      ...["-drive", `file=${context.guest("root-disk/root.img")},if=none,id=root,format=raw`],
      ...["-device", "nvme-mmio,drive=root,serial=root"],
    ],
    files,
    script: typed([
      ...DISK_COMMANDS,
      "dmesg | grep -E 'ACPI|PNP0A08|ECAM|pci 0001'; echo tree /sys/firmware/devicetree/base/*",
      "cat /sys/bus/acpi/devices/PNP0A08*/path; od -An -tx1 -j44 /sys/firmware/acpi/tables/MCFG",
    ]),
    seconds: 1800,
  });
  const failures = missingOfDisk(context, recorded, "0001", SHIM_LINE),
    plain = recorded.console.replaceAll("\r", "");
  const wanted = [
    "tree /sys/firmware/devicetree/base/*\n", // Linux forgets it under ACPI
    /ECAM area \[mem 0x0d000000-0x0d0fffff\] reserved by PNP0C02/,
    / 00 00 00 0d 00 00 00 00 01 00 00 00/, // MCFG: base, segment 1, buses 0 to 0
    /pci 0001:00:01\.0: BAR 0 \[mem 0x0c000000-0x0c003fff 64bit\]: from Enhanced Allocation/,
  ];
  for (const text of wanted) {
    if (typeof text === "string" ? !plain.includes(text) : !text.test(plain)) {
      failures.push(`the shell did not say ${text}`);
    }
  }
  const complaint = plain.match(/^\[.*ACPI.*(Error|Warning|BIOS|Invalid).*$/m)?.[0];
  if (complaint !== undefined) failures.push(`the kernel complains: ${complaint}`);
  failures.push(...await context.replayOn(recorded, ["threaded", "compiled"]));
  return { failures, figures: { steps: recorded.end.instant } };
}
