/** Programs put together in TypeScript: assembly templates, labels that are objects, and data, as typed parts. */
import { type AssembleOptions, assembleProgram, type Program, type Source } from "./program.ts";

/** A place in a program. Put among the contents it is defined there; put into a template it is its address. */
export class Label {
  /** Its name in messages and in `Program.symbols`; a second label of the same name becomes `name$2`. */
  readonly name: string;

  /** Use `label`. */
  constructor(name: string) {
    this.name = name;
  }
}

/** What a template takes; a part that stands on lines of its own is put in there. */
export type Operand = number | bigint | Label | Part;

/** What a program consists of. */
export type Content = Part | Label;

/** A piece of a program; made by `asm`, `part`, `quad` and the like. */
export class Part {
  /** What messages call it, if it stands in a program by itself. */
  readonly name: string | undefined;
  readonly #render: (names: Names) => string;

  /** Use `asm`, `part` and the like. `render` gives the part's text. */
  constructor(render: (names: Names) => string, name?: string) {
    this.#render = render;
    this.name = name;
  }

  /** Its text in the program that `names` belongs to. */
  render(names: Names): string {
    return this.#render(names);
  }
}

/** Names that labels and byte strings get in one program. */
export class Names {
  readonly #labels: Map<Label, string> = new Map();
  readonly #used: Set<string> = new Set();
  /** Byte strings by the name that `.incbin` gives them. */
  readonly files: Record<string, Uint8Array> = {};

  /** The name of a label: its own, unless another label took that before. */
  of(label: Label): string {
    const known = this.#labels.get(label);
    if (known !== undefined) return known;
    let name = label.name;
    for (let count = 2; this.#used.has(name); count++) name = `${label.name}$${count}`;
    this.#labels.set(label, name);
    this.#used.add(name);
    return name;
  }

  /** The name of a byte string. */
  ofBytes(bytes: Uint8Array): string {
    const name = `bytes ${Object.keys(this.files).length + 1}`;
    this.files[name] = bytes;
    return name;
  }
}

/** A new place, yet to be put somewhere. Throws `TypeError` for what is not a name (letters, digits, `_`, `.`, `$`). */
export function label(name: string): Label {
  if (/^[A-Za-z_.$][\w.$]*$/.test(name) && name !== ".") return new Label(name);
  throw new TypeError(
    `Cannot name a label ${JSON.stringify(name)}: not a name of letters, digits, "_", "." and "$"`,
  );
}

/**
 * Assembly text; numbers (integers), bigints, labels and parts can be put in, anything else is a `TypeError`.
 * Numbers are put in as decimal digits, so `mov x${number}, #${count}` works too.
 */
export function asm(strings: TemplateStringsArray, ...operands: readonly Operand[]): Part {
  for (const operand of operands) checkOperand(operand);
  return new Part((names) =>
    strings.raw.map((text, index) => (index === 0 ? "" : show(operands[index - 1] as Operand, names)) + text)
      .join("")
  );
}

/** Parts under one name, by which messages call them. */
export function part(name: string, ...contents: readonly Content[]): Part {
  return new Part((names) => contents.map((content) => renderContent(content, names)).join(""), name);
}

/** Bytes: -128 to 255 each. */
export function byte(...values: readonly (number | bigint | Label)[]): Part {
  return integers(".byte", values);
}

/** Little-endian 16-bit integers. */
export function half(...values: readonly (number | bigint | Label)[]): Part {
  return integers(".hword", values);
}

/** Little-endian 32-bit integers. */
export function word(...values: readonly (number | bigint | Label)[]): Part {
  return integers(".word", values);
}

/** Little-endian 64-bit integers. */
export function quad(...values: readonly (number | bigint | Label)[]): Part {
  return integers(".quad", values);
}

/** The bytes as they are; the array must not change before the program is assembled. */
export function bytes(contents: Uint8Array): Part {
  if (!(contents instanceof Uint8Array)) {
    throw new TypeError("Cannot put bytes into a program: not a Uint8Array");
  }
  return new Part((names) => `.incbin "${names.ofBytes(contents)}"`);
}

/** The text in UTF-8, with a zero byte at its end. */
export function asciz(text: string): Part {
  return bytes(new TextEncoder().encode(`${text}\0`));
}

/** Moves on to a multiple of `alignment` bytes, a power of two; code is filled with NOP, data with zero. */
export function align(alignment: number): Part {
  if (
    Number.isInteger(alignment) && alignment > 0 && alignment <= 2 ** 30 &&
    (alignment & (alignment - 1)) === 0
  ) {
    return new Part(() => `.balign ${alignment}`);
  }
  throw new RangeError(`Cannot align to ${alignment}: not a power of two from 1 to 2^30`);
}

/** Moves on to `offset` bytes from the first of the section. */
export function org(offset: number | bigint): Part {
  checkOperand(offset);
  return new Part(() => `.org ${offset}`);
}

/** Assembles the contents in their order. Throws as `assembleProgram` does. */
export function program(contents: readonly Content[], options: AssembleOptions = {}): Program {
  const names = new Names();
  const sources: Source[] = [];
  for (const content of contents) {
    const name = (content instanceof Part ? content.name : undefined) ?? options.name ?? "program";
    const text = renderContent(content, names), last = sources.at(-1);
    if (last?.name === name) sources[sources.length - 1] = { name, text: last.text + text };
    else sources.push({ name, text });
  }
  return assembleProgram(sources, { ...options, files: { ...options.files, ...names.files } });
}

function integers(directive: string, values: readonly (number | bigint | Label)[]): Part {
  for (const value of values) checkOperand(value);
  if (values.some((value) => value instanceof Part)) {
    throw new TypeError(`Cannot put a part into ${directive}`);
  }
  const PER_LINE = 8;
  return new Part((names) => {
    const lines: string[] = [];
    for (let index = 0; index < values.length; index += PER_LINE) {
      const shown = values.slice(index, index + PER_LINE).map((value) => show(value, names));
      lines.push(`${directive} ${shown.join(", ")}`);
    }
    return lines.join("\n");
  });
}

function renderContent(content: Content, names: Names): string {
  if (content instanceof Label) return `${names.of(content)}:\n`;
  if (content instanceof Part) return `${content.render(names)}\n`;
  throw new TypeError(`Cannot put ${describe(content)} into a program: expected a part or a label`);
}

function show(operand: Operand, names: Names): string {
  if (operand instanceof Label) return names.of(operand);
  if (operand instanceof Part) return operand.render(names);
  return String(operand);
}

function checkOperand(operand: unknown): void {
  if (Number.isSafeInteger(operand) || typeof operand === "bigint") return;
  if (operand instanceof Label || operand instanceof Part) return;
  throw new TypeError(
    `Cannot put ${describe(operand)} into assembly: expected an integer, a bigint, a label or a part`,
  );
}

function describe(value: unknown): string {
  return typeof value === "number"
    ? String(value)
    : value === null
    ? "null"
    : `a value of type ${typeof value}`;
}
