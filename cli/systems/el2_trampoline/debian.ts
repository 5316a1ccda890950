/** Unmodified Debian: over the VMM in A64 and in TypeScript, and as a host that is at EL2 itself. */
import { elfExecutable } from "../../../firmware/elf.ts";
import { kvmHostProgram } from "../../../firmware/exclusive_probe/kvm_host.ts";
import { PROBE_OPERATIONS } from "../../../firmware/exclusive_probe/operations.ts";
import { file } from "../../host/guests/file_tree.ts";
import { initramfs } from "../../host/guests/initramfs.ts";
import { probe } from "../exclusive_probe/machines.ts";
import { parseReport } from "../exclusive_probe/report.ts";
import { QUICK_KERNEL } from "../linux_arguments.ts";
import type { CheckContext, CheckOutcome, Recorded, SystemCheck } from "../scenario.ts";
import { follow } from "./follow.ts";
import { linuxRun, withoutTimes } from "./machines.ts";

/** Ticks of 16 ns between two interrupts of the vmkernel: a few thousand switches in a boot, or more than 100,000. */
const PERIOD = { quick: 80_000, all: 8_000 } as const;
const MANY = 100_000, FEW = 4_000;
const NEEDS = ["linux-cloud"];
/** Most seconds of a recording: other work may be done besides. */
const MOST_SECONDS = 1200;

/** What a boot that went well says. */
function said({ console, end }: Recorded): string[] {
  const wanted = [
    "hypervisor=el2-trampoline",
    "CPU: All CPU(s) started at EL1",
    "\r\n0\r\n",
    "\r\naarch64\r\n",
    "reboot: Power down",
  ];
  const failures = wanted.filter((text) => !console.includes(text)).map((text) =>
    `the console does not have ${JSON.stringify(text)}`
  );
  if (!/vmkernel: .*reason: 0x0000000000000003, interrupts missed: 0x0000000000000000/.test(console)) {
    failures.push("the vmkernel does not say that its guest is off and that it missed no interrupt");
  }
  return end.reason === "poweredOff" ? failures : [...failures, `it ended by ${end.reason}`];
}

/** Boots Debian over a VMM, and looks at its switches in a replay. */
async function boot(
  context: CheckContext,
  vmm: "a64" | "typescript",
  period: number,
  least: number,
  engine: string,
): Promise<
  { readonly recorded: Recorded; readonly failures: string[]; readonly figures: Record<string, number> }
> {
  // More than 100,000 switches take the whole boot.
  const told = period === PERIOD.all ? { told: "panic=-1" } : {};
  const { image, ...request } = linuxRun(context, { vmm, period, ...told });
  const recorded = await context.record({
    ...request,
    name: `debian-${vmm}-${period}`,
    seconds: MOST_SECONDS,
  });
  const { worlds, boundaries, failures } = await follow(context, recorded, image, engine);
  const all = [...said(recorded), ...failures].map((text) => `${vmm}: ${text}`);
  if (worlds.switches < least) all.push(`${vmm}: ${worlds.switches} switches, fewer than ${least}`);
  return {
    recorded,
    failures: all,
    figures: {
      [`${vmm}: switches`]: worlds.switches,
      [`${vmm}: leaked registers`]: worlds.leaks.length,
      [`${vmm}: boundaries of EL2`]: boundaries.counts.trampoline + boundaries.counts.vmm,
      [`${vmm}: boundaries that do not match`]: boundaries.mismatches.length,
      [`${vmm}: steps`]: recorded.end.instant,
    },
  };
}

async function quick(context: CheckContext): Promise<CheckOutcome> {
  const { failures, figures } = await boot(context, "a64", PERIOD.quick, FEW, "compiled");
  return { failures, figures };
}

/** First lines that differ. */
function differences(one: readonly string[], other: readonly string[]): string[] {
  for (let at = 0; at < Math.max(one.length, other.length); at++) {
    if (one[at] === other[at]) continue;
    return [
      `line ${at + 1} is ${JSON.stringify(one[at])} over A64 and ${
        JSON.stringify(other[at])
      } over TypeScript`,
    ];
  }
  return [];
}

async function both(context: CheckContext): Promise<CheckOutcome> {
  const a64 = await boot(context, "a64", PERIOD.all, MANY, "compiled");
  const typescript = await boot(context, "typescript", PERIOD.all, MANY, "compiled");
  const lines = withoutTimes(a64.recorded.console);
  const failures = [
    ...a64.failures,
    ...typescript.failures,
    ...differences(lines, withoutTimes(typescript.recorded.console)),
  ];
  return { failures, figures: { ...a64.figures, ...typescript.figures, "lines compared": lines.length } };
}

async function onQemu(context: CheckContext): Promise<CheckOutcome> {
  const { image: _, ...request } = linuxRun(context, { period: PERIOD.quick });
  const { console } = await context.qemu({ ...request, seconds: 300 });
  const wanted = [
    "hypervisor=el2-trampoline",
    "CPU: All CPU(s) started at EL1",
    "\r\naarch64\r\n",
    "interrupts missed: 0x0000000000000000",
  ];
  return {
    failures: wanted.filter((text) => !console.includes(text)).map((text) =>
      `on QEMU there is no ${JSON.stringify(text)}`
    ),
    figures: { characters: console.length },
  };
}

const ROUNDS = 4;

/** Exceptions from EL1 that came to EL2, by the vectors that were there, in the order of their first. */
function vectorBases({ run }: Recorded): Map<bigint, number> {
  const counts = new Map<bigint, number>();
  for (const event of run.stored({ from: 0, to: Infinity, classes: ["trap"] })) {
    if (event.kind !== "exceptionTaken" || event.to !== 2 || event.from === 2) continue;
    const base = event.vector & ~0x7ffn;
    counts.set(base, (counts.get(base) ?? 0) + 1);
  }
  return counts;
}

/** Linux/KVM without VHE: the same structure in the field, entered at EL2 by the kernel's own vectors. */
async function nvhe(context: CheckContext): Promise<CheckOutcome> {
  const executable = elfExecutable(kvmHostProgram(probe({ rounds: ROUNDS })));
  const recorded = await context.record({
    name: "nvhe",
    options: [
      ...["-M", "virt,virtualization=on", "-cpu", "cortex-a57", "-m", "512M", "-no-reboot"],
      ...["-kernel", context.guest("linux-cloud/Image"), "-initrd", "kvm-initrd.gz"],
      ...["-append", `console=ttyAMA0 ${QUICK_KERNEL} kvm-arm.mode=nvhe`],
    ],
    files: { "kvm-initrd.gz": initramfs(new Map([["init", file(executable, 0o755)]])) },
    script: ['expect "Hyp mode initialized successfully"', 'expect "el0 verdict"'],
  });
  const { rounds, verdicts } = parseReport(recorded.console, PROBE_OPERATIONS);
  const failures = recorded.console.includes("All CPU(s) started at EL2") ? [] : ["the kernel is not at EL2"];
  if (rounds !== ROUNDS || verdicts[1] !== "virtualized") {
    failures.push("the guest of KVM_RUN did not say what it is");
  }
  // The kernel's stub takes HVC_SET_VECTORS and gives way to KVM's vectors, as a trampoline does.
  const bases = [...vectorBases(recorded).values()];
  if (bases.length < 2) failures.push(`EL2 had ${bases.length} sets of vectors, not the stub's and KVM's`);
  failures.push(...await context.replayOn(recorded, ["compiled"]));
  return {
    failures,
    figures: {
      "exceptions to EL2, by its vectors": bases.join(", "),
      "guest of KVM_RUN": verdicts[1],
      steps: recorded.end.instant,
    },
  };
}

/** The checks. */
export const DEBIAN_CHECKS: readonly SystemCheck[] = [
  {
    name: "unmodified Debian boots on the VMM in A64 to a shell, while the vmkernel runs in between",
    needs: NEEDS,
    run: quick,
  },
  {
    name:
      "Debian over more than 100,000 switches leaks no register, and writes the same over the VMM in TypeScript",
    isLong: true,
    needs: NEEDS,
    run: both,
  },
  { name: "the same image with Debian boots on QEMU", isLong: true, needs: NEEDS, run: onQemu },
  {
    name: "Debian at EL2 with kvm-arm.mode=nvhe initializes Hyp mode and runs a guest",
    isLong: true,
    needs: NEEDS,
    run: nvhe,
  },
];
