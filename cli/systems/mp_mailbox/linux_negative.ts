/** What Linux does not do with CPUs out of mailboxes, and what it says of a loader that is at fault. */
import type { CheckContext, CheckOutcome } from "../scenario.ts";
import { debianMachine, type DebianOptions, recordDebian } from "./linux.ts";
import { type Kind, kindText } from "./machines.ts";

/** An arm64 Image that `kexec` takes for one. */
function smallImage(): Uint8Array {
  const bytes = new Uint8Array(0x2000), view = new DataView(bytes.buffer);
  view.setBigUint64(16, 0x2000n, true);
  view.setBigUint64(24, 0b1010n, true);
  bytes.set(new TextEncoder().encode("ARM\x64"), 56);
  return bytes;
}

/** Lines typed, with what the console must have said in the end. */
interface Said {
  readonly name: string;
  readonly kind: Kind;
  readonly options: DebianOptions;
  readonly says: readonly RegExp[];
  readonly saysNot?: readonly RegExp[];
}

async function said(context: CheckContext, all: readonly Said[]): Promise<CheckOutcome> {
  const failures: string[] = [], figures: Record<string, number> = {};
  for (const { name, kind, options, says, saysNot = [] } of all) {
    const what = `${name}, ${kindText(kind)}`, file = `${name}-${kindText(kind)}`.replaceAll(/\W+/g, "-");
    const recorded = await recordDebian(context, debianMachine(context, kind, options), file);
    const { console } = recorded;
    failures.push(
      ...says.filter((text) => !text.test(console)).map((text) =>
        `${what}: the console does not say ${text}`
      ),
      ...saysNot.filter((text) => text.test(console)).map((text) => `${what}: the console says ${text}`),
    );
    failures.push(
      ...await context.replayOn(recorded, context.engine === "threaded" ? ["compiled"] : ["threaded"]),
    );
    figures[what] = recorded.end.instant;
  }
  return { failures, figures };
}

const REFUSED_LINES = [
  "for n in 0 1; do echo 0 > /sys/devices/system/cpu/cpu$n/online; echo offline $n $?; done",
  "kexec -c -l /small --append=x; echo load $?",
  "kexec -e; echo execute $?",
  "grep -c ^processor /proc/cpuinfo",
];

/** No CPU goes offline, and nothing is loaded for kexec: these CPUs cannot be taken back. */
export function refusedByLinux(context: CheckContext, kinds: readonly Kind[]): Promise<CheckOutcome> {
  return said(
    context,
    kinds.map((kind) => ({
      name: "refused",
      kind,
      options: { guest: "linux-tools", files: { small: smallImage() }, lines: REFUSED_LINES },
      says: [
        /offline 0 1/,
        /offline 1 1/,
        /Can't kexec: CPUs are stuck in the kernel|kexec_load failed: Device or resource busy/,
        /load (?!0)\d+/,
        /execute (?!0)\d+/,
      ],
      saysNot: [/Starting new kernel/, /Bye!/],
    })),
  );
}

const TWO: Kind = { by: "acpi", gic: 2, level: 1, cpus: 2 };

/** Faults of the loader, as Linux sees them. */
export function faultsSeenByLinux(context: CheckContext): Promise<CheckOutcome> {
  return said(context, [
    {
      name: "keepsAddress",
      kind: TWO,
      options: { mutants: ["keepsAddress"] },
      says: [/WARNING: .* acpi_parking_protocol_cpu_postboot/, /SMP: Total of 2 processors activated/],
    },
    {
      name: "presetsId",
      kind: TWO,
      options: { mutants: ["presetsId"] },
      says: [/CPU1: failed to boot: -6/, /SMP: Total of 1 processors activated/],
    },
  ]);
}

/** A tree with an unknown protocol: Linux gets by with one CPU. */
export function unknownToLinux(context: CheckContext): Promise<CheckOutcome> {
  return said(context, [{
    name: "unknown",
    kind: { by: "tree", gic: 2, level: 1, cpus: 4 },
    options: { isUnknown: true },
    says: [
      /mp-mailbox: one CPU only: a CPU is enabled by an unknown protocol/,
      /Kernel command line: .* nosmp/,
      /SMP: Total of 1 processors activated/,
    ],
  }]);
}
