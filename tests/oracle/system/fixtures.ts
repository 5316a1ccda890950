/** Recorded results of the bare machine: digests of what QEMU left, in the parts where it follows the Arm ARM. */
import { createHash } from "node:crypto";
import { steady } from "./differences.ts";
import type { Group } from "./group.ts";
import { RESULT_WORDS, SystemProgram } from "./program.ts";

/** Results under one digest. */
export const RESULTS_PER_DIGEST = 100;

/** Digests by group name. */
export type SystemFixtures = Map<string, readonly string[]>;

/** The least model that has what that of a group has. */
type FixtureModel = "cortex-a57" | "max";

/** Where they are kept, by the model of the groups. */
const SYSTEM_FIXTURES: Readonly<Record<FixtureModel, URL>> = {
  "cortex-a57": new URL("../../fixtures/oracle/system.txt", import.meta.url),
  "max": new URL("../../fixtures/oracle/system_max.txt", import.meta.url),
};

/** The model that a group's name ends with. */
function modelOf(name: string): FixtureModel {
  return name.endsWith(", max") ? "max" : "cortex-a57";
}

const HEADING =
  "# Results of qemu-system-aarch64: group, then a digest for each hundred. Written by `deno task oracle --update`.";

/** The program of a group, or of its first `most` runs. */
export function programOf(group: Group, most?: number): SystemProgram {
  const program = new SystemProgram(group.top, most);
  group.build(program);
  return program;
}

/** The words of one result, shared. */
export function resultOf(results: BigUint64Array, index: number): BigUint64Array {
  return results.subarray(index * RESULT_WORDS.length, (index + 1) * RESULT_WORDS.length);
}

/** Digests of results: the first 48 bits of SHA-256; what varies is left out. */
export function digestsOf(group: Group, { names }: SystemProgram, results: BigUint64Array): string[] {
  const kept = results.slice();
  for (const [index, name] of names.entries()) steady(`${group.name}: ${name}`, resultOf(kept, index));
  const size = RESULTS_PER_DIGEST * RESULT_WORDS.length;
  return Array.from({ length: Math.ceil(kept.length / size) }, (_, at) => {
    const part = kept.slice(at * size, (at + 1) * size);
    return createHash("sha256").update(new Uint8Array(part.buffer)).digest("hex").slice(0, 12);
  });
}

/** The fixtures as text, a line per group. */
export function formatSystemFixtures(fixtures: SystemFixtures): string {
  return [HEADING, ...Array.from(fixtures, ([name, digests]) => `${name}: ${digests.join(" ")}`), ""].join(
    "\n",
  );
}

/** Reads the text back; throws RangeError for what it would not have written. */
export function parseSystemFixtures(text: string): SystemFixtures {
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(lines.map((line) => {
    const [, name, digests] = /^([^:]+): ((?:[0-9a-f]{12} ?)+)$/.exec(line) ?? [];
    if (name === undefined || digests === undefined) throw new RangeError(`Fixture line "${line}"`);
    return [name, digests.split(" ")];
  }));
}

/** The committed fixtures of all models; none where there is no file. */
export function readSystemFixtures(): SystemFixtures {
  return new Map(
    Object.values(SYSTEM_FIXTURES).flatMap((url) => {
      try {
        return [...parseSystemFixtures(Deno.readTextFileSync(url))];
      } catch (error) {
        if (error instanceof Deno.errors.NotFound) return [];
        throw error;
      }
    }),
  );
}

/** Writes the files of the models whose groups are given. */
export function writeSystemFixtures(fixtures: SystemFixtures): void {
  for (const model of ["cortex-a57", "max"] as const) {
    const own = new Map([...fixtures].filter(([name]) => modelOf(name) === model));
    if (own.size > 0) Deno.writeTextFileSync(SYSTEM_FIXTURES[model], formatSystemFixtures(own));
  }
}
