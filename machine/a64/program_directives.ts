/** The directives of the program assembler: one row each. */
import { AssemblyError } from "./line_parser.ts";
import type { Assembler } from "./program_assembler.ts";
import { NAME, type Reader } from "./program_reader.ts";
import { storeInteger } from "./program_values.ts";

/** Does what a directive says; the reader is behind its name. */
type Directive = (assembler: Assembler, reader: Reader) => void;

/** Larger alignments would only pad. */
const MAXIMUM_ALIGNMENT = 30;

// deno-fmt-ignore
const DIRECTIVES: Record<string, Directive> = {
  ".byte":   integers(1), ".hword":  integers(2), ".short":  integers(2), ".2byte": integers(2),
  ".word":   integers(4), ".long":   integers(4), ".int":    integers(4), ".4byte": integers(4),
  ".quad":   integers(8), ".xword":  integers(8), ".dword":  integers(8), ".8byte": integers(8),
  ".inst":   words,
  ".ascii":  strings([]), ".asciz":  strings([0]), ".string": strings([0]),
  ".incbin": binary,
  ".space":  space,       ".skip":   space,        ".zero":   space,
  ".fill":   fill,
  ".align":  powerOfTwo,  ".p2align": powerOfTwo,  ".balign": byteCount,
  ".org":    (assembler, reader) => assembler.moveTo(reader),
  ".set":    set,         ".equ":    set,
  ".ltorg":  pool,        ".pool":   pool,
  ".text":   section,     ".data":   section,      ".rodata": section,       ".bss": section,
  ".section": namedSection,
  ".global": names,       ".globl":  names,        ".local":  names,         ".weak": names,
  ".hidden": names,
  ".error":  error,
  ".include": include,
};

/** Directives that say nothing about bytes or addresses; what follows them is not looked at. */
const IGNORED = new Set([
  ...[".type", ".size", ".file", ".ident", ".arch", ".cpu", ".arch_extension"],
  ...[".cfi_startproc", ".cfi_endproc", ".cfi_def_cfa", ".cfi_def_cfa_offset", ".cfi_offset", ".cfi_restore"],
]);

/** The action of a directive, given by its lower-case name with the dot. */
export function directive(name: string): Directive | undefined {
  if (IGNORED.has(name)) return () => {};
  return Object.hasOwn(DIRECTIVES, name) ? DIRECTIVES[name] : undefined;
}

function integers(size: number): Directive {
  return (assembler, reader) => {
    let offset = 0;
    const expressions = reader.list(() => {
      const expression = assembler.expression(reader, offset);
      offset += size;
      return expression;
    });
    assembler.reserve(offset, (view, at) => {
      expressions.forEach((expression, index) => storeInteger(view, at + index * size, size, expression));
    });
  };
}

function words(assembler: Assembler, reader: Reader): void {
  const expressions = reader.list(() => assembler.expression(reader));
  for (const expression of expressions) {
    assembler.reserveWord((view, at) => storeInteger(view, at, 4, expression));
  }
}

function strings(ending: readonly number[]): Directive {
  return (assembler, reader) => {
    const bytes: number[] = [];
    reader.list(() => {
      // Strings with only blanks between them are one string.
      do reader.string(bytes); while (reader.take(/(?=")/y) !== undefined);
      bytes.push(...ending);
    });
    assembler.reserve(bytes.length, (view, at) => new Uint8Array(view.buffer).set(bytes, at));
  };
}

function binary(assembler: Assembler, reader: Reader): void {
  const { column } = reader, name = new TextDecoder().decode(new Uint8Array(reader.string()));
  reader.end();
  const bytes = Object.hasOwn(assembler.files, name) ? assembler.files[name] : undefined;
  if (!bytes) {
    const known = Object.keys(assembler.files).map((file) => `"${file}"`).join(", ");
    reader.fail(`no bytes are named "${name}"`, known || "bytes handed over with the source", column);
  }
  assembler.reserve(bytes.length, (view, at) => new Uint8Array(view.buffer).set(bytes, at));
}

function space(assembler: Assembler, reader: Reader): void {
  const size = assembler.count(reader, 0, assembler.section.kind.limit);
  const byte = reader.optional(() => assembler.count(reader, -128, 255)) ?? 0;
  reader.end();
  assembler.fill(size, byte & 255);
}

/** `.fill repeat, size, value`: GNU as takes 32 bits of the value whatever the size, so more is refused. */
function fill(assembler: Assembler, reader: Reader): void {
  const count = assembler.count(reader, 0, assembler.section.kind.limit);
  const size = reader.optional(() => assembler.count(reader, 0, 8)) ?? 1;
  let column = 1;
  const value = reader.optional(() => {
    column = reader.column;
    return assembler.evaluate(reader);
  }) ?? 0n;
  reader.end();
  const bits = BigInt(8 * Math.min(size, 4));
  if (size > 0 && (value >= 1n << bits || value < (size > 4 ? 0n : -(1n << (bits - 1n))))) {
    reader.fail(
      `${value} does not fit`,
      `an unsigned number of at most ${bits} bits, or .rept and .quad`,
      column,
    );
  }
  const pattern = Array.from({ length: size }, (_, index) => Number(value >> BigInt(8 * index) & 255n));
  if (value === 0n || count * size === 0) return assembler.reserve(count * size);
  assembler.reserve(count * size, (view, at) => {
    for (let index = 0; index < count * size; index++) view.setUint8(at + index, pattern[index % size] ?? 0);
  });
}

function powerOfTwo(assembler: Assembler, reader: Reader): void {
  align(assembler, reader, 2 ** assembler.count(reader, 0, MAXIMUM_ALIGNMENT));
}

function byteCount(assembler: Assembler, reader: Reader): void {
  const { column } = reader, alignment = assembler.count(reader, 0, 2 ** MAXIMUM_ALIGNMENT);
  if ((alignment & (alignment - 1)) !== 0) reader.fail(`${alignment} is not a power of two`, "one", column);
  align(assembler, reader, Math.max(alignment, 1));
}

function align(assembler: Assembler, reader: Reader, alignment: number): void {
  let byte: number | undefined, most: number | undefined;
  if (reader.take(/,/y) !== undefined) {
    byte = reader.take(/(?=,)/y) === undefined ? assembler.count(reader, -128, 255) & 255 : undefined;
    most = reader.optional(() => assembler.count(reader, 0, 2 ** MAXIMUM_ALIGNMENT));
  }
  reader.end();
  assembler.align(alignment, byte, most || Infinity);
}

function set(assembler: Assembler, reader: Reader): void {
  const name = reader.expect(NAME, "a name");
  reader.expect(/,/y, "a comma");
  if (name === ".") assembler.moveTo(reader);
  else assembler.equate(name, reader);
}

function pool(assembler: Assembler, reader: Reader): void {
  reader.end();
  assembler.placeLiterals();
}

function section(assembler: Assembler, reader: Reader): void {
  enter(assembler, reader, reader.text.trim().split(/\s/)[0] ?? "");
  reader.end();
}

/** Flags and type are those of the name, whatever is written. */
function namedSection(assembler: Assembler, reader: Reader): void {
  const name = reader.expect(NAME, "a section's name");
  if (reader.take(/,/y) !== undefined) {
    reader.list(() => reader.take(/[@%]\w+/y) ?? reader.string());
  }
  enter(assembler, reader, name);
  reader.end();
}

function enter(assembler: Assembler, reader: Reader, name: string): void {
  const { sections } = assembler;
  const found = sections.find((candidate) => candidate.name === name.toLowerCase());
  if (!found) reader.fail(`section "${name}" is not supported`, sections.map((one) => one.name).join(", "));
  assembler.section = found;
}

function names(_assembler: Assembler, reader: Reader): void {
  reader.list(() => reader.expect(NAME, "a name"));
}

function error(_assembler: Assembler, reader: Reader): void {
  const text = new TextDecoder().decode(new Uint8Array(reader.string()));
  throw new AssemblyError(`${text}; expected by the source itself`, 1);
}

function include(_assembler: Assembler, reader: Reader): void {
  reader.fail(".include is not supported", "one text, joined before it is assembled", 1);
}
