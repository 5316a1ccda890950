/** Small machines with a kernel that does no more than wake CPUs: every handshake followed, every table compared. */
import { parkFadt, parkMadt } from "../../../firmware/mp_mailbox/patch_acpi.ts";
import { parkDeviceTree } from "../../../firmware/mp_mailbox/patch_device_tree.ts";
import { WOKEN } from "../../../firmware/mp_mailbox/wake_kernel.ts";
import { type PlacedTable, placeTables } from "../../../firmware/acpi/table.ts";
import { ENGINES } from "../../../machine/machine.ts";
import type { CheckContext, CheckOutcome, Recorded } from "../scenario.ts";
import { firstDifference, handOverOf, parkingOf } from "./hand_over.ts";
import { followHandshakes, type Handshakes } from "./handshake.ts";
import {
  type Kind,
  kindText,
  TABLES_AT,
  type WakeMachine,
  wakeMachine,
  type WakeOptions,
} from "./machines.ts";
import { type SmallAcpi, smallAcpi } from "./small_acpi.ts";

/** Steps that no such machine comes to. */
const UNTIL = "300000000";

/** Bytes from TABLES_AT on that are looked at. */
export const TABLES_SIZE = 0x1000;

/** A small machine and its run. */
export interface WakeRun {
  readonly machine: WakeMachine;
  readonly recorded: Recorded;
}

/** Records a small machine to its end. */
export async function recordWake(
  context: CheckContext,
  kind: Kind,
  more: WakeOptions & { readonly name?: string; readonly options?: readonly string[] } = {},
): Promise<WakeRun> {
  const machine = wakeMachine(kind, more);
  const recorded = await context.record({
    options: [...machine.options, ...more.options ?? ["--until", UNTIL]],
    files: machine.files,
    ...more.name === undefined ? {} : { name: more.name },
  });
  return { machine, recorded };
}

/** Follows the handshakes of a small machine's run. */
export function followWake(context: CheckContext, { machine, recorded }: WakeRun): Promise<Handshakes> {
  const { loader, kind: { by, cpus } } = machine;
  return followHandshakes(
    { ...recorded, loader, by, cpus },
    context.machineOptions(),
    () => context.breathe(),
  );
}

/** What is wrong with the handshakes of CPUs that all have to come. */
export function handshakeFailures({ violations, ends, calls, left }: Handshakes, cpus: number): string[] {
  const failures = [...violations];
  const waiting = ends.flatMap((state, index) =>
    state === "gone" ? [] : [`CPU ${index + 1} is ${state} at the end`]
  );
  failures.push(...waiting);
  if (left === Infinity) failures.push("the loader never leaves");
  if (calls.before !== cpus - 1) {
    failures.push(`${calls.before} CPU_ON before the loader leaves, not ${cpus - 1}`);
  }
  if (calls.after !== 0) failures.push(`${calls.after} CPU_ON after the loader has left`);
  return failures;
}

/** What tables say that is not so. */
export interface Described {
  /** CPUs that are described (default: those that there are). */
  readonly described?: number;
  /** Those that never come. */
  readonly dead?: readonly number[];
  /** How many of them PSCI has started. */
  readonly hung?: number;
  /** ACPI's tables. */
  readonly acpi?: SmallAcpi;
}

/** What is wrong with the tables that a loader on a small machine leaves, of which CPUs some are dead. */
export function tableFailures(
  context: CheckContext,
  { machine: { kind, loader }, recorded }: WakeRun,
  { described = kind.cpus, dead = [], hung = 0, acpi = smallAcpi(kind) }: Described = {},
): string[] {
  const found = handOverOf(
    recorded,
    loader,
    { base: TABLES_AT, size: TABLES_SIZE },
    context.machineOptions(),
  );
  if (found === undefined) return ["the loader never leaves"];
  const parking = parkingOf(loader, described, dead, hung), failures: string[] = [];
  const compare = (what: string, ours: Uint8Array, theirs: Uint8Array) => {
    const at = firstDifference(ours, theirs);
    if (at !== undefined) {
      failures.push(`${what} is not as in TypeScript, from byte ${at} of ${theirs.length} on`);
    }
  };
  compare("the tree that was given", found.treeAfter, found.treeBefore);
  if (kind.by === "tree") {
    compare("the tree", found.tree, parkDeviceTree(found.treeBefore, parking));
    return failures;
  }
  compare("the kernel's tree", found.tree, found.treeBefore);
  const placed = placeTables(acpi.tables, TABLES_AT), expected = Uint8Array.from(found.before);
  const put = ({ address }: PlacedTable, bytes: Uint8Array) => expected.set(bytes, address - TABLES_AT);
  for (const table of placed.tables) {
    if (table.signature === "FACP") put(table, parkFadt(table.bytes));
    // What is left behind a shorter table stays as it was.
    if (table.signature === "APIC") put(table, parkMadt(table.bytes, parking));
  }
  compare("ACPI", madtCut(found.after, placed.tables, dead), madtCut(expected, placed.tables, dead));
  return failures;
}

/** Tables without what is behind a MADT from which CPUs were left out. */
function madtCut(bytes: Uint8Array, tables: readonly PlacedTable[], dead: readonly number[]): Uint8Array {
  const madt = tables.find(({ signature }) => signature === "APIC")!, copy = Uint8Array.from(bytes);
  const end = madt.address - TABLES_AT + madt.bytes.length;
  copy.fill(0, end - dead.length * 80, end);
  return copy;
}

/** Machines of every kind with so many CPUs: handshakes, tables, engines, and QEMU. */
export async function smallMachines(context: CheckContext, kinds: readonly Kind[]): Promise<CheckOutcome> {
  const failures: string[] = [], figures: Record<string, number> = { machines: kinds.length };
  let steps = 0, handshakes = 0;
  for (const kind of kinds) {
    const name = kindText(kind), fail = (text: string) => failures.push(`${name}: ${text}`);
    const run = await recordWake(context, kind, { name }), { console, end } = run.recorded;
    if (!console.includes(WOKEN)) fail(`it says ${JSON.stringify(console)}`);
    if (end.reason !== "poweredOff") fail(`ended by ${end.reason}`);
    const followed = await followWake(context, run);
    handshakeFailures(followed, kind.cpus).forEach(fail);
    tableFailures(context, run).forEach(fail);
    (await context.replayOn(run.recorded, Object.keys(ENGINES))).forEach(fail);
    const qemu = await context.qemu({ options: run.machine.options, files: run.machine.files });
    if (qemu.console !== console) fail(`on QEMU it says ${JSON.stringify(qemu.console)}`);
    steps += end.instant;
    handshakes += followed.steps.length;
  }
  return { failures, figures: { ...figures, "steps of handshakes": handshakes, steps } };
}
