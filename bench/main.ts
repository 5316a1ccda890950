/** Runs benchmarks: all, or those named. */
import * as journalSize from "./journal_size.ts";
import * as referenceEngine from "./reference_engine.ts";

const BENCHMARKS: Readonly<Record<string, { readonly question: string; run(): void | Promise<void> }>> = {
  reference_engine: referenceEngine,
  journal_size: journalSize,
};

for (const [name, { question, run }] of Object.entries(BENCHMARKS)) {
  if (Deno.args.length > 0 && !Deno.args.includes(name)) continue;
  console.log(`${name}: ${question}`);
  await run();
  console.log();
}
