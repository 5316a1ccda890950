/** Writes a WebAssembly module: types, imports, functions, globals, exports (core specification 5.5). */
import { ByteWriter } from "./bytes.ts";
import { CodeWriter, type SharedFunction } from "./code_writer.ts";
import { VALUE_TYPES, type ValueType } from "./value_type.ts";

// deno-fmt-ignore
const SECTION = { type: 1, import: 2, function: 3, table: 4, memory: 5, global: 6, export: 7, start: 8, element: 9, code: 10 };
const EXTERNAL = { function: 0, table: 1, memory: 2, global: 3 };
const FUNCTION_TYPE = 0x60, FUNCTION_REFERENCE = 0x70;
/** Magic number and version. */
const PREAMBLE = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];

/** Items of one section, counted. */
class Items {
  readonly bytes = new ByteWriter();
  count = 0;

  /** Counts an item; the caller writes it. */
  next(): ByteWriter {
    this.count++;
    return this.bytes;
  }
}

/** A module under construction. Imports come before functions, since both share one numbering. */
export class ModuleWriter {
  readonly #types = new Items();
  readonly #typeIndex = new Map<string, number>();
  readonly #imports = new Items();
  readonly #exports = new Items();
  readonly #globals = new Items();
  readonly #elements = new Items();
  readonly #functionTypes: number[] = [];
  readonly #parameterCounts: number[] = [];
  readonly #bodies = new Map<number, CodeWriter | Uint8Array>();
  readonly #shared = new Map<SharedFunction, number>();
  #importedFunctions = 0;
  #globalCount = 0;

  /** Index of a function type; equal types share one. */
  type(parameters: readonly ValueType[], results: readonly ValueType[]): number {
    const key = `${parameters}>${results}`;
    const found = this.#typeIndex.get(key);
    if (found !== undefined) return found;
    const out = this.#types.next();
    out.byte(FUNCTION_TYPE);
    for (const list of [parameters, results]) {
      out.unsigned(list.length);
      for (const type of list) out.byte(VALUE_TYPES[type]);
    }
    this.#parameterCounts.push(parameters.length);
    this.#typeIndex.set(key, this.#typeIndex.size);
    return this.#typeIndex.size - 1;
  }

  #import(module: string, name: string, kind: number): ByteWriter {
    const out = this.#imports.next();
    out.name(module);
    out.name(name);
    out.byte(kind);
    return out;
  }

  /** Imports a function; its index. */
  importFunction(module: string, name: string, type: number): number {
    if (this.#functionTypes.length > 0) throw new RangeError("Functions are imported before any is declared");
    this.#import(module, name, EXTERNAL.function).unsigned(type);
    return this.#importedFunctions++;
  }

  /** Imports the memory; sizes in pages of 64 KiB, at most 65,536. */
  importMemory(module: string, name: string, minimum: number, maximum?: number): void {
    limits(this.#import(module, name, EXTERNAL.memory), minimum, maximum);
  }

  /** Imports the table of functions; sizes in entries. */
  importTable(module: string, name: string, minimum: number, maximum?: number): void {
    const out = this.#import(module, name, EXTERNAL.table);
    out.byte(FUNCTION_REFERENCE);
    limits(out, minimum, maximum);
  }

  /** Imports a global; its index. */
  importGlobal(module: string, name: string, type: ValueType, mutable: boolean): number {
    if (this.#globals.count > 0) throw new RangeError("Globals are imported before any is defined");
    const out = this.#import(module, name, EXTERNAL.global);
    out.byte(VALUE_TYPES[type]);
    out.byte(mutable ? 1 : 0);
    return this.#globalCount++;
  }

  /** Defines a global of an integer type; its index. */
  global(type: "i32" | "i64", mutable: boolean, value: number | bigint): number {
    const out = this.#globals.next();
    out.byte(VALUE_TYPES[type]);
    out.byte(mutable ? 1 : 0);
    out.byte(type === "i32" ? 0x41 : 0x42);
    out.signed64(BigInt.asIntN(type === "i32" ? 32 : 64, BigInt(value)));
    out.byte(0x0b);
    return this.#globalCount++;
  }

  /** Declares a function to be defined later; its index. */
  declare(type: number): number {
    return this.#importedFunctions + this.#functionTypes.push(type) - 1;
  }

  /** The body of a declared function, to be written before `finish`. */
  define(index: number, capacity?: number): CodeWriter {
    const type = this.#functionTypes[index - this.#importedFunctions];
    if (type === undefined) throw new RangeError(`Function ${index} was not declared`);
    const body = new CodeWriter(
      this.#parameterCounts[type],
      capacity,
      (callee) => this.#sharedFunction(callee),
    );
    this.#bodies.set(index, body);
    return body;
  }

  /** Gives a declared function a finished body: what `CodeWriter.finishInto` wrote of one that calls nothing. */
  defineAs(index: number, body: Uint8Array): void {
    this.#bodies.set(index, body);
  }

  /** Index of a shared function, which is defined when it is first called. */
  #sharedFunction(shared: SharedFunction): number {
    const known = this.#shared.get(shared);
    if (known !== undefined) return known;
    const index = this.declare(this.type(shared.parameters, [shared.result]));
    this.#shared.set(shared, index);
    shared.write(this.define(index));
    return index;
  }

  /** Places functions in the imported table from entry `offset` on, when the module is instantiated. */
  element(offset: number, functions: readonly number[]): void {
    const out = this.#elements.next();
    out.byte(0); // active, table 0
    out.byte(0x41);
    out.signed(offset);
    out.byte(0x0b);
    out.unsigned(functions.length);
    for (const index of functions) out.unsigned(index);
  }

  /** Exports a function. */
  exportFunction(name: string, index: number): void {
    this.#export(name, EXTERNAL.function, index);
  }
  /** Exports a global. */
  exportGlobal(name: string, index: number): void {
    this.#export(name, EXTERNAL.global, index);
  }
  #export(name: string, kind: number, index: number): void {
    const out = this.#exports.next();
    out.name(name);
    out.byte(kind);
    out.unsigned(index);
  }

  /** The module's bytes, for `new WebAssembly.Module`. */
  finish(): Uint8Array<ArrayBuffer> {
    const module = new ByteWriter(4096);
    module.append(PREAMBLE);
    section(module, SECTION.type, this.#types);
    section(module, SECTION.import, this.#imports);
    section(module, SECTION.function, this.#functions());
    section(module, SECTION.global, this.#globals);
    section(module, SECTION.export, this.#exports);
    section(module, SECTION.element, this.#elements);
    section(module, SECTION.code, this.#code());
    return module.bytes.slice();
  }

  #functions(): Items {
    const items = new Items();
    for (const type of this.#functionTypes) items.next().unsigned(type);
    return items;
  }

  #code(): Items {
    const items = new Items();
    for (let index = 0; index < this.#functionTypes.length; index++) {
      const body = this.#bodies.get(this.#importedFunctions + index);
      if (body === undefined) {
        throw new RangeError(`Function ${this.#importedFunctions + index} was not defined`);
      }
      if (body instanceof CodeWriter) body.finishInto(items.next());
      else items.next().append(body);
    }
    return items;
  }
}

function limits(out: ByteWriter, minimum: number, maximum: number | undefined): void {
  out.byte(maximum === undefined ? 0 : 1);
  out.unsigned(minimum);
  if (maximum !== undefined) out.unsigned(maximum);
}

function section(module: ByteWriter, id: number, items: Items): void {
  if (items.count === 0) return;
  const count = new ByteWriter(5);
  count.unsigned(items.count);
  module.byte(id);
  module.unsigned(count.length + items.bytes.length);
  module.append(count.bytes);
  module.append(items.bytes.bytes);
}
