/** Debian's unmodified kernel behind the loader: its CPUs come out of mailboxes, by a device tree or ACPI. */
import { acpiBoot } from "../../../firmware/acpi/boot.ts";
import { efiLoaderOptions } from "../../../firmware/efi/hand_off.ts";
import { kernelDeviceTree, LOADER_INITRD_AT } from "../../../firmware/loader/kernel_boot.ts";
import {
  MAILBOX_KERNEL_AT,
  mailboxLoader,
  type MailboxLoaderOptions,
} from "../../../firmware/mp_mailbox/loader.ts";
import type { Program } from "../../../machine/a64/program.ts";
import { parseConfiguration } from "../../../machine/configuration.ts";
import { strings, writeDeviceTree } from "../../../machine/device_tree.ts";
import { parseDeviceTree } from "../../../machine/device_tree_reader.ts";
import { concatenated, cpioArchive, file } from "../../host/guests/file_tree.ts";
import { gzip } from "../../host/guests/initramfs.ts";
import { QUICK_KERNEL } from "../linux_arguments.ts";
import type { CheckContext, CheckOutcome, Recorded } from "../scenario.ts";
import { followHandshakes } from "./handshake.ts";
import { boardOptions, type Kind, kindText, MAILBOX_ROOM, placed } from "./machines.ts";
import { handshakeFailures } from "./small.ts";

const MEGABYTES = 512;

/** Where the loader is when ACPI's tables and the EFI shell are in RAM too. */
const LOADER_AT = 0x4760_0000;

/** The last line of a run: by ACPI nothing turns the power off, since there is no PSCI any more. */
const LAST = { tree: "reboot: Power down", acpi: "reboot: System halted" } as const;

/** How a run differs. */
export interface DebianOptions extends Pick<MailboxLoaderOptions, "mutants"> {
  /** Lines typed at the shell, each after a prompt. */
  readonly lines?: readonly string[];
  /** More of the command line. */
  readonly append?: string;
  /** The guest whose initramfs it is (default linux-cloud). */
  readonly guest?: string;
  /** Files that are put into it. */
  readonly files?: Readonly<Record<string, Uint8Array>>;
  /** The tree names a protocol that nobody knows. */
  readonly isUnknown?: boolean;
}

/** A machine with Debian. */
export interface DebianMachine {
  readonly kind: Kind;
  readonly loader: Program;
  readonly options: readonly string[];
  readonly files: Readonly<Record<string, Uint8Array>>;
  readonly script: readonly string[];
}

/** An initramfs with files added. */
function initramfs(context: CheckContext, { guest = "linux-cloud", files = {} }: DebianOptions): Uint8Array {
  const base = Deno.readFileSync(context.guest(`${guest}/initrd.gz`)), names = Object.keys(files);
  if (names.length === 0) return base;
  return concatenated([
    base,
    gzip(cpioArchive(new Map(names.map((name) => [name, file(files[name]!, 0o644)])))),
  ]);
}

/** What the machine is loaded with by ACPI. */
function acpiParts(kind: Kind, loader: Program, append: string, initrd: Uint8Array) {
  const { gic, level, cpus } = kind;
  const configuration = parseConfiguration({
    gicVersion: gic,
    its: false,
    virtualization: level === 2,
    cpus,
    memoryMiB: MEGABYTES,
  });
  const range = { base: LOADER_INITRD_AT, size: initrd.length };
  const { handOff } = acpiBoot({
    ram: { base: 0x4000_0000, size: MEGABYTES << 20 },
    deviceTree: parseDeviceTree(
      kernelDeviceTree({ configuration, append, initrd: range }),
      "the board's tree",
    ),
    kernel: LOADER_AT,
    reserved: [{
      base: Number(loader.symbols.get("mailboxes")),
      size: MAILBOX_ROOM,
      type: "ReservedMemoryType",
    }],
  });
  const shell = efiLoaderOptions(handOff);
  return {
    options: [...shell.options, ...placed("loader.bin", LOADER_AT), ...placed("initrd", LOADER_INITRD_AT)],
    files: shell.files,
  };
}

/** The board's tree, whose last CPU is enabled by something else. */
function unknownTree({ gic, level, cpus }: Kind): Uint8Array {
  const configuration = parseConfiguration({
    gicVersion: gic,
    virtualization: level === 2,
    cpus,
    memoryMiB: MEGABYTES,
  });
  const blob = kernelDeviceTree({ configuration, append: "", initrd: { base: LOADER_INITRD_AT, size: 0 } });
  const tree = parseDeviceTree(blob, "the board's tree");
  tree.root.child("cpus")!.child(`cpu@${cpus - 1}`)!.set("enable-method", strings("vendor,other"));
  return writeDeviceTree(tree);
}

/** Builds a machine. */
export function debianMachine(context: CheckContext, kind: Kind, more: DebianOptions = {}): DebianMachine {
  const { by, level } = kind, initrd = initramfs(context, more);
  const loader = mailboxLoader({
    level,
    mutants: more.mutants ?? [],
    ...by === "acpi" ? { base: LOADER_AT } : {},
  });
  const append = `console=ttyAMA0 ${QUICK_KERNEL} ${by === "acpi" ? "acpi=force " : ""}${more.append ?? ""}`
    .trim();
  const { options, files } = by === "acpi" ? acpiParts(kind, loader, append, initrd) : {
    options: ["-kernel", "loader.bin", "-initrd", "initrd", "-append", append],
    files: {},
  };
  const tree = more.isUnknown === true ? unknownTree(kind) : undefined;
  const lines = ["dmesg | grep -E 'SMP: Total|started at'", ...more.lines ?? []];
  return {
    kind,
    loader,
    options: [
      ...boardOptions(kind, MEGABYTES),
      ...options,
      ...tree === undefined ? [] : ["-dtb", "tree.dtb"],
      ...placed(context.guest("linux-cloud/Image"), MAILBOX_KERNEL_AT),
    ],
    files: { ...files, initrd, "loader.bin": loader.bytes, ...tree && { "tree.dtb": tree } },
    script: [
      'expect "hindsight: shell"',
      ...lines.flatMap((line) => ['expect "# "', `send ${JSON.stringify(`${line}\r`)}`]),
      'expect "# "',
      'send "poweroff -f\\r"',
    ],
  };
}

/** Records a machine with Debian. */
export function recordDebian(
  context: CheckContext,
  { kind, options, files, script }: DebianMachine,
  name?: string,
): Promise<Recorded> {
  const ending = ["-no-reboot", "--until-console", LAST[kind.by]];
  const request = { options: [...options, ...ending], files, script, ...name === undefined ? {} : { name } };
  return context.record({ ...request, seconds: 300 });
}

/** What Linux says of its CPUs. */
export function linuxFailures(console: string, { cpus, by, level }: Kind): string[] {
  const failures: string[] = [];
  const must = (text: string) => console.includes(text) || failures.push(`Linux does not say "${text}"`);
  const mustNot = (text: string) => console.includes(text) && failures.push(`Linux says "${text}"`);
  must(`SMP: Total of ${cpus} processors activated`);
  must(`CPU: All CPU(s) started at EL${level}`);
  must(by === "acpi" ? "ACPI: APIC 0x" : "psci: Using standard PSCI");
  mustNot("WARNING:");
  mustNot("failed to");
  mustNot("outside the ACPI parking protocol");
  if (by === "acpi") mustNot("psci: PSCIv");
  return failures;
}

/** The fast engine that did not record. */
const otherEngines = ({ engine }: CheckContext): string[] =>
  ["threaded", "compiled"].filter((name) => name !== engine);

/** Debian on machines of these kinds; with `qemu`, there too. */
export async function debian(
  context: CheckContext,
  kinds: readonly Kind[],
  onQemu: boolean,
): Promise<CheckOutcome> {
  const failures: string[] = [], figures: Record<string, number> = {};
  for (const kind of kinds) {
    const name = `debian-${kindText(kind)}`, fail = (text: string) => failures.push(`${name}: ${text}`);
    const machine = debianMachine(context, kind), recorded = await recordDebian(context, machine, name);
    linuxFailures(recorded.console, kind).forEach(fail);
    const { by, cpus } = kind, { loader } = machine;
    const followed = await followHandshakes(
      { ...recorded, loader, by, cpus },
      context.machineOptions(otherEngines(context)[0]),
      () => context.breathe(),
    );
    handshakeFailures(followed, cpus).forEach(fail);
    if (onQemu) {
      const { options, files, script } = machine;
      const qemu = await context.qemu({ options, files, script, until: LAST[by], seconds: 300 });
      linuxFailures(qemu.console, kind).forEach((text) => fail(`on QEMU ${text}`));
    }
    figures[name] = recorded.end.instant;
    context.progress(name);
  }
  return { failures, figures };
}
