/** Worlds of two hosts of programs, each with enclaves (E) or with a realm's runtime (R). */
import "../../../hypervisor/install.ts";
import { createHash } from "node:crypto";
import { enclaveHost } from "../../../firmware/tee_migration/enclave_host.ts";
import { enclaveRuntime } from "../../../firmware/tee_migration/enclave_runtime.ts";
import type { MachineImages } from "../../../machine/compose.ts";
import { parseWorld, type WorldDescription } from "../../../world/description.ts";
import type { TimedWorldInput } from "../../../world/course.ts";

/** A type of TEE. */
export type TeeType = "R" | "E";

/** A host, and what is there at the beginning. */
export interface ProgramHost {
  /** Its TEE. */
  readonly type: TeeType;
  /** Options of its system. */
  readonly options?: Readonly<Record<string, string>>;
  /** Its CPU; `cortex-a57` by default. */
  readonly cpuModel?: string;
  /** Strict models. */
  readonly strictModels?: readonly string[];
}

/** The monitors' level of a type of TEE. */
const LEVELS: Readonly<Record<TeeType, 2 | 3>> = { R: 2, E: 3 };

/** A world and the images that it needs. */
export interface ProgramWorld {
  /** Nodes `east`, where the program is, and `west`. */
  readonly world: WorldDescription;
  /** What the machines boot. */
  readonly images: MachineImages;
  /** A command for the system of a node. */
  command(time: number, node: 0 | 1, words: string): TimedWorldInput;
}

/** Code of a host, for a program or for one that comes. */
function guestOf(type: TeeType, image?: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return type === "E" ? enclaveHost(image) : enclaveRuntime(image);
}

/** A configuration of a host's machine. */
export function hostMachine(
  { type, options = {}, cpuModel = "cortex-a57", strictModels = [] }: ProgramHost,
  role: "source" | "destination",
  image?: Uint8Array<ArrayBuffer>,
): { configuration: Record<string, unknown>; image: readonly [string, Uint8Array<ArrayBuffer>] } {
  const guest = guestOf(type, image), sha256 = createHash("sha256").update(guest).digest("hex");
  const given = { role, cluster: "our cluster's key", timeout: "5", ...options };
  const form = type === "R" ? { form: "program" } : {};
  return {
    configuration: {
      ...{ memoryMiB: 16, cpuModel, strictModels },
      ...type === "E" ? { secureRam: true } : {},
      monitors: [{
        level: LEVELS[type],
        systems: [{ name: "tee-migration", options: { ...form, ...given } }],
      }],
      boot: { kernel: { sha256, size: guest.length, name: `host ${type}` } },
    },
    image: [sha256, guest],
  };
}

/** Two hosts; the program of the image is at the first. `through` puts a node in the middle of their link. */
export function programWorld(
  east: ProgramHost,
  west: ProgramHost,
  image: Uint8Array<ArrayBuffer>,
  through?: string,
): ProgramWorld {
  const hosts = [hostMachine(east, "source", image), hostMachine(west, "destination")];
  const nodes: unknown[] = ["east", "west"].map((name, index) => ({
    ...{ kind: "machine", name },
    configuration: { ...hosts[index]!.configuration, seed: index + 1 },
  }));
  const wire = (name: string, latency: number, ends: readonly (readonly [string, string])[]) => ({
    ...{ name, kind: "message", latency },
    ends: ends.map(([node, port]) => ({ node, port })),
  });
  const links = through === undefined
    ? [wire("wire", 100_000, [["east", "mig"], ["west", "mig"]])]
    : ["east", "west"].map((name) => wire(`${name}-wire`, 20_000, [[name, "mig"], ["middle", name]]));
  if (through !== undefined) nodes.push({ kind: "program", name: "middle", program: through });
  return {
    world: parseWorld({ nodes, links, rootInterval: 1_000_000 }),
    images: new Map(hosts.map((host) => host.image)),
    command: (time, node, words) => ({
      ...{ time, node },
      input: {
        kind: "machine",
        input: {
          kind: "monitorCommanded",
          level: LEVELS[[east, west][node]!.type],
          command: `tee-migration ${words}`,
        },
      },
    }),
  };
}
