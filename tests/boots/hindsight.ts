/** Runs the commands of Hindsight as a user would. */
import { toText } from "@std/streams";
import { type Boot, machineOptions, type Step } from "./rows.ts";

/**
 * Runs a command; its output on standard output.
 *
 * @throws {Error} with all it said when it does not exit as expected, or not in time
 */
export async function hindsight(
  args: readonly string[],
  { exitCode = 0, seconds = 3600 }: { exitCode?: number; seconds?: number } = {},
): Promise<string> {
  const process = new Deno.Command(Deno.execPath(), {
    args: ["run", "-q", "--allow-read", "--allow-write", "cli/main.ts", ...args],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const timeout = setTimeout(() => process.kill("SIGKILL"), seconds * 1000);
  const [text, errors, { code }] = await Promise.all([
    toText(process.stdout),
    toText(process.stderr),
    process.status,
  ]);
  clearTimeout(timeout);
  if (code !== exitCode) {
    throw new Error(
      `hindsight ${args.join(" ")} exited ${code}:\n${text.slice(-LAST_CHARACTERS)}${errors}`,
    );
  }
  return text;
}

/** How much of a console is worth repeating. */
const LAST_CHARACTERS = 800;

/** A script file for `record`. */
export function scriptText(steps: readonly Step[]): string {
  return steps.map((step) =>
    "expect" in step ? `expect ${JSON.stringify(step.expect)}\n` : `send ${JSON.stringify(step.send)}\n`
  ).join("");
}

/** What of `hindsight info --json` is looked at. */
export interface JournalFacts {
  /** Size of the file. */
  readonly bytes: number;
  /** Number of steps. */
  readonly lastInstant: number;
  /** Number and size of the blocks of each kind. */
  readonly blocks: Readonly<Record<string, { readonly count: number; readonly bytes: number }>>;
  /** State and history roots. */
  readonly roots: readonly unknown[];
}

/** What a journal says of itself. */
export async function factsOf(journal: string): Promise<JournalFacts> {
  return JSON.parse(await hindsight(["info", journal, "--json"])) as JournalFacts;
}

/** Records a row; the time it took, in milliseconds. */
export async function record(
  boot: Boot,
  script: string,
  journal: string,
  more: readonly string[] = [],
  seconds?: number,
): Promise<number> {
  const started = performance.now();
  const monitors = (boot.monitors ?? []).flatMap((monitor) => ["--monitor", monitor]);
  const options = [
    ...machineOptions(boot),
    ...monitors,
    ...boot.options,
    "--script",
    script,
    "-o",
    journal,
    ...more,
  ];
  await hindsight(["record", ...options], seconds === undefined ? {} : { seconds });
  return performance.now() - started;
}
