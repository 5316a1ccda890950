/**
 * The journal of one virtual machine of several on one machine: what happened to it, at instants of its own. A monitor
 * that gives the CPU to one after another says so (`vcpuEntered`); what follows up to the next is that one's, and its own
 * instants are the machine's less those of others. What the monitor does for itself in between is nobody's.
 */
import { RAM_BASE } from "../machine/board.ts";
import {
  EVENT_KINDS,
  type EventClass,
  type EventKind,
  type EventOf,
  type MachineEvent,
} from "../machine/events.ts";

/** Whose an event is. */
export interface EventOwner {
  /** Number of the instance. */
  readonly instance: number;
  /** Number of the virtual machine in it. */
  readonly vm: number;
  /** Number of its virtual CPU. */
  readonly vcpu: number;
}

/** An event of a virtual machine. */
export interface ProjectedEvent extends EventOwner {
  /** The event: instant, CPU and index are its own, physical addresses are those that it knows. */
  readonly event: MachineEvent;
}

/** Classes of which nothing must be left out to find owners. */
export const PROJECTED_CLASSES: readonly EventClass[] = ["trap", "device"];

/** What a virtual machine does, or is done to it, wherever it stands. */
const OWN: ReadonlySet<EventKind> = new Set<EventKind>([
  ...[
    "exceptionTaken",
    "exceptionReturned",
    "firmwareCalled",
    "exceptionInjected",
    "registerEmulated",
  ] as const,
  ...[
    "virtualInterruptRaised",
    "virtualInterruptAcknowledged",
    "guestRegisterWritten",
    "vcpuTicked",
  ] as const,
  ...[
    "vmConsoleReceived",
    "exclusiveSet",
    "exclusiveCleared",
    "translationFaulted",
    "tlbInvalidated",
  ] as const,
  ...["stepRetired", "vectorLoopDetected"] as const,
]);
/** What is its own but where the monitor does it for itself. */
const OWN_OUTSIDE: ReadonlySet<EventKind> = new Set<EventKind>(["systemRegisterWritten"]);
/** Devices that virtual machines have are called so. */
const DEVICE = /^v[a-z]+$/;
/** Memory is given out in blocks of this size (`vmStarted`). */
const BLOCK = 2 ** 21;

interface Current extends EventOwner {
  /** Instants of the machine less its own. */
  readonly base: number;
}

/** Finds the owner of each event of a run, seen in order from power-on. */
export class OwnerFinder {
  #current: Current | undefined;
  /** Whose the step is in which the present one came. */
  #before: Current | undefined;
  #enteredAt = -1;
  #isInMonitor = false;
  /** By owner: instant and index of its last event. */
  readonly #last = new Map<number, { instant: number; index: number }>();
  readonly #memories = new Map<number, Map<number, number>>();

  /** The next event as its owner has it; undefined for what is nobody's. */
  next(event: MachineEvent): ProjectedEvent | undefined {
    if (event.kind === "vcpuEntered") this.#enter(event);
    else if (event.kind === "vmStarted") this.#remember(event);
    const isOwn = this.#isOwn(event);
    if (event.kind === "exceptionTaken") this.#isInMonitor = event.to === 2;
    else if (event.kind === "exceptionReturned") this.#isInMonitor = false;
    const isStepBefore = event.kind === "stepRetired" && event.instant === this.#enteredAt;
    const owner = isStepBefore ? this.#before : this.#current;
    return owner !== undefined && isOwn ? this.#project(event, owner) : undefined;
  }

  #enter({ instant, instance, vm, vcpu, base }: EventOf<"vcpuEntered">): void {
    if (this.#enteredAt !== instant) this.#before = this.#current;
    this.#enteredAt = instant;
    this.#current = vm === 0 ? undefined : { instance, vm, vcpu, base };
  }

  /** A virtual machine begins anew, with another memory. */
  #remember({ instance, vm, blocks }: EventOf<"vmStarted">): void {
    const key = keyOf({ instance, vm });
    this.#memories.set(key, new Map(blocks.map((block, index) => [block, RAM_BASE + index * BLOCK])));
    this.#last.delete(key);
  }

  #isOwn(event: MachineEvent): boolean {
    if (event.kind === "deviceRead" || event.kind === "deviceWritten") return DEVICE.test(event.device);
    if (event.kind === "managementCalled") return event.vm !== 0;
    return OWN.has(event.kind) || OWN_OUTSIDE.has(event.kind) && !this.#isInMonitor;
  }

  #project(event: MachineEvent, { instance, vm, vcpu, base }: Current): ProjectedEvent {
    const key = keyOf({ instance, vm }), own = event.instant - base, last = this.#last.get(key);
    const index = last?.instant === own ? last.index + 1 : 0;
    this.#last.set(key, { instant: own, index });
    const moved = { ...event, instant: own, cpu: vcpu, index };
    if (moved.kind === "exclusiveSet" || moved.kind === "exclusiveCleared") {
      const block = this.#memories.get(key)?.get(Math.floor(moved.address / BLOCK)) ?? 0;
      return { instance, vm, vcpu, event: { ...moved, address: block + moved.address % BLOCK } };
    }
    return { instance, vm, vcpu, event: moved };
  }
}

function keyOf({ instance, vm }: Pick<EventOwner, "instance" | "vm">): number {
  return instance * 2 ** 16 + vm;
}

/** The events of an instance, or of one virtual machine of it, in the order of a run's events from power-on. */
export function* projectedEvents(
  events: Iterable<MachineEvent>,
  instance: number,
  vm?: number,
): Generator<ProjectedEvent> {
  const finder = new OwnerFinder();
  for (const event of events) {
    const projected = finder.next(event);
    if (projected === undefined || projected.instance !== instance) continue;
    if (vm === undefined || projected.vm === vm) yield projected;
  }
}

/** 64-bit values as hexadecimal strings, bytes as hexadecimal digits, as everywhere in JSON of events. */
function jsonValue(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return `0x${value.toString(16)}`;
  return value instanceof Uint8Array ? value.toHex() : value;
}

/** One line of JSON: owner, address and fields in the order of the table of kinds; equal for equal events. */
export function projectedJson({ instance, vm, vcpu, event }: ProjectedEvent): string {
  const { kind, instant, index } = event, given = event as unknown as Readonly<Record<string, unknown>>;
  const fields = Object.keys(EVENT_KINDS[kind].fields).map((name) => [name, given[name]] as const);
  return JSON.stringify(
    { instance, vm, vcpu, instant, index, kind, ...Object.fromEntries(fields) },
    jsonValue,
  );
}
