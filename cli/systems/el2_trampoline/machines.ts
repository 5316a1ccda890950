/** The machines of el2-trampoline's checks: a vmkernel with the small guest, or with Debian's kernel. */
import { guestDeviceTree } from "../../../firmware/el2_trampoline/device_tree.ts";
import { GUEST_BASE, smallGuest } from "../../../firmware/el2_trampoline/guest.ts";
import {
  type TrampolineImage,
  trampolineImage,
  type TrampolineOptions,
} from "../../../firmware/el2_trampoline/image.ts";
import { GUEST_RAM } from "../../../firmware/el2_trampoline/layout.ts";
import { QUICK_KERNEL } from "../linux_arguments.ts";
import type { CheckContext, RecordRequest } from "../scenario.ts";

/** Physical address of the guests' memory. */
const SMALL_MEMORY = 0x4200_0000, LINUX_MEMORY = 0x6000_0000;
const MIB = 2 ** 20;

/** What a run with the small guest is. */
export interface SmallRun extends Partial<TrampolineOptions> {
  /** How often the guest gives way. */
  readonly rounds: number;
  /** Steps between. */
  readonly work?: number;
  /** Options of the machine besides. */
  readonly options?: readonly string[];
  /** An image other than that of the options: a mutant. */
  readonly build?: (options: TrampolineOptions) => TrampolineImage;
}

/** The options of the image of a run. */
export function imageOptions(
  { form, vmm, pauth, period, withoutCalls, planted = true }: SmallRun,
): TrampolineOptions {
  const guest = { memory: SMALL_MEMORY, size: 2 * MIB, entry: GUEST_BASE };
  return {
    guest,
    planted,
    ...(form === undefined ? {} : { form }),
    ...(vmm === undefined ? {} : { vmm }),
    ...(pauth === undefined ? {} : { pauth }),
    ...(period === undefined ? {} : { period }),
    ...(withoutCalls === undefined ? {} : { withoutCalls }),
  };
}

/** A file at an address. */
function loaded(file: string, address: number): string[] {
  return ["-device", `loader,file=${file},addr=0x${address.toString(16)},force-raw=on`];
}

/** Board and CPU; the VMM in TypeScript is a monitor, by the address of its vectors. */
function machineOptions({ vmm, pauth }: Partial<TrampolineOptions>, image: TrampolineImage): string[] {
  const vectors = (image.program.symbols.get("vmm_vectors") as bigint).toString(16);
  return [
    ...["-M", "virt,virtualization=on", "-cpu", pauth === true ? "max" : "cortex-a57"],
    ...(vmm === "typescript" ? ["--monitor", `el2:el2-trampoline,vectors=0x${vectors}`] : []),
  ];
}

/** A run with the small guest, and its image. */
export function smallRun(
  run: SmallRun,
): RecordRequest & { readonly image: TrampolineImage; readonly files: Record<string, Uint8Array> } {
  const options = imageOptions(run), image = (run.build ?? trampolineImage)(options);
  const { rounds, pauth = false, work = 0 } = run;
  const guest = smallGuest({ rounds, pauth, work });
  return {
    image,
    options: [
      ...machineOptions(options, image),
      ...["-m", "128", "-kernel", "trampoline.bin"],
      ...loaded("guest.bin", SMALL_MEMORY + Number(GUEST_BASE) - GUEST_RAM),
      ...run.options ?? [],
    ],
    files: { "trampoline.bin": image.bytes, "guest.bin": guest.bytes },
  };
}

/** Where the guest kernel finds itself, its tree and its initramfs. */
const KERNEL_AT = 0x20_0000, INITRD_AT = 0x800_0000;
/** MiB of the guest. */
const LINUX_MIB = 256;

/** What is typed; interrupt 30 is the vmkernel's, and nothing of it is to be seen. */
const SCRIPT = [
  'expect "hindsight: shell"',
  'expect "# "',
  'send "cat /proc/cmdline; grep -c GIC-0..30 /proc/interrupts; ls /proc/device-tree; uname -m\\r"',
  'expect "aarch64"',
  'expect "# "',
  'send "poweroff -f\\r"',
];

/** A run with Debian's kernel: `period` ticks of 16 ns between two interrupts of the vmkernel. */
export function linuxRun(
  context: CheckContext,
  { vmm = "a64", period, told = QUICK_KERNEL }: {
    readonly vmm?: "a64" | "typescript";
    readonly period: number;
    /** What the kernel is told. */
    readonly told?: string;
  },
): RecordRequest & { readonly image: TrampolineImage; readonly files: Record<string, Uint8Array> } {
  const initrd = context.guest("linux-cloud/initrd.gz"), { size } = Deno.statSync(initrd);
  const options: TrampolineOptions = {
    vmm,
    period,
    guest: {
      memory: LINUX_MEMORY,
      size: LINUX_MIB * MIB,
      entry: BigInt(GUEST_RAM + KERNEL_AT),
      x0: BigInt(GUEST_RAM),
    },
  };
  const image = trampolineImage(options);
  const tree = guestDeviceTree({
    memoryMiB: LINUX_MIB,
    cpuModel: "cortex-a57",
    append: `console=ttyAMA0 ${told} hypervisor=el2-trampoline`,
    initrd: { base: GUEST_RAM + INITRD_AT, size },
  });
  return {
    image,
    options: [
      ...machineOptions(options, image),
      ...["-m", "1G", "-no-reboot", "-kernel", "trampoline.bin"],
      ...loaded("guest.dtb", LINUX_MEMORY),
      ...loaded(context.guest("linux-cloud/Image"), LINUX_MEMORY + KERNEL_AT),
      ...loaded(initrd, LINUX_MEMORY + INITRD_AT),
    ],
    files: { "trampoline.bin": image.bytes, "guest.dtb": tree },
    script: SCRIPT,
  };
}

/** What a guest kernel and its shell said, without the times and the counters that differ from run to run. */
export function withoutTimes(console: string): string[] {
  return console.split(/\r?\n/).map((line) => line.replace(/^\[ *\d+\.\d+\] /, ""))
    .filter((line) => !/^(vmkernel: |rtc-pl031 .*setting system clock)/.test(line))
    .map((line) => line.trimEnd());
}
