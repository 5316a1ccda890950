/** Runs benchmarks: all, or those named. */
import * as engines from "./engines.ts";
import * as journalSize from "./journal_size.ts";

const BENCHMARKS: Readonly<Record<string, { readonly question: string; run(): void | Promise<void> }>> = {
  engines,
  journal_size: journalSize,
};

/** Other arguments are the benchmark's own. */
const chosen = Deno.args.filter((arg) => Object.hasOwn(BENCHMARKS, arg));

for (const [name, { question, run }] of Object.entries(BENCHMARKS)) {
  if (chosen.length > 0 && !chosen.includes(name)) continue;
  console.log(`${name}: ${question}`);
  await run();
  console.log();
}
