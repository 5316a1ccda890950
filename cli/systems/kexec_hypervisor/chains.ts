/** From Debian to another hypervisor, and to what runs below it. */
import { createHash } from "node:crypto";
import { sha256 } from "../../host/guests/store.ts";
import type { CheckContext, CheckOutcome, Recorded } from "../scenario.ts";
import { REFUSED, refusedFiles } from "./refusals.ts";
import { type HandOff, observeHandOff, phaseFigures, type ToldSegment, toldSegments } from "./hand_off.ts";
import {
  dom0,
  EL2,
  type HostMachine,
  hostRequest,
  managed,
  manifestOf,
  moduleFiles,
  recordHost,
  typed,
  UP,
} from "./host.ts";

/** What is loaded, on which machine. */
export interface Chain {
  /** Xen or the management hypervisor. */
  readonly mode: "xen" | "esx";
  /** Machine options. */
  readonly options: readonly string[];
  /** CPUs. */
  readonly cpus: number;
  /** Name of the journal. */
  readonly name: string;
  /** What the host does before it loads, as script lines. */
  readonly before?: readonly string[];
  /** More of the host. */
  readonly append?: string;
}

/** Where the management hypervisor of a machine with 1 GiB is: nothing, for its guest. */
const ITS_MEMORY = "0x7fe00000";

/** What the guest below stage 2 tries: the hypervisor's memory, and a CPU off and on again. */
const BELOW: readonly string[] = [
  ...[
    ...typed(`devmem ${ITS_MEMORY}; echo status $?`),
    `expect "the guest has nothing at 0x000000007fe00000"`,
  ],
  'expect "\\nstatus 135"',
];
const HOTPLUG: readonly string[] = [
  ...typed("cd /sys/devices/system/cpu/cpu1; echo 0 > online; nproc; echo 1 > online; nproc"),
];

/** The script from the host's prompt to the end. */
export function chainScript({ mode, cpus, before = [] }: Chain): string[] {
  const online = (count: number) => `expect "\\n${count}"`;
  const hotplug = cpus > 1 ? [...HOTPLUG, online(cpus - 1), online(cpus)] : [];
  const below = mode === "xen" ? dom0(cpus) : managed(cpus, [...BELOW, ...hotplug]);
  return [...UP, ...before, ...typed(`sh /${mode}.sh -m /manifest && /kexec-hypervisor exec`), ...below];
}

/** SHA-256 of the one before and each segment's digest, from zeros on, but for the second stage itself. */
export function measurementOf(segments: readonly ToldSegment[]): string {
  let measured = new Uint8Array(32);
  for (const { name, digest } of segments) {
    if (name === "second-stage") continue;
    const bytes = Uint8Array.from(digest.match(/../g)!, (pair) => parseInt(pair, 16));
    measured = new Uint8Array(createHash("sha256").update(measured).update(bytes).digest());
  }
  return hex(measured);
}

const hex = (bytes: Uint8Array): string =>
  [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");

/** What the consoles of the loader, the second stage and the management hypervisor say against the files. */
export function judgeConsole(context: CheckContext, { mode, cpus }: Chain, console: string): string[] {
  const failures: string[] = [], segments = toldSegments(console), files = moduleFiles(context);
  const paths = { hypervisor: mode, kernel: "Image", initrd: "guest.gz" };
  for (const [name, path] of Object.entries(paths)) {
    const wanted = sha256(files.get(path)!), told = segments.find((segment) => segment.name === name);
    if (told?.digest !== wanted) failures.push(`the loader tells ${told?.digest} for ${name}, not ${wanted}`);
  }
  const measured = /second stage: measurement (.*)$/m.exec(console)?.[1]?.replaceAll(/0x|\s/g, "");
  if (measured !== measurementOf(segments)) {
    failures.push(`the second stage measured ${measured}, not ${measurementOf(segments)}`);
  }
  if (mode === "xen") return failures;
  for (const { name, digest } of segments.slice(0, 4)) {
    const log = new RegExp(`management: measured ${name} (.*)$`, "m").exec(console)?.[1]?.replaceAll(
      /0x|\s/g,
      "",
    );
    if (log !== digest) failures.push(`the hypervisor was told ${log} for ${name}, not ${digest}`);
  }
  const parked = console.match(/management: CPU \d is at EL2/g)?.length ?? 0;
  if (parked !== cpus - 1) failures.push(`the hypervisor took ${parked} CPUs, not ${cpus - 1}`);
  return failures;
}

/** What is wrong with a hand-off. */
export function judgeHandOff({ phases, wrong, started }: HandOff, cpus: number): string[] {
  const failures = [...wrong];
  const { load, loaded, shutdown, copy, entry, launch } = phases;
  const order = [load, loaded, shutdown, copy, entry, launch ?? NaN];
  if (!order.every((instant, index) => index === 0 || instant >= order[index - 1]!)) {
    failures.push(`phases are not in order: ${order.join(", ")}`);
  }
  if (started !== cpus - 1) {
    failures.push(`${started} CPUs were turned on by PSCI after the launch, not ${cpus - 1}`);
  }
  return failures;
}

function machineOf(context: CheckContext, { options, cpus, append = "" }: Chain): HostMachine {
  return {
    options: [...options, "-smp", String(cpus)],
    files: refusedFiles(manifestOf(moduleFiles(context))),
    append,
  };
}

/** Records a chain, replays it, and compares all of it. */
export async function checkChain(
  context: CheckContext,
  chain: Chain,
  engines: readonly string[],
): Promise<CheckOutcome & { readonly recorded: Recorded; readonly handOff: HandOff }> {
  const { cpus, name } = chain;
  const machine = machineOf(context, chain);
  const recorded = await recordHost(context, machine, chainScript(chain), name);
  const [first = "compiled", ...others] = engines;
  const handOff = await observeHandOff(context, recorded, first);
  const failures = [
    ...judgeConsole(context, chain, recorded.console),
    ...judgeHandOff(handOff, cpus),
    ...await context.replayOn(recorded, others),
  ];
  const figures = {
    cpus,
    "steps in all": recorded.end.instant,
    ...phaseFigures(handOff.phases),
    "devices to be quiet": handOff.info.devices.length,
    root: hex(recorded.end.stateRoot).slice(0, 12),
  };
  return { failures, figures, recorded, handOff };
}

/** The same on QEMU, judged by its console. */
export async function chainOnQemu(context: CheckContext, chain: Chain): Promise<CheckOutcome> {
  const request = hostRequest(context, machineOf(context, chain));
  const { console } = await context.qemu({
    ...request,
    script: chainScript(chain),
    seconds: 600,
    until: chain.mode === "xen" ? "Hardware Dom0 halted" : "Power down",
  });
  return { failures: judgeConsole(context, chain, console), figures: { characters: console.length } };
}

/** The chains: one for each day, the rest for `--all`. */
export const CHAIN: Readonly<Record<"xen" | "esx", Chain>> = {
  xen: { mode: "xen", options: EL2, cpus: 2, name: "xen" },
  esx: { mode: "esx", options: EL2, cpus: 2, name: "esx", before: REFUSED },
};
