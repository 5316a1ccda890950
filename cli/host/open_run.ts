/** Opens a journal for the commands that read one. */
import type { MachineImages } from "../../machine/compose.ts";
import { BEHAVIOUR_VERSION } from "../../machine/configuration.ts";
import { ConfigurationError } from "../../machine/errors.ts";
import { JournalReader } from "../../journal/file.ts";
import { diskReferences, imageReferences, packedImages } from "../../journal/images.ts";
import { RecordedRun } from "../../journal/run.ts";
import { CommandError } from "../errors.ts";
import type { Options } from "../options.ts";
import { grouped } from "../text.ts";
import { FileSource } from "./file_source.ts";
import type { Host } from "./host.ts";
import { findImages } from "./image_search.ts";

/** A journal that was opened. */
export interface OpenedRun {
  /** Its file. */
  readonly path: string;
  /** Length of the file in bytes. */
  readonly size: number;
  /** The file's blocks. */
  readonly reader: JournalReader;
  /** What they say. */
  readonly run: RecordedRun;
  /** Images inside the journal, by SHA-256. */
  readonly packed: MachineImages;
}

/** Opens a journal and tells of a torn tail and of another behaviour. Throws JournalError, CommandError. */
export function openRun(path: string, host: Host): OpenedRun {
  const source = new FileSource(path);
  const reader = JournalReader.open(source);
  let run: RecordedRun;
  try {
    run = new RecordedRun(reader);
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    throw new CommandError(`Cannot replay "${path}": this build cannot make its machine: ${error.message}`);
  }
  const { configuration } = run.manifest;
  const packed = packedImages(reader, imageReferences(configuration), diskReferences(configuration));
  const opened = { path, size: source.size, reader, run, packed };
  for (const warning of warnings(opened)) host.stderr.write(`hindsight: ${warning}\n`);
  return opened;
}

/** What the user ought to know of a journal before relying on it. */
export function warnings({ path, reader, run }: OpenedRun): string[] {
  const found: string[] = [];
  if (reader.torn !== undefined) {
    const { offset, bytes, reason } = reader.torn;
    found.push(
      `"${path}" has a torn tail: the ${
        grouped(bytes)
      } bytes from offset ${offset} on are dropped (${reason})`,
    );
  }
  if (run.end === undefined) {
    found.push(
      `"${path}" was cut off while recording; it is known up to instant ${grouped(run.lastInstant)}`,
    );
  }
  const { behaviour } = run.manifest.configuration;
  if (behaviour !== BEHAVIOUR_VERSION) {
    found.push(
      `"${path}" was recorded with behaviour ${behaviour}, this build has ${BEHAVIOUR_VERSION}: ` +
        `the replay may differ`,
    );
  }
  return found;
}

/** The images of an opened run, by the options of the command. */
export function imagesOf({ run, packed, path }: OpenedRun, options: Options): MachineImages {
  return findImages(run.manifest.configuration, packed, options.texts("image"), path);
}
