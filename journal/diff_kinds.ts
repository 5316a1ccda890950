/** How events of two runs are told to be the same, and how two that belong together differ. */
import { classOf, EVENT_KINDS, type EventKind, type MachineEvent } from "../machine/events.ts";
import type { Keyed } from "./diff_match.ts";

/** What two events that belong together, or one without a counterpart, say of the runs. */
export type DifferenceClass =
  /** Equal in everything, the instant included. */
  | "same"
  /** Equal but for instant and virtual time; for interrupts, also but for where they struck. */
  | "timing"
  /** Addresses are shifted, all of the event by one constant that is seen again and again. */
  | "address"
  /** A counter or clock was read, or a deadline computed from one. */
  | "counter"
  /** Some other field differs. */
  | "value"
  /** Only the first run has it. */
  | "left"
  /** Only the second run has it. */
  | "right";

/** All classes, in the order in which they are told. */
// deno-fmt-ignore
export const DIFFERENCE_CLASSES: readonly DifferenceClass[] =
  ["same", "timing", "address", "counter", "value", "left", "right"];

type Fields = Readonly<Record<string, unknown>>;

const fieldsOf = (event: MachineEvent): Fields => event as unknown as Fields;

/** Fields that say when, not what. */
const TIMES = new Set(["instant", "index", "virtualTime"]);

/** Fields that are addresses: what a constant may be added to. */
// deno-fmt-ignore
const ADDRESSES: { readonly [K in EventKind]?: readonly string[] } = {
  exceptionTaken:        ["returnAddress", "faultAddress", "faultIpa", "vector"],
  exceptionReturned:     ["address"],
  cpuStarted:            ["entry", "context"],
  translationFaulted:    ["address"],
  exclusiveSet:          ["address"],
  exclusiveCleared:      ["address"],
  memoryReadByDevice:    ["address"],
  memoryWrittenByDevice: ["address"],
  stepRetired:           ["pc"],
  exceptionInjected:     ["returnAddress", "faultAddress", "vector"],
};

/** Kinds whose identity is not "every field that is a word, a flag or a small number". */
// deno-fmt-ignore
const IDENTITIES: { readonly [K in EventKind]?: readonly string[] } = {
  timeSkipped:           [],
  exclusiveSet:          ["size"],
  exclusiveCleared:      ["reason"],
  memoryReadByDevice:    ["device", "size"],
  memoryWrittenByDevice: ["device", "size"],
  stepRetired:           ["opcode", "level"],
  translationFaulted:    ["status", "level", "stage", "write"],
  firmwareCalled:        ["conduit", "function"],
};

function identityOf(event: MachineEvent): readonly string[] {
  const given = IDENTITIES[event.kind];
  if (given !== undefined) return given;
  const fields = fieldsOf(event);
  return Object.keys(EVENT_KINDS[event.kind].fields).filter((name) =>
    !TIMES.has(name) && ["string", "number", "boolean"].includes(typeof fields[name])
  );
}

/** Whether it is an interrupt or SError, which strikes wherever the program is. */
export function isAsynchronous(event: MachineEvent): boolean {
  return event.kind === "exceptionTaken" && event.exception !== "synchronous";
}

/** Fields of an interrupt that only say where it struck; ESR_ELx and FAR_ELx keep what an exception before left. */
const STRUCK = new Set(["returnAddress", "savedState", "syndrome", "faultAddress", "faultIpa"]);

const CNT_READ = 0xd53be000, CNT_MASK = 0xffffff00;
/** CNTPCT_EL0, CNTVCT_EL0 and their self-synchronized forms, by op2 (Arm ARM D19.12). */
const CNT_COUNTS = new Set([1, 2, 5, 6]);

/** Whether an event hands a counter's or a clock's value to the guest, or is a deadline computed from one. */
export function isCounterRead(event: MachineEvent): boolean {
  switch (event.kind) {
    case "stepRetired":
      return ((event.opcode & CNT_MASK) >>> 0) === CNT_READ && CNT_COUNTS.has((event.opcode >> 5) & 7);
    case "deviceRead":
      return event.device === "rtc" && (event.address & 0xfff) === 0;
    case "systemRegisterWritten":
      return /^CNT.*_(CVAL|TVAL)_/.test(event.register);
    default:
      return false;
  }
}

function text(value: unknown): string {
  if (value instanceof Uint8Array) return value.toHex();
  if (Array.isArray(value)) return `[${value.map(text).join()}]`;
  if (typeof value === "object" && value !== null) return `{${Object.values(value).map(text).join()}}`;
  return String(value);
}

/** Hash of a text to 53 bits, for events to be found by; a collision only spoils an alignment (cyrb53). */
export function hashText(words: string): number {
  let high = 0xdeadbeef, low = 0x41c6ce57;
  for (let at = 0; at < words.length; at++) {
    const code = words.charCodeAt(at);
    high = Math.imul(high ^ code, 2654435761);
    low = Math.imul(low ^ code, 1597334677);
  }
  high = Math.imul(high ^ (high >>> 16), 2246822507) ^ Math.imul(low ^ (low >>> 13), 3266489909);
  low = Math.imul(low ^ (low >>> 16), 2246822507) ^ Math.imul(high ^ (high >>> 13), 3266489909);
  return 4294967296 * (2097151 & low) + (high >>> 0);
}

/** An event with the two keys by which it is compared. */
export interface KeyedEvent extends Keyed {
  /** The event. */
  readonly event: MachineEvent;
}

/**
 * Finds an event's keys: the shape is equal for events of one kind, device, register and exception class, the content
 * for those that say the same, whenever that was. `isBack` says that it returns to where an interrupt struck, which is
 * chance.
 */
export function keyed(event: MachineEvent, isBack = false): KeyedEvent {
  const fields = fieldsOf(event);
  let shape = `${event.kind} ${event.cpu}`;
  for (const name of identityOf(event)) shape += ` ${text(fields[name])}`;
  const isStruck = isAsynchronous(event), isCount = isCounterRead(event);
  if (event.kind === "exceptionTaken" && !isStruck) shape += ` ${event.syndrome >> 26n}`;
  let content = shape;
  for (const name of Object.keys(EVENT_KINDS[event.kind].fields)) {
    if (TIMES.has(name) || isCount || isBack || (isStruck && STRUCK.has(name))) continue;
    content += ` ${text(fields[name])}`;
  }
  return { event, shape: hashText(shape), content: hashText(content) };
}

/** Names of the fields in which two events of one kind differ, instants and times left out. */
export function differingFields(left: MachineEvent, right: MachineEvent): string[] {
  const [a, b] = [fieldsOf(left), fieldsOf(right)];
  return Object.keys(EVENT_KINDS[left.kind].fields).filter((name) =>
    !TIMES.has(name) && a[name] !== b[name] && text(a[name]) !== text(b[name])
  );
}

/** How far the addresses of two events are apart, if that is all and it is one constant. */
function shiftOf(left: MachineEvent, right: MachineEvent, names: readonly string[]): bigint | undefined {
  const [a, b] = [fieldsOf(left), fieldsOf(right)];
  const shifts = new Set(names.map((name) => BigInt(b[name] as bigint) - BigInt(a[name] as bigint)));
  return shifts.size === 1 ? [...shifts][0] : undefined;
}

/** A constant has to be seen this often before what it shifts is called an address. */
const OFTEN = 3;
/** A register's value that is shifted by less is no address. */
const PAGE = 4096n;
/** Places where interrupts struck, and constants, that are remembered. */
const REMEMBERED = 4096;

/** Tells the classes of pairs one after another; remembers constants by which addresses are shifted. */
export class PairClassifier {
  #shifts = new Map<bigint, number>();
  #struck: readonly [Set<bigint>, Set<bigint>] = [new Set(), new Set()];

  /** The constants, and how many pairs each shifts, most first. */
  get shifts(): readonly (readonly [shift: bigint, pairs: number])[] {
    return [...this.#shifts].filter(([, count]) => count >= OFTEN).sort(([, a], [, b]) => b - a);
  }

  /** Counts the constant that a pair would have, before the pairs near it are told apart. */
  learn(left: MachineEvent, right: MachineEvent): void {
    const names = this.#differing(left, right);
    if (names.length === 0 || !this.#areAddresses(left, names)) return;
    const shift = shiftOf(left, right, names);
    if (shift === undefined || (this.#shifts.size >= REMEMBERED && !this.#shifts.has(shift))) return;
    this.#shifts.set(shift, (this.#shifts.get(shift) ?? 0) + 1);
  }

  /** Tells how two events of one kind differ. */
  classify(left: MachineEvent, right: MachineEvent): DifferenceClass {
    const names = this.#differing(left, right);
    this.#remember(left, right);
    if (names.length === 0) {
      return isSameTime(left, right) && differingFields(left, right).length === 0 ? "same" : "timing";
    }
    if (isCounterRead(left) && isCounterRead(right)) return "counter";
    const isValue = classOf(left.kind) === "device" && names.length === 1 && names[0] === "value";
    if (!isValue && !this.#areAddresses(left, names)) return "value";
    const shift = shiftOf(left, right, names);
    const count = shift === undefined ? 0 : this.#shifts.get(shift) ?? 0;
    const isFar = !isValue || (shift as bigint) >= PAGE || (shift as bigint) <= -PAGE;
    return count >= OFTEN && isFar ? "address" : "value";
  }

  /** The differing fields that say more than where interrupts struck. */
  #differing(left: MachineEvent, right: MachineEvent): string[] {
    const names = differingFields(left, right);
    if (names.length === 0) return names;
    if (isAsynchronous(left)) return names.filter((name) => !STRUCK.has(name));
    if (left.kind !== "exceptionReturned" || right.kind !== "exceptionReturned") return names;
    const isBack = this.#struck[0].has(left.address) && this.#struck[1].has(right.address);
    return isBack ? [] : names;
  }

  #areAddresses(event: MachineEvent, names: readonly string[]): boolean {
    const addresses = ADDRESSES[event.kind] ?? [];
    return names.every((name) => addresses.includes(name));
  }

  #remember(left: MachineEvent, right: MachineEvent): void {
    for (const [side, event] of [left, right].entries()) {
      if (event.kind !== "exceptionTaken" || event.exception === "synchronous") continue;
      const places = this.#struck[side] as Set<bigint>;
      places.delete(event.returnAddress);
      places.add(event.returnAddress);
      if (places.size > REMEMBERED) places.delete(places.values().next().value as bigint);
    }
  }
}

function isSameTime(left: MachineEvent, right: MachineEvent): boolean {
  return left.instant === right.instant && fieldsOf(left)["virtualTime"] === fieldsOf(right)["virtualTime"];
}
