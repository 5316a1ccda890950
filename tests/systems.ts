/**
 * The systems built on the machine: carries out the checks of all, and counts.
 *
 * `deno task systems [SLUG…] [--check TEXT] [--all] [--again] [--engine ENGINE] [-o FOLDER]`; needs `deno task guests` before. Checks that
 * compare with QEMU are skipped where it is not installed. With `--all`, what passed before is not run again.
 */
import { TextLineStream } from "@std/streams";
import { UsageError } from "../cli/errors.ts";
import { statusOf, systemNamed, SYSTEMS } from "../cli/systems/table.ts";
import { counted } from "../cli/text.ts";

/** A system's line of `hindsight system run --json`, as far as it is looked at. */
interface SystemResult {
  readonly slug: string;
  readonly checks: readonly {
    readonly name: string;
    readonly status: "passed" | "failed" | "skipped";
    readonly failures: readonly string[];
    readonly seconds: number;
  }[];
}

/** What may be done besides reading and writing files. */
const PERMISSIONS = [
  "--allow-read",
  "--allow-write",
  "--allow-run=qemu-system-aarch64,iasl,tmux,gdb-multiarch,mkfifo",
];

class Counts {
  passed = 0;
  failed = 0;
  skipped = 0;

  add({ slug, checks }: SystemResult): void {
    const seconds = checks.reduce((sum, check) => sum + check.seconds, 0);
    console.log(`${slug}: ${counted(checks.length, "check")}, ${seconds.toFixed(1)} s`);
    for (const { name, status, failures } of checks) {
      this[status]++;
      for (const failure of failures) console.log(`   ${status}: ${name}: ${failure}`);
    }
  }
}

/** Carries out the checks of a system, or of all; false when the command itself went wrong. */
async function run(name: string, options: readonly string[], counts: Counts): Promise<boolean> {
  const process = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-q",
      "--no-check",
      ...PERMISSIONS,
      "cli/main.ts",
      "system",
      "run",
      name,
      "--json",
      ...options,
    ],
    stdin: "null",
    stdout: "piped",
  }).spawn();
  const lines = process.stdout.pipeThrough(new TextDecoderStream()).pipeThrough(new TextLineStream());
  let failed = 0;
  for await (const line of lines) {
    if (line === "") continue;
    const result = JSON.parse(line) as SystemResult;
    failed += result.checks.filter(({ status }) => status === "failed").length;
    counts.add(result);
  }
  const { code } = await process.status;
  return code === 0 || (code === 1 && failed > 0);
}

/** Options with a value in the next word. */
const VALUED = ["--check", "--engine", "--output", "-o"];

/** The systems that a command line names; throws UsageError. The rest of it is for the command. */
function parseArguments(args: readonly string[]): { readonly names: string[]; readonly options: string[] } {
  const names: string[] = [], options: string[] = [];
  for (const [index, argument] of args.entries()) {
    const isName = !argument.startsWith("-") && !VALUED.includes(args[index - 1] ?? "");
    if (isName) names.push(systemNamed(argument).slug);
    else options.push(argument);
  }
  return { names, options };
}

/** Systems that run at once: a guest's CPU is one thread, and machines have more. */
const AT_ONCE = 2;

/** Those that take longest begin, so that none is left for the end. */
const LONGEST: readonly string[] = ["bridge-space", "rts-upcall", "dt2acpi", "mp-mailbox", "el2-trampoline"];

/** All that are built, the longest first. */
function allSystems(): string[] {
  const built = SYSTEMS.filter((row) => statusOf(row) === "built").map(({ slug }) => slug);
  return [...LONGEST, ...built.filter((slug) => !LONGEST.includes(slug))];
}

async function main(args: readonly string[]): Promise<number> {
  const { names, options } = parseArguments(args), counts = new Counts();
  // Only the command knows which systems have a check.
  const everything = options.includes("--check") ? ["all"] : allSystems();
  const waiting = names.length === 0 ? everything : names;
  let isWhole = true;
  const work = async (): Promise<void> => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
      isWhole = await run(name, options, counts) && isWhole;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  if (counts.skipped > 0) console.log(`${counts.skipped} skipped`);
  if (!isWhole) counts.failed++;
  console.log(`${counts.passed} passed, ${counts.failed} failed`);
  return counts.failed === 0 && counts.passed > 0 ? 0 : 1;
}

if (import.meta.main) {
  Deno.exit(
    await main(Deno.args).catch((error) => {
      console.error((error as Error).message);
      return error instanceof UsageError ? error.exitCode : 1;
    }),
  );
}
