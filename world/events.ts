/** The table of a world's events: what happens between its nodes, in one total order. */
import { z } from "zod";
import { EVENT_KINDS, type Input, inputSchema, writeEventParts } from "../machine/events.ts";
import {
  bytes,
  type ByteWriter,
  type FieldKind,
  flag,
  lazySchema,
  oneOf,
  record,
  type Schema,
  text,
  u16,
  u32,
  u53,
  u8,
  type ValueOf,
} from "../machine/layout.ts";

/** What a world is given from outside; nothing else is. */
export type WorldInput =
  /** The node gets or loses power. */
  | { readonly kind: "power"; readonly isOn: boolean }
  /** The operator says something to a program. */
  | { readonly kind: "command"; readonly command: string }
  /** A machine's own input. */
  | { readonly kind: "machine"; readonly input: Input };

const machineInput = z.custom<Input>((value) => {
  if (typeof value !== "object" || value === null) return false;
  return inputSchema.safeParse({ ...value, instant: 0, cpu: 0, index: 0, virtualTime: 0 }).success;
}, "is no input of a machine");

/** Schema of an input. */
export const worldInputSchema: Schema<WorldInput> = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("power"), isOn: z.boolean() }),
  z.strictObject({ kind: z.literal("command"), command: z.string().max(4096) }),
  z.strictObject({ kind: z.literal("machine"), input: machineInput }),
]);

const commandText = text(3 * 4096);

/** An input as a field; it is stored as a value, so its layout is only ever written. */
const inputField: FieldKind<WorldInput> = {
  schema: worldInputSchema,
  holds: (value) => worldInputSchema.safeParse(value).success,
  write: (writer, value) => {
    writer.u8(["power", "command", "machine"].indexOf(value.kind));
    if (value.kind === "power") flag.write(writer, value.isOn);
    else if (value.kind === "command") commandText.write(writer, value.command);
    else {
      const { kind, ...fields } = value.input;
      writeEventParts(writer, kind, 0, 0, 0, { ...fields, virtualTime: 0 });
    }
  },
  read: () => {
    throw new TypeError("An input is read as a value, not from its layout");
  },
};

/** A message: the link, which end of it sent, and how many that end had sent before. */
const message = { link: u16, end: u8, sequence: u53 };
const digest = bytes(32);

/**
 * Every kind with its fields. The order of rows and fields is part of the history root, and that of rows the order of
 * what happens at one node at one time. `time` and `node` are in every event.
 */
// deno-fmt-ignore
export const WORLD_EVENT_KINDS = {
  inputGiven:       { number: u32, input: inputField },
  inputRefused:     { number: u32, reason: text(1024) },
  messageDelivered: { ...message },
  messageLost:      { ...message, reason: oneOf("loss", "off", "refused") },
  nodePoweredOff:   { life: u32, cause: oneOf("guest", "input", "link"), exitCode: u32 },
  nodePoweredOn:    { life: u32, cause: oneOf("start", "input", "link") },
  nodeTold:         { number: u32, what: text(64), detail: text(4096) },
  messageSent:      { ...message, size: u32, digest },
} as const;

/** The name of a kind of event. */
export type WorldEventKind = keyof typeof WORLD_EVENT_KINDS;

/** An event of a kind. */
export type WorldEventOf<K extends WorldEventKind> = Readonly<
  { kind: K; time: number; node: number } & ValueOf<(typeof WORLD_EVENT_KINDS)[K]>
>;

/** An event: `time` is the world's, in nanoseconds; `node` counts the nodes of the description. */
export type WorldEvent = { [K in WorldEventKind]: WorldEventOf<K> }[WorldEventKind];

/** The names of all kinds, in table order. */
export const WORLD_EVENT_NAMES = Object.keys(WORLD_EVENT_KINDS) as readonly WorldEventKind[];

const head = { time: u53, node: u16 };
const LAYOUTS = new Map(
  WORLD_EVENT_NAMES.map((
    kind,
  ) => [kind, record({ ...head, ...WORLD_EVENT_KINDS[kind] }) as FieldKind<never> as FieldKind<unknown>]),
);
const RANK = new Map(WORLD_EVENT_NAMES.map((kind, index) => [kind, index]));

/** The zod description of any event. */
export const worldEventSchema: Schema<WorldEvent> = lazySchema(() =>
  z.discriminatedUnion(
    "kind",
    WORLD_EVENT_NAMES.map((kind) => {
      const fields = Object.entries({ ...head, ...WORLD_EVENT_KINDS[kind] });
      const shape = Object.fromEntries(fields.map(([name, { schema }]) => [name, schema as z.ZodType]));
      return z.strictObject({ kind: z.literal(kind), ...shape });
    }) as never,
  ) as unknown as Schema<WorldEvent>
);

/** Appends the canonical bytes of an event. */
export function writeWorldEvent(writer: ByteWriter, event: WorldEvent): void {
  writer.u8(RANK.get(event.kind) as number);
  LAYOUTS.get(event.kind)?.write(writer, event);
}

/** What tells events of one kind at one node and time apart. */
function detailOf(event: WorldEvent): readonly number[] {
  if ("sequence" in event) return [event.link, event.end, event.sequence];
  return "life" in event ? [event.life] : [event.number];
}

/**
 * The total order: by time, node, kind in table order, and what tells them apart. It agrees with causality, since no
 * link is without latency: what an event causes at another node is later.
 */
export function compareWorldEvents(a: WorldEvent, b: WorldEvent): number {
  const order = a.time - b.time || a.node - b.node ||
    (RANK.get(a.kind) as number) - (RANK.get(b.kind) as number);
  if (order !== 0) return order;
  const [left, right] = [detailOf(a), detailOf(b)];
  for (const [index, value] of left.entries()) {
    if (value !== right[index]) return value - (right[index] ?? 0);
  }
  return 0;
}

/** The kinds of a machine's inputs, for messages. */
export const MACHINE_INPUTS: readonly string[] = Object.entries(EVENT_KINDS)
  .filter(([, { class: of }]) => of === "input").map(([kind]) => kind);
