/** Where in the program an event happened, and what kind of exception it tells of. */
import { EXCEPTION_CLASS, type ExceptionClass } from "../machine/cpu/syndrome.ts";
import type { EventKind, EventOf, MachineEvent } from "../machine/events.ts";

/** The field that says where in the program an event of a kind happened. */
export const PLACES: { readonly [K in EventKind]?: keyof EventOf<K> } = {
  stepRetired: "pc",
  exceptionTaken: "returnAddress",
  exceptionReturned: "address",
  cpuStarted: "entry",
  translationFaulted: "address",
  staleTranslationUsed: "address",
  staleInstructionFetched: "address",
};

/** The virtual address at which an event happened, where it has one. */
export function placeOf(event: MachineEvent): bigint | undefined {
  const name = PLACES[event.kind];
  return name === undefined ? undefined : (event as unknown as Record<string, bigint>)[name];
}

const CLASS_NAMES: ReadonlyMap<number, ExceptionClass> = new Map(
  (Object.entries(EXCEPTION_CLASS) as [ExceptionClass, number][]).map(([name, number]) => [number, name]),
);

/** What an exception can be by {@linkcode exceptionClassOf}, but for classes that this table does not name. */
export const EXCEPTION_CLASS_NAMES: readonly string[] = [
  ...Object.keys(EXCEPTION_CLASS),
  "irq",
  "fiq",
  "serror",
];

/** Of a synchronous exception the name of ESR_ELx.EC (Arm ARM D17.2.37), of others `irq`, `fiq` or `serror`. */
export function exceptionClassOf(event: EventOf<"exceptionTaken">): string {
  if (event.exception !== "synchronous") return event.exception;
  const number = Number(event.syndrome >> 26n & 0x3fn);
  return CLASS_NAMES.get(number) ?? `0x${number.toString(16)}`;
}

/** The name of a register in a step's effects. */
export function registerName(number: number): string {
  if (number < 31) return `x${number}`;
  if (number === 33) return "sp";
  if (number === 64) return "nzcv";
  if (number >= 160) return `v${number - 160}.high`;
  return number >= 128 ? `v${number - 128}.low` : `register ${number}`;
}
