/**
 * The bytes of many accesses to devices at once, as history roots digest them and as rows of blocks: a template for each
 * register, in which a few numbers are filled in by WebAssembly.
 */
import { ACCESS_LOG_CAPACITY, ACCESS_LOG_SIZE, type AccessLog } from "../machine/access_log.ts";
import { type DeviceAccess, writeEventParts } from "../machine/events.ts";
import { ByteWriter } from "../machine/layout.ts";
import type { CodeWriter } from "../machine/wasm/code_writer.ts";
import { ModuleWriter } from "../machine/wasm/module_writer.ts";
import { encodeValue } from "./codec.ts";

/** The parts of accesses to one register that are always the same. */
export interface AccessTemplate {
  /** Canonical bytes, with anything for instant, index and value: CANONICAL_ROOM at most. */
  readonly canonical: Uint8Array;
  /** What a row has before the instant, ROW_START_ROOM at most; the CPU, 2; between index and value, ROW_MIDDLE_ROOM. */
  readonly rowStart: Uint8Array;
  readonly rowCpu: Uint8Array;
  readonly rowMiddle: Uint8Array;
}

/** Templates that are kept; a power of two. */
const TEMPLATES = 256;

/** Byte offsets in a template: four lengths, then bytes. */
// deno-fmt-ignore
const TEMPLATE = { canonicalLength: 0, startLength: 4, cpuLength: 8, middleLength: 12, cpu: 16, canonical: 32, start: 112, middle: 128 };
const TEMPLATE_SIZE = 256, CANONICAL_ROOM = 80, ROW_START_ROOM = 16, ROW_MIDDLE_ROOM = 48;

/** Room for the bytes of an access: what is stored at once may pass its end. */
const MOST_BYTES = 128;

/** Accesses to one register, one after another, that are worth a call. */
const LONG_RUN = 16;

/** Where the parts are in memory. */
const TEMPLATES_AT = 0;
const NUMBERS_AT = TEMPLATES_AT + TEMPLATES * TEMPLATE_SIZE;
const SLOTS_AT = NUMBERS_AT + ACCESS_LOG_CAPACITY * ACCESS_LOG_SIZE;
const OUT_AT = SLOTS_AT + ACCESS_LOG_CAPACITY * 2;
const MEMORY_PAGES = Math.ceil((OUT_AT + ACCESS_LOG_CAPACITY * MOST_BYTES) / 65536);

/** Offsets in canonical bytes (`writeEvent`); the value from their end. */
const CANONICAL = { instant: 1, index: 10, valueFromEnd: 8 };

/** Locals of both functions: parameters, then their own. */
const LOCAL = { from: 0, to: 1, out: 2, entry: 3, template: 4, number: 5, instant: 6 } as const;

/** Writes a function from two numbers of accesses and where to write to where writing ended. */
function define(module: ModuleWriter, name: string, one: (code: CodeWriter) => void): void {
  const index = module.declare(module.type(["i32", "i32", "i32"], ["i32"])), code = module.define(index);
  module.exportFunction(name, index);
  for (const local of [LOCAL.entry, LOCAL.template, LOCAL.number]) {
    if (code.takeLocal("i32") !== local) throw new RangeError("The function's own locals are the first");
  }
  if (code.takeLocal("i64") !== LOCAL.instant) throw new RangeError("The instant is the last local");
  const done = code.block(), next = code.loop();
  code.localGet(LOCAL.from);
  code.localGet(LOCAL.to);
  code.i32GeU();
  code.brIf(done);
  code.localGet(LOCAL.from);
  code.i32Const(ACCESS_LOG_SIZE);
  code.i32Mul();
  code.localSet(LOCAL.entry);
  code.localGet(LOCAL.from);
  code.i32Const(2);
  code.i32Mul();
  code.i32Load16U(SLOTS_AT);
  code.i32Const(TEMPLATE_SIZE);
  code.i32Mul();
  code.localSet(LOCAL.template);
  one(code);
  code.localGet(LOCAL.from);
  code.i32Const(1);
  code.i32Add();
  code.localSet(LOCAL.from);
  code.br(next);
  code.end();
  code.end();
  code.localGet(LOCAL.out);
}

/** Copies a multiple of 16 bytes of the template. */
function copy(code: CodeWriter, place: number, count: number): void {
  for (let at = 0; at < count; at += 16) {
    code.localGet(LOCAL.out);
    code.localGet(LOCAL.template);
    code.v128Load(place + at);
    code.v128Store(at);
  }
}

/** Moves on by a length that stands in the template. */
function passTemplate(code: CodeWriter, length: number): void {
  code.localGet(LOCAL.out);
  code.localGet(LOCAL.template);
  code.i32Load(length);
  code.i32Add();
  code.localSet(LOCAL.out);
}

function pass(code: CodeWriter, length: number): void {
  code.localGet(LOCAL.out);
  code.i32Const(length);
  code.i32Add();
  code.localSet(LOCAL.out);
}

/** Numbers of the access after its instant. */
const INDEX = 2, VALUE = 3;

/** Pushes one. */
function push(code: CodeWriter, word: number): void {
  code.localGet(LOCAL.entry);
  code.i32Load(NUMBERS_AT + word * 4);
}

/** Leaves the instant in its local. */
function takeInstant(code: CodeWriter): void {
  code.localGet(LOCAL.entry);
  code.f64Load(NUMBERS_AT);
  code.i64TruncSatF64U();
  code.localSet(LOCAL.instant);
}

function canonical(code: CodeWriter): void {
  copy(code, TEMPLATE.canonical, CANONICAL_ROOM);
  takeInstant(code);
  code.localGet(LOCAL.out);
  code.localGet(LOCAL.instant);
  code.i64Store(CANONICAL.instant);
  code.localGet(LOCAL.out);
  push(code, INDEX);
  code.i32Store(CANONICAL.index);
  passTemplate(code, TEMPLATE.canonicalLength);
  code.localGet(LOCAL.out);
  code.i32Const(CANONICAL.valueFromEnd);
  code.i32Sub();
  push(code, VALUE);
  code.i32Store(0);
}

/** Replaces the number on the stack by one with its bytes in the other order. */
function reverse(code: CodeWriter): void {
  code.localTee(LOCAL.number);
  code.i32Const(8);
  code.i32Rotl();
  code.i32Const(0x00ff00ff);
  code.i32And();
  code.localGet(LOCAL.number);
  code.i32Const(8);
  code.i32Rotr();
  code.i32Const(0xff00ff00 | 0);
  code.i32And();
  code.i32Or();
}

/** Writes a leading byte. */
function lead(code: CodeWriter, byte: number): void {
  code.localGet(LOCAL.out);
  code.i32Const(byte);
  code.i32Store8(0);
}

/** Writes an unsigned number as the codec does, in the fewest bytes. */
function number(code: CodeWriter, push: () => void): void {
  const done = code.block();
  const ifBelow = (limit: number, write: () => void) => {
    push();
    code.i32Const(limit);
    code.i32LtU();
    code.if();
    write();
    code.br(done);
    code.end();
  };
  ifBelow(0x80, () => {
    code.localGet(LOCAL.out);
    push();
    code.i32Store8(0);
    pass(code, 1);
  });
  ifBelow(0x100, () => {
    lead(code, 0xcc);
    code.localGet(LOCAL.out);
    push();
    code.i32Store8(1);
    pass(code, 2);
  });
  ifBelow(0x1_0000, () => {
    lead(code, 0xcd);
    code.localGet(LOCAL.out);
    push();
    reverse(code);
    code.i32Const(16);
    code.i32ShrU();
    code.i32Store16(1);
    pass(code, 3);
  });
  lead(code, 0xce);
  code.localGet(LOCAL.out);
  push();
  reverse(code);
  code.i32Store(1);
  pass(code, 5);
  code.end();
}

/** Writes the instant: one of more than 32 bits is a float64. */
function instant(code: CodeWriter): void {
  takeInstant(code);
  code.localGet(LOCAL.instant);
  code.i64Const(32n);
  code.i64ShrU();
  code.i64Eqz();
  code.if();
  number(code, () => {
    code.localGet(LOCAL.instant);
    code.i32WrapI64();
  });
  code.else();
  lead(code, 0xcb);
  for (const [word, place] of [[1, 1], [0, 5]] as const) {
    code.localGet(LOCAL.out);
    push(code, word);
    reverse(code);
    code.i32Store(place);
  }
  pass(code, 9);
  code.end();
}

function row(code: CodeWriter): void {
  copy(code, TEMPLATE.start, ROW_START_ROOM);
  passTemplate(code, TEMPLATE.startLength);
  instant(code);
  code.localGet(LOCAL.out);
  code.localGet(LOCAL.template);
  code.i32Load16U(TEMPLATE.cpu);
  code.i32Store16(0);
  passTemplate(code, TEMPLATE.cpuLength);
  number(code, () => push(code, INDEX));
  copy(code, TEMPLATE.middle, ROW_MIDDLE_ROOM);
  passTemplate(code, TEMPLATE.middleLength);
  lead(code, 0xd3);
  code.localGet(LOCAL.out);
  code.i32Const(0);
  code.i32Store(1);
  code.localGet(LOCAL.out);
  push(code, VALUE);
  reverse(code);
  code.i32Store(5);
  pass(code, 9);
}

type Expand = (from: number, to: number, out: number) => number;

/** Which bytes. */
export type AccessForm = "canonical" | "row";

/** Makes the bytes of accesses. */
export class AccessBytes {
  readonly #memory = new WebAssembly.Memory({ initial: MEMORY_PAGES, maximum: MEMORY_PAGES });
  readonly #bytes = new Uint8Array(this.#memory.buffer);
  readonly #view = new DataView(this.#memory.buffer);
  readonly #slots: Uint16Array;
  readonly #known: (DeviceAccess | undefined)[] = new Array(TEMPLATES).fill(undefined);
  readonly #expand: Readonly<Record<AccessForm, Expand>>;

  /** `templateOf` gives the templates. */
  constructor(private readonly templateOf: (access: DeviceAccess) => AccessTemplate) {
    this.#slots = new Uint16Array(this.#memory.buffer, SLOTS_AT, ACCESS_LOG_CAPACITY);
    const module = new ModuleWriter();
    module.importMemory("env", "memory", MEMORY_PAGES, MEMORY_PAGES);
    define(module, "canonical", canonical);
    define(module, "row", row);
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module.finish()), {
      env: { memory: this.#memory },
    });
    this.#expand = exports as unknown as Record<AccessForm, Expand>;
  }

  /** Gives the bytes of all accesses to `take`, in order, in one or more pieces that are good during the call only. */
  expand(form: AccessForm, log: AccessLog, take: (bytes: Uint8Array) => void): void {
    const expand = this.#expand[form];
    const give = (from: number, to: number) => {
      if (from < to) take(this.#bytes.subarray(OUT_AT, expand(from, to, OUT_AT)));
    };
    this.#bytes.set(log.bytes, NUMBERS_AT);
    let from = 0;
    log.forEachRun((access, first, end) => {
      const slot = (access.address >>> 2 ^ access.address >>> 12) & (TEMPLATES - 1);
      if (this.#known[slot] !== access) {
        // Those before may need what was there.
        give(from, first);
        from = first;
        this.#place(slot, access);
      }
      if (end - first < LONG_RUN) { for (let at = first; at < end; at++) this.#slots[at] = slot; }
      else this.#slots.fill(slot, first, end);
    });
    give(from, log.count);
  }

  #place(slot: number, access: DeviceAccess): void {
    const { canonical, rowStart, rowCpu, rowMiddle } = this.templateOf(access);
    const at = TEMPLATES_AT + slot * TEMPLATE_SIZE;
    this.#known[slot] = access;
    const parts = [
      [TEMPLATE.canonicalLength, TEMPLATE.canonical, canonical, CANONICAL_ROOM],
      [TEMPLATE.startLength, TEMPLATE.start, rowStart, ROW_START_ROOM],
      [TEMPLATE.cpuLength, TEMPLATE.cpu, rowCpu, 2],
      [TEMPLATE.middleLength, TEMPLATE.middle, rowMiddle, ROW_MIDDLE_ROOM],
    ] as const;
    for (const [length, place, bytes, room] of parts) {
      if (bytes.length > room) {
        throw new RangeError(`Cannot keep ${bytes.length} bytes of an access: at most ${room}`);
      }
      this.#view.setUint32(at + length, bytes.length, true);
      this.#bytes.set(bytes, at + place);
    }
  }
}

/** The template of an access: what the journal writes of it, but for what differs from one to the next. */
export function templateOf({ kind, cpu, device, address, size }: DeviceAccess): AccessTemplate {
  const writer = new ByteWriter(), fields = { device, address, size, value: 0n };
  writeEventParts(writer, kind, 0, cpu, 0, fields);
  const header = Uint8Array.of(0x90 | (ROW_ADDRESS_FIELDS + Object.keys(fields).length));
  return {
    canonical: writer.bytes(),
    rowStart: concatenated(header, encodeValue(kind)),
    rowCpu: encodeValue(cpu).slice(),
    rowMiddle: concatenated(...[device, address, size].map((value) => encodeValue(value).slice())),
  };
}

/** Fields of a row before those of its kind. */
const ROW_ADDRESS_FIELDS = 4;

function concatenated(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

/** Fewer accesses than these are not worth a call. */
export const WORTH_EXPANDING = 16;

let shared: AccessBytes | undefined;

/** One for all: nothing stays in it between calls. */
export function accessBytes(): AccessBytes {
  return shared ??= new AccessBytes(templateOf);
}
