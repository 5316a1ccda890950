/**
 * Compares address translation, aborts and their syndromes with `qemu-system-aarch64`: random registers and tables.
 * `--cases N` and `--seed N` choose what is drawn, `--record` renews the fixtures.
 */
import { parseArgs } from "@std/cli";
import { runOnQemu } from "./translation_runner.ts";
import { DIFFERENCES } from "./translation_differences.ts";
import {
  difference,
  drawCases,
  FIRST_SEED,
  FIXTURE_CASES,
  runOurs,
  SUITES,
  writeFixture,
} from "./translation_suites.ts";

const SHOWN = 5;

async function main(): Promise<void> {
  const options = parseArgs(Deno.args, { string: ["cases", "seed"], boolean: ["record"] });
  const count = options.record ? FIXTURE_CASES : Number(options.cases ?? 20000);
  const seed = options.record ? FIRST_SEED : Number(options.seed ?? FIRST_SEED);
  const used: number[] = DIFFERENCES.map(() => 0);
  let failed = 0;
  for (const suite of SUITES) {
    const cases = drawCases(suite, seed, count);
    const theirs = await runOnQemu(cases, suite.model, suite.el3);
    if (theirs.length !== count) throw new Error(`QEMU answered ${theirs.length} of ${count} cases`);
    const ours = runOurs(suite, cases);
    let different = 0;
    for (const [index, one] of cases.entries()) {
      const words = difference(one, ours[index] as never, theirs[index] as never, used);
      if (words.length > 0 && ++different <= SHOWN) {
        console.log(`${suite.name}, seed ${seed + index}: ${words.join("; ")}`);
      }
    }
    failed += different;
    console.log(
      `${suite.name}: ${count} cases from seed ${seed}, ${count - different} agreed, ${different} disagreed`,
    );
    if (options.record) await writeFixture(suite.name, theirs);
  }
  for (const [index, { reason, section }] of DIFFERENCES.entries()) {
    console.log(`masked ${used[index]} times (${section}): ${reason}`);
  }
  if (failed > 0) Deno.exit(1);
}

await main();
