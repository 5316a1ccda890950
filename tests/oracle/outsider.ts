/** What the oracles say about the programs they ask: a missing one, and what was agreed. */

/** An outsider is not installed. */
export class MissingOutsiderError extends Error {
  override name = "MissingOutsiderError";
  /** `packageName` is the Debian package that has it. */
  constructor(program: string, packageName: string) {
    super(`${program} is not installed: on Debian, run "apt-get install ${packageName}"`);
  }
}

/** Runs an oracle's main function; what is not installed is said in one line, with exit code 1. */
export async function exitOnMissing(main: () => Promise<void>): Promise<void> {
  try {
    await main();
  } catch (error) {
    if (!(error instanceof MissingOutsiderError)) throw error;
    console.log(error.message);
    Deno.exit(1);
  }
}
