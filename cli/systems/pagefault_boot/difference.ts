/** Two runs of one loader at two machine addresses: event by event equal, but for the distance between them. */
import { eventStream } from "../../../journal/event_stream.ts";
import type { MachineEvent } from "../../../machine/events.ts";
import type { CheckContext, CheckOutcome, Recorded } from "../scenario.ts";
import { buildLoader, drawAddress, ENDING, type Kind, kindText, type Loader, loaderRun } from "./loaders.ts";
import { seeded } from "../random.ts";
import { mutated } from "./mutants.ts";
import { SEED } from "./sweep.ts";

/** How two values of a field may differ: not, or by the distance, one way or (VA − MA) the other. */
function isRelocated(one: bigint, other: bigint, distance: bigint): boolean {
  const difference = BigInt.asUintN(64, other - one);
  return difference === 0n || difference === BigInt.asUintN(64, distance) ||
    difference === BigInt.asUintN(64, -distance);
}

const isNumber = (value: unknown): value is number | bigint =>
  typeof value === "number" || typeof value === "bigint";

/** Digits that the loader writes to its console differ; the text as a whole is compared. */
function isConsole(event: MachineEvent): boolean {
  return event.kind === "deviceWritten" && event.device === "uart0";
}

/** Fields of two events that differ by something else than the distance. */
function differingFields(one: MachineEvent, other: MachineEvent, distance: bigint): string[] {
  const fields = other as unknown as Readonly<Record<string, unknown>>;
  return Object.entries(one).filter(([name, value]) => {
    const there = fields[name];
    if (isConsole(one) && name === "value") return false;
    if (["instant", "cpu", "index", "kind"].includes(name)) return value !== there;
    if (isNumber(value) && isNumber(there)) return !isRelocated(BigInt(value), BigInt(there), distance);
    return value !== there;
  }).map(([name]) => name);
}

/** A pair of events in which two runs differ by more than the distance. */
export interface Unrelocated {
  /** What differs, in words. */
  readonly text: string;
  /** When. */
  readonly instant: number;
}

/** What two runs come to, event by event. */
export interface Relocation {
  /** Pairs of events. */
  readonly pairs: number;
  /** Pairs that are not equal, but are modulo the distance. */
  readonly moved: number;
  /** The first pair that is not equal modulo the distance. */
  readonly first: Unrelocated | undefined;
}

function eventsOf({ run, images }: Recorded): Generator<MachineEvent> {
  return eventStream(run, images, { classes: ["input", "trap", "device", "detail"] });
}

/** Numbers of the loader's text, and the text around them. */
function consoleDifference(one: string, other: string, distance: bigint): string | undefined {
  const parts = (text: string) => text.split(/(0x[0-9a-f]{16})/);
  const [left, right] = [parts(one), parts(other)];
  const at = left.findIndex((part, index) => {
    const there = right[index] ?? "";
    return index % 2 === 0
      ? part !== there
      : there === "" || !isRelocated(BigInt(part), BigInt(there), distance);
  });
  if (at < 0 && left.length === right.length) return undefined;
  return `the console says ${JSON.stringify(left[at])} and ${JSON.stringify(right[at])}`;
}

/** Compares two runs whose loaders are `distance` apart. */
export function compareRelocated(one: Recorded, other: Recorded, distance: bigint): Relocation {
  const left = eventsOf(one), right = eventsOf(other);
  let pairs = 0, moved = 0;
  for (;;) {
    const [here, there] = [left.next(), right.next()];
    if (here.done && there.done) break;
    if (here.done || there.done) {
      const { kind, instant } = (here.value ?? there.value) as MachineEvent;
      return { pairs, moved, first: { text: `only one has ${kind}`, instant } };
    }
    const names = differingFields(here.value, there.value, distance);
    if (names.length > 0) {
      const { kind, instant } = here.value;
      const what = "register" in here.value ? ` of ${here.value.register}` : "";
      return { pairs, moved, first: { text: `${kind}${what} differs in ${names.join(", ")}`, instant } };
    }
    pairs++;
    if (differingFields(here.value, there.value, 0n).length > 0) moved++;
  }
  const text = consoleDifference(one.console, other.console, distance);
  return { pairs, moved, first: text === undefined ? undefined : { text, instant: one.end.instant } };
}

/** A fault by which a register gets what is not relocated, where it must be found. */
const FAULT = { label: "adjust_vectors", line: "add     x0, x0, x21", becomes: "nop" } as const;

async function pairOf(
  context: CheckContext,
  loaders: readonly [Loader, Loader],
  addresses: readonly [number, number],
  names: readonly [string, string],
) {
  const record = (index: 0 | 1) =>
    context.record({ ...loaderRun(loaders[index], addresses[index], ENDING), name: names[index] });
  return [await record(0), await record(1)] as const;
}

/** Two addresses of each kind; then one of the loaders has a fault, which is the first thing that is not relocated. */
export async function relocation(context: CheckContext, kinds: readonly Kind[]): Promise<CheckOutcome> {
  const failures: string[] = [], figures: Record<string, number | string> = {};
  let pairs = 0, moved = 0;
  for (const kind of kinds) {
    const loader = buildLoader(kind), numbers = seeded(SEED + 1);
    const addresses = [drawAddress(loader, numbers), drawAddress(loader, numbers)] as const;
    const distance = BigInt(addresses[1] - addresses[0]);
    const [one, other] = await pairOf(context, [loader, loader], addresses, ["at-one", "at-other"]);
    const compared = compareRelocated(one, other, distance);
    pairs += compared.pairs;
    moved += compared.moved;
    if (compared.first !== undefined) {
      failures.push(`${kindText(kind)}: instant ${compared.first.instant}: ${compared.first.text}`);
    }
    if (one.end.instant !== other.end.instant) {
      failures.push(`${kindText(kind)}: ${one.end.instant} steps and ${other.end.instant}`);
    }
    const faulty = await pairOf(context, [loader, mutated(loader, FAULT)], addresses, [
      "at-one",
      "at-other-unadjusted",
    ]);
    const { first } = compareRelocated(...faulty, distance);
    const wanted = `systemRegisterWritten of VBAR_EL${kind.level} differs in value`;
    if (first?.text !== wanted) {
      failures.push(`${kindText(kind)}: with a fault: ${first?.text ?? "nothing"}, expected ${wanted}`);
    }
    figures["with a fault"] = first === undefined ? "nothing" : `${first.text} at instant ${first.instant}`;
    await context.breathe();
  }
  return { failures, figures: { pairs, moved, ...figures } };
}
