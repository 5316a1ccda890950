/**
 * Guests: software that Hindsight runs but does not contain, fetched from Debian packages and found by name.
 *
 * @module
 */
import { parseArgs } from "@std/cli";
import { PackageError } from "./guests/debian_package.ts";
import { aptSource, directorySource, mirrorSource, type PackageSource } from "./guests/debian_source.ts";
import { fetchGuest, present } from "./guests/fetch.ts";
import { GuestError, type ResolvedGuest } from "./guests/guest.ts";
import { guestsFolder } from "./guests/store.ts";
import { GUEST_NAMES, guestNamed } from "./guests/table.ts";

/** The release that `--mirror` reads. */
const SUITE = "bookworm";

const HELP = `Fetches guests from Debian packages into .guests/, where they are found by name.

Usage: deno task guests [NAME…] [--from DIR | --mirror URL] [--list] [--json]

  NAME          a guest; all of them by default. One that is here is kept: remove its folder to fetch it anew
  --from DIR    take the packages from a directory of .deb files
  --mirror URL  take them from a Debian mirror, for hosts without apt
  --into DIR    put them elsewhere than .guests/
  --list        list the guests and which are here
  --json        print the result as JSON
  --help        print this

Without --from and --mirror the host's apt is used; root is not needed.
`;

/** What the command line of `deno task guests` asks for. */
interface Request {
  readonly names: readonly string[];
  readonly folder: string;
  readonly source: PackageSource;
  /** Whether the user named a source, which is then asked even for what is here. */
  readonly isSourceNamed: boolean;
  readonly list: boolean;
  readonly json: boolean;
  readonly help: boolean;
}

function parseRequest(args: readonly string[]): Request {
  const given = parseArgs(args, {
    boolean: ["list", "json", "help"],
    string: ["from", "mirror", "into", "_"],
    alias: { help: "h" },
    unknown: (argument, key) => {
      if (key !== undefined) throw new GuestError(`Unknown option ${argument}; see --help`);
    },
  });
  const { from, mirror, into } = given;
  for (const [option, value] of Object.entries({ from, mirror, into })) {
    if (value === "") throw new GuestError(`--${option} needs a value; see --help`);
  }
  if (from !== undefined && mirror !== undefined) {
    throw new GuestError("--from and --mirror exclude each other");
  }
  if (mirror !== undefined && !URL.canParse(mirror)) throw new GuestError(`--mirror ${mirror} is not a URL`);
  const names = given._.length > 0 ? [...new Set(given._.map(String))] : [...GUEST_NAMES];
  names.forEach(guestNamed);
  return {
    names,
    folder: into ?? guestsFolder(),
    source: from !== undefined
      ? directorySource(from)
      : mirror !== undefined
      ? mirrorSource(mirror, SUITE)
      : aptSource(),
    isSourceNamed: from !== undefined || mirror !== undefined,
    list: given.list,
    json: given.json,
    help: given.help,
  };
}

/** Fetches or lists what was asked for, and prints the result. */
async function perform(request: Request): Promise<void> {
  const { names, folder, source } = request;
  const results: ({ name: string; summary: string } & Partial<ResolvedGuest>)[] = [];
  for (const name of names) {
    let guest = request.isSourceNamed && !request.list ? undefined : present(name, folder);
    if (!guest && !request.list) {
      if (Deno.stderr.isTerminal()) {
        console.error(`Fetching ${name} (${source.kind}) …`);
      }
      guest = await fetchGuest(name, source, folder);
    }
    results.push({ name, summary: guestNamed(name).summary, ...guest });
  }
  if (request.json) return console.log(JSON.stringify(results, null, 2));
  for (const { name, summary, version, image } of results) {
    console.log(`${name}  ${summary}\n  ${version === undefined ? "not fetched" : `${version}  ${image}`}`);
  }
}

/**
 * Runs the command.
 *
 * @returns the exit code: 0, 1 for failure, 2 for misuse
 */
export async function guestsCommand(args: readonly string[]): Promise<number> {
  let request: Request;
  try {
    request = parseRequest(args);
  } catch (error) {
    if (!(error instanceof GuestError)) throw error;
    console.error(error.message);
    return 2;
  }
  if (request.help) {
    console.log(HELP.trimEnd());
    return 0;
  }
  try {
    await perform(request);
    return 0;
  } catch (error) {
    const isExpected = error instanceof GuestError || error instanceof PackageError;
    const isHost = error instanceof Error && (error.name in Deno.errors || "code" in error);
    if (!isExpected && !isHost) throw error;
    console.error((error as Error).message);
    return 1;
  } finally {
    await request.source.close();
  }
}

if (import.meta.main) Deno.exit(await guestsCommand(Deno.args));
