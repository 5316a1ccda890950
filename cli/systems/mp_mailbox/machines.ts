/** Machines with the loader of mp-mailbox: by a device tree or ACPI's tables, with either GIC, at EL1 or EL2. */
import { placeTables } from "../../../firmware/acpi/table.ts";
import { efiHandOff, efiLoaderOptions } from "../../../firmware/efi/hand_off.ts";
import { EFI_GUID } from "../../../firmware/efi/guid.ts";
import {
  MAILBOX_KERNEL_AT,
  MAILBOX_TREE_AT,
  mailboxLoader,
  type MailboxLoaderOptions,
} from "../../../firmware/mp_mailbox/loader.ts";
import { MAILBOX_SIZE } from "../../../firmware/mp_mailbox/page.ts";
import { type WakeAction, wakeKernel } from "../../../firmware/mp_mailbox/wake_kernel.ts";
import { cells, DeviceTreeNode, strings } from "../../../machine/device_tree.ts";
import type { Program } from "../../../machine/a64/program.ts";
import { type SmallAcpi, smallAcpi } from "./small_acpi.ts";

/** How CPUs are described, and with that how they wait. */
export type Description = "tree" | "acpi";

/** A machine. */
export interface Kind {
  /** How CPUs are described. */
  readonly by: Description;
  /** Version of the interrupt controller. */
  readonly gic: 2 | 3;
  /** The level that the loader is entered at; with 2, PSCI is called by SMC. */
  readonly level: 1 | 2;
  /** CPUs of the machine. */
  readonly cpus: number;
}

/** A kind in a few letters, for names. */
export const kindText = ({ by, gic, level, cpus }: Kind): string => `${by}-gicv${gic}-el${level}-${cpus}`;

/** Every kind with so many CPUs. */
export const kindsOf = (cpus: number): Kind[] =>
  (["tree", "acpi"] as const).flatMap((by) =>
    ([2, 3] as const).flatMap((gic) => ([1, 2] as const).map((level) => ({ by, gic, level, cpus })))
  );

/** Pages that the loader has room for, as the memory map reserves them. */
export const MAILBOX_ROOM = 16 * MAILBOX_SIZE;

/** A machine with a loader and a wake kernel. */
export interface WakeMachine {
  readonly kind: Kind;
  readonly loader: Program;
  readonly kernel: Program;
  /** Options of `hindsight record` and of QEMU. */
  readonly options: readonly string[];
  /** Files that they name. */
  readonly files: Readonly<Record<string, Uint8Array>>;
}

/** What differs from the plain machine. */
export interface WakeOptions extends Pick<MailboxLoaderOptions, "mutants"> {
  /** What the kernel does; by default it wakes all CPUs in order. */
  readonly actions?: readonly WakeAction[];
  /** CPUs that are to come. */
  readonly coming?: readonly number[];
  /** The tree, in place of the board's; then nothing is entered by `-kernel`. */
  readonly tree?: Uint8Array;
  /** ACPI's tables; by default those of the machine. */
  readonly acpi?: SmallAcpi;
}

/** Writes a mailbox, and wakes. */
export const wake = (cpu: number): WakeAction[] => [{ kind: "write", cpu }, { kind: "wake", cpu }];

/**
 * The machine's own options. There is no ITS: Linux warns of one under UEFI without a table in which it can reserve memory
 * for the kernel after it.
 */
export const boardOptions = ({ gic, level, cpus }: Kind, megabytes: number): string[] => [
  ...[
    "-M",
    `virt,gic-version=${gic}${gic === 3 ? ",its=off" : ""}${level === 2 ? ",virtualization=on" : ""}`,
    "-cpu",
    "cortex-a57",
  ],
  ...["-smp", String(cpus), "-m", `${megabytes}M`],
];

/** `-device loader` of a file. */
export const placed = (file: string, address: number): string[] => [
  "-device",
  `loader,file=${file},addr=0x${address.toString(16)},force-raw=on`,
];

/** Where ACPI's tables and the EFI shell are on a small machine. */
export const TABLES_AT = 0x4040_0000;
const LOADER_AT = 0x4048_0000, SHELL_AT = 0x4050_0000, SMALL_MEGABYTES = 16;

/** The tree of a kernel that has ACPI: no more than it takes to find the tables. */
export function stubTree(append: string): DeviceTreeNode {
  const root = new DeviceTreeNode("");
  root.set("#size-cells", cells(2)).set("#address-cells", cells(2));
  root.add("chosen").set("bootargs", strings(append));
  return root;
}

/** Options and files of the EFI shell with tables, on a small machine. */
function smallShell(loader: Program, acpi: SmallAcpi) {
  const { rsdp, bytes } = acpi.edit?.(placeTables(acpi.tables, TABLES_AT)) ??
    placeTables(acpi.tables, TABLES_AT);
  const mailboxes = Number(loader.symbols.get("mailboxes"));
  const shell = efiLoaderOptions(efiHandOff({
    ram: { base: 0x4000_0000, size: SMALL_MEGABYTES << 20 },
    deviceTree: { root: stubTree("quiet"), reservations: [], bootCpu: 0 },
    configurationTables: [{ guid: EFI_GUID.ACPI_20, address: rsdp }],
    reserved: [
      { base: TABLES_AT, size: Math.ceil(bytes.length / 4096) * 4096, type: "ACPIReclaimMemory" },
      {
        base: mailboxes,
        size: MAILBOX_ROOM,
        type: acpi.isUnreserved === true ? "LoaderData" : "ReservedMemoryType",
      },
    ],
    kernel: LOADER_AT,
    shell: SHELL_AT,
  }));
  return {
    options: [...shell.options, ...placed("loader.bin", LOADER_AT), ...placed("tables.bin", TABLES_AT)],
    files: { ...shell.files, "tables.bin": bytes },
  };
}

/** The board's tree, or one at its own place. */
function ownTree(tree: Uint8Array | undefined) {
  if (tree === undefined) return { options: ["-kernel", "loader.bin"], files: {} };
  const start = ["-device", `loader,file=loader.bin,addr=0x${LOADER_AT.toString(16)},force-raw=on,cpu-num=0`];
  return { options: [...start, ...placed("tree.dtb", MAILBOX_TREE_AT)], files: { "tree.dtb": tree } };
}

/** A small machine with a wake kernel. */
export function wakeMachine(kind: Kind, more: WakeOptions = {}): WakeMachine {
  const { by, gic, level, cpus } = kind, { mutants = [] } = more;
  const loader = mailboxLoader({
    level,
    mutants,
    ...by === "acpi" || more.tree !== undefined ? { base: LOADER_AT } : {},
  });
  const coming = more.coming ?? Array.from({ length: cpus - 1 }, (_, index) => index + 1);
  const kernel = wakeKernel({
    level,
    gic,
    protocol: by === "tree" ? "spin-table" : "parking",
    mailboxes: loader.symbols.get("mailboxes")!,
    cpus: coming,
    actions: more.actions ?? coming.flatMap(wake),
  });
  const { options, files } = by === "tree"
    ? ownTree(more.tree)
    : smallShell(loader, more.acpi ?? smallAcpi(kind));
  return {
    kind,
    loader,
    kernel,
    options: [
      ...boardOptions(kind, SMALL_MEGABYTES),
      ...options,
      ...placed("kernel.bin", MAILBOX_KERNEL_AT),
      "-no-reboot",
    ],
    files: { ...files, "loader.bin": loader.bytes, "kernel.bin": kernel.bytes },
  };
}
