/** A running Debian becomes a guest without losing its memory, and comes back. */
import { gunzipSync } from "node:zlib";
import { hostModule } from "../../../firmware/kexec_hypervisor/host_module.ts";
import { MANAGEMENT_RELEASE } from "../../../firmware/kexec_hypervisor/management/program.ts";
import { Replay } from "../../../journal/replay.ts";
import { readWholeFile } from "../../host/file_source.ts";

import { file, fileOfCpio } from "../../host/guests/file_tree.ts";
import { sha256 } from "../../host/guests/store.ts";
import type { CheckContext, CheckOutcome, Recorded } from "../scenario.ts";
import { memoryAt } from "./hand_off.ts";
import { EL2, recordHost, typed, UP } from "./host.ts";

/** The last 2 MiB of 256, which the host is told nothing of. */
const PLACE = 0x4fe0_0000, RAM = 0x4000_0000;
const CPUS = 2;
const EC_HVC = 0x16n;

/** A module of the host's kernel, of those in its first root. */
function kernelModule(context: CheckContext): Uint8Array {
  const archive = gunzipSync(readWholeFile(context.guest("linux-cloud/initrd.gz"), "initrd"));
  const list = new TextDecoder().decode(fileOfCpio(archive, "etc/modules"));
  return fileOfCpio(archive, list.split("\n").find((path) => path.includes("virtio_mmio"))!);
}

const SCRIPT = [
  ...[
    ...UP,
    ...typed("X=kept; sleep 1000 & dd if=/dev/urandom of=/tmp/f bs=1M count=4; sha256sum /tmp/f > /tmp/s"),
  ],
  ...[...typed(`devmem 0x${PLACE.toString(16)}; echo before $?`), 'expect "\\nbefore 0"'],
  ...typed(`/kexec-hypervisor adopt /esx@${PLACE.toString(16)} /adopt.ko`),
  ...['expect "adopted CPUs 0x2"'],
  ...[
    ...typed("sha256sum -c /tmp/s; echo $X $(pidof sleep | wc -w) $(nproc)"),
    'expect "/tmp/f: OK"',
    'expect "kept 1 2"',
  ],
  ...[
    ...typed(`devmem 0x${PLACE.toString(16)}; echo below $?`),
    'expect "has nothing at 0x000000004fe00000"',
  ],
  ...['expect "\\nbelow 135"'],
  ...typed("cd /sys/devices/system/cpu/cpu1; echo 0 > online; /kexec-hypervisor release /adopt.ko"),
  ...['expect "EIO: the hypervisor refuses"'],
  ...[...typed("echo 1 > online; /kexec-hypervisor release /adopt.ko"), 'expect "released CPUs 0x2"'],
  ...[
    ...typed("sha256sum -c /tmp/s; echo $X $(pidof sleep | wc -w) $(nproc)"),
    'expect "/tmp/f: OK"',
    'expect "kept 1 2"',
  ],
  ...[...typed(`devmem 0x${PLACE.toString(16)}; echo after $?`), 'expect "\\nafter 0"'],
  ...[...typed("poweroff -f"), 'expect "Power down"'],
];

/** Instants between which a CPU was at EL2 to be adopted or released. */
function visits({ run }: Recorded): { from: number; to: number; cpu: number }[] {
  const found: { from: number; to: number; cpu: number }[] = [], open = new Map<number, number>();
  for (const event of run.stored({ from: 0, to: Infinity, classes: ["trap"] })) {
    if (event.kind === "exceptionTaken" && event.to === 2 && event.syndrome >> 26n === EC_HVC) {
      open.set(event.cpu, event.instant);
    }
    const from = open.get(event.cpu);
    if (event.kind === "exceptionReturned" && event.from === 2 && from !== undefined) {
      found.push({ from, to: event.instant + 1, cpu: event.cpu });
      open.delete(event.cpu);
    }
  }
  return found;
}

/** Compares all of the host's memory before and after each visit to EL2. */
async function memoryKept(
  context: CheckContext,
  recorded: Recorded,
): Promise<{ wrong: string[]; visits: number }> {
  const wrong: string[] = [], all = visits(recorded).slice(-2 * CPUS - 1);
  const replay = new Replay(recorded.run, recorded.images, context.machineOptions());
  const digestAt = async (instant: number): Promise<string> => {
    while (replay.instant < instant) {
      replay.runTo(Math.min(instant, replay.instant + 2 ** 25));
      context.progress("replaying", replay.instant, recorded.run.lastInstant);
      await context.breathe();
    }
    return sha256(memoryAt(replay.machine, RAM, PLACE - RAM));
  };
  for (const { from, to, cpu } of all) {
    const before = await digestAt(from), after = await digestAt(to);
    if (before !== after) wrong.push(`CPU ${cpu} lost memory between instants ${from} and ${to}`);
  }
  return { wrong, visits: all.length };
}

/** Adopts, looks, releases. */
export async function checkAdoption(context: CheckContext): Promise<CheckOutcome> {
  const recorded = await recordHost(
    context,
    {
      options: [...EL2, "-smp", String(CPUS)],
      memory: "256M",
      append: "mem=254M kvm-arm.mode=none",
      files: { "adopt.ko": file(hostModule(kernelModule(context))) },
    },
    SCRIPT,
    "adoption",
  );
  const { wrong, visits } = await memoryKept(context, recorded), failures = [...wrong];
  for (let cpu = 0; cpu < CPUS; cpu++) {
    for (const what of ["adopted", "released"]) {
      if (!recorded.console.includes(`CPU ${cpu} is ${what}`)) failures.push(`CPU ${cpu} was not ${what}`);
    }
  }
  failures.push(...await context.replayOn(recorded, ["threaded"]));
  return {
    failures,
    figures: {
      "steps in all": recorded.end.instant,
      "visits to EL2 compared": visits,
      "bytes compared in each": PLACE - RAM,
      "release by": `0x${MANAGEMENT_RELEASE.toString(16)}`,
    },
  };
}
