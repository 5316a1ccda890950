/** Debian under time-scale with FEAT_ECV: clocks of all CPUs, sleeps, and an hour, in guest time. */
import {
  CLOCK_PROGRAM_BASE,
  CLOCK_PROGRAM_COUNTS,
  CLOCK_PROGRAM_LINE,
  clockProgramSource,
} from "../../../firmware/time_scale/clock_program.ts";
import { elfExecutable } from "../../../firmware/elf.ts";
import { assembleProgram } from "../../../machine/a64/program.ts";
import { concatenated, cpioArchive, file } from "../../host/guests/file_tree.ts";
import { gzip } from "../../host/guests/initramfs.ts";
import type { CheckContext, CheckOutcome, Recorded } from "../scenario.ts";
import { followReads, type Fraction, FREQUENCY, offBy } from "./reads.ts";

const CPUS = 4;
const READS = { quick: 100_000, all: 1_000_000 } as const;
const SLEEPS = 16;
const HOUR = 3600;

/** The guest's initramfs, with the program as /clocks. */
function initramfs(context: CheckContext): Uint8Array {
  const reads = (context.all ? READS.all : READS.quick) / CPUS;
  const source = clockProgramSource({ threads: CPUS, reads, sleeps: SLEEPS });
  const program = elfExecutable(assembleProgram(source, { name: "clocks", base: CLOCK_PROGRAM_BASE }));
  const base = Deno.readFileSync(context.guest("linux-cloud/initrd.gz"));
  return concatenated([base, gzip(cpioArchive(new Map([["clocks", file(program, 0o755)]])))]);
}

function recordLinux(
  context: CheckContext,
  machine: readonly string[],
  script: readonly string[],
): Promise<Recorded> {
  return context.record({
    options: [
      ...["-kernel", context.guest("linux-cloud/Image"), "-initrd", "initrd", "-m", "256M", "-no-reboot"],
      ...["-append", "console=ttyAMA0 panic=-1", "-cpu", "max", ...machine],
    ],
    files: { initrd: initramfs(context) },
    script: [
      ...['expect "hindsight: shell"', 'expect "# "', ...script],
      ...['send "poweroff -f\\r"', 'expect "reboot: Power down"'],
    ],
    depth: "inputs",
    seconds: 3600,
  });
}

/** What the program said, by name. */
function countsOf(console: string): Record<string, number> | undefined {
  const line = console.split("\n").find((text) => text.startsWith(CLOCK_PROGRAM_LINE));
  const numbers = line?.slice(CLOCK_PROGRAM_LINE.length).trim().split(" ").map(Number);
  return numbers && Object.fromEntries(CLOCK_PROGRAM_COUNTS.map((name, at) => [name, numbers[at] ?? -1]));
}

/** 10^6 reads of the clock by the vDSO on four CPUs, in one order; and sleeps. */
export async function clocksOfLinux(context: CheckContext, scale: Fraction): Promise<CheckOutcome> {
  const text = scale.join("/");
  const machine = ["-smp", String(CPUS), "--monitor", `el2:time-scale,scale=${text}`];
  const recorded = await recordLinux(context, machine, [
    'send "/clocks\\r"',
    `expect "${CLOCK_PROGRAM_LINE}"`,
    'expect "# "',
  ]);
  const counts = countsOf(recorded.console);
  if (counts === undefined) return { failures: ["the program said nothing"], figures: {} };
  const failures: string[] = [];
  const wanted = { backwards: 0, early: 0, frequency: FREQUENCY, vdso: 1, sleeps: CPUS * SLEEPS };
  for (const [name, value] of Object.entries(wanted)) {
    if (counts[name] !== value) failures.push(`${name}: ${counts[name]}, not ${value}`);
  }
  const last = new Array<number>(CPUS).fill(0);
  let reads = 0, worst = 0, backwards = 0, before = 0;
  await followReads(context, recorded, (read) => {
    reads++;
    worst = Math.max(worst, Math.abs(offBy(read, scale)));
    if (read.guest < before || read.guest < (last[read.cpu] ?? 0)) backwards++;
    before = last[read.cpu] = read.guest;
  });
  if (worst > 1) failures.push(`a read is ${worst} counts away from its machine's count times ${text}`);
  if (backwards > 0) failures.push(`${backwards} reads of the counter went backwards`);
  return {
    failures,
    figures: {
      "clock_gettime on 4 CPUs": counts.reads ?? 0,
      "of these backwards": counts.backwards ?? 0,
      "sleeps": counts.sleeps ?? 0,
      "of these early": counts.early ?? 0,
      "CNTFRQ_EL0": counts.frequency ?? 0,
      "counter reads trapped": reads,
      "furthest read": `${worst} counts`,
    },
  };
}

/** An hour of the guest's, mostly idle: what its counter lost or gained. */
export async function hourOfLinux(context: CheckContext, scale: Fraction): Promise<CheckOutcome> {
  const machine = ["--monitor", `el2:time-scale,scale=${scale.join("/")}`];
  const recorded = await recordLinux(context, machine, [
    `send "cat /proc/uptime; sleep ${HOUR}; cat /proc/uptime\\r"`,
    ...['expect "\\n"', 'expect "\\n"', 'expect "\\n"', 'expect "# "'],
  ]);
  let first: { machine: number; guest: number } | undefined, last = { machine: 0, guest: 0 };
  await followReads(context, recorded, (read) => {
    first ??= read;
    last = read;
  });
  const machineCounts = last.machine - (first?.machine ?? 0), guestCounts = last.guest - (first?.guest ?? 0);
  const exact = machineCounts * scale[0] / scale[1];
  const drift = Math.abs(guestCounts - exact) / FREQUENCY * 1e6 / (guestCounts / FREQUENCY / HOUR);
  const uptimes = [...recorded.console.matchAll(/^(\d+\.\d\d) \d+\.\d\d\r?$/gm)].map(([, text]) =>
    Number(text)
  );
  const slept = (uptimes[1] ?? 0) - (uptimes[0] ?? 0);
  const failures: string[] = [];
  if (guestCounts < HOUR * FREQUENCY) failures.push(`only ${guestCounts} counts of the guest passed`);
  if (!(drift <= 1)) failures.push(`the guest's counter drifts by ${drift} µs in a guest hour`);
  if (!(slept >= HOUR && slept < HOUR + 1)) failures.push(`the guest says it slept ${slept} s, not ${HOUR}`);
  return {
    failures,
    figures: {
      "drift in a guest hour": `${drift.toFixed(3)} µs`,
      "guest seconds slept by /proc/uptime": slept.toFixed(2),
      "virtual seconds": (recorded.end.virtualTime / 1e9).toFixed(3),
    },
  };
}
