/** A world as a file describes it: JSON, or a module in TypeScript that exports it with programs of its own. */
import { z } from "zod";
import type { MachineImages } from "../../machine/compose.ts";
import type { TimedWorldInput } from "../../world/course.ts";
import { parseWorld, type WorldDescription } from "../../world/description.ts";
import type { WorldInput } from "../../world/events.ts";
import { UsageError } from "../errors.ts";
import { readWholeFile } from "../host/file_source.ts";
import type { Host } from "../host/host.ts";
import { loadModule } from "../host/world_programs.ts";
import { BATCH_OPTIONS, prepareMachine } from "../machine_options.ts";
import { readOptions } from "../options.ts";
import { parseAction } from "../script.ts";

/** A world and what it is given. */
export interface DescribedWorld {
  /** The world. */
  readonly world: WorldDescription;
  /** Images of its machines. */
  readonly images: MachineImages;
  /** What the file gives it. */
  readonly inputs: readonly TimedWorldInput[];
  /** The module with programs, if it is one. */
  readonly module: string | undefined;
}

const UNITS: Readonly<Record<string, number>> = { ns: 1, us: 1e3, µs: 1e3, ms: 1e6, s: 1e9, "": 1 };

/** A time such as `100us`, `2.5ms` or `3s`, or a number of nanoseconds; throws UsageError naming `what`. */
export function timeOf(text: string | number, what: string): number {
  const [, digits, unit = ""] = /^([0-9][0-9_]*(?:\.[0-9]+)?) ?(ns|us|µs|ms|s|)$/.exec(String(text)) ?? [];
  const time = digits === undefined ? NaN : Math.round(Number(digits.replaceAll("_", "")) * UNITS[unit]!);
  if (Number.isSafeInteger(time)) return time;
  throw new UsageError(`${what}: "${text}" is no time such as 100us, 2.5ms, 3s or a number of nanoseconds`);
}

const time = z.union([z.string(), z.number()]);
const node = z.strictObject({
  name: z.string(),
  machine: z.union([z.string(), z.array(z.string())]).optional(),
  program: z.string().optional(),
  options: z.json().optional(),
  off: z.boolean().default(false),
});
const file = z.strictObject({
  nodes: z.array(node).min(1),
  links: z.array(z.strictObject({
    name: z.string(),
    kind: z.string(),
    ends: z.array(z.string().regex(/^[^:]+:[^:]+$/, "is no NODE:PORT")),
    latency: time.optional(),
    lossPerMillion: z.number().optional(),
  })).default([]),
  inputs: z.array(z.strictObject({ at: time, node: z.string(), do: z.string() })).default([]),
  seed: z.number().optional(),
  rootInterval: time.optional(),
});

type FileNode = z.output<typeof node>;

/** What an input does: `power on`, `power off`, `command TEXT` for a program, or an action of scripts. Throws UsageError. */
export function worldInputOf(text: string): WorldInput {
  const [, isOn] = /^power (on|off)$/.exec(text.trim()) ?? [];
  if (isOn !== undefined) return { kind: "power", isOn: isOn === "on" };
  const [, command] = /^command (.*)$/s.exec(text.trim()) ?? [];
  if (command !== undefined) return { kind: "command", command };
  return { kind: "machine", input: parseAction(text) };
}

/** An input of the command line, `TIME:NODE:ACTION`; throws UsageError. */
export function givenInput(text: string, world: WorldDescription, option = "--do"): TimedWorldInput {
  const [, at, name, action] = /^([^:]*):([^:]*):(.*)$/s.exec(text) ?? [];
  if (at === undefined) throw new UsageError(`${option} takes TIME:NODE:ACTION, not "${text}"`);
  return inputFor(world, { at, node: name!, do: action! }, option);
}

function inputFor(
  world: WorldDescription,
  { at, node: name, do: action }: { at: string | number; node: string; do: string },
  what: string,
): TimedWorldInput {
  const node = world.nodes.findIndex((node) => node.name === name);
  if (node < 0) throw new UsageError(`${what}: there is no node "${name}"`);
  try {
    return { time: timeOf(at, what), node, input: worldInputOf(action) };
  } catch (error) {
    throw error instanceof UsageError ? new UsageError(`${what}: ${error.message}`) : error;
  }
}

function machineOf({ name, machine, off }: FileNode, host: Host, images: Map<string, unknown>): unknown {
  const args = typeof machine === "string" ? machine.trim().split(/\s+/) : machine!;
  try {
    const options = readOptions(args, BATCH_OPTIONS);
    if (options.others.length > 0) throw new UsageError(`"${options.others[0]}" belongs to no option`);
    const prepared = prepareMachine(options, host);
    for (const [hash, image] of prepared.images) images.set(hash, image);
    return { kind: "machine", name, isOff: off, configuration: prepared.configuration };
  } catch (error) {
    throw error instanceof UsageError ? new UsageError(`node "${name}": ${error.message}`) : error;
  }
}

function nodeOf(node: FileNode, host: Host, images: Map<string, unknown>): unknown {
  const { name, machine, program, options = {}, off } = node;
  if ((machine === undefined) === (program === undefined)) {
    throw new UsageError(`node "${name}" is either a \`machine\`, by its command line, or a \`program\``);
  }
  if (program !== undefined) return { kind: "program", name, isOff: off, program, options };
  return machineOf(node, host, images);
}

/** What a file says, not checked yet. */
async function readDescription(path: string): Promise<unknown> {
  if (/\.[mc]?[jt]s$/.test(path)) return (await loadModule(path))["default"];
  const text = new TextDecoder().decode(readWholeFile(path, "world"));
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UsageError(`Cannot read the world "${path}": ${(error as Error).message}`);
  }
}

/** Reads a world and its machines' files. Throws UsageError, WorldError, CommandError, ConfigurationError. */
export async function describedWorld(path: string, host: Host): Promise<DescribedWorld> {
  const parsed = file.safeParse(await readDescription(path));
  if (!parsed.success) {
    const issues = parsed.error.issues.map(({ path, message }) => `${path.join(".") || "it"}: ${message}`);
    throw new UsageError(`Cannot read the world "${path}": ${issues.join("; ")}`);
  }
  const { nodes, links, inputs, seed, rootInterval } = parsed.data, images = new Map<string, unknown>();
  const world = parseWorld({
    nodes: nodes.map((node) => nodeOf(node, host, images)),
    links: links.map(({ ends, latency, ...link }) => ({
      ...link,
      ends: ends.map((end) => ({ node: end.split(":")[0], port: end.split(":")[1] })),
      ...latency === undefined ? {} : { latency: timeOf(latency, `link "${link.name}"`) },
    })),
    ...seed === undefined ? {} : { seed },
    ...rootInterval === undefined ? {} : { rootInterval: timeOf(rootInterval, "rootInterval") },
  });
  return {
    world,
    images: images as MachineImages,
    inputs: inputs.map((input, index) => inputFor(world, input, `inputs.${index}`)),
    module: path.endsWith(".json") ? undefined : /\.[mc]?[jt]s$/.test(path) ? path : undefined,
  };
}
