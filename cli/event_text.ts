/** Events as lines: for people, and as JSON with the name of the place. */
import { disassemble } from "../machine/a64/assembly.ts";
import { hex } from "../machine/address.ts";
import { EVENT_KINDS, type EventOf, type MachineEvent } from "../machine/events.ts";
import { eventToJson } from "../journal/event_json.ts";
import { placeOf, registerName } from "../journal/event_place.ts";
import { NO_SYMBOLS, type SymbolTable } from "./symbols.ts";
import { grouped, type Palette } from "./text.ts";

/** Exception classes, ESR_ELx.EC (Arm ARM D17.2.37). */
// deno-fmt-ignore
const EXCEPTION_CLASSES: Readonly<Record<number, string>> = {
  0x00: "unknown reason",            0x01: "WFI or WFE",             0x07: "SIMD or floating point",
  0x0e: "illegal execution state",   0x15: "SVC",                    0x16: "HVC",
  0x17: "SMC",                       0x18: "MSR, MRS or system",     0x20: "instruction abort, lower EL",
  0x21: "instruction abort",         0x22: "PC alignment",           0x24: "data abort, lower EL",
  0x25: "data abort",                0x26: "SP alignment",           0x2c: "floating-point exception",
  0x2f: "SError",                    0x30: "breakpoint, lower EL",   0x31: "breakpoint",
  0x32: "software step, lower EL",   0x33: "software step",          0x34: "watchpoint, lower EL",
  0x35: "watchpoint",                0x3c: "BRK",
};

/** The name of an ESR_ELx value's exception class. */
export function exceptionClass(syndrome: bigint): string {
  const number = Number((syndrome >> 26n) & 0x3fn);
  return EXCEPTION_CLASSES[number] ?? `class ${hex(number)}`;
}

/** A little-endian value of up to 8 bytes, or the bytes in memory order. */
function bytesValue(bytes: Uint8Array): string {
  return bytes.length > 8 ? bytes.toHex() : `0x${bytes.slice().reverse().toHex()}`;
}

/** Bytes as a quoted text where they are one. */
function textOrDigits(bytes: Uint8Array): string {
  const text = new TextDecoder().decode(bytes);
  const isText = !text.includes("\ufffd");
  return isText ? JSON.stringify(text) : bytes.toHex();
}

/** Columns of a step's place, where there are symbols. */
const PLACE_WIDTH = 28;

function stepText(step: EventOf<"stepRetired">, palette: Palette, symbols: SymbolTable): string {
  const effects = [
    ...step.registers.map(({ register, value }) =>
      `${registerName(register)}=${hex(value)}${register <= 33 ? symbols.pointerLabel(value) : ""}`
    ),
    ...step.memory.map(({ write, address, value }) =>
      `${write ? "write" : "read"} [${hex(address)}${symbols.pointerLabel(address)}]=${bytesValue(value)}`
    ),
  ];
  const instruction = symbols.annotate(disassemble(step.opcode, step.pc));
  const place = symbols.isEmpty ? "" : symbols.label(step.pc).padEnd(PLACE_WIDTH);
  const where = `EL${step.level}  ${hex(step.pc, 16)}${place}  ${step.opcode.toString(16).padStart(8, "0")}`;
  const shown = palette.cyan(effects.length > 0 ? instruction.padEnd(36) : instruction);
  return `${where}  ${shown}${effects.length > 0 ? `  ${palette.dim(effects.join(" "))}` : ""}`;
}

/** Fields that are addresses, values or registers, and so read better in hexadecimal. */
const HEXADECIMAL = new Set(["address", "function", "operation", "physical", "present", "used", "value"]);

/** Fields of 64 bits that are virtual addresses of code, and those that are often something else. */
const CODE_FIELDS = new Set(["returnAddress", "vector", "entry"]);
const ADDRESS_FIELDS = new Set(["address", "faultAddress"]);

function fieldText(name: string, value: unknown, symbols: SymbolTable): string {
  if (typeof value === "bigint") {
    if (CODE_FIELDS.has(name)) return hex(value) + symbols.label(value);
    return hex(value) + (ADDRESS_FIELDS.has(name) ? symbols.pointerLabel(value) : "");
  }
  if (typeof value === "number") return HEXADECIMAL.has(name) ? hex(value) : String(value);
  if (value instanceof Uint8Array) return textOrDigits(value);
  return Array.isArray(value)
    ? `[${value.map((item) => fieldText(name, item, symbols)).join(" ")}]`
    : String(value);
}

function fieldsText(event: MachineEvent, symbols: SymbolTable): string {
  const fields = event as unknown as Record<string, unknown>;
  const names = Object.keys(EVENT_KINDS[event.kind].fields);
  return names.map((name) => `${name}=${fieldText(name, fields[name], symbols)}`).join(" ");
}

/** What happened, without where. */
export function whatText(event: MachineEvent, palette: Palette, symbols: SymbolTable = NO_SYMBOLS): string {
  if (event.kind === "stepRetired") return stepText(event, palette, symbols);
  const isSynchronous = event.kind === "exceptionTaken" && event.exception === "synchronous";
  const note = isSynchronous ? ` (${exceptionClass(event.syndrome)})` : "";
  return `${palette.yellow(event.kind)}${note} ${fieldsText(event, symbols)}`.trimEnd();
}

/** An event as a line: instant, CPU, what happened. */
export function eventText(event: MachineEvent, palette: Palette, symbols: SymbolTable = NO_SYMBOLS): string {
  const what = whatText(event, palette, symbols);
  return `${grouped(event.instant).padStart(14)}  cpu${event.cpu}  ${what}`;
}

/** An event as a line of JSON, as `eventToJson` gives it; with a field `symbol` where its place has a name. */
export function eventJson(event: MachineEvent, symbols: SymbolTable): string {
  const json = eventToJson(event);
  const place = placeOf(event);
  if (place === undefined) return json;
  const symbol = symbols.nameOf(place);
  return symbol === undefined ? json : `${json.slice(0, -1)},"symbol":${JSON.stringify(symbol)}}`;
}
