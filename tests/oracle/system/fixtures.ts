/** Recorded results of the bare machine: digests of what QEMU left, in the parts where it follows the Arm ARM. */
import { createHash } from "node:crypto";
import { steady } from "./differences.ts";
import type { Group } from "./group.ts";
import { RESULT_WORDS, SystemProgram } from "./program.ts";

/** Results under one digest. */
export const RESULTS_PER_DIGEST = 100;

/** Digests by group name. */
export type SystemFixtures = Map<string, readonly string[]>;

/** Where they are kept. */
export const SYSTEM_FIXTURES: URL = new URL("../../fixtures/oracle/system.txt", import.meta.url);

const HEADING =
  "# Results of qemu-system-aarch64: group, then a digest for each hundred. Written by `deno task oracle --update`.";

/** The program of a group. */
export function programOf(group: Group): SystemProgram {
  const program = new SystemProgram(group.top);
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

/** The committed fixtures; none where there is no file. */
export function readSystemFixtures(): SystemFixtures {
  try {
    return parseSystemFixtures(Deno.readTextFileSync(SYSTEM_FIXTURES));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return new Map();
    throw error;
  }
}
