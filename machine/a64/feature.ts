/** The extensions of the architecture: the CPU models that have each, and the fields of ID registers that say so. */

/** Models: what `-cpu` names, with the property that makes another CPU of one. */
export const CPU_MODELS = ["cortex-a57", "max", "max,pauth-impdef=on"] as const;

/** A model that -cpu names. */
export type CpuModel = (typeof CPU_MODELS)[number];

/** Lowest bit of each four-bit field of the ID registers that extensions are found in (Arm ARM D13.2). */
// deno-fmt-ignore
export const ID_FIELDS = {
  ID_AA64PFR0_EL1:  { FP: 16, AdvSIMD: 20, DIT: 48 },
  ID_AA64PFR1_EL1:  { BT: 0, SSBS: 4 },
  ID_AA64DFR0_EL1:  { DebugVer: 0, PMUVer: 8 },
  ID_AA64ISAR0_EL1: { AES: 4, SHA1: 8, SHA2: 12, CRC32: 16, Atomic: 20, RDM: 28, SHA3: 32, DP: 44, FHM: 48, TS: 52 },
  ID_AA64ISAR1_EL1: { DPB: 0, APA: 4, API: 8, JSCVT: 12, FCMA: 16, LRCPC: 20, GPA: 24, GPI: 28, FRINTTS: 32, SB: 36, BF16: 44, I8MM: 52 },
  ID_AA64MMFR0_EL1: { FGT: 56, ECV: 60 },
  ID_AA64MMFR1_EL1: { VH: 8, PAN: 20 },
  ID_AA64MMFR2_EL1: { UAO: 4 },
} as const;

/** An ID register with fields of extensions. */
export type FeatureRegister = keyof typeof ID_FIELDS;

/** A field's name without what all registers have in theirs: `ISAR0.AES` of ID_AA64ISAR0_EL1. */
export type FieldName = {
  [R in FeatureRegister]: `${R extends `ID_AA64${infer Short}_EL1` ? Short : never}.${
    & keyof typeof ID_FIELDS[R]
    & string}`;
}[FeatureRegister];

/** A field and the least value of it that an extension gives: `ISAR0.AES = 2`. */
export type FieldValue = `${FieldName} = ${number}`;

/** An extension. */
export interface Extension {
  /** Models that implement it. */
  readonly models: readonly CpuModel[];
  /** What ID registers say of it; none where no field does. */
  readonly fields: readonly FieldValue[];
}

const ALL: readonly CpuModel[] = CPU_MODELS;
const MAX: readonly CpuModel[] = ["max", "max,pauth-impdef=on"];

function extension(models: readonly CpuModel[], ...fields: readonly FieldValue[]): Extension {
  return { models, fields };
}

/** Every extension by its Arm ARM name without FEAT_ (A2.2). */
// deno-fmt-ignore
export const FEATURES = {
  "Armv8.0":  extension(ALL, "DFR0.DebugVer = 6"),
  PMUv3:      extension(ALL, "DFR0.PMUVer = 1"),
  CRC32:      extension(ALL, "ISAR0.CRC32 = 1"),
  AES:        extension(ALL, "ISAR0.AES = 1"),
  PMULL:      extension(ALL, "ISAR0.AES = 2"),
  SHA1:       extension(ALL, "ISAR0.SHA1 = 1"),
  SHA256:     extension(ALL, "ISAR0.SHA2 = 1"),
  // Armv8.1.
  LSE:        extension(MAX, "ISAR0.Atomic = 2"),
  RDM:        extension(MAX, "ISAR0.RDM = 1"),
  PAN:        extension(MAX, "MMFR1.PAN = 1"),
  VHE:        extension(MAX, "MMFR1.VH = 1", "DFR0.DebugVer = 7"),
  // Armv8.2.
  PAN2:       extension(MAX, "MMFR1.PAN = 2"),
  UAO:        extension(MAX, "MMFR2.UAO = 1"),
  DPB:        extension(MAX, "ISAR1.DPB = 1"),
  DPB2:       extension(MAX, "ISAR1.DPB = 2"),
  FP16:       extension(MAX, "PFR0.FP = 1", "PFR0.AdvSIMD = 1"),
  FHM:        extension(MAX, "ISAR0.FHM = 1"),
  SHA512:     extension(MAX, "ISAR0.SHA2 = 2"),
  SHA3:       extension(MAX, "ISAR0.SHA3 = 1"),
  DotProd:    extension(MAX, "ISAR0.DP = 1"),
  // Armv8.3.
  PAuth:      extension(MAX),
  PACQARMA5:  extension(["max"], "ISAR1.APA = 1", "ISAR1.GPA = 1"),
  PACIMP:     extension(["max,pauth-impdef=on"], "ISAR1.API = 1", "ISAR1.GPI = 1"),
  JSCVT:      extension(MAX, "ISAR1.JSCVT = 1"),
  FCMA:       extension(MAX, "ISAR1.FCMA = 1"),
  LRCPC:      extension(MAX, "ISAR1.LRCPC = 1"),
  // Armv8.4.
  LRCPC2:     extension(MAX, "ISAR1.LRCPC = 2"),
  DIT:        extension(MAX, "PFR0.DIT = 1"),
  FlagM:      extension(MAX, "ISAR0.TS = 1"),
  // Armv8.5.
  FlagM2:     extension(MAX, "ISAR0.TS = 2"),
  FRINTTS:    extension(MAX, "ISAR1.FRINTTS = 1"),
  SB:         extension(MAX, "ISAR1.SB = 1"),
  SSBS:       extension(MAX, "PFR1.SSBS = 1"),
  SSBS2:      extension(MAX, "PFR1.SSBS = 2"),
  BTI:        extension(MAX, "PFR1.BT = 1"),
  // Armv8.6.
  BF16:       extension(MAX, "ISAR1.BF16 = 1"),
  I8MM:       extension(MAX, "ISAR1.I8MM = 1"),
  FGT:        extension(MAX, "MMFR0.FGT = 1"),
  ECV:        extension(MAX, "MMFR0.ECV = 2"),
} as const satisfies Record<string, Extension>;

/** Name of an extension. */
export type Feature = keyof typeof FEATURES;

/** The extensions in the order of the table. */
export const FEATURE_NAMES = Object.keys(FEATURES) as readonly Feature[];

/** True when a model implements an extension. */
export function hasFeature(model: CpuModel, feature: Feature): boolean {
  const { models }: Extension = FEATURES[feature];
  return models.includes(model);
}

/** The register, lowest bit and value that a text of the table stands for. */
export function parseField(text: FieldValue): { register: FeatureRegister; lowest: number; value: number } {
  const [name, value] = text.split(" = ") as [string, string];
  const [short, field] = name.split(".") as [string, string];
  const register = `ID_AA64${short}_EL1` as FeatureRegister;
  return {
    register,
    lowest: (ID_FIELDS[register] as Record<string, number>)[field] as number,
    value: Number(value),
  };
}

/** What the extensions of a model put into an ID register; of several values of one field, the largest. */
export function featureFields(model: CpuModel, register: FeatureRegister): bigint {
  const values = new Map<number, number>();
  for (const feature of FEATURE_NAMES.filter((name) => hasFeature(model, name))) {
    for (const field of FEATURES[feature].fields.map(parseField)) {
      if (field.register !== register) continue;
      values.set(field.lowest, Math.max(values.get(field.lowest) ?? 0, field.value));
    }
  }
  return [...values].reduce((bits, [lowest, value]) => bits | BigInt(value) << BigInt(lowest), 0n);
}
