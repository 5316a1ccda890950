/** The host that a hypervisor is loaded from: Debian at EL2 with the loader and modules in its first root, and what it types. */
import { kexecLoaderExecutable } from "../../../firmware/kexec_hypervisor/loader/program.ts";
import { managementExecutable } from "../../../firmware/kexec_hypervisor/management/program.ts";
import { concatenated, cpioArchive, file, type TreeNode } from "../../host/guests/file_tree.ts";
import { sha256 } from "../../host/guests/store.ts";
import { QUICK_KERNEL } from "../linux_arguments.ts";
import type { CheckContext, ForkRequest, Recorded } from "../scenario.ts";

/** Guests whose files are needed. */
export const NEEDS: readonly string[] = ["linux-cloud", "xen"];

/** What Xen is told, and its first domain's kernel. */
const XEN_ARGUMENTS = "dom0_mem=512M console=dtuart dtuart=/pl011@9000000";
const DOM0_ARGUMENTS = `console=hvc0 ${QUICK_KERNEL}`;
const GUEST_ARGUMENTS = `console=ttyAMA0 quiet ${QUICK_KERNEL}`;

/** The loader's command lines: what follows is put before the mode. */
export const LOAD = {
  xen: `/kexec-hypervisor $* xen /xen "${XEN_ARGUMENTS}" /Image "${DOM0_ARGUMENTS}" /guest.gz\n`,
  esx: `/kexec-hypervisor $* esx /esx "from=kexec" /Image "${GUEST_ARGUMENTS}" /guest.gz\n`,
} as const;

/** Files of the host by their paths in its first root. */
export type HostFiles = ReadonlyMap<string, Uint8Array>;

/** The modules. */
export function moduleFiles(context: CheckContext): HostFiles {
  return new Map([
    ["xen", Deno.readFileSync(context.guest("xen/xen"))],
    ["esx", managementExecutable()],
    ["Image", Deno.readFileSync(context.guest("linux-cloud/Image"))],
    ["guest.gz", Deno.readFileSync(context.guest("linux-cloud/initrd.gz"))],
  ]);
}

/** The lines of `sha256sum` for files. */
export function manifestOf(files: HostFiles): string {
  return [...files].map(([path, bytes]) => `${sha256(bytes)}  /${path}\n`).join("");
}

/** The host's first root: that of a fetched guest behind the loader, the modules and more files. */
export function hostInitrd(
  context: CheckContext,
  more: Readonly<Record<string, TreeNode>> = {},
  base = "linux-cloud/initrd.gz",
): Uint8Array {
  const modules = moduleFiles(context);
  const tree = new Map<string, TreeNode>([
    ["kexec-hypervisor", file(kexecLoaderExecutable(), 0o755)],
    ["manifest", file(manifestOf(modules))],
    ["xen.sh", file(LOAD.xen)],
    ["esx.sh", file(LOAD.esx)],
    ...[...modules].map(([path, bytes]): [string, TreeNode] => [path, file(bytes)]),
    ...Object.entries(more),
  ]);
  return concatenated([cpioArchive(tree), Deno.readFileSync(context.guest(base))]);
}

/** A machine for a host. */
export interface HostMachine {
  /** Options beside the kernel's: `-M`, `-cpu`, `-smp` and devices. */
  readonly options: readonly string[];
  /** More files of the host. */
  readonly files?: Readonly<Record<string, TreeNode>>;
  /** The guest whose first root is the host's; `linux-cloud` by default. */
  readonly base?: string;
  /** More of the host's command line. */
  readonly append?: string;
  /** RAM, 1 GiB by default. */
  readonly memory?: string;
  /** More files of the machine. */
  readonly images?: Readonly<Record<string, Uint8Array>>;
}

/** nVHE and VHE hosts. */
export const EL2: readonly string[] = ["-M", "virt,virtualization=on", "-cpu", "cortex-a57"];
/** See `EL2`. */
export const EL2_VHE: readonly string[] = ["-M", "virt,virtualization=on,gic-version=3", "-cpu", "max"];

/** Options and files of a host, for this machine and for QEMU. */
export function hostRequest(
  context: CheckContext,
  { options, files, base, append = "", memory = "1G", images = {} }: HostMachine,
): { options: string[]; files: Record<string, Uint8Array> } {
  return {
    options: [
      ...["-kernel", context.guest("linux-cloud/Image"), "-initrd", "host.gz", "-m", memory, "-no-reboot"],
      ...["-append", `console=ttyAMA0 quiet ${QUICK_KERNEL} ${append}`.trim(), ...options],
    ],
    files: { "host.gz": hostInitrd(context, files, base), ...images },
  };
}

/** Script lines that wait for a shell's prompt and type a command there. */
export function typed(line: string): string[] {
  return ['expect "# "', `send ${JSON.stringify(`${line}\r`)}`];
}

/** Script lines: the host is up. */
export const UP: readonly string[] = ['expect "hindsight: shell"'];
/** Script lines: Xen's first domain is up, says how many CPUs it has, and powers off. */
export const dom0 = (cpus: number): string[] => [
  ...['expect "Xen version 4.17"', `expect "Brought up ${cpus} CPUs"`, ...UP],
  ...[...typed("nproc"), `expect "\\n${cpus}"`, ...typed("poweroff -f"), 'expect "Hardware Dom0 halted"'],
];
/** Script lines: the management hypervisor's guest is up, and powers off. */
export const managed = (cpus: number, more: readonly string[] = []): string[] => [
  ...['expect "management: guest at EL1"', ...UP],
  ...[...typed("nproc"), `expect "\\n${cpus}"`, ...more, ...typed("poweroff -f"), 'expect "Power down"'],
];

/** Records a host with a script. */
export function recordHost(
  context: CheckContext,
  machine: HostMachine,
  script: readonly string[],
  name?: string,
): Promise<Recorded> {
  return context.record({
    ...hostRequest(context, machine),
    script,
    depth: "traps",
    seconds: 1200,
    ...name === undefined ? {} : { name },
  });
}

/** Another future of a host. */
export function forkHost(context: CheckContext, request: ForkRequest): Promise<Recorded> {
  return context.fork({ seconds: 1200, ...request });
}
