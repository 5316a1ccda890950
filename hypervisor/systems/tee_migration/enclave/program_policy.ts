/** What a program has to find where it goes, as a policy that the agents agree on before anything of it is sent. */
import { type CpuModel, hasFeature } from "../../../../machine/a64/feature.ts";
import type { Policy } from "../messages.ts";
import { alignmentOf, memoryBytes, type ProgramHeader } from "./program_image.ts";
import { SHIMMED } from "./shims.ts";

/** Version of what agents of programs say to one another. */
export const PROGRAM_AGENT_VERSION = 2;

/** A type of TEE: a realm's runtime at EL1, or the monitor at EL3. */
export type TeeType = "R" | "E";

/** The policy of a program in a TEE of a type. */
export function policyOf(header: ProgramHeader, type: TeeType): Policy {
  return {
    // What may not cross types names the one that it has to stay in.
    teeType: header.crossesTypes ? "" : type,
    form: "program",
    features: [...header.features],
    allowsShims: header.allowsShims,
    alignment: alignmentOf(header),
    memoryMiB: Math.ceil(memoryBytes(header) / 2 ** 20),
    cpus: 1,
    agentVersion: PROGRAM_AGENT_VERSION,
  };
}

/** What a host of programs has. */
export interface ProgramPlace {
  /** Its TEEs. */
  readonly type: TeeType;
  /** Its CPUs. */
  readonly model: CpuModel;
  /** It emulates what it lacks for those that allow it. */
  readonly hasShims: boolean;
  /** Bytes of its pages. */
  readonly granule: number;
  /** Bytes that it has for a program. */
  readonly memory: number;
}

/** Why a place cannot have what a policy describes, or undefined. */
export function unmet(policy: Policy, place: ProgramPlace): string | undefined {
  const { teeType, form, features, allowsShims, alignment, memoryMiB, agentVersion } = policy;
  if (form !== "program") return "a realm with a kernel of its own is not canonical: here are programs alone";
  if (teeType !== "" && teeType !== place.type) return `it must stay in a TEE of type ${teeType}`;
  if (agentVersion !== PROGRAM_AGENT_VERSION) return `its agents have version ${agentVersion}`;
  if (alignment < place.granule) {
    return `memory of two permissions would share a page of ${place.granule / 1024} KiB`;
  }
  if (memoryMiB * 2 ** 20 > place.memory) return `it needs ${memoryMiB} MiB`;
  const lacking = features.filter((name) => !hasFeature(place.model, name as never));
  if (lacking.length === 0) return undefined;
  const beyond = lacking.filter((name) => !(SHIMMED as readonly string[]).includes(name));
  if (!place.hasShims || beyond.length > 0) {
    return `this machine lacks ${(place.hasShims ? beyond : lacking).join(", ")}`;
  }
  return allowsShims ? undefined : `this machine could only emulate ${lacking.join(", ")}`;
}
