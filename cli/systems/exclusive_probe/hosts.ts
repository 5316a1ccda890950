/** Real hypervisors, unmodified: the probe in a guest of Debian's KVM and as the first domain of Xen. */
import { elfExecutable } from "../../../firmware/elf.ts";
import { kvmHostProgram } from "../../../firmware/exclusive_probe/kvm_host.ts";
import { operationName, PROBE_OPERATIONS } from "../../../firmware/exclusive_probe/operations.ts";
import { EL0_ALIAS } from "../../../firmware/exclusive_probe/bare.ts";
import { PROBE_BASE, type ProbeOptions } from "../../../firmware/exclusive_probe/probe.ts";
import { file } from "../../host/guests/file_tree.ts";
import { initramfs } from "../../host/guests/initramfs.ts";
import { QUICK_KERNEL } from "../linux_arguments.ts";
import type { CheckContext, CheckOutcome, Recorded, SystemCheck } from "../scenario.ts";
import { probe } from "./machines.ts";
import { mismatches, trapLevel } from "./prediction.ts";
import { parseReport } from "./report.ts";

/** Traps that both set for every guest: HCR_GUEST_FLAGS of Linux 6.1, get_default_hcr_flags of Xen 4.17, and MDCR_EL2. */
const CONTROLS = ["TID3", "TACR", "TDA"];
const ENGINES = ["threaded", "compiled"];
const EL2 = ["-M", "virt,virtualization=on", "-cpu", "cortex-a57", "-no-reboot"];
/** The same with FEAT_VHE, where Linux runs at EL2 itself, and the other interrupt controller. */
const VHE = ["-M", "virt,virtualization=on,gic-version=3", "-cpu", "max", "-no-reboot"];
/** ESR_ELx.EC of a trapped MSR or MRS. */
const EC_TRAPPED = 0x18n;

/** How often each operation of the guest trapped to EL2, by the journal's stored traps. */
function storedTraps({ run }: Recorded, guest: ProbeOptions, offset: bigint): Map<string, number> {
  const { symbols } = probe(guest), at = new Map<bigint, string>();
  for (const [index, operation] of PROBE_OPERATIONS.entries()) {
    const address = symbols.get(`operation${index}`)! + offset;
    at.set(address + (operation.level === 0 ? EL0_ALIAS : 0n), operationName(operation));
  }
  const counts = new Map<string, number>();
  for (const event of run.stored({ from: 0, to: Infinity, classes: ["trap"] })) {
    if (event.kind !== "exceptionTaken" || event.to !== 2 || event.syndrome >> 26n !== EC_TRAPPED) continue;
    const name = at.get(event.returnAddress);
    if (name !== undefined) counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}

/** Compares what the probe said with the prediction, and with the traps in the journal. */
async function judge(
  context: CheckContext,
  recorded: Recorded,
  guest: ProbeOptions,
  offset: bigint,
): Promise<CheckOutcome> {
  const report = parseReport(recorded.console, PROBE_OPERATIONS);
  const failures = mismatches(report, PROBE_OPERATIONS, CONTROLS),
    traps = storedTraps(recorded, guest, offset);
  for (const operation of PROBE_OPERATIONS) {
    const name = operationName(operation),
      expected = trapLevel(operation, CONTROLS) === 2 ? report.rounds : 0;
    const counted = traps.get(name) ?? 0;
    if (counted !== expected) {
      failures.push(`${name}: the journal has ${counted} traps to EL2, not ${expected}`);
    }
  }
  failures.push(...await context.replayOn(recorded, ENGINES));
  const trapped = [...traps.values()].reduce((sum, count) => sum + count, 0);
  const { verdicts } = report;
  return {
    failures,
    figures: {
      el1: verdicts[1],
      el0: verdicts[0],
      trapped,
      steps: recorded.end.instant,
      journal: recorded.bytes,
    },
  };
}

async function inKvm(
  context: CheckContext,
  name: string,
  machine: readonly string[],
  banner: string,
): Promise<CheckOutcome> {
  const guest = { rounds: 16 }, executable = elfExecutable(kvmHostProgram(probe(guest)));
  const recorded = await context.record({
    name,
    options: [
      ...[
        ...machine,
        "-m",
        "512M",
        "-kernel",
        context.guest("linux-cloud/Image"),
        "-initrd",
        "kvm-initrd.gz",
      ],
      ...["-append", `console=ttyAMA0 ${QUICK_KERNEL}`],
    ],
    files: { "kvm-initrd.gz": initramfs(new Map([["init", file(executable, 0o755)]])) },
    script: [`expect "${banner}"`, 'expect "el0 verdict"'],
  });
  return await judge(context, recorded, guest, 0n);
}

/** Where Xen says it puts its first domain's kernel. */
function loadedAt(console: string): bigint {
  const found = /Loading zImage from [0-9a-f]+ to ([0-9a-f]+)-/.exec(console)?.[1];
  return BigInt(`0x${found ?? "0"}`);
}

async function inXen(context: CheckContext): Promise<CheckOutcome> {
  const guest = { rounds: 16, console: "xen" } as const;
  const recorded = await context.record({
    name: "xen",
    options: [
      ...[...EL2, "-m", "1G", "-kernel", context.guest("xen/xen")],
      ...["-append", "dom0_mem=256M console=dtuart dtuart=/pl011@9000000"],
      ...["-device", "guest-loader,addr=0x49000000,kernel=probe.bin,bootargs=probe"],
    ],
    files: { "probe.bin": probe(guest).bytes },
    script: ['expect "Xen version 4.17"', 'expect "el0 verdict"', 'expect "Hardware Dom0 halted"'],
  });
  return await judge(context, recorded, guest, loadedAt(recorded.console) - PROBE_BASE);
}

/** The checks. */
export const HOST_CHECKS: readonly SystemCheck[] = [
  {
    name: "in a guest of Debian's unmodified KVM the probe finds its traps",
    needs: ["linux-cloud"],
    run: (context) => inKvm(context, "kvm", EL2, "Hyp mode initialized successfully"),
  },
  {
    name: "in a guest of the same KVM with VHE the probe finds its traps",
    isLong: true,
    needs: ["linux-cloud"],
    run: (context) => inKvm(context, "kvm-vhe", VHE, "VHE mode initialized successfully"),
  },
  {
    name: "as the first domain of unmodified Xen 4.17 the probe finds its traps",
    needs: ["xen"],
    run: inXen,
  },
];
