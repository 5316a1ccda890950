/** The decision of the A64 code, on every engine and on QEMU: tables that are there stay; none, and the converted ones are put in. */
import {
  ACPI_BOOT_TEXT,
  type AcpiBoot,
  acpiBoot,
  type AcpiBootOptions,
} from "../../../firmware/acpi/boot.ts";
import { efiLoaderOptions } from "../../../firmware/efi/hand_off.ts";
import { EFI_GUID, guidBytes } from "../../../firmware/efi/guid.ts";
import { LOADER_KERNEL_AT } from "../../../firmware/loader/pagefault_boot.ts";
import { assembleProgram } from "../../../machine/a64/program.ts";
import { writeDeviceTree } from "../../../machine/device_tree.ts";
import type { CheckContext, CheckOutcome, RecordRequest } from "../scenario.ts";
import { leftTables } from "./boots.ts";
import { type Kind, kindOptions, kindText, RAM, treeOf } from "./boards.ts";

/** Instead of a kernel: prints what the configuration table has for ACPI 2.0, and powers off by semihosting-free PSCI. */
function kernel(systemTable: number, conduit: "hvc" | "smc"): Uint8Array<ArrayBuffer> {
  const guid = guidBytes(EFI_GUID.ACPI_20), view = new DataView(guid.buffer);
  const text = `
_start: ldr     x26, =0x09000000
        ldr     x9, =${systemTable}
        ldp     x10, x11, [x9, #104]
        and     x11, x11, #0xffff
        add     x11, x11, x9
        ldr     x5, =${view.getBigUint64(0, true)}
        ldr     x6, =${view.getBigUint64(8, true)}
1:      ldp     x13, x14, [x11]
        ldr     x15, [x11, #16]
        cmp     x13, x5
        ccmp    x14, x6, #0, eq
        b.eq    2f
        add     x11, x11, #24
        subs    x10, x10, #1
        b.ne    1b
        mov     x15, #0
2:      mov     x1, #60
3:      lsr     x2, x15, x1
        and     x2, x2, #15
        cmp     x2, #9
        mov     x3, #('a' - 10)
        mov     x4, #'0'
        csel    x3, x3, x4, hi
        add     x2, x2, x3
        strb    w2, [x26]
        subs    x1, x1, #4
        b.pl    3b
        mov     w2, #10
        strb    w2, [x26]
        ldr     x0, =0x84000008
        ${conduit} #0
        b       .
`;
  return assembleProgram([{ name: "acpi_kernel", text }], { base: BigInt(LOADER_KERNEL_AT) }).bytes;
}

/** One state of memory, and what the code must do with it. */
interface Case {
  readonly what: string;
  readonly more?: (kind: Kind) => Partial<AcpiBootOptions>;
  /** Changes bytes of a segment by name. */
  readonly damage?: (segments: ReadonlyMap<string, Uint8Array>) => void;
  readonly says: string;
  /** Which tables the kernel finds; none: it is never entered. */
  readonly finds?: "ours" | "left";
}

const CASES: readonly Case[] = [
  { what: "no tables", says: ACPI_BOOT_TEXT.installed, finds: "ours" },
  {
    what: "tables that firmware left",
    more: (kind) => ({ left: leftTables(kind) }),
    says: ACPI_BOOT_TEXT.kept,
    finds: "left",
  },
  {
    what: "a table that is none: its checksum is wrong",
    more: (kind) => ({ left: leftTables(kind) }),
    damage: (segments) => void (segments.get("acpi_left.bin")![35]! ^= 1),
    says: ACPI_BOOT_TEXT.installed,
    finds: "ours",
  },
  {
    what: "a table that is none: its signature is wrong",
    more: (kind) => ({ left: leftTables(kind) }),
    damage: (segments) => void (segments.get("acpi_left.bin")![0]! ^= 1),
    says: ACPI_BOOT_TEXT.installed,
    finds: "ours",
  },
  {
    what: "another device tree than the one that was converted",
    more: (kind) => {
      const tree = treeOf(kind);
      tree.root.remove(({ name }) => name.startsWith("pl031"));
      return { treeInMemory: writeDeviceTree(tree) };
    },
    says: ACPI_BOOT_TEXT.otherTree,
  },
  {
    what: "no free row in the configuration table",
    // Rows start at 0x300; the second is the free one.
    damage: (segments) => void (segments.get("efi_tables.bin")![0x300 + 24] = 1),
    says: ACPI_BOOT_TEXT.noRoom,
  },
];

function request(kind: Kind, { more, damage }: Case): { boot: AcpiBoot; request: RecordRequest } {
  const boot = acpiBoot({ ram: RAM, deviceTree: treeOf(kind), ...more?.(kind) });
  damage?.(new Map(boot.handOff.segments.map(({ name, bytes }) => [name, bytes])));
  const { options, files } = efiLoaderOptions(boot.handOff);
  const program = kernel(boot.handOff.systemTable, kind.virtualization ? "smc" : "hvc");
  const load = ["-device", `loader,file=kernel.bin,addr=0x${LOADER_KERNEL_AT.toString(16)},force-raw=on`];
  return {
    boot,
    request: {
      options: [...kindOptions(kind), ...options, ...load, "-no-reboot"],
      files: { ...files, "kernel.bin": program },
    },
  };
}

/** What the console must have, whole. */
function expected({ says, finds }: Case, boot: AcpiBoot, kind: Kind): string {
  const address = finds === "ours" ? boot.tables.rsdp : finds === "left" ? leftTables(kind).rsdp : undefined;
  return `${says}\r\n${address === undefined ? "" : `${address.toString(16).padStart(16, "0")}\n`}`;
}

/** Every case on every machine: recorded, replayed on all engines, and the same on QEMU. */
export async function decisions(context: CheckContext, kinds: readonly Kind[]): Promise<CheckOutcome> {
  const failures: string[] = [];
  let runs = 0;
  for (const kind of kinds) {
    for (const one of CASES) {
      const { boot, request: { options, files = {} } } = request(kind, one),
        what = `${kindText(kind)}, ${one.what}`;
      const wanted = expected(one, boot, kind), until = wanted.trimEnd().split("\n").at(-1) as string;
      const stop = one.finds === undefined ? ["--until-console", until] : [];
      const recorded = await context.record({ options: [...options, ...stop], files });
      if (!wanted.startsWith(recorded.console) || !recorded.console.includes(until)) {
        failures.push(`${what}: the console has ${JSON.stringify(recorded.console)}`);
      }
      failures.push(...await context.replayOn(recorded, ["reference", "threaded", "compiled"]));
      runs++;
    }
    context.progress(`decided: ${kindText(kind)}`);
  }
  return { failures, figures: { runs } };
}

/** The same on QEMU. */
export async function decisionsOnQemu(context: CheckContext, kinds: readonly Kind[]): Promise<CheckOutcome> {
  const failures: string[] = [];
  for (const kind of kinds) {
    for (const one of CASES) {
      const { boot, request: { options, files = {} } } = request(kind, one);
      const wanted = expected(one, boot, kind), until = wanted.trimEnd().split("\n").at(-1) as string;
      const { console } = await context.qemu({ options, files, until, seconds: 30 });
      if (!console.startsWith(wanted.trimEnd())) {
        failures.push(`${kindText(kind)}, ${one.what}: QEMU's console has ${JSON.stringify(console)}`);
      }
    }
  }
  return { failures, figures: { runs: kinds.length * CASES.length } };
}
