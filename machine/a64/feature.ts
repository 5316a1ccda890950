/** The extensions of the architecture that instructions and registers belong to, and the CPU models that have them. */

/** Models that -cpu names. */
export type CpuModel = "cortex-a57" | "max";

const BOTH: readonly CpuModel[] = ["cortex-a57", "max"];
const MAX: readonly CpuModel[] = ["max"];

/** Every extension by its Arm ARM name without FEAT_ (A2.2), and the models that implement it. */
// deno-fmt-ignore
export const FEATURES = {
  "Armv8.0": BOTH, CRC32: BOTH, AES: BOTH, PMULL: BOTH, SHA1: BOTH, SHA256: BOTH,
  LSE: MAX, RDM: MAX, PAN: MAX, PAN2: MAX, VHE: MAX, UAO: MAX, DPB: MAX, DPB2: MAX, FP16: MAX, FHM: MAX, SHA512: MAX,
  SHA3: MAX, DotProd: MAX, PAuth: MAX, JSCVT: MAX, FCMA: MAX, LRCPC: MAX, LRCPC2: MAX, DIT: MAX, FlagM: MAX,
  FlagM2: MAX, FRINTTS: MAX, SB: MAX, SSBS: MAX, BTI: MAX, BF16: MAX, I8MM: MAX, FGT: MAX, ECV: MAX,
} as const satisfies Record<string, readonly CpuModel[]>;

/** Name of an extension. */
export type Feature = keyof typeof FEATURES;

/** True when a model implements an extension. */
export function hasFeature(model: CpuModel, feature: Feature): boolean {
  return FEATURES[feature].includes(model as never);
}
