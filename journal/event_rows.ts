/** Events as rows of values: the form in which they stand in blocks, checked by zod when read. */
import { type AnyFields, type EventKind, eventSchema, type MachineEvent } from "../machine/events.ts";
import { z } from "zod";
import { equalBytes } from "./hash.ts";
import { FIELD_NAMES } from "./row_packer.ts";

/** An event as stored: name of the kind, instant, cpu, index, then its fields in table order. */
export type EventRow = readonly unknown[];

/** Lays an event out as a row. */
export function rowOfEvent(event: MachineEvent): EventRow {
  const fields = event as unknown as Record<string, unknown>;
  return [
    event.kind,
    event.instant,
    event.cpu,
    event.index,
    ...(FIELD_NAMES.get(event.kind) as readonly string[]).map((name) => fields[name]),
  ];
}

const rowSchema = z.array(z.unknown()).min(4).max(32);

/** Reads a row back; throws z.ZodError or RangeError when it is no event. */
export function eventOfRow(row: unknown): MachineEvent {
  const [kind, instant, cpu, index, ...values] = rowSchema.parse(row);
  const names = typeof kind === "string" ? FIELD_NAMES.get(kind) : undefined;
  if (names === undefined || names.length !== values.length) {
    throw new RangeError(
      `Cannot read an event: kind ${String(kind)} with ${values.length} fields is unknown`,
    );
  }
  const event: Record<string, unknown> = { kind, instant, cpu, index };
  for (const [position, name] of names.entries()) event[name] = values[position];
  return eventSchema.parse(event);
}

function areSame(left: unknown, right: unknown): boolean {
  if (left === right) return true;
  if (left instanceof Uint8Array && right instanceof Uint8Array) return equalBytes(left, right);
  if (!Array.isArray(left) || !Array.isArray(right) || left.length !== right.length) return false;
  return left.every((value, index) => areSame(value, right[index]));
}

/** Whether a row is that of an event, given in parts. */
export function isRowOf(
  row: EventRow,
  kind: EventKind,
  instant: number,
  cpu: number,
  index: number,
  fields: AnyFields,
): boolean {
  if (row[0] !== kind || row[1] !== instant || row[2] !== cpu || row[3] !== index) return false;
  const names = FIELD_NAMES.get(kind) as readonly string[];
  if (row.length !== 4 + names.length) return false;
  for (let at = 0; at < names.length; at++) {
    if (!areSame(row[4 + at], fields[names[at] as string])) return false;
  }
  return true;
}
