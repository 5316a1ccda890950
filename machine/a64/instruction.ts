/** The rows of the instruction tables, and the index that finds a word's row. */
import { MachineInvariantError } from "../errors.ts";
import { Builder } from "../ir/builder.ts";
import type { IrNode } from "../ir/operations.ts";
import { type CpuModel, type Feature, hasFeature } from "./feature.ts";
import { type AnyFields, type Fields, Pattern } from "./pattern.ts";

/** What a row may say beside its four columns. */
export interface InstructionOptions<Encoding extends string> {
  /** The encoding is allocated only for fields of which this is true; all others are UNDEFINED. */
  readonly when?: (fields: Fields<Encoding>) => boolean;
  /** Extension that the row belongs to, where it depends on fields a function of them; "Armv8.0" by default. */
  readonly feature?: Feature | ((fields: Fields<Encoding>) => Feature);
  /** What it is on a CPU without the extension; UNDEFINED by default. */
  readonly absent?: "nop";
}

/** An instruction: the only place where it exists. */
export interface Instruction {
  /** Name in the Arm ARM's spelling: `ADDS_imm`. */
  readonly name: string;
  /** Encoding. */
  readonly pattern: Pattern;
  /** Assembly text (see `AssemblyText`); undefined only for missing rows. */
  readonly assembly: string | undefined;
  /** Builds the instruction's IR; undefined marks a missing row, which is UNDEFINED at run time. */
  readonly lowering: ((ir: Builder, fields: AnyFields) => void) | undefined;
  /** True for the fields that are allocated. */
  readonly when: ((fields: AnyFields) => boolean) | undefined;
  /** Extension that it belongs to, or a function of a word's fields that gives it. */
  readonly feature: Feature | ((fields: AnyFields) => Feature);
  /** What it is on a CPU without the extension. */
  readonly absent: "undefined" | "nop";
}

/** Another text of an instruction for some of its encodings. */
export interface Alias {
  /** Name, for people: `CMP_imm`. */
  readonly name: string;
  /** Encoding: that of the instruction with some fields fixed. */
  readonly pattern: Pattern;
  /** Assembly text. */
  readonly assembly: string;
  /** True for the fields that are printed so; all texts are read. */
  readonly preferred: ((fields: AnyFields) => boolean) | undefined;
}

/** A line of an instruction table. */
export type Row = Instruction | Alias;

/** True for the rows that only give another text. */
export function isAlias(row: Row): row is Alias {
  return "preferred" in row;
}

/** The extension that a word with these fields belongs to. */
export function featureOf({ feature }: Instruction, fields: AnyFields): Feature {
  return typeof feature === "function" ? feature(fields) : feature;
}

/** A row with its meaning; lowerings see the encoding's fields and no others. */
export function instruction<Encoding extends string>(
  name: string,
  encoding: Encoding,
  assembly: string,
  lowering: (ir: Builder, fields: Fields<Encoding>) => void,
  options: InstructionOptions<Encoding> = {},
): Instruction {
  return {
    name,
    pattern: new Pattern(encoding),
    assembly,
    lowering: lowering as Instruction["lowering"],
    when: options.when as Instruction["when"],
    feature: (options.feature ?? "Armv8.0") as Instruction["feature"],
    absent: options.absent ?? "undefined",
  };
}

/** A row not implemented yet: it is named, counted and UNDEFINED at run time. */
export function missing<Encoding extends string>(
  name: string,
  encoding: Encoding,
  assembly?: string,
  options: InstructionOptions<Encoding> = {},
): Instruction {
  const when = options.when as Instruction["when"];
  return {
    name,
    pattern: new Pattern(encoding),
    assembly,
    lowering: undefined,
    when,
    feature: (options.feature ?? "Armv8.0") as Instruction["feature"],
    absent: options.absent ?? "undefined",
  };
}

/** Another text for some encodings of a row; without `preferred` it is always printed instead of the row's own. */
export function alias<Encoding extends string>(
  name: string,
  encoding: Encoding,
  assembly: string,
  preferred?: (fields: Fields<Encoding>) => boolean,
): Alias {
  return { name, pattern: new Pattern(encoding), assembly, preferred: preferred as Alias["preferred"] };
}

/** For `alias`: a text that is read but never printed. */
export function neverPrinted(): boolean {
  return false;
}

/** A word's row and fields. */
export interface Decoded {
  /** The instruction. */
  readonly row: Instruction;
  /** Its fields in this word. */
  readonly fields: AnyFields;
}

/** IR of an instruction; that of a missing row is UNDEFINED. */
export function lower(row: Instruction, fields: AnyFields): IrNode[] {
  const ir = new Builder();
  if (row.lowering === undefined) ir.undefined();
  else row.lowering(ir, fields);
  return ir.nodes;
}

/** IR of a word on a model; undefined where it is UNDEFINED for want of its extension. */
export function lowerOn(model: CpuModel, { row, fields }: Decoded): IrNode[] | undefined {
  if (hasFeature(model, featureOf(row, fields))) return lower(row, fields);
  return row.absent === "nop" ? [] : undefined;
}

/** Bits 31–21 choose a bucket: nearly every row fixes most of them. */
const INDEX_SHIFT = 21, INDEX_SIZE = 2048;

/** Finds the row of a word. */
export class DecodeIndex {
  readonly #buckets: Instruction[][] = Array.from({ length: INDEX_SIZE }, () => []);

  /** Refuses rows of which a word could match two, with a `MachineInvariantError` that names both and the word. */
  constructor(rows: readonly Instruction[]) {
    for (const row of rows) {
      const mask = row.pattern.mask >>> INDEX_SHIFT, value = row.pattern.value >>> INDEX_SHIFT;
      const free = ~mask & INDEX_SIZE - 1;
      // Every subset of the bits that the row leaves free.
      for (let rest = free; rest >= 0; rest = rest === 0 ? -1 : rest - 1 & free) {
        this.#add(this.#buckets[value | rest] as Instruction[], row);
      }
    }
  }

  #add(bucket: Instruction[], row: Instruction): void {
    for (const other of bucket) {
      const common = row.pattern.mask & other.pattern.mask;
      if (((row.pattern.value ^ other.pattern.value) & common) !== 0) continue;
      const example = ((row.pattern.value | other.pattern.value) >>> 0).toString(16).padStart(8, "0");
      throw new MachineInvariantError(`Rows ${other.name} and ${row.name} overlap: both match 0x${example}`);
    }
    bucket.push(row);
  }

  /** The row whose pattern a word (unsigned or not) matches. */
  find(word: number): Instruction | undefined {
    const bucket = this.#buckets[word >>> INDEX_SHIFT] as Instruction[];
    for (let index = 0; index < bucket.length; index++) {
      const row = bucket[index] as Instruction;
      if (row.pattern.matches(word)) return row;
    }
    return undefined;
  }

  /** The row and fields of a word (unsigned or not), or undefined when it is unallocated. */
  decode(word: number): Decoded | undefined {
    const row = this.find(word);
    if (row === undefined) return undefined;
    const fields = row.pattern.decode(word);
    return row.when === undefined || row.when(fields) ? { row, fields } : undefined;
  }
}
