/** tee-migration's check of an enclave beside Debian: CPU 1 runs it, CPU 0 is Debian's, which cannot look into it. */
import { besideKernel, enclaveHost } from "../../../firmware/tee_migration/enclave_host.ts";
import { programImage, TICKER_SOURCE } from "../../../firmware/tee_migration/enclave_programs.ts";
import type { CheckContext, CheckOutcome } from "../scenario.ts";
import { TICKER_WRITES } from "./enclave_alone.ts";

/** Where CPU 1's code and Debian are: the last 16 MiB of RAM are not Debian's. */
const HOST = 0x4f00_0000n, KERNEL = 0x4200_0000n;
/** Counts between two letters of a program that is still at work when Debian has booted. */
const PERIOD = 12_500_000;

/** What Debian's root tries, and what it is told. */
const TRIES: readonly (readonly [command: string, answer: string])[] = [
  ["devmem 0x0e000000 32", "Bus error"],
  ["devmem 0x0e200000 64", "Bus error"],
  ["devmem 0x0e210100 64 0", "Bus error"],
  // A device that nobody keeps from it: the signature of fw_cfg.
  ["devmem 0x09020000 32", "0x554D4551"],
];

/** An enclave works while Debian boots and tries to look into it; a migration to nobody is given up meanwhile. */
export async function besideDebian(context: CheckContext): Promise<CheckOutcome> {
  const program = programImage(TICKER_SOURCE.replace("PERIOD, 12500", `PERIOD, ${PERIOD}`));
  const recorded = await context.record({
    options: [
      ...["-M", "virt,secure-ram=on", "-smp", "2", "-m", "256M", "-kernel", "loader", "-no-reboot"],
      ...["-initrd", context.guest("linux-cloud/initrd.gz")],
      ...["-append", "console=ttyAMA0 panic=-1 cryptomgr.notests=1 maxcpus=1 mem=240M"],
      ...[
        "-device",
        `loader,file=${context.guest("linux-cloud/Image")},addr=0x${KERNEL.toString(16)},force-raw=on`,
      ],
      ...["-device", `loader,file=host,addr=0x${HOST.toString(16)},force-raw=on`],
      ...["--monitor", "el3:tee-migration,role=source,cluster=a-cluster-key,timeout=5"],
    ],
    files: {
      loader: besideKernel(HOST, KERNEL),
      host: enclaveHost(program, { base: HOST, isBuffered: true }),
    },
    script: [
      'expect "# "',
      "monitor el3 tee-migration migrate",
      ...TRIES.flatMap(([command, answer]) => [`send "${command}\\r"`, `expect "${answer}"`]),
      'expect "."',
      'send "poweroff -f\\r"',
    ],
    seconds: 900,
  });
  const failures: string[] = [], shown = /<([a-z]{26}[0-9a-f]{16}\.)/.exec(recorded.console)?.[1];
  if (shown !== TICKER_WRITES) failures.push(`the enclave showed ${JSON.stringify(shown)}`);
  failures.push(
    ...await context.replayOn(recorded, context.engine === "compiled" ? ["threaded"] : ["compiled"]),
  );
  return { failures, figures: { tries: TRIES.length, "bytes of console": recorded.console.length } };
}
