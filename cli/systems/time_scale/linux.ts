/** Debian under time-scale with FEAT_ECV: clocks of all CPUs, sleeps, and an hour, in guest time. */
import {
  CLOCK_PROGRAM_BASE,
  CLOCK_PROGRAM_COUNTS,
  CLOCK_PROGRAM_LINE,
  clockProgramSource,
} from "../../../firmware/time_scale/clock_program.ts";
import { elfExecutable } from "../../../firmware/elf.ts";
import { VirtualTime } from "../../../hypervisor/systems/time_scale/virtual_time.ts";
import { assembleProgram } from "../../../machine/a64/program.ts";
import { concatenated, cpioArchive, file } from "../../host/guests/file_tree.ts";
import { gzip } from "../../host/guests/initramfs.ts";
import { QUICK_KERNEL } from "../linux_arguments.ts";
import type { CheckContext, CheckOutcome, Recorded } from "../scenario.ts";
import { type CounterRead, followReads, type Fraction, FREQUENCY } from "./reads.ts";

const CPUS = 4;
const READS = { quick: 4_000, all: 1_000_000 } as const;
const SLEEPS = 16;
/** Seconds of an hour, and of the part of it that the quick set waits for. */
const HOUR = 3600, MINUTE = 60;

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
      ...["-append", `console=ttyAMA0 ${QUICK_KERNEL}`, "-cpu", "max,pauth-impdef=on", ...machine],
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

/** What went by of both times, from the first read to the last. */
interface Passed {
  first?: CounterRead;
  last?: CounterRead;
  reads: number;
  /** Most that a read was away from what the machine's count makes of it. */
  worst: number;
  /** Reads that were less than one before, of any CPU. */
  backwards: number;
}

async function passedTime(context: CheckContext, recorded: Recorded, time: VirtualTime): Promise<Passed> {
  const passed: Passed = { reads: 0, worst: 0, backwards: 0 };
  await followReads(context, recorded, (read) => {
    passed.first ??= read;
    if (read.guest < (passed.last?.guest ?? 0)) passed.backwards++;
    passed.last = read;
    passed.reads++;
    passed.worst = Math.max(passed.worst, Math.abs(read.guest - Number(time.at(BigInt(read.machine)))));
  });
  return passed;
}

function clockFailures(counts: Record<string, number>): string[] {
  const wanted = { backwards: 0, early: 0, frequency: FREQUENCY, vdso: 1, sleeps: CPUS * SLEEPS };
  return Object.entries(wanted).filter(([name, value]) => counts[name] !== value)
    .map(([name, value]) => `${name}: ${counts[name]}, not ${value}`);
}

/** How far the counter that all reads agree with is from its scale after a guest hour, in microseconds. */
function driftOf({ first }: Passed, time: VirtualTime, [numerator, denominator]: Fraction): number {
  if (first === undefined) return NaN;
  const hour = BigInt(HOUR * FREQUENCY), start = BigInt(first.machine);
  const end = start + hour * BigInt(denominator) / BigInt(numerator);
  return Math.abs(Number(time.at(end) - time.at(start) - hour)) / FREQUENCY * 1e6;
}

/**
 * Reads of the clock by the vDSO on four CPUs, in one order; sleeps; and an hour, mostly idle. With `isHidden` the
 * device tree names no virtual timer: the kernel then takes the physical one for its events, and the virtual counter
 * for its time nevertheless.
 */
export async function clocksOfLinux(
  context: CheckContext,
  scale: Fraction,
  isHidden = false,
): Promise<CheckOutcome> {
  const text = scale.join("/"), seconds = context.all ? HOUR : MINUTE;
  const machine = ["-smp", String(CPUS), "--monitor", `el2:time-scale,scale=${text}`];
  if (isHidden) machine.push("-M", "virt,virtual-timer=off");
  const recorded = await recordLinux(context, machine, [
    ...['send "/clocks\\r"', `expect "${CLOCK_PROGRAM_LINE}"`, 'expect "# "'],
    ...[`send "cat /proc/uptime; sleep ${seconds}; cat /proc/uptime; echo that was it\\r"`],
    ...['expect "was it\\r"', 'expect "was it\\r"', 'expect "# "'],
  ]);
  const counts = countsOf(recorded.console);
  if (counts === undefined) return { failures: ["the program said nothing"], figures: {} };
  const time = new VirtualTime();
  time.reset(0n, { numerator: scale[0], denominator: scale[1] });
  const passed = await passedTime(context, recorded, time), drift = driftOf(passed, time, scale);
  const uptimes = [...recorded.console.matchAll(/^(\d+\.\d\d) \d+\.\d\d\r?$/gm)].map(([, found]) =>
    Number(found)
  );
  const slept = (uptimes[1] ?? 0) - (uptimes[0] ?? 0);
  const failures = clockFailures(counts), timer = isHidden ? "(phys)" : "(virt)";
  if (!recorded.console.includes(timer)) failures.push(`the kernel's timer is not ${timer}`);
  if (passed.worst > 1) {
    failures.push(`a read is ${passed.worst} counts from its machine's count times ${text}`);
  }
  if (passed.backwards > 0) failures.push(`${passed.backwards} reads of the counter went backwards`);
  if (!(drift <= 1)) failures.push(`the guest's counter drifts by ${drift} µs in a guest hour`);
  if (!(slept >= seconds && slept < seconds + 1)) {
    failures.push(`the guest says that it slept ${slept} s, not ${seconds}`);
  }
  return {
    failures,
    figures: {
      "clock_gettime on 4 CPUs": counts.reads ?? 0,
      "of these backwards": counts.backwards ?? 0,
      "sleeps": counts.sleeps ?? 0,
      "of these early": counts.early ?? 0,
      "CNTFRQ_EL0": counts.frequency ?? 0,
      "counter reads trapped": passed.reads,
      "furthest read": `${passed.worst} counts`,
      "drift in a guest hour": `${drift.toFixed(4)} µs`,
      "guest seconds slept by /proc/uptime": slept.toFixed(2),
      "virtual seconds in all": (recorded.end.virtualTime / 1e9).toFixed(3),
    },
  };
}
