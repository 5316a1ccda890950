/** The table of event kinds: everything that happens in the machine, as immutable facts in the past tense. */
import { z } from "zod";
import { ACCESS_LOG_CAPACITY, AccessLog } from "./access_log.ts";
import type { Clock } from "./clock.ts";
import { type EventClass, kind } from "./event_kind.ts";
import {
  bytes,
  type ByteWriter,
  type FieldKind,
  type Fields,
  flag,
  lazySchema,
  listOf,
  type NumberForm,
  oneOf,
  record,
  type Schema,
  text,
  u16,
  u32,
  u53,
  u64,
  u8,
  type ValueOf,
} from "./layout.ts";
import { MONITOR_EVENT_KINDS } from "./monitor_events.ts";
import { type Section, sectionLayout } from "./snapshot.ts";

export type { EventClass };

const exceptionKind = oneOf("synchronous", "irq", "fiq", "serror");
const registerEffect = record({ register: u8, value: u64 });
const memoryEffect = record({ write: flag, address: u64, size: u8, value: bytes(64) });

/**
 * Every kind of event with its class and its fields in canonical order; the order of rows and fields is part
 * of the history root, so new rows go to the end. `instant`, `cpu` and `index` are in every event.
 */
// deno-fmt-ignore
export const EVENT_KINDS = {
  // Inputs: all that comes from outside. `virtualTime` is the time of delivery in nanoseconds.
  consoleReceived:       kind("input",  { virtualTime: u53, bytes: bytes(65536) }),
  interruptInjected:     kind("input",  { virtualTime: u53, interrupt: u16 }),
  cpuSwitchForced:       kind("input",  { virtualTime: u53, target: u8 }),
  timeScaleChanged:      kind("input",  { virtualTime: u53, numerator: u32, denominator: u32 }),
  powerCut:              kind("input",  { virtualTime: u53 }),
  memoryPatched:         kind("input",  { virtualTime: u53, address: u53, bytes: bytes(65536) }),
  registerPatched:       kind("input",  { virtualTime: u53, target: u8, register: text(32), value: u64 }),
  // Traps.
  exceptionTaken:        kind("trap",   { exception: exceptionKind, from: u8, to: u8, syndrome: u64, faultAddress: u64, faultIpa: u64, returnAddress: u64, savedState: u64, vector: u64 }),
  exceptionReturned:     kind("trap",   { from: u8, to: u8, address: u64, state: u64 }),
  firmwareCalled:        kind("trap",   { conduit: oneOf("hvc", "smc"), function: u32, arguments: listOf(u64, 8), result: u64 }),
  semihostingCalled:     kind("trap",   { operation: u32, parameter: u64, result: u64 }),
  machineReset:          kind("trap",   {}),
  machinePoweredOff:     kind("trap",   { exitCode: u32 }),
  // Device accesses by a CPU.
  deviceRead:            kind("device", { device: text(32), address: u53, size: u8, value: u64 }),
  deviceWritten:         kind("device", { device: text(32), address: u53, size: u8, value: u64 }),
  // Details, cheap to derive.
  timeSkipped:           kind("detail", { from: u53, to: u53 }),
  cpuSwitched:           kind("detail", { from: u8, to: u8, reason: oneOf("quantum", "yield", "wait", "stop", "forced") }),
  interruptRaised:       kind("detail", { interrupt: u16, source: text(32) }),
  interruptAcknowledged: kind("detail", { interrupt: u16 }),
  systemRegisterWritten: kind("detail", { register: text(32), value: u64 }),
  translationFaulted:    kind("detail", { address: u64, status: u8, level: u8, stage: u8, write: flag }),
  tlbInvalidated:        kind("detail", { operation: text(32), operand: u64 }),
  exclusiveSet:          kind("detail", { address: u53, size: u8 }),
  exclusiveCleared:      kind("detail", { address: u53, reason: oneOf("exceptionReturn", "storeExclusive", "otherStore", "clearExclusive", "newReservation") }),
  cpuStarted:            kind("detail", { entry: u64, context: u64 }),
  cpuStopped:            kind("detail", {}),
  cpuIdled:              kind("detail", { waiting: oneOf("interrupt", "event") }),
  cpuWoken:              kind("detail", { reason: oneOf("interrupt", "event", "eventStream", "monitorCleared") }),
  // One per step; register numbers: 0–30 X, 33 SP, 64 NZCV, 128+n Vn low half, 160+n Vn high half.
  stepRetired:           kind("step",   { pc: u64, opcode: u32, level: u8, registers: listOf(registerEffect, 64), memory: listOf(memoryEffect, 64) }),
  // Strict models: a missing maintenance instruction or barrier let something old be used; `present` is what there is now.
  // Translations are in the format of PAR_EL1. `reader` says who read the memory or cache: a CPU, a table walk, a device.
  staleTranslationUsed:    kind("detail", { address: u64, access: oneOf("read", "write", "execute", "maintain"), used: u64, present: u64 }),
  breakBeforeMakeViolated: kind("detail", { address: u64, cachedSize: u53, presentSize: u53 }),
  staleInstructionFetched: kind("detail", { address: u64, physical: u53, used: u32, present: u32 }),
  staleDataRead:           kind("detail", { reader: oneOf("cpu", "walk", "device"), address: u53, used: bytes(64), present: bytes(64) }),
  staleDataWritten:        kind("detail", { address: u53, written: bytes(64), replaced: bytes(64) }),
  staleRegisterUsed:       kind("detail", { register: text(32), used: u64, written: u64 }),
  // Networks: a frame from outside is an input; the machine's own peer's frames are derived.
  networkFrameReceived:    kind("input",  { virtualTime: u53, network: text(32), bytes: bytes(65536) }),
  networkFrameTransmitted: kind("detail", { network: text(32), bytes: bytes(65536) }),
  networkFrameDelivered:   kind("detail", { network: text(32), bytes: bytes(65536) }),
  // Devices at work: `device` and `disk` are names of the board.
  memoryReadByDevice:      kind("detail", { device: text(32), address: u53, size: u32 }),
  memoryWrittenByDevice:   kind("detail", { device: text(32), address: u53, size: u32 }),
  messageSignalled:        kind("detail", { device: text(32), address: u53, data: u32 }),
  diskRead:                kind("detail", { disk: text(32), offset: u53, size: u32 }),
  diskWritten:             kind("detail", { disk: text(32), offset: u53, size: u32 }),
  diskFlushed:             kind("detail", { disk: text(32) }),
  // The operator presses the power key, which comes up by itself.
  powerButtonPressed:      kind("input",  { virtualTime: u53 }),
  // The operator asks something of a monitor, by the name of a system and what it takes.
  monitorCommanded:      kind("input",  { virtualTime: u53, level: u8, command: text(256) }),
  ...MONITOR_EVENT_KINDS,
} as const;

/** The name of an event kind. */
export type EventKind = keyof typeof EVENT_KINDS;

/** The fields of an event of kind K, beside its address. */
export type EventFields<K extends EventKind> = ValueOf<(typeof EVENT_KINDS)[K]["fields"]>;

/** Where an event is in a run: instant, CPU, and its index among the events of that instant. */
export interface EventAddress {
  /** Steps the whole machine had taken before the step to which the event belongs. */
  readonly instant: number;
  /** The CPU concerned. */
  readonly cpu: number;
  /** Counts the events of one instant, from 0; the step's own event is its last. */
  readonly index: number;
}

/** An event of kind K. */
export type EventOf<K extends EventKind> = Readonly<{ kind: K } & EventAddress & EventFields<K>>;

/** Any event. */
export type MachineEvent = { [K in EventKind]: EventOf<K> }[EventKind];

/** The kinds of a class. */
export type KindsOfClass<C extends EventClass> = {
  [K in EventKind]: (typeof EVENT_KINDS)[K]["class"] extends C ? K : never;
}[EventKind];

/** The kinds that are inputs. */
export type InputKind = KindsOfClass<"input">;

/** An input as it stands in the journal. */
export type InputEvent = { [K in InputKind]: EventOf<K> }[InputKind];

/** An input before it is stamped: what an operator, a terminal or a script asks for. */
export type Input = {
  [K in InputKind]: Readonly<{ kind: K } & Omit<EventFields<K>, "virtualTime">>;
}[InputKind];

/** The names of all event kinds, in table order. */
export const EVENT_KIND_NAMES: readonly EventKind[] = Object.keys(EVENT_KINDS) as EventKind[];

/** Number of a kind in canonical bytes. */
const NUMBER_OF_KIND = new Map<string, number>(EVENT_KIND_NAMES.map((name, index) => [name, index]));

const LAYOUTS = new Map<string, FieldKind<Record<string, unknown>>>(
  EVENT_KIND_NAMES.map((
    name,
  ) => [name, record(EVENT_KINDS[name].fields) as unknown as FieldKind<Record<string, unknown>>]),
);

/** The class of an event kind. */
export function classOf(name: EventKind): EventClass {
  return EVENT_KINDS[name].class;
}

function schemaOf(name: EventKind): z.ZodType {
  const fields: Record<string, FieldKind<unknown>> = {
    instant: u53 as FieldKind<unknown>,
    cpu: u8 as FieldKind<unknown>,
    index: u32 as FieldKind<unknown>,
    ...EVENT_KINDS[name].fields,
  };
  const schemas = Object.entries(fields).map(([field, { schema }]) => [field, schema as z.ZodType]);
  return z.strictObject({ kind: z.literal(name), ...Object.fromEntries(schemas) });
}

function schemaOfAny<T>(names: readonly EventKind[]): Schema<T> {
  return z.discriminatedUnion("kind", names.map(schemaOf) as never) as unknown as Schema<T>;
}

/** The zod description of any event: one discriminated union over `kind`. */
export const eventSchema: Schema<MachineEvent> = lazySchema(() => schemaOfAny(EVENT_KIND_NAMES));

/** The zod description of an input event. */
export const inputSchema: Schema<InputEvent> = lazySchema(() =>
  schemaOfAny(EVENT_KIND_NAMES.filter((name) => classOf(name) === "input"))
);

/** The fields of some event, by name. */
export type AnyFields = Readonly<Record<string, unknown>>;

/** Appends the canonical bytes of an event: number of kind, instant, CPU, index, fields in table order. */
export function writeEvent(writer: ByteWriter, event: MachineEvent): void {
  writeEventParts(writer, event.kind, event.instant, event.cpu, event.index, event as unknown as AnyFields);
}

/** The same for an event in parts. */
export function writeEventParts(
  writer: ByteWriter,
  name: EventKind,
  instant: number,
  cpu: number,
  index: number,
  fields: AnyFields,
): void {
  writer.u8(NUMBER_OF_KIND.get(name) as number);
  writer.u53(instant);
  writer.u8(cpu);
  writer.u32(index);
  LAYOUTS.get(name)?.write(writer, fields);
}

/** What the fields of a kind are, in table order, if each is one number. */
function formsOf(name: EventKind): readonly NumberForm[] | undefined {
  const forms = Object.values(EVENT_KINDS[name].fields as Fields).map(({ form }) => form);
  return forms.includes(undefined) ? undefined : forms as NumberForm[];
}

const FORMS = new Map<string, readonly NumberForm[] | undefined>(
  EVENT_KIND_NAMES.map((name) => [name, formsOf(name)]),
);

/** Whether all fields of a kind are numbers. */
export function hasNumberForms(name: EventKind): boolean {
  return FORMS.get(name) !== undefined;
}

/** The same, for `emitWords` and `observeWords`; throws RangeError for a kind that has other fields. */
export function numberForms(name: EventKind): readonly NumberForm[] {
  const forms = FORMS.get(name);
  if (forms === undefined) {
    throw new RangeError(`Cannot have ${name} in words: not all its fields are numbers`);
  }
  return forms;
}

/** Bytes of each field of such a kind in its layout. */
const WIDTHS: ReadonlyMap<string, Uint8Array> = new Map(
  EVENT_KIND_NAMES.filter((name) => FORMS.get(name) !== undefined).map((name) => [
    name,
    Uint8Array.from(numberForms(name), (form) => typeof form === "string" ? Number(form.slice(1)) / 8 : 1),
  ]),
);

/** As `writeEventParts`, with fields in words. */
export function writeEventWords(
  writer: ByteWriter,
  name: EventKind,
  instant: number,
  cpu: number,
  index: number,
  words: Uint32Array,
): void {
  writer.u8(NUMBER_OF_KIND.get(name) as number);
  writer.u53(instant);
  writer.u8(cpu);
  writer.u32(index);
  writer.numbers(WIDTHS.get(name) as Uint8Array, words);
}

/** Fields as values that stand in words. */
function fieldsOfWords(name: EventKind, words: Uint32Array): AnyFields {
  const forms = numberForms(name);
  const valueOf = (form: NumberForm, low: number, high: number) => {
    if (form === "u64") return BigInt(high) << 32n | BigInt(low);
    return typeof form === "string" ? low : form[low];
  };
  const names = Object.keys(EVENT_KINDS[name].fields);
  return Object.fromEntries(
    forms.map((form, at) => [
      names[at] as string,
      valueOf(form, words[at * 2] as number, words[at * 2 + 1] as number),
    ]),
  );
}

/** Something that listens to the machine. */
export interface EventObserver {
  /** Only events of these classes are delivered. */
  readonly classes: readonly EventClass[];
  /** Called in order, within the step; must not touch the machine. */
  observe(event: MachineEvent): void;
  /** Called instead where it is there, for those who keep nothing of an event: then no object is made for it. */
  observeParts?(kind: EventKind, instant: number, cpu: number, index: number, fields: AnyFields): void;
  /**
   * Called instead for an event that comes in words: each field in two of 32 bits, the low half first. They are good
   * during the call only.
   */
  observeWords?(kind: EventKind, instant: number, cpu: number, index: number, words: Uint32Array): void;
  /** Called instead, if it is there for all who take accesses, for one of a CPU: they come by the million. */
  observeAccess?(access: DeviceAccess, instant: number, index: number, value: number): void;
  /**
   * Called instead, if it is there for all who take accesses, for many: in order, but late, before the next event that
   * is no such access or when `EventHub.deliver` is called. The log is good during the call only.
   */
  observeAccesses?(log: AccessLog): void;
}

/** What accesses to a register have in common; equal ones are mostly the same object. */
export interface DeviceAccess {
  /** Which way. */
  readonly kind: KindsOfClass<"device">;
  /** The CPU that accesses. */
  readonly cpu: number;
  /** Name of the device. */
  readonly device: string;
  /** Physical address. */
  readonly address: number;
  /** Bytes: 1, 2 or 4. */
  readonly size: number;
}

const layout = sectionLayout("events", 1, { nextIndex: u32 });

/** Delivers events to observers and numbers them; the numbering does not depend on who listens. */
export class EventHub {
  #observers: EventObserver[] = [];
  #listening: Record<EventClass, EventObserver[]> = { input: [], trap: [], device: [], detail: [], step: [] };
  #instant = -1;
  #index = 0;
  /** True when an observer takes `stepRetired`; engines then gather the effects of each step. */
  wantsSteps = false;

  /** True when an observer takes details; quick paths then leave what would be an event to the slow ones. */
  wantsDetails = false;

  /** All who take accesses to devices take them as numbers, and need not see the machine as it is meanwhile. */
  takesNumbers = true;

  /** Accesses that were not delivered yet; undefined where somebody wants each when it happens. */
  #log: AccessLog | undefined = new AccessLog();

  /** Called before and after events, as many as there are, are made and delivered; for whoever measures. */
  delivering: (begins: boolean, count: number) => void = () => {};

  /** Events are stamped with this clock's instant. */
  constructor(private readonly clock: Clock) {}

  /** Adds an observer, after those already there. */
  add(observer: EventObserver): void {
    this.#observers.push(observer);
    this.#rebuild();
  }

  /** Removes an observer. */
  remove(observer: EventObserver): void {
    this.#observers = this.#observers.filter((other) => other !== observer);
    this.#rebuild();
  }

  #rebuild(): void {
    this.deliver();
    for (const eventClass of Object.keys(this.#listening) as EventClass[]) {
      this.#listening[eventClass] = this.#observers.filter(({ classes }) => classes.includes(eventClass));
    }
    this.wantsSteps = this.#listening.step.length > 0;
    this.wantsDetails = this.#listening.detail.length > 0;
    const { device } = this.#listening;
    this.takesNumbers = device.every(({ observeAccess }) => observeAccess !== undefined);
    const gathers = device.every(({ observeAccesses }) => observeAccesses !== undefined);
    this.#log = gathers && this.takesNumbers ? this.#log ?? new AccessLog() : undefined;
  }

  /** The number the next event of this instant will get. */
  get nextIndex(): number {
    return this.#instant === this.clock.instant ? this.#index : 0;
  }

  /** Where numbering stands: between two steps some events of the instant may have happened, inputs at least. */
  save(): Section {
    return layout.encode("events", { nextIndex: this.nextIndex });
  }

  /** Restores what `save` gave; the clock must have been restored before. */
  restore(section: Section): void {
    this.#index = layout.decode(section).nextIndex;
    this.#instant = this.clock.instant;
  }

  /** The number of an event that happens now. */
  #number(): number {
    const { instant } = this.clock;
    if (instant !== this.#instant) {
      this.#instant = instant;
      this.#index = 0;
    }
    return this.#index++;
  }

  /** As `emit`, for events that are many: fields in words (see `EventObserver.observeWords`). */
  emitWords(name: EventKind, cpu: number, words: Uint32Array): void {
    const index = this.#number(), { instant } = this.clock;
    const listeners = this.#listening[EVENT_KINDS[name].class];
    if (listeners.length === 0) return;
    this.deliver();
    this.delivering(true, 1);
    let fields: AnyFields | undefined;
    for (const observer of listeners) {
      if (observer.observeWords !== undefined) observer.observeWords(name, instant, cpu, index, words);
      else {
        fields ??= fieldsOfWords(name, words);
        if (observer.observeParts !== undefined) observer.observeParts(name, instant, cpu, index, fields);
        else observer.observe({ kind: name, instant, cpu, index, ...fields } as unknown as MachineEvent);
      }
    }
    this.delivering(false, 0);
  }

  /** Delivers accesses that wait; to be called before anybody looks at what observers have made of the events. */
  deliver(): void {
    const log = this.#log;
    if (log === undefined || log.count === 0) return;
    this.delivering(true, log.count);
    for (const observer of this.#listening.device) observer.observeAccesses?.(log);
    log.clear();
    this.delivering(false, 0);
  }

  /** Records an access to a device that happens now. */
  emitAccess(access: DeviceAccess, value: number): void {
    if (!this.takesNumbers) {
      const { kind, cpu, device, address, size } = access;
      return this.emit(kind, cpu, { device, address, size, value: BigInt(value) });
    }
    const index = this.#number(), { instant } = this.clock, listeners = this.#listening.device;
    if (listeners.length === 0) return;
    const log = this.#log;
    if (log !== undefined) {
      log.add(access, instant, index, value);
      if (log.count === ACCESS_LOG_CAPACITY) this.deliver();
      return;
    }
    this.delivering(true, 1);
    for (let at = 0; at < listeners.length; at++) {
      (listeners[at] as EventObserver).observeAccess?.(access, instant, index, value);
    }
    this.delivering(false, 0);
  }

  /** Records that something happened, now, on `cpu`. */
  emit<K extends EventKind>(name: K, cpu: number, fields: EventFields<K>): void {
    const index = this.#number(), { instant } = this.clock;
    const listeners = this.#listening[EVENT_KINDS[name].class];
    if (listeners.length === 0) return;
    this.deliver();
    this.delivering(true, 1);
    let event: MachineEvent | undefined;
    for (const observer of listeners) {
      if (observer.observeParts !== undefined) observer.observeParts(name, instant, cpu, index, fields);
      else {
        event ??= { kind: name, instant, cpu, index, ...fields } as unknown as MachineEvent;
        observer.observe(event);
      }
    }
    this.delivering(false, 0);
  }
}
