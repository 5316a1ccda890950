/** Carries out the checks of systems one after another, and tells what they came to. */
import { failureOf } from "../failure.ts";
import type { Host } from "../host/host.ts";
import { pathIn } from "../host/folder.ts";
import { Context } from "./context.ts";
import { SkippedError } from "./qemu.ts";
import type { CheckResult, ResultsFile } from "./results.ts";
import type { CheckOutcome, SystemCheck, SystemScenario } from "./scenario.ts";

/** How checks are carried out. */
export interface RunOptions {
  /** The process. */
  readonly host: Host;
  /** Where journals go, each system's in a folder of its own. */
  readonly folder: string;
  /** Where results are kept. */
  readonly results: ResultsFile;
  /** The engine that records. */
  readonly engine: string;
  /** Long checks too, but for those that passed before. */
  readonly all: boolean;
  /** With `all`: those that passed before too. */
  readonly again: boolean;
  /** Parts of names: only checks with one of them in theirs; all when there are none. */
  readonly only: readonly string[];
  /** Aborted when the user ends the command. */
  readonly signal: AbortSignal;
  /** Takes each result as it comes. */
  readonly told: (result: CheckResult, isKept: boolean) => void;
}

/** A failure as it is told: an error that is not for the user is a defect, and its place is wanted too. */
function failureText(error: unknown): string {
  const { message } = failureOf(error);
  const isDefect = message.startsWith("this should not have happened");
  return isDefect && error instanceof Error ? `${message}\n${error.stack}` : message;
}

async function carryOut(check: SystemCheck, context: Context): Promise<CheckOutcome & { skipped?: string }> {
  try {
    for (const guest of check.needs ?? []) context.guest(`${guest}/manifest.json`);
    return await check.run(context);
  } catch (error) {
    context.signal.throwIfAborted();
    if (error instanceof SkippedError) return { failures: [], figures: {}, skipped: error.message };
    return { failures: [failureText(error)], figures: {} };
  } finally {
    context.clear();
  }
}

async function runCheck(slug: string, check: SystemCheck, options: RunOptions): Promise<CheckResult> {
  const { host, folder, engine, all, signal } = options, started = host.now();
  const title = `${slug}: ${check.name}`;
  const context = new Context({ host, folder: pathIn(folder, slug), engine, all, signal, title });
  const { failures, figures, skipped } = await carryOut(check, context);
  return {
    name: check.name,
    status: skipped !== undefined ? "skipped" : failures.length > 0 ? "failed" : "passed",
    failures: skipped === undefined ? [...failures] : [skipped],
    figures: { ...figures },
    seconds: Math.round((host.now() - started) / 10) / 100,
    engine,
    all,
  };
}

/** Whether a check was asked for. */
function isWanted({ name, isLong }: SystemCheck, { all, only }: RunOptions): boolean {
  if (only.length > 0) return only.some((part) => name.includes(part));
  return all || isLong !== true;
}

/** Carries out the checks of a system that were asked for. Throws the signal's reason when the user ends the command. */
export async function runSystem(
  { slug, checks }: SystemScenario,
  options: RunOptions,
): Promise<CheckResult[]> {
  const { all, again, engine, results, told } = options, done: CheckResult[] = [];
  for (const check of checks) {
    if (!isWanted(check, options)) continue;
    const earlier = all && !again ? results.passed(slug, check.name, engine) : undefined;
    const result = earlier ?? await runCheck(slug, check, options);
    if (earlier === undefined) results.keep(slug, result);
    told(result, earlier !== undefined);
    done.push(result);
  }
  return done;
}
