/** Runs benchmarks: all, or those named. */
import * as boots from "./boots.ts";
import * as engines from "./engines.ts";
import * as journalSize from "./journal_size.ts";
import { describeHost, parseRequest, print, type Request, UsageError } from "./request.ts";

/** A question, and what answers it: prints as it goes, and gives what it found. */
interface Benchmark {
  readonly question: string;
  run(request: Request): unknown;
}

const BENCHMARKS: Readonly<Record<string, Benchmark>> = { engines, boots, journal_size: journalSize };

const HELP = `Measures Hindsight, beside QEMU in the same run where it can be asked the same.

Usage: deno task bench [NAME…] [--runs N] [--engine NAME]… [--workload NAME]… [--costs] [--json]

${Object.entries(BENCHMARKS).map(([name, { question }]) => `  ${name.padEnd(14)}${question}`).join("\n")}

  --runs N          take the median of so many runs (default 5)
  --engine NAME     measure this engine; all but the reference engine by default
  --workload NAME   of engines: this program; of boots: rows whose names begin so
  --costs           of engines: tell what each recording goes into, by a run more
  --json            print what was found as JSON

Example: deno task bench engines --engine threaded --workload hash --workload svc --runs 3
`;

async function main(args: readonly string[]): Promise<number> {
  const request = parseRequest(args, Object.keys(BENCHMARKS));
  if (request.isHelp) return console.log(HELP.trimEnd()), 0;
  const found: Record<string, unknown> = {};
  for (const [name, { question, run }] of Object.entries(BENCHMARKS)) {
    if (request.benchmarks.length > 0 && !request.benchmarks.includes(name)) continue;
    const host = describeHost();
    print(request, `${name}: ${question}`);
    found[name] = { host, result: await run(request), loadAfter: describeHost()["load"] };
    print(request, "");
  }
  if (request.isJson) console.log(JSON.stringify({ runs: request.runs, ...found }, null, 2));
  return 0;
}

if (import.meta.main) {
  try {
    Deno.exitCode = await main(Deno.args);
  } catch (error) {
    const isMisuse = error instanceof UsageError || error instanceof RangeError;
    if (!(error instanceof Error)) throw error;
    console.error(error.message);
    Deno.exitCode = isMisuse ? 2 : 1;
  }
}
