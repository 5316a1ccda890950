/** What the loader hands over, read out of a replay at the instant at which it leaves. */
import { physicalAddress } from "../../../machine/address.ts";
import type { MachineImages } from "../../../machine/compose.ts";
import type { Machine, MachineOptions } from "../../../machine/machine.ts";
import type { Program } from "../../../machine/a64/program.ts";
import type { Parking } from "../../../firmware/mp_mailbox/patch_device_tree.ts";
import { MAILBOX_SIZE } from "../../../firmware/mp_mailbox/page.ts";
import { Replay } from "../../../journal/replay.ts";
import type { RecordedRun } from "../../../journal/run.ts";

/** Memory of a machine before the loader's first step and when it leaves. */
export interface HandOver {
  /** The machine when the loader leaves. */
  readonly machine: Machine;
  /** The tree that the loader was given, as it was before. */
  readonly treeBefore: Uint8Array;
  /** The same place afterwards. */
  readonly treeAfter: Uint8Array;
  /** The tree that the kernel gets. */
  readonly tree: Uint8Array;
  /** Bytes of a range before the first step. */
  readonly before: Uint8Array;
  /** The same range afterwards. */
  readonly after: Uint8Array;
}

/** A copy of physical memory. */
export function memoryOf(machine: Machine, address: number, size: number): Uint8Array {
  return Uint8Array.from(machine.board.memory.viewBytes(physicalAddress(address), size));
}

/** The tree at an address, by the length that it has in its header; what has no magic number has 64 bytes. */
function treeAt(machine: Machine, address: number): Uint8Array {
  const view = new DataView(memoryOf(machine, address, 8).buffer);
  const size = view.getUint32(0) === 0xd00dfeed ? view.getUint32(4) : 64;
  return memoryOf(machine, address, Math.min(size, 2 ** 20));
}

/** Replays a run until the loader leaves; undefined when it never does. Throws what replaying throws. */
export function handOverOf(
  { run, images }: { readonly run: RecordedRun; readonly images: MachineImages },
  loader: Program,
  range: { readonly base: number; readonly size: number },
  options: MachineOptions,
): HandOver | undefined {
  const replay = new Replay(run, images, { ...options, checkEvents: false }), { machine } = replay;
  machine.watch([{ kind: "execute", address: loader.symbols.get("read_tree")! }]);
  if (replay.runTo(run.lastInstant) === undefined) return undefined;
  const given = Number(machine.board.cpus[0]!.registers.x(19));
  const treeBefore = treeAt(machine, given), before = memoryOf(machine, range.base, range.size);
  machine.watch([{ kind: "execute", address: loader.symbols.get("start_kernel")! }]);
  if (replay.runTo(run.lastInstant) === undefined) return undefined;
  return {
    machine,
    treeBefore,
    treeAfter: treeAt(machine, given),
    tree: treeAt(machine, Number(machine.board.cpus[0]!.registers.x(0))),
    before,
    after: memoryOf(machine, range.base, range.size),
  };
}

/**
 * What the loader does to a machine whose CPUs are numbered from 0, of which some never come: by default since PSCI refuses
 * to start them, otherwise though it did so (`hung`, the last ones), and their pages stay taken.
 */
export function parkingOf(loader: Program, cpus: number, dead: readonly number[] = [], hung = 0): Parking {
  const address = loader.symbols.get("mailboxes")!;
  const others = Array.from({ length: cpus - 1 }, (_, index) => index + 1);
  const coming = others.filter((cpu) => !dead.includes(cpu));
  return {
    boot: 0n,
    cpus: others.map((cpu) => ({
      number: BigInt(cpu),
      page: dead.includes(cpu) ? undefined : address + BigInt(coming.indexOf(cpu) * MAILBOX_SIZE),
    })),
    mailboxes: { address, size: BigInt((coming.length + hung) * MAILBOX_SIZE) },
  };
}

/** The first byte in which two texts of bytes differ; undefined when they are equal. */
export function firstDifference(ours: Uint8Array, theirs: Uint8Array): number | undefined {
  const length = Math.max(ours.length, theirs.length);
  for (let at = 0; at < length; at++) if (ours[at] !== theirs[at]) return at;
  return undefined;
}
