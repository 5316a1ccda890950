/** The typed schema of queries: which variables an event has, from the table of event kinds. */
import { disassemble } from "../machine/a64/assembly.ts";
import {
  classOf,
  EVENT_KIND_NAMES,
  EVENT_KINDS,
  type EventKind,
  type EventOf,
  type MachineEvent,
} from "../machine/events.ts";
import { type FieldKind, flag } from "../machine/layout.ts";
import { EXCEPTION_CLASS_NAMES, exceptionClassOf, placeOf, registerName } from "./event_place.ts";
import { ALL_CLASSES } from "./event_stream.ts";

/** Names for addresses, and addresses for names, as whoever reads symbols has them. */
export interface ProgramNames {
  /** The address of a name; throws PredicateError for one that there is not. */
  addressOf(name: string): bigint;
  /** First byte and size of a name; as `addressOf` for one that there is not. */
  rangeOf(name: string): { readonly address: bigint; readonly size: bigint };
  /** `name` or `name+0x10`, or undefined where no name reaches. */
  nameOf(address: bigint): string | undefined;
}

/** Types of the expression language that fields have. */
export type QueryType = "int" | "bool" | "string" | "bytes" | "list<int>" | "list<dyn>" | "dyn";

/** A value of the expression language. */
export type QueryValue = bigint | boolean | string | Uint8Array | QueryValue[] | {
  [name: string]: QueryValue;
};

/** One variable of queries. */
export interface QueryVariable {
  /** Its name. */
  readonly name: string;
  /** Its type; "dyn" where kinds of event differ in it. */
  readonly type: QueryType;
  /** The kinds of event that have it. */
  readonly kinds: ReadonlySet<EventKind>;
  /** All values that it can have, where they are words of a list. */
  readonly words?: readonly string[] | undefined;
  /** Its value for an event of such a kind; undefined where this event has none after all. */
  read(event: MachineEvent, names: ProgramNames): QueryValue | undefined;
}

/** Fields that cannot have their own names, since those are words of the expression language, or mean something else. */
const RENAMED: { readonly [K in EventKind]?: Readonly<Record<string, string>> } & Record<string, unknown> = {
  firmwareCalled: { function: "functionId" },
  translationFaulted: { level: "tableLevel" },
  backdoorCalled: { instruction: "w7" },
};

/** A value of each type that a field can have; what holds it is of that type. */
// deno-fmt-ignore
const SAMPLES: readonly (readonly [QueryType, unknown])[] = [
  ["int", 0], ["int", 0n], ["string", ""], ["bytes", new Uint8Array()], ["list<int>", [0n]], ["list<dyn>", []],
];

function typeOf(field: FieldKind<unknown>): QueryType {
  if (field === flag) return "bool";
  if (Array.isArray(field.form)) return "string";
  return SAMPLES.find(([, sample]) => field.holds(sample))?.[0] ?? "dyn";
}

/** `bytes` is a type of the language: contents are a payload, and a number of them is a size. */
function nameOf(kind: EventKind, field: string, type: QueryType): string {
  if (field === "bytes") return type === "bytes" ? "payload" : "size";
  return RENAMED[kind]?.[field] ?? field;
}

/** A field's value in the expression language, where all numbers are bigints. */
function queryValue(value: unknown): QueryValue {
  if (typeof value === "number") return BigInt(value);
  if (Array.isArray(value)) return value.map(queryValue);
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return value as QueryValue;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [
      name,
      // A register of a step is a number in the journal and a name for people.
      name === "register" && typeof inner === "number" ? registerName(inner) : queryValue(inner),
    ]),
  );
}

/** A row of a variable that is worked out. */
function derived(
  name: string,
  type: QueryType,
  kinds: readonly EventKind[],
  read: QueryVariable["read"],
  words?: readonly string[],
): QueryVariable {
  return { name, type, kinds: new Set(kinds), read, words };
}

/** The function that an address is in. */
function functionAt(address: bigint | undefined, names: ProgramNames): string | undefined {
  return address === undefined ? undefined : names.nameOf(address)?.replace(/\+0x[0-9a-f]+$/, "");
}

const placed: readonly EventKind[] = EVENT_KIND_NAMES.filter((kind) =>
  placeOf({ kind, pc: 0n, returnAddress: 0n, address: 0n, entry: 0n } as unknown as MachineEvent) !==
    undefined
);
const exceptional: readonly EventKind[] = ["exceptionTaken"];
const leveled: readonly EventKind[] = ["exceptionTaken", "exceptionReturned"];

type Taken = EventOf<"exceptionTaken">;

/** What every event has, and what follows from its fields. */
// deno-fmt-ignore
const DERIVED: readonly QueryVariable[] = [
  derived("kind", "string", EVENT_KIND_NAMES, ({ kind }) => kind, EVENT_KIND_NAMES),
  derived("eventClass", "string", EVENT_KIND_NAMES, ({ kind }) => classOf(kind), ALL_CLASSES),
  derived("instant", "int", EVENT_KIND_NAMES, ({ instant }) => BigInt(instant)),
  derived("cpu", "int", EVENT_KIND_NAMES, ({ cpu }) => BigInt(cpu)),
  derived("index", "int", EVENT_KIND_NAMES, ({ index }) => BigInt(index)),
  derived("level", "int", leveled, (event) => BigInt((event as Taken).from)),
  derived("class", "string", exceptional, (event) => exceptionClassOf(event as Taken), EXCEPTION_CLASS_NAMES),
  derived("place", "string", placed, (event, names) => functionAt(placeOf(event), names)),
  derived("instruction", "string", ["stepRetired"], (event) => {
    const { opcode, pc } = event as EventOf<"stepRetired">;
    return disassemble(opcode, pc);
  }),
];

function fieldVariables(): QueryVariable[] {
  const found = new Map<
    string,
    { type: QueryType; kinds: Map<EventKind, string>; words: Set<string> | undefined }
  >();
  for (const kind of EVENT_KIND_NAMES) {
    for (const [field, form] of Object.entries(EVENT_KINDS[kind].fields) as [string, FieldKind<unknown>][]) {
      const type = typeOf(form), name = nameOf(kind, field, type);
      const words = Array.isArray(form.form) ? form.form as readonly string[] : undefined;
      const entry = found.get(name);
      if (entry === undefined) {
        found.set(name, { type, kinds: new Map([[kind, field]]), words: words && new Set(words) });
        continue;
      }
      entry.kinds.set(kind, field);
      if (entry.type !== type) entry.type = "dyn";
      entry.words = words && entry.words?.union(new Set(words));
    }
  }
  return [...found].map(([name, { type, kinds, words }]) => ({
    name,
    type,
    kinds: new Set(kinds.keys()),
    words: words && [...words],
    read: (event) =>
      queryValue((event as unknown as Record<string, unknown>)[kinds.get(event.kind) as string]),
  }));
}

/** One variable where the table of kinds and what is derived have the same: the kinds of both. */
function united(variables: readonly QueryVariable[]): QueryVariable[] {
  const byName = new Map<string, QueryVariable>();
  for (const variable of variables) {
    const other = byName.get(variable.name);
    if (other === undefined) byName.set(variable.name, variable);
    else {
      byName.set(variable.name, {
        ...other,
        kinds: other.kinds.union(variable.kinds),
        read: (event, names) => (variable.kinds.has(event.kind) ? variable : other).read(event, names),
      });
    }
  }
  return [...byName.values()];
}

/** Every variable, by name. */
export const QUERY_VARIABLES: ReadonlyMap<string, QueryVariable> = new Map(
  united([...fieldVariables(), ...DERIVED]).map((variable) => [variable.name, variable]),
);
