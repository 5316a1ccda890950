/** What a guest is: where its parts come from and how its files are made of them. */
import type { DebianPackage } from "./debian_package.ts";
import type { PackageSource } from "./debian_source.ts";

/** A guest cannot be named, found or trusted; the message says what to do. */
export class GuestError extends Error {
  /** The class, for whoever prints the error. */
  override name = "GuestError";
}

/** A package that a guest is made of. */
export interface PackageRequest {
  /** Debian's name of it. */
  readonly name: string;
  /** Debian's name of its architecture. */
  readonly architecture: "all" | "arm64";
  /** Whether the package meant is the first that this one depends on: the newest kernel is named so. */
  readonly isMeta: boolean;
}

/** A guest that is here and is what was fetched. */
export interface ResolvedGuest {
  /** Its name in the table of guests. */
  readonly name: string;
  /** Version of the package it came from. */
  readonly version: string;
  /** Path of the image to boot. */
  readonly image: string;
  /** Paths of all its files by their local names. */
  readonly files: Readonly<Record<string, string>>;
}

/** What the files of a guest are made of. */
export interface Ingredients {
  /** Packages by the names in their requests. */
  readonly packages: ReadonlyMap<string, DebianPackage>;
  /** Other guests by name. */
  readonly guests: ReadonlyMap<string, ResolvedGuest>;
  /** Where the packages came from, for source packages. */
  readonly source: PackageSource;
  /** A folder for files of the moment. */
  readonly work: string;
}

/** The bytes of a guest's files by local name; the first is the image to boot. */
export type GuestFiles = ReadonlyMap<string, Uint8Array>;

/** One guest. */
export interface Guest {
  /** What it is, for `--list`. */
  readonly summary: string;
  /** What it is made of, the one that gives the version first. */
  readonly packages: readonly PackageRequest[];
  /** Other guests it is made of. */
  readonly guests: readonly string[];
  /** Counts changes of `make`: a guest made by another recipe is made anew. */
  readonly recipe: number;
  /** Makes the files. */
  readonly make: (ingredients: Ingredients) => GuestFiles | Promise<GuestFiles>;
}
