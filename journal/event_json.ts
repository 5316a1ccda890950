/** Events as JSON: one line each, the same for stored and derived ones. */
import type { MachineEvent } from "../machine/events.ts";

function jsonValue(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return `0x${value.toString(16)}`;
  if (value instanceof Uint8Array) return value.toHex();
  return value;
}

/** One line of JSON: 64-bit values as hexadecimal strings, bytes as hexadecimal digits in memory order. */
export function eventToJson(event: MachineEvent): string {
  return JSON.stringify(event, jsonValue);
}
