/** Reading of ACPI Machine Language: the namespace of a definition block, with the data of its names (ACPI 6.3, 20.2). */
import { OP } from "./aml.ts";
import { getNumber } from "./structure.ts";

/** Data of a Name. */
export type AmlValue =
  | { readonly kind: "integer"; readonly value: bigint }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "buffer"; readonly bytes: Uint8Array }
  | { readonly kind: "package"; readonly elements: readonly AmlValue[] }
  /** A name in a package, with where it was looked up from. */
  | { readonly kind: "reference"; readonly name: string };

/** An object of the namespace. */
export interface AmlObject {
  /** Path from the root, such as `\_SB_.COM0._HID`, every name with four characters. */
  readonly path: string;
  /** What it is. */
  readonly kind: "scope" | "device" | "name" | "method";
  /** Offset in the block. */
  readonly at: number;
  /** Bytes. */
  readonly size: number;
  /** A Name's data. */
  readonly value?: AmlValue;
  /** A Method's parameters. */
  readonly parameters?: number;
  /** A Method's terms as they are. */
  readonly body?: Uint8Array;
}

/** Bytes that are no AML that is read here; the message says where. */
export class AmlError extends Error {
  /** Name of the class. */
  override name = "AmlError";
}

/** Operands of the opcodes that methods here are made of: terms, or (`n`) names. */
// deno-fmt-ignore
const OPERANDS: Readonly<Record<number, string>> = {
  [OP.STORE]: "tt", [OP.AND]: "ttt", [OP.OR]: "ttt", [OP.NOTIFY]: "tt", [OP.CREATE_DWORD_FIELD]: "ttn", [OP.NOT]: "t",
  [OP.EQUAL]: "tt", [OP.RETURN]: "t",
};
const DEEPEST = 32;
const isSegment = (text: string): boolean => /^[A-Z_][A-Z0-9_]{3}$/.test(text);

/** Reads one block. */
export class AmlReader {
  /** What was read, a scope before what is in it. */
  readonly objects: AmlObject[] = [];
  readonly #bytes: Uint8Array;
  #at = 0;

  /** `bytes` are what is behind a table's header. */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  #fail(reason: string): never {
    throw new AmlError(`at offset ${this.#at} of the definition block: ${reason}`);
  }

  #byte(): number {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) this.#fail("it ends early");
    this.#at++;
    return byte;
  }

  #take(count: number, end: number): Uint8Array {
    if (count > end - this.#at) this.#fail(`${count} bytes are more than there are`);
    return this.#bytes.subarray(this.#at, this.#at += count);
  }

  /** A PkgLength: where what it counts ends. */
  #end(limit: number): number {
    const start = this.#at, lead = this.#byte(), more = lead >>> 6;
    let length = more === 0 ? lead & 0x3f : lead & 0xf;
    for (let index = 0; index < more; index++) length += this.#byte() << 4 + 8 * index;
    const end = start + length;
    if (end > limit || end < this.#at) this.#fail(`a PkgLength of ${length} leads out of what it is in`);
    return end;
  }

  #name(): string {
    let prefix = "";
    for (let byte = this.#bytes[this.#at]; byte === 0x5c || byte === 0x5e; byte = this.#bytes[this.#at]) {
      prefix += String.fromCharCode(this.#byte());
    }
    const lead = this.#bytes[this.#at];
    const count = lead === OP.DUAL_NAME
      ? 2
      : lead === OP.MULTI_NAME
      ? this.#bytes[this.#at + 1] ?? 0
      : lead === 0
      ? 0
      : 1;
    this.#at += lead === OP.DUAL_NAME || lead === 0 ? 1 : lead === OP.MULTI_NAME ? 2 : 0;
    const segments = Array.from({ length: count }, () => {
      const segment = String.fromCharCode(...this.#take(4, this.#bytes.length));
      return isSegment(segment) ? segment : this.#fail(`${JSON.stringify(segment)} is no name`);
    });
    return prefix + segments.join(".");
  }

  /** All objects of the block. */
  read(): readonly AmlObject[] {
    this.#terms("\\", this.#bytes.length, 0);
    return this.objects;
  }

  #absolute(scope: string, name: string): string {
    if (name.startsWith("\\")) return name;
    const carets = name.match(/^\^*/)?.[0].length as number;
    const above = scope === "\\" ? [] : scope.slice(1).split(".");
    return `\\${[...above.slice(0, above.length - carets), name.slice(carets)].join(".")}`;
  }

  #terms(scope: string, end: number, depth: number): void {
    if (depth > DEEPEST) this.#fail("scopes are nested too deep");
    while (this.#at < end) this.#object(scope, end, depth);
  }

  #object(scope: string, limit: number, depth: number): void {
    const at = this.#at, opcode = this.#byte();
    if (opcode === OP.NAME) {
      const path = this.#absolute(scope, this.#name()), value = this.#data(limit, 0);
      this.objects.push({ path, kind: "name", at, size: this.#at - at, value });
      return;
    }
    const isDevice = opcode === OP.EXTENDED && this.#byte() === OP.DEVICE;
    if (!isDevice && opcode !== OP.SCOPE && opcode !== OP.METHOD) {
      this.#at = at;
      this.#fail(`opcode 0x${opcode.toString(16)} is no object`);
    }
    const end = this.#end(limit), path = this.#absolute(scope, this.#name());
    if (opcode === OP.METHOD) {
      const parameters = this.#byte() & 7, start = this.#at;
      while (this.#at < end) this.#term(end, 0);
      const body = this.#bytes.subarray(start, end);
      this.objects.push({ path, kind: "method", at, size: end - at, parameters, body });
    } else {
      this.objects.push({ path, kind: isDevice ? "device" : "scope", at, size: end - at });
      this.#terms(path, end, depth + 1);
    }
    if (this.#at !== end) this.#fail("a PkgLength counts less than what is there");
  }

  /** A constant, String, Buffer or Package, or a name. */
  #data(limit: number, depth: number): AmlValue {
    if (depth > DEEPEST) this.#fail("packages are nested too deep");
    const opcode = this.#byte(),
      sizes: Readonly<Record<number, number>> = {
        [OP.BYTE]: 1,
        [OP.WORD]: 2,
        [OP.DWORD]: 4,
        [OP.QWORD]: 8,
      };
    const size = sizes[opcode];
    if (size !== undefined) return { kind: "integer", value: getNumber(this.#take(size, limit), 0, size) };
    switch (opcode) {
      case OP.ZERO:
      case OP.ONE:
        return { kind: "integer", value: BigInt(opcode) };
      case OP.ONES:
        return { kind: "integer", value: (1n << 64n) - 1n };
      case OP.STRING: {
        const end = this.#bytes.indexOf(0, this.#at);
        if (end < 0 || end >= limit) this.#fail("a String has no end");
        const text = String.fromCharCode(...this.#take(end - this.#at, limit));
        this.#at++;
        return { kind: "string", value: text };
      }
      case OP.BUFFER: {
        const end = this.#end(limit), length = this.#data(end, depth + 1);
        const bytes = new Uint8Array(this.#take(end - this.#at, end));
        if (length.kind !== "integer" || length.value < BigInt(bytes.length)) {
          this.#fail("a Buffer has more bytes than it says");
        }
        return { kind: "buffer", bytes };
      }
      case OP.VAR_PACKAGE:
      case OP.PACKAGE: {
        const end = this.#end(limit), elements: AmlValue[] = [];
        const count = opcode === OP.PACKAGE ? this.#byte() : this.#count(end, depth);
        while (this.#at < end) elements.push(this.#data(end, depth + 1));
        if (elements.length !== count) {
          this.#fail(`a Package says ${count} elements and has ${elements.length}`);
        }
        return { kind: "package", elements };
      }
    }
    this.#at--;
    return { kind: "reference", name: this.#name() };
  }

  /** A number that is data. */
  #count(end: number, depth: number): number {
    const value = this.#data(end, depth + 1);
    return value.kind === "integer" ? Number(value.value) : this.#fail("a Package has no number of elements");
  }

  /** A term of a method. */
  #term(limit: number, depth: number): void {
    if (depth > DEEPEST) this.#fail("terms are nested too deep");
    const opcode = this.#bytes[this.#at] ?? this.#fail("it ends early");
    if (opcode === OP.IF || opcode === OP.ELSE) {
      this.#at++;
      const end = this.#end(limit);
      while (this.#at < end) this.#term(end, depth + 1);
      return;
    }
    const operands = OPERANDS[opcode];
    if (operands !== undefined) {
      this.#at++;
      for (const operand of operands) operand === "n" ? this.#name() : this.#term(limit, depth + 1);
    } else if (opcode >= OP.LOCAL0 && opcode < OP.STORE) this.#at++;
    else this.#data(limit, depth + 1);
  }
}

/** The object that a name means, seen from a scope: a single name is searched upward (5.3). */
export function resolveName(
  objects: ReadonlyMap<string, AmlObject>,
  scope: string,
  name: string,
): AmlObject | undefined {
  const above = scope === "\\" ? [] : scope.slice(1).split(".");
  if (name.startsWith("\\")) return objects.get(name);
  const carets = name.match(/^\^*/)?.[0].length as number, rest = name.slice(carets);
  const isSearched = carets === 0 && !rest.includes(".");
  for (let length = above.length - carets; length >= 0; length--) {
    const found = objects.get(
      `\\${[...above.slice(0, length), rest].filter((part) => part !== "").join(".")}`,
    );
    if (found !== undefined || !isSearched) return found;
  }
  return undefined;
}
