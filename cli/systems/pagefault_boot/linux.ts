/** Loaders that go on to a Debian shell: unmodified Image and initramfs, entered as booting.rst says. */
import { kernelDeviceTree, LOADER_INITRD_AT } from "../../../firmware/loader/kernel_boot.ts";
import { LOADER_DEVICE_TREE_AT, LOADER_KERNEL_AT } from "../../../firmware/loader/pagefault_boot.ts";
import { parseConfiguration } from "../../../machine/configuration.ts";
import { QUICK_KERNEL } from "../linux_arguments.ts";
import type { CheckContext, CheckOutcome, RecordRequest } from "../scenario.ts";
import { abortFailures } from "./crossing.ts";
import { buildLoader, type Kind, kindText, loaded, type Loader, loaderRun, RAM } from "./loaders.ts";
import { recordedExceptions } from "./recorded.ts";

/** Where the loader is: in RAM that the kernel takes later, or at EL3 leaves alone. */
const MA = 0x5567_0000;

/** What is typed. */
const SCRIPT = [
  'expect "hindsight: shell"',
  'expect "# "',
  'send "cat /proc/cmdline; dmesg | grep -c CPU:; uname -m\\r"',
  'expect "aarch64"',
  'expect "# "',
  'send "poweroff -f\\r"',
];

/** What the kernel says of the level that it was entered at. */
const ENTERED = { 1: "CPU: All CPU(s) started at EL1", 2: "CPU: All CPU(s) started at EL2" } as const;

/** A machine with a loader, a kernel, its device tree and initramfs in RAM. */
function linuxRun(context: CheckContext, loader: Loader): RecordRequest {
  const { level } = loader, initrd = context.guest("linux-cloud/initrd.gz"), { size } = Deno.statSync(initrd);
  const configuration = parseConfiguration({
    secure: level === 3,
    virtualization: level >= 2,
    memoryMiB: RAM.size / 2 ** 20,
  });
  const tree = kernelDeviceTree({
    configuration,
    append: `console=ttyAMA0 ${QUICK_KERNEL} loader=pagefault-boot`,
    initrd: { base: LOADER_INITRD_AT, size },
    ...(level === 3 ? { reserved: { base: MA, size: loader.program.size } } : {}),
  });
  const { options, files } = loaderRun(loader, MA, [
    ...loaded(context.guest("linux-cloud/Image"), LOADER_KERNEL_AT),
    ...loaded("tree.dtb", LOADER_DEVICE_TREE_AT),
    ...loaded(initrd, LOADER_INITRD_AT),
  ]);
  return { options: [...options, "-no-reboot"], files: { ...files, "tree.dtb": tree }, script: SCRIPT };
}

/** Boots Debian by a loader of each kind; replays it on `engines`. */
export async function debian(
  context: CheckContext,
  kinds: readonly Kind[],
  engines: readonly string[],
): Promise<CheckOutcome> {
  const failures: string[] = [], figures: Record<string, number> = {};
  for (const kind of kinds) {
    const loader = buildLoader(kind), what = kindText(kind);
    const name = `debian-el${kind.level}-${kind.granule.toLowerCase()}`;
    const recorded = await context.record({ ...linuxRun(context, loader), name });
    const entered = ENTERED[kind.level === 1 ? 1 : 2];
    if (!recorded.console.includes(entered)) failures.push(`${what}: the kernel does not say "${entered}"`);
    if (!recorded.console.includes("loader=pagefault-boot")) {
      failures.push(`${what}: not with the loader's device tree`);
    }
    if (recorded.end.reason !== "poweredOff") failures.push(`${what}: ended by ${recorded.end.reason}`);
    // What comes after is the kernel's business: the loader's own exceptions are those at its own level in its image.
    const own = recordedExceptions(recorded).slice(0, 1);
    failures.push(...abortFailures(loader, MA, "MSR", own));
    failures.push(...await context.replayOn(recorded, engines));
    figures[what] = recorded.end.instant;
  }
  return { failures, figures };
}

/** The same bytes on QEMU, to the same shell. */
export async function debianOnQemu(context: CheckContext, kinds: readonly Kind[]): Promise<CheckOutcome> {
  const failures: string[] = [];
  for (const kind of kinds) {
    const { options, files = {}, script = [] } = linuxRun(context, buildLoader(kind));
    const { console } = await context.qemu({ options, files, script, seconds: 300 });
    const entered = ENTERED[kind.level === 1 ? 1 : 2];
    if (!console.includes(entered)) {
      failures.push(`${kindText(kind)}: on QEMU the kernel does not say "${entered}"`);
    }
    context.progress(`booted on QEMU: ${kindText(kind)}`);
  }
  return { failures, figures: { boots: kinds.length } };
}
