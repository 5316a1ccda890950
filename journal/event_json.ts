/** Events as JSON: one line each, the same for stored and derived ones. */
import { eventSchema, type MachineEvent } from "../machine/events.ts";

function jsonValue(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return `0x${value.toString(16)}`;
  if (value instanceof Uint8Array) return value.toHex();
  return value;
}

/**
 * One line of JSON: fields in the order of the table of event kinds, 64-bit values as hexadecimal strings, bytes as
 * hexadecimal digits in memory order.
 */
export function eventToJson(event: MachineEvent): string {
  // The schema's output has its fields in table order, whoever made the event.
  return JSON.stringify(eventSchema.parse(event), jsonValue);
}
