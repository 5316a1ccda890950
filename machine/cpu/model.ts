/** What tells CPU models apart beside their extensions: identity, address sizes, granules (QEMU 7.2's, -cpu). */
import type { CpuModel } from "../a64/feature.ts";
import type { TranslationLimits } from "../memory/translation_controls.ts";

/** The constants of a model. */
export interface ModelRow {
  /** MIDR_EL1. */
  readonly midr: bigint;
  /** CLIDR_EL1. */
  readonly clidr: bigint;
  /** Physical address size and granules, as ID_AA64MMFR0_EL1 gives them. */
  readonly limits: TranslationLimits;
}

/** QEMU's own `max`: implementer 0, part 0x51; its caches need no cleaning to the point of unification. */
const MAX: ModelRow = {
  midr: 0x000f_0510n,
  clidr: 0x0200_0023n,
  limits: { physicalSize: 48, granule16K: true, dataTags: true },
};

/** The models, by name. */
export const MODELS: Readonly<Record<CpuModel, ModelRow>> = {
  "cortex-a57": {
    midr: 0x411f_d070n, // r1p0
    clidr: 0x0a20_0023n,
    limits: { physicalSize: 44, granule16K: false, dataTags: false },
  },
  "max": MAX,
  "max,pauth-impdef=on": MAX,
};

const PHYSICAL_SIZES = [32, 36, 40, 42, 44, 48];

/** ID_AA64MMFR0_EL1.PARange and TGran16 of a model. */
export function memoryModelFields(model: CpuModel): bigint {
  const { physicalSize, granule16K } = MODELS[model].limits;
  return BigInt(PHYSICAL_SIZES.indexOf(physicalSize) | (granule16K ? 1 << 20 : 0));
}
