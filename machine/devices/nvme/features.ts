/** Features of an NVMe controller (NVM Express 1.4, section 5.21): a table, and Get and Set Features over it. */
import { type FieldKind, record, u16, u32, u8 } from "../../layout.ts";
import { dword, ended, type NvmeCommand, type Outcome } from "./command.ts";
import { EVERY_NAMESPACE, NAMESPACE, NAMESPACES, TEMPERATURE } from "./identify.ts";
import { IO_QUEUES } from "./queues.ts";
import { STATUS } from "./status.ts";

const fields = {
  /** The temperature that is too high, and the one that is too low. */
  high: u16,
  low: u16,
  /** Error recovery, of the namespace. */
  recovery: u32,
  /** The volatile write cache is used. */
  cache: u8,
  /** Which conditions are events. */
  events: u32,
};

/** Fields of the section. */
export const featureFields: FieldKind<FeatureValues> = record(fields);

/** Values that features have. */
export interface FeatureValues {
  high: number;
  low: number;
  recovery: number;
  cache: number;
  events: number;
}

/** Values after a reset of the controller. */
export function initialFeatures(): FeatureValues {
  return { high: TEMPERATURE.warning, low: 0, recovery: 0, cache: 1, events: 0 };
}

/** Queues that there are of each kind, from 0. */
const ALL_QUEUES = ((IO_QUEUES - 1) << 16) | (IO_QUEUES - 1);

/** What a feature's value is by Command Dword 11, and what setting it does; a number is a status other than success. */
interface FeatureRow {
  readonly get: (values: FeatureValues, argument: number) => Outcome;
  readonly set?: (values: FeatureValues, argument: number, hasQueues: boolean) => Outcome;
  /** Each namespace has its own. */
  readonly ofNamespace?: true;
}

const value = (result: number, status: number = STATUS.success): Outcome =>
  ended(status, status === STATUS.success ? result : 0);
const done = value(0);

/** Bits of the capabilities that Select 3 shows. */
const CHANGEABLE = 4;
const OF_NAMESPACE = 2;

/** A threshold by its kind in bits 20–21 of the sensor in bits 16–19. */
function threshold(argument: number): "high" | "low" | undefined {
  return ([["high"], ["low"]] as const)[(argument >>> 20) & 3]?.[0];
}

const isComposite = (argument: number): boolean => ((argument >>> 16) & 0xf) === 0;

/** The features that there are, by their numbers. */
// deno-fmt-ignore
const FEATURES: Readonly<Record<number, FeatureRow>> = {
  0x01: { get: () => value(7) },                                  // arbitration: no limit to a burst
  0x02: { get: () => value(0) },                                  // power management
  0x04: { get: getThreshold, set: setThreshold },                 // temperature threshold
  0x05: { get: ({ recovery }) => value(recovery), set: (values, argument) => (values.recovery = argument, done), ofNamespace: true },
  0x06: { get: ({ cache }) => value(cache), set: (values, argument) => (values.cache = argument & 1, done) },
  0x07: { get: () => value(ALL_QUEUES), set: (_values, argument, hasQueues) => value(ALL_QUEUES, numberStatus(argument, hasQueues)) },
  0x08: { get: () => value(0) },                                  // interrupt coalescing
  0x09: { get: (_values, argument) => vectorOf(argument & 0xffff) },
  0x0a: { get: () => value(0) },                                  // write atomicity
  0x0b: { get: ({ events }) => value(events), set: (values, argument) => (values.events = argument, done) },
};

function getThreshold(values: FeatureValues, argument: number): Outcome {
  if (!isComposite(argument)) return done;
  const kind = threshold(argument);
  return kind === undefined ? ended(STATUS.invalidField) : value(values[kind]);
}

function setThreshold(values: FeatureValues, argument: number): Outcome {
  if (!isComposite(argument)) return done;
  const kind = threshold(argument);
  if (kind === undefined) return ended(STATUS.invalidField);
  values[kind] = argument & 0xffff;
  return done;
}

/** The number of queues is agreed on before there are any; 65,536 is what cannot be asked for. */
function numberStatus(argument: number, hasQueues: boolean): number {
  if (hasQueues) return STATUS.sequenceError;
  return (argument & 0xffff) === 0xffff || argument >>> 16 === 0xffff ? STATUS.invalidField : STATUS.success;
}

/** Interrupts of the admin queues are never held together. */
function vectorOf(vector: number): Outcome {
  if (vector > IO_QUEUES) return ended(STATUS.invalidField);
  return value(vector === 0 ? 0x1_0000 : vector);
}

/** What is wrong with the namespace that a command on a feature names; success when nothing is. */
function namespaceStatus({ ofNamespace }: FeatureRow, namespace: number, isSet: boolean): number {
  const isAll = namespace === EVERY_NAMESPACE;
  if (ofNamespace) {
    if (isSet && isAll) return STATUS.success;
    if (namespace === 0 || namespace > NAMESPACES) return STATUS.invalidNamespace;
    return namespace === NAMESPACE ? STATUS.success : STATUS.invalidField;
  }
  if (!isSet || namespace === 0 || isAll) return STATUS.success;
  return namespace > NAMESPACES ? STATUS.invalidNamespace : STATUS.featureNotOfNamespace;
}

/** Get Features. */
export function getFeature(values: FeatureValues, command: NvmeCommand): Outcome {
  const row = FEATURES[dword(command, 10) & 0xff];
  const select = (dword(command, 10) >>> 8) & 7;
  if (row === undefined) return ended(STATUS.invalidField);
  const status = namespaceStatus(row, command.namespace, false);
  if (status !== STATUS.success) return ended(status);
  const argument = dword(command, 11);
  if (select === 0) return row.get(values, argument);
  if (select < 3) return row.get(initialFeatures(), argument);
  return value((row.set ? CHANGEABLE : 0) | (row.ofNamespace ? OF_NAMESPACE : 0));
}

/** Set Features; `hasQueues` says that there are queues beside the admin queues. */
export function setFeature(values: FeatureValues, command: NvmeCommand, hasQueues: boolean): Outcome {
  if (dword(command, 10) >>> 31 !== 0) return ended(STATUS.featureNotSaveable);
  const row = FEATURES[dword(command, 10) & 0xff];
  if (row === undefined) return ended(STATUS.invalidField);
  const status = namespaceStatus(row, command.namespace, true);
  if (status !== STATUS.success) return ended(status);
  return row.set?.(values, dword(command, 11), hasQueues) ?? ended(STATUS.featureNotChangeable);
}
