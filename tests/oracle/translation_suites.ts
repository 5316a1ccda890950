/** The suites of translation cases: what is drawn, on which CPU, and how outcomes are kept. */
import { deflateSync, inflateSync } from "node:zlib";
import type { CpuModel } from "../../machine/a64/feature.ts";
import { drawAccess } from "./access_cases.ts";
import { drawTranslation, type TranslationCase } from "./translation_cases.ts";
import { masked } from "./translation_differences.ts";
import { TranslationMachine } from "./translation_machine.ts";
import { type Outcome, OUTCOME_WORDS } from "./translation_runner.ts";

/** A suite. */
export interface Suite {
  /** Name of its fixture. */
  readonly name: string;
  /** `-cpu` of QEMU, and of ours with the same limits. */
  readonly model: string;
  readonly ourModel: CpuModel;
  /** Cases run from EL3. */
  readonly el3: boolean;
  /** Draws the case of a seed. */
  readonly draw: (seed: number) => TranslationCase;
}

const A57 = { physicalSize: 44, granules: [12, 16] }, N1 = { physicalSize: 48, granules: [12, 14, 16] };

/** Neoverse N1 is QEMU's for 16 KiB granules and 48 bits without later formats of tables. */
// deno-fmt-ignore
export const SUITES: readonly Suite[] = [
  { name: "at_4k_64k", model: "cortex-a57",  ourModel: "cortex-a57", el3: false, draw: (seed) => drawTranslation(seed, A57, false) },
  { name: "at_16k",    model: "neoverse-n1", ourModel: "max",        el3: false, draw: (seed) => drawTranslation(seed, N1, false) },
  { name: "at_secure", model: "cortex-a57",  ourModel: "cortex-a57", el3: true,  draw: (seed) => drawTranslation(seed, A57, true) },
  { name: "access",    model: "cortex-a57",  ourModel: "cortex-a57", el3: false, draw: (seed) => drawAccess(seed, A57.granules) },
];

/** Seeds of the cases that the fixtures hold. */
export const FIRST_SEED = 1, FIXTURE_CASES = 2000;

/** The cases of `count` seeds from `first` on. */
export function drawCases({ draw }: Suite, first: number, count: number): TranslationCase[] {
  return Array.from({ length: count }, (_, index) => draw(first + index));
}

/** Our outcomes. */
export function runOurs({ ourModel, el3 }: Suite, cases: readonly TranslationCase[]): Outcome[] {
  const machine = new TranslationMachine(ourModel, el3);
  return cases.map((one) => machine.run(one));
}

/** What an AT changes; the rest is the guest's own. */
const AT_WORDS: readonly (keyof Outcome)[] = ["vector", "ESR_EL2", "FAR_EL2", "HPFAR_EL2", "PAR_EL1", "x0"];

/** Words in which two outcomes differ beyond what is known to. */
export function difference(one: TranslationCase, ours: Outcome, theirs: Outcome, used?: number[]): string[] {
  const isAt = one.operation >= 0;
  const a = masked(ours, isAt), b = masked(theirs, isAt, used);
  return (isAt ? AT_WORDS : OUTCOME_WORDS).filter((word) => a[word] !== b[word]).map((word) =>
    `${word}: ours 0x${ours[word].toString(16)}, QEMU 0x${theirs[word].toString(16)}`
  );
}

function fixture(name: string): URL {
  return new URL(`../fixtures/oracle/translation_${name}.bin`, import.meta.url);
}

/** Keeps outcomes, column by column. */
export async function writeFixture(name: string, outcomes: readonly Outcome[]): Promise<void> {
  const words = OUTCOME_WORDS.flatMap((word) => outcomes.map((outcome) => outcome[word]));
  await Deno.writeFile(
    fixture(name),
    deflateSync(new Uint8Array(BigUint64Array.from(words).buffer), { level: 9 }),
  );
}

/** Outcomes as they were kept. */
export async function readFixture(name: string): Promise<Outcome[]> {
  const bytes = new Uint8Array(inflateSync(await Deno.readFile(fixture(name))));
  const words = new BigUint64Array(bytes.buffer);
  const count = words.length / OUTCOME_WORDS.length;
  return Array.from(
    { length: count },
    (_, index) =>
      Object.fromEntries(
        OUTCOME_WORDS.map((word, column) => [word, words[column * count + index]]),
      ) as Outcome,
  );
}
