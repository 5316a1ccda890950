/** Named, versioned snapshot sections: the only form in which state leaves or enters the machine. */
import { ByteReader, ByteWriter, type FieldKind, record, type ValueOf } from "./layout.ts";
import { MachineInvariantError } from "./errors.ts";

/** One part of the machine's state: a name, the version of its layout, and bytes in that layout. */
export interface Section {
  /** Unique in the machine, such as `cpu0` or `pl011`. */
  readonly name: string;
  /** Version of the layout; a change of fields raises it. */
  readonly version: number;
  /** The state in the section's fixed little-endian layout. */
  readonly bytes: Uint8Array;
}

/** A section's layout: checks, writes and reads one state type. */
export interface SectionLayout<T> {
  /** The section's kind, used in messages. */
  readonly kind: string;
  /** Version written, and the only one `decode` takes. */
  readonly version: number;
  /** Field layout and zod schema. */
  readonly fields: FieldKind<T>;
  /** Checks the state and lays it out under `name`. */
  encode(name: string, state: T): Section;
  /** Reads a state back and checks it; throws RangeError on damage or another version. */
  decode(section: Section): T;
}

/** Declares the layout of a section from its table of fields. */
export function sectionLayout<F extends Record<string, unknown>>(
  kind: string,
  version: number,
  fields: F,
): SectionLayout<ValueOf<F>> {
  const layout = record(fields);
  return {
    kind,
    version,
    fields: layout,
    encode(name, state) {
      if (!layout.holds(state)) {
        const { error } = layout.schema.safeParse(state) as { readonly error?: Error };
        throw new MachineInvariantError(`Cannot save section "${name}": ${error?.message}`);
      }
      const writer = new ByteWriter();
      layout.write(writer, state);
      return { name, version, bytes: writer.bytes() };
    },
    decode(section) {
      if (section.version !== version) {
        throw new RangeError(
          `Cannot restore section "${section.name}": version ${section.version}, this build has ${version}`,
        );
      }
      const reader = new ByteReader(section.bytes);
      const state = layout.read(reader);
      if (reader.remaining > 0) {
        throw new RangeError(`Cannot restore section "${section.name}": ${reader.remaining} bytes too many`);
      }
      // Only zod says what is wrong, and it is slow.
      return layout.holds(state) ? state : layout.schema.parse(state);
    },
  };
}
