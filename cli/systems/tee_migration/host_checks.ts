/** tee-migration's checks of a host beside the realm: what it is denied, and what it could ever read. */
import { HOST_FINDINGS, HOST_LOG } from "../../../firmware/tee_migration/host.ts";
import { CANARY } from "../../../firmware/tee_migration/realm.ts";
import type { PhysicalAddress } from "../../../machine/address.ts";
import { peekSystemRegister } from "../../../machine/cpu/system_registers.ts";
import type { Machine } from "../../../machine/machine.ts";
import type { CheckContext, CheckOutcome } from "../scenario.ts";
import { commanded, EAST, Lab, type LifeOptions, WEST } from "./migrations.ts";
import { HOST_BASE, type HostsOptions } from "./worlds.ts";

const MOVE_AT = 1_000_000;
const canary = Uint8Array.fromHex(CANARY);

/** Whether bytes are somewhere among others. */
export function holds(all: Uint8Array, wanted: Uint8Array): boolean {
  for (let at = all.indexOf(wanted[0]!); at >= 0; at = all.indexOf(wanted[0]!, at + 1)) {
    if (wanted.every((byte, index) => all[at + index] === byte)) return true;
  }
  return false;
}

/** Runs of physical addresses that the tables of a CPU's stage 2 give its guest: 4 KiB granule, from level 1, two tables. */
export function mappedByStage2(machine: Machine, cpu: number): { base: number; size: number }[] {
  const { cpus, memory } = machine.board;
  const runs: { base: number; size: number }[] = [];
  const address = (descriptor: bigint): number => Number(descriptor & (1n << 48n) - 4096n);
  const walk = (table: number, level: number, entries: number): void => {
    const bytes = memory.viewBytes(table as PhysicalAddress, entries * 8);
    const words = new DataView(bytes.buffer), span = 2 ** (39 - 9 * level);
    for (let entry = 0; entry < entries; entry++) {
      const descriptor = words.getBigUint64(entry * 8, true);
      if ((descriptor & 1n) === 0n) continue;
      if (level < 3 && (descriptor & 2n) !== 0n) walk(address(descriptor), level + 1, 512);
      else if ((descriptor & 1n << 6n) !== 0n) runs.push({ base: address(descriptor), size: span });
    }
  };
  walk(address(peekSystemRegister(cpus[cpu]!, "VTTBR_EL2")), 1, 1024);
  return runs;
}

/** Whether the host of a machine could read the canary: in memory, its own registers, or on the monitor's disk. */
function seesCanary(machine: Machine, cpu: number, failures: Set<string>): boolean {
  const { memory, cpus, disks } = machine.board, { registers } = cpus[cpu]!;
  for (const { base, size } of mappedByStage2(machine, cpu)) {
    const region = memory.regions.find((one) => base >= one.base && base + size <= one.base + one.size);
    if (region === undefined) {
      failures.add(`the host has a device, at 0x${base.toString(16)}: it could let it do DMA`);
      continue;
    }
    const at = region.hostOffset + base - region.base;
    if (holds(memory.bytes.subarray(at, at + size), canary)) return true;
  }
  const own = new BigUint64Array([...registers.slots.subarray(0, 31), ...registers.v]);
  if (holds(new Uint8Array(own.buffer), canary.subarray(0, 8))) return true;
  return [...disks.values()].some((disk) => holds(disk.peek(0, disk.size), canary));
}

/** What the host of a machine has noted, by name. */
export function findings(machine: Machine): Record<string, number> {
  const bytes = machine.board.memory.viewBytes(
    HOST_BASE + HOST_LOG as PhysicalAddress,
    HOST_FINDINGS.length * 8,
  );
  const words = new BigUint64Array(bytes.buffer);
  return Object.fromEntries(HOST_FINDINGS.map((name, index) => [name, Number(words[index])]));
}

/** Nanoseconds between two looks: while the realm runs, and when the host has its granules back. */
const CLOSELY = 100_000, LATER = 2_000_000, RAN = 8_000_000;

/** What came of watching a realm that moves between hosts. */
export interface Watched {
  /** What was wrong. */
  readonly failures: readonly string[];
  /** What both hosts found, and how often it was looked. */
  readonly figures: Readonly<Record<string, number>>;
}

/** Watches everything that a host could see while a realm runs, and moves; to the end, if `until` is left out. */
export async function watch(context: CheckContext, hosts: HostsOptions, until?: number): Promise<Watched> {
  const failures = new Set<string>(), figures: Record<string, number> = { looks: 0, "link bytes": 0 };
  const lab = new Lab(context.machineOptions()),
    alone = lab.live([], { hosts: { hasDisk: true, cpus: hosts.cpus ?? 1 } }).consoles[0];
  const hostCpu = hosts.cpus ?? 1;
  let wasThere = false, last = new Map<number, Record<string, number>>();
  let next = 0;
  const look: LifeOptions["look"] = (session) => {
    if (session.now < next) return;
    next = session.now + (session.now < RAN ? CLOSELY : LATER);
    for (const node of [EAST, WEST]) {
      const machine = session.machineOf(node);
      if (machine === undefined) continue;
      figures.looks!++;
      if (seesCanary(machine, hostCpu, failures)) {
        failures.add(`the host of node ${node} could read the canary`);
      }
      wasThere ||= Buffer.from(machine.board.memory.viewBytes(0x4040_0100 as PhysicalAddress, 32)).equals(
        canary,
      );
      last = last.set(node, findings(machine));
    }
  };
  const meddle = (bytes: Uint8Array): Uint8Array[] => {
    figures["link bytes"]! += bytes.length;
    if (holds(bytes, canary)) failures.add("the canary was on the link");
    return [bytes];
  };
  const { consoles } = lab.live([commanded(MOVE_AT, EAST, "migrate")], {
    hosts,
    meddle,
    look,
    ...until === undefined ? {} : { until },
  });
  await context.breathe();
  if (consoles.join("") !== alone || consoles[WEST] === "") {
    failures.add("the realm did not move as it was to");
  }
  if (!wasThere) failures.add("the canary was never where the realm has it: nothing was looked for");
  for (const [node, found] of last) {
    const { failedCalls = 1, refusals = 0, returned = 0, faults = 0, tries = 0, laps = 0, walks = 0 } = found;
    if (failedCalls !== 0 || refusals < 6 || refusals > 6 + returned) {
      failures.add(`node ${node}: calls went wrong`);
    }
    // Two are counted before they are made.
    if (tries - faults > 2 || tries === 0) {
      failures.add(
        `node ${node}: of ${found.tries} accesses to the realm's granules ${found.faults} were denied`,
      );
    }
    if (laps - walks > 1 || walks === 0) {
      failures.add(`node ${node}: of ${laps} walks of the realm's granules as tables ${walks} were denied`);
    }
    if (found.residue !== 0) {
      failures.add(`node ${node}: granules came back with something in them`);
    }
    for (const [name, value] of Object.entries(found)) figures[name] = (figures[name] ?? 0) + value;
  }
  if (figures.returned === 0) failures.add("no host was given its granules back");
  return { failures: [...failures], figures };
}

/** A host beside the realm is denied its granules, and finds them cleared when it has them back. */
export async function hostIsDenied(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], figures: Record<string, number> = {};
  for (const cpus of context.all ? [1, 2] as const : [1] as const) {
    const watched = await watch(context, { hasHost: true, hasDisk: true, cpus });
    failures.push(...watched.failures);
    for (const [name, value] of Object.entries(watched.figures)) figures[name] = (figures[name] ?? 0) + value;
  }
  return { failures, figures };
}
