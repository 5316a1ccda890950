/** Boots of unmodified Debian kernels with the converted tables: CPUs, PCI Express, console, and that they are the tables. */
import { createHash } from "node:crypto";
import { firmwareTablesAt } from "../../../firmware/acpi/boot.ts";
import { convertDeviceTree } from "../../../firmware/acpi/convert.ts";
import { type PlacedTables, placeTables } from "../../../firmware/acpi/table.ts";
import { tableLoaderFiles } from "../../../firmware/acpi/table_loader.ts";
import { QUICK_KERNEL } from "../linux_arguments.ts";
import type { CheckContext, CheckOutcome, Recorded } from "../scenario.ts";
import { type Kind, kindOptions, kindText, type LinuxBoot, linuxBoot, RAM, treeOf } from "./boards.ts";

/** A disk with contents that are known. */
export const DISK: Uint8Array<ArrayBuffer> = Uint8Array.from(
  { length: 0x1_0000 },
  (_, at) => at * 7 + (at >> 8) & 0xff,
);
const md5 = (bytes: Uint8Array): string => createHash("md5").update(bytes).digest("hex");

/** Command line of a kernel that is told of no console. */
export const APPEND = QUICK_KERNEL;

/** Lines of a script that types commands, each ended by a line that only its output has, and powers off. */
export function typed(commands: readonly string[], last: readonly string[] = []): string[] {
  return [
    'expect "hindsight: shell"',
    'expect "# "',
    ...commands.flatMap((command, index) => [
      `send ${JSON.stringify(`${command}; echo end-$((${index}+100))\r`)}`,
      `expect "end-${index + 100}"`,
      'expect "# "',
    ]),
    ...last,
    'send "poweroff -f\\r"',
  ];
}

/** What a guest says of itself. */
const COMMANDS = [
  "cat /proc/cmdline; echo online `cat /sys/devices/system/cpu/online`; echo /sys/firmware/devicetree/base/*",
  "cd /sys/firmware/acpi/tables; md5sum [A-Z]???; cd /",
  "for d in /sys/bus/pci/devices/*; do echo pci `basename $d` `cat $d/class` `readlink $d/driver | sed s,.*/,,`; done",
  "md5sum /dev/vda /dev/nvme0n1; cat /proc/interrupts",
  "dmesg | grep -E 'ACPI.*(Error|Warning|BIOS|Invalid)|WARNING:|SPCR|Total of|psci:|CPU features: kernel'",
];

/** A raw disk with `DISK` on it, as options; each has a file of its own. */
export function diskOptions(context: CheckContext, name: string, device: string): string[] {
  const file = context.file(`${name}.img`);
  Deno.writeFileSync(file, DISK);
  return ["-drive", `file=${file},if=none,id=${name},format=raw`, "-device", `${device},drive=${name}`];
}

/** A disk on NVMe and one on virtio. */
const disks = (context: CheckContext): string[] => [
  ...diskOptions(context, "nvme", "nvme,serial=dt2acpi"),
  ...diskOptions(context, "virtio", "virtio-blk-pci"),
];

/** What a console should say, and does not. */
function missing(console: string, wanted: Readonly<Record<string, string | RegExp>>): string[] {
  const plain = console.replaceAll("\r", "");
  return Object.entries(wanted).flatMap(([what, text]) =>
    (typeof text === "string" ? plain.includes(text) : text.test(plain)) ? [] : [`${what}: no ${text}`]
  );
}

/** The tables' digests as the guest prints them. */
function digests({ tables }: PlacedTables): Record<string, string> {
  const listed = tables.filter(({ signature }) => signature !== "XSDT");
  return Object.fromEntries(
    listed.map(({ signature, bytes }) => [`the table ${signature}`, `${md5(bytes)}  ${signature}`]),
  );
}

/** What must be on the console of a boot. */
function expectations(kind: Kind, tables: PlacedTables): Record<string, string | RegExp> {
  return {
    "the command line": `\n${APPEND}`,
    "CPUs": `online ${kind.cpus === 1 ? "0" : `0-${kind.cpus - 1}`}\n`,
    "no device tree, which Linux forgets under ACPI": "\n/sys/firmware/devicetree/base/*\n",
    "the console of SPCR": "ACPI: SPCR: console: pl011,mmio32,0x9000000",
    "PSCI by FADT": "psci: probing for conduit method from ACPI.",
    "the host bridge": "0x060000",
    "NVMe on PCI Express": /pci 0000:00:0\d\.0 0x010802 nvme\n/,
    "virtio on PCI Express": /pci 0000:00:0\d\.0 0x010000 virtio-pci\n/,
    "the disk on NVMe": `${md5(DISK)}  /dev/nvme0n1`,
    "the disk on virtio": `${md5(DISK)}  /dev/vda`,
    ...digests(tables),
  };
}

/** Lines of a boot that tell of something wrong. */
function complaints(console: string): string[] {
  const after = console.slice(console.lastIndexOf("CPU features: kernel'"));
  return after.split(/\r?\n/).filter((line) =>
    /ACPI.*(Error|Warning|BIOS|Invalid)|WARNING:/.test(line) && line.startsWith("[")
  )
    .map((line) => `the kernel complains: ${line}`);
}

/** Records one boot, and looks at what it says. */
export async function bootOnce(
  context: CheckContext,
  boot: LinuxBoot,
  name: string,
): Promise<{ readonly recorded: Recorded; readonly failures: string[]; readonly tables: PlacedTables }> {
  const { boot: { tables }, request } = linuxBoot(context, boot);
  const recorded = await context.record({ ...request, name, script: typed(COMMANDS), seconds: 1800 });
  const failures = [
    ...missing(recorded.console, expectations(boot.kind, boot.more?.left ?? tables)),
    ...complaints(recorded.console),
    ...(recorded.end.reason === "poweredOff" ? [] : [`it ended by ${recorded.end.reason}`]),
  ];
  return { recorded, failures: failures.map((line) => `${name}: ${line}`), tables };
}

const CLOUD = { kernel: "linux-cloud", initrd: "linux-cloud/initrd.gz" } as const;

/** Debian's kernel for clouds on each machine, by messages and, where `lines` says so, by INTx of _PRT; replayed. */
export async function debian(
  context: CheckContext,
  kinds: readonly Kind[],
  engines: readonly string[],
): Promise<CheckOutcome> {
  const failures: string[] = [], figures: Record<string, number> = {};
  for (const [index, kind] of kinds.entries()) {
    // Every second one without messages: then _PRT tells the interrupts of PCI Express.
    const byPins = index % 2 === 0, append = byPins ? `${APPEND} acpi=force pci=nomsi` : APPEND;
    const name = `debian-${kindText(kind)}`;
    const found = await bootOnce(context, { kind, ...CLOUD, append, options: disks(context) }, name);
    failures.push(
      ...found.failures,
      ...interruptsOfDisks(found.recorded.console, byPins).map((line) => `${name}: ${line}`),
    );
    failures.push(...await context.replayOn(found.recorded, engines));
    figures[kindText(kind)] = found.recorded.end.instant;
    context.progress(`booted: ${kindText(kind)}`);
  }
  return { failures, figures };
}

/** Disks interrupt by the lines of _PRT, SPIs 3 to 6, or by messages. */
function interruptsOfDisks(console: string, byPins: boolean): string[] {
  const lines = console.split(/\r?\n/).filter((line) =>
    /\bnvme0q|virtio\d/.test(line) && /^\s*\d+:/.test(line)
  );
  const byLine = /GICv?\d?-?v?\d?\s+3[5-8] Level/;
  const wrong = lines.filter((line) => byLine.test(line) !== byPins);
  if (lines.length === 0) return ["no disk has an interrupt"];
  return wrong.map((line) =>
    `a disk interrupts ${byPins ? "not by its line" : "by its line"}: ${line.trim()}`
  );
}

/** The same RAM on QEMU: the same tables, CPUs and disks. */
export async function debianOnQemu(context: CheckContext, kinds: readonly Kind[]): Promise<CheckOutcome> {
  const failures: string[] = [];
  for (const kind of kinds) {
    const { boot, request: { options, files = {} } } = linuxBoot(context, {
      kind,
      ...CLOUD,
      append: APPEND,
      options: disks(context),
    });
    const run = await context.qemu({ options, files, script: typed(COMMANDS), seconds: 300 });
    const name = `on QEMU, ${kindText(kind)}`;
    failures.push(...missing(run.console, expectations(kind, boot.tables)).map((line) => `${name}: ${line}`));
    context.progress(`booted on QEMU: ${kindText(kind)}`);
  }
  return { failures, figures: { boots: kinds.length } };
}

/**
 * Unmodified AAVMF with the tables in fw_cfg, where QEMU would have its own: it places them by the script, and starts Linux
 * by its boot stub. The tables but the FADT, whose pointers are EDK2's, reach the kernel byte for byte.
 */
export async function byFirmware(context: CheckContext, kind: Kind): Promise<CheckOutcome> {
  const tree = treeOf(kind);
  tree.root.remove(({ name }) => name.startsWith("pl061") || name === "gpio-keys"); // a machine with firmware has none
  const tables = placeTables(convertDeviceTree(tree).tables, RAM.base);
  const options = [...tableLoaderFiles(tables)].flatMap(([name, bytes]) => {
    const file = context.file(name.replaceAll("/", "-"));
    Deno.writeFileSync(file, bytes);
    return ["-fw_cfg", `name=${name},file=${file}`];
  });
  const bank = (
    unit: number,
    file: string,
  ): string[] => ["-drive", `if=pflash,unit=${unit},format=raw,file=${context.guest(file)}`];
  const linux = [
    "-kernel",
    context.guest("linux-cloud/Image"),
    "-initrd",
    context.guest("linux-cloud/initrd.gz"),
    "-append",
    APPEND,
  ];
  const recorded = await context.record({
    options: [
      ...kindOptions(kind),
      ...bank(0, "edk2/AAVMF_CODE.fd"),
      ...bank(1, "edk2/AAVMF_VARS.fd"),
      ...linux,
      ...options,
      ...disks(context),
      "-no-reboot",
    ],
    name: "aavmf",
    script: typed(COMMANDS),
    seconds: 1800,
  });
  const { "the table FACP": _, ...wanted } = expectations(kind, tables);
  return {
    failures: [...missing(recorded.console, wanted), ...complaints(recorded.console)],
    figures: { instants: recorded.end.instant },
  };
}

/** Tables as firmware leaves them: of a tree without flash, so that the kernel's answers tell them from ours. */
export function leftTables(kind: Kind): PlacedTables {
  const tree = treeOf(kind);
  tree.root.remove(({ name }) => name.startsWith("flash"));
  return placeTables(convertDeviceTree(tree).tables, firmwareTablesAt);
}

/** Debian with tables that firmware left: those, byte for byte, and not the converted ones. */
export async function debianWithLeftTables(context: CheckContext, kind: Kind): Promise<CheckOutcome> {
  const left = leftTables(kind);
  const boot = { kind, ...CLOUD, append: APPEND, options: disks(context), more: { left } };
  const { recorded, failures } = await bootOnce(context, boot, "debian-left");
  return { failures, figures: { instants: recorded.end.instant } };
}
