/** Opens the file of a world for the commands that read one. */
import { createHash } from "node:crypto";
import type { MachineImages } from "../../machine/compose.ts";
import { BEHAVIOUR_VERSION, type MachineConfiguration } from "../../machine/configuration.ts";
import { ConfigurationError } from "../../machine/errors.ts";
import { type RecordedLife, RecordedWorld } from "../../world/run.ts";
import { CommandError, UsageError } from "../errors.ts";
import { FileSource, readWholeFile } from "../host/file_source.ts";
import type { Host } from "../host/host.ts";
import { findImages, neededImages } from "../host/image_search.ts";
import type { Options } from "../options.ts";
import { grouped, secondsText } from "../text.ts";

/** A world's file that was opened. */
export interface OpenedWorld {
  /** What it says. */
  readonly run: RecordedWorld;
  /** Its length in bytes. */
  readonly size: number;
}

/** Opens a file, and tells of a torn tail and of another behaviour. Throws JournalError, CommandError. */
export function openWorld(path: string, host: Host): OpenedWorld {
  const source = new FileSource(path);
  let run: RecordedWorld;
  try {
    run = RecordedWorld.open(source);
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    throw new CommandError(`Cannot read "${path}": this build cannot make its machines: ${error.message}`);
  }
  const { torn } = run.reader, warn = (text: string) => host.stderr.write(`hindsight: "${path}" ${text}\n`);
  if (torn !== undefined) {
    warn(
      `has a torn tail: the ${
        grouped(torn.bytes)
      } bytes from offset ${torn.offset} on are dropped (${torn.reason})`,
    );
  }
  if (run.end === undefined) {
    warn(`was cut off while recording; it is known up to ${secondsText(run.lastTime)}`);
  }
  const other = run.manifest.world.nodes.find((node) =>
    node.kind === "machine" && node.configuration.behaviour !== BEHAVIOUR_VERSION
  );
  if (other !== undefined) {
    warn(`was recorded with another behaviour than ${BEHAVIOUR_VERSION}: the replay may differ`);
  }
  return { run, size: source.size };
}

/** Whether a file given with --image is an image of a machine. */
function isOf(configuration: MachineConfiguration, argument: string): boolean {
  const file = argument.replace(/^[a-z][a-z0-9_.-]*=/i, "");
  try {
    const hash = createHash("sha256").update(readWholeFile(file, "image")).digest("hex");
    return neededImages(configuration).some(({ sha256, isDisk }) => sha256 === hash || isDisk);
  } catch (error) {
    throw error instanceof CommandError ? error : new CommandError(`Cannot read "${file}"`);
  }
}

/** The images of all machines, by content. Throws CommandError naming the one that is missing. */
export function worldImages(
  { manifest: { world } }: RecordedWorld,
  path: string,
  options: Options,
): MachineImages {
  let images: MachineImages = new Map();
  for (const node of world.nodes) {
    if (node.kind !== "machine") continue;
    // A file given is of one machine or another.
    const given = options.texts("image").filter((argument) => isOf(node.configuration, argument));
    images = new Map([...images, ...findImages(node.configuration, images, given, path)]);
  }
  return images;
}

/** A life of a machine by its name, `NODE` or `NODE.LIFE` (the first by default). Throws UsageError. */
export function lifeNamed(run: RecordedWorld, name: string): RecordedLife {
  const [, word, life = "0"] = /^([a-z0-9-]+)(?:\.([0-9]+))?$/.exec(name) ?? [];
  const { nodes } = run.manifest.world, lives = run.lives;
  const found = lives.find((one) => nodes[one.node]!.name === word && one.life === Number(life));
  if (found !== undefined) return found;
  const names = lives.map(({ node, life }) => `${nodes[node]!.name}.${life}`).join(", ") || "none";
  throw new UsageError(`The world has no life "${name}" of a machine: there are ${names}`);
}
