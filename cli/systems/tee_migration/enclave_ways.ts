/** Programs of tee-migration's checks of enclaves, the ways they go, and what is wrong with how one went. */
import {
  EXTENSIONS_FEATURES,
  EXTENSIONS_SOURCE,
  type ImageOptions,
  programImage,
  TICKER_SOURCE,
} from "../../../firmware/tee_migration/enclave_programs.ts";
import type { ProgramLife } from "./enclave_lives.ts";
import type { ProgramHost } from "./enclave_worlds.ts";

/** When a program is told to move in checks that are about something else, and how long it runs, in nanoseconds. */
export const MOVE_AT = 1_000_000, ALONE = 5_000_000;
/** Nodes of a world: where the program is, and where it goes. */
export const EAST = 0, WEST = 1;

/** Ways of a program: what it leaves, and where it goes. */
export interface Way {
  /** In words. */
  readonly name: string;
  /** Where it is. */
  readonly from: ProgramHost;
  /** Where it goes. */
  readonly to: ProgramHost;
}

/** Hosts of enclaves with pages of 64 KiB, and of realms. */
export const E64: ProgramHost = { type: "E" }, R: ProgramHost = { type: "R" };
/** A host of enclaves with pages of 16 KiB. */
export const E16: ProgramHost = { type: "E", cpuModel: "max", options: { granule: "16K" } };
/** A host of enclaves whose CPU has all extensions. */
export const MAX_E: ProgramHost = { type: "E", cpuModel: "max" };

/** Pages of 4 KiB become pages of 64 or 16 KiB, and those of 16 KiB of 64. */
export const WAYS: readonly Way[] = [
  { name: "E→E", from: E16, to: E64 },
  { name: "R→E", from: R, to: E64 },
  { name: "E→R", from: E64, to: R },
  { name: "R→E of 16 KiB", from: R, to: E16 },
];

/** The first `count` of numbers from 0 to 1 that follow from a seed. */
export function randoms(count: number, seed: number): number[] {
  let random = seed;
  return Array.from({ length: count }, () => {
    random = (Math.imul(random, 1_664_525) + 1_013_904_223) >>> 0;
    return random / 2 ** 32;
  });
}

/** The program that writes TICKER_WRITES. */
export const ticker = (options: ImageOptions = {}): Uint8Array<ArrayBuffer> =>
  programImage(TICKER_SOURCE, options);

/** The program that uses extensions, and may be given shims for them or not; it writes EXTENSIONS_WRITE. */
export const extensions = (allowsShims: boolean): Uint8Array<ArrayBuffer> =>
  programImage(EXTENSIONS_SOURCE, { features: EXTENSIONS_FEATURES, allowsShims });

/** A host with options more. */
export function withOptions(host: ProgramHost, options: Readonly<Record<string, string>>): ProgramHost {
  return { ...host, options: { ...host.options, ...options } };
}

/** What is wrong with a life in which a program was to write a text once, whole, and leave nothing. */
export function wrongOf(
  { consoles: [east, west], text, canaries, isCanaryTold }: ProgramLife,
  to: ProgramHost,
  wanted: string,
): string[] {
  const failures: string[] = [];
  if (text !== wanted) failures.push(`"${east}" and "${west}" in place of "${wanted}"`);
  if (isCanaryTold) failures.push("the canary was on the link");
  // A program that has ended has no memory; a realm's runtime, which is in the realm, keeps it until then.
  const kept = west === "" ? [] : canaries[EAST];
  const seen = to.type === "E" ? canaries[WEST] : [];
  if (kept.length > 0) failures.push(`the canary is still at the source, in ${kept.join(", ")}`);
  if (seen.length > 0) failures.push(`the canary is at the destination, in ${seen.join(", ")}`);
  return failures;
}
