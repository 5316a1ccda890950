/** The inverse: a machine with mailboxes gets PSCI by a shim at EL2; and the round trip from PSCI to mailboxes and back. */
import { mailboxLoader } from "../../../firmware/mp_mailbox/loader.ts";
import { PSCI_SHIM_AT, psciShim, SHIM_KERNEL_AT } from "../../../firmware/mp_mailbox/psci_shim.ts";
import type { ShimMutant } from "../../../firmware/mp_mailbox/psci_answers_text.ts";
import { FUNCTION } from "../../../machine/psci.ts";
import { eventStream } from "../../../journal/event_stream.ts";
import { QUICK_KERNEL } from "../linux_arguments.ts";
import type { CheckContext, CheckOutcome, Recorded, RecordRequest } from "../scenario.ts";
import { boardOptions, placed } from "./machines.ts";

const CPUS = 3;

/** Whose mailboxes the CPUs wait at: the board's own spin-table, or those of the loader before the shim. */
export type Below = "board" | "loader";

const LINES = [
  "dmesg | grep -E 'SMP: Total|psci: PSCI'",
  "cd /sys/devices/system/cpu; echo 0 > cpu1/online; echo now $(cat online)",
  "echo 1 > cpu1/online; echo then $(cat online)",
  "echo 0 > cpu0/online; echo last $(cat online)",
];

/** What Linux must say. */
const SAYS: readonly RegExp[] = [
  /psci-shim: PSCI by HVC/,
  /psci: PSCIv1\.0 detected in firmware/,
  /SMP: Total of 3 processors activated/,
  /CPU: All CPU\(s\) started at EL1/,
  /psci: CPU1 killed/,
  /now 0,2/,
  /then 0-2/,
  /last 1-2/,
  /reboot: Power down/,
];

/** A machine with the shim. */
export function shimMachine(context: CheckContext, below: Below, mutant?: ShimMutant): RecordRequest {
  const first = below === "loader"
    ? ["-kernel", "loader.bin", ...placed("shim.bin", PSCI_SHIM_AT)]
    : ["-kernel", "shim.bin", "--enable-method", "spin-table"];
  return {
    options: [
      ...boardOptions({ by: "tree", gic: 2, level: 2, cpus: CPUS }, 512),
      ...first,
      ...["-initrd", context.guest("linux-cloud/initrd.gz"), "-append", `console=ttyAMA0 ${QUICK_KERNEL}`],
      ...placed(context.guest("linux-cloud/Image"), SHIM_KERNEL_AT),
      "-no-reboot",
    ],
    files: {
      "shim.bin": psciShim(mutant).bytes,
      ...below === "loader" ? { "loader.bin": mailboxLoader({ level: 2 }).bytes } : {},
    },
    script: [
      'expect "hindsight: shell"',
      ...LINES.flatMap((line) => ['expect "# "', `send ${JSON.stringify(`${line}\r`)}`]),
      'expect "# "',
      'send "poweroff -f\\r"',
    ],
    seconds: 300,
  };
}

/** CPU_ON calls to the firmware below the shim: by SMC, and none but the loader's. */
function callsBelow({ run, images }: Recorded): number {
  let calls = 0;
  for (const event of eventStream(run, images, { classes: ["trap"] })) {
    if (event.kind === "firmwareCalled" && event.function === FUNCTION.CPU_ON_64) calls++;
  }
  return calls;
}

/** Debian with PSCI that is made of mailboxes: CPUs come, go and come back; the same on QEMU where it has such mailboxes. */
export async function shimmed(context: CheckContext, belows: readonly Below[]): Promise<CheckOutcome> {
  const failures: string[] = [], figures: Record<string, number> = {};
  for (const below of belows) {
    const fail = (text: string) => failures.push(`${below}: ${text}`), machine = shimMachine(context, below);
    const recorded = await context.record({ ...machine, name: `shim-${below}` });
    for (const text of SAYS) if (!text.test(recorded.console)) fail(`the console does not say ${text}`);
    const calls = callsBelow(recorded), expected = below === "loader" ? CPUS - 1 : 0;
    if (calls !== expected) fail(`${calls} CPU_ON below the shim, not ${expected}`);
    (await context.replayOn(recorded, context.engine === "threaded" ? ["compiled"] : ["threaded"])).forEach(
      fail,
    );
    if (below === "loader") {
      const { options, files = {}, script = [] } = machine;
      const qemu = await context.qemu({ options, files, script, seconds: 300 });
      for (const text of SAYS) if (!text.test(qemu.console)) fail(`on QEMU the console does not say ${text}`);
    }
    figures[below] = recorded.end.instant;
  }
  return { failures, figures };
}

/** A shim at fault: its CPUs do not come. */
export async function shimAtFault(context: CheckContext): Promise<CheckOutcome> {
  const { script: _, ...machine } = shimMachine(context, "board", "releasesNobody");
  const recorded = await context.record({
    ...machine,
    options: [...machine.options, "--until-console", "SMP: Total of 1 processors"],
  });
  const isSeen = /CPU1: failed to come online/.test(recorded.console);
  return {
    failures: isSeen ? [] : ["Linux does not say that CPU 1 failed to come online"],
    figures: { steps: recorded.end.instant },
  };
}
