/** Recorded outcomes of `qemu-aarch64`: for each row and seed a digest of what fifty cases left behind. */
import { createHash } from "node:crypto";
import type { Records } from "./record.ts";

/** A seed and the digest of its outcomes. */
export interface SeedDigest {
  /** Seed of the batch. */
  readonly seed: number;
  /** The first 64 bits of SHA-256 over the outcomes, 16 hexadecimal digits. */
  readonly digest: string;
}

/** Seeds and digests by row name. */
export type InstructionFixtures = Map<string, readonly SeedDigest[]>;

/** Where they are kept. */
export const INSTRUCTION_FIXTURES: URL = new URL("../fixtures/oracle/instructions.txt", import.meta.url);

const HEADING =
  "# Outcomes of qemu-aarch64: row, then seed:digest for each fifty cases. Written by `deno task oracle --update`.";

/** Digest of outcomes. */
export function digest(outcomes: Records): string {
  return createHash("sha256").update(outcomes.bytes).digest("hex").slice(0, 16);
}

/** The fixtures as text, a line per row. */
export function formatFixtures(fixtures: InstructionFixtures): string {
  const lines = [...fixtures].sort(([a], [b]) => a < b ? -1 : 1).map(([row, seeds]) => {
    const entries = seeds.map(({ seed, digest }) => `${seed.toString(16).padStart(8, "0")}:${digest}`);
    return [row, ...entries].join(" ");
  });
  return [HEADING, ...lines, ""].join("\n");
}

/** Reads the text back; throws RangeError for what it would not have written. */
export function parseFixtures(text: string): InstructionFixtures {
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(lines.map((line) => {
    const [row = "", ...entries] = line.split(" ");
    return [
      row,
      entries.map((entry) => {
        const [, seed, digest] = /^([0-9a-f]{8}):([0-9a-f]{16})$/.exec(entry) ?? [];
        if (seed === undefined || digest === undefined) throw new RangeError(`Fixture of ${row}: "${entry}"`);
        return { seed: parseInt(seed, 16), digest };
      }),
    ];
  }));
}

/** The committed fixtures. */
export function readFixtures(): InstructionFixtures {
  return parseFixtures(Deno.readTextFileSync(INSTRUCTION_FIXTURES));
}
