/** What a row of a table of event kinds is. */
import type { FieldKind } from "./layout.ts";

/**
 * What decides whether an event is stored or derived (design: depths of a journal):
 * inputs are always stored; traps and device accesses at depth `traps`; everything at depth `steps`.
 * Inputs, traps and device accesses enter the history root at every depth.
 */
export type EventClass = "input" | "trap" | "device" | "detail" | "step";

/** A kind of event: its class and its fields in canonical order. */
export interface EventKindRow<C extends EventClass, F extends Record<string, unknown>> {
  /** Its class. */
  readonly class: C;
  /** Its fields, each a FieldKind. */
  readonly fields: F;
}

/** A row of a table of event kinds. */
export function kind<C extends EventClass, F extends Record<string, FieldKind<never> | FieldKind<unknown>>>(
  eventClass: C,
  fields: F,
): EventKindRow<C, F> {
  return { class: eventClass, fields };
}
