/** The table of extensions: ID registers of each model, README's table, and no extension without its instructions. */
import { assertEquals } from "@std/assert";
import {
  CPU_MODELS,
  type CpuModel,
  type Extension,
  type Feature,
  FEATURE_NAMES,
  featureFields,
  FEATURES,
  hasFeature,
  parseField,
} from "../../../machine/a64/feature.ts";
import type { Pattern } from "../../../machine/a64/pattern.ts";
import { ROWS } from "../../../machine/a64/rows.ts";
import { peekSystemRegister } from "../../../machine/cpu/system_registers.ts";
import { testCpus } from "../cpu/support.ts";
import { randomNumbers } from "./random_words.ts";

/** ID registers of each model with EL2 and EL3; those of cortex-a57 are QEMU's but for AArch32. */
// deno-fmt-ignore
const ID: Readonly<Record<string, Readonly<Record<CpuModel, bigint>>>> = {
  MIDR_EL1:         { "cortex-a57": 0x411f_d070n,           max: 0xf_0510n,                  "max,pauth-impdef=on": 0xf_0510n },
  ID_AA64PFR0_EL1:  { "cortex-a57": 0x1111n,                max: 0x0001_0000_0011_1111n,     "max,pauth-impdef=on": 0x0001_0000_0011_1111n },
  ID_AA64PFR1_EL1:  { "cortex-a57": 0n,                     max: 0x21n,                      "max,pauth-impdef=on": 0x21n },
  ID_AA64DFR0_EL1:  { "cortex-a57": 0x1030_5106n,           max: 0x1030_5107n,               "max,pauth-impdef=on": 0x1030_5107n },
  ID_AA64ISAR0_EL1: { "cortex-a57": 0x1_1120n,              max: 0x0021_1001_1021_2120n,     "max,pauth-impdef=on": 0x0021_1001_1021_2120n },
  ID_AA64ISAR1_EL1: { "cortex-a57": 0n,                     max: 0x0010_1011_0121_1012n,     "max,pauth-impdef=on": 0x0010_1011_1021_1102n },
  ID_AA64MMFR0_EL1: { "cortex-a57": 0x1124n,                max: 0x2100_0000_0010_1125n,     "max,pauth-impdef=on": 0x2100_0000_0010_1125n },
  ID_AA64MMFR1_EL1: { "cortex-a57": 0n,                     max: 0x0020_0100n,               "max,pauth-impdef=on": 0x0020_0100n },
  ID_AA64MMFR2_EL1: { "cortex-a57": 0n,                     max: 0x10n,                      "max,pauth-impdef=on": 0x10n },
};

Deno.test("ID registers have the values of each model", () => {
  for (const model of CPU_MODELS) {
    const { cpu } = testCpus({ model, el2: true, el3: true });
    for (const [name, values] of Object.entries(ID)) {
      assertEquals(
        peekSystemRegister(cpu, name).toString(16),
        values[model].toString(16),
        `${model}: ${name}`,
      );
    }
  }
});

Deno.test("featureFields takes the largest value of a field", () => {
  assertEquals(featureFields("max", "ID_AA64MMFR1_EL1"), 0x20_0100n);
  assertEquals(parseField("MMFR1.PAN = 2"), { register: "ID_AA64MMFR1_EL1", lowest: 20, value: 2 });
});

/** README's table, a line per extension in the order of the rows. */
function table(): string[] {
  const has = (model: CpuModel, feature: Feature) => hasFeature(model, feature) ? "yes" : "–";
  return FEATURE_NAMES.map((feature) => {
    const { fields }: Extension = FEATURES[feature];
    const cells = [has("cortex-a57", feature), has("max", feature), has("max,pauth-impdef=on", feature)];
    const max = cells[1] === cells[2] ? cells[1] : cells[1] === "yes" ? "yes" : "with pauth-impdef=on";
    return [feature, cells[0], max, fields.join(", ") || "–"].join(" | ");
  });
}

Deno.test("README's table of extensions is that of FEATURES", () => {
  const readme = Deno.readTextFileSync(new URL("../../../README.md", import.meta.url));
  const section = /## CPU models\n([^]*?)\n## /.exec(readme)?.[1] ?? "";
  const rows = section.split("\n").filter((line) => line.startsWith("|")).slice(2);
  const cells = rows.map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()).join(" | "));
  assertEquals(cells, table());
});

/** Extensions without instructions: registers, fields of PSTATE, and names of what others execute. */
// deno-fmt-ignore
const WITHOUT_ROWS: readonly Feature[] = [
  "PMUv3", "VHE", "PAN2", "DPB", "DPB2", "PACQARMA5", "PACIMP", "SSBS", "BTI", "FGT", "ECV",
];

Deno.test("no extension lacks instructions", () => {
  assertEquals(ROWS.filter(({ lowering }) => lowering === undefined), []);
  const found = new Set<Feature>();
  for (const { pattern, when, feature } of ROWS) {
    if (typeof feature !== "function") found.add(feature);
    else {for (const word of words(pattern)) {
        const fields = pattern.decode(word);
        if (when?.(fields) !== false) found.add(feature(fields));
      }}
  }
  assertEquals(FEATURE_NAMES.filter((name) => !found.has(name)), WITHOUT_ROWS);
});

/** Words of a row, their free bits at random. */
function words({ mask, value }: Pattern): number[] {
  const random = randomNumbers(1);
  return Array.from({ length: 500 }, () => (random() & ~mask | value) >>> 0);
}
