/** Reading of resource templates, as texts that say what each descriptor does (ACPI 6.3, 6.4). */
import { DESCRIPTORS } from "./resources.ts";

/** A descriptor. */
export interface Resource {
  /** What it is. */
  readonly kind: keyof typeof DESCRIPTORS;
  /** Its fields. */
  readonly fields: Readonly<Partial<Record<string, bigint>>>;
  /** What it means, in words. */
  readonly text: string;
  /** Pins of a GPIO's. */
  readonly pins?: readonly number[];
  /** A GPIO's controller. */
  readonly source?: string;
}

const hex = (value: bigint | undefined): string => `0x${(value ?? 0n).toString(16)}`;
const KIND_BY_TAG = new Map(
  Object.entries(DESCRIPTORS).map((
    [kind, { fields }],
  ) => [Number(fields[0]?.initial), kind as keyof typeof DESCRIPTORS]),
);
const SPACES = ["memory", "io", "bus"];
const END_TAG = 0x79;

function textOf(kind: keyof typeof DESCRIPTORS, fields: Readonly<Partial<Record<string, bigint>>>): string {
  const flags = Number(fields.flags ?? 0n);
  switch (kind) {
    case "memory32Fixed":
      return `memory ${hex(fields.base)}+${hex(fields.size)}`;
    case "interrupt":
      return `interrupt ${fields.interrupt} ${flags & 2 ? "edge" : "level"} ${flags & 4 ? "low" : "high"}`;
    case "gpio":
      return `gpio ${fields.kind === 0n ? "interrupt" : "io"} flags ${hex(fields.flags)} pull ${fields.pull}`;
    default: {
      const space = SPACES[Number(fields.type)] ?? hex(fields.type),
        role = Number(fields.general) & 1 ? "consumed" : "produced";
      const range = `${hex(fields.minimum)}..${hex(fields.maximum)} size ${hex(fields.size)}`;
      return `${space} ${range} translation ${hex(fields.translation)} flags ${hex(fields.specific)} ${role}`;
    }
  }
}

/** The descriptors of a template; undefined when the bytes are none. */
export function readResources(bytes: Uint8Array): Resource[] | undefined {
  const found: Resource[] = [];
  for (let at = 0; at < bytes.length;) {
    if (bytes[at] === END_TAG) return at + 2 === bytes.length ? found : undefined;
    const kind = KIND_BY_TAG.get(bytes[at] as number),
      length = (bytes[at + 1] ?? 0) | (bytes[at + 2] ?? 0) << 8;
    if (kind === undefined || at + 3 + length > bytes.length) return undefined;
    const layout = DESCRIPTORS[kind], own = bytes.subarray(at, at + 3 + length);
    if (kind === "gpio" ? own.length < layout.size : own.length !== layout.size) return undefined;
    const fields: Readonly<Partial<Record<string, bigint>>> = layout.decode(own);
    found.push({ kind, fields, text: textOf(kind, fields), ...(kind === "gpio" ? gpioOf(own, fields) : {}) });
    at += own.length;
  }
  return undefined;
}

function gpioOf(
  own: Uint8Array,
  fields: Readonly<Partial<Record<string, bigint>>>,
): { pins: number[]; source: string } {
  const pinsAt = Number(fields.pinsAt), sourceAt = Number(fields.sourceAt), end = own.indexOf(0, sourceAt);
  const count = Math.max(0, (Math.min(sourceAt, own.length) - pinsAt) >> 1);
  const pins = Array.from({ length: count }, (_, index) => {
    const at = pinsAt + 2 * index;
    return (own[at] ?? 0) | (own[at + 1] ?? 0) << 8;
  });
  return { pins, source: String.fromCharCode(...own.subarray(sourceAt, end < 0 ? own.length : end)) };
}
