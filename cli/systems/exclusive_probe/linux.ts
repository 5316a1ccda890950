/** A program on Debian's unmodified kernel, alone and under a monitor: what it finds at EL0, and what it does not. */
import { elfExecutable } from "../../../firmware/elf.ts";
import { LINUX_OPERATIONS, linuxProbeProgram } from "../../../firmware/exclusive_probe/linux_process.ts";
import { operationName } from "../../../firmware/exclusive_probe/operations.ts";
import { file } from "../../host/guests/file_tree.ts";
import { initramfs } from "../../host/guests/initramfs.ts";
import { QUICK_KERNEL } from "../linux_arguments.ts";
import type { CheckContext, CheckOutcome, Recorded, SystemCheck } from "../scenario.ts";
import { trapLevel } from "./prediction.ts";
import { parseLevel } from "./report.ts";

/** A machine for Debian. */
interface LinuxMachine {
  readonly name: string;
  readonly monitor?: string;
  /** What the program is to find. */
  readonly controls: readonly string[];
}

// deno-fmt-ignore
const MACHINES: readonly LinuxMachine[] = [
  { name: "linux-bare",     controls: [] },
  { name: "linux-tid2",     controls: ["TID2"], monitor: "el2:exclusive-probe,traps=tid3+tid2" },
  { name: "linux-stealthy", controls: [],       monitor: "el2:exclusive-probe,traps=tid3+tid2+tacr+tda,stealth=on" },
];
/** Rounds of each operation: a tick of the kernel's clock may come between some. */
const ROUNDS = 64;

function boot(context: CheckContext, { name, monitor }: LinuxMachine): Promise<Recorded> {
  const executable = elfExecutable(linuxProbeProgram(ROUNDS));
  return context.record({
    name,
    options: [
      ...[
        "-M",
        "virt",
        "-cpu",
        "cortex-a57",
        "-m",
        "256M",
        "-no-reboot",
        "-kernel",
        context.guest("linux-cloud/Image"),
      ],
      ...["-initrd", "probe-initrd.gz", "-append", `console=ttyAMA0 quiet ${QUICK_KERNEL}`],
      ...monitor === undefined ? [] : ["--monitor", monitor],
    ],
    files: { "probe-initrd.gz": initramfs(new Map([["init", file(executable, 0o755)]])) },
    script: ['expect "el0 verdict"'],
  });
}

/** What of a program's report is not as predicted. */
function judged({ console }: Recorded, { name, controls }: LinuxMachine): string[] {
  const { failures, verdict } = parseLevel(console, LINUX_OPERATIONS, 0), found: string[] = [];
  for (const operation of LINUX_OPERATIONS) {
    const failed = failures.get(operationName(operation))!, to = trapLevel(operation, controls);
    if (to !== undefined ? failed === ROUNDS : 2 * failed <= ROUNDS) continue;
    found.push(`${name}: ${operationName(operation)} failed ${failed} of ${ROUNDS} times`);
  }
  const predicted = controls.length > 0 ? "virtualized" : "bare";
  if (verdict !== predicted) found.push(`${name}: the verdict is ${verdict}, and ${predicted} was predicted`);
  return found;
}

async function onLinux(context: CheckContext, machines: readonly LinuxMachine[]): Promise<CheckOutcome> {
  const failures: string[] = [];
  let steps = 0;
  for (const machine of machines) {
    const recorded = await boot(context, machine);
    steps += recorded.end.instant;
    failures.push(...judged(recorded, machine));
    failures.push(...await context.replayOn(recorded, ["threaded", "compiled"]));
  }
  return { failures, figures: { machines: machines.length, steps } };
}

/** The checks. */
export const LINUX_CHECKS: readonly SystemCheck[] = [
  {
    name: "a program on Debian finds at EL0 what a monitor traps, and not what a stealthy one does",
    isLong: true,
    needs: ["linux-cloud"],
    run: (context) => onLinux(context, MACHINES),
  },
];
