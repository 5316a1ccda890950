/** The commands of an Interrupt Translation Service (Arm IHI 0069, section 5.3), as a table. */
import type { Dma } from "./dma.ts";
import {
  decodeCollection,
  decodeDevice,
  type DeviceEntry,
  encodeCollection,
  encodeDevice,
  ITS_ID_BITS,
  type ItsTable,
  readTranslation,
  type Translation,
  writeTranslation,
} from "./gic_v3_its_tables.ts";
import { ID_BITS, LPI_BASE, type LpiTarget } from "./gic_v3_lpi.ts";

/** What commands work on. */
export interface ItsContext {
  /** Name of what events say was the cause of an interrupt. */
  readonly source: string;
  /** The door to memory. */
  readonly dma: Dma;
  /** Where interrupts go. */
  readonly lpis: LpiTarget;
  /** The device table. */
  readonly devices: ItsTable;
  /** The collection table. */
  readonly collections: ItsTable;
  /** Whether what has been done is enough for one access. */
  readonly isEnough: () => boolean;
}

/** Four doublewords of the queue. */
export type Command = readonly [bigint, bigint, bigint, bigint];

/**
 * A command that is wrong is passed over, as in QEMU 7.2; one whose tables are not in memory stalls the queue. Both are
 * among the behaviours that section 5.3.1 allows. An unfinished one does the rest when it is run again.
 */
export type CommandResult = "done" | "stall" | "unfinished";

/** An interrupt as it is routed now. */
interface Route {
  readonly device: DeviceEntry;
  readonly translation: Translation;
  readonly cpu: number;
}

const low32 = (value: bigint): number => Number(value & 0xffff_ffffn);
const high32 = (value: bigint): number => Number(value >> 32n);
const isValid = (value: bigint): boolean => value >> 63n !== 0n;
/** RDbase, bits 50:16: the processor number. */
const target = (value: bigint): number => Number(value >> 16n & 0x7_ffff_ffffn);
const collectionOf = (value: bigint): number => Number(value & 0xffffn);

/** The CPU of a collection: undefined when it is not mapped to one that exists. */
function cpuOf({ collections, lpis }: ItsContext, collection: number): number | undefined | "stall" {
  const entry = collections.read(collection);
  if (entry === "stall") return "stall";
  const cpu = decodeCollection(entry);
  return cpu === undefined || cpu >= lpis.cpuCount ? undefined : cpu;
}

/** The device whose events include this one: undefined when there is none. */
function deviceOf({ devices }: ItsContext, device: number, event: number): DeviceEntry | undefined | "stall" {
  const entry = devices.read(device);
  if (entry === "stall") return "stall";
  const decoded = decodeDevice(entry);
  return decoded === undefined || event >= decoded.events ? undefined : decoded;
}

/** Follows device, translation and collection; undefined where one of them is not mapped. */
function routeOf(its: ItsContext, device: number, event: number): Route | undefined | "stall" {
  const entry = deviceOf(its, device, event);
  if (entry === undefined || entry === "stall") return entry;
  const translation = readTranslation(its.dma, entry, event);
  if (translation === undefined || translation === "stall") return translation;
  const cpu = cpuOf(its, translation.collection);
  return cpu === undefined || cpu === "stall" ? cpu : { device: entry, translation, cpu };
}

/** Does something with the route of the command's DeviceID and EventID, if there is one. */
function routed(
  act: (its: ItsContext, route: Route, event: number, command: Command) => CommandResult | void,
) {
  return (its: ItsContext, command: Command): CommandResult => {
    const event = low32(command[1]);
    const route = routeOf(its, high32(command[0]), event);
    if (route === "stall") return "stall";
    return (route === undefined ? undefined : act(its, route, event, command)) ?? "done";
  };
}

function mapDevice({ devices }: ItsContext, [first, size, table]: Command): CommandResult {
  const eventBits = Number(size & 0x1fn) + 1;
  const device = high32(first);
  // Too large a size makes the command wrong even without Valid, in QEMU.
  if (eventBits > ITS_ID_BITS) return "done";
  return devices.write(device, encodeDevice(isValid(table) ? { eventBits, table } : undefined));
}

function mapCollection({ collections, lpis }: ItsContext, [, , fields]: Command): CommandResult {
  const cpu = target(fields);
  if (isValid(fields) && cpu >= lpis.cpuCount) return "done";
  return collections.write(collectionOf(fields), encodeCollection(isValid(fields) ? cpu : undefined));
}

/** MAPTI, or MAPI, whose interrupt has the number of the event. */
function mapTranslation(hasInterrupt: boolean) {
  return (its: ItsContext, [first, second, third]: Command): CommandResult => {
    const event = low32(second);
    const interrupt = hasInterrupt ? high32(second) : event;
    const collection = collectionOf(third);
    const device = deviceOf(its, high32(first), event);
    if (device === "stall") return "stall";
    if (device === undefined || interrupt < LPI_BASE || interrupt >= 2 ** ID_BITS) return "done";
    if (collection >= its.collections.count) return "done";
    return writeTranslation(its.dma, device, event, { collection, interrupt });
  };
}

function moveInterrupt(
  its: ItsContext,
  { device, translation, cpu }: Route,
  event: number,
  [, , fields]: Command,
): CommandResult {
  const collection = collectionOf(fields);
  const to = cpuOf(its, collection);
  if (to === "stall") return "stall";
  if (to === undefined) return "done";
  if (to !== cpu) its.lpis.move(cpu, to, translation.interrupt, its.source);
  return writeTranslation(its.dma, device, event, { ...translation, collection });
}

function moveAll({ lpis, source, isEnough }: ItsContext, [, , first, second]: Command): CommandResult {
  const from = target(first), to = target(second);
  if (from >= lpis.cpuCount || to >= lpis.cpuCount || from === to) return "done";
  return lpis.moveAll(from, to, source, isEnough) ? "done" : "unfinished";
}

function invalidateAll(its: ItsContext, [, , fields]: Command): CommandResult {
  const cpu = cpuOf(its, collectionOf(fields));
  if (typeof cpu === "number") its.lpis.configurationChanged(cpu, "all");
  return cpu === "stall" ? "stall" : "done";
}

function setPending(pending: boolean) {
  return ({ lpis, source }: ItsContext, { translation, cpu }: Route): void =>
    lpis.setPending(cpu, translation.interrupt, pending, source);
}

/** By the number in bits 7:0 of the first doubleword; the others are of GICv4, and passed over. */
// deno-fmt-ignore
const COMMANDS: ReadonlyMap<number, (its: ItsContext, command: Command) => CommandResult> = new Map([
  /* MOVI    */ [0x01, routed(moveInterrupt)],
  /* INT     */ [0x03, routed(setPending(true))],
  /* CLEAR   */ [0x04, routed(setPending(false))],
  /* SYNC    */ [0x05, () => "done"],
  /* MAPD    */ [0x08, mapDevice],
  /* MAPC    */ [0x09, mapCollection],
  /* MAPTI   */ [0x0a, mapTranslation(true)],
  /* MAPI    */ [0x0b, mapTranslation(false)],
  /* INV     */ [0x0c, routed(({ lpis }, { translation, cpu }) => lpis.configurationChanged(cpu, translation.interrupt))],
  /* INVALL  */ [0x0d, invalidateAll],
  /* MOVALL  */ [0x0e, moveAll],
  /* DISCARD */ [0x0f, routed((its, route, event) => {
    setPending(false)(its, route);
    return writeTranslation(its.dma, route.device, event, undefined);
  })],
]);

/** Carries out a command. */
export function runCommand(its: ItsContext, command: Command): CommandResult {
  return COMMANDS.get(Number(command[0] & 0xffn))?.(its, command) ?? "done";
}

/** A message: makes the LPI of a device's event pending, if it is mapped. */
export function translate(its: ItsContext, device: number, event: number): void {
  const route = routeOf(its, device, event);
  if (typeof route === "object") setPending(true)(its, route);
}
